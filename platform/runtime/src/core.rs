//! One running context: its store, its ports, and what all of its parts share.
use crate::{
    asks::{Asked, Lines, Unanswered},
    journals::Journals,
    lately::{Lately, Passing, What},
    ports::{Chance, Clock, Tasks, or_stopping},
    rebuild::Rebuilds,
    shelf::Shelf,
    traces::{Deed, Traces},
};
use jumun_model::{Caller, Case, Timestamp};
use jumun_resilience::{Backoff, BreakerSettings, State};
use jumun_store::Store;
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// What the platform's own behaviour depends on; a system's settings are its own.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long one try of an ask may take (`asks.try`).
    pub ask_try: Duration,
    /// How long one try of an errand to a provider may take: shorter than the ask that waits for it (`errands.try`).
    pub errand_try: Duration,
    /// How long a door waits for what is owed before it answers 202 (`asks.deadline`).
    pub door_deadline: Duration,
    /// How long whoever has claimed a try has it for himself.
    pub lease: Duration,
    /// The pauses between tries.
    pub backoff: Backoff,
    /// When to stop asking whom.
    pub breaker: BreakerSettings,
    /// How many asks to one other context may be under way at once.
    pub bulkhead: usize,
    /// How many tries that became due are carried out at once, per target: what keeps a backlog from stampeding.
    pub sweepers: usize,
    /// How long a reader that has just read waits for more, so that under load many facts share one write.
    pub linger: Duration,
    /// How long an idempotency key stays bound to its case.
    pub keys_live: Duration,
    /// How long a context that stops may take to finish what it is at.
    pub drain: Duration,
}
impl Default for Settings {
    fn default() -> Self {
        Settings {
            ask_try: Duration::from_secs(1),
            errand_try: Duration::from_millis(800),
            door_deadline: Duration::from_secs(2),
            lease: Duration::from_secs(3),
            backoff: Backoff::default(),
            breaker: BreakerSettings::default(),
            bulkhead: 256,
            sweepers: 32,
            linger: Duration::from_millis(4),
            keys_live: Duration::from_secs(7 * 24 * 60 * 60),
            drain: Duration::from_secs(10),
        }
    }
}

/// One running context.
pub struct Core {
    /// Its name.
    pub context: &'static str,
    /// Its database.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<Chance>,
    /// What runs on its behalf.
    pub tasks: Tasks,
    /// See [`Settings`].
    pub settings: Settings,
    /// Where spans go.
    pub traces: Traces,
    pub(crate) lines: Lines,
    pub(crate) journals: Arc<Journals>,
    pub(crate) lately: Arc<Lately>,
    pub(crate) shelf: Shelf,
    pub(crate) rebuilds: Rebuilds,
}

impl Core {
    /// Asks another context or a provider: once, behind breaker and bulkhead, for at most one try's time.
    ///
    /// # Errors
    /// Whether it surely was not sent, or may have been.
    pub async fn ask(&self, mut asked: Asked) -> Result<Value, Unanswered> {
        let mut span =
            self.traces.begin(asked.trace.as_deref(), Deed::Ask, self.context, || format!("ask {} {}", asked.of, asked.name));
        span.about("jumun.case", &asked.case).about("jumun.ask", &asked.key);
        asked.trace = span.leads(asked.trace.as_ref());
        let (at, began) = (self.clock.now(), self.clock.elapsed());
        let (of, name, key, case) = (asked.of, asked.name, asked.key.clone(), asked.case.clone());
        let answer = self.lines.ask(&*self.clock, asked).await;
        let outcome = match &answer {
            Ok(_) => "answered",
            Err(Unanswered::NotSent(_)) => "not sent",
            Err(Unanswered::Unknown(_)) => "unknown",
        };
        span.about("jumun.outcome", outcome).failed(answer.is_err());
        let took = self.clock.elapsed().saturating_sub(began);
        self.lately.note(Passing { at, context: self.context, case, what: What::Ask { of, name, key, outcome, took } });
        answer
    }

    /// The trace in which an aggregate came to that version, as its journal has it; none while nobody takes spans in.
    pub(crate) async fn trace_of(&self, source: &str, case: &Case, version: u64) -> Option<Arc<str>> {
        if !self.traces.are_kept() {
            return None;
        }
        let story = self.store.story(case).await.ok()?;
        story.into_iter().find(|fact| &*fact.source == source && fact.version == version)?.trace
    }

    /// A command was refused: it leaves no fact, but is remembered for a while.
    pub(crate) fn refused(&self, case: &Case, by: &Caller, cause: Option<&str>, command: String, code: &'static str) {
        let what = What::Refusal { command, code, by: by.name.clone(), cause: cause.map(str::to_owned) };
        self.lately.note(Passing { at: self.clock.now(), context: self.context, case: case.clone(), what });
    }

    /// Whom it asks, and how that line stands.
    pub fn lines(&self) -> Vec<(&'static str, State)> {
        self.lines.states(self.clock.elapsed())
    }

    /// Lets go of idempotency keys whose time is over, now and every hour.
    pub(crate) async fn forget_keys(self: std::sync::Arc<Self>) {
        let mut stopping = self.tasks.stopping();
        loop {
            let before = Timestamp::from_millis(
                self.clock.now().millis().saturating_sub_unsigned(self.settings.keys_live.as_millis() as u64),
            );
            if let Err(why) = self.store.forget_claims(before).await {
                tracing::warn!(context = self.context, %why, "old idempotency keys stay for another hour");
            }
            if or_stopping(&mut stopping, tokio::time::sleep(Duration::from_secs(60 * 60))).await {
                return;
            }
        }
    }

    /// Something happened that can not happen: alarmed, and nothing else is done about it.
    pub fn defect(&self, what: &'static str, why: &str) {
        metrics::counter!("jumun_defects_total", "context" => self.context, "what" => what).increment(1);
        tracing::error!(context = self.context, what, why, "a defect");
    }
}
