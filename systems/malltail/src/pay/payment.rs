//! The money of an order: charged at most once, and given back at most once.
use super::errands::{Charge, Charged as Told, Refund, Void, Voided as Undone, charge_key};
use crate::contract::pay::{Charged, Event as Fact};
use jumun_model::*;
use serde::{Deserialize, Serialize};
use strum::{EnumIter, IntoStaticStr, VariantNames};

#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Payment {
    pub pay_id: u64,
    pub order_no: u64,
    pub item_no: u64,
    pub amount: Won,
    pub paystatus: Status,
    /// Where the customer can finish paying, while the provider waits for that.
    pub pay_url: Option<String>,
}
#[derive(
    Clone, Copy, Default, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, EnumIter, IntoStaticStr, VariantNames,
)]
pub enum Status {
    #[default]
    Absent,
    Requested,
    Paid,
    Declined,
    Voiding,
    Voided,
    Refunding,
    Refunded,
}

#[derive(Clone, Debug, PartialEq, IntoStaticStr, VariantNames)]
pub enum Do {
    /// With what the provider said, if it was asked and was not silent.
    Charge {
        item_no: u64,
        amount: Won,
        told: Option<Told>,
    },
    /// What the provider says of a charge that it was silent about.
    Hear(Told),
    GiveBack,
    Voided(Undone),
    Refunded(Won),
}

impl Aggregate for Payment {
    const NAME: &'static str = "payment";
    const ROOT: &'static str = "order";
    const KEYS: &'static [&'static str] = &["orderNo"];
    type Command = Do;
    type Event = Fact;
    type Refusal = Never;
    type Settings = ();

    fn decide(&self, on: &Occasion, command: Do) -> Result<Vec<Fact>, Never> {
        use Status::*;
        let order_no = on.number;
        Ok(match (self.paystatus, command) {
            (Absent | Requested, Do::Charge { item_no, amount, told: Some(Told::Yes) }) => {
                vec![Fact::OrderPaid { pay_id: order_no, order_no, item_no, amount }]
            }
            (Absent | Requested, Do::Charge { item_no, amount, told: Some(Told::No) }) => {
                vec![Fact::PaymentDeclined { order_no, item_no, amount }]
            }
            (Absent, Do::Charge { item_no, amount, told }) => {
                vec![Fact::PaymentRequested { order_no, item_no, amount, pay_url: told.and_then(url) }]
            }

            (Requested, Do::Hear(Told::Yes)) => {
                vec![Fact::OrderPaid { pay_id: order_no, order_no, item_no: self.item_no, amount: self.amount }]
            }
            (Requested, Do::Hear(Told::No)) => {
                vec![Fact::PaymentDeclined { order_no, item_no: self.item_no, amount: self.amount }]
            }
            (Requested, Do::Hear(told)) if url(told.clone()) != self.pay_url => {
                vec![Fact::PaymentRequested { order_no, item_no: self.item_no, amount: self.amount, pay_url: url(told) }]
            }

            (Absent | Requested, Do::GiveBack) => vec![Fact::VoidStarted { order_no }],
            (Paid, Do::GiveBack) => vec![Fact::RefundStarted { order_no }],
            (Voiding, Do::Voided(Undone::NeverCharged)) => vec![Fact::PaymentVoided { order_no }],
            (Voiding, Do::Voided(Undone::Refunded(amount))) | (Refunding, Do::Refunded(amount)) => {
                vec![Fact::PaymentCanceled { order_no, amount }]
            }

            // a repeat, or an outcome that comes late
            (_, Do::Charge { .. } | Do::Hear(_) | Do::GiveBack | Do::Voided(_) | Do::Refunded(_)) => vec![],
        })
    }

    fn evolve(&mut self, on: &Occasion, fact: &Fact) {
        (self.pay_id, self.order_no) = (on.number, on.number);
        self.paystatus = match fact {
            Fact::PaymentRequested { item_no, amount, pay_url, .. } => {
                (self.item_no, self.amount, self.pay_url) = (*item_no, *amount, pay_url.clone());
                Status::Requested
            }
            Fact::OrderPaid { item_no, amount, .. } => {
                (self.item_no, self.amount, self.pay_url) = (*item_no, *amount, None);
                Status::Paid
            }
            Fact::PaymentDeclined { item_no, amount, .. } => {
                (self.item_no, self.amount, self.pay_url) = (*item_no, *amount, None);
                Status::Declined
            }
            Fact::VoidStarted { .. } => {
                self.pay_url = None;
                Status::Voiding
            }
            Fact::RefundStarted { .. } => Status::Refunding,
            Fact::PaymentVoided { .. } => Status::Voided,
            Fact::PaymentCanceled { amount, .. } => {
                self.amount = *amount;
                Status::Refunded
            }
        }
    }

    fn owes(&self, case: &Case, (): &()) -> Owes<Do> {
        let key = charge_key(case);
        match self.paystatus {
            Status::Requested => Owes::ask(&Charge { key, amount: self.amount }, |told| Some(Do::Hear(told))),
            Status::Voiding => Owes::ask(&Void { key }, |voided| Some(Do::Voided(voided))),
            Status::Refunding => Owes::ask(&Refund { key }, |refunded| Some(Do::Refunded(refunded.amount))),
            _ => Owes::nothing(),
        }
    }

    fn examples() -> Vec<Do> {
        let (item_no, amount) = (1001, Won(10_000));
        let charge = [None, Some(Told::Yes), Some(Told::No)].map(|told| Do::Charge { item_no, amount, told });
        let rest = [
            Do::Hear(Told::Yes),
            Do::Hear(Told::No),
            Do::GiveBack,
            Do::Voided(Undone::NeverCharged),
            Do::Voided(Undone::Refunded(amount)),
            Do::Refunded(amount),
        ];
        charge.into_iter().chain(rest).collect()
    }
}

fn url(told: Told) -> Option<String> {
    match told {
        Told::NeedsCustomer(url) => Some(url),
        Told::Yes | Told::No => None,
    }
}

impl Payment {
    /// Whoever asks to charge is answered from the state.
    pub fn charged(&self) -> Charged {
        match self.paystatus {
            Status::Paid | Status::Refunding => Charged::Paid,
            Status::Absent | Status::Requested => Charged::NotYet { pay_url: self.pay_url.clone() },
            Status::Declined | Status::Voiding | Status::Voided | Status::Refunded => Charged::Declined,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pay::errands;
    use jumun_testkit::{check_table, given, given_facts, laws, outcome};
    use serde_json::json;
    use strum::VariantNames;

    const PAGE: &str = "https://pay.example/order/7";

    fn charge(told: Option<Told>) -> Do {
        Do::Charge { item_no: 1001, amount: Won(30_000), told }
    }
    fn go_there() -> Told {
        Told::NeedsCustomer(PAGE.to_owned())
    }
    fn requested(pay_url: Option<&str>) -> Fact {
        Fact::PaymentRequested { order_no: 7, item_no: 1001, amount: Won(30_000), pay_url: pay_url.map(str::to_owned) }
    }
    fn paid() -> Fact {
        Fact::OrderPaid { pay_id: 7, order_no: 7, item_no: 1001, amount: Won(30_000) }
    }
    fn declined() -> Fact {
        Fact::PaymentDeclined { order_no: 7, item_no: 1001, amount: Won(30_000) }
    }
    const UNDOING: Fact = Fact::VoidStarted { order_no: 7 };
    const RETURNING: Fact = Fact::RefundStarted { order_no: 7 };
    const VOIDED: Fact = Fact::PaymentVoided { order_no: 7 };
    const RETURNED: Fact = Fact::PaymentCanceled { order_no: 7, amount: Won(30_000) };

    fn after(facts: impl IntoIterator<Item = Fact>) -> Payment {
        given_facts(facts).into_state()
    }
    fn states() -> Vec<(&'static str, Payment)> {
        vec![
            ("Absent", Payment::default()),
            ("Requested", after([requested(None)])),
            ("Requested (page)", after([requested(Some(PAGE))])),
            ("Paid", after([paid()])),
            ("Declined", after([declined()])),
            ("Voiding", after([requested(None), UNDOING])),
            ("Voiding (never asked)", after([UNDOING])),
            ("Voided", after([UNDOING, VOIDED])),
            ("Refunding", after([paid(), RETURNING])),
            ("Refunded", after([paid(), RETURNING, RETURNED])),
            ("Refunded (by void)", after([UNDOING, RETURNED])),
        ]
    }
    fn commands() -> Vec<(&'static str, Do)> {
        vec![
            ("Charge (silent)", charge(None)),
            ("Charge (yes)", charge(Some(Told::Yes))),
            ("Charge (no)", charge(Some(Told::No))),
            ("Charge (page)", charge(Some(go_there()))),
            ("Hear (yes)", Do::Hear(Told::Yes)),
            ("Hear (no)", Do::Hear(Told::No)),
            ("Hear (page)", Do::Hear(go_there())),
            ("GiveBack", Do::GiveBack),
            ("Voided (never)", Do::Voided(Undone::NeverCharged)),
            ("Voided (back)", Do::Voided(Undone::Refunded(Won(30_000)))),
            ("Refunded", Do::Refunded(Won(30_000))),
        ]
    }

    #[test]
    fn the_table_on_the_wall_is_the_rule() {
        let table = "
            | Payment               | Charge (silent)  | Charge (yes) | Charge (no)     | Charge (page)    | Hear (yes) | Hear (no)       | Hear (page)      | GiveBack      | Voided (never) | Voided (back)   | Refunded        |
            |-----------------------|------------------|--------------|-----------------|------------------|------------|-----------------|------------------|---------------|----------------|-----------------|-----------------|
            | Absent                | PaymentRequested | OrderPaid    | PaymentDeclined | PaymentRequested | –          | –               | –                | VoidStarted   | –              | –               | –               |
            | Requested             | ∅                | OrderPaid    | PaymentDeclined | ∅                | OrderPaid  | PaymentDeclined | PaymentRequested | VoidStarted   | –              | –               | –               |
            | Requested (page)      | ∅                | OrderPaid    | PaymentDeclined | ∅                | OrderPaid  | PaymentDeclined | ∅                | VoidStarted   | –              | –               | –               |
            | Paid                  | ∅                | ∅            | –               | ∅                | ∅          | –               | ∅                | RefundStarted | –              | –               | –               |
            | Declined              | ∅                | ∅            | ∅               | ∅                | ∅          | ∅               | ∅                | ∅             | –              | –               | –               |
            | Voiding               | ∅                | ∅            | ∅               | ∅                | ∅          | ∅               | ∅                | ∅             | PaymentVoided  | PaymentCanceled | –               |
            | Voiding (never asked) | ∅                | ∅            | ∅               | ∅                | ∅          | ∅               | ∅                | ∅             | PaymentVoided  | PaymentCanceled | –               |
            | Voided                | ∅                | ∅            | ∅               | ∅                | ∅          | ∅               | ∅                | ∅             | ∅              | –               | –               |
            | Refunding             | ∅                | ∅            | –               | ∅                | ∅          | –               | ∅                | ∅             | –              | –               | PaymentCanceled |
            | Refunded              | ∅                | ∅            | ∅               | ∅                | ∅          | ∅               | ∅                | ∅             | –              | –               | ∅               |
            | Refunded (by void)    | ∅                | ∅            | ∅               | ∅                | ∅          | ∅               | ∅                | ∅             | –              | ∅               | –               |
        ";
        check_table(table, states(), commands())
            .statuses(Status::VARIANTS, |payment| payment.paystatus.into())
            .commands(Do::VARIANTS);
    }

    #[test]
    fn whatever_happens_in_whatever_order_the_laws_hold() {
        laws::<Payment>(commands().into_iter().map(|(_, command)| command)).hold();
    }

    #[test]
    fn what_the_provider_says_at_once_or_later_is_the_same_payment() {
        let at_once = given(Payment::default()).when(charge(Some(Told::Yes))).then([paid()]).into_state();
        let later = given(Payment::default()).when(charge(None)).then([requested(None)]).when(Do::Hear(Told::Yes)).then([paid()]);
        assert_eq!((&at_once, at_once.amount, at_once.item_no, at_once.order_no), (later.state(), Won(30_000), 1001, 7));
        let at_once = given(Payment::default()).when(charge(Some(Told::No))).then([declined()]).into_state();
        let later =
            given(Payment::default()).when(charge(None)).then([requested(None)]).when(Do::Hear(Told::No)).then([declined()]);
        assert_eq!(at_once, later.into_state());
    }

    #[test]
    fn the_page_where_the_customer_pays_is_known_as_long_as_it_helps() {
        let waits = given(Payment::default()).when(charge(Some(go_there()))).then([requested(Some(PAGE))]);
        assert_eq!(waits.state().pay_url.as_deref(), Some(PAGE));
        assert_eq!(waits.state().charged(), Charged::NotYet { pay_url: Some(PAGE.to_owned()) });
        let elsewhere = Told::NeedsCustomer("https://pay.example/2".to_owned());
        let moved = waits.clone().when(Do::Hear(elsewhere)).then([requested(Some("https://pay.example/2"))]);
        assert_eq!(moved.state().pay_url.as_deref(), Some("https://pay.example/2"));
        for (command, fact) in [(Do::Hear(Told::Yes), paid()), (Do::Hear(Told::No), declined()), (Do::GiveBack, UNDOING)] {
            assert_eq!(waits.clone().when(command).then([fact]).state().pay_url, None);
        }
    }

    #[test]
    fn a_charge_whose_answer_died_with_the_process_is_given_back_too() {
        // the provider took the money, and nobody here knows of it
        let undone = given(Payment::default()).when(Do::GiveBack).then([UNDOING]).when(charge(Some(Told::Yes))).then_nothing();
        let back = undone.when(Do::Voided(Undone::Refunded(Won(30_000)))).then([RETURNED]);
        assert_eq!((back.state().paystatus, back.state().amount), (Status::Refunded, Won(30_000)));
    }

    #[test]
    fn a_late_yes_after_giving_back_changes_nothing() {
        let undone =
            given_facts::<Payment>([requested(None)]).when(Do::GiveBack).then([UNDOING]).when(Do::Hear(Told::Yes)).then_nothing();
        undone.when(Do::Voided(Undone::NeverCharged)).then([VOIDED]).when(charge(Some(Told::Yes))).then_nothing().owes_nothing();
    }

    #[test]
    fn everything_that_the_provider_is_asked_is_asked_under_the_key_of_the_one_charge() {
        let under_way = [
            (vec![requested(None)], "provider.charge", json!({ "key": "order/7/charge", "amount": 30_000 })),
            (vec![UNDOING], "provider.void", json!({ "key": "order/7/charge" })),
            (vec![paid(), RETURNING], "provider.refund", json!({ "key": "order/7/charge" })),
        ];
        for (facts, ask, body) in under_way {
            let owed = given_facts::<Payment>(facts).owes(ask).without_end().owed().ask.unwrap();
            assert_eq!((owed.body, owed.not_sent), (body, None));
        }
        let asking: Vec<_> =
            states().into_iter().filter(|(_, state)| !given(state.clone()).owed().is_nothing()).map(|(name, _)| name).collect();
        assert_eq!(asking, ["Requested", "Requested (page)", "Voiding", "Voiding (never asked)", "Refunding"]);
    }

    #[test]
    fn whatever_the_provider_answers_is_heard() {
        let requested = given_facts::<Payment>([requested(None)]).owed();
        for told in [Told::Yes, Told::No, go_there()] {
            assert_eq!(outcome(&requested, &told), Some(Do::Hear(told)));
        }
        let voiding = given_facts::<Payment>([UNDOING]).owed();
        for undone in [Undone::NeverCharged, Undone::Refunded(Won(5))] {
            assert_eq!(outcome(&voiding, undone), Some(Do::Voided(undone)));
        }
        let refunding = given_facts::<Payment>([paid(), RETURNING]).owed();
        assert_eq!(outcome(&refunding, errands::Refunded { amount: Won(5) }), Some(Do::Refunded(Won(5))));
    }

    #[test]
    fn whoever_asks_to_charge_is_answered_from_the_state() {
        let not_yet = |pay_url: Option<&str>| Charged::NotYet { pay_url: pay_url.map(str::to_owned) };
        let told: Vec<_> = states().into_iter().map(|(name, state)| (name, state.charged())).collect();
        assert_eq!(
            told,
            [
                ("Absent", not_yet(None)),
                ("Requested", not_yet(None)),
                ("Requested (page)", not_yet(Some(PAGE))),
                ("Paid", Charged::Paid),
                ("Declined", Charged::Declined),
                ("Voiding", Charged::Declined),
                ("Voiding (never asked)", Charged::Declined),
                ("Voided", Charged::Declined),
                ("Refunding", Charged::Paid),
                ("Refunded", Charged::Declined),
                ("Refunded (by void)", Charged::Declined),
            ]
        );
    }

    #[test]
    fn what_is_only_begun_is_nobody_elses_business() {
        let said = [requested(None), paid(), declined(), UNDOING, RETURNING, VOIDED, RETURNED];
        jumun_testkit::covers(said.iter().map(Event::name), Fact::NAMES);
        let private: Vec<_> = said.iter().filter(|fact| !fact.is_public()).map(Event::name).collect();
        assert_eq!(private, ["VoidStarted", "RefundStarted"]);
    }
}
