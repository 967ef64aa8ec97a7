//! So many at once and no more.
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many places; each call holds one. What is slow on the other side then holds no more than these (Nygard, *Release It!*,
/// "Bulkheads"). Clones share the places.
#[derive(Clone, Debug)]
pub struct Bulkhead(Arc<Semaphore>);

/// A place in a [`Bulkhead`], free again when this is dropped.
#[derive(Debug)]
#[must_use = "a place is held only as long as this value lives"]
pub struct Place(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Bulkhead {
    /// With this many places; 0 is read as 1, and more than tokio's semaphores can count as what they can.
    pub fn new(places: usize) -> Self {
        Bulkhead(Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS))))
    }
    /// A place if one is free now. Nobody overtakes those who wait in [`enter`](Bulkhead::enter).
    pub fn try_enter(&self) -> Option<Place> {
        self.0.clone().try_acquire_owned().ok().map(Place)
    }
    /// Waits for a place, in the order of asking and without a deadline of its own. Who stops waiting (drops the future) leaves the
    /// line and takes nothing.
    pub async fn enter(&self) -> Place {
        Place(self.0.clone().acquire_owned().await.expect("the semaphore is never closed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    fn poll<F: Future>(waiting: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        waiting.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_full_bulkhead_lets_nobody_in_until_a_place_is_given_back() {
        let two = Bulkhead::new(2);
        let (first, _second) = (two.try_enter().unwrap(), two.clone().try_enter().unwrap());
        assert!(two.try_enter().is_none());
        drop(first);
        let _third = two.try_enter().unwrap();
        assert!(two.try_enter().is_none());
    }

    #[test]
    fn who_waits_gets_the_place_that_is_given_back_before_one_who_comes_later() {
        let one = Bulkhead::new(1);
        let held = one.try_enter();
        let mut waiting = pin!(one.enter());
        assert!(poll(waiting.as_mut()).is_pending());
        drop(held);
        assert!(one.try_enter().is_none());
        let Poll::Ready(_place) = poll(waiting) else { panic!("the place was free") };
    }

    #[test]
    fn who_stops_waiting_takes_nothing() {
        let one = Bulkhead::new(1);
        let held = one.try_enter();
        {
            let mut waiting = pin!(one.enter());
            assert!(poll(waiting.as_mut()).is_pending());
        }
        drop(held);
        assert!(one.try_enter().is_some());
    }

    #[test]
    fn any_number_of_places_can_be_asked_for() {
        assert!(Bulkhead::new(0).try_enter().is_some());
        assert!(Bulkhead::new(usize::MAX).try_enter().is_some());
    }
}
