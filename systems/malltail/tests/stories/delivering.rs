//! From the owner's word to the customer's door, or to the end of it.
use crate::mall::Mall;
use jumun_malltail::{Settings, provider::Entry};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn an_accepted_order_is_shipped_cleared_and_delivered() {
    let mall = Mall::with(Settings { forwarding_address: "Dock 4, Delaware".to_owned(), ..Settings::default() }).await;
    let customer = json!({
        "itemNo": 1001, "customerId": "kim", "customerName": "Kim", "customerAddress": "Seoul", "phoneNumber": "010-1234-5678"
    });
    let number = mall.post(customer).await.number();
    mall.settle().await;
    assert_eq!(mall.get("/shopManagements/1").await.links(), ["acceptorder", "rejectorder"]);

    let accepted = mall.accept(number).await;
    Mall::shows(
        &accepted.body,
        &json!({ "deliveryStatus": "Accepted", "shippingAddress": "Dock 4, Delaware", "shopName": "Malltail" }),
    );
    assert_eq!(accepted.links(), [""; 0]);
    let parcel = mall.get("/shippings/1").await;
    Mall::shows(
        &parcel.body,
        &json!({
            "orderNo": 1, "shippingStatus": "ShippingStarted", "transportNo": "T-1", "shippingAddress": "Dock 4, Delaware",
            "sender": "Malltail", "receiver": "Kim", "phoneNumber": "010-1234-5678",
        }),
    );
    assert_eq!((parcel.links(), mall.get("/orders/1").await.links()), (vec!["completeshipping"], vec![]));
    let view = json!({ "shopStatus": "Accepted", "deliveryStatus": "ShippingStarted", "transportNo": "T-1", "isShipped": false });
    Mall::shows(&mall.view(1).await, &view);
    assert_eq!(mall.get("/deliveries/1").await.status, 404);

    mall.go("/shippings", number, "completeshipping").await;
    let waiting = mall.get("/deliveries/1").await;
    Mall::shows(
        &waiting.body,
        &json!({ "orderNo": 1, "customsStatus": "Waiting", "deliveryStatus": null, "invoiceNo": null, "deliveryAddress": "Seoul" }),
    );
    assert_eq!(waiting.links(), ["approvecustoms", "rejectcustoms"]);
    let view = json!({
        "deliveryStatus": "ShippingCompleted", "isShipped": true, "customsStatus": "Waiting", "isCustomsApproved": null
    });
    Mall::shows(&mall.view(1).await, &view);

    let cleared = mall.go("/deliveries", number, "approvecustoms").await;
    Mall::shows(
        &cleared.body,
        &json!({ "customsStatus": "Approved", "deliveryStatus": "DeliveryStarted", "invoiceNo": "I-1", "receiver": "Kim" }),
    );
    assert_eq!(cleared.links(), ["completedelivery"]);
    mall.go("/deliveries", number, "completedelivery").await;
    let view = json!({
        "orderNo": 1, "customerId": "kim", "customerName": "Kim", "amount": 10_000, "orderStatus": "Ordered", "payStatus": "Paid",
        "shopStatus": "Accepted", "deliveryStatus": "DeliveryCompleted", "transportNo": "T-1", "isShipped": true,
        "customsStatus": "Approved", "isCustomsApproved": true, "isCoutomsApproved": true, "invoiceNo": "I-1",
        "lastEvent": "DeliveryCompleted",
    });
    Mall::shows(&mall.view(1).await, &view);
    assert_eq!(mall.money(1), [(Entry::Charge, 10_000)]);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_order_is_turned_down_in_the_shops_words_and_paid_back() {
    let mall = Mall::new().await;
    let number = mall.order().await;
    let body = json!({ "reason": "sold out" });
    let rejected = mall.write("PUT", "/shopManagements/1/rejectorder", body).await;
    assert_eq!((rejected.status, rejected.text("deliveryStatus"), rejected.text("reason")), (200, "Rejected", "sold out"));
    mall.settle().await;
    Mall::shows(&mall.get("/orders/1").await.body, &json!({ "orderStatus": "Rejected", "reason": "sold out" }));
    Mall::shows(&mall.view(1).await, &json!({ "orderStatus": "Rejected", "payStatus": "Refunded", "shopStatus": "Rejected" }));
    assert_eq!(mall.money(number), [(Entry::Charge, 20_000), (Entry::Refund, 20_000)]);
    assert_eq!(mall.get("/shippings/1").await.status, 404);
    assert_eq!(mall.cancel(number).await.no(), (409, "turned-down"));
    assert_eq!(mall.put("/shopManagements/1/acceptorder").await.no(), (409, "rejected"));
    mall.go("/shopManagements", number, "rejectorder").await; // a repeat, without a word
    assert_eq!(mall.get("/shopManagements/1").await.text("reason"), "sold out");
}

#[tokio::test(start_paused = true)]
async fn an_owner_need_not_say_why_but_what_is_said_has_to_be_text() {
    let mall = Mall::new().await;
    mall.order().await;
    let unread = mall.write("PUT", "/shopManagements/1/rejectorder", json!({ "reason": ["sold", "out"] })).await;
    assert_eq!((unread.no(), unread.text("field")), ((422, "bad-field"), "reason"));
    let unread = mall.write("PUT", "/shopManagements/1/rejectorder", json!("sold out")).await;
    assert_eq!(unread.no(), (422, "no-object"));
    assert_eq!(mall.get("/shopManagements/1").await.text("deliveryStatus"), "Ready");
    mall.go("/shopManagements", 1, "rejectorder").await;
    Mall::shows(&mall.get("/orders/1").await.body, &json!({ "orderStatus": "Rejected", "reason": null }));
}

#[tokio::test(start_paused = true)]
async fn what_customs_rejects_is_discarded_and_the_order_cancelled_without_a_refund() {
    let mall = Mall::new().await;
    let number = mall.order().await;
    mall.to_customs(number).await;
    let rejected = mall.go("/deliveries", number, "rejectcustoms").await;
    Mall::shows(&rejected.body, &json!({ "customsStatus": "Rejected", "deliveryStatus": "Discarded", "invoiceNo": null }));
    assert_eq!(rejected.links(), [""; 0]);
    Mall::shows(&mall.get("/orders/1").await.body, &json!({ "orderStatus": "Canceled", "reason": "customs" }));
    let view = json!({
        "orderStatus": "Canceled", "payStatus": "Paid", "shopStatus": "Accepted", "deliveryStatus": "Discarded",
        "customsStatus": "Rejected", "isCustomsApproved": false, "isCoutomsApproved": false,
    });
    Mall::shows(&mall.view(1).await, &view);
    assert_eq!(mall.money(number), [(Entry::Charge, 20_000)]);
    assert_eq!(mall.cancel(number).await.no(), (409, "forfeited"));
}

#[tokio::test(start_paused = true)]
async fn a_step_done_again_changes_nothing_and_its_opposite_is_refused() {
    let mall = Mall::new().await;
    let number = mall.order().await;
    for _ in 0..2 {
        mall.accept(number).await;
    }
    assert_eq!(mall.put("/shopManagements/1/rejectorder").await.no(), (409, "accepted"));
    assert_eq!(mall.put("/deliveries/1/approvecustoms").await.no(), (404, "unknown"), "it has not come that far");
    for _ in 0..2 {
        mall.go("/shippings", number, "completeshipping").await;
    }
    assert_eq!(mall.put("/deliveries/1/completedelivery").await.no(), (409, "not-cleared"));
    for _ in 0..2 {
        mall.go("/deliveries", number, "approvecustoms").await;
    }
    assert_eq!(mall.put("/deliveries/1/rejectcustoms").await.no(), (409, "cleared"));
    for _ in 0..2 {
        mall.go("/deliveries", number, "completedelivery").await;
    }
    let other = mall.order().await;
    mall.to_customs(other).await;
    for _ in 0..2 {
        mall.go("/deliveries", other, "rejectcustoms").await;
    }
    for command in ["approvecustoms", "completedelivery"] {
        assert_eq!(mall.put(&format!("/deliveries/{other}/{command}")).await.no(), (409, "discarded"));
    }
    let said = |context| mall.said(context, number);
    assert_eq!(said("shop").await, ["PaidSeen", "EstablishedSeen", "OrderListed", "OrderDeliveryStarted"]);
    assert_eq!(said("shipping").await, ["ShippingStarted", "ShippingCompleted"]);
    assert_eq!(said("delivery").await, ["CustomsAwaited", "DeliveryStarted", "DeliveryCompleted"]);
}

#[tokio::test(start_paused = true)]
async fn each_leg_waits_for_the_next_while_that_is_down() {
    let mall = Mall::new().await;
    let number = mall.order().await;
    mall.stop("shipping").await;
    mall.stop("delivery").await;
    mall.put("/shopManagements/1/acceptorder").await;
    mall.start("shipping").await;
    mall.settle().await;
    mall.go("/shippings", number, "completeshipping").await;
    mall.start("delivery").await;
    mall.settle().await;
    assert_eq!(mall.get("/deliveries/1").await.text("customsStatus"), "Waiting");
}

#[tokio::test(start_paused = true)]
async fn every_refusal_is_said_in_the_callers_language() {
    let mall = Mall::new().await;
    let number = mall.order().await;
    mall.to_customs(number).await;
    mall.go("/deliveries", number, "rejectcustoms").await;
    for (path, korean) in [
        ("/shopManagements/1/rejectorder", "수락"),
        ("/deliveries/1/approvecustoms", "폐기"),
        ("/orders/1/cancel", "환불되는 금액은 없습니다"),
    ] {
        let no = mall.send("PUT", path, &[("accept-language", "ko-KR,ko;q=0.9")], axum::body::Body::empty()).await;
        assert!(no.status == 409 && no.text("detail").contains(korean), "{path}: {no:?}");
    }
}
