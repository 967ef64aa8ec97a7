//! A hospital closes, and everybody who had a seat there is told.
use crate::ward::{Ward, screening};
use futures_util::future::{join, join_all};
use jumun_testkit::{Line, Town};
use serde_json::json;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn what_is_closed_stays_to_be_seen_and_whoever_had_a_seat_is_canceled_everywhere() {
    let ward = Ward::new().await;
    let (closing, staying) = (ward.hospital(3).await, ward.hospital(3).await);
    for (hospital, name) in [(closing, "MOON"), (closing, "JUNG"), (staying, "YOU")] {
        ward.screening(hospital, name).await;
    }
    ward.cancel(2).await;
    ward.settle().await;
    for _ in 0..2 {
        let closed = ward.close(closing).await;
        assert_eq!((closed.status, &closed.body["closed"], closed.links()), (200, &json!(true), vec![]));
        ward.settle().await;
    }
    for (number, status) in [(1, "FORCE_CANCELED"), (2, "CANCELED"), (3, "REQUEST_COMPLETED")] {
        for rows in ["/screenings", "/reservations", "/myPages"] {
            assert_eq!(ward.get(&format!("{rows}/{number}")).await.text("status"), status, "{rows}/{number}");
        }
    }
    assert_eq!((ward.seats(closing).await, ward.seats(staying).await), ((3, 3), (2, 3)));
    assert_eq!(ward.said("screening", 1).await, ["Requested", "RequestCompleted", "ForceCanceled"]);
    assert_eq!(ward.cancel(1).await.no(), (409, "force-canceled"));
    assert_eq!(ward.request(closing, "HAN").await.no(), (409, "hospital-closed"));
    assert_eq!(ward.write("PATCH", "/hospitals/1", json!({ "capacity": 9 })).await.no(), (409, "hospital-closed"));
    ward.adds_up().await;
}

#[tokio::test(start_paused = true)]
async fn the_link_closes_too() {
    let ward = Ward::new().await;
    let number = ward.hospital(1).await;
    ward.screening(number, "MOON").await;
    Town::shows(&ward.go("/hospitals", number, "close").await.body, &json!({ "closed": true }));
    assert_eq!(ward.status(1).await, "FORCE_CANCELED");
}

#[tokio::test(start_paused = true)]
async fn more_than_a_page_of_screenings_are_each_canceled_once_though_screening_dies_meanwhile() {
    let ward = Ward::new().await;
    let number = ward.hospital(450).await;
    for _ in 0..9 {
        let taken = join_all((0..50).map(|_| ward.request(number, "MOON"))).await;
        assert!(taken.iter().all(|answer| answer.status == 201));
    }
    ward.settle().await;
    ward.close(number).await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(2)).await;
        ward.kill("screening");
        ward.start("screening").await;
    }
    ward.adds_up().await;
    let canceled = ward.journal("screening").await.iter().filter(|fact| &*fact.name == "ForceCanceled").count();
    assert_eq!((canceled, ward.seats(number).await), (450, (450, 450)));
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_while_the_hospital_closes_has_no_seat_in_the_end_whichever_came_first() {
    let mut ways = std::collections::BTreeSet::new();
    for pause in 0..8 {
        let ward = Ward::new().await;
        let number = ward.hospital(5).await;
        let takes = Duration::from_millis(20);
        ward.line("hospital", if pause % 2 == 0 { Line::Late(takes) } else { Line::Slow(takes) });
        let requests = join_all((0..3).map(|_| ward.request(number, "MOON")));
        let closes = async {
            tokio::time::sleep(Duration::from_millis(pause * 4)).await;
            ward.close(number).await
        };
        let (requested, closed) = join(requests, closes).await;
        assert_eq!(closed.status, 200);
        ward.adds_up().await;
        assert_eq!(ward.seats(number).await, (5, 5), "after {pause}");
        for row in ward.all("/screenings").await {
            assert!(row["status"] == "FORCE_CANCELED" || row["reason"] == "closed", "after {pause}: {row}");
        }
        ways.extend(requested.iter().map(|answer| (answer.status, answer.text("code").to_owned())));
    }
    let told = |status, code: &str| ways.contains(&(status, code.to_owned()));
    assert!(told(201, "") && told(409, "force-canceled"), "both came first at times: {ways:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hospital_that_closes_while_screening_is_down_is_heard_of_when_it_is_back() {
    let ward = Ward::new().await;
    let number = ward.hospital(2).await;
    ward.screening(number, "MOON").await;
    ward.stop("screening").await;
    ward.close(number).await;
    ward.settle().await;
    assert_eq!(ward.seats(number).await, (1, 2), "nobody but screening says who is canceled");
    ward.start("screening").await;
    ward.until_said("screening", &screening(1), "ForceCanceled").await;
    ward.adds_up().await;
}
