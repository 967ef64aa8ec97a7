//! The owner's list: an order is on it once it is paid *and* established, whichever was heard first. The owner takes it or does not.
use crate::contract::{order::Customer, shop::Event as Fact};
use jumun_model::*;
use serde::{Deserialize, Serialize};
use strum::{EnumIter, IntoStaticStr, VariantNames};

#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ShopManagement {
    pub order_no: u64,
    pub pay_id: u64,
    pub item_no: u64,
    pub qty: u64,
    pub amount: Won,
    pub order_status: Option<OrderStatus>,
    pub delivery_status: Status,
    /// Why the owner did not take it, if that was said.
    pub reason: Option<String>,
    #[serde(flatten)]
    pub customer: Customer,
    /// Where the forwarder takes it in.
    pub shipping_address: Option<String>,
    pub shop_name: Option<String>,
    pub create_date: Timestamp,
    rule: Rule,
}
/// What only the rule needs: which halves were seen.
#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Rule {
    paid: bool,
    established: bool,
    listed: bool,
}
#[derive(
    Clone, Copy, Default, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, EnumIter, IntoStaticStr, VariantNames,
)]
pub enum Status {
    #[default]
    Awaited,
    Ready,
    Accepted,
    Rejected,
    Canceled,
}
/// What shop knows of the order itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OrderStatus {
    Ordered,
    Rejected,
    Canceled,
}

#[derive(Clone, Default, Debug, PartialEq)]
pub struct Established {
    pub item_no: u64,
    pub qty: u64,
    pub amount: Won,
    pub customer: Customer,
    pub create_date: Timestamp,
}

#[derive(Clone, Debug, PartialEq, IntoStaticStr, VariantNames)]
pub enum Do {
    NotePaid {
        pay_id: u64,
    },
    NoteEstablished(Established),
    /// With where the shop sends its parcels, and its own name.
    Accept {
        shipping_address: String,
        shop_name: String,
    },
    Reject {
        reason: Option<String>,
    },
    Withdraw,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum No {
    #[error("there is no such order")]
    Unknown,
    #[error("it was accepted already")]
    Accepted,
    #[error("it was rejected already")]
    Rejected,
    #[error("the order was canceled")]
    Canceled,
}
impl Refusal for No {
    fn code(&self) -> &'static str {
        match self {
            No::Unknown => "unknown",
            No::Accepted => "accepted",
            No::Rejected => "rejected",
            No::Canceled => "canceled",
        }
    }
    fn kind(&self) -> Kind {
        match self {
            No::Unknown => Kind::Missing,
            No::Accepted | No::Rejected | No::Canceled => Kind::Conflict,
        }
    }
}

impl Aggregate for ShopManagement {
    const NAME: &'static str = "shopManagement";
    const ROOT: &'static str = "order";
    const KEYS: &'static [&'static str] = &["orderNo", "customerId"];
    type Command = Do;
    type Event = Fact;
    type Refusal = No;
    type Settings = ();

    fn decide(&self, on: &Occasion, command: Do) -> Result<Vec<Fact>, No> {
        use Status::*;
        let order_no = on.number;
        Ok(match (self.delivery_status, command) {
            (Awaited, Do::NotePaid { pay_id }) if self.rule.established => {
                vec![Fact::PaidSeen { order_no, pay_id }, Fact::OrderListed { order_no }]
            }
            (Awaited, Do::NotePaid { pay_id }) if !self.rule.paid => vec![Fact::PaidSeen { order_no, pay_id }],
            (Awaited, Do::NoteEstablished(seen)) if self.rule.paid => {
                vec![established(order_no, seen), Fact::OrderListed { order_no }]
            }
            (Awaited, Do::NoteEstablished(seen)) if !self.rule.established => vec![established(order_no, seen)],

            (Ready, Do::Accept { shipping_address, shop_name }) => vec![self.accepted(order_no, shipping_address, shop_name)],
            (Ready, Do::Reject { reason }) => vec![Fact::OrderRejected { order_no, reason }],
            (Awaited | Ready | Accepted, Do::Withdraw) => vec![Fact::OrderWithdrawn { order_no }],

            // a repeat, or the other of the two
            (_, Do::Accept { .. }) => return self.taken().map(|()| vec![]),
            (_, Do::Reject { .. }) => return self.turned_down().map(|()| vec![]),
            (_, Do::NotePaid { .. } | Do::NoteEstablished(_) | Do::Withdraw) => vec![], // too late
        })
    }

    fn evolve(&mut self, on: &Occasion, fact: &Fact) {
        self.order_no = on.number;
        match fact {
            Fact::PaidSeen { pay_id, .. } => (self.pay_id, self.rule.paid) = (*pay_id, true),
            Fact::EstablishedSeen { item_no, qty, amount, customer, create_date, .. } => {
                (self.item_no, self.qty, self.amount) = (*item_no, *qty, *amount);
                (self.customer, self.create_date) = (customer.clone(), *create_date);
                (self.order_status, self.rule.established) = (Some(OrderStatus::Ordered), true);
            }
            Fact::OrderListed { .. } => (self.delivery_status, self.rule.listed) = (Status::Ready, true),
            Fact::OrderDeliveryStarted { shipping_address, shop_name, .. } => {
                self.delivery_status = Status::Accepted;
                (self.shipping_address, self.shop_name) = (Some(shipping_address.clone()), Some(shop_name.clone()));
            }
            Fact::OrderRejected { reason, .. } => {
                (self.delivery_status, self.order_status) = (Status::Rejected, Some(OrderStatus::Rejected));
                self.reason = reason.clone();
            }
            Fact::OrderWithdrawn { .. } => {
                (self.delivery_status, self.order_status) = (Status::Canceled, Some(OrderStatus::Canceled));
            }
        }
    }

    /// What was cancelled before both halves were seen never comes onto the list.
    fn listed(&self) -> bool {
        self.rule.listed
    }

    fn examples() -> Vec<Do> {
        let accept = Do::Accept { shipping_address: String::new(), shop_name: String::new() };
        let noted = [Do::NotePaid { pay_id: 1 }, Do::NoteEstablished(Established::default())];
        noted.into_iter().chain([accept, Do::Reject { reason: None }, Do::Withdraw]).collect()
    }
}

impl ShopManagement {
    fn accepted(&self, order_no: u64, shipping_address: String, shop_name: String) -> Fact {
        let ShopManagement { pay_id, item_no, qty, create_date, customer, .. } = self.clone();
        Fact::OrderDeliveryStarted { order_no, pay_id, item_no, qty, create_date, customer, shipping_address, shop_name }
    }
    /// How taking it ended.
    pub fn taken(&self) -> Result<(), No> {
        self.ended(Status::Accepted)
    }
    /// How turning it down ended.
    pub fn turned_down(&self) -> Result<(), No> {
        self.ended(Status::Rejected)
    }
    fn ended(&self, wanted: Status) -> Result<(), No> {
        match self.delivery_status {
            now if now == wanted => Ok(()),
            Status::Accepted => Err(No::Accepted),
            Status::Rejected => Err(No::Rejected),
            Status::Canceled => Err(No::Canceled),
            Status::Awaited | Status::Ready => Err(No::Unknown),
        }
    }
}

fn established(order_no: u64, seen: Established) -> Fact {
    let Established { item_no, qty, amount, customer, create_date } = seen;
    Fact::EstablishedSeen { order_no, item_no, qty, amount, customer, create_date }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jumun_testkit::{NOON, check_table, covers, given, given_facts, laws};
    use serde_json::json;
    use strum::VariantNames;

    fn seen() -> Established {
        let customer_name = Some(Personal("Kim".to_owned()));
        let customer = Customer { customer_id: Some("c-1".to_owned()), customer_name, ..Customer::default() };
        Established { item_no: 1001, qty: 3, amount: Won(30_000), customer, create_date: NOON }
    }
    const PAID: Fact = Fact::PaidSeen { order_no: 7, pay_id: 7 };
    const NOTE_PAID: Do = Do::NotePaid { pay_id: 7 };
    const LISTED: Fact = Fact::OrderListed { order_no: 7 };
    const WITHDRAWN: Fact = Fact::OrderWithdrawn { order_no: 7 };
    fn stands() -> Fact {
        established(7, seen())
    }
    fn accept() -> Do {
        Do::Accept { shipping_address: "Delaware".to_owned(), shop_name: "Malltail".to_owned() }
    }
    fn reject() -> Do {
        Do::Reject { reason: Some("sold out".to_owned()) }
    }
    fn accepted() -> Fact {
        let Established { item_no, qty, customer, create_date, .. } = seen();
        let (shipping_address, shop_name) = ("Delaware".to_owned(), "Malltail".to_owned());
        Fact::OrderDeliveryStarted { order_no: 7, pay_id: 7, item_no, qty, create_date, customer, shipping_address, shop_name }
    }
    fn rejected() -> Fact {
        Fact::OrderRejected { order_no: 7, reason: Some("sold out".to_owned()) }
    }
    fn after(facts: impl IntoIterator<Item = Fact>) -> ShopManagement {
        given_facts(facts).into_state()
    }
    fn states() -> Vec<(&'static str, ShopManagement)> {
        vec![
            ("Awaited", ShopManagement::default()),
            ("Awaited (paid)", after([PAID])),
            ("Awaited (established)", after([stands()])),
            ("Ready", after([PAID, stands(), LISTED])),
            ("Accepted", after([PAID, stands(), LISTED, accepted()])),
            ("Rejected", after([PAID, stands(), LISTED, rejected()])),
            ("Canceled", after([stands(), PAID, LISTED, WITHDRAWN])),
            ("Canceled (accepted)", after([stands(), PAID, LISTED, accepted(), WITHDRAWN])),
            ("Canceled (unseen)", after([WITHDRAWN])),
            ("Canceled (half seen)", after([stands(), WITHDRAWN])),
        ]
    }
    fn commands() -> Vec<(&'static str, Do)> {
        let noted = [("NotePaid", NOTE_PAID), ("NoteEstablished", Do::NoteEstablished(seen()))];
        noted.into_iter().chain([("Accept", accept()), ("Reject", reject()), ("Withdraw", Do::Withdraw)]).collect()
    }

    #[test]
    fn the_table_on_the_wall_is_the_rule() {
        let table = "
            | Shop                  | NotePaid             | NoteEstablished             | Accept               | Reject        | Withdraw       |
            |-----------------------|----------------------|-----------------------------|----------------------|---------------|----------------|
            | Awaited               | PaidSeen             | EstablishedSeen             | !unknown             | !unknown      | OrderWithdrawn |
            | Awaited (paid)        | ∅                    | EstablishedSeen OrderListed | !unknown             | !unknown      | OrderWithdrawn |
            | Awaited (established) | PaidSeen OrderListed | ∅                           | !unknown             | !unknown      | OrderWithdrawn |
            | Ready                 | ∅                    | ∅                           | OrderDeliveryStarted | OrderRejected | OrderWithdrawn |
            | Accepted              | ∅                    | ∅                           | ∅                    | !accepted     | OrderWithdrawn |
            | Rejected              | ∅                    | ∅                           | !rejected            | ∅             | ∅              |
            | Canceled              | ∅                    | ∅                           | !canceled            | !canceled     | ∅              |
            | Canceled (accepted)   | ∅                    | ∅                           | !canceled            | !canceled     | ∅              |
            | Canceled (unseen)     | ∅                    | ∅                           | !canceled            | !canceled     | ∅              |
            | Canceled (half seen)  | ∅                    | ∅                           | !canceled            | !canceled     | ∅              |
        ";
        check_table(table, states(), commands())
            .statuses(Status::VARIANTS, |row| row.delivery_status.into())
            .commands(Do::VARIANTS);
    }

    #[test]
    fn whatever_happens_in_whatever_order_the_laws_hold() {
        laws::<ShopManagement>(commands().into_iter().map(|(_, command)| command))
            .users(|command| matches!(command, Do::Accept { .. } | Do::Reject { .. }))
            .hold();
    }

    #[test]
    fn an_order_is_listed_once_both_halves_are_seen_whichever_came_first() {
        let paid_first = given(ShopManagement::default()).when(NOTE_PAID).then([PAID]);
        assert!(!paid_first.state().listed());
        let established_first = given(ShopManagement::default()).when(Do::NoteEstablished(seen())).then([stands()]);
        assert!(!established_first.state().listed());
        let (one, other) = (
            paid_first.when(Do::NoteEstablished(seen())).then([stands(), LISTED]),
            established_first.when(NOTE_PAID).then([PAID, LISTED]),
        );
        assert!(one.state().listed());
        assert_eq!(one.state(), other.state());
        let ShopManagement { order_no, pay_id, item_no, qty, amount, delivery_status, customer, create_date, .. } =
            one.into_state();
        let row = Established { item_no, qty, amount, customer, create_date };
        assert_eq!((order_no, pay_id, delivery_status, row), (7, 7, Status::Ready, seen()));
    }

    #[test]
    fn what_was_cancelled_before_both_halves_were_seen_is_never_listed() {
        for half in [vec![], vec![PAID], vec![stands()]] {
            let row = given_facts::<ShopManagement>(half).when(Do::Withdraw).then([WITHDRAWN]).when(NOTE_PAID).then_nothing();
            assert!(!row.when(Do::NoteEstablished(seen())).then_nothing().state().listed());
        }
    }

    #[test]
    fn what_was_listed_stays_on_the_list_as_cancelled() {
        let row = given_facts::<ShopManagement>([PAID, stands(), LISTED]).when(Do::Withdraw).then([WITHDRAWN]).into_state();
        assert!(row.listed());
        assert_eq!((row.delivery_status, row.item_no), (Status::Canceled, 1001));
    }

    #[test]
    fn what_is_accepted_goes_to_the_forwarder_with_all_that_shipping_needs() {
        let row = given_facts::<ShopManagement>([PAID, stands(), LISTED]).when(accept()).then([accepted()]);
        assert_eq!((row.state().delivery_status, row.state().shipping_address.as_deref()), (Status::Accepted, Some("Delaware")));
        row.when(accept()).then_nothing().when(reject()).refused(No::Accepted);
    }

    #[test]
    fn what_is_rejected_says_why_and_is_never_accepted() {
        let row = given_facts::<ShopManagement>([PAID, stands(), LISTED]).when(reject()).then([rejected()]);
        assert_eq!((row.state().delivery_status, row.state().reason.as_deref()), (Status::Rejected, Some("sold out")));
        row.when(reject()).then_nothing().when(Do::Withdraw).then_nothing().when(accept()).refused(No::Rejected);
    }

    #[test]
    fn what_the_customer_cancelled_after_all_shows_as_cancelled_though_it_was_accepted() {
        let row = given_facts::<ShopManagement>([PAID, stands(), LISTED, accepted()]).when(Do::Withdraw).then([WITHDRAWN]);
        assert_eq!((row.state().delivery_status, row.state().order_status), (Status::Canceled, Some(OrderStatus::Canceled)));
        assert_eq!((row.state().taken(), row.state().turned_down()), (Err(No::Canceled), Err(No::Canceled)));
    }

    #[test]
    fn the_owner_is_told_how_it_stands() {
        let code = |ended: Result<(), No>| ended.map_err(|no| no.code());
        let told: Vec<_> = states().into_iter().map(|(name, row)| (name, code(row.taken()), code(row.turned_down()))).collect();
        assert_eq!(
            told[3..],
            [
                ("Ready", Err("unknown"), Err("unknown")),
                ("Accepted", Ok(()), Err("accepted")),
                ("Rejected", Err("rejected"), Ok(())),
                ("Canceled", Err("canceled"), Err("canceled")),
                ("Canceled (accepted)", Err("canceled"), Err("canceled")),
                ("Canceled (unseen)", Err("canceled"), Err("canceled")),
                ("Canceled (half seen)", Err("canceled"), Err("canceled")),
            ]
        );
        crate::samples::both_languages_know(&[No::Accepted, No::Rejected, No::Canceled]);
    }

    #[test]
    fn what_only_the_rule_needs_is_in_its_one_hidden_field() {
        let row = serde_json::to_value(after([PAID])).unwrap();
        assert_eq!(row[hidden()], json!({ "paid": true, "established": false, "listed": false }));
        let mut shown: Vec<_> = row.as_object().unwrap().keys().map(String::as_str).filter(|&key| key != hidden()).collect();
        shown.sort_unstable();
        let fields =
            ["amount", "createDate", "customerAddress", "customerId", "customerName", "deliveryStatus", "itemNo", "orderNo"];
        let more = ["orderStatus", "payId", "phoneNumber", "qty", "reason", "shippingAddress", "shopName"];
        assert_eq!(shown, [&fields[..], &more].concat());
    }

    #[test]
    fn the_halves_are_nobody_elses_business() {
        let said = [PAID, stands(), LISTED, accepted(), rejected(), WITHDRAWN];
        covers(said.iter().map(Event::name), Fact::NAMES);
        let public: Vec<_> = said.iter().filter(|fact| fact.is_public()).map(Event::name).collect();
        assert_eq!(public, ["OrderListed", "OrderDeliveryStarted", "OrderRejected", "OrderWithdrawn"]);
    }
}
