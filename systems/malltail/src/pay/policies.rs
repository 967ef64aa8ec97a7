use super::payment::Do;
use crate::contract::order;

/// Pay gives back on what order says, and on that alone.
pub(super) fn cancel_payment(fact: &order::Event) -> Option<Do> {
    match fact {
        order::Event::OrderCanceled { refund_due: true, .. } | order::Event::OrderPaymentFailed { .. } => Some(Do::GiveBack),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::order::{Customer, Reason, Unpaid};
    use jumun_model::{Event, Won};
    use jumun_testkit::{NOON, covers, policy};

    #[test]
    fn pay_gives_back_what_was_cancelled_if_it_is_due_and_what_failed_and_nothing_else() {
        let (order_no, item_no, qty, amount, customer, create_date) = (7, 1001, 3, Won(30_000), Customer::default(), NOON);
        let give_back = [
            order::Event::OrderCanceled { order_no, reason: Reason::Customer, refund_due: true },
            order::Event::OrderPaymentFailed { order_no, why: Unpaid::Declined },
            order::Event::OrderPaymentFailed { order_no, why: Unpaid::Expired },
        ];
        let keep = [
            order::Event::OrderCanceled { order_no, reason: Reason::Customer, refund_due: false },
            order::Event::OrderRequested { order_no, item_no, qty, amount, customer: customer.clone(), create_date },
            order::Event::Ordered { order_no, item_no, qty, amount, customer, create_date },
            order::Event::PaymentAwaited { order_no, pay_url: String::new() },
            order::Event::PaymentAwaited { order_no, pay_url: "https://pay.example/order/7".to_owned() },
            order::Event::CancelRequested { order_no },
            order::Event::CancelRefused { order_no },
        ];
        covers(give_back.iter().chain(&keep).map(Event::name), order::Event::NAMES);
        for fact in &give_back {
            policy(cancel_payment).on(fact).wants(Do::GiveBack);
        }
        for fact in &keep {
            policy(cancel_payment).on(fact).wants_nothing();
        }
    }
}
