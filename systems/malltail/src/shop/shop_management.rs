//! The owner's list: an order is on it once it is paid *and* established, whichever was heard first.
use crate::contract::{order::Customer, shop::Event as Fact};
use jumun_model::*;
use serde::{Deserialize, Serialize};
use strum::{EnumIter, IntoStaticStr, VariantNames};

#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ShopManagement {
    pub order_no: u64,
    pub item_no: u64,
    pub qty: u64,
    pub amount: Won,
    pub delivery_status: Status,
    #[serde(flatten)]
    pub customer: Customer,
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
    NotePaid,
    NoteEstablished(Established),
    Withdraw,
}

impl Aggregate for ShopManagement {
    const NAME: &'static str = "shopManagement";
    const ROOT: &'static str = "order";
    const KEYS: &'static [&'static str] = &["orderNo", "customerId"];
    type Command = Do;
    type Event = Fact;
    type Refusal = Never;
    type Settings = ();

    fn decide(&self, on: &Occasion, command: Do) -> Result<Vec<Fact>, Never> {
        use Status::*;
        let order_no = on.number;
        Ok(match (self.delivery_status, command) {
            (Awaited, Do::NotePaid) if self.rule.established => vec![Fact::PaidSeen { order_no }, Fact::OrderListed { order_no }],
            (Awaited, Do::NotePaid) if !self.rule.paid => vec![Fact::PaidSeen { order_no }],
            (Awaited, Do::NoteEstablished(seen)) if self.rule.paid => {
                vec![established(order_no, seen), Fact::OrderListed { order_no }]
            }
            (Awaited, Do::NoteEstablished(seen)) if !self.rule.established => vec![established(order_no, seen)],

            (Awaited | Ready, Do::Withdraw) => vec![Fact::OrderWithdrawn { order_no }],

            (_, Do::NotePaid | Do::NoteEstablished(_) | Do::Withdraw) => vec![], // a repeat, or too late
        })
    }

    fn evolve(&mut self, on: &Occasion, fact: &Fact) {
        self.order_no = on.number;
        match fact {
            Fact::PaidSeen { .. } => self.rule.paid = true,
            Fact::EstablishedSeen { item_no, qty, amount, customer, create_date, .. } => {
                (self.item_no, self.qty, self.amount) = (*item_no, *qty, *amount);
                (self.customer, self.create_date) = (customer.clone(), *create_date);
                self.rule.established = true;
            }
            Fact::OrderListed { .. } => (self.delivery_status, self.rule.listed) = (Status::Ready, true),
            Fact::OrderWithdrawn { .. } => self.delivery_status = Status::Canceled,
        }
    }

    /// What was cancelled before both halves were seen never comes onto the list.
    fn listed(&self) -> bool {
        self.rule.listed
    }

    fn examples() -> Vec<Do> {
        vec![Do::NotePaid, Do::NoteEstablished(Established::default()), Do::Withdraw]
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
    const PAID: Fact = Fact::PaidSeen { order_no: 7 };
    const LISTED: Fact = Fact::OrderListed { order_no: 7 };
    const WITHDRAWN: Fact = Fact::OrderWithdrawn { order_no: 7 };
    fn stands() -> Fact {
        established(7, seen())
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
            ("Canceled", after([stands(), PAID, LISTED, WITHDRAWN])),
            ("Canceled (unseen)", after([WITHDRAWN])),
            ("Canceled (half seen)", after([stands(), WITHDRAWN])),
        ]
    }
    fn commands() -> Vec<(&'static str, Do)> {
        vec![("NotePaid", Do::NotePaid), ("NoteEstablished", Do::NoteEstablished(seen())), ("Withdraw", Do::Withdraw)]
    }

    #[test]
    fn the_table_on_the_wall_is_the_rule() {
        let table = "
            | Shop                  | NotePaid             | NoteEstablished             | Withdraw       |
            |-----------------------|----------------------|-----------------------------|----------------|
            | Awaited               | PaidSeen             | EstablishedSeen             | OrderWithdrawn |
            | Awaited (paid)        | ∅                    | EstablishedSeen OrderListed | OrderWithdrawn |
            | Awaited (established) | PaidSeen OrderListed | ∅                           | OrderWithdrawn |
            | Ready                 | ∅                    | ∅                           | OrderWithdrawn |
            | Canceled              | ∅                    | ∅                           | ∅              |
            | Canceled (unseen)     | ∅                    | ∅                           | ∅              |
            | Canceled (half seen)  | ∅                    | ∅                           | ∅              |
        ";
        check_table(table, states(), commands())
            .statuses(Status::VARIANTS, |row| row.delivery_status.into())
            .commands(Do::VARIANTS);
    }

    #[test]
    fn whatever_happens_in_whatever_order_the_laws_hold() {
        laws::<ShopManagement>(commands().into_iter().map(|(_, command)| command)).hold();
    }

    #[test]
    fn an_order_is_listed_once_both_halves_are_seen_whichever_came_first() {
        let paid_first = given(ShopManagement::default()).when(Do::NotePaid).then([PAID]);
        assert!(!paid_first.state().listed());
        let established_first = given(ShopManagement::default()).when(Do::NoteEstablished(seen())).then([stands()]);
        assert!(!established_first.state().listed());
        let (one, other) = (
            paid_first.when(Do::NoteEstablished(seen())).then([stands(), LISTED]),
            established_first.when(Do::NotePaid).then([PAID, LISTED]),
        );
        assert!(one.state().listed());
        assert_eq!(one.state(), other.state());
        let ShopManagement { order_no, item_no, qty, amount, delivery_status, customer, create_date, rule: _ } = one.into_state();
        let row = Established { item_no, qty, amount, customer, create_date };
        assert_eq!((order_no, delivery_status, row), (7, Status::Ready, seen()));
    }

    #[test]
    fn what_was_cancelled_before_both_halves_were_seen_is_never_listed() {
        for half in [vec![], vec![PAID], vec![stands()]] {
            let row = given_facts::<ShopManagement>(half).when(Do::Withdraw).then([WITHDRAWN]).when(Do::NotePaid).then_nothing();
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
    fn what_only_the_rule_needs_is_in_its_one_hidden_field() {
        let row = serde_json::to_value(after([PAID])).unwrap();
        assert_eq!(row[hidden()], json!({ "paid": true, "established": false, "listed": false }));
        let mut shown: Vec<_> = row.as_object().unwrap().keys().map(String::as_str).filter(|&key| key != hidden()).collect();
        shown.sort_unstable();
        let fields = ["amount", "createDate", "customerAddress", "customerId", "customerName"];
        assert_eq!(shown, [&fields[..], &["deliveryStatus", "itemNo", "orderNo", "phoneNumber", "qty"]].concat());
    }

    #[test]
    fn the_halves_are_nobody_elses_business() {
        let said = [PAID, stands(), LISTED, WITHDRAWN];
        covers(said.iter().map(Event::name), Fact::NAMES);
        let public: Vec<_> = said.iter().filter(|fact| fact.is_public()).map(Event::name).collect();
        assert_eq!(public, ["OrderListed", "OrderWithdrawn"]);
    }
}
