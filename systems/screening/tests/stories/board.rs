//! The board of screening, found by probing.
use jumun_model::Event;
use jumun_runtime::{Inconsistent, System, keep};
use jumun_screening::{OFFER, Settings, contract, hospital, reservation, screening, system};
use jumun_testkit::{boards, unspoken};
use std::{collections::BTreeSet, path::Path};
use strum::VariantNames;

fn all() -> System {
    system(&Settings::default())
}

#[test]
fn every_fact_of_the_contract_is_reached_by_exploring() {
    let facts = [
        ("screening", contract::screening::Event::NAMES),
        ("hospital", contract::hospital::Event::NAMES),
        ("reservation", contract::reservation::Event::NAMES),
    ];
    boards(&all()).says(&facts);
}

#[test]
fn every_wish_has_an_example_and_somebody_who_wishes_it() {
    let wishes = [
        ("screening", screening::screening::Do::VARIANTS),
        ("hospital", hospital::hospital::Do::VARIANTS),
        ("reservation", reservation::reservation::Do::VARIANTS),
    ];
    boards(&all()).wishes(&wishes);
}

#[test]
fn every_line_of_a_door_is_a_command_that_leads_to_a_fact() {
    boards(&all()).lines();
}

#[test]
fn the_picture_shows_the_board_as_the_code_has_it() {
    boards(&all()).drawn_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/board"));
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

#[test]
fn whoever_reads_korean_sees_no_word_of_the_wire() {
    assert_eq!(unspoken(&all(), OFFER.phrases, "ko"), BTreeSet::new());
}
