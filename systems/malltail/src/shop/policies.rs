use super::shop_management::{Do, Established};
use crate::contract::{order, pay};

pub fn order_info_update(fact: &pay::Event) -> Option<Do> {
    match *fact {
        pay::Event::OrderPaid { pay_id, .. } => Some(Do::NotePaid { pay_id }),
        _ => None,
    }
}

pub fn listed_when_established(fact: &order::Event) -> Option<Do> {
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
    use crate::{contract::order::Reason, samples};
    use jumun_model::Event;
    use jumun_testkit::{covers, policy};

    #[test]
    fn shop_notes_what_is_paid_and_no_other_word_of_pay() {
        covers(samples::pay().iter().map(Event::name), pay::Event::NAMES);
        for fact in &samples::pay() {
            match fact.name() {
                "OrderPaid" => policy(order_info_update).on(fact).wants(Do::NotePaid { pay_id: 7 }),
                _ => policy(order_info_update).on(fact).wants_nothing(),
            }
        }
    }

    #[test]
    fn shop_notes_what_is_established_and_withdraws_what_the_customer_cancelled() {
        covers(samples::order().iter().map(Event::name), order::Event::NAMES);
        let listing = policy(listed_when_established);
        for fact in &samples::order() {
            match fact.clone() {
                order::Event::Ordered { item_no, qty, amount, customer, create_date, .. } => {
                    let seen = Established { item_no, qty, amount, customer, create_date };
                    listing.on(fact).wants(Do::NoteEstablished(seen));
                }
                // what customs did not let in stays accepted: it was shipped
                order::Event::OrderCanceled { reason: Reason::Customer, .. } => listing.on(fact).wants(Do::Withdraw),
                _ => listing.on(fact).wants_nothing(),
            }
        }
    }
}
