//! What is set aside: it blocks later facts of its case for that reader alone, and a person lets them go on, in order.
use super::{
    rig::*,
    toys::{booking, mend},
};
use crate::shelf::{Resumed, Stays};
use jumun_store::{Change, Position, Store};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use std::time::Duration;

async fn lines(rig: &Rig, number: u64) -> Value {
    rig.get("/diaries", number).await["lines"].clone()
}
async fn add(rig: &Rig, number: u64, n: u64) {
    rig.patch("/bookings", number, json!({ "Add": n })).await.unwrap();
}
async fn heard(rig: &Rig, number: u64) -> Value {
    rig.get("/bookings", number).await["heard"].clone()
}
async fn board(rig: &Rig, number: u64) -> (Value, Value, Value) {
    let row = rig.get("/board", number).await;
    (row["status"].clone(), row["seat"].clone(), row["facts"].clone())
}
async fn say(rig: &Rig, clinic: u64, word: &str) {
    rig.patch("/clinics", clinic, json!({ "word": word })).await.unwrap();
}
/// What is set aside there, by number and fact, once it is so many.
async fn asides(rig: &Rig, context: &'static str, count: usize) -> Vec<(u64, String)> {
    until("they are set aside", async || {
        let mut asides = rig.store(context).asides().await.unwrap();
        asides.sort_by_key(|aside| aside.fact.seq);
        let named = || asides.iter().map(|aside| (aside.number, aside.fact.id())).collect();
        (asides.len() == count).then(named)
    })
    .await
}
/// Two booked patients, the first with so many numbers added.
async fn booked(rig: &Rig, adding: &[u64]) -> u64 {
    let clinic = rig.clinic(9).await;
    for _ in 0..2 {
        rig.book(clinic).await.unwrap();
    }
    for &n in adding {
        add(rig, 1, n).await;
        add(rig, 2, n + 100).await;
    }
    clinic
}

#[tokio::test(start_paused = true)]
async fn a_retry_takes_in_what_was_set_aside_and_then_what_waits_behind_it_in_order() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    booked(&rig, &[1, 13, 2, 3]).await;
    let parked = asides(&rig, "diary", 3).await;
    let [first, second, _] = [0, 1, 2].map(|index| parked[index].0);
    let diary = rig.running("diary");
    assert_eq!(diary.retry(99).await, Err(Stays::Unknown(99)));
    assert_eq!(diary.retry(second).await, Err(Stays::Behind(first)));
    assert_eq!(diary.retry(first).await, Err(Stays::Still("taking it in panicked".to_owned())));
    assert_eq!(asides(&rig, "diary", 3).await, parked, "it keeps its place");
    mend();
    rig.kill("diary"); // mended by a new version
    rig.start("diary").await;
    assert_eq!(rig.running("diary").retry(first).await, Ok(Resumed { taken: 3, left: 0 }));
    add(&rig, 1, 4).await;
    let all = json!(["Requested", "Booked", "Added 1", "Added 13", "Added 2", "Added 3", "Added 4"]);
    until_is("it goes on", all, async || lines(&rig, 1).await).await;
    assert_eq!(asides(&rig, "diary", 0).await, []);
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_is_never_taken_in_and_what_waits_behind_it_is() {
    let rig = Rig::up(booking::Settings::default()).await;
    booked(&rig, &[13, 2, 13, 3, 4]).await;
    let parked = asides(&rig, "diary", 5).await;
    let diary = rig.running("diary");
    assert_eq!(diary.let_go(parked[3].0).await, Ok(Resumed { taken: 0, left: 0 }), "one that waits is struck out");
    assert_eq!(diary.let_go(parked[0].0).await, Ok(Resumed { taken: 1, left: 2 }), "up to the next that can not be taken in");
    add(&rig, 1, 5).await;
    assert_eq!(asides(&rig, "diary", 3).await.len(), 3, "what comes later still waits");
    assert_eq!(diary.let_go(parked[2].0).await, Ok(Resumed { taken: 2, left: 0 }));
    let all = json!(["Requested", "Booked", "Added 2", "Added 4", "Added 5"]);
    until_is("the rest is written down", all, async || lines(&rig, 1).await).await;
    assert_eq!(asides(&rig, "diary", 0).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_context_at_rest_can_be_mended() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    booked(&rig, &[13, 2]).await;
    let first = asides(&rig, "diary", 2).await[0].0;
    rig.stop("diary").await;
    mend();
    rig.rest("diary");
    assert_eq!(rig.running("diary").retry(first).await, Ok(Resumed { taken: 2, left: 0 }));
    rig.stop("diary").await;
    rig.start("diary").await;
    add(&rig, 1, 4).await;
    let all = json!(["Requested", "Booked", "Added 13", "Added 2", "Added 4"]);
    until_is("it goes on from there", all, async || lines(&rig, 1).await).await;
}

#[tokio::test(start_paused = true)]
async fn a_view_parks_the_later_facts_of_a_case_that_it_stumbled_over() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    booked(&rig, &[17]).await;
    rig.put("/bookings", 1, "cancel").await.unwrap();
    rig.put("/bookings", 2, "cancel").await.unwrap();
    let parked = asides(&rig, "page", 2).await;
    assert_eq!(parked.iter().map(|(_, id)| &**id).collect::<Vec<_>>(), ["booking/booking/1@3", "booking/booking/1@4"]);
    until_is("the other goes on", (json!("Canceled"), json!("SeatGivenBack"), json!(6)), async || board(&rig, 2).await).await;
    // nothing is in order between publishers, so what the clinic says of it is shown
    until_is("it waits", (json!("Booked"), json!("SeatGivenBack"), json!(4)), async || board(&rig, 1).await).await;
    mend();
    rig.kill("page");
    rig.start("page").await;
    rig.patch("/bookings", 1, json!({ "Add": 5 })).await.unwrap();
    let first = asides(&rig, "page", 3).await[0].0;
    assert_eq!(rig.running("page").retry(first).await, Ok(Resumed { taken: 3, left: 0 }));
    let row = rig.get("/board", 1).await;
    assert_eq!((&row["status"], &row["facts"]), (&json!("Canceled"), &json!(7)), "each fact once, in order");
    assert_eq!(asides(&rig, "page", 0).await, []);
}

#[tokio::test(start_paused = true)]
async fn what_is_said_to_everybody_waits_behind_what_somebody_could_not_hear() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    let (clinic, other) = (rig.clinic(999).await, rig.clinic(9).await);
    for _ in 0..230 {
        rig.book(clinic).await.unwrap(); // more than a page of them
    }
    add(&rig, 2, 66).await;
    rig.stop("booking").await; // so that all of it is begun before any of it is heard
    for (clinic, word) in [(clinic, "a"), (clinic, "b"), (other, "c")] {
        say(&rig, clinic, word).await;
    }
    rig.start("booking").await;
    // the other clinic's word is of another case: but the one who hears nothing sets that aside too
    assert_eq!(asides(&rig, "booking", 3).await.len(), 3);
    for number in [1, 3, 230] {
        until_is("the others hear", json!(["a", "c"]), async || heard(&rig, number).await).await;
    }
    say(&rig, clinic, "d").await;
    let parked = asides(&rig, "booking", 4).await;
    assert_eq!((heard(&rig, 1).await, heard(&rig, 2).await), (json!(["a", "c"]), json!([])));
    mend();
    rig.kill("booking");
    rig.start("booking").await;
    assert_eq!(rig.running("booking").retry(parked[0].0).await, Ok(Resumed { taken: 3, left: 0 }), "a, b and d");
    assert_eq!(rig.running("booking").retry(parked[2].0).await, Ok(Resumed { taken: 1, left: 0 }), "c");
    assert_eq!(
        (heard(&rig, 1).await, heard(&rig, 2).await),
        (json!(["a", "c", "b", "d"]), json!(["a", "b", "d", "c"])),
        "each once, in order"
    );
    assert_eq!(heard(&rig, 230).await, json!(["a", "c", "b", "d"]));
    say(&rig, clinic, "e").await;
    until_is("it goes on", json!(["a", "b", "d", "c", "e"]), async || heard(&rig, 2).await).await;
}

#[tokio::test(start_paused = true)]
async fn a_view_notices_that_a_journal_was_restored_from_an_older_copy() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    booked(&rig, &[]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let recorder = PrometheusBuilder::new().build_recorder();
    let (handle, _guard) = (recorder.handle(), metrics::set_default_local_recorder(&recorder));
    for (seq, id, complaints) in [(2, "booking/booking/1@2", 0), (2, "booking/booking/7@1", 1), (99, "booking/booking/7@1", 2)] {
        let position = ("board".to_owned(), "booking".to_owned(), Position { seq, id: id.to_owned() });
        rig.store("page").commit(Change { positions: vec![position], ..Change::default() }).durably().await.unwrap();
        rig.kill("page");
        rig.start("page").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let said =
            |metrics: String| metrics.contains(&format!(r#"jumun_defects_total{{context="page",what="log"}} {complaints}"#));
        assert!(complaints == 0 || said(handle.render()), "{seq} {id}: {}", handle.render());
        assert!(complaints > 0 || !handle.render().contains("jumun_defects_total"), "{}", handle.render());
    }
}
