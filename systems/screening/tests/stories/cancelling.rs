//! A customer does not come after all, or comes under another name.
use crate::ward::{DATE, Ward, screening};
use futures_util::future::join;
use jumun_testkit::{Line, Town};
use serde_json::json;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn whoever_cancels_gives_the_seat_back_once_and_a_repeat_is_no_error() {
    for method in ["PATCH", "PUT"] {
        for word in ["CANCELED", "Canceled", "canceled"] {
            let ward = Ward::new().await;
            let number = ward.hospital(2).await;
            ward.screening(number, "MOON").await;
            for _ in 0..3 {
                let canceled = ward.write(method, "/screenings/1", json!({ "status": word })).await;
                assert_eq!((canceled.status, canceled.text("status")), (200, "CANCELED"), "{method} {word}");
                assert_eq!(canceled.links(), [""; 0]);
                ward.settle().await;
                assert_eq!(ward.seats(number).await, (2, 2));
            }
            assert_eq!(ward.said("screening", 1).await, ["Requested", "RequestCompleted", "Canceled"]);
            assert_eq!(ward.get("/reservations/1").await.text("status"), "CANCELED");
            assert_eq!(ward.get("/myPages/1").await.text("status"), "CANCELED");
            ward.adds_up().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_cancels_of_the_second_readme_mean_what_they_say_once_they_name_a_screening() {
    let ward = Ward::new().await;
    ward.hospital(2).await;
    ward.screening(1, "MOON").await;
    let wish =
        || json!({ "hospitalId": "1", "hospitalNm": "Samsung", "chkDate": "20200907", "custNm": "Moon44", "status": "Canceled" });
    // as printed it names none
    let refused = ward.write("PUT", "/screenings", wish()).await;
    assert_eq!((refused.no(), &*refused.allow), ((405, "no-such-method"), "GET, HEAD, POST"));
    let canceled = ward.write("PUT", "/screenings/1", wish()).await;
    assert_eq!((canceled.status, canceled.text("status"), canceled.text("custNm")), (200, "CANCELED", "MOON"));
    assert_eq!(ward.write("PUT", "/screenings/9", wish()).await.no(), (404, "unknown"));
    ward.adds_up().await;
}

#[tokio::test(start_paused = true)]
async fn the_link_cancels_too() {
    let ward = Ward::new().await;
    let number = ward.hospital(1).await;
    ward.screening(number, "MOON").await;
    assert_eq!(ward.go("/screenings", 1, "cancel").await.text("status"), "CANCELED");
    assert_eq!(ward.seats(number).await, (1, 1));
    assert_eq!(ward.put("/screenings/9/cancel").await.no(), (404, "unknown"));
}

#[tokio::test(start_paused = true)]
async fn no_other_status_can_be_wished_for() {
    let ward = Ward::new().await;
    let number = ward.hospital(1).await;
    ward.screening(number, "MOON").await;
    ward.request(number, "JUNG").await;
    for status in ["REQUESTED", "REQUEST_COMPLETED", "FORCE_CANCELED", "REJECTED", "", "Cancelled"] {
        for screening in [1, 2] {
            let refused = ward.edit(screening, json!({ "status": status })).await;
            assert_eq!((refused.no(), refused.text("field")), ((422, "not-a-wish"), "status"), "{status}");
        }
    }
    assert_eq!((ward.status(1).await, ward.status(2).await), ("REQUEST_COMPLETED".to_owned(), "REJECTED".to_owned()));
    assert_eq!(ward.cancel(2).await.no(), (409, "closed"));
    ward.adds_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_name_can_be_another_until_the_end_and_where_and_when_never() {
    let ward = Ward::new().await;
    let (number, _other) = (ward.hospital(2).await, ward.hospital(2).await);
    ward.screening(number, "MOON").await;
    let renamed = ward.edit(1, json!({ "custNm": "YOU", "hospitalId": 1, "chkDate": DATE })).await;
    assert_eq!((renamed.status, renamed.text("custNm"), renamed.text("status")), (200, "YOU", "REQUEST_COMPLETED"));
    for (body, field) in [
        (json!({ "hospitalId": 2 }), "hospitalId"),
        (json!({ "custNm": "HAN", "chkDate": "20200911" }), "chkDate"),
        (json!({ "custNm": " " }), "custNm"),
        (json!({ "hospitalId": "Samsung" }), "hospitalId"),
    ] {
        let refused = ward.edit(1, body).await;
        assert_eq!((refused.status, refused.text("field")), (422, field));
    }
    ward.settle().await;
    for row in ["/screenings/1", "/reservations/1", "/myPages/1"] {
        Town::shows(&ward.get(row).await.body, &json!({ "custNm": "YOU", "hospitalId": 1, "chkDate": DATE }));
    }
    ward.cancel(1).await;
    assert_eq!(ward.edit(1, json!({ "custNm": "HAN" })).await.no(), (409, "closed"));
    ward.adds_up().await;
    assert_eq!(ward.seats(number).await, (2, 2), "an edit of what is canceled gives no seat back again");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_comes_while_the_seat_is_awaited_wins_and_no_seat_is_kept() {
    for (line, said) in [
        (Line::Slow(Duration::from_millis(900)), &["SeatForgone"][..]),
        (Line::Late(Duration::from_millis(900)), &["SeatTaken", "SeatGivenBack"]),
        (Line::Lost, &["SeatForgone"]),
    ] {
        let ward = Ward::new().await;
        let number = ward.hospital(1).await;
        ward.line("hospital", line);
        let cancels = async {
            ward.until_said("screening", &screening(1), "Requested").await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            ward.cancel(1).await
        };
        let (requested, canceled) = join(ward.request(number, "MOON"), cancels).await;
        assert_eq!((requested.no(), canceled.status), ((409, "canceled"), 200), "{line:?}");
        ward.settle().await;
        tokio::time::sleep(Duration::from_secs(10)).await; // until what is on its way has come
        assert_eq!(ward.said("hospital", 1).await, said, "{line:?}");
        assert_eq!(ward.said("screening", 1).await, ["Requested", "Canceled"], "a late yes revives nothing");
        assert_eq!(ward.get("/reservations/1").await.status, 404);
        ward.adds_up().await;
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_hospital_is_down_a_cancel_is_taken_and_the_seat_comes_back_with_it() {
    let ward = Ward::new().await;
    let number = ward.hospital(1).await;
    ward.screening(number, "MOON").await;
    ward.kill("hospital");
    assert_eq!(ward.cancel(1).await.status, 200);
    ward.start("hospital").await;
    ward.adds_up().await;
    assert_eq!(ward.seats(number).await, (1, 1));
}
