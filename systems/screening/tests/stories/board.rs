//! The board of screening, found by probing.
use jumun_model::Event;
use jumun_runtime::{
    Inconsistent, System,
    board::{Board, Means},
    keep,
};
use jumun_screening::{Settings, contract, hospital, reservation, screening, system};
use strum::VariantNames;

fn all() -> System {
    system(&Settings::default())
}
fn board() -> Board {
    all().board()
}

#[test]
fn every_fact_of_the_contract_is_reached_by_exploring() {
    let facts = [
        ("screening", contract::screening::Event::NAMES),
        ("hospital", contract::hospital::Event::NAMES),
        ("reservation", contract::reservation::Event::NAMES),
    ];
    for zone in &board().contexts {
        let names: Vec<_> = zone.facts.iter().map(|fact| fact.name).collect();
        let wanted = facts.iter().find(|(context, _)| *context == zone.name).map_or(&[][..], |(_, names)| *names);
        assert_eq!(names, wanted, "{} never says {:?}", zone.name, zone.unreached);
    }
}

#[test]
fn every_wish_has_an_example_and_somebody_who_wishes_it() {
    let wishes = [
        ("screening", screening::screening::Do::VARIANTS),
        ("hospital", hospital::hospital::Do::VARIANTS),
        ("reservation", reservation::reservation::Do::VARIANTS),
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
    let system = all();
    let all = system.contexts.iter().flat_map(|context| context.doors()).flat_map(|door| door.lines());
    assert_eq!(lines, all.map(|line| line.roles.len()).sum::<usize>(), "a line per role");
}

#[test]
fn marketing_asks_nobody_and_nobody_needs_it() {
    let mut system = all();
    system.contexts.retain(|context| context.name != "marketing");
    assert_eq!(system.check(), []);
}

#[test]
fn a_policy_that_reacts_to_nothing_that_is_published_is_found() {
    let mut system = all();
    let deaf =
        keep::<reservation::reservation::Reservation>(()).whenever("Deaf", |fact: &contract::hospital::Event| match fact {
            contract::hospital::Event::SeatForgone { .. } => Some(reservation::reservation::Do::Cancel), // hospital's own business
            _ => None,
        });
    system.contexts.push(jumun_runtime::Context::named("deaf", jumun_runtime::Rank::General, 8099).keeps(deaf));
    assert_eq!(system.check(), [Inconsistent::NeverWanted { context: "deaf", policy: "Deaf", publisher: "hospital" }]);
}
