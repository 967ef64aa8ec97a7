//! The board of malltail, found by probing: what it shows, and that its copies are up to date. `just board` writes the copies.
use jumun_malltail::{Settings, contract, delivery, order, pay, provider, shipping, shop, system};
use jumun_model::Event;
use jumun_runtime::{
    Chance, Inconsistent, System, TokioClock,
    board::{Board, Means},
    keep,
};
use jumun_testkit::NOON;
use std::{path::Path, sync::Arc};
use strum::VariantNames;

fn malltail() -> System {
    let (clock, chance) = (Arc::new(TokioClock::at(NOON)), Arc::new(Chance::seeded(0)));
    let provider = provider::SimulatedProvider::in_memory(provider::MemoryLedger::default(), clock, chance);
    system(&Settings::default(), Arc::new(provider))
}
fn board() -> Board {
    malltail().board()
}
fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{file} can not be read: {why}; `just board` writes it"))
}

#[test]
fn the_readme_shows_the_board_as_the_code_has_it() {
    let readme = read("README.md");
    let (_, rest) = readme.split_once("<!-- board:begin -->\n```mermaid\n").expect("README marks where the board begins");
    let (copy, _) = rest.split_once("```\n<!-- board:end -->").expect("README marks where the board ends");
    assert!(copy == board().mermaid(), "README.md shows another board; `just board` writes it");
}

#[test]
fn the_picture_shows_the_board_as_the_code_has_it() {
    let (copy, drawn) = (read("docs/board/malltail.svg"), board().svg());
    assert!(copy == drawn, "docs/board/malltail.svg shows another board; `just board` writes it");
}

#[test]
fn every_fact_of_the_contract_is_reached_by_exploring() {
    let facts = [
        ("order", contract::order::Event::NAMES),
        ("pay", contract::pay::Event::NAMES),
        ("shop", contract::shop::Event::NAMES),
        ("shipping", contract::shipping::Event::NAMES),
        ("delivery", contract::delivery::Event::NAMES),
    ];
    let board = board();
    for zone in &board.contexts {
        let names: Vec<_> = zone.facts.iter().map(|fact| fact.name).collect();
        let wanted = facts.iter().find(|(context, _)| *context == zone.name).map_or(&[][..], |(_, names)| *names);
        assert_eq!(names, wanted, "{} never says {:?}", zone.name, zone.unreached);
    }
}

#[test]
fn every_wish_has_an_example_and_somebody_who_wishes_it() {
    let wishes = [
        ("order", order::order::Do::VARIANTS),
        ("pay", pay::payment::Do::VARIANTS),
        ("shop", shop::shop_management::Do::VARIANTS),
        ("shipping", shipping::shipping::Do::VARIANTS),
        ("delivery", delivery::delivery::Do::VARIANTS),
    ];
    let board = board();
    for (context, names) in wishes {
        let zone = board.contexts.iter().find(|zone| zone.name == context).expect("it is there");
        let commands = &zone.aggregates[0].commands;
        assert_eq!(commands.iter().map(|command| command.name.as_str()).collect::<Vec<_>>(), names, "{context}");
        for command in commands {
            let sticker = format!("command:{context}/{}/{}", zone.aggregates[0].name, command.name);
            let sent = command.due || !command.after.is_empty() || board.arrows.iter().any(|link| link.to == sticker);
            assert!(sent, "nobody wishes {sticker}");
        }
    }
}

#[test]
fn every_line_of_a_door_is_a_command_that_leads_to_a_fact() {
    let board = board();
    let mut lines = 0;
    for link in board.links(Means::Wishes) {
        let leads = board.links(Means::Says).any(|says| says.from == link.to);
        assert!(leads, "{} of {} leads to {}, and no fact", link.labels.join(", "), link.from, link.to);
        lines += link.labels.len();
    }
    let all: usize = malltail().contexts.iter().flat_map(|context| context.doors()).map(|door| door.lines().len()).sum();
    assert_eq!(lines, all);
}

#[test]
fn a_policy_that_reacts_to_nothing_that_is_published_is_found() {
    assert_eq!(malltail().check(), []);
    let mut system = malltail();
    let deaf = keep::<shipping::shipping::Shipping>(()).whenever("Deaf", |fact: &contract::pay::Event| match fact {
        contract::pay::Event::VoidStarted { .. } => Some(shipping::shipping::Do::Hold), // pay's own business
        _ => None,
    });
    system.contexts.push(jumun_runtime::Context::named("deaf", jumun_runtime::Rank::General, 8099).keeps(deaf));
    assert_eq!(system.check(), [Inconsistent::NeverWanted { context: "deaf", policy: "Deaf", publisher: "pay" }]);
}
