//! What can be looked at, and by what it is found.
use crate::mall::Mall;
use axum::body::Body;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_row_is_found_by_its_number_by_its_order_and_by_its_customer() {
    let mall = Mall::new().await;
    for customer in ["kim", "lee", "kim"] {
        mall.post(json!({ "itemNo": 1, "customerId": customer })).await;
    }
    mall.settle().await;
    for (path, found) in [
        ("/statusViews", vec![1, 2, 3]),
        ("/statusViews?orderNo=2", vec![2]),
        ("/statusViews?customerId=kim", vec![1, 3]),
        ("/statusViews/search/findByOrderNo?orderNo=2", vec![2]),
        ("/statusViews/search/findByCustomerId?customerId=kim", vec![1, 3]),
        ("/statusViews/search/findByOrderNo?orderNo=9", vec![]),
        ("/shopManagements?customerId=lee", vec![2]),
        ("/payments?orderNo=3", vec![3]),
    ] {
        let answer = mall.get(path).await;
        let rows = answer.body["_embedded"].as_object().and_then(|rows| rows.values().next()).unwrap_or(&json!([])).clone();
        let numbers: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect();
        assert_eq!((answer.status, numbers), (200, found), "{path}");
    }
    assert_eq!(mall.get("/statusViews/search/findByNothing?nothing=1").await.no(), (404, "no-such-path"));
    assert_eq!(mall.write("POST", "/statusViews/search/findByOrderNo", json!({})).await.status, 405);
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_is_404_and_never_a_fault_of_ours() {
    let mall = Mall::new().await;
    for path in ["/orders/9", "/payments/9", "/shopManagements/9", "/shippings/9", "/deliveries/9", "/statusViews/9"] {
        assert_eq!(mall.get(path).await.no(), (404, "unknown"), "{path}");
    }
    for path in [
        "/orders/9/cancel",
        "/shopManagements/9/acceptorder",
        "/shopManagements/9/rejectorder",
        "/shippings/9/completeshipping",
        "/deliveries/9/approvecustoms",
        "/deliveries/9/rejectcustoms",
        "/deliveries/9/completedelivery",
    ] {
        assert_eq!(mall.put(path).await.no(), (404, "unknown"), "{path}");
    }
    assert_eq!(mall.write("PATCH", "/orders/9", json!({ "orderStatus": "Canceled" })).await.status, 404);
    for context in ["order", "shop", "shipping", "delivery"] {
        assert!(mall.journal(context).await.is_empty(), "looking leaves nothing in {context}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_can_be_written_where_only_facts_write_and_nothing_is_deleted() {
    let mall = Mall::new().await;
    mall.order().await;
    for (method, path) in [
        ("POST", "/payments"),
        ("PATCH", "/payments/1"),
        ("POST", "/statusViews"),
        ("PATCH", "/statusViews/1"),
        ("PUT", "/statusViews/1"),
        ("POST", "/shopManagements"),
        ("POST", "/shippings"),
        ("POST", "/deliveries"),
        ("DELETE", "/orders/1"),
        ("DELETE", "/payments/1"),
        ("DELETE", "/shopManagements/1"),
        ("DELETE", "/shippings/1"),
        ("DELETE", "/deliveries/1"),
        ("DELETE", "/statusViews/1"),
    ] {
        let refused = mall.send(method, path, &[("content-type", "application/json")], Body::from("{}")).await;
        assert_eq!(refused.no(), (405, "no-such-method"), "{method} {path}");
    }
    // to put an order is to edit it, and the only edit is a cancel: it sets nothing, and makes none
    let body = json!({ "itemNo": 1, "orderStatus": "Delivered" });
    assert_eq!(mall.write("PUT", "/orders/1", body).await.status, 422);
    let cancel = json!({ "orderStatus": "Canceled" });
    assert_eq!(mall.write("PUT", "/orders/77", cancel).await.no(), (404, "unknown"));
    assert_eq!(mall.get("/orders/77").await.status, 404);
    Mall::shows(&mall.view(1).await, &json!({ "orderStatus": "Ordered", "payStatus": "Paid" }));
}

#[tokio::test(start_paused = true)]
async fn a_view_that_was_down_shows_everything_when_it_is_back() {
    let mall = Mall::new().await;
    mall.stop("viewPage").await;
    let number = mall.order().await;
    mall.to_customs(number).await;
    mall.start("viewPage").await;
    mall.settle().await;
    let view = json!({ "orderStatus": "Ordered", "payStatus": "Paid", "shopStatus": "Accepted", "customsStatus": "Waiting" });
    Mall::shows(&mall.view(1).await, &view);
}
