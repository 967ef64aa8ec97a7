//! What went wrong in the predecessors, and does not here. `docs/predecessors.md` says which bug is whose.
use crate::mall::Mall;
use futures_util::future::{join, join_all};
use jumun_malltail::provider::{Dial, Entry};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

const CONTEXTS: [&str; 5] = ["order", "pay", "shop", "shipping", "delivery"];
const ROWS: [&str; 6] = ["/orders", "/payments", "/shopManagements", "/shippings", "/deliveries", "/statusViews"];

/// One order of each fate: delivered, turned down, stopped at customs, cancelled.
async fn four_fates(mall: &Mall) {
    for _ in 0..4 {
        mall.order().await;
    }
    mall.to_customs(1).await;
    mall.go("/deliveries", 1, "approvecustoms").await;
    mall.go("/deliveries", 1, "completedelivery").await;
    mall.go("/shopManagements", 2, "rejectorder").await;
    mall.to_customs(3).await;
    mall.go("/deliveries", 3, "rejectcustoms").await;
    mall.cancel(4).await;
    mall.settle().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_about_one_parcel_is_not_answered_about_another() {
    let mall = Mall::new().await;
    let (stays, leaves) = (mall.order().await, mall.order().await);
    mall.accept(leaves).await;
    assert_eq!(mall.cancel(leaves).await.no(), (409, "already-shipped"));
    assert_eq!(mall.cancel(stays).await.status, 200);
    mall.settle().await;
    assert_eq!(
        (mall.said("shipping", stays).await, mall.said("shipping", leaves).await),
        (vec!["ShippingHeld".to_owned()], vec!["ShippingStarted".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_cancels_is_paid_back_and_nobody_else() {
    let mall = Mall::new().await;
    // the payments are made in another order than the orders
    mall.dial(Dial { latency_ms: 50, jitter_ms: 400, ..Dial::default() });
    let placed = join_all((1..=8).map(|qty| mall.post(json!({ "itemNo": 1, "qty": qty })))).await;
    mall.settle().await;
    let paid: Vec<_> = mall.journal("pay").await.iter().map(|fact| fact.case.number).collect();
    assert!(!paid.is_sorted(), "the payments came in the order of the orders, so this shows nothing: {paid:?}");
    let (back, stand): (Vec<u64>, Vec<u64>) = placed.iter().map(|order| order.number()).partition(|number| number % 2 == 0);
    join_all(back.iter().map(|number| mall.cancel(*number))).await;
    mall.settle().await;
    for order in &placed {
        let (number, amount) = (order.number(), order.body["amount"].as_u64().unwrap());
        let mut wanted = vec![(Entry::Charge, amount)];
        wanted.extend(back.contains(&number).then_some((Entry::Refund, amount)));
        assert_eq!(mall.money(number), wanted, "order {number}");
        let view = json!({ "orderNo": number, "amount": amount, "payStatus": if stand.contains(&number) { "Paid" } else { "Refunded" } });
        Mall::shows(&mall.view(number).await, &view);
    }
}

#[tokio::test(start_paused = true)]
async fn of_facts_that_exclude_each_other_only_one_is_said_and_each_after_what_it_follows_from() {
    let mall = Mall::new().await;
    four_fates(&mall).await;
    let mut said = BTreeMap::new();
    for context in &CONTEXTS[2..] {
        for number in 1..=4 {
            let facts = mall.said(context, number).await;
            said.insert(
                (*context, number),
                facts.into_iter().filter(|fact| !fact.ends_with("Seen")).collect::<Vec<_>>().join(" "),
            );
        }
    }
    let of = |context: &'static str| [1, 2, 3, 4].map(|number| said[&(context, number)].clone());
    let began = "OrderListed OrderDeliveryStarted";
    assert_eq!(of("shop"), [began, "OrderListed OrderRejected", began, "OrderListed OrderWithdrawn"]);
    let shipped = "ShippingStarted ShippingCompleted";
    assert_eq!(of("shipping"), [shipped, "", shipped, "ShippingHeld"]);
    assert_eq!(of("delivery"), ["CustomsAwaited DeliveryStarted DeliveryCompleted", "", "CustomsAwaited CustomsRejected", ""]);
}

#[tokio::test(start_paused = true)]
async fn every_fact_names_its_order_itself_and_what_led_to_it() {
    let mall = Mall::new().await;
    four_fates(&mall).await;
    let (mut ids, mut causes) = (BTreeSet::new(), BTreeMap::new());
    for context in CONTEXTS {
        for fact in mall.journal(context).await {
            let body: Value = serde_json::from_str(&fact.body).unwrap();
            assert_eq!((&body["orderNo"], &body["eventType"]), (&json!(fact.case.number), &json!(*fact.name)), "{body}");
            assert_eq!((body.get("me"), fact.case.root.as_ref()), (None, "order"));
            assert!(ids.insert(fact.id()), "{} is there twice", fact.id());
            causes.insert(fact.id(), fact.cause);
        }
    }
    for (fact, cause) in [
        ("shop/shopManagement/1@1", "pay/payment/1@1"),
        ("shipping/shipping/1@1", "shop/shopManagement/1@4"),
        ("delivery/delivery/1@1", "shipping/shipping/1@2"),
        ("order/order/2@3", "shop/shopManagement/2@4"),
        ("pay/payment/2@2", "order/order/2@3"),
        ("order/order/3@4", "delivery/delivery/3@2"),
        ("pay/payment/4@2", "order/order/4@4"),
    ] {
        assert_eq!(causes[fact].as_deref(), Some(cause), "{fact}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_changes_the_row_of_that_order_alone_and_the_row_stays() {
    let mall = Mall::new().await;
    for _ in 0..3 {
        mall.order().await;
    }
    let before = [mall.view(1).await, mall.view(3).await];
    mall.cancel(2).await;
    mall.settle().await;
    assert_eq!([mall.view(1).await, mall.view(3).await], before);
    Mall::shows(&mall.view(2).await, &json!({ "orderNo": 2, "orderStatus": "Canceled", "customerName": "Kim", "qty": 2 }));
    for rows in ROWS.iter().filter(|rows| **rows != "/deliveries") {
        assert_eq!(mall.get(&format!("{rows}/2")).await.status, 200, "what is cancelled stays visible at {rows}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_is_heard_of_before_its_order_stands_is_shown_all_the_same() {
    let mall = Mall::new().await;
    mall.dial(Dial { latency_ms: 300, ..Dial::default() });
    let dies = async {
        mall.until("/orders/1", "orderStatus", "PaymentPending").await;
        mall.kill("order");
    };
    join(mall.post(json!({ "itemNo": 1 })), dies).await;
    mall.until("/statusViews/1", "payStatus", "Paid").await;
    Mall::shows(&mall.view(1).await, &json!({ "orderStatus": "PaymentPending", "shopStatus": null }));
    mall.start("order").await;
    mall.settle().await;
    Mall::shows(&mall.view(1).await, &json!({ "orderStatus": "Ordered", "payStatus": "Paid", "shopStatus": "Ready" }));
    // the charge whose order had died was asked for again, and taken once
    assert_eq!(mall.money(1), [(Entry::Charge, 10_000)]);
}

#[tokio::test(start_paused = true)]
async fn whatever_is_done_or_delivered_twice_has_one_effect() {
    let mall = Mall::new().await;
    let twice = || async {
        let head = [("content-type", "application/json"), ("idempotency-key", "kims-order")];
        mall.send("POST", "/orders", &head, json!({ "itemNo": 1 }).to_string().into()).await
    };
    let (one, other) = join(twice(), twice()).await;
    assert_eq!((one.status, other.status, one.number(), other.number()), (201, 201, 1, 1));
    mall.settle().await;
    mall.to_customs(1).await;
    let cancelled = mall.order().await;
    for _ in 0..3 {
        mall.cancel(cancelled).await;
    }
    mall.settle().await;
    let journals = || async { join_all(CONTEXTS.map(|context| mall.journal(context))).await.concat() };
    let before = journals().await;
    // a process that dies forgets how far it had read, as far as that was not saved; it is told again
    for context in ["order", "pay", "shop", "shipping", "delivery", "viewPage"] {
        mall.kill(context);
        mall.start(context).await;
    }
    mall.settle().await;
    assert_eq!(journals().await.len(), before.len());
    let said = mall.said("order", cancelled).await;
    assert_eq!(said, ["OrderRequested", "Ordered", "CancelRequested", "OrderCanceled"]);
}

#[tokio::test(start_paused = true)]
async fn while_pay_is_slow_order_stops_asking_it_and_says_at_once_that_it_is_paid_a_little_later() {
    let mall = Mall::new().await;
    mall.dial(Dial { latency_ms: 700, ..Dial::default() });
    assert_eq!(mall.lines("order"), ["pay closed", "shipping closed"]);
    let orders = join_all((0..20).map(|_| mall.post(json!({ "itemNo": 1 })))).await;
    assert!(orders.iter().all(|order| order.status == 201), "slow, and taken");
    assert_eq!(mall.lines("order"), ["pay open", "shipping closed"]);
    let before = mall.elapsed();
    let taken = mall.post(json!({ "itemNo": 1 })).await;
    assert_eq!((taken.status, taken.text("orderStatus")), (202, "PaymentPending"));
    assert!(mall.elapsed() - before <= Duration::from_secs(2), "{:?}", mall.elapsed() - before);
    mall.well();
    mall.settle().await;
    assert_eq!(mall.view(21).await["orderStatus"], "Ordered");
}

#[tokio::test(start_paused = true)]
async fn a_client_sets_no_state_and_no_key() {
    let mall = Mall::new().await;
    let wishes = json!({
        "itemNo": 1, "id": 77, "orderNo": 77, "orderStatus": "Canceled", "deliveryStatus": "ShippingStarted", "reason": "customs",
        "createDate": "1999-01-01T00:00:00Z", "paystatus": "Paid", "amount": 1,
    });
    let placed = mall.post(wishes).await;
    Mall::shows(
        &placed.body,
        &json!({ "id": 1, "orderStatus": "Ordered", "deliveryStatus": null, "reason": null, "amount": 10_000 }),
    );
    assert!(placed.text("createDate").starts_with("2026-12-31"));
    let whole = mall.write("PUT", "/shopManagements/1", json!({ "deliveryStatus": "Accepted" })).await;
    assert_eq!(whole.status, 405);
    mall.settle().await;
    assert_eq!(mall.get("/shopManagements/1").await.text("deliveryStatus"), "Ready");
}

#[tokio::test(start_paused = true)]
async fn a_phone_number_keeps_its_zeros_all_the_way_to_the_courier() {
    let mall = Mall::new().await;
    for (sent, kept) in
        [(json!("010-0012-0034"), "010-0012-0034"), (json!("0212345678"), "0212345678"), (json!(1_012_345_678), "1012345678")]
    {
        let placed = mall.post(json!({ "itemNo": 1, "phoneNumber": sent })).await;
        mall.settle().await;
        mall.to_customs(placed.number()).await;
        for rows in ["/orders", "/shopManagements", "/shippings", "/deliveries"] {
            assert_eq!(mall.get(&format!("{rows}/{}", placed.number())).await.text("phoneNumber"), kept, "{rows}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_is_null_and_never_a_text_that_says_so() {
    let mall = Mall::new().await;
    four_fates(&mall).await;
    mall.post(json!({ "itemNo": 1 })).await;
    mall.settle().await;
    Mall::shows(
        &mall.view(5).await,
        &json!({ "transportNo": null, "invoiceNo": null, "customerName": null, "deliveryStatus": "Ready" }),
    );
    for rows in ROWS {
        for number in 1..=5 {
            let row = mall.get(&format!("{rows}/{number}")).await.body.to_string();
            assert!(!row.contains("\"null\"") && !row.contains("\"\""), "{row}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_provider_is_slow_nobody_else_waits_for_it() {
    let mall = Mall::new().await;
    let number = mall.order().await;
    mall.dial(Dial { latency_ms: 700, ..Dial::default() });
    let others = async {
        mall.until("/orders/2", "orderStatus", "PaymentPending").await;
        let before = mall.elapsed();
        assert_eq!(mall.put("/shopManagements/1/acceptorder").await.status, 200);
        assert_eq!(mall.get(&format!("/payments/{number}")).await.status, 200);
        assert_eq!(mall.cancel(2).await.status, 200, "not even the very order");
        mall.elapsed() - before
    };
    let (placed, took) = join(mall.post(json!({ "itemNo": 1 })), others).await;
    assert!(took < Duration::from_millis(100), "{took:?}");
    assert_eq!(placed.no(), (409, "canceled"));
}

#[tokio::test(start_paused = true)]
async fn a_moment_is_utc_to_the_millisecond_also_around_new_year() {
    let mall = Mall::new().await;
    let old = mall.post(json!({ "itemNo": 1 })).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let new = mall.post(json!({ "itemNo": 1 })).await;
    for (order, begins) in [(&old, "2026-12-31T23:59:59."), (&new, "2027-01-01T00:00:01.")] {
        let date = order.text("createDate");
        assert!(date.starts_with(begins) && date.ends_with('Z') && date.len() == 24, "{date}");
        mall.settle().await;
        for rows in ["/shopManagements", "/statusViews"] {
            assert_eq!(mall.get(&format!("{rows}/{}", order.number())).await.text("createDate"), date);
        }
    }
}

#[test]
fn the_page_about_the_predecessors_names_every_bug_and_only_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap_or_else(|why| panic!("{file}: {why}"));
    let page = read("docs/predecessors.md");
    let bugs = (1..=19).map(|bug| format!("MT-{bug:02}")).chain((1..=17).map(|bug| format!("X-{bug:02}")));
    for bug in bugs {
        assert_eq!(page.matches(&format!("| {bug} |")).count(), 1, "{bug}");
    }
    let named: Vec<_> = page.split("[`").skip(1).filter_map(|rest| rest.split_once(')')).collect();
    assert!(named.len() > 36, "each bug has a test but one");
    for (link, _) in named {
        let (name, file) = link.split_once("`](../").unwrap_or_else(|| panic!("{link} is no link to a test"));
        let source = read(file);
        assert!(["fn", "def"].iter().any(|word| source.contains(&format!("{word} {name}("))), "{file} has no {name}");
    }
}
