//! One row per order; each field is fed by one context alone, but for what is derived of several.
use crate::contract::{delivery, order, pay, shipping, shop};
use jumun_model::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusView {
    pub order_no: u64,
    pub customer_id: Option<String>,
    pub customer_name: Option<Personal<String>>,
    pub item_no: Option<u64>,
    pub qty: Option<u64>,
    pub amount: Option<Won>,
    pub create_date: Option<Timestamp>,
    pub update_date: Option<Timestamp>,
    pub order_status: Option<String>,
    pub pay_status: Option<String>,
    pub shop_status: Option<String>,
    /// Delivery's word, or else shipping's, or else the shop's.
    pub delivery_status: Option<String>,
    pub transport_no: Option<String>,
    pub is_shipped: bool,
    pub customs_status: Option<String>,
    pub is_customs_approved: Option<bool>,
    /// The same, as clients have known it from the beginning.
    pub is_coutoms_approved: Option<bool>,
    pub invoice_no: Option<String>,
    pub last_event: Option<String>,
    rule: Rule,
}
/// What only the rule needs: of what the derived fields are made.
#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Rule {
    /// Who said the last event.
    last: String,
    shipping: Option<String>,
    delivery: Option<String>,
}
impl View for StatusView {
    const NAME: &'static str = "statusViews";
    const KEYS: &'static [&'static str] = &["orderNo", "customerId", "deliveryStatus"];
    const ROOT: Option<&'static str> = Some("order");
}

impl StatusView {
    /// The latest by time, whoever said it. At the same moment the context decides, and of what one context said the later.
    fn latest<E: Event>(&mut self, on: &Occasion, event: &E) {
        self.order_no = on.case.number;
        if (Some(on.at), E::CONTEXT) >= (self.update_date, &self.rule.last) {
            (self.update_date, self.last_event) = (Some(on.at), Some(event.name().to_owned()));
            E::CONTEXT.clone_into(&mut self.rule.last);
        }
    }
    fn derive(&mut self) {
        let [delivery, shipping] = [&self.rule.delivery, &self.rule.shipping];
        self.delivery_status = delivery.as_ref().or(shipping.as_ref()).or(self.shop_status.as_ref()).cloned();
    }
    fn customs(&mut self, status: &str, approved: Option<bool>) {
        self.customs_status = Some(status.to_owned());
        (self.is_customs_approved, self.is_coutoms_approved) = (approved, approved);
    }
}

impl Follows<order::Event> for StatusView {
    fn follow(&mut self, on: &Occasion, event: &order::Event) {
        use order::Event::*;
        self.latest(on, event);
        let status = match event {
            PaymentAwaited { .. } => "PaymentPending",
            OrderRequested { item_no, qty, amount, customer, create_date, .. } => {
                (self.item_no, self.qty, self.amount) = (Some(*item_no), Some(*qty), Some(*amount));
                (self.customer_id, self.customer_name) = (customer.customer_id.clone(), customer.customer_name.clone());
                self.create_date = Some(*create_date);
                "PaymentPending"
            }
            Ordered { .. } | CancelRefused { .. } | ShippingNoted { .. } => "Ordered",
            OrderPaymentFailed { .. } => "PaymentFailed",
            CancelRequested { .. } => "CancelRequested",
            OrderCanceled { .. } => "Canceled",
            OrderTurnedDown { .. } => "Rejected",
        };
        self.order_status = Some(status.to_owned());
    }
}
impl Follows<pay::Event> for StatusView {
    fn follow(&mut self, on: &Occasion, event: &pay::Event) {
        use pay::Event::*;
        self.latest(on, event);
        self.pay_status = Some(
            match event {
                PaymentRequested { .. } => "Requested",
                OrderPaid { .. } => "Paid",
                PaymentDeclined { .. } => "Declined",
                VoidStarted { .. } => "Voiding",
                RefundStarted { .. } => "Refunding",
                PaymentVoided { .. } => "Voided",
                PaymentCanceled { .. } => "Refunded",
            }
            .to_owned(),
        );
    }
}
impl Follows<shop::Event> for StatusView {
    fn follow(&mut self, on: &Occasion, event: &shop::Event) {
        use shop::Event::*;
        self.latest(on, event);
        let status = match event {
            PaidSeen { .. } | EstablishedSeen { .. } => return,
            OrderListed { .. } => "Ready",
            OrderDeliveryStarted { .. } => "Accepted",
            OrderRejected { .. } => "Rejected",
            OrderWithdrawn { .. } => "Canceled",
        };
        self.shop_status = Some(status.to_owned());
        self.derive();
    }
}
impl Follows<shipping::Event> for StatusView {
    fn follow(&mut self, on: &Occasion, event: &shipping::Event) {
        use shipping::Event::*;
        self.latest(on, event);
        let status = match event {
            ShippingStarted { transport_no, .. } => {
                self.transport_no = Some(transport_no.clone());
                "ShippingStarted"
            }
            ShippingCompleted { .. } => {
                self.is_shipped = true;
                "ShippingCompleted"
            }
            ShippingHeld { .. } => "Held",
        };
        self.rule.shipping = Some(status.to_owned());
        self.derive();
    }
}
impl Follows<delivery::Event> for StatusView {
    fn follow(&mut self, on: &Occasion, event: &delivery::Event) {
        use delivery::Event::*;
        self.latest(on, event);
        let status = match event {
            CustomsAwaited { .. } => return self.customs("Waiting", None),
            CustomsRejected { .. } => {
                self.customs("Rejected", Some(false));
                "Discarded"
            }
            DeliveryStarted { invoice_no, .. } => {
                self.customs("Approved", Some(true));
                self.invoice_no = Some(invoice_no.clone());
                "DeliveryStarted"
            }
            DeliveryCompleted { .. } => "DeliveryCompleted",
        };
        self.rule.delivery = Some(status.to_owned());
        self.derive();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{contract::order::Reason, samples};
    use jumun_testkit::{NOON, covers, interleavings};
    use serde_json::{Value, json};
    use std::{collections::BTreeSet, time::Duration};

    /// A fact of one of the contexts, and how many seconds after noon it was said.
    #[derive(Clone, Debug)]
    enum Said {
        Order(u64, order::Event),
        Pay(u64, pay::Event),
        Shop(u64, shop::Event),
        Shipping(u64, shipping::Event),
        Delivery(u64, delivery::Event),
    }
    use Said::*;

    fn follow<'f>(facts: impl IntoIterator<Item = &'f Said>) -> StatusView {
        let (case, by) = (Case::new("order", 7), Caller::system());
        let mut row = StatusView::default();
        for fact in facts {
            let at = |seconds: &u64| Occasion::new(&case, NOON + Duration::from_secs(*seconds), &by);
            match fact {
                Order(seconds, event) => row.follow(&at(seconds), event),
                Pay(seconds, event) => row.follow(&at(seconds), event),
                Shop(seconds, event) => row.follow(&at(seconds), event),
                Shipping(seconds, event) => row.follow(&at(seconds), event),
                Delivery(seconds, event) => row.follow(&at(seconds), event),
            }
        }
        row
    }
    /// What each context can say; private facts are nobody else's business.
    fn order_says() -> Vec<Said> {
        samples::order().into_iter().filter(Event::is_public).map(|fact| Order(0, fact)).collect()
    }
    fn pay_says() -> Vec<Said> {
        samples::pay().into_iter().filter(Event::is_public).map(|fact| Pay(0, fact)).collect()
    }
    fn shop_says() -> Vec<Said> {
        samples::shop().into_iter().filter(Event::is_public).map(|fact| Shop(0, fact)).collect()
    }
    fn shipping_says() -> Vec<Said> {
        samples::shipping().into_iter().map(|fact| Shipping(0, fact)).collect()
    }
    fn delivery_says() -> Vec<Said> {
        samples::delivery().into_iter().map(|fact| Delivery(0, fact)).collect()
    }
    /// What a row shows of one field after each of these facts alone.
    fn shows(field: &str, facts: Vec<Said>) -> Vec<String> {
        let show = |fact| serde_json::to_value(follow(&[fact])).unwrap()[field].to_string().replace('"', "");
        facts.into_iter().map(show).collect()
    }

    #[test]
    fn each_fact_shows_in_the_status_of_whoever_says_it() {
        covers(samples::order().iter().map(Event::name), order::Event::NAMES);
        let orders = ["PaymentPending", "Ordered", "PaymentFailed", "PaymentFailed", "CancelRequested", "Ordered", "Rejected"];
        assert_eq!(shows("orderStatus", order_says()), [&orders[..], &["Canceled", "Canceled"]].concat());
        covers(samples::pay().iter().map(Event::name), pay::Event::NAMES);
        assert_eq!(shows("payStatus", pay_says()), ["Requested", "Paid", "Declined", "Voided", "Refunded"]);
        covers(samples::shop().iter().map(Event::name), shop::Event::NAMES);
        let shop = ["Ready", "Accepted", "Rejected", "Rejected", "Canceled"];
        assert_eq!(shows("shopStatus", shop_says()), shop);
        assert_eq!(shows("deliveryStatus", shop_says()), shop);
        covers(samples::shipping().iter().map(Event::name), shipping::Event::NAMES);
        assert_eq!(shows("deliveryStatus", shipping_says()), ["ShippingStarted", "ShippingCompleted", "Held"]);
        assert_eq!(shows("transportNo", shipping_says()), ["T-7", "null", "null"]);
        assert_eq!(shows("isShipped", shipping_says()), ["false", "true", "false"]);
        covers(samples::delivery().iter().map(Event::name), delivery::Event::NAMES);
        assert_eq!(shows("customsStatus", delivery_says()), ["Waiting", "Rejected", "Approved", "null"]);
        assert_eq!(shows("deliveryStatus", delivery_says()), ["null", "Discarded", "DeliveryStarted", "DeliveryCompleted"]);
        assert_eq!(shows("invoiceNo", delivery_says()), ["null", "null", "I-7", "null"]);
        for field in ["isCustomsApproved", "isCoutomsApproved"] {
            assert_eq!(shows(field, delivery_says()), ["null", "false", "true", "null"]);
        }
    }

    /// The fields of a row in which any of these facts, alone on it, shows; but for those in which every fact does.
    fn own(facts: Vec<Said>) -> Vec<String> {
        let fields = |row: StatusView| -> Vec<(String, Value)> {
            let Value::Object(fields) = serde_json::to_value(row).unwrap() else { panic!("a row is an object") };
            fields.into_iter().collect()
        };
        let none = fields(StatusView::default());
        let shows = |fact| {
            fields(follow(&[fact])).into_iter().filter(|field| !none.contains(field)).map(|(key, _)| key).collect::<Vec<_>>()
        };
        let seen: BTreeSet<_> = facts.into_iter().flat_map(shows).collect();
        let common = ["lastEvent", "orderNo", "updateDate", hidden()];
        seen.into_iter().filter(|field| !common.contains(&field.as_str())).collect()
    }

    #[test]
    fn each_field_is_fed_by_one_context_but_for_what_is_the_latest_of_all() {
        let order = ["amount", "createDate", "customerId", "customerName", "itemNo", "orderStatus", "qty"];
        assert_eq!(own(order_says()), order);
        assert_eq!(own(pay_says()), ["payStatus"]);
        assert_eq!(own(shop_says()), ["deliveryStatus", "shopStatus"]);
        assert_eq!(own(shipping_says()), ["deliveryStatus", "isShipped", "transportNo"]);
        let customs = ["customsStatus", "deliveryStatus", "invoiceNo", "isCoutomsApproved", "isCustomsApproved"];
        assert_eq!(own(delivery_says()), customs);
    }

    /// How a cancelled order came about, as each context says it; some of it at the same moment.
    fn cancelled() -> Vec<Vec<Said>> {
        let (order_no, item_no, amount) = (7, 1001, Won(30_000));
        let [wished, _, stands, ..] = &samples::order()[..] else { panic!("they are there") };
        vec![
            vec![
                Order(0, wished.clone()),
                Order(2, stands.clone()),
                Order(4, order::Event::CancelRequested { order_no }),
                Order(5, order::Event::OrderCanceled { order_no, reason: Reason::Customer, refund_due: true }),
            ],
            vec![
                Pay(1, pay::Event::PaymentRequested { order_no, item_no, amount, pay_url: None }),
                Pay(2, pay::Event::OrderPaid { pay_id: 7, order_no, item_no, amount }),
                Pay(6, pay::Event::PaymentCanceled { order_no, amount }),
            ],
            vec![Shop(2, shop::Event::OrderListed { order_no }), Shop(6, shop::Event::OrderWithdrawn { order_no })],
        ]
    }
    /// How an order came to the door.
    fn delivered() -> Vec<Vec<Said>> {
        let [_, _, listed, accepted, ..] = &samples::shop()[..] else { panic!("they are there") };
        let [left, arrived, _] = &samples::shipping()[..] else { panic!("they are there") };
        let [waits, _, started, completed] = &samples::delivery()[..] else { panic!("they are there") };
        vec![
            vec![Order(0, samples::order()[0].clone()), Order(2, samples::order()[2].clone())],
            vec![Shop(2, listed.clone()), Shop(3, accepted.clone())],
            vec![Shipping(3, left.clone()), Shipping(4, arrived.clone())],
            vec![Delivery(4, waits.clone()), Delivery(4, started.clone()), Delivery(4, completed.clone())],
        ]
    }
    fn shown(row: &StatusView) -> Value {
        let mut row = serde_json::to_value(row).unwrap();
        row.as_object_mut().unwrap().remove(hidden());
        row
    }

    #[test]
    fn the_row_of_a_cancelled_order_is_the_same_in_whatever_order_the_contexts_are_heard() {
        let all = interleavings(&cancelled());
        assert_eq!(all.len(), 1260);
        let wanted = json!({
            "orderNo": 7, "customerId": "c-1", "customerName": "Kim", "itemNo": 1001, "qty": 3, "amount": 30_000,
            "createDate": "2026-01-01T12:00:00.000Z", "updateDate": "2026-01-01T12:00:06.000Z", "orderStatus": "Canceled",
            "payStatus": "Refunded", "shopStatus": "Canceled", "deliveryStatus": "Canceled", "transportNo": null, "isShipped": false,
            "customsStatus": null, "isCustomsApproved": null, "isCoutomsApproved": null, "invoiceNo": null,
            "lastEvent": "OrderWithdrawn",
        });
        for order in all {
            assert_eq!(shown(&follow(&order)), wanted, "{order:?}");
        }
    }

    #[test]
    fn the_row_of_a_delivered_order_is_the_same_in_whatever_order_the_contexts_are_heard() {
        let all = interleavings(&delivered());
        assert_eq!(all.len(), 7560);
        let wanted = json!({
            "orderNo": 7, "customerId": "c-1", "customerName": "Kim", "itemNo": 1001, "qty": 3, "amount": 30_000,
            "createDate": "2026-01-01T12:00:00.000Z", "updateDate": "2026-01-01T12:00:04.000Z", "orderStatus": "Ordered",
            "payStatus": null, "shopStatus": "Accepted", "deliveryStatus": "DeliveryCompleted", "transportNo": "T-7",
            "isShipped": true, "customsStatus": "Approved", "isCustomsApproved": true, "isCoutomsApproved": true, "invoiceNo": "I-7",
            "lastEvent": "ShippingCompleted",
        });
        for order in all {
            assert_eq!(shown(&follow(&order)), wanted, "{order:?}");
        }
    }

    #[test]
    fn of_what_one_context_said_at_the_same_moment_the_later_is_the_latest_whatever_it_is_called() {
        let [_, _, _, delivery] = &delivered()[..] else { panic!("they are there") };
        let latest: Vec<_> = (1..=3).map(|heard| follow(&delivery[..heard]).last_event.unwrap()).collect();
        assert_eq!(latest, ["CustomsAwaited", "DeliveryStarted", "DeliveryCompleted"]);
    }

    #[test]
    fn the_latest_is_the_latest_by_time_and_at_the_same_moment_always_the_same_one() {
        let [order, pay, shop] = &cancelled()[..] else { panic!("they are there") };
        for heard in interleavings(&[vec![order[1].clone()], pay[..2].to_vec(), vec![shop[0].clone()]]) {
            let row = follow(&heard);
            let latest = (row.update_date, row.last_event.as_deref());
            assert_eq!(latest, (Some(NOON + Duration::from_secs(2)), Some("OrderListed")), "{heard:?}");
        }
    }
}
