//! The overseas leg: from the shop to the forwarder; or held, which is never started, and from then on never will.
use crate::contract::shipping::{Answer, Event as Fact, Label};
use jumun_model::*;
use serde::{Deserialize, Serialize};
use strum::{EnumIter, IntoStaticStr, VariantNames};

#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Shipping {
    pub order_no: u64,
    pub shipping_status: Status,
    pub transport_no: Option<String>,
    /// Where the forwarder takes it in.
    pub shipping_address: Option<String>,
    #[serde(flatten)]
    pub label: Label,
}
#[derive(
    Clone, Copy, Default, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, EnumIter, IntoStaticStr, VariantNames,
)]
pub enum Status {
    #[default]
    Absent,
    ShippingStarted,
    ShippingCompleted,
    Held,
}

#[derive(Clone, Debug, PartialEq, IntoStaticStr, VariantNames)]
pub enum Do {
    Start { shipping_address: String, label: Label },
    Hold,
    Complete,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum No {
    #[error("there is no such parcel")]
    Unknown,
    #[error("this parcel was held back, and never leaves")]
    Held,
}
impl Refusal for No {
    fn code(&self) -> &'static str {
        match self {
            No::Unknown => "unknown",
            No::Held => "held",
        }
    }
    fn kind(&self) -> Kind {
        match self {
            No::Unknown => Kind::Missing,
            No::Held => Kind::Conflict,
        }
    }
}

impl Aggregate for Shipping {
    const NAME: &'static str = "shipping";
    const ROOT: &'static str = "order";
    const KEYS: &'static [&'static str] = &["orderNo", "shippingStatus"];
    type Command = Do;
    type Event = Fact;
    type Refusal = No;
    type Settings = ();

    fn decide(&self, on: &Occasion, command: Do) -> Result<Vec<Fact>, No> {
        use Status::*;
        let order_no = on.number;
        Ok(match (self.shipping_status, command) {
            (Absent, Do::Start { shipping_address, label }) => {
                vec![Fact::ShippingStarted { order_no, transport_no: format!("T-{order_no}"), shipping_address, label }]
            }
            (Absent, Do::Hold) => vec![Fact::ShippingHeld { order_no }],
            (ShippingStarted, Do::Complete) => vec![self.completed(order_no)],

            (_, Do::Complete) => return self.arrived().map(|()| vec![]),
            (_, Do::Start { .. } | Do::Hold) => vec![], // a repeat, or too late
        })
    }

    fn evolve(&mut self, on: &Occasion, fact: &Fact) {
        self.order_no = on.number;
        self.shipping_status = match fact {
            Fact::ShippingStarted { transport_no, shipping_address, label, .. } => {
                (self.transport_no, self.shipping_address) = (Some(transport_no.clone()), Some(shipping_address.clone()));
                self.label = label.clone();
                Status::ShippingStarted
            }
            Fact::ShippingCompleted { .. } => Status::ShippingCompleted,
            Fact::ShippingHeld { .. } => Status::Held,
        }
    }

    fn examples() -> Vec<Do> {
        vec![Do::Start { shipping_address: String::new(), label: Label::default() }, Do::Hold, Do::Complete]
    }
}

impl Shipping {
    fn completed(&self, order_no: u64) -> Fact {
        let Shipping { transport_no, shipping_address, label, .. } = self.clone();
        let (transport_no, shipping_address) = (transport_no.unwrap_or_default(), shipping_address.unwrap_or_default());
        Fact::ShippingCompleted { order_no, transport_no, shipping_address, label }
    }
    /// Whoever asks to hold it is answered from the state.
    pub fn held(&self) -> Answer {
        match self.shipping_status {
            Status::Held => Answer::Held,
            Status::Absent | Status::ShippingStarted | Status::ShippingCompleted => Answer::TooLate,
        }
    }
    /// Whether it has come to the forwarder.
    pub fn arrived(&self) -> Result<(), No> {
        match self.shipping_status {
            Status::ShippingCompleted => Ok(()),
            Status::Held => Err(No::Held),
            Status::Absent | Status::ShippingStarted => Err(No::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{both_languages_know, label};
    use jumun_testkit::{check_table, given, given_facts, laws};
    use strum::VariantNames;

    const HELD: Fact = Fact::ShippingHeld { order_no: 7 };
    fn start() -> Do {
        Do::Start { shipping_address: "Delaware".to_owned(), label: label() }
    }
    fn started() -> Fact {
        let (transport_no, shipping_address) = ("T-7".to_owned(), "Delaware".to_owned());
        Fact::ShippingStarted { order_no: 7, transport_no, shipping_address, label: label() }
    }
    fn completed() -> Fact {
        let (transport_no, shipping_address) = ("T-7".to_owned(), "Delaware".to_owned());
        Fact::ShippingCompleted { order_no: 7, transport_no, shipping_address, label: label() }
    }
    fn states() -> Vec<(&'static str, Shipping)> {
        vec![
            ("Absent", Shipping::default()),
            ("ShippingStarted", given_facts([started()]).into_state()),
            ("ShippingCompleted", given_facts([started(), completed()]).into_state()),
            ("Held", given_facts([HELD]).into_state()),
        ]
    }
    fn commands() -> Vec<(&'static str, Do)> {
        vec![("Start", start()), ("Hold", Do::Hold), ("Complete", Do::Complete)]
    }

    #[test]
    fn the_table_on_the_wall_is_the_rule() {
        let table = "
            | Shipping          | Start           | Hold         | Complete          |
            |-------------------|-----------------|--------------|-------------------|
            | Absent            | ShippingStarted | ShippingHeld | !unknown          |
            | ShippingStarted   | ∅               | ∅            | ShippingCompleted |
            | ShippingCompleted | ∅               | ∅            | ∅                 |
            | Held              | ∅               | ∅            | !held             |
        ";
        check_table(table, states(), commands())
            .statuses(Status::VARIANTS, |shipping| shipping.shipping_status.into())
            .commands(Do::VARIANTS);
    }

    #[test]
    fn whatever_happens_in_whatever_order_the_laws_hold() {
        laws::<Shipping>(commands().into_iter().map(|(_, command)| command)).users(|command| *command == Do::Complete).hold();
    }

    #[test]
    fn what_never_left_is_held_and_answers_so_however_often_it_is_asked_and_never_leaves() {
        let held = given(Shipping::default()).when(Do::Hold).then([HELD]);
        assert_eq!((held.state().held(), held.state().order_no), (Answer::Held, 7));
        let held = held.when(Do::Hold).then_nothing().when(start()).then_nothing();
        assert_eq!(held.owes_nothing().state().held(), Answer::Held);
    }

    #[test]
    fn what_has_left_is_not_held_and_comes_to_the_forwarder_under_its_number() {
        let left = given(Shipping::default()).when(start()).then([started()]).when(Do::Hold).then_nothing();
        let Shipping { order_no, transport_no, shipping_address, label: shown, .. } = left.state().clone();
        assert_eq!((order_no, transport_no.as_deref(), shipping_address.as_deref()), (7, Some("T-7"), Some("Delaware")));
        assert_eq!((left.state().held(), shown), (Answer::TooLate, label()));
        left.when(Do::Complete).then([completed()]).when(Do::Complete).then_nothing();
    }

    #[test]
    fn only_what_is_held_is_answered_as_held_and_only_what_arrived_as_arrived() {
        let told: Vec<_> = states().into_iter().map(|(name, state)| (name, state.held(), state.arrived())).collect();
        assert_eq!(
            told,
            [
                ("Absent", Answer::TooLate, Err(No::Unknown)),
                ("ShippingStarted", Answer::TooLate, Err(No::Unknown)),
                ("ShippingCompleted", Answer::TooLate, Ok(())),
                ("Held", Answer::Held, Err(No::Held)),
            ]
        );
        both_languages_know(&[No::Held]);
    }
}
