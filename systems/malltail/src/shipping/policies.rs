use super::shipping::Do;
use crate::contract::{shipping::Label, shop};

pub fn start_shipping(fact: &shop::Event) -> Option<Do> {
    let shop::Event::OrderDeliveryStarted { customer, shipping_address, shop_name, .. } = fact.clone() else { return None };
    let (receiver, phone_number, delivery_address) = (customer.customer_name, customer.phone_number, customer.customer_address);
    let label = Label { sender: Some(shop_name), receiver, phone_number, delivery_address };
    Some(Do::Start { shipping_address, label })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use jumun_model::Event;
    use jumun_testkit::{covers, policy};

    #[test]
    fn shipping_starts_when_the_shop_has_accepted_and_then_alone() {
        covers(samples::shop().iter().map(Event::name), shop::Event::NAMES);
        for fact in &samples::shop() {
            match fact.name() {
                "OrderDeliveryStarted" => {
                    let start = Do::Start { shipping_address: "Delaware".to_owned(), label: samples::label() };
                    policy(start_shipping).on(fact).wants(start);
                }
                _ => policy(start_shipping).on(fact).wants_nothing(),
            }
        }
    }
}
