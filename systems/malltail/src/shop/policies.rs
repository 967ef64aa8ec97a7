use super::shop_management::{Do, Established};
use crate::contract::{order, pay};

pub(super) fn order_info_update(fact: &pay::Event) -> Option<Do> {
    matches!(fact, pay::Event::OrderPaid { .. }).then_some(Do::NotePaid)
}

pub(super) fn listed_when_established(fact: &order::Event) -> Option<Do> {
    match fact.clone() {
        order::Event::Ordered { item_no, qty, amount, customer, create_date, .. } => {
            Some(Do::NoteEstablished(Established { item_no, qty, amount, customer, create_date }))
        }
        order::Event::OrderCanceled { reason: order::Reason::Customer, .. } => Some(Do::Withdraw),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::order::{Customer, Reason, Unpaid};
    use jumun_model::{Event, Personal, Won};
    use jumun_testkit::{NOON, covers, policy};

    #[test]
    fn shop_notes_what_is_paid_and_no_other_word_of_pay() {
        let (order_no, item_no, amount) = (7, 1001, Won(30_000));
        let paid = pay::Event::OrderPaid { order_no, item_no, amount };
        let others = [
            pay::Event::PaymentRequested { order_no, item_no, amount, pay_url: None },
            pay::Event::PaymentDeclined { order_no, item_no, amount },
            pay::Event::VoidStarted { order_no },
            pay::Event::RefundStarted { order_no },
            pay::Event::PaymentVoided { order_no },
            pay::Event::PaymentCanceled { order_no, amount },
        ];
        covers(others.iter().chain([&paid]).map(Event::name), pay::Event::NAMES);
        policy(order_info_update).on(&paid).wants(Do::NotePaid);
        for fact in &others {
            policy(order_info_update).on(fact).wants_nothing();
        }
    }

    #[test]
    fn shop_notes_what_is_established_and_withdraws_what_the_customer_cancelled() {
        let customer_name = Some(Personal("Kim".to_owned()));
        let customer = Customer { customer_id: Some("c-1".to_owned()), customer_name, ..Customer::default() };
        let (order_no, item_no, qty, amount, create_date) = (7, 1001, 3, Won(30_000), NOON);
        let stands = order::Event::Ordered { order_no, item_no, qty, amount, customer: customer.clone(), create_date };
        let canceled = |refund_due| order::Event::OrderCanceled { order_no, reason: Reason::Customer, refund_due };
        let others = [
            order::Event::OrderRequested { order_no, item_no, qty, amount, customer: customer.clone(), create_date },
            order::Event::OrderPaymentFailed { order_no, why: Unpaid::Expired },
            order::Event::PaymentAwaited { order_no, pay_url: String::new() },
            order::Event::PaymentAwaited { order_no, pay_url: "https://pay.example/order/7".to_owned() },
            order::Event::CancelRequested { order_no },
            order::Event::CancelRefused { order_no },
        ];
        covers(others.iter().chain([&stands, &canceled(true)]).map(Event::name), order::Event::NAMES);
        let listing = policy(listed_when_established);
        listing.on(&stands).wants(Do::NoteEstablished(Established { item_no, qty, amount, customer, create_date }));
        listing.on(&canceled(true)).wants(Do::Withdraw);
        listing.on(&canceled(false)).wants(Do::Withdraw);
        for fact in &others {
            listing.on(fact).wants_nothing();
        }
    }
}
