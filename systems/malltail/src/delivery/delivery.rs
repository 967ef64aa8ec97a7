//! Customs, and the domestic leg: what may enter goes on to the customer, what may not is discarded.
use crate::contract::{delivery::Event as Fact, shipping::Label};
use jumun_model::*;
use serde::{Deserialize, Serialize};
use strum::{EnumIter, IntoStaticStr, VariantNames};

#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Delivery {
    pub order_no: u64,
    pub customs_status: Customs,
    /// None as long as it waits for customs.
    pub delivery_status: Option<Leg>,
    pub invoice_no: Option<String>,
    #[serde(flatten)]
    pub label: Label,
}
#[derive(
    Clone, Copy, Default, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, EnumIter, IntoStaticStr, VariantNames,
)]
pub enum Customs {
    #[default]
    Absent,
    Waiting,
    Approved,
    Rejected,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Leg {
    DeliveryStarted,
    DeliveryCompleted,
    Discarded,
}

#[derive(Clone, Debug, PartialEq, IntoStaticStr, VariantNames)]
pub enum Do {
    Await(Label),
    Approve,
    Reject,
    Complete,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum No {
    #[error("there is no such parcel")]
    Unknown,
    #[error("customs has not let it in yet")]
    NotCleared,
    #[error("customs has let it in already")]
    Cleared,
    #[error("customs did not let it in; it is discarded")]
    Discarded,
}
impl Refusal for No {
    fn code(&self) -> &'static str {
        match self {
            No::Unknown => "unknown",
            No::NotCleared => "not-cleared",
            No::Cleared => "cleared",
            No::Discarded => "discarded",
        }
    }
    fn kind(&self) -> Kind {
        match self {
            No::Unknown => Kind::Missing,
            No::NotCleared | No::Cleared | No::Discarded => Kind::Conflict,
        }
    }
}

impl Aggregate for Delivery {
    const NAME: &'static str = "delivery";
    const ROOT: &'static str = "order";
    const KEYS: &'static [&'static str] = &["orderNo", "customsStatus", "deliveryStatus"];
    type Command = Do;
    type Event = Fact;
    type Refusal = No;
    type Settings = ();

    fn decide(&self, on: &Occasion, command: Do) -> Result<Vec<Fact>, No> {
        use Customs::*;
        let (order_no, label, invoice_no) = (on.number, self.label.clone(), format!("I-{}", on.number));
        Ok(match (self.customs_status, command) {
            (Absent, Do::Await(label)) => vec![Fact::CustomsAwaited { order_no, label }],
            (Waiting, Do::Approve) => vec![Fact::DeliveryStarted { order_no, invoice_no, label }],
            (Waiting, Do::Reject) => vec![Fact::CustomsRejected { order_no }],
            (Approved, Do::Complete) if self.completed().is_err() => vec![Fact::DeliveryCompleted { order_no, invoice_no }],

            // a repeat, too early, or the other of the two
            (_, Do::Approve) => return self.approved().map(|()| vec![]),
            (_, Do::Reject) => return self.rejected().map(|()| vec![]),
            (_, Do::Complete) => return self.completed().map(|()| vec![]),
            (_, Do::Await(_)) => vec![],
        })
    }

    fn evolve(&mut self, on: &Occasion, fact: &Fact) {
        self.order_no = on.number;
        match fact {
            Fact::CustomsAwaited { label, .. } => (self.customs_status, self.label) = (Customs::Waiting, label.clone()),
            Fact::CustomsRejected { .. } => {
                (self.customs_status, self.delivery_status) = (Customs::Rejected, Some(Leg::Discarded));
            }
            Fact::DeliveryStarted { invoice_no, .. } => {
                (self.customs_status, self.delivery_status) = (Customs::Approved, Some(Leg::DeliveryStarted));
                self.invoice_no = Some(invoice_no.clone());
            }
            Fact::DeliveryCompleted { .. } => self.delivery_status = Some(Leg::DeliveryCompleted),
        }
    }

    fn examples() -> Vec<Do> {
        vec![Do::Await(Label::default()), Do::Approve, Do::Reject, Do::Complete]
    }
}

impl Delivery {
    /// How approving it ended.
    pub fn approved(&self) -> Result<(), No> {
        match self.customs_status {
            Customs::Approved => Ok(()),
            Customs::Rejected => Err(No::Discarded),
            Customs::Absent | Customs::Waiting => Err(No::Unknown),
        }
    }
    /// How rejecting it ended.
    pub fn rejected(&self) -> Result<(), No> {
        match self.customs_status {
            Customs::Rejected => Ok(()),
            Customs::Approved => Err(No::Cleared),
            Customs::Absent | Customs::Waiting => Err(No::Unknown),
        }
    }
    /// How handing it over ended.
    pub fn completed(&self) -> Result<(), No> {
        match (self.customs_status, self.delivery_status) {
            (_, Some(Leg::DeliveryCompleted)) => Ok(()),
            (Customs::Absent, _) => Err(No::Unknown),
            (Customs::Rejected, _) => Err(No::Discarded),
            (Customs::Waiting | Customs::Approved, _) => Err(No::NotCleared),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{both_languages_know, label};
    use jumun_testkit::{check_table, given_facts, laws};
    use strum::VariantNames;

    const REJECTED: Fact = Fact::CustomsRejected { order_no: 7 };
    fn waits() -> Fact {
        Fact::CustomsAwaited { order_no: 7, label: label() }
    }
    fn started() -> Fact {
        Fact::DeliveryStarted { order_no: 7, invoice_no: "I-7".to_owned(), label: label() }
    }
    fn completed() -> Fact {
        Fact::DeliveryCompleted { order_no: 7, invoice_no: "I-7".to_owned() }
    }
    fn states() -> Vec<(&'static str, Delivery)> {
        vec![
            ("Absent", Delivery::default()),
            ("Waiting", given_facts([waits()]).into_state()),
            ("Approved", given_facts([waits(), started()]).into_state()),
            ("Approved (completed)", given_facts([waits(), started(), completed()]).into_state()),
            ("Rejected", given_facts([waits(), REJECTED]).into_state()),
        ]
    }
    fn commands() -> Vec<(&'static str, Do)> {
        vec![("Await", Do::Await(label())), ("Approve", Do::Approve), ("Reject", Do::Reject), ("Complete", Do::Complete)]
    }

    #[test]
    fn the_table_on_the_wall_is_the_rule() {
        let table = "
            | Delivery             | Await          | Approve         | Reject          | Complete          |
            |----------------------|----------------|-----------------|-----------------|-------------------|
            | Absent               | CustomsAwaited | !unknown        | !unknown        | !unknown          |
            | Waiting              | ∅              | DeliveryStarted | CustomsRejected | !not-cleared      |
            | Approved             | ∅              | ∅               | !cleared        | DeliveryCompleted |
            | Approved (completed) | ∅              | ∅               | !cleared        | ∅                 |
            | Rejected             | ∅              | !discarded      | ∅               | !discarded        |
        ";
        check_table(table, states(), commands())
            .statuses(Customs::VARIANTS, |delivery| delivery.customs_status.into())
            .commands(Do::VARIANTS);
    }

    #[test]
    fn whatever_happens_in_whatever_order_the_laws_hold() {
        laws::<Delivery>(commands().into_iter().map(|(_, command)| command))
            .users(|command| !matches!(command, Do::Await(_)))
            .hold();
    }

    #[test]
    fn what_customs_lets_in_goes_to_the_customer_under_an_invoice() {
        let waiting = given_facts::<Delivery>([waits()]);
        assert_eq!((waiting.state().delivery_status, waiting.state().label.clone()), (None, label()));
        let under_way = waiting.when(Do::Approve).then([started()]);
        let Delivery { delivery_status, invoice_no, .. } = under_way.state().clone();
        assert_eq!((delivery_status, invoice_no.as_deref()), (Some(Leg::DeliveryStarted), Some("I-7")));
        let there = under_way.when(Do::Complete).then([completed()]);
        assert_eq!(there.state().delivery_status, Some(Leg::DeliveryCompleted));
    }

    #[test]
    fn what_customs_does_not_let_in_is_discarded_and_never_delivered() {
        let over = given_facts::<Delivery>([waits()]).when(Do::Reject).then([REJECTED]);
        assert_eq!((over.state().delivery_status, over.state().invoice_no.clone()), (Some(Leg::Discarded), None));
        over.when(Do::Complete).refused(No::Discarded).when(Do::Approve).refused(No::Discarded);
    }

    #[test]
    fn officer_and_courier_are_told_how_it_stands() {
        let code = |ended: Result<(), No>| ended.map_err(|no| no.code());
        let told: Vec<_> = states()
            .into_iter()
            .map(|(name, of)| (name, code(of.approved()), code(of.rejected()), code(of.completed())))
            .collect();
        assert_eq!(
            told,
            [
                ("Absent", Err("unknown"), Err("unknown"), Err("unknown")),
                ("Waiting", Err("unknown"), Err("unknown"), Err("not-cleared")),
                ("Approved", Ok(()), Err("cleared"), Err("not-cleared")),
                ("Approved (completed)", Ok(()), Err("cleared"), Ok(())),
                ("Rejected", Err("discarded"), Ok(()), Err("discarded")),
            ]
        );
        both_languages_know(&[No::NotCleared, No::Cleared, No::Discarded]);
    }
}
