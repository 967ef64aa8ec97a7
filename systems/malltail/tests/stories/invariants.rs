//! What holds of every order of the mall: at any time, and once everything has settled.
use crate::shopping::Shopping;
use jumun_malltail::provider::Entry;
use jumun_sim::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const OVER: [&str; 3] = ["Canceled", "PaymentFailed", "Rejected"];
/// Statuses of a payment whose money is not kept.
const NOTHING_KEPT: [&str; 3] = ["Refunded", "Voided", "Declined"];

/// The durable state of all contexts, by order.
struct Books {
    orders: BTreeMap<u64, Value>,
    payments: BTreeMap<u64, Value>,
    shop: BTreeMap<u64, Value>,
    shippings: BTreeMap<u64, Value>,
    deliveries: BTreeMap<u64, Value>,
}
/// One order, as each context has it; empty text where it has nothing.
#[derive(Debug)]
struct Case<'a> {
    order: &'a str,
    reason: &'a str,
    /// What order knows of the parcel.
    noted: &'a str,
    payment: &'a str,
    shop: &'a str,
    shipping: &'a str,
    customs: &'a str,
    delivery: &'a str,
}

impl Books {
    fn of(world: &World) -> Self {
        Books {
            orders: world.bodies("order", "order"),
            payments: world.bodies("pay", "payment"),
            shop: world.bodies("shop", "shopManagement"),
            shippings: world.bodies("shipping", "shipping"),
            deliveries: world.bodies("delivery", "delivery"),
        }
    }
    fn case(&self, number: u64) -> Case<'_> {
        let Books { orders, payments, shop, shippings, deliveries } = self;
        Case {
            order: field(orders, number, "orderStatus"),
            reason: field(orders, number, "reason"),
            noted: field(orders, number, "deliveryStatus"),
            payment: field(payments, number, "paystatus"),
            shop: field(shop, number, "deliveryStatus"),
            shipping: field(shippings, number, "shippingStatus"),
            customs: field(deliveries, number, "customsStatus"),
            delivery: field(deliveries, number, "deliveryStatus"),
        }
    }
}
fn field<'a>(rows: &'a BTreeMap<u64, Value>, number: u64, field: &str) -> &'a str {
    rows.get(&number).and_then(|row| row[field].as_str()).unwrap_or_default()
}

impl Case<'_> {
    fn has_left(&self) -> bool {
        matches!(self.shipping, "ShippingStarted" | "ShippingCompleted")
    }
    /// Whether what somebody was told is still so.
    fn stands_to(&self, told: &str) -> bool {
        match told {
            "place" => !matches!(self.order, "PaymentPending" | "PaymentFailed"),
            "cancel" => (self.order, self.reason) == ("Canceled", "customer"),
            "acceptorder" => matches!(self.shop, "Accepted" | "Canceled"),
            "rejectorder" => self.shop == "Rejected",
            "completeshipping" => self.shipping == "ShippingCompleted",
            "approvecustoms" => self.customs == "Approved",
            "rejectcustoms" => (self.customs, self.delivery) == ("Rejected", "Discarded"),
            "completedelivery" => self.delivery == "DeliveryCompleted",
            other => panic!("nobody is ever told {other}"),
        }
    }
    /// What can not be at any time, whoever has not heard of it yet.
    fn impossible(&self, given_back: bool) -> Option<&'static str> {
        [
            (given_back && self.has_left(), "money was given back for what was shipped"),
            (self.has_left() && !matches!(self.shop, "Accepted"), "what the shop did not accept has left"),
            (!self.delivery.is_empty() && self.customs == "Waiting", "customs has not decided, and it goes on"),
            (!self.customs.is_empty() && self.shipping != "ShippingCompleted", "it is at customs before it is at the forwarder"),
            (self.reason == "customs" && self.customs != "Rejected", "it was forfeited, and customs knows nothing of it"),
            (self.order == "Rejected" && self.shop != "Rejected", "it was turned down, and the shop knows nothing of it"),
            (!self.noted.is_empty() && !self.has_left(), "it was noted as shipped, and shipping knows nothing of it"),
        ]
        .into_iter()
        .find_map(|(is_so, what)| is_so.then_some(what))
    }
    /// Whether all contexts agree, once they have heard of each other.
    fn agrees(&self, kept: u64, amount: u64) -> bool {
        let gone = NOTHING_KEPT.contains(&self.payment) && kept == 0 && !self.has_left();
        let stays = self.payment == "Paid" && kept == amount;
        // accepted is what has left; what the owner accepted in vain says so
        let shipped = (self.shop == "Accepted") == self.has_left() && self.has_left() != self.noted.is_empty();
        let arrived = self.customs.is_empty() == (self.shipping != "ShippingCompleted");
        let fits = match (self.order, self.reason) {
            ("Ordered", _) => {
                stays
                    && shipped
                    && matches!(self.shop, "Ready" | "Accepted")
                    && self.shipping != "Held"
                    && self.customs != "Rejected"
            }
            ("Canceled", "customs") => stays && self.shop == "Accepted" && self.delivery == "Discarded",
            ("Canceled", "customer") => gone && matches!(self.shop, "Canceled" | "Rejected"),
            ("Rejected", _) => gone && self.payment == "Refunded" && self.shop == "Rejected",
            ("PaymentFailed", _) => gone && matches!(self.shop, "" | "Awaited"),
            _ => false,
        };
        fits && arrived
    }
    /// The row that the view has to show.
    fn row(&self) -> Value {
        let known = |status: &str| if status.is_empty() { Value::Null } else { json!(status) };
        let shop = if self.shop == "Awaited" { "" } else { self.shop };
        let furthest = [self.delivery, self.shipping, shop].into_iter().find(|status| !status.is_empty()).unwrap_or_default();
        let approved = match self.customs {
            "Approved" => json!(true),
            "Rejected" => json!(false),
            _ => Value::Null,
        };
        json!({
            "orderStatus": known(self.order), "payStatus": known(self.payment), "shopStatus": known(shop),
            "deliveryStatus": known(furthest), "isShipped": self.shipping == "ShippingCompleted",
            "customsStatus": known(self.customs), "isCustomsApproved": approved, "isCoutomsApproved": approved,
        })
    }
}

pub(crate) fn always(story: &Shopping, world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let books = Books::of(world);
    for (key, numbers) in &*story.placed.borrow() {
        if numbers.len() > 1 {
            wrong.push(format!("{key} was placed more than once: {numbers:?}"));
        }
        let lost = numbers.iter().filter(|number| !books.orders.contains_key(number));
        wrong.extend(lost.map(|number| format!("order {number} was acknowledged and is lost")));
    }
    for (number, told) in &*story.told.borrow() {
        let case = books.case(*number);
        if !case.stands_to(told) {
            wrong.push(format!("order {number}: somebody was told that {told} is done, but {case:?}"));
        }
    }
    for &number in books.orders.keys() {
        let case = books.case(number);
        let now = format!("{} {}", case.order, case.reason);
        let mut over = story.over.borrow_mut();
        if let Some(was) = over.get(&number).filter(|was| **was != now) {
            wrong.push(format!("order {number} was over ({was}), and is {now}"));
        }
        if OVER.contains(&case.order) {
            over.insert(number, now);
        }
        let money = story.money(number);
        let given_back = matches!(case.payment, "Refunded" | "Voided") || money.contains_key(&Entry::Refund);
        wrong.extend(case.impossible(given_back).map(|what| format!("order {number}: {what}: {case:?}, {money:?}")));
    }
    for (&number, payment) in &books.payments {
        let money = story.money(number);
        let (charged, refunded) = (money.get(&Entry::Charge), money.get(&Entry::Refund));
        if refunded.is_some() && refunded != charged {
            wrong.push(format!("order {number}: {charged:?} charged, {refunded:?} refunded"));
        }
        if charged.is_some_and(|charged| payment["amount"] != 0 && payment["amount"] != *charged) {
            wrong.push(format!("order {number}: {charged:?} charged of {payment}"));
        }
        let fits = match books.case(number).payment {
            "Paid" => charged.is_some() && refunded.is_none(),
            "Refunding" => charged.is_some(),
            "Refunded" => refunded.is_some(),
            "Voided" | "Declined" => charged.is_none(),
            _ => true,
        };
        if !fits {
            wrong.push(format!("payment {number} is {payment}, but the provider says {money:?}"));
        }
    }
    wrong
}

/// Facts of one order of which at most one is ever said.
const EXCLUSIVE: [&[&str]; 5] = [
    &["shop OrderDeliveryStarted", "shop OrderRejected"],
    &["shipping ShippingStarted", "shipping ShippingHeld"],
    &["delivery DeliveryStarted", "delivery CustomsRejected"],
    &["order OrderCanceled", "order OrderPaymentFailed", "order OrderTurnedDown"],
    &["pay PaymentCanceled", "pay PaymentVoided", "pay PaymentDeclined", "shipping ShippingStarted"],
];

pub(crate) fn settled(story: &Shopping, world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let (books, views) = (Books::of(world), world.bodies("viewPage", "statusViews"));
    for (&number, order) in &books.orders {
        let (case, money) = (books.case(number), story.money(number));
        let kept = money.get(&Entry::Charge).unwrap_or(&0) - money.get(&Entry::Refund).unwrap_or(&0);
        if !case.agrees(kept, order["amount"].as_u64().unwrap_or_default()) {
            wrong.push(format!("order {number} has settled as {case:?}, {money:?}"));
        }
        story.fates.count([case.order, case.reason, case.shop, case.delivery].join(" ").trim().to_owned());
        let row = case.row();
        let shown = |field: &String| views.get(&number).map_or(&Value::Null, |view| &view[field]);
        for (field, value) in row.as_object().into_iter().flatten().filter(|(field, value)| shown(field) != *value) {
            wrong.push(format!("order {number} is shown with {field} {}, and that is {value}", shown(field)));
        }
        let said = world.story(&format!("order/{number}"));
        let mut once = said.clone();
        once.sort_unstable();
        once.dedup();
        // the provider may ask the customer for something again
        let again = |fact: &&String| !fact.ends_with("PaymentRequested") && !fact.ends_with("PaymentAwaited");
        if said.iter().filter(again).count() != once.iter().filter(again).count() {
            wrong.push(format!("order {number}: something was said more than once: {said:?}"));
        }
        for facts in EXCLUSIVE {
            if said.iter().filter(|fact| facts.contains(&fact.as_str())).count() > 1 {
                wrong.push(format!("order {number}: of {facts:?} more than one was said: {said:?}"));
            }
        }
    }
    let others = [&books.payments, &books.shop, &books.shippings, &books.deliveries].into_iter().flat_map(BTreeMap::keys);
    wrong.extend(others.filter(|number| !books.orders.contains_key(number)).map(|number| format!("there is no order {number}")));
    wrong
}
