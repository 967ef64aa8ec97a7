use super::screening::Do;
use crate::contract::hospital::Event;
use jumun_model::Every;

/// Nobody is examined at a hospital that is closed.
pub fn force_cancel(fact: &Event) -> Option<Every<Do>> {
    match fact {
        Event::HospitalDeleted { id, .. } => Some(Every { key: "hospitalId", value: id.to_string(), command: Do::ForceCancel }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use jumun_model::Event as _;
    use jumun_testkit::{covers, policy};

    #[test]
    fn a_hospital_that_closes_cancels_every_screening_there_and_nothing_else_does() {
        covers(samples::hospital().iter().map(Event::name), Event::NAMES);
        for fact in &samples::hospital() {
            match fact.name() {
                "HospitalDeleted" => policy(force_cancel).on(fact).wants(Every {
                    key: "hospitalId",
                    value: "1".to_owned(),
                    command: Do::ForceCancel,
                }),
                _ => policy(force_cancel).on(fact).wants_nothing(),
            }
        }
    }
}
