//! A customer asks for a seat: there is one, there is none, or the hospital does not say.
use crate::ward::{DATE, Ward, screening};
use futures_util::future::{join, join_all};
use jumun_testkit::{Line, Town};
use serde_json::json;
use std::time::Duration;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
/// How long a request waits for its seat.
const WINDOW: Duration = ms(1_500);

#[tokio::test(start_paused = true)]
async fn a_request_stands_once_it_has_its_seat_and_is_in_the_book() {
    let ward = Ward::new().await;
    ward.hospital(2).await;
    // the customer's command of the second README, to the letter
    let wish =
        json!({ "hospitalId": "1", "hospitalNm": "Samsung", "custNm": "MOON", "chkDate": "20200910", "status": "REQUESTED" });
    let completed = ward.write("POST", "/screenings", wish).await;
    assert_eq!((completed.status, &*completed.location), (201, "http://screening:8080/screenings/1"));
    let visit = json!({ "hospitalId": 1, "hospitalNm": "Samsung", "chkDate": "20200910", "custNm": "MOON" });
    Town::shows(&completed.body, &visit);
    Town::shows(&completed.body, &json!({ "id": 1, "status": "REQUEST_COMPLETED", "reason": null }));
    assert_eq!((completed.links(), ward.seats(1).await), (vec!["cancel"], (1, 2)));
    ward.settle().await;
    let reservation = ward.get("/reservations/1").await.body;
    Town::shows(&reservation, &visit);
    Town::shows(&reservation, &json!({ "screeningId": 1, "status": "REQUEST_COMPLETED" }));
    assert_eq!(ward.said("screening", 1).await, ["Requested", "RequestCompleted"]);
    ward.adds_up().await;
}

#[tokio::test(start_paused = true)]
async fn each_no_of_the_hospital_leaves_a_request_that_was_rejected_and_says_why() {
    let ward = Ward::new().await;
    let (full, closed, open) = (ward.hospital(1).await, ward.hospital(1).await, ward.hospital(1).await);
    ward.screening(full, "MOON").await;
    ward.close(closed).await;
    for (number, hospital, date, no, reason) in [
        (2, full, DATE, (409, "full"), "full"),
        (3, closed, DATE, (409, "hospital-closed"), "closed"),
        (4, 99, DATE, (404, "unknown-hospital"), "unknown-hospital"),
        (5, open, "20200911", (422, "other-date"), "other-date"),
    ] {
        let wish = json!({ "hospitalId": hospital, "chkDate": date, "custNm": "JUNG" });
        let refused = ward.write("POST", "/screenings", wish).await;
        assert_eq!((refused.no(), refused.text("instance")), (no, &*format!("/screenings/{number}")), "{refused:?}");
        let left = ward.get(&format!("/screenings/{number}")).await;
        Town::shows(&left.body, &json!({ "status": "REJECTED", "reason": reason }));
        assert_eq!(left.links(), [""; 0]);
        ward.settle().await;
        assert_eq!(ward.get(&format!("/reservations/{number}")).await.status, 404, "what has no seat is not in the book");
        Town::shows(&ward.get(&format!("/myPages/{number}")).await.body, &json!({ "status": "REJECTED", "reason": reason }));
    }
    assert_eq!((ward.seats(full).await, ward.seats(closed).await, ward.seats(open).await), ((0, 1), (1, 1), (1, 1)));
    ward.adds_up().await;
}

#[tokio::test(start_paused = true)]
async fn of_many_at_once_so_many_have_a_seat_as_there_are_seats() {
    let ward = Ward::new().await;
    let number = ward.hospital(3).await;
    let answers = join_all((0..40).map(|one| {
        let ward = &ward;
        async move { ward.request(number, &format!("C{one}")).await }
    }))
    .await;
    let with = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!((with, answers.iter().filter(|answer| answer.no() == (409, "full")).count()), (3, 37));
    assert_eq!(ward.seats(number).await, (0, 3));
    ward.adds_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_makes_no_sense_is_refused_with_its_field_and_leaves_nothing_behind() {
    let ward = Ward::new().await;
    for (body, field) in [
        (json!({ "chkDate": DATE, "custNm": "MOON" }), "hospitalId"),
        (json!({ "hospitalId": 1, "custNm": "MOON" }), "chkDate"),
        (json!({ "hospitalId": 1, "chkDate": DATE }), "custNm"),
        (json!({ "hospitalId": 1, "chkDate": DATE, "custNm": " " }), "custNm"),
        (json!({ "hospitalId": 1, "chkDate": "", "custNm": "MOON" }), "chkDate"),
        (json!({ "hospitalId": 0, "chkDate": DATE, "custNm": "MOON" }), "hospitalId"),
        (json!({ "hospitalId": "Samsung", "chkDate": DATE, "custNm": "MOON" }), "hospitalId"),
    ] {
        let refused = ward.write("POST", "/screenings", body.clone()).await;
        assert_eq!((refused.status, refused.text("field")), (422, field), "{body}: {refused:?}");
    }
    assert_eq!((ward.all("/screenings").await.len(), ward.journal("screening").await.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn while_the_hospital_is_down_a_request_is_refused_at_once_and_after_its_restart_it_is_taken() {
    let ward = Ward::new().await;
    let number = ward.hospital(1).await;
    ward.stop("hospital").await;
    let before = ward.elapsed();
    let refused = ward.request(number, "MOON").await;
    assert_eq!((refused.no(), refused.text("instance"), &*refused.retry_after), ((503, "no-answer"), "/screenings/1", "1"));
    assert_eq!(ward.elapsed(), before, "it was surely not sent");
    Town::shows(&ward.get("/screenings/1").await.body, &json!({ "status": "REJECTED", "reason": "no-answer" }));
    ward.start("hospital").await;
    ward.settle().await;
    assert_eq!(ward.said("hospital", 1).await, ["SeatForgone"]);
    assert_eq!(ward.request(number, "MOON").await.status, 201);
    ward.adds_up().await;
}

#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_an_ask_there_is_no_seat_without_a_screening_and_no_screening_without_a_seat() {
    for (line, said) in [
        (Line::Slow(ms(3_000)), &["SeatForgone"][..]),
        (Line::Late(ms(3_000)), &["SeatTaken", "SeatGivenBack"]),
        (Line::Lost, &["SeatForgone"]),
        (Line::Unheard, &["SeatTaken", "SeatGivenBack"]),
    ] {
        let ward = Ward::new().await;
        let number = ward.hospital(1).await;
        ward.line("hospital", line);
        let before = ward.elapsed();
        let refused = ward.request(number, "MOON").await;
        let took = ward.elapsed() - before;
        assert_eq!((refused.no(), &*refused.retry_after), ((503, "no-answer"), "1"), "{line:?}");
        assert!((WINDOW..WINDOW + ms(20)).contains(&took), "{line:?}: {took:?}");
        ward.settle().await;
        tokio::time::sleep(Duration::from_secs(10)).await; // until the last try has arrived, and been refused
        assert_eq!(
            (ward.said("hospital", 1).await, ward.seats(number).await),
            (said.iter().map(ToString::to_string).collect(), (1, 1))
        );
        ward.adds_up().await;
        ward.line("hospital", Line::Through);
        assert_eq!(ward.request(number, "MOON").await.status, 201, "the seat is there for whoever comes next");
        ward.adds_up().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_hospital_that_is_slow_but_answers_in_time_gives_its_seat() {
    for line in [Line::Slow(ms(700)), Line::Late(ms(700))] {
        let ward = Ward::new().await;
        let number = ward.hospital(1).await;
        ward.line("hospital", line);
        assert_eq!(ward.request(number, "MOON").await.status, 201, "{line:?}");
        ward.adds_up().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_hospital_that_dies_after_it_has_taken_the_seat_gives_it_back_or_gives_it() {
    for (back_after, stands) in [(ms(100), true), (ms(3_000), false)] {
        let ward = Ward::new().await;
        let number = ward.hospital(1).await;
        ward.line("hospital", Line::Unheard);
        let dies = async {
            ward.until_said("hospital", &screening(1), "SeatTaken").await;
            ward.kill("hospital");
            ward.line("hospital", Line::Through);
            tokio::time::sleep(back_after).await;
            ward.start("hospital").await;
        };
        let (answer, ()) = join(ward.request(number, "MOON"), dies).await;
        ward.adds_up().await;
        let (status, seats) = if stands { (201, (0, 1)) } else { (503, (1, 1)) };
        assert_eq!((answer.status, ward.seats(number).await), (status, seats), "back after {back_after:?}: {answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_own_process_dies_ends_in_a_seat_or_in_none_and_nothing_waits() {
    for dies_at in [0, 300, 900, 1_400, 1_600] {
        let ward = Ward::new().await;
        let number = ward.hospital(1).await;
        ward.line("hospital", Line::Slow(ms(400)));
        let dies = async {
            tokio::time::sleep(ms(dies_at)).await;
            ward.kill("screening");
            ward.start("screening").await;
        };
        join(ward.request(number, "MOON"), dies).await;
        ward.settle().await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        ward.adds_up().await;
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_hospital_does_not_answer_screening_stops_asking_it() {
    let ward = Ward::new().await;
    let number = ward.hospital(100).await;
    ward.line("hospital", Line::Lost);
    assert_eq!(ward.lines("screening"), ["hospital closed"]);
    let refused = join_all((0..20).map(|_| ward.request(number, "MOON"))).await;
    assert!(refused.iter().all(|answer| answer.no() == (503, "no-answer")));
    assert_eq!(ward.lines("screening"), ["hospital open"]);
    let before = ward.elapsed();
    assert_eq!(ward.request(number, "MOON").await.no(), (503, "no-answer"));
    assert_eq!(ward.elapsed(), before, "it was surely not sent");
    ward.line("hospital", Line::Through);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(ward.request(number, "MOON").await.status, 201);
    ward.adds_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_key_repeats_what_was_answered_and_is_free_again_after_a_503() {
    let ward = Ward::new().await;
    let number = ward.hospital(2).await;
    let with_key = |name: &'static str| {
        let head = [("content-type", "application/json"), ("idempotency-key", "moons-request")];
        let body = json!({ "hospitalId": number, "chkDate": DATE, "custNm": name }).to_string();
        let ward = &ward;
        async move { ward.send("POST", "/screenings", &head, body.into()).await }
    };
    for line in [Line::Unheard, Line::Lost] {
        ward.line("hospital", line);
        let (one, other) = join(with_key("MOON"), with_key("MOON")).await;
        for refused in [one, other] {
            assert_eq!((refused.no(), &*refused.retry_after), ((503, "no-answer"), "1"));
        }
        ward.settle().await;
    }
    ward.line("hospital", Line::Through);
    let (one, other) = join(with_key("MOON"), with_key("MOON")).await;
    assert_eq!((one.status, other.status, one.number()), (201, 201, other.number()));
    let again = with_key("MOON").await;
    assert_eq!((again.status, again.number()), (201, one.number()));
    assert_eq!(with_key("YOU").await.no(), (422, "key-reused"));
    assert_eq!(ward.seats(number).await, (1, 2), "one seat, however often it was asked for");
    ward.adds_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_request_was_given_up_while_nobody_was_there_to_say_so_is_free_too() {
    let ward = Ward::new().await;
    let number = ward.hospital(1).await;
    let with_key = || {
        let head = [("content-type", "application/json"), ("idempotency-key", "moons-request")];
        let body = json!({ "hospitalId": number, "chkDate": DATE, "custNm": "MOON" }).to_string();
        let ward = &ward;
        async move { ward.send("POST", "/screenings", &head, body.into()).await }
    };
    ward.line("hospital", Line::Lost);
    let dies = async {
        tokio::time::sleep(ms(300)).await;
        ward.kill("screening");
        ward.start("screening").await;
    };
    let (unheard, ()) = join(with_key(), dies).await;
    assert_eq!(unheard.status, 503, "its process died under it");
    ward.until("/screenings/1", "status", "REJECTED").await;
    ward.line("hospital", Line::Through);
    tokio::time::sleep(Duration::from_secs(10)).await; // until it asks again
    let repeated = with_key().await;
    assert_eq!((repeated.status, repeated.number()), (201, 2), "{repeated:?}");
    assert_eq!(with_key().await.number(), 2);
    ward.adds_up().await;
}
