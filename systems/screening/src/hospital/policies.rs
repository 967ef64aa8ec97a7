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
