//! What is owed: tried until answered, given up in time, lost by no crash.
use super::{rig::*, toys::booking};
use crate::{
    Settings,
    door::{Reply, Verb},
};
use jumun_model::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
fn booking(rig: &Rig, clinic: u64) -> tokio::task::JoinHandle<Result<Reply, crate::door::Problem>> {
    tokio::spawn(rig.calling("/bookings", Verb::Open, call(None, json!({ "clinicId": clinic }))))
}
async fn status(rig: &Rig, number: u64) -> Value {
    rig.get("/bookings", number).await["status"].clone()
}

#[tokio::test(start_paused = true)]
async fn an_ask_is_tried_under_one_key_with_growing_pauses_until_it_is_answered() {
    let rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(3).await;
    rig.wire.is(Line::Swallowed); // it is done each time, but nobody hears of it
    assert!(matches!(rig.book(clinic).await, Ok(Reply::NotYet(_))));
    until("six tries", async || (rig.wire.sent().len() == 6).then_some(())).await;
    rig.wire.is(Line::Through);
    until_is("it is answered", json!("Booked"), async || status(&rig, 1).await).await;
    let sent = rig.wire.sent();
    assert!(sent.iter().all(|(_, key)| key == "booking/1/take@1"), "{sent:?}");
    // a try takes a second, then a pause of at most 200 ms · 2^n
    for (n, two) in sent.windows(2).enumerate().take(5) {
        let pause = two[1].0.since(two[0].0);
        assert!((ms(1000)..=ms(1010 + (200 << n))).contains(&pause), "{n}: {pause:?}");
    }
    let pauses: Duration = sent.windows(2).map(|two| two[1].0.since(two[0].0).saturating_sub(ms(1000))).sum();
    assert!(pauses >= ms(500), "they do pause: {pauses:?} in all");
    let seats: Vec<_> = rig.facts("clinic").await.into_iter().filter(|fact| &*fact.name == "SeatTaken").collect();
    assert_eq!((seats.len(), rig.get("/clinics", clinic).await["left"].clone()), (1, json!(2)), "asked often, taken once");
}

#[tokio::test(start_paused = true)]
async fn what_surely_was_not_sent_can_be_given_up_at_once() {
    let rig = Rig::up(booking::Settings { if_not_sent: true, ..booking::Settings::default() }).await;
    let clinic = rig.clinic(3).await;
    rig.wire.is(Line::Refused);
    assert_eq!(rig.book(clinic).await.unwrap_err().code, "rejected");
    assert_eq!((rig.get("/bookings", 1).await["reason"].clone(), rig.now()), (json!("not-sent"), Timestamp::EPOCH));
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_try_may_have_sent_is_not_taken_for_not_sent() {
    for first in [Line::Silent, Line::Swallowed] {
        let rig = Rig::up(booking::Settings { if_not_sent: true, ..booking::Settings::default() }).await;
        let clinic = rig.clinic(3).await;
        rig.wire.is(first);
        let waits = booking(&rig, clinic);
        until("it is sent", async || rig.wire.sent().pop()).await;
        rig.wire.is(Line::Refused);
        assert!(matches!(waits.await.unwrap(), Ok(Reply::NotYet(_))));
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(status(&rig, 1).await, "Requested");
        rig.wire.is(Line::Through);
        until_is("it is answered at last", json!("Booked"), async || status(&rig, 1).await).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_intent_and_ask_loses_no_ask_and_may_have_sent_it() {
    let mut rig = Rig::up(booking::Settings { if_not_sent: true, ..booking::Settings::default() }).await;
    let clinic = rig.clinic(3).await;
    rig.wire.is(Line::Silent);
    let waits = booking(&rig, clinic);
    until("it is sent", async || rig.wire.sent().pop()).await;
    rig.kill("booking");
    waits.abort(); // the process that was to answer is gone
    rig.wire.is(Line::Refused);
    rig.start("booking").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(status(&rig, 1).await, "Requested", "the try that died may have been sent");
    rig.wire.is(Line::Through);
    until_is("it is carried out", json!("Booked"), async || status(&rig, 1).await).await;
    assert!(rig.wire.sent().iter().all(|(_, key)| key == "booking/1/take@1"));
}

#[tokio::test(start_paused = true)]
async fn an_ask_that_nobody_began_is_begun_after_a_restart() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(3).await;
    rig.kill("booking");
    rig.sync = Some(ms(10));
    rig.start("booking").await;
    let waits = booking(&rig, clinic);
    // whoever called is gone before the intent is durable, and the process right after
    tokio::time::sleep(ms(5)).await;
    waits.abort();
    until_is("the intent is durable", 1, async || rig.facts("booking").await.len()).await;
    rig.kill("booking");
    assert_eq!(rig.wire.sent(), []);
    let began = rig.now();
    rig.start("booking").await;
    until_is("it is carried out", json!("Booked"), async || status(&rig, 1).await).await;
    assert!(rig.now().since(began) < ms(100), "the lease of the dead is nobody's");
}

#[tokio::test(start_paused = true)]
async fn a_moment_rings_at_its_time_also_after_a_restart() {
    let hour = Duration::from_secs(3600);
    let mut rig = Rig::up(booking::Settings { remind: Some(hour), ..booking::Settings::default() }).await;
    let clinic = rig.clinic(3).await;
    for _ in 0..2 {
        rig.book(clinic).await.unwrap();
        tokio::time::sleep(ms(700)).await;
    }
    tokio::time::sleep(hour / 2).await;
    rig.kill("booking");
    rig.start("booking").await;
    tokio::time::sleep(hour).await;
    for number in [1, 2] {
        let booking = rig.get("/bookings", number).await;
        let [since, reminded] = ["since", "reminded"].map(|field| booking[field].as_str().unwrap().parse::<Timestamp>().unwrap());
        let late = reminded.since(since + hour);
        assert!(reminded >= since + hour && late <= ms(2), "booking {number} is reminded {late:?} late");
    }
}

#[tokio::test(start_paused = true)]
async fn giving_up_comes_at_its_time_whatever_is_under_way() {
    // (what the line does, when it is given up): while a try is under way, and while the breaker keeps asks back
    for (line, after) in [(Line::Silent, ms(1500)), (Line::Swallowed, ms(1700)), (Line::Refused, ms(1500))] {
        let rig = Rig::up(booking::Settings { give_up: Some(after), ..booking::Settings::default() }).await;
        let clinic = rig.clinic(99).await;
        rig.wire.is(line);
        for number in 1..=40 {
            let began = rig.now();
            assert_eq!(
                rig.book(clinic).await.unwrap_err().code,
                "rejected",
                "{line:?} {number}: it is given up before the door is"
            );
            let took = rig.now().since(began);
            assert!(took >= after && took <= after + ms(2), "{line:?} {number}: given up after {took:?}");
        }
        rig.wire.is(Line::Through);
        until_is("what was taken is given back", json!(99), async || rig.get("/clinics", clinic).await["left"].clone()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_document_that_panics_keeps_nobody_else_from_what_is_due() {
    let rig = Rig::up(booking::Settings { remind: Some(Duration::from_secs(60)), ..booking::Settings::default() }).await;
    let clinic = rig.clinic(3).await;
    for _ in 0..2 {
        rig.book(clinic).await.unwrap();
    }
    rig.patch("/bookings", 1, json!({ "Hear": "deaf" })).await.unwrap();
    until("the other is reminded", async || rig.get("/bookings", 2).await["reminded"].as_str().map(drop)).await;
    assert_eq!(rig.get("/bookings", 1).await["reminded"], Value::Null);
    assert!(matches!(rig.book(clinic).await, Ok(Reply::Opened(_))));
    until("so is a later one", async || rig.get("/bookings", 3).await["reminded"].as_str().map(drop)).await;
}

#[tokio::test(start_paused = true)]
async fn a_backlog_does_not_stampede_when_whoever_is_asked_comes_back() {
    const PENDING: u64 = 400;
    // pauses so short that all of them are due the moment the breaker closes
    let backoff = jumun_resilience::Backoff { first: ms(1), most: ms(20) };
    let settings = Settings { backoff, ..Settings::default() };
    let mut rig = Rig::stopped(booking::Settings { give_up: None, ..booking::Settings::default() }, settings);
    rig.start("clinic").await;
    rig.start("booking").await;
    let clinic = rig.clinic(PENDING).await;
    rig.wire.is(Line::Refused);
    for asked in (0..PENDING).map(|_| booking(&rig, clinic)).collect::<Vec<_>>() {
        assert!(matches!(asked.await, Ok(Ok(Reply::NotYet(_)))));
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(rig.wire.sent(), [], "nobody was there to take it");
    let answer = ms(100);
    rig.wire.is(Line::Slow(answer));
    until_is("all are booked", json!(0), async || rig.get("/clinics", clinic).await["left"].clone()).await;
    let sent: Vec<_> = rig.wire.sent().into_iter().map(|(at, _)| at).collect();
    let under_way = |at: Timestamp| sent.iter().filter(|&&other| other <= at && at.since(other) < answer).count();
    let most = sent.iter().map(|&at| under_way(at)).max();
    assert!(most.is_some_and(|most| most <= Settings::default().sweepers), "{most:?} at once");
    assert!(sent.iter().filter(|&&at| at < sent[0] + answer).count() <= 3, "the first are trials");
    assert_eq!(sent.len() as u64, PENDING, "each once");
}
