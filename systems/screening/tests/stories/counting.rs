//! marketing counts who comes, from facts alone.
use crate::ward::Ward;
use serde_json::{Value, json};

/// Name, bookings, those canceled, and whether they returned.
fn counts(rows: &[Value]) -> Vec<String> {
    let of = |row: &Value| {
        let returning = if row["returning"] == true { ", returning" } else { "" };
        format!("{} {} {}{returning}", row["custNm"].as_str().unwrap(), row["bookings"], row["canceled"])
    };
    let mut counts: Vec<_> = rows.iter().map(of).collect();
    counts.sort();
    counts
}
async fn counted(ward: &Ward) -> (Vec<String>, u64, u64) {
    let page = ward.get("/marketings").await;
    let total = |field: &str| page.body[field].as_u64().unwrap_or_else(|| panic!("no {field} in {page:?}"));
    (counts(&page.rows()), total("newCustomers"), total("returningCustomers"))
}

#[tokio::test(start_paused = true)]
async fn a_customer_is_counted_by_name_and_returns_with_the_second_booking() {
    let ward = Ward::new().await;
    assert_eq!(counted(&ward).await, (vec![], 0, 0));
    let number = ward.hospital(4).await;
    ward.screening(number, "MOON").await;
    ward.screening(number, "JUNG").await;
    assert_eq!(counted(&ward).await, (vec!["JUNG 1 0".to_owned(), "MOON 1 0".to_owned()], 2, 0));
    ward.screening(number, "MOON").await;
    ward.cancel(1).await;
    ward.edit(2, json!({ "custNm": "YOU" })).await;
    ward.settle().await;
    assert_eq!(counted(&ward).await, (vec!["MOON 2 1, returning".to_owned(), "YOU 1 0".to_owned()], 1, 1));
    assert_eq!(counts(&ward.get("/marketings?custNm=MOON").await.rows()), ["MOON 2 1, returning"]);
    assert_eq!(counts(&ward.get("/marketings?returning=false").await.rows()), ["YOU 1 0"]);
    ward.close(number).await;
    ward.settle().await;
    assert_eq!(counted(&ward).await, (vec!["MOON 2 2, returning".to_owned(), "YOU 1 1".to_owned()], 1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_never_had_a_seat_is_not_counted() {
    let ward = Ward::new().await;
    let number = ward.hospital(0).await;
    assert_eq!(ward.request(number, "MOON").await.no(), (409, "full"));
    ward.settle().await;
    assert_eq!(counted(&ward).await, (vec![], 0, 0));
}

#[tokio::test(start_paused = true)]
async fn whatever_marketing_does_or_does_not_nobody_else_notices_and_it_counts_right_afterwards() {
    let ward = Ward::new().await;
    let number = ward.hospital(9).await;
    for round in 0..3 {
        ward.kill("marketing");
        let stood = ward.screening(number, "MOON").await;
        ward.start("marketing").await;
        ward.cancel(stood).await;
        ward.settle().await;
        assert_eq!(ward.seats(number).await, (9, 9), "its counting takes and gives no seat: {round}");
    }
    ward.stop("marketing").await;
    ward.adds_up().await;
    ward.start("marketing").await;
    ward.settle().await;
    assert_eq!(counted(&ward).await, (vec!["MOON 3 3, returning".to_owned()], 0, 1));
    assert!(ward.all("/myPages").await.iter().all(|row| row["custNm"] == "MOON"), "and no row of nobody");
}
