//! What differs from run to run: time, chance, tasks. Each is a port with a fake that tests steer.
use jumun_model::Timestamp;
use jumun_store::Herald;
use std::{
    future::Future,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, task::JoinSet};

/// The one place that reads the clock. Waiting is tokio's own, which a test pauses.
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;
    /// Time passed since an origin of the clock's own; it never goes back.
    fn elapsed(&self) -> Duration;
}

/// The real clock.
pub struct SystemClock(std::time::Instant);
impl SystemClock {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the port that the lint points at")]
    pub fn start() -> Self {
        SystemClock(std::time::Instant::now())
    }
}
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port that the lint points at")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A clock that follows tokio's own: paused and moved by tests, and begun at a given time of day.
pub struct TokioClock(tokio::time::Instant, Timestamp);
impl TokioClock {
    /// It is `now`.
    #[expect(clippy::disallowed_methods, reason = "tokio's clock is the one that tests pause")]
    pub fn at(now: Timestamp) -> Self {
        TokioClock(tokio::time::Instant::now(), now)
    }
}
impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.1 + self.0.elapsed()
    }
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Random numbers, from a seed.
pub struct Chance(Mutex<fastrand::Rng>);
impl Chance {
    /// Always the same numbers for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Chance(Mutex::new(fastrand::Rng::with_seed(seed)))
    }
    /// Other numbers each time.
    pub fn fresh() -> Self {
        Chance(Mutex::new(fastrand::Rng::new()))
    }
    /// A number of 64 random bits.
    pub fn draw(&self) -> u64 {
        lock(&self.0).u64(..)
    }
    /// A number from 0 up to but without `end`; 0 if `end` is 0.
    pub fn below(&self, end: u64) -> u64 {
        if end == 0 { 0 } else { lock(&self.0).u64(..end) }
    }
}

/// Everything that runs on a context's behalf, so that it can be finished, or killed, as one.
pub struct Tasks {
    running: Mutex<JoinSet<()>>,
    killed: AtomicBool,
    stopping: Herald<bool>,
}
impl Default for Tasks {
    fn default() -> Self {
        Tasks { running: Mutex::default(), killed: AtomicBool::new(false), stopping: Herald::default() }
    }
}
impl Tasks {
    /// Runs it on its own. After [`Tasks::kill`] it never begins.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut running = lock(&self.running);
        while let Some(ended) = running.try_join_next() {
            if let Err(why) = ended
                && why.is_panic()
            {
                tracing::error!(%why, "a task panicked");
                metrics::counter!("jumun_defects_total", "what" => "panic").increment(1);
            }
        }
        if !self.killed.load(Ordering::Acquire) {
            running.spawn(task);
        }
    }
    /// Resolves when the context is to stop: loops end at their next turn.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.listen()
    }
    /// Asks the loops to end, waits at most `patience` for everything that runs, then ends the rest.
    pub async fn finish(&self, patience: Duration) {
        self.stopping.say(true);
        let mut running = std::mem::take(&mut *lock(&self.running));
        let all = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, all).await.is_err() {
            running.shutdown().await;
        }
        // what these tasks spawned while they ended
        let mut late = std::mem::take(&mut *lock(&self.running));
        let all = async { while late.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, all).await.is_err() {
            late.shutdown().await;
        }
    }
    /// Ends everything at once, wherever it is, as a dying process does.
    pub fn kill(&self) {
        self.stopping.say(true);
        let mut running = lock(&self.running);
        self.killed.store(true, Ordering::Release);
        running.abort_all();
    }
}

/// A mutex is poisoned only by a panic inside its few lines; what it guards is whole all the same.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for `event`, or until the context is to stop; whether it is to stop.
pub(crate) async fn or_stopping(stopping: &mut watch::Receiver<bool>, event: impl Future) -> bool {
    let stop = std::pin::pin!(stopping.wait_for(|stop| *stop));
    let event = std::pin::pin!(event);
    // biased: stopping comes first, so that a run from a seed is the same each time
    matches!(futures_util::future::select(stop, event).await, futures_util::future::Either::Left(_))
}
