//! A context comes and goes while the rest runs.
use super::{rig::*, toys::booking};
use crate::{
    door::{Reply, Verb},
    ports::Tasks,
};
use jumun_store::Store;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

#[tokio::test(start_paused = true)]
async fn to_stop_finishes_what_is_under_way() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(3).await;
    rig.wire.is(Line::Slow(Duration::from_millis(700)));
    let waits = tokio::spawn(rig.calling("/bookings", Verb::Open, call(None, json!({ "clinicId": clinic }))));
    until("the ask is under way", async || rig.wire.sent().pop()).await;
    let began = rig.now();
    rig.stop("booking").await;
    assert!(rig.now().since(began) <= Duration::from_millis(710));
    assert!(matches!(waits.await.unwrap(), Ok(Reply::Opened(_))), "whoever waited is answered");
    let left = rig.disk("booking");
    assert_eq!(said(&left.tail(0, 9).await.unwrap()), ["booking/1 Requested", "booking/1 Booked"]);
    assert_eq!(left.load("booking", 1).await.unwrap().unwrap().attempt, None);
}

#[tokio::test(start_paused = true)]
async fn while_one_is_stopped_the_others_go_on_and_it_catches_up() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(3).await;
    rig.stop("clinic").await;
    rig.stop("page").await;
    assert!(matches!(rig.book(clinic).await, Ok(Reply::NotYet(_))));
    let diary = async || rig.get("/diaries", 1).await["lines"].clone();
    until_is("the diary goes on", json!(["Requested"]), diary).await;
    rig.start("clinic").await;
    until_is("it is answered", json!("Booked"), async || rig.get("/bookings", 1).await["status"].clone()).await;
    rig.start("page").await;
    until_is("the page catches up", json!("Booked"), async || rig.get("/board", 1).await["status"].clone()).await;
    until_is("of both", json!("SeatTaken"), async || rig.get("/board", 1).await["seat"].clone()).await;
}

#[tokio::test(start_paused = true)]
async fn the_dead_begin_nothing() {
    let tasks = Tasks::default();
    let ran = Arc::new(AtomicBool::new(false));
    let run = || {
        let ran = Arc::clone(&ran);
        async move { ran.store(true, Ordering::SeqCst) }
    };
    tasks.spawn(run()); // spawned, but it has not begun yet
    tasks.kill();
    tasks.spawn(run());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!ran.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_life_knows_nothing_of_what_the_one_before_it_had_in_memory() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(3).await;
    rig.book(clinic).await.unwrap();
    rig.kill("booking");
    rig.sync = Some(Duration::from_millis(50));
    rig.start("booking").await;
    let lost = tokio::spawn(rig.calling("/bookings", Verb::Edit, call(Some(1), json!({ "Add": 5 }))));
    tokio::time::sleep(Duration::from_millis(10)).await;
    rig.kill("booking");
    rig.start("booking").await;
    rig.patch("/bookings", 1, json!({ "Add": 2 })).await.unwrap();
    assert!(lost.await.unwrap().is_err());
    let stored = rig.store("booking").load("booking", 1).await.unwrap().unwrap();
    assert_eq!(serde_json::from_str::<Value>(&stored.body).unwrap()["sum"], 2);
}
