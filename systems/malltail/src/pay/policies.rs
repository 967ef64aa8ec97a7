use super::payment::Do;
use crate::contract::order;

/// Pay gives back on what order says, and on that alone.
pub fn cancel_payment(fact: &order::Event) -> Option<Do> {
    match fact {
        order::Event::OrderCanceled { refund_due, .. } => refund_due.then_some(Do::GiveBack),
        order::Event::OrderTurnedDown { .. } | order::Event::OrderPaymentFailed { .. } => Some(Do::GiveBack),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{contract::order::Reason, samples};
    use jumun_model::Event;
    use jumun_testkit::{covers, policy};

    #[test]
    fn pay_gives_back_what_was_cancelled_if_it_is_due_what_failed_what_was_turned_down_and_nothing_else() {
        covers(samples::order().iter().map(Event::name), order::Event::NAMES);
        for fact in &samples::order() {
            match (fact.name(), fact) {
                ("OrderPaymentFailed" | "OrderTurnedDown", _)
                | (_, order::Event::OrderCanceled { reason: Reason::Customer, .. }) => {
                    policy(cancel_payment).on(fact).wants(Do::GiveBack);
                }
                _ => policy(cancel_payment).on(fact).wants_nothing(),
            }
        }
    }

    #[test]
    fn whether_a_cancelled_order_is_paid_back_is_what_order_says_and_not_why() {
        for reason in [Reason::Customer, Reason::Customs] {
            let canceled = |refund_due| order::Event::OrderCanceled { order_no: 7, reason, refund_due };
            policy(cancel_payment).on(&canceled(true)).wants(Do::GiveBack);
            policy(cancel_payment).on(&canceled(false)).wants_nothing();
        }
    }
}
