//! A customer thinks better of it: in time, too late, and while nobody can say.
use crate::mall::Mall;
use futures_util::future::join;
use jumun_malltail::provider::Entry;
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};

const BACK: [(Entry, u64); 2] = [(Entry::Charge, 20_000), (Entry::Refund, 20_000)];

#[tokio::test(start_paused = true)]
async fn what_has_not_left_is_held_and_paid_back_and_a_repeat_is_no_error() {
    let mall = Mall::new().await;
    let number = mall.order().await;
    for _ in 0..2 {
        let cancelled = mall.cancel(number).await;
        assert_eq!((cancelled.status, cancelled.text("orderStatus"), cancelled.text("reason")), (200, "Canceled", "customer"));
        assert_eq!(cancelled.links(), [""; 0]);
        mall.settle().await;
    }
    assert_eq!(mall.get("/shippings/1").await.text("shippingStatus"), "Held");
    let row = mall.get("/shopManagements/1").await;
    Mall::shows(&row.body, &json!({ "deliveryStatus": "Canceled", "orderStatus": "Canceled" }));
    Mall::shows(&mall.view(1).await, &json!({ "orderStatus": "Canceled", "payStatus": "Refunded", "shopStatus": "Canceled" }));
    assert_eq!(mall.money(number), BACK);
    for command in ["acceptorder", "rejectorder"] {
        assert_eq!(mall.put(&format!("/shopManagements/1/{command}")).await.no(), (409, "canceled"));
    }
    assert_eq!(mall.put("/shippings/1/completeshipping").await.no(), (409, "held"));
}

#[tokio::test(start_paused = true)]
async fn what_was_accepted_but_has_not_left_is_held_too_and_the_shop_sees_that() {
    let mall = Mall::new().await;
    let number = mall.order().await;
    // the owner's word is on its way to shipping while the customer cancels
    mall.stop("shipping").await;
    mall.put("/shopManagements/1/acceptorder").await;
    mall.stop("shop").await;
    mall.start("shipping").await;
    let cancelled = mall.cancel(number).await;
    assert_eq!((cancelled.status, cancelled.text("orderStatus")), (200, "Canceled"));
    mall.start("shop").await;
    mall.settle().await;
    assert_eq!(mall.get("/shippings/1").await.text("shippingStatus"), "Held");
    assert_eq!(mall.get("/shopManagements/1").await.text("deliveryStatus"), "Canceled");
    assert_eq!(mall.said("shipping", number).await, ["ShippingHeld"]);
    assert_eq!(mall.money(number), BACK);
}

#[tokio::test(start_paused = true)]
async fn what_has_left_is_not_cancelled_and_the_order_is_as_it_was() {
    let mall = Mall::new().await;
    let number = mall.order().await;
    mall.accept(number).await;
    for _ in 0..2 {
        let refused = mall.cancel(number).await;
        assert_eq!((refused.no(), refused.text("instance")), ((409, "already-shipped"), "/orders/1"));
    }
    Mall::shows(&mall.get("/orders/1").await.body, &json!({ "orderStatus": "Ordered", "deliveryStatus": "ShippingStarted" }));
    assert_eq!(mall.money(number), [(Entry::Charge, 20_000)]);
    assert_eq!(mall.said("order", number).await, ["OrderRequested", "Ordered", "ShippingNoted"], "shipping was not even asked");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_comes_as_the_parcel_leaves_is_decided_once_and_for_all() {
    let mall = Mall::new().await;
    let mut ways = BTreeSet::new();
    for pause in 0..12 {
        let number = mall.order().await;
        let customer = async {
            tokio::time::sleep(Duration::from_millis(pause / 2)).await;
            mall.cancel(number).await
        };
        let owner = async {
            tokio::time::sleep(Duration::from_millis(pause % 2)).await;
            mall.put(&format!("/shopManagements/{number}/acceptorder")).await
        };
        let (cancelled, _) = join(customer, owner).await;
        mall.settle().await;
        let [order, parcel, row] = ["/orders", "/shippings", "/shopManagements"].map(|rows| format!("{rows}/{number}"));
        let [order, parcel, row] = [mall.get(&order).await, mall.get(&parcel).await, mall.get(&row).await];
        let stands = [order.text("orderStatus"), parcel.text("shippingStatus"), row.text("deliveryStatus")];
        let (wanted, money) = match cancelled.status {
            200 => (["Canceled", "Held", "Canceled"], &BACK[..]),
            _ => (["Ordered", "ShippingStarted", "Accepted"], &BACK[..1]),
        };
        assert_eq!((stands, &*mall.money(number)), (wanted, money), "after {pause}: {cancelled:?}");
        ways.insert(mall.said("order", number).await[2..].join(" "));
    }
    assert_eq!(
        ways.into_iter().collect::<Vec<_>>(),
        ["CancelRequested CancelRefused", "CancelRequested OrderCanceled", "ShippingNoted"]
    );
}

#[tokio::test(start_paused = true)]
async fn while_shipping_is_silent_the_wish_stands_and_is_decided_when_it_answers() {
    let mall = Mall::new().await;
    let number = mall.order().await;
    mall.stop("shipping").await;
    for _ in 0..2 {
        let waits = mall.cancel(number).await;
        assert_eq!((waits.status, waits.text("orderStatus"), &*waits.retry_after), (202, "CancelRequested", "2"));
    }
    mall.start("shipping").await;
    mall.settle().await;
    assert_eq!(mall.get("/orders/1").await.text("orderStatus"), "Canceled");
    assert_eq!(mall.money(number), BACK);
    assert_eq!(mall.said("order", number).await, ["OrderRequested", "Ordered", "CancelRequested", "OrderCanceled"]);
}

/// The wish stands, and order has not heard that the parcel left: customs has it already.
async fn wished_while_customs_decides() -> Mall {
    let mall = Mall::new().await;
    let number = mall.order().await;
    mall.stop("order").await;
    mall.put("/shopManagements/1/acceptorder").await;
    mall.until("/shippings/1", "shippingStatus", "ShippingStarted").await;
    mall.put("/shippings/1/completeshipping").await;
    mall.until("/deliveries/1", "customsStatus", "Waiting").await;
    mall.stop("shipping").await;
    mall.start("order").await;
    assert_eq!((mall.cancel(number).await.status, mall.get("/orders/1").await.text("orderStatus")), (202, "CancelRequested"));
    mall
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_stands_when_customs_rejects_the_goods_brings_no_money_back() {
    let mall = wished_while_customs_decides().await;
    assert_eq!(mall.put("/deliveries/1/rejectcustoms").await.status, 200);
    mall.until("/orders/1", "orderStatus", "Canceled").await;
    mall.start("shipping").await;
    mall.settle().await;
    Mall::shows(&mall.get("/orders/1").await.body, &json!({ "orderStatus": "Canceled", "reason": "customs" }));
    assert_eq!(mall.cancel(1).await.no(), (409, "forfeited"));
    assert_eq!(mall.get("/shippings/1").await.text("shippingStatus"), "ShippingCompleted", "nothing was held");
    assert_eq!(mall.money(1), BACK[..1]);
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_stands_when_customs_lets_the_goods_in_is_refused_and_they_go_on() {
    let mall = wished_while_customs_decides().await;
    assert_eq!(mall.put("/deliveries/1/approvecustoms").await.status, 200);
    mall.start("shipping").await;
    mall.settle().await;
    assert_eq!(mall.get("/orders/1").await.text("orderStatus"), "Ordered");
    assert_eq!(mall.cancel(1).await.no(), (409, "already-shipped"));
    assert_eq!(mall.go("/deliveries", 1, "completedelivery").await.status, 200);
    Mall::shows(&mall.view(1).await, &json!({ "orderStatus": "Ordered", "payStatus": "Paid", "isCustomsApproved": true }));
    assert_eq!(mall.money(1), BACK[..1]);
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_stands_is_refused_by_itself_once_the_parcel_has_left() {
    let mall = Mall::new().await;
    let number = mall.order().await;
    mall.stop("shipping").await;
    mall.put("/shopManagements/1/acceptorder").await;
    assert_eq!(mall.cancel(number).await.status, 202);
    mall.start("shipping").await;
    mall.settle().await;
    Mall::shows(&mall.view(1).await, &json!({ "orderStatus": "Ordered", "payStatus": "Paid", "shopStatus": "Accepted" }));
    assert_eq!(mall.said("order", number).await[2..], ["CancelRequested", "CancelRefused"]);
    assert_eq!(mall.money(number), [(Entry::Charge, 20_000)]);
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_stands_is_answered_409_when_the_shop_turns_the_order_down_meanwhile() {
    let mall = Mall::new().await;
    let number = mall.order().await;
    mall.stop("shipping").await;
    let owner = async {
        mall.until("/orders/1", "orderStatus", "CancelRequested").await;
        mall.put("/shopManagements/1/rejectorder").await
    };
    let (waits, owner) = join(mall.cancel(number), owner).await;
    assert_eq!((waits.no(), owner.status), ((409, "turned-down"), 200));
    mall.start("shipping").await;
    mall.settle().await;
    Mall::shows(&mall.view(1).await, &json!({ "orderStatus": "Rejected", "payStatus": "Refunded", "shopStatus": "Rejected" }));
    assert_eq!(mall.money(number), BACK);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_edited_to_canceled_is_a_wish_to_cancel_and_to_anything_else_makes_no_sense() {
    let mall = Mall::new().await;
    let number = mall.order().await;
    let refused = mall.write("PATCH", "/orders/1", json!({ "orderStatus": "Shipped" })).await;
    assert_eq!((refused.status, refused.text("field")), (422, "orderStatus"));
    let cancelled = mall.write("PATCH", "/orders/1", json!({ "orderStatus": "Canceled" })).await;
    assert_eq!((cancelled.status, cancelled.text("orderStatus")), (200, "Canceled"));
    mall.settle().await;
    assert_eq!(mall.money(number), BACK);
}

#[tokio::test(start_paused = true)]
async fn while_the_provider_is_silent_a_cancelled_order_is_paid_back_later_all_the_same() {
    let mall = Mall::new().await;
    let number = mall.order().await;
    mall.outage();
    assert_eq!(mall.cancel(number).await.status, 200);
    mall.until("/payments/1", "paystatus", "Refunding").await;
    mall.kill("pay");
    mall.well();
    mall.start("pay").await;
    mall.settle().await;
    assert_eq!(mall.money(number), BACK);
    assert_eq!(mall.said("pay", number).await, ["OrderPaid", "RefundStarted", "PaymentCanceled"]);
}
