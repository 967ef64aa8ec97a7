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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use jumun_model::{Event as _, Personal};
    use jumun_testkit::{covers, policy};

    #[test]
    fn the_book_is_kept_of_what_has_its_seat_and_of_what_becomes_of_it() {
        covers(samples::screening().iter().map(Event::name), Event::NAMES);
        for fact in &samples::screening() {
            let kept = policy(keep_the_book).on(fact);
            match fact.name() {
                "RequestCompleted" => kept.wants(Do::Enter(samples::visit())),
                "CustomerRenamed" => kept.wants(Do::Rename(Personal("YOU".to_owned()))),
                "Canceled" => kept.wants(Do::Cancel),
                "ForceCanceled" => kept.wants(Do::ForceCancel),
                _ => kept.wants_nothing(),
            }
        }
    }
}
