//! Views: rows and positions are one write, and a view that is rebuilt is the view that was live.
use super::{rig::*, toys::booking};
use jumun_store::Store;
use serde_json::{Value, json};
use std::time::Duration;

async fn read_to_the_end(rig: &Rig) {
    for publisher in ["booking", "clinic"] {
        rig.has_read("page", "board", publisher).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_is_moved_by_each_fact_once_whatever_crashes_and_a_rebuilt_view_is_the_same() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(9).await;
    rig.kill("page");
    rig.sync = Some(Duration::from_millis(3));
    rig.start("page").await;
    for number in 1..=12 {
        let _ = rig.book(clinic).await;
        rig.patch("/bookings", number, json!({ "Add": 1 })).await.unwrap();
        if number % 3 == 0 {
            let _ = rig.put("/bookings", number, "cancel").await;
        }
        tokio::time::sleep(Duration::from_millis(number % 6)).await;
        rig.kill("page");
        rig.start("page").await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    read_to_the_end(&rig).await;
    let live = rig.rows("/board").await;
    assert_eq!(live.len(), 12);
    for row in &live {
        let case = format!("booking/{}", row["id"]);
        let (ours, theirs) = (rig.facts("booking").await, rig.facts("clinic").await);
        let facts = ours.iter().chain(&theirs).filter(|fact| fact.case.to_string() == case).count();
        assert_eq!(row["facts"], facts, "{row}");
    }
    assert_eq!((&live[0]["status"], &live[0]["seat"]), (&json!("Booked"), &json!("SeatTaken")));
    assert_eq!((&live[2]["status"], &live[2]["seat"]), (&json!("Canceled"), &json!("SeatGivenBack")));

    rig.kill("page");
    rig.wipe("page");
    rig.start("page").await;
    read_to_the_end(&rig).await;
    assert_eq!(rig.rows("/board").await, live);
}

#[tokio::test(start_paused = true)]
async fn a_fold_that_panics_sets_its_fact_aside_and_the_view_goes_on() {
    let rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(9).await;
    rig.book(clinic).await.unwrap();
    rig.patch("/bookings", 1, json!({ "Add": 17 })).await.unwrap();
    rig.book(clinic).await.unwrap();
    read_to_the_end(&rig).await;
    assert_eq!(rig.rows("/board").await.iter().map(|row| row["status"].clone()).collect::<Vec<Value>>(), ["Booked", "Booked"]);
    assert_eq!(rig.get("/board", 1).await["facts"], 3, "two of the booking and one of the clinic; nothing of what was set aside");
    assert_eq!(rig.store("page").asides().await.unwrap().len(), 1);
}
