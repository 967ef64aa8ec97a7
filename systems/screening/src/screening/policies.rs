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
