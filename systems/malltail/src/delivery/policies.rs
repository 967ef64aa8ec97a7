use super::delivery::Do;
use crate::contract::shipping;

pub fn add_to_customs_list(fact: &shipping::Event) -> Option<Do> {
    match fact {
        shipping::Event::ShippingCompleted { label, .. } => Some(Do::Await(label.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use jumun_model::Event;
    use jumun_testkit::{covers, policy};

    #[test]
    fn what_the_forwarder_has_is_on_the_customs_list_and_nothing_else_is() {
        covers(samples::shipping().iter().map(Event::name), shipping::Event::NAMES);
        for fact in &samples::shipping() {
            match fact.name() {
                "ShippingCompleted" => policy(add_to_customs_list).on(fact).wants(Do::Await(samples::label())),
                _ => policy(add_to_customs_list).on(fact).wants_nothing(),
            }
        }
    }
}
