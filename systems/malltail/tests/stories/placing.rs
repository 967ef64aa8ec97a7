//! An order is placed and paid, or it is not.
use crate::mall::Mall;
use futures_util::future::join;
use jumun_malltail::{
    Settings,
    provider::{Dial, Entry},
};
use jumun_model::Won;
use serde_json::json;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn an_order_is_taken_charged_once_and_stands() {
    let mall = Mall::new().await;
    let placed = mall.post(json!({ "itemNo": "1001" })).await; // as the seed's client sends it
    assert_eq!((placed.status, placed.text("orderStatus"), placed.number()), (201, "Ordered", 1));
    assert_eq!((&placed.body["qty"], &placed.body["amount"], placed.links()), (&json!(1), &json!(10_000), vec!["cancel"]));
    mall.settle().await;
    assert_eq!(mall.money(1), [(Entry::Charge, 10_000)]);
    let payment = mall.get("/payments/1").await;
    Mall::shows(
        &payment.body,
        &json!({ "id": 1, "payId": 1, "orderNo": 1, "itemNo": 1001, "paystatus": "Paid", "amount": 10_000 }),
    );
    let row = mall.get("/shopManagements/1").await;
    Mall::shows(&row.body, &json!({ "orderNo": 1, "payId": 1, "orderStatus": "Ordered", "deliveryStatus": "Ready", "qty": 1 }));
}

#[tokio::test(start_paused = true)]
async fn an_order_costs_what_the_price_list_says_and_never_what_the_client_says() {
    let mut settings = Settings::default();
    settings.prices.0.insert(7, Won(2_500));
    let mall = Mall::with(settings).await;
    let placed = mall.post(json!({ "itemNo": 7, "qty": "3", "amount": 1, "price": 1 })).await;
    assert_eq!((placed.status, &placed.body["amount"]), (201, &json!(7_500)));
    mall.settle().await;
    assert_eq!(mall.money(1), [(Entry::Charge, 7_500)]);
    assert_eq!(mall.view(1).await["amount"], 7_500);
    assert_eq!(mall.get("/payments/1").await.body["amount"], 7_500);
    mall.cancel(1).await;
    mall.settle().await;
    assert_eq!(mall.money(1), [(Entry::Charge, 7_500), (Entry::Refund, 7_500)]);
    assert_eq!(mall.get("/payments/1").await.body["amount"], 7_500);
}

#[tokio::test(start_paused = true)]
async fn what_the_provider_declines_is_402_and_the_shop_never_sees_it() {
    let mall = Mall::new().await;
    mall.dial(Dial { declined_percent: 100, ..Dial::default() });
    let refused = mall.post(json!({ "itemNo": 1 })).await;
    assert_eq!((refused.no(), refused.text("instance")), ((402, "payment-declined"), "/orders/1"));
    mall.settle().await;
    Mall::shows(&mall.view(1).await, &json!({ "orderStatus": "PaymentFailed", "payStatus": "Declined", "shopStatus": null }));
    assert_eq!(mall.get("/shopManagements/1").await.status, 404);
    assert_eq!(mall.money(1), [(Entry::Decline, 10_000)]);
}

#[tokio::test(start_paused = true)]
async fn an_order_is_taken_while_pay_is_down_and_stands_when_it_is_back() {
    let mall = Mall::new().await;
    mall.stop("pay").await;
    let taken = mall.post(json!({ "itemNo": 1 })).await;
    assert_eq!((taken.status, taken.text("orderStatus"), &*taken.retry_after), (202, "PaymentPending", "2"));
    assert_eq!((&*taken.location, taken.text("message").is_empty()), ("http://malltail:8080/orders/1", false));
    mall.start("pay").await;
    mall.settle().await;
    Mall::shows(&mall.view(1).await, &json!({ "orderStatus": "Ordered", "payStatus": "Paid", "shopStatus": "Ready" }));
    assert_eq!(mall.money(1), [(Entry::Charge, 10_000)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_paid_in_its_window_fails_and_whatever_was_charged_is_given_back() {
    let mall = Mall::with(Settings { payment_window: Duration::from_secs(60), ..Settings::default() }).await;
    // the provider takes the money of the one, and says so to nobody in time; of the other it hears nothing
    mall.dial(Dial { latency_ms: 200_000, ..Dial::default() });
    let (charged, silent) = (mall.post(json!({ "itemNo": 1 })).await.number(), {
        mall.outage();
        mall.post(json!({ "itemNo": 2 })).await.number()
    });
    mall.until("/orders/1", "orderStatus", "PaymentFailed").await;
    mall.until("/orders/2", "orderStatus", "PaymentFailed").await;
    mall.well();
    mall.settle().await;
    assert_eq!(mall.money(charged), [(Entry::Charge, 10_000), (Entry::Refund, 10_000)]);
    assert_eq!(mall.money(silent), [(Entry::Void, 0)]);
    assert_eq!(mall.view(charged).await["payStatus"], "Refunded");
    assert_eq!(mall.view(silent).await["payStatus"], "Voided");
    assert_eq!(mall.cancel(silent).await.no(), (409, "closed"));
}

#[tokio::test(start_paused = true)]
async fn whoever_cancels_while_it_waits_decides_alone_and_the_one_who_waits_is_told() {
    let mall = Mall::new().await;
    mall.dial(Dial { latency_ms: 700, ..Dial::default() });
    let cancelled = async {
        mall.until("/orders/1", "orderStatus", "PaymentPending").await;
        mall.cancel(1).await
    };
    let (placed, cancelled) = join(mall.post(json!({ "itemNo": 1 })), cancelled).await;
    assert_eq!((cancelled.status, cancelled.text("orderStatus"), cancelled.text("reason")), (200, "Canceled", "customer"));
    assert_eq!((placed.no(), placed.text("instance")), ((409, "canceled"), "/orders/1"));
    mall.settle().await;
    assert_eq!(mall.money(1), [(Entry::Charge, 10_000), (Entry::Refund, 10_000)]);
    assert_eq!(mall.get("/shopManagements/1").await.status, 404, "it was never on the list");
}

#[tokio::test(start_paused = true)]
async fn where_the_customer_finishes_paying_is_shown_until_it_is_paid() {
    let mall = Mall::new().await;
    mall.dial(Dial { needs_customer: true, ..Dial::default() });
    let taken = mall.post(json!({ "itemNo": 1 })).await;
    assert_eq!((taken.status, taken.text("payUrl")), (202, "https://pay.example/order/1"));
    assert_eq!(mall.get("/payments/1").await.text("paystatus"), "Requested");
    mall.well();
    mall.settle().await;
    Mall::shows(&mall.get("/orders/1").await.body, &json!({ "orderStatus": "Ordered", "payUrl": null }));
}

#[tokio::test(start_paused = true)]
async fn the_shop_sees_an_order_once_it_is_paid_and_established_and_not_before() {
    let mall = Mall::new().await;
    mall.dial(Dial { latency_ms: 300, ..Dial::default() });
    // order dies while pay charges: the one half comes, the other does not
    let dies = async {
        mall.until("/orders/1", "orderStatus", "PaymentPending").await;
        mall.kill("order");
    };
    let placed = join(mall.post(json!({ "itemNo": 1 })), dies).await.0;
    assert_eq!(placed.status, 503);
    mall.until("/payments/1", "paystatus", "Paid").await;
    mall.settle().await;
    assert_eq!(mall.get("/shopManagements/1").await.no(), (404, "unknown"), "only half of it is known");
    for command in ["acceptorder", "rejectorder"] {
        assert_eq!(mall.put(&format!("/shopManagements/1/{command}")).await.status, 404);
    }
    mall.start("order").await;
    mall.settle().await;
    assert_eq!(mall.get("/shopManagements/1").await.text("deliveryStatus"), "Ready");
    assert_eq!(mall.money(1), [(Entry::Charge, 10_000)]);
}

#[tokio::test(start_paused = true)]
async fn orders_are_taken_while_the_shop_is_down_and_it_catches_up() {
    let mall = Mall::new().await;
    mall.stop("shop").await;
    let placed = mall.post(json!({ "itemNo": "2001" })).await;
    assert_eq!((placed.status, placed.text("orderStatus")), (201, "Ordered"));
    mall.start("shop").await;
    mall.settle().await;
    assert_eq!(mall.get("/shopManagements/1").await.text("deliveryStatus"), "Ready");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_makes_no_sense_is_refused_with_its_field_and_leaves_nothing_behind() {
    let mall = Mall::new().await;
    for (body, field) in [
        (json!({}), "itemNo"),
        (json!({ "itemNo": null }), "itemNo"),
        (json!({ "itemNo": "many" }), "itemNo"),
        (json!({ "itemNo": 1, "qty": 0 }), "qty"),
        (json!({ "itemNo": 1, "qty": -3 }), "qty"),
        (json!({ "itemNo": 1, "qty": "1e3" }), "qty"),
    ] {
        let refused = mall.post(body.clone()).await;
        assert_eq!((refused.status, refused.text("field")), (422, field), "{body}: {refused:?}");
    }
    assert_eq!(mall.get("/orders").await.body["page"]["totalElements"], 0);
    assert!(mall.journal("order").await.is_empty());
}
