use super::reservation::Do;
use crate::contract::screening::Event;

/// One policy for all that screening says, so that the book hears it in the order in which it was said.
pub fn keep_the_book(fact: &Event) -> Option<Do> {
    match fact {
        Event::RequestCompleted { visit, .. } => Some(Do::Enter(visit.clone())),
        Event::CustomerRenamed { cust_nm, .. } => Some(Do::Rename(cust_nm.clone())),
        Event::Canceled { .. } => Some(Do::Cancel),
        Event::ForceCanceled { .. } => Some(Do::ForceCancel),
        Event::Requested { .. } | Event::Rejected { .. } => None,
    }
}
