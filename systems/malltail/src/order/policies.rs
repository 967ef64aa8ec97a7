use super::order::Do;
use crate::contract::{delivery, shipping, shop};

pub fn turned_down(fact: &shop::Event) -> Option<Do> {
    match fact {
        shop::Event::OrderRejected { reason, .. } => Some(Do::TurnDown { reason: reason.clone() }),
        _ => None,
    }
}

pub fn note_shipping(fact: &shipping::Event) -> Option<Do> {
    matches!(fact, shipping::Event::ShippingStarted { .. }).then_some(Do::NoteShipping)
}

pub fn forfeited(fact: &delivery::Event) -> Option<Do> {
    matches!(fact, delivery::Event::CustomsRejected { .. }).then_some(Do::Forfeit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use jumun_model::Event;
    use jumun_testkit::{covers, policy};

    #[test]
    fn an_order_is_turned_down_when_the_shop_rejects_it_and_then_alone() {
        covers(samples::shop().iter().map(Event::name), shop::Event::NAMES);
        for fact in &samples::shop() {
            match fact {
                shop::Event::OrderRejected { reason, .. } => {
                    policy(turned_down).on(fact).wants(Do::TurnDown { reason: reason.clone() });
                }
                _ => policy(turned_down).on(fact).wants_nothing(),
            }
        }
    }

    #[test]
    fn an_order_notes_when_its_parcel_leaves_and_no_other_word_of_shipping() {
        covers(samples::shipping().iter().map(Event::name), shipping::Event::NAMES);
        for fact in &samples::shipping() {
            match fact.name() {
                "ShippingStarted" => policy(note_shipping).on(fact).wants(Do::NoteShipping),
                _ => policy(note_shipping).on(fact).wants_nothing(),
            }
        }
    }

    #[test]
    fn an_order_is_forfeited_when_customs_rejects_its_goods_and_then_alone() {
        covers(samples::delivery().iter().map(Event::name), delivery::Event::NAMES);
        for fact in &samples::delivery() {
            match fact.name() {
                "CustomsRejected" => policy(forfeited).on(fact).wants(Do::Forfeit),
                _ => policy(forfeited).on(fact).wants_nothing(),
            }
        }
    }
}
