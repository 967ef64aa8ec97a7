use super::hospital::Do;
use crate::contract::screening::Event;

/// Whoever does not come needs no seat, whether there was one or not.
pub fn increase_capacity(fact: &Event) -> Option<(u64, Do)> {
    match fact {
        Event::Canceled { hospital_id, .. } | Event::ForceCanceled { hospital_id, .. } | Event::Rejected { hospital_id, .. } => {
            Some((*hospital_id, Do::GiveBack))
        }
        Event::Requested { .. } | Event::RequestCompleted { .. } | Event::CustomerRenamed { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use jumun_model::Event as _;
    use jumun_testkit::{covers, policy};

    #[test]
    fn whatever_ends_a_screening_gives_its_seat_back_and_nothing_else_does() {
        covers(samples::screening().iter().map(Event::name), Event::NAMES);
        for fact in &samples::screening() {
            match fact.name() {
                "Canceled" | "ForceCanceled" | "Rejected" => policy(increase_capacity).on(fact).wants((1, Do::GiveBack)),
                _ => policy(increase_capacity).on(fact).wants_nothing(),
            }
        }
    }
}
