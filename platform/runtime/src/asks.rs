//! Questions between contexts, and to providers: how they are sent, and who answers.
use crate::ports::{Clock, lock};
use futures_util::future::BoxFuture;
use jumun_model::Case;
use jumun_resilience::{Breaker, Bulkhead, State};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// A question on its way.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who is asked.
    pub of: &'static str,
    /// What.
    pub name: &'static str,
    /// In which case.
    pub case: Case,
    /// Case and step of the asker (`order/7/charge@1`): the same for every try.
    pub key: String,
    /// The question.
    pub body: Value,
    /// The W3C trace.
    pub trace: Option<Arc<str>>,
}

/// How an ask ends that has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// Surely without effect: the breaker is open, or nobody was there to take it.
    NotSent(String),
    /// It may have had its effect.
    Unknown(String),
}

/// How asks reach whom they are for.
pub trait Transport: Send + Sync {
    /// Sends it and waits for the answer, without a limit of its own.
    fn send(&self, asked: Asked) -> BoxFuture<'static, Result<Value, Unanswered>>;
}

/// Somebody who answers: a running context, or a provider.
pub trait Answering: Send + Sync {
    /// Answers, in a task of its own: whoever asked may be gone by then.
    fn answer(&self, asked: Asked) -> BoxFuture<'static, Result<Value, Unanswered>>;
}

/// The transport inside one process: who is there, by name.
#[derive(Default)]
pub struct Hub(Mutex<BTreeMap<&'static str, Arc<dyn Answering>>>);
impl Hub {
    /// From now on, this one answers under that name.
    pub fn join(&self, name: &'static str, who: Arc<dyn Answering>) {
        lock(&self.0).insert(name, who);
    }
    /// From now on nobody answers under that name: connection refused.
    pub fn leave(&self, name: &'static str) {
        lock(&self.0).remove(name);
    }
}
impl Transport for Hub {
    fn send(&self, asked: Asked) -> BoxFuture<'static, Result<Value, Unanswered>> {
        let who = lock(&self.0).get(asked.of).cloned();
        match who {
            Some(who) => who.answer(asked),
            None => Box::pin(std::future::ready(Err(Unanswered::NotSent(format!("{} is not there", asked.of))))),
        }
    }
}

/// The guarded lines from one context to those that it asks.
pub(crate) struct Lines {
    from: &'static str,
    transport: Arc<dyn Transport>,
    lines: BTreeMap<&'static str, Line>,
}
struct Line {
    try_for: Duration,
    breaker: Breaker,
    bulkhead: Bulkhead,
}

impl Lines {
    pub(crate) fn new(
        from: &'static str,
        to: impl IntoIterator<Item = (&'static str, Duration)>,
        transport: Arc<dyn Transport>,
        settings: &crate::core::Settings,
    ) -> Self {
        let line = |(to, try_for)| {
            (to, Line { try_for, breaker: Breaker::new(settings.breaker), bulkhead: Bulkhead::new(settings.bulkhead) })
        };
        Lines { from, transport, lines: to.into_iter().map(line).collect() }
    }

    /// When it makes sense to ask again; none if it does now.
    pub(crate) fn opens_at(&self, of: &str, now: Duration) -> Option<Duration> {
        self.lines.get(of).and_then(|line| line.breaker.opens_at(now))
    }

    /// Whom this context asks, and how that line stands.
    pub(crate) fn states(&self, now: Duration) -> Vec<(&'static str, State)> {
        self.lines.iter().map(|(&to, line)| (to, line.breaker.state(now))).collect()
    }

    pub(crate) async fn ask(&self, clock: &dyn Clock, asked: Asked) -> Result<Value, Unanswered> {
        let (of, name) = (asked.of, asked.name);
        let began = clock.elapsed();
        let answer = self.guarded(clock, asked).await;
        let outcome = match &answer {
            Ok(_) => "answered",
            Err(Unanswered::NotSent(_)) => "not_sent",
            Err(Unanswered::Unknown(_)) => "unknown",
        };
        metrics::counter!("jumun_asks_total", "context" => self.from, "of" => of, "ask" => name, "outcome" => outcome)
            .increment(1);
        metrics::histogram!("jumun_ask_seconds", "context" => self.from, "of" => of)
            .record((clock.elapsed().saturating_sub(began)).as_secs_f64());
        answer
    }

    async fn guarded(&self, clock: &dyn Clock, asked: Asked) -> Result<Value, Unanswered> {
        let Some(line) = self.lines.get(asked.of) else {
            return Err(Unanswered::NotSent(format!("{} does not name {} among those it asks", self.from, asked.of)));
        };
        let began = clock.elapsed();
        let permit =
            line.breaker.admit(began).map_err(|_| Unanswered::NotSent(format!("the breaker to {} is open", asked.of)))?;
        let Some(_place) = line.bulkhead.try_enter() else {
            return Err(Unanswered::NotSent(format!("too many asks to {} are under way", asked.of)));
        };
        let answer = tokio::time::timeout(line.try_for, self.transport.send(asked)).await;
        let now = clock.elapsed();
        match answer {
            Ok(Ok(answer)) => {
                permit.good(now, now.saturating_sub(began));
                Ok(answer)
            }
            Ok(Err(why)) => {
                permit.bad(now);
                Err(why)
            }
            Err(_) => {
                permit.bad(now);
                Err(Unanswered::Unknown(format!("no answer within {:?}", line.try_for)))
            }
        }
    }
}
