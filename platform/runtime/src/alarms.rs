//! What is owed and due: moments that came, tries that failed or whose carrier died.
use crate::{
    core::Core,
    desk::{Desk, Failure, Rung},
    keeping::Keeping,
    ports::or_stopping,
};
use futures_util::{FutureExt, StreamExt, future::join, stream};
use jumun_model::Timestamp;
use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};
use tokio::sync::Notify;

/// How many due documents are looked at in one go.
const BATCH: usize = 256;
/// How long a sweep waits before it looks again although nobody called, and after the store did not answer.
const AT_LEAST_EVERY: Duration = Duration::from_secs(5);

/// When somebody looks next; moments do not wait for asks that are under way.
#[derive(Default)]
pub(crate) struct Alarms {
    asks: Alarm,
    moments: Alarm,
}
impl Alarms {
    /// Sees to it that somebody looks when the ask is due, and when the moment comes.
    pub(crate) fn set(&self, ask: Option<Timestamp>, moment: Option<Timestamp>) {
        if let Some(at) = ask {
            self.asks.not_later_than(at);
        }
        if let Some(at) = moment {
            self.moments.not_later_than(at);
        }
    }
}

/// When the next sweep is planned; whoever makes something due earlier rings.
struct Alarm {
    planned: AtomicI64,
    bell: Notify,
}
impl Default for Alarm {
    fn default() -> Self {
        Alarm { planned: AtomicI64::new(i64::MIN), bell: Notify::new() }
    }
}
impl Alarm {
    fn not_later_than(&self, at: Timestamp) {
        if at.millis() < self.planned.fetch_min(at.millis(), Ordering::AcqRel) {
            self.bell.notify_waiters();
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Promised {
    Asks,
    Moments,
}

impl<K: Keeping> Desk<K> {
    /// Sweeps what is due, as long as the context runs.
    pub(crate) async fn keep_promises(self: Arc<Self>, core: Arc<Core>) {
        join(self.keep(&core, Promised::Moments), self.keep(&core, Promised::Asks)).await;
    }

    async fn keep(self: &Arc<Self>, core: &Arc<Core>, promised: Promised) {
        let mut stopping = core.tasks.stopping();
        let alarm = match promised {
            Promised::Asks => &self.alarms.asks,
            Promised::Moments => &self.alarms.moments,
        };
        while !*stopping.borrow() {
            alarm.planned.store(i64::MAX, Ordering::Release);
            let round = match promised {
                Promised::Asks => self.asks_due(core).await,
                Promised::Moments => self.moments_due(core).await,
            };
            let again_at = round.unwrap_or_else(|why| {
                tracing::warn!(
                    context = core.context,
                    aggregate = K::NAME,
                    ?promised,
                    ?why,
                    "what is due can not be seen to now"
                );
                core.clock.now() + Duration::from_secs(1)
            });
            // what was rung during the round is in `planned`, what is rung from here on wakes us
            let mut bell = std::pin::pin!(alarm.bell.notified());
            bell.as_mut().enable();
            let planned = alarm.planned.fetch_min(again_at.millis(), Ordering::AcqRel).min(again_at.millis());
            let pause = Timestamp::from_millis(planned).since(core.clock.now()).max(Duration::from_millis(1));
            if or_stopping(&mut stopping, tokio::time::timeout(pause, bell)).await {
                return;
            }
        }
    }

    /// Sees to every moment that has come; when the next one does.
    async fn moments_due(self: &Arc<Self>, core: &Arc<Core>) -> Result<Timestamp, Failure<K::Refusal>> {
        let now = core.clock.now();
        let mut rung = false;
        for number in core.store.moments(K::NAME, now + AT_LEAST_EVERY, BATCH).await? {
            match caught::<K, _>(core, number, self.ring(core, number)).await {
                Some(Ok(Rung::Done)) => rung = true,
                Some(Ok(Rung::InVain)) | None => {}
                Some(Ok(Rung::NotYet)) => {
                    // earliest first: none of the others has come either
                    let moment = core.store.load(K::NAME, number).await?.and_then(|document| document.moment);
                    if let Some(at) = moment.filter(|&at| at > now && !rung) {
                        return Ok(at);
                    }
                }
                Some(Err(why)) => return Err(why),
            }
        }
        Ok(if rung { now } else { now + AT_LEAST_EVERY })
    }

    /// Tries every ask that is due; when the next one is.
    async fn asks_due(self: &Arc<Self>, core: &Arc<Core>) -> Result<Timestamp, Failure<K::Refusal>> {
        let now = core.clock.now();
        let mut again_at = now + AT_LEAST_EVERY;
        let mut tried = false;
        for &of in &self.asked {
            // the breaker is asked before anything is claimed
            let elapsed = core.clock.elapsed();
            if let Some(opens) = core.lines.opens_at(of, elapsed) {
                again_at = again_at.min(now + opens.saturating_sub(elapsed).max(Duration::from_millis(50)));
                continue;
            }
            let due = core.store.due(K::NAME, of, now, core.settings.sweepers).await?;
            let sweeps = due.into_iter().map(|number| caught::<K, _>(core, number, self.sweep(core, number)));
            let swept: Vec<_> = stream::iter(sweeps).buffer_unordered(core.settings.sweepers).collect().await;
            for one in swept.into_iter().flatten() {
                tried |= one?;
            }
            if let Some(&next) = core.store.due(K::NAME, of, again_at, core.settings.sweepers).await?.iter().find(|_| !tried)
                && let Some(attempt) = core.store.load(K::NAME, next).await?.and_then(|document| document.attempt)
            {
                again_at = again_at.min(attempt.due);
            }
        }
        Ok(if tried { now } else { again_at.max(now + Duration::from_millis(5)) })
    }
}

/// A panic over one document is a defect of that document, and not the end of all promises.
async fn caught<K: Keeping, T>(core: &Core, number: u64, work: impl Future<Output = T>) -> Option<T> {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    if done.is_err() {
        core.defect("promise", &format!("{}/{number}: what is due panicked", K::ROOT));
    }
    done.ok()
}
