//! What a state owes to the world, and until when.
use crate::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::fmt;

/// A question that another context, or a provider behind a port, answers now.
///
/// It is keyed by the case and the step of the asker, so the asked side may be asked again at any time: a repeat changes nothing
/// and is answered from its durable state.
pub trait Ask: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Who answers: a context's name, or the name of a port.
    const OF: &'static str;
    /// What is asked, unique under `OF`; also its path under `/asks/`.
    const NAME: &'static str;
    /// The answer. *Not yet* is an answer of the type's own, not a missing one.
    type Answer: Serialize + DeserializeOwned + Send + Sync + 'static;
}

type Then<C> = Box<dyn Fn(Value) -> Result<Option<C>, serde_json::Error> + Send + Sync>;

/// One question on its way, and what its answer leads to.
pub struct Asking<C> {
    /// [`Ask::OF`]
    pub of: &'static str,
    /// [`Ask::NAME`]
    pub name: &'static str,
    /// The question as JSON.
    pub body: Value,
    /// The wish that an answer leads to; none if the answer was *not yet*.
    pub then: Then<C>,
    /// The wish if it surely was never sent.
    pub not_sent: Option<C>,
}

/// An absolute moment, and the wish that is due then.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment<C> {
    /// When.
    pub at: Timestamp,
    /// What then.
    pub command: C,
}

/// What a state owes: at most one ask, and at most one moment with its command.
pub struct Owes<C> {
    /// To be asked until an answer gives a command.
    pub ask: Option<Asking<C>>,
    /// To be done at that time if the state still owes it.
    pub moment: Option<Moment<C>>,
}

impl<C> Owes<C> {
    /// Nothing.
    pub const fn nothing() -> Self {
        Owes { ask: None, moment: None }
    }
    /// Ask, until an answer gives a command.
    ///
    /// # Panics
    /// If the question can not be written as JSON (a map with keys that are no text): a defect of its type.
    pub fn ask<Q: Ask>(question: &Q, then: impl Fn(Q::Answer) -> Option<C> + Send + Sync + 'static) -> Self {
        let then = move |raw| serde_json::from_value(raw).map(&then);
        let body = serde_json::to_value(question).expect("an ask is data");
        Owes { ask: Some(Asking { of: Q::OF, name: Q::NAME, body, then: Box::new(then), not_sent: None }), moment: None }
    }
    /// Nothing to ask; at that time, this.
    pub fn at(at: Timestamp, command: C) -> Self {
        Owes { ask: None, moment: Some(Moment { at, command }) }
    }
    /// Give up asking at that time, with this.
    #[must_use]
    pub fn until(mut self, at: Timestamp, give_up: C) -> Self {
        self.moment = Some(Moment { at, command: give_up });
        self
    }
    /// If it surely was never sent (breaker open or connection refused, and no earlier try of the same step was sent): this at once,
    /// rather than to go on trying.
    #[must_use]
    pub fn if_not_sent(mut self, command: C) -> Self {
        if let Some(ask) = &mut self.ask {
            ask.not_sent = Some(command);
        }
        self
    }
    /// Whether nothing is owed.
    pub fn is_nothing(&self) -> bool {
        self.ask.is_none() && self.moment.is_none()
    }
}

impl<C: fmt::Debug> fmt::Debug for Owes<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ask = self.ask.as_ref().map(|ask| format!("{}.{} {}", ask.of, ask.name, ask.body));
        f.debug_struct("Owes").field("ask", &ask).field("moment", &self.moment).finish()
    }
}
