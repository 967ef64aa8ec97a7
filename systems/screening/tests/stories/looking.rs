//! What can be looked at, by whom it is kept, and by what it is found.
use crate::ward::Ward;
use jumun_testkit::Town;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn the_four_pages_of_the_readme_are_there() {
    let ward = Ward::new().await;
    let number = ward.hospital(2).await;
    ward.screening(number, "MOON").await;
    for path in ["/screenings", "/hospitals", "/reservations", "/myPages"] {
        let page = ward.get(path).await;
        assert_eq!((page.status, page.rows().len(), page.body["page"]["totalElements"].as_u64()), (200, 1, Some(1)), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_is_found_by_its_number_its_customer_and_its_hospital() {
    let ward = Ward::new().await;
    let (one, other) = (ward.hospital(5).await, ward.hospital(5).await);
    for (hospital, name) in [(one, "MOON"), (other, "JUNG"), (one, "MOON"), (one, "JUNG")] {
        ward.screening(hospital, name).await;
    }
    ward.cancel(4).await;
    ward.settle().await;
    for (path, found) in [
        ("/screenings/search/findByHospitalId?hospitalId=1", vec![1, 3, 4]),
        ("/screenings?custNm=JUNG", vec![2, 4]),
        ("/screenings?status=CANCELED", vec![4]),
        ("/reservations/search/findByHospitalId?hospitalId=2", vec![2]),
        ("/reservations/search/findByScreeningId?screeningId=3", vec![3]),
        ("/myPages?custNm=MOON", vec![1, 3]),
        ("/myPages?screeningId=2", vec![2]),
        ("/myPages/search/findByCustNm?custNm=NOBODY", vec![]),
        ("/hospitals?chkDate=20200910", vec![1, 2]),
        ("/hospitals?hospitalNm=SK", vec![]),
    ] {
        let answer = ward.get(path).await;
        let numbers: Vec<_> = answer.rows().iter().map(|row| row["id"].as_u64().unwrap()).collect();
        assert_eq!((answer.status, numbers), (200, found), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_is_404_and_looking_leaves_nothing_behind() {
    let ward = Ward::new().await;
    for path in ["/screenings/9", "/hospitals/9", "/reservations/9", "/myPages/9", "/marketings/9"] {
        assert_eq!(ward.get(path).await.no(), (404, "unknown"), "{path}");
    }
    assert_eq!(ward.cancel(9).await.no(), (404, "unknown"));
    assert_eq!(ward.edit(9, json!({ "custNm": "MOON" })).await.no(), (404, "unknown"));
    for context in ["screening", "hospital", "reservation"] {
        assert_eq!(ward.journal(context).await, [], "{context}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_can_be_written_where_only_facts_write_and_nothing_else_is_deleted() {
    let ward = Ward::new().await;
    let number = ward.hospital(2).await;
    ward.screening(number, "MOON").await;
    for (method, path) in [
        ("POST", "/reservations"),
        ("PUT", "/reservations/1"),
        ("PATCH", "/reservations/1"),
        ("DELETE", "/reservations/1"),
        ("POST", "/myPages"),
        ("PUT", "/myPages/1"),
        ("PATCH", "/myPages/1"),
        ("DELETE", "/myPages/1"),
        ("POST", "/marketings"),
        ("PATCH", "/marketings/1"),
        ("DELETE", "/screenings/1"),
        ("DELETE", "/hospitals"),
        ("PUT", "/hospitals"),
        ("PUT", "/screenings"),
    ] {
        let refused = ward.write(method, path, json!({ "status": "CANCELED" })).await;
        assert_eq!(refused.no(), (405, "no-such-method"), "{method} {path}");
    }
    assert_eq!(ward.status(1).await, "REQUEST_COMPLETED");
    ward.adds_up().await;
}

#[tokio::test(start_paused = true)]
async fn what_customers_see_was_said_by_screening_and_is_whole_after_an_outage() {
    let ward = Ward::new().await;
    let number = ward.hospital(2).await;
    ward.stop("myPage").await;
    ward.screening(number, "MOON").await;
    ward.screening(number, "JUNG").await;
    ward.cancel(1).await;
    ward.edit(2, json!({ "custNm": "YOU" })).await;
    ward.start("myPage").await;
    ward.settle().await;
    Town::shows(&ward.get("/myPages/1").await.body, &json!({ "screeningId": 1, "custNm": "MOON", "status": "CANCELED" }));
    Town::shows(&ward.get("/myPages/2").await.body, &json!({ "custNm": "YOU", "status": "REQUEST_COMPLETED" }));
    ward.adds_up().await;
}

#[tokio::test(start_paused = true)]
async fn booking_works_while_the_book_is_closed_and_it_is_kept_all_the_same() {
    let ward = Ward::new().await;
    let number = ward.hospital(3).await;
    ward.kill("reservation");
    for name in ["MOON", "JUNG", "YOU"] {
        assert_eq!(ward.request(number, name).await.status, 201, "nobody waits for the book");
    }
    ward.cancel(1).await;
    ward.edit(3, json!({ "custNm": "HAN" })).await;
    ward.start("reservation").await;
    ward.settle().await;
    for (row, name, status) in [(1, "MOON", "CANCELED"), (2, "JUNG", "REQUEST_COMPLETED"), (3, "HAN", "REQUEST_COMPLETED")] {
        let reservation = ward.get(&format!("/reservations/{row}")).await.body;
        Town::shows(&reservation, &json!({ "screeningId": row, "custNm": name, "status": status }));
    }
    assert_eq!(ward.all("/reservations").await.len(), 3, "one for each screening");
    ward.adds_up().await;
}
