//! The board of malltail, found by probing: what it shows, and that its copies are up to date. `just board` writes the copies.
use jumun_malltail::{OFFER, Settings, contract, delivery, order, pay, provider, shipping, shop, system};
use jumun_model::Event;
use jumun_runtime::{Chance, Inconsistent, System, TokioClock, keep};
use jumun_testkit::{NOON, boards, unspoken};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};
use strum::VariantNames;

fn malltail() -> System {
    let (clock, chance) = (Arc::new(TokioClock::at(NOON)), Arc::new(Chance::seeded(0)));
    let provider = provider::SimulatedProvider::in_memory(provider::MemoryLedger::default(), clock, chance);
    system(&Settings::default(), Arc::new(provider))
}
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_readme_shows_the_board_as_the_code_has_it() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
    let (_, rest) = readme.split_once("<!-- board:begin -->\n```mermaid\n").expect("README marks where the board begins");
    let (copy, _) = rest.split_once("```\n<!-- board:end -->").expect("README marks where the board ends");
    assert!(copy == malltail().board().mermaid(), "README.md shows another board; `just board` writes it");
}

#[test]
fn the_picture_shows_the_board_as_the_code_has_it() {
    boards(&malltail()).drawn_in(&root().join("docs/board"));
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
    boards(&malltail()).says(&facts);
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
    boards(&malltail()).wishes(&wishes);
}

#[test]
fn every_line_of_a_door_is_a_command_that_leads_to_a_fact() {
    boards(&malltail()).lines();
}

#[test]
fn whoever_reads_korean_sees_no_word_of_the_wire() {
    assert_eq!(unspoken(&malltail(), OFFER.phrases, "ko"), BTreeSet::new());
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
