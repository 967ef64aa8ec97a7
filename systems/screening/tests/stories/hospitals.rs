//! Hospitals are registered, edited, and never have a seat too many or too few.
use crate::ward::{DATE, Ward};
use futures_util::future::join_all;
use jumun_testkit::Town;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_hospital_that_is_registered_shows_what_is_left_of_what_it_has() {
    let ward = Ward::new().await;
    // as HTTPie sends it
    let wish = json!({ "hospitalNm": "Samsung", "chkDate": DATE, "pcnt": "2" });
    let registered = ward.write("POST", "/hospitals", wish).await;
    assert_eq!((registered.status, &*registered.location), (201, "http://screening:8080/hospitals/1"));
    Town::shows(
        &registered.body,
        &json!({ "id": 1, "hospitalNm": "Samsung", "chkDate": DATE, "pcnt": 2, "capacity": 2, "closed": false }),
    );
    assert_eq!(registered.links(), ["close"]);
    ward.screening(1, "MOON").await;
    assert_eq!(ward.seats(1).await, (1, 2));
}

#[tokio::test(start_paused = true)]
async fn the_siege_registers_one_hospital_under_its_number_however_often_it_repeats_it() {
    let ward = Ward::new().await;
    let siege = || {
        let body = json!({ "id": "101", "hospitalId": "2", "hospitalNm": "bye", "chkDate": "0909", "pcnt": 20 });
        ward.write("POST", "/hospitals", body)
    };
    let at_once = join_all((0..20).map(|_| siege())).await;
    let mut statuses: Vec<_> = at_once.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!((statuses[..19].iter().all(|status| *status == 200), statuses[19]), (true, 201), "{statuses:?}");
    let again = siege().await;
    assert_eq!((again.status, again.number(), again.body["pcnt"].as_u64()), (200, 101, Some(20)));
    let facts = ward.journal("hospital").await;
    assert_eq!(facts.iter().map(|fact| &*fact.name).collect::<Vec<_>>(), ["HospitalRegistered"]);

    let other = json!({ "id": 101, "hospitalNm": "bye", "chkDate": "0909", "pcnt": 21 });
    let other = ward.write("POST", "/hospitals", other).await;
    assert_eq!((other.no(), other.text("instance")), ((409, "registered"), "/hospitals/101"));
    assert_eq!(ward.seats(101).await, (20, 20));
}

#[tokio::test(start_paused = true)]
async fn a_number_that_a_client_chose_is_given_to_nobody_else() {
    let ward = Ward::new().await;
    ward.write("POST", "/hospitals", json!({ "id": 2, "hospitalNm": "SK", "chkDate": "20200911", "pcnt": 5 })).await;
    let numbers = [ward.hospital(1).await, ward.hospital(1).await, ward.hospital(1).await];
    assert_eq!(numbers, [1, 3, 4]);
    assert_eq!(ward.get("/hospitals/2").await.text("hospitalNm"), "SK");
}

#[tokio::test(start_paused = true)]
async fn a_hospital_is_edited_by_put_and_by_patch_and_keeps_the_seats_that_are_taken() {
    for method in ["PUT", "PATCH"] {
        let ward = Ward::new().await;
        let number = ward.hospital(3).await;
        ward.screening(number, "MOON").await;
        ward.screening(number, "JUNG").await;
        let edit = |body| ward.write(method, "/hospitals/1", body);
        let refused = edit(json!({ "capacity": 1 })).await;
        assert_eq!((refused.no(), refused.text("taken")), ((409, "seats-taken"), "2"));
        assert_eq!(edit(json!({ "chkDate": "20200911" })).await.no(), (409, "date-fixed"));
        assert_eq!(ward.seats(number).await, (1, 3));
        let grown = edit(json!({ "capacity": "5", "hospitalNm": "Seoul" })).await;
        assert_eq!(grown.status, 200);
        Town::shows(&grown.body, &json!({ "hospitalNm": "Seoul", "chkDate": DATE, "pcnt": 3, "capacity": 5 }));
        // where the capacity is left out, what was called so when it was registered is meant
        assert_eq!(edit(json!({ "pcnt": 2 })).await.body["capacity"], 2);
        assert_eq!(ward.seats(number).await, (0, 2));
        assert_eq!(ward.request(number, "YOU").await.no(), (409, "full"));
        ward.cancel(1).await;
        ward.cancel(2).await;
        ward.settle().await;
        assert_eq!(edit(json!({ "chkDate": "20200911" })).await.text("chkDate"), "20200911", "nobody holds a seat any more");
        ward.adds_up().await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_sends_back_what_was_read_changes_nothing() {
    let ward = Ward::new().await;
    let number = ward.hospital(2).await;
    ward.screening(number, "MOON").await;
    let read = ward.get("/hospitals/1").await.body;
    for method in ["PUT", "PATCH"] {
        assert_eq!(ward.write(method, "/hospitals/1", read.clone()).await.body, read);
    }
    assert_eq!(ward.seats(number).await, (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_put_on_an_unknown_id_creates_nothing_and_on_the_collection_there_is_none() {
    let ward = Ward::new().await;
    let body = || json!({ "hospitalNm": "Samsung", "chkDate": DATE, "pcnt": 2 });
    for method in ["PUT", "PATCH"] {
        assert_eq!(ward.write(method, "/hospitals/9", body()).await.no(), (404, "unknown"));
        let whole = ward.write(method, "/hospitals", body()).await;
        assert_eq!((whole.no(), &*whole.allow), ((405, "no-such-method"), "GET, HEAD, POST"));
    }
    assert_eq!(ward.close(9).await.no(), (404, "unknown"));
    assert_eq!(ward.journal("hospital").await, []);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_makes_no_sense_is_refused_with_its_field_and_leaves_nothing_behind() {
    let ward = Ward::new().await;
    for (body, field) in [
        (json!({ "chkDate": DATE, "pcnt": 2 }), "hospitalNm"),
        (json!({ "hospitalNm": "Samsung", "pcnt": 2 }), "chkDate"),
        (json!({ "hospitalNm": "Samsung", "chkDate": DATE }), "pcnt"),
        (json!({ "hospitalNm": " ", "chkDate": DATE, "pcnt": 2 }), "hospitalNm"),
        (json!({ "hospitalNm": "Samsung", "chkDate": "", "pcnt": 2 }), "chkDate"),
        (json!({ "hospitalNm": "Samsung", "chkDate": DATE, "pcnt": -1 }), "pcnt"),
        (json!({ "hospitalNm": "Samsung", "chkDate": DATE, "pcnt": "many" }), "pcnt"),
        (json!({ "hospitalNm": "Samsung", "chkDate": DATE, "pcnt": 1.5 }), "pcnt"),
        (json!({ "id": 0, "hospitalNm": "Samsung", "chkDate": DATE, "pcnt": 2 }), "id"),
    ] {
        let refused = ward.write("POST", "/hospitals", body.clone()).await;
        assert_eq!((refused.status, refused.text("field")), (422, field), "{body}: {refused:?}");
    }
    assert_eq!(ward.write("POST", "/hospitals", json!([])).await.status, 422);
    assert_eq!(ward.all("/hospitals").await.len(), 0);
    assert_eq!(ward.journal("hospital").await, []);
}

#[tokio::test(start_paused = true)]
async fn a_date_is_whatever_the_hospital_calls_it() {
    let ward = Ward::new().await;
    for date in ["0909", "2020-09-10", "9월 10일", "every Monday"] {
        let registered = ward.write("POST", "/hospitals", json!({ "hospitalNm": "bye", "chkDate": date, "pcnt": 1 })).await;
        let wish = json!({ "hospitalId": registered.number(), "chkDate": date, "custNm": "MOON" });
        assert_eq!(ward.write("POST", "/screenings", wish).await.status, 201, "{date}");
    }
    // a number is text as well
    let registered = ward.write("POST", "/hospitals", json!({ "hospitalNm": 1, "chkDate": 909, "pcnt": 1 })).await;
    assert_eq!((registered.text("hospitalNm"), registered.text("chkDate")), ("1", "909"));
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_and_goes_at_once_no_seat_is_sold_twice_and_none_is_lost() {
    let ward = Ward::new().await;
    let number = ward.hospital(7).await;
    for round in 0..6 {
        let requests = join_all((0..12).map(|one| {
            let (ward, name) = (&ward, format!("C{}", (round + one) % 5));
            async move { ward.request(number, &name).await }
        }));
        let edits = join_all((0..4).map(|one| {
            let ward = &ward;
            async move { ward.write("PATCH", "/hospitals/1", json!({ "capacity": 7 + (round + one) % 3 })).await }
        }));
        let standing: Vec<_> =
            ward.all("/screenings").await.into_iter().filter(|row| row["status"] == "REQUEST_COMPLETED").collect();
        let cancels = join_all(standing.iter().step_by(2).map(|row| ward.cancel(row["id"].as_u64().unwrap())));
        let (requested, _, canceled) = futures_util::future::join3(requests, edits, cancels).await;
        assert!(requested.iter().all(|answer| matches!(answer.status, 201 | 409)), "{requested:?}");
        assert!(canceled.iter().all(|answer| answer.status == 200), "{canceled:?}");
        ward.adds_up().await;
    }
}
