//! A pool is kept, asked, reached by policies and by *every* as an aggregate is.
use super::{rig::*, toys::booking};
use crate::door::Reply;
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

#[tokio::test(start_paused = true)]
async fn a_booking_takes_a_seat_and_a_cancelled_one_gives_it_back() {
    let rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(1).await;
    let Ok(Reply::Opened(first)) = rig.book(clinic).await else { panic!("not booked") };
    assert_eq!(rig.get("/clinics", clinic).await["left"], 0);
    assert_eq!(rig.book(clinic).await.unwrap_err().code, "rejected");
    assert_eq!(rig.get("/bookings", 2).await["reason"], "full");

    rig.put("/bookings", first.number, "cancel").await.unwrap();
    until_is("the seat comes back", json!(1), async || rig.get("/clinics", clinic).await["left"].clone()).await;
    rig.put("/bookings", first.number, "cancel").await.unwrap();
    assert!(matches!(rig.book(clinic).await, Ok(Reply::Opened(_))));
    assert_eq!(
        said(&rig.facts("clinic").await),
        ["clinic/1 ClinicOpened", "booking/1 SeatTaken", "booking/1 SeatGivenBack", "booking/3 SeatTaken"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_seat_given_back_before_it_was_taken_is_never_taken() {
    let rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(5).await;
    rig.wire.is(Line::Slow(Duration::from_millis(900)));
    let booking = tokio::spawn(rig.calling("/bookings", crate::door::Verb::Open, call(None, json!({ "clinicId": clinic }))));
    until("the ask is on its way", async || rig.wire.sent().pop()).await;
    rig.put("/bookings", 1, "cancel").await.unwrap();
    assert_eq!(booking.await.unwrap().unwrap_err().code, "rejected", "it was cancelled while it waited");
    until_is("the clinic remembers", 2, async || rig.facts("clinic").await.len()).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(said(&rig.facts("clinic").await), ["clinic/1 ClinicOpened", "booking/1 SeatForgone"]);
    assert_eq!(rig.get("/clinics", clinic).await["left"], 5);
}

#[tokio::test(start_paused = true)]
async fn a_root_of_which_only_entries_came_is_not_there_yet_and_can_still_come() {
    let rig = Rig::up(booking::Settings::default()).await;
    assert_eq!(rig.book(1).await.unwrap_err().code, "rejected");
    rig.put("/bookings", 1, "cancel").await.unwrap_err();
    assert_eq!(rig.get("/clinics", 1).await, json!(null));
    let clinic = rig.clinic(3).await;
    assert_eq!(rig.get("/clinics", clinic).await["left"], 3);
}

/// More than two pages of bookings at one clinic, some at another, and one that is over already.
async fn crowded(rig: &Rig) -> (u64, u64) {
    let (closing, staying) = (rig.clinic(10_000).await, rig.clinic(10_000).await);
    for _ in 0..450 {
        rig.book(closing).await.unwrap();
    }
    for _ in 0..3 {
        rig.book(staying).await.unwrap();
    }
    rig.put("/bookings", 1, "cancel").await.unwrap();
    (closing, staying)
}
async fn everybody_was_told_once(rig: &Rig, closing: u64, staying: u64) {
    until_is("all seats come back", json!(10_000), async || rig.get("/clinics", closing).await["left"].clone()).await;
    assert_eq!(rig.get("/clinics", staying).await["left"], 9_997);
    let mut canceled = BTreeMap::new();
    for fact in rig.facts("booking").await.iter().filter(|fact| &*fact.name == "Canceled") {
        *canceled.entry(fact.case.to_string()).or_insert(0) += 1;
    }
    let each_once = (1..=450).map(|number| (format!("booking/{number}"), 1)).collect::<BTreeMap<_, _>>();
    assert_eq!(canceled, each_once, "each booking of the closed clinic says so once, in its own case");
    assert_eq!(rig.get("/bookings", 1).await["reason"], "patient");
    assert_eq!(rig.get("/bookings", 450).await["reason"], "closed");
    assert_eq!(rig.get("/bookings", 451).await["status"], "Booked");
}

#[tokio::test(start_paused = true)]
async fn a_fact_reaches_every_case_under_a_key_page_by_page() {
    let rig = Rig::up(booking::Settings::default()).await;
    let (closing, staying) = crowded(&rig).await;
    rig.put("/clinics", closing, "close").await.unwrap();
    everybody_was_told_once(&rig, closing, staying).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_the_middle_of_every_goes_on_where_it_was() {
    for after in [1, 100, 199, 200, 201, 300, 449] {
        let mut rig = Rig::up(booking::Settings::default()).await;
        let (closing, staying) = crowded(&rig).await;
        rig.kill("booking");
        rig.sync = Some(Duration::from_millis(3));
        rig.start("booking").await;
        rig.put("/clinics", closing, "close").await.unwrap();
        let canceled = async || {
            let facts = rig.facts("booking").await;
            (facts.iter().filter(|fact| &*fact.name == "Canceled").count() > after).then_some(())
        };
        until("some are told", canceled).await;
        rig.kill("booking");
        rig.start("booking").await;
        everybody_was_told_once(&rig, closing, staying).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_two_publishers_say_to_everybody_is_heard_of_both() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    let (first, second) = (rig.clinic(600).await, rig.clinic(600).await);
    for _ in 0..450 {
        rig.book(first).await.unwrap();
    }
    // stopped, so that all of it is there at once when it comes back
    rig.stop("booking").await;
    for (clinic, word) in [(first, "a"), (first, "b"), (second, "c"), (first, "d")] {
        rig.patch("/clinics", clinic, json!({ "word": word })).await.unwrap();
    }
    rig.start("booking").await;
    for number in 1..=450 {
        let heard = async || rig.get("/bookings", number).await["heard"].as_array().unwrap().len();
        until_is("all that was said is heard", 4, heard).await;
        let heard = rig.get("/bookings", number).await["heard"].clone();
        let of_first: Vec<_> = heard.as_array().unwrap().iter().filter(|word| *word != "c").cloned().collect();
        assert_eq!(of_first, ["a", "b", "d"], "of one publisher in order, at booking {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_publisher_says_first_reaches_everybody_before_what_it_says_next() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    let (first, second) = (rig.clinic(600).await, rig.clinic(600).await);
    for clinic in [[first; 420].as_slice(), &[second; 30]].concat() {
        rig.book(clinic).await.unwrap();
    }
    rig.stop("booking").await;
    rig.sync = Some(Duration::from_millis(2)); // time passes between the pages
    rig.patch("/clinics", first, json!({ "word": "to all" })).await.unwrap();
    // far down the list of the one before, and at the top of its own
    rig.patch("/clinics", first, json!({ "word": "to few", "to": second })).await.unwrap();
    rig.start("booking").await;
    for number in 421..=450 {
        let heard = async || rig.get("/bookings", number).await["heard"].clone();
        until_is("both are heard in order", json!(["to all", "to few"]), heard).await;
    }
}
