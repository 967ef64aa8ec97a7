//! Commands: many on one document, groups that fail, answers that wait.
use super::{rig::*, toys::booking};
use crate::{
    Settings,
    door::{Call, Reply, Verb, Wrong},
};
use futures_util::future::join_all;
use jumun_store::{MemoryStore, Store};
use serde_json::{Value, json};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A booking without a clinic that answers, on a store that takes its time.
async fn lone(sync: Duration) -> Rig {
    let settings = Settings { door_deadline: Duration::ZERO, keys_live: 3 * HOUR, ..Settings::default() };
    let mut rig = Rig::stopped(booking::Settings::default(), settings);
    rig.sync = Some(sync);
    rig.wire.is(Line::Silent);
    rig.start("booking").await;
    assert!(matches!(rig.book(1).await, Ok(Reply::NotYet(_))));
    rig
}
fn adding(rig: &Rig, n: u64) -> impl Future<Output = Result<Reply, crate::door::Problem>> + Send + 'static {
    rig.calling("/bookings", Verb::Edit, call(Some(1), json!({ "Add": n })))
}

#[tokio::test(start_paused = true)]
async fn two_hundred_at_once_on_one_document_are_all_answered_and_the_sum_is_right() {
    let rig = lone(Duration::from_millis(10)).await;
    let began = rig.now();
    let all = join_all((1..=200).map(|n| tokio::spawn(adding(&rig, n)))).await;
    for one in all {
        one.unwrap().unwrap();
    }
    assert_eq!(rig.get("/bookings", 1).await["sum"], 200 * 201 / 2);
    let took = rig.now().since(began);
    assert!(took <= Duration::from_millis(40), "they share their groups, and took {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_fails_is_told_so_and_what_waits_behind_it_decides_again() {
    // the first of a burst makes a group of its own; what comes while it syncs makes the next
    for (refused, told) in [(1, 1), (2, 160)] {
        let rig = lone(Duration::from_millis(10)).await;
        rig.store("booking").refuse(refused);
        let mut waits = Vec::new();
        for n in 1..=200 {
            waits.push(tokio::spawn(adding(&rig, n)));
            if n % 40 == 0 {
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        }
        let (mut sum, mut failed) = (0, 0);
        for (n, one) in (1..=200).zip(join_all(waits).await) {
            match one.unwrap() {
                Ok(_) => sum += n,
                Err(problem) => {
                    assert_eq!(problem.code, "unavailable");
                    failed += 1;
                }
            }
        }
        assert_eq!(failed, told, "the refused groups are told so, and what was decided upon them is decided again");
        assert_eq!(rig.get("/bookings", 1).await["sum"], sum, "what was acknowledged is there, and nothing else");
        let facts = rig.facts("booking").await;
        let versions: Vec<_> = facts.iter().map(|fact| fact.version).collect();
        assert_eq!(versions, (1..=facts.len() as u64).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn every_answer_waits_until_what_it_was_read_from_is_durable() {
    let rig = lone(Duration::from_millis(100)).await;
    let began = rig.now();
    let waits = [
        ("a change", tokio::spawn(adding(&rig, 5))),
        ("an empty decision", tokio::spawn(adding(&rig, 0))),
        ("a refusal", tokio::spawn(rig.calling("/bookings", Verb::Edit, call(Some(1), json!({ "Book": 2 }))))),
        ("another version", {
            let call = Call { at_version: Some(77), ..call(Some(1), json!({ "Add": 1 })) };
            tokio::spawn(rig.calling("/bookings", Verb::Edit, call))
        }),
    ];
    tokio::task::yield_now().await;
    let read = rig.get("/bookings", 1).await;
    assert_eq!((read["sum"].clone(), rig.now().since(began)), (json!(5), Duration::from_millis(100)), "a read waits as well");
    for (what, wait) in waits {
        assert!(wait.is_finished() || rig.now().since(began) == Duration::from_millis(100));
        let _ = wait.await.unwrap();
        assert_eq!(rig.now().since(began), Duration::from_millis(100), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_durable_was_never_acknowledged() {
    let mut rig = lone(Duration::from_millis(100)).await;
    let add = tokio::spawn(adding(&rig, 5));
    let nothing = tokio::spawn(adding(&rig, 0));
    tokio::time::sleep(Duration::from_millis(50)).await;
    rig.kill("booking");
    assert_eq!(add.await.unwrap().unwrap_err().wrong, Wrong::Refused(jumun_model::Kind::Unavailable));
    assert_eq!(nothing.await.unwrap().unwrap_err().wrong, Wrong::Refused(jumun_model::Kind::Unavailable));
    rig.start("booking").await;
    assert_eq!(rig.get("/bookings", 1).await["sum"], 0);
}

#[tokio::test(start_paused = true)]
async fn two_at_once_with_one_key_are_one_case() {
    let rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(9).await;
    rig.wire.is(Line::Slow(Duration::from_millis(50)));
    let with_key = |body: Value| Call { key: Some("k".to_owned()), ..call(None, body) };
    let both = [0, 1].map(|_| tokio::spawn(rig.calling("/bookings", Verb::Open, with_key(json!({ "clinicId": clinic })))));
    for one in both {
        let Ok(Reply::Opened(shape)) = one.await.unwrap() else { panic!("each waits for the outcome") };
        assert_eq!((shape.number, &shape.body["status"]), (1, &json!("Booked")));
    }
    let again = rig.calling("/bookings", Verb::Open, with_key(json!({ "clinicId": clinic }))).await;
    assert_eq!(shape(again).number, 1);
    let other = rig.calling("/bookings", Verb::Open, with_key(json!({ "clinicId": 77 }))).await;
    assert_eq!(other.unwrap_err().wrong, Wrong::KeyReused);
    assert_eq!(rig.rows("/bookings").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reserved_number_that_somebody_chose_meanwhile_is_theirs_and_whoever_reserved_it_gets_another() {
    let rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(9).await;
    assert_eq!(shape(rig.book(clinic).await).number, 1);
    for key in [None, Some("k".to_owned())] {
        let before = rig.get("/bookings", 1).await;
        rig.store("booking").reserves(1);
        let opens = Call { key, ..call(None, json!({ "clinicId": clinic })) };
        let opened = shape(rig.calling("/bookings", Verb::Open, opens).await);
        assert!(opened.number > 1 && opened.body["status"] == "Booked", "{opened:?}");
        assert_eq!(rig.get("/bookings", 1).await, before);
    }
    assert_eq!(rig.rows("/bookings").await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_with_its_key_is_answered_even_at_a_version_that_is_gone() {
    let rig = lone(Duration::from_millis(1)).await;
    let add = || Call { key: Some("k".to_owned()), at_version: Some(1), ..call(Some(1), json!({ "Add": 5 })) };
    for _ in 0..2 {
        shape(rig.calling("/bookings", Verb::Edit, add()).await);
    }
    assert_eq!(rig.get("/bookings", 1).await["sum"], 5);
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_stumbles_halfway_leaves_nothing_behind() {
    let rig = lone(Duration::from_millis(1)).await;
    shape(adding(&rig, 5).await);
    let stumble = tokio::spawn(rig.calling("/bookings", Verb::Edit, call(Some(1), json!("Stumble"))));
    assert!(stumble.await.unwrap_err().is_panic());
    assert_eq!(rig.get("/bookings", 1).await["sum"], 5);
    shape(adding(&rig, 1).await);
    let stored = MemoryStore::load(rig.store("booking"), "booking", 1).await.unwrap().unwrap();
    assert_eq!(serde_json::from_str::<Value>(&stored.body).unwrap()["sum"], 6);
    assert_eq!(stored.version, rig.facts("booking").await.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn an_idempotency_key_is_free_again_once_its_time_is_over() {
    assert_eq!(Settings::default().keys_live, 7 * 24 * HOUR);
    let rig = lone(Duration::from_millis(1)).await;
    let add = || Call { key: Some("k".to_owned()), ..call(Some(1), json!({ "Add": 5 })) };
    shape(rig.calling("/bookings", Verb::Edit, add()).await);
    for (later, sum) in [(2 * HOUR, 5), (2 * HOUR, 10)] {
        tokio::time::sleep(later).await;
        shape(rig.calling("/bookings", Verb::Edit, add()).await);
        assert_eq!(rig.get("/bookings", 1).await["sum"], sum);
    }
}
