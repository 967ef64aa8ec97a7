//! The story of a case, and how a context stands: what an operator sees.
use super::{rig::*, toys::booking};
use crate::story::{Happened, Kind, Story};
use jumun_model::Case;
use serde_json::{Value, json};
use std::time::Duration;

async fn told(rig: &Rig, number: u64) -> Story {
    let case = Case::new("booking", number);
    let mut parts = Vec::new();
    // in no order that would help
    for name in ["page", "diary", "clinic", "booking"] {
        parts.push(rig.running(name).story(&case).await.unwrap());
    }
    Story::told_by(case, parts)
}
fn line(happened: &Happened) -> String {
    let Happened { context, name, .. } = happened;
    match &happened.what {
        Kind::Fact { .. } => format!("{context} says {name}"),
        Kind::Ask { to, outcome, .. } => format!("{context} asks {to} {name}: {outcome}"),
        Kind::Refusal { code } => format!("{context} refuses {name}: {code}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_story_is_told_from_all_contexts_with_causes_first() {
    let rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(1).await;
    rig.book(clinic).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    rig.put("/bookings", 1, "cancel").await.unwrap();
    rig.patch("/bookings", 1, json!({ "Book": 5 })).await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(1)).await;

    let story = told(&rig, 1).await;
    let lines: Vec<_> = story.happened.iter().map(line).filter(|line| !line.starts_with("diary")).collect();
    let all = [
        "booking says Requested",
        "booking asks clinic take: answered",
        "clinic says SeatTaken",
        "booking says Booked",
        "booking refuses Book: over",
        "booking says Canceled",
        "clinic says SeatGivenBack",
    ];
    assert_eq!(lines[..4], all[..4]);
    let mut rest = lines[4..].to_vec();
    rest.sort(); // refused and given back within the same moment, and neither led to the other
    assert_eq!(rest, all[4..]);
    let why = |name: &str| story.happened.iter().find(|happened| happened.name == name).and_then(|it| it.because.clone());
    assert_eq!(why("take").as_deref(), Some("booking/booking/1@1"));
    assert_eq!(why("SeatTaken").as_deref(), Some("booking/1/take@1"));
    assert_eq!(why("Booked").as_deref(), Some("booking/1/take@1"));
    assert_eq!(why("SeatGivenBack").as_deref(), Some("booking/booking/1@3"));
    let states: Vec<_> = story.states.iter().map(|it| (&*it.context, it.number, it.state.clone())).collect();
    assert!(states.contains(&("clinic", clinic, json!("GivenBack"))), "what it holds of a pool: {states:?}");
    let booking = states.iter().find(|(context, ..)| *context == "booking").map(|(.., state)| state["status"].clone());
    assert_eq!(booking, Some(json!("Canceled")));
    assert!(told(&rig, 2).await.is_unknown());
}

#[tokio::test(start_paused = true)]
async fn of_one_moment_what_was_answered_comes_before_what_the_answer_led_to() {
    let rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(1).await;
    rig.book(clinic).await.unwrap();
    let mut story = told(&rig, 1).await;
    story.happened.retain(|happened| happened.context != "diary");
    let moment = story.happened[0].at;
    story.happened.iter_mut().for_each(|happened| happened.at = moment);
    let told = ["booking says Requested", "booking asks clinic take: answered", "clinic says SeatTaken", "booking says Booked"];
    for turn in 0..told.len() {
        story.happened.rotate_left(turn);
        story.happened.reverse();
        let again = Story::told_by(story.case.clone(), [story.clone()]);
        assert_eq!(again.happened.iter().map(line).collect::<Vec<_>>(), told);
    }
}

#[tokio::test(start_paused = true)]
async fn a_story_says_what_is_owed_and_what_is_set_aside() {
    let hour = Duration::from_secs(3600);
    let rig = Rig::up(booking::Settings { give_up: Some(hour), ..booking::Settings::default() }).await;
    let clinic = rig.clinic(1).await;
    rig.wire.is(Line::Silent);
    rig.book(clinic).await.unwrap();
    rig.patch("/bookings", 1, json!({ "Add": 13 })).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let story = told(&rig, 1).await;
    let tries = story.happened.iter().filter(|it| line(it) == "booking asks clinic take: unknown").count();
    let [take, give_up] = &story.waiting[..] else { panic!("{:?}", story.waiting) };
    assert_eq!((&*take.step, take.to.as_deref(), take.maybe_sent), ("take", Some("clinic"), true));
    assert!(tries >= 3 && (tries..=tries + 1).contains(&(take.tries as usize)), "{tries} tries, {take:?}");
    assert_eq!((&*give_up.step, &give_up.to, give_up.due), ("GiveUp", &None, jumun_model::Timestamp::EPOCH + hour));
    let [aside] = &story.aside[..] else { panic!("{:?}", story.aside) };
    assert_eq!((&*aside.context, &*aside.reaction, &*aside.fact, aside.number), ("diary", "WriteDown", "Added", 1));

    let stand = rig.running("booking").stand().await.unwrap();
    let [bookings] = &stand.aggregates[..] else { panic!("{stand:?}") };
    assert_eq!((bookings.name, bookings.collection, bookings.documents), ("booking", Some("/bookings"), Some(1)));
    assert_eq!((stand.owed.map(|owed| owed.owing), stand.breakers[0].to), (Some(1), "clinic"));
    assert_eq!(rig.running("diary").stand().await.unwrap().aside, Some(1));
    assert!(stand.lag.iter().all(|lag| lag.behind == 0), "{:?}", stand.lag);
}

#[tokio::test(start_paused = true)]
async fn a_story_keeps_its_form_on_the_wire() {
    let rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(1).await;
    rig.book(clinic).await.unwrap();
    let story = told(&rig, 1).await;
    let wire = serde_json::to_value(&story).unwrap();
    assert_eq!(serde_json::from_value::<Story>(wire.clone()).unwrap(), story);
    let first = json!({
        "at": "1970-01-01T00:00:00.000Z", "context": "booking", "name": "Requested", "by": "someone", "because": null, "what": "fact",
        "number": 1, "id": "booking/booking/1@1", "public": true, "body": { "eventType": "Requested", "clinicId": clinic }
    });
    assert_eq!((&wire["case"], &wire["happened"][0]), (&json!("booking/1"), &first));
    let ask = wire["happened"].as_array().unwrap().iter().find(|it| it["what"] == "ask").unwrap();
    assert_eq!(
        (&ask["name"], &ask["to"], &ask["outcome"], &ask["by"]),
        (&json!("take"), &json!("clinic"), &json!("answered"), &Value::Null)
    );
}
