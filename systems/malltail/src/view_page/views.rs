//! One row per order; each field is fed by one context alone.
use crate::contract::{order, pay, shop};
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
    pub delivery_status: Option<String>,
    pub last_event: Option<String>,
}
impl View for StatusView {
    const NAME: &'static str = "statusViews";
    const KEYS: &'static [&'static str] = &["orderNo", "customerId", "deliveryStatus"];
}

impl StatusView {
    /// The latest by time, whoever said it; at the same moment the name decides.
    fn latest(&mut self, on: &Occasion, event: &impl Event) {
        self.order_no = on.case.number;
        let (at, name) = (Some(on.at), Some(event.name().to_owned()));
        if (at, &name) > (self.update_date, &self.last_event) {
            (self.update_date, self.last_event) = (at, name);
        }
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
            Ordered { .. } | CancelRefused { .. } => "Ordered",
            OrderPaymentFailed { .. } => "PaymentFailed",
            CancelRequested { .. } => "CancelRequested",
            OrderCanceled { .. } => "Canceled",
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
            OrderWithdrawn { .. } => "Canceled",
        };
        (self.shop_status, self.delivery_status) = (Some(status.to_owned()), Some(status.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::order::{Customer, Reason, Unpaid};
    use jumun_testkit::{NOON, covers, interleavings};
    use serde_json::{Value, json};
    use std::{collections::BTreeSet, time::Duration};

    /// A fact of one of the contexts, and how many seconds after noon it was said.
    #[derive(Clone, Debug)]
    enum Said {
        Order(u64, order::Event),
        Pay(u64, pay::Event),
        Shop(u64, shop::Event),
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
            }
        }
        row
    }

    fn customer() -> Customer {
        let customer_name = Some(Personal("Kim".to_owned()));
        Customer { customer_id: Some("c-1".to_owned()), customer_name, ..Customer::default() }
    }
    fn wished() -> order::Event {
        order::Event::OrderRequested {
            order_no: 7,
            item_no: 1001,
            qty: 3,
            amount: Won(30_000),
            customer: customer(),
            create_date: NOON,
        }
    }
    fn stands() -> order::Event {
        order::Event::Ordered { order_no: 7, item_no: 1001, qty: 3, amount: Won(30_000), customer: customer(), create_date: NOON }
    }
    fn canceled() -> order::Event {
        order::Event::OrderCanceled { order_no: 7, reason: Reason::Customer, refund_due: true }
    }
    fn order_says() -> Vec<(order::Event, &'static str)> {
        vec![
            (wished(), "PaymentPending"),
            (order::Event::PaymentAwaited { order_no: 7, pay_url: String::new() }, "PaymentPending"),
            (stands(), "Ordered"),
            (order::Event::OrderPaymentFailed { order_no: 7, why: Unpaid::Declined }, "PaymentFailed"),
            (order::Event::CancelRequested { order_no: 7 }, "CancelRequested"),
            (order::Event::CancelRefused { order_no: 7 }, "Ordered"),
            (canceled(), "Canceled"),
        ]
    }
    fn pay_says() -> Vec<(pay::Event, &'static str)> {
        let (order_no, item_no, amount) = (7, 1001, Won(30_000));
        vec![
            (pay::Event::PaymentRequested { order_no, item_no, amount, pay_url: None }, "Requested"),
            (pay::Event::OrderPaid { order_no, item_no, amount }, "Paid"),
            (pay::Event::PaymentDeclined { order_no, item_no, amount }, "Declined"),
            (pay::Event::VoidStarted { order_no }, "Voiding"),
            (pay::Event::RefundStarted { order_no }, "Refunding"),
            (pay::Event::PaymentVoided { order_no }, "Voided"),
            (pay::Event::PaymentCanceled { order_no, amount }, "Refunded"),
        ]
    }
    fn shop_says() -> Vec<(shop::Event, &'static str)> {
        vec![(shop::Event::OrderListed { order_no: 7 }, "Ready"), (shop::Event::OrderWithdrawn { order_no: 7 }, "Canceled")]
    }

    #[test]
    fn each_fact_shows_in_the_status_of_whoever_says_it() {
        let awaited = order::Event::PaymentAwaited { order_no: 7, pay_url: "https://pay.example/order/7".to_owned() };
        assert!(!awaited.is_public(), "so it says nothing here");
        covers(order_says().iter().map(|(fact, _)| fact).chain([&awaited]).map(Event::name), order::Event::NAMES);
        for (fact, status) in order_says() {
            assert_eq!(follow(&[Order(0, fact)]).order_status.as_deref(), Some(status));
        }
        covers(pay_says().iter().map(|(fact, _)| fact.name()), pay::Event::NAMES);
        for (fact, status) in pay_says() {
            assert_eq!(follow(&[Pay(0, fact)]).pay_status.as_deref(), Some(status));
        }
        for (fact, status) in shop_says() {
            let row = follow(&[Shop(0, fact)]);
            assert_eq!((row.shop_status.as_deref(), row.delivery_status.as_deref()), (Some(status), Some(status)));
        }
    }

    /// The fields of a row in which any of these facts, alone on it, shows.
    fn fields(facts: impl IntoIterator<Item = Said>) -> BTreeSet<String> {
        let fields = |row: StatusView| -> Vec<(String, Value)> {
            serde_json::to_value(row)
                .unwrap()
                .as_object()
                .unwrap()
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        };
        let none = fields(StatusView::default());
        let shows = |fact| fields(follow(&[fact])).into_iter().filter(|field| !none.contains(field)).map(|(key, _)| key);
        facts.into_iter().flat_map(shows).collect()
    }

    #[test]
    fn each_field_is_fed_by_one_context_but_for_what_is_the_latest_of_all() {
        let common = ["lastEvent", "orderNo", "updateDate"];
        let own = |facts: Vec<Said>| -> Vec<String> {
            fields(facts).into_iter().filter(|field| !common.contains(&field.as_str())).collect()
        };
        let order = own(order_says().into_iter().map(|(fact, _)| Order(0, fact)).collect());
        assert_eq!(order, ["amount", "createDate", "customerId", "customerName", "itemNo", "orderStatus", "qty"]);
        assert_eq!(own(pay_says().into_iter().map(|(fact, _)| Pay(0, fact)).collect()), ["payStatus"]);
        assert_eq!(own(shop_says().into_iter().map(|(fact, _)| Shop(0, fact)).collect()), ["deliveryStatus", "shopStatus"]);
    }

    /// How a cancelled order came about, as each context says it; some of it at the same moment.
    fn life() -> [Vec<Said>; 3] {
        let (order_no, item_no, amount) = (7, 1001, Won(30_000));
        [
            vec![
                Order(0, wished()),
                Order(2, stands()),
                Order(4, order::Event::CancelRequested { order_no }),
                Order(5, canceled()),
            ],
            vec![
                Pay(1, pay::Event::PaymentRequested { order_no, item_no, amount, pay_url: None }),
                Pay(2, pay::Event::OrderPaid { order_no, item_no, amount }),
                Pay(6, pay::Event::PaymentCanceled { order_no, amount }),
            ],
            vec![Shop(2, shop::Event::OrderListed { order_no }), Shop(6, shop::Event::OrderWithdrawn { order_no })],
        ]
    }

    #[test]
    fn the_row_is_the_same_in_whatever_order_the_contexts_are_heard() {
        let all = interleavings(&life());
        assert_eq!(all.len(), 1260);
        let wanted = json!({
            "orderNo": 7, "customerId": "c-1", "customerName": "Kim", "itemNo": 1001, "qty": 3, "amount": 30_000,
            "createDate": "2026-01-01T12:00:00.000Z", "updateDate": "2026-01-01T12:00:06.000Z", "orderStatus": "Canceled",
            "payStatus": "Refunded", "shopStatus": "Canceled", "deliveryStatus": "Canceled", "lastEvent": "PaymentCanceled",
        });
        for order in all {
            assert_eq!(serde_json::to_value(follow(&order)).unwrap(), wanted, "{order:?}");
        }
    }

    #[test]
    fn the_latest_is_the_latest_by_time_and_at_the_same_moment_always_the_same_one() {
        let listed = Shop(2, shop::Event::OrderListed { order_no: 7 });
        let [order, pay, _] = life();
        for heard in interleavings(&[vec![order[1].clone()], vec![pay[1].clone()], vec![listed], vec![pay[0].clone()]]) {
            let row = follow(&heard);
            let latest = (row.update_date, row.last_event.as_deref());
            assert_eq!(latest, (Some(NOON + Duration::from_secs(2)), Some("Ordered")), "{heard:?}");
        }
    }
}
