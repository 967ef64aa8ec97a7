//! News told in order.
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Tells many by a channel for each, in the order in which they came to listen: a channel that they share wakes them in random order,
/// and a run from a seed has to be the same each time.
#[derive(Default)]
pub struct Herald<T>(Mutex<Told<T>>);
#[derive(Default)]
struct Told<T> {
    now: T,
    listening: Vec<watch::Sender<T>>,
    /// At so many, those who left are struck off.
    enough: usize,
}
impl<T: Clone> Herald<T> {
    /// Who says this until something else is said.
    pub const fn new(now: T) -> Self {
        Herald(Mutex::new(Told { now, listening: Vec::new(), enough: 0 }))
    }
    /// What is said now, and whenever that changes.
    pub fn listen(&self) -> watch::Receiver<T> {
        let mut told = self.lock();
        let (sender, receiver) = watch::channel(told.now.clone());
        if told.listening.len() >= told.enough {
            told.listening.retain(|sender| !sender.is_closed());
            told.enough = 2 * told.listening.len() + 16;
        }
        told.listening.push(sender);
        receiver
    }
    /// Tells it to everybody who listens; it may be what was said before.
    pub fn say(&self, now: T) {
        let mut told = self.lock();
        for sender in &told.listening {
            sender.send_replace(now.clone());
        }
        told.now = now;
    }
    fn lock(&self) -> MutexGuard<'_, Told<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn who_came_first_is_told_first_each_time() {
        let (herald, told) = (Herald::new(0_u64), Arc::new(Mutex::new(Vec::new())));
        for listener in 0..8 {
            let (mut heard, told) = (herald.listen(), Arc::clone(&told));
            tokio::spawn(async move {
                while heard.changed().await.is_ok() {
                    told.lock().unwrap().push((*heard.borrow_and_update(), listener));
                }
            });
        }
        for said in 1..=4 {
            tokio::task::yield_now().await;
            herald.say(said);
        }
        tokio::task::yield_now().await;
        let wanted = (1..=4).flat_map(|said| (0..8).map(move |listener| (said, listener))).collect::<Vec<_>>();
        assert_eq!(*told.lock().unwrap(), wanted);
    }

    #[test]
    fn who_left_is_forgotten() {
        let herald = Herald::new(());
        let stays = herald.listen();
        for _ in 0..1_000 {
            herald.listen();
        }
        assert!(herald.lock().listening.len() < 40);
        drop(herald);
        assert!(stays.has_changed().is_err());
    }
}
