//! The overseas leg. So far it can only be held: never started, and from then on never will.
use crate::contract::shipping::{Answer, Event as Fact};
use jumun_model::*;
use serde::{Deserialize, Serialize};
use strum::{EnumIter, IntoStaticStr, VariantNames};

#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Shipping {
    pub order_no: u64,
    pub shipping_status: Status,
}
#[derive(
    Clone, Copy, Default, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, EnumIter, IntoStaticStr, VariantNames,
)]
pub enum Status {
    #[default]
    Absent,
    Held,
}
#[derive(Clone, Debug, PartialEq, IntoStaticStr, VariantNames)]
pub enum Do {
    Hold,
}
impl Aggregate for Shipping {
    const NAME: &'static str = "shipping";
    const ROOT: &'static str = "order";
    const KEYS: &'static [&'static str] = &["orderNo"];
    type Command = Do;
    type Event = Fact;
    type Refusal = Never;
    type Settings = ();

    fn decide(&self, on: &Occasion, command: Do) -> Result<Vec<Fact>, Never> {
        Ok(match (self.shipping_status, command) {
            (Status::Absent, Do::Hold) => vec![Fact::ShippingHeld { order_no: on.number }],
            (Status::Held, Do::Hold) => vec![],
        })
    }
    fn evolve(&mut self, on: &Occasion, fact: &Fact) {
        self.order_no = on.number;
        match fact {
            Fact::ShippingHeld { .. } => self.shipping_status = Status::Held,
        }
    }

    fn examples() -> Vec<Do> {
        vec![Do::Hold]
    }
}

impl Shipping {
    pub fn held(&self) -> Answer {
        match self.shipping_status {
            Status::Held => Answer::Held,
            Status::Absent => Answer::TooLate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jumun_testkit::{check_table, given, given_facts, laws};
    use strum::VariantNames;

    fn states() -> Vec<(&'static str, Shipping)> {
        vec![("Absent", Shipping::default()), ("Held", given_facts([Fact::ShippingHeld { order_no: 7 }]).into_state())]
    }

    #[test]
    fn the_table_on_the_wall_is_the_rule() {
        let table = "
            | Shipping | Hold         |
            |----------|--------------|
            | Absent   | ShippingHeld |
            | Held     | ∅            |
        ";
        check_table(table, states(), vec![("Hold", Do::Hold)])
            .statuses(Status::VARIANTS, |shipping| shipping.shipping_status.into())
            .commands(Do::VARIANTS);
    }

    #[test]
    fn whatever_happens_in_whatever_order_the_laws_hold() {
        laws::<Shipping>([Do::Hold]).hold();
    }

    #[test]
    fn what_never_left_is_held_and_answers_so_however_often_it_is_asked() {
        let held = given(Shipping::default()).when(Do::Hold).then([Fact::ShippingHeld { order_no: 7 }]);
        assert_eq!((held.state().held(), held.state().order_no), (Answer::Held, 7));
        assert_eq!(held.when(Do::Hold).then_nothing().owes_nothing().state().held(), Answer::Held);
    }

    #[test]
    fn only_what_is_held_is_answered_as_held() {
        let told: Vec<_> = states().into_iter().map(|(name, state)| (name, state.held())).collect();
        assert_eq!(told, [("Absent", Answer::TooLate), ("Held", Answer::Held)]);
    }
}
