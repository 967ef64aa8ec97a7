//! Policies: each fact once, each case in order, and one that can not be taken in holds up its own case only.
use super::{rig::*, toys::booking};
use jumun_store::{Change, Position, Store};
use serde_json::{Value, json};
use std::time::Duration;

async fn lines(rig: &Rig, number: u64) -> Value {
    rig.get("/diaries", number).await["lines"].clone()
}
async fn add(rig: &Rig, number: u64, n: u64) {
    rig.patch("/bookings", number, json!({ "Add": n })).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_fact_delivered_twice_is_taken_once() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(3).await;
    rig.book(clinic).await.unwrap();
    for n in [1, 2, 3] {
        add(&rig, 1, n).await;
    }
    let all = json!(["Requested", "Booked", "Added 1", "Added 2", "Added 3"]);
    until_is("it is written down", all.clone(), async || lines(&rig, 1).await).await;
    for seq in [0, 1, 4] {
        let id = if seq == 0 { String::new() } else { format!("booking/booking/1@{seq}") };
        let position = ("WriteDown".to_owned(), "booking".to_owned(), Position { seq, id });
        rig.store("diary").commit(Change { positions: vec![position], ..Change::default() }).durably().await.unwrap();
        rig.kill("diary");
        rig.start("diary").await;
        until_is("it is read again", 5, async || {
            rig.store("diary").position("WriteDown", "booking").await.unwrap().map_or(0, |position| position.seq)
        })
        .await;
        assert_eq!(lines(&rig, 1).await, all);
    }
    add(&rig, 1, 4).await;
    until("the next is taken", async || lines(&rig, 1).await.as_array().filter(|lines| lines.len() == 6).map(drop)).await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_begins_now_misses_nothing_of_what_is_said_from_then_on() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(3).await;
    rig.book(clinic).await.unwrap();
    add(&rig, 1, 1).await;
    rig.sync = Some(Duration::from_millis(3));
    rig.start("gazette").await;
    let began = async || rig.store("gazette").position("Print", "booking").await.unwrap();
    until("it begins", began).await;
    add(&rig, 1, 2).await;
    rig.kill("gazette"); // it has read that, and nothing of it is durable
    rig.start("gazette").await;
    add(&rig, 1, 4).await;
    until_is("what was said since is printed", json!([2, 4]), async || rig.get("/gazettes", 1).await["news"].clone()).await;
}

#[tokio::test(start_paused = true)]
async fn crashes_at_any_time_write_nothing_twice_and_leave_nothing_out() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(99).await;
    rig.kill("diary");
    rig.sync = Some(Duration::from_millis(3));
    rig.start("diary").await;
    for number in 1..=20 {
        rig.book(clinic).await.unwrap();
        for n in 0..number % 5 {
            add(&rig, number, n + 1).await;
        }
        tokio::time::sleep(Duration::from_millis(number % 7)).await;
        rig.kill("diary");
        rig.start("diary").await;
    }
    for number in 1..=20 {
        let mut all = vec!["Requested".to_owned(), "Booked".to_owned()];
        all.extend((0..number % 5).map(|n| format!("Added {}", n + 1)));
        until_is("all of it is written down once", json!(all), async || lines(&rig, number).await).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_panics_sets_aside_its_own_case_only_and_later_facts_of_it_in_order() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(9).await;
    for _ in 0..2 {
        rig.book(clinic).await.unwrap();
    }
    for n in [1, 13, 2, 3] {
        add(&rig, 1, n).await;
        add(&rig, 2, n + 100).await;
    }
    let others = json!(["Requested", "Booked", "Added 101", "Added 113", "Added 102", "Added 103"]);
    until_is("the other case goes on", others, async || lines(&rig, 2).await).await;
    let parked = |wanted: &'static [&'static str]| {
        let store = rig.store("diary").clone();
        async move {
            until_is("it is set aside, and what comes behind it", wanted.to_vec(), async || {
                let asides = store.asides().await.unwrap();
                let bodies = asides.iter().map(|aside| (aside.fact.body.to_string(), aside.reader.clone()));
                bodies
                    .map(|(body, reader)| {
                        assert_eq!(reader, "WriteDown");
                        *wanted.iter().find(|wanted| body.contains(&format!("\"n\":{wanted}}}"))).unwrap_or(&"something else")
                    })
                    .collect::<Vec<_>>()
            })
            .await;
        }
    };
    parked(&["13", "2", "3"]).await;
    // after a restart they still wait, and so does what comes later
    rig.kill("diary");
    rig.start("diary").await;
    add(&rig, 1, 4).await;
    add(&rig, 2, 104).await;
    let store = rig.store("diary").clone();
    until_is("it waits behind the others", 4, async || store.asides().await.unwrap().len()).await;
    assert_eq!(lines(&rig, 1).await, json!(["Requested", "Booked", "Added 1"]));
    until("the other case goes on", async || lines(&rig, 2).await.as_array().filter(|lines| lines.len() == 7).map(drop)).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_tried_until_it_does() {
    let rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(9).await;
    rig.store("diary").refuse(12);
    rig.book(clinic).await.unwrap();
    until_is("it is written down", json!(["Requested", "Booked"]), async || lines(&rig, 1).await).await;
    assert_eq!(rig.store("diary").asides().await.unwrap().len(), 0);
}
