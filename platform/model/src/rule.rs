//! The rules: what decides, what it says, and why not.
use crate::{Case, Occasion, Owes};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// What a context says has happened: one enum per context, past tense, never withdrawn.
///
/// Serialized with the variant's name in the field `eventType` by convention (`#[serde(tag = "eventType")]`).
pub trait Event: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static {
    /// The context that publishes it.
    const CONTEXT: &'static str;
    /// The names of all facts, in the enum's order.
    const NAMES: &'static [&'static str];
    /// The name of this fact.
    fn name(&self) -> &'static str;
    /// Whether other contexts may see it; a private fact stays in the context's own journal.
    fn is_public(&self) -> bool {
        true
    }
}

/// What kind of *no* a refusal is; each protocol maps it in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The wish itself makes no sense (HTTP 422).
    Invalid,
    /// There is no such thing (404).
    Missing,
    /// Not in this state (409).
    Conflict,
    /// It has to be paid first (402).
    Unpaid,
    /// Not for this caller (403).
    Forbidden,
    /// Something that is needed for it does not answer (503).
    Unavailable,
}

/// Why not: a stable code, a kind, and a sentence (its `Display`, in English; translations go by the code).
pub trait Refusal: std::error::Error + Send + Sync + 'static {
    /// Stable, in kebab case; clients and translations rely on it.
    fn code(&self) -> &'static str;
    /// Its kind; see [`Kind`].
    fn kind(&self) -> Kind;
    /// Values that a translated sentence may name, by name.
    fn arguments(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// The refusal of an aggregate that nobody's wish reaches, only policies and outcomes: there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Never {}
impl Refusal for Never {
    fn code(&self) -> &'static str {
        match *self {}
    }
    fn kind(&self) -> Kind {
        match *self {}
    }
}

/// A state, and the only place where its rules stand.
///
/// The serialized state is the stored document and the body that a client sees, but for a field named `rule`, which holds what
/// only the rule needs ([`hidden`]).
pub trait Aggregate: Default + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name, also of its table; unique in the context.
    const NAME: &'static str;
    /// The root of the cases it belongs to; a fact or a wish of another root never reaches it.
    const ROOT: &'static str;
    /// The wire's fields by which it can be found, besides its number.
    const KEYS: &'static [&'static str] = &[];
    /// A wish.
    type Command: Clone + Debug + Send + Sync + 'static;
    /// What it says.
    type Event: Event;
    /// Why not.
    type Refusal: Refusal;
    /// What `owes` needs to know of the configuration.
    type Settings: Clone + Send + Sync + 'static;

    /// The facts to which this wish leads, none for a repeat, or why not. Pure; total for wishes of policies and outcomes.
    ///
    /// # Errors
    /// Only a user's wish is ever refused.
    fn decide(&self, on: &Occasion, command: Self::Command) -> Result<Vec<Self::Event>, Self::Refusal>;
    /// Folds one fact into the state. Pure; never fails.
    fn evolve(&mut self, on: &Occasion, event: &Self::Event);
    /// What this state owes to the world, and until when. Pure; read again whenever the state or the clock moves.
    fn owes(&self, _case: &Case, _settings: &Self::Settings) -> Owes<Self::Command> {
        Owes::nothing()
    }
    /// Whether clients see it at all; a half-known row is not listed and is 404.
    fn listed(&self) -> bool {
        true
    }
    /// One of each wish, in the order of the enum: by trying them in every state that they lead to, the board, the documents and the
    /// probes find out what the rule does. None, and nothing of it is found.
    fn examples() -> Vec<Self::Command> {
        Vec::new()
    }
}

/// A finite thing that many cases take from: a root (what is left) and one small entry per case. A rule sees the root and the
/// one entry of the occasion's case; one commit writes both, at constant cost whatever the number of entries.
///
/// A command whose case is the root's own (`<NAME>/<number>`) is an operator's on the root: its entry is the default one and is
/// not stored.
pub trait Pool: Default + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name, also the root of its own case; unique in the context.
    const NAME: &'static str;
    /// The wire's fields by which a root can be found, besides its number.
    const KEYS: &'static [&'static str] = &[];
    /// What one case holds of it.
    type Entry: Default + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// A wish.
    type Command: Clone + Debug + Send + Sync + 'static;
    /// What it says.
    type Event: Event;
    /// Why not.
    type Refusal: Refusal;

    /// As [`Aggregate::decide`], on the root and the entry of the occasion's case; the root's number is `on.number`.
    ///
    /// # Errors
    /// Only a user's wish, or an ask that takes, is ever refused.
    fn decide(&self, entry: &Self::Entry, on: &Occasion, command: Self::Command) -> Result<Vec<Self::Event>, Self::Refusal>;
    /// Folds one fact into both.
    fn evolve(&mut self, entry: &mut Self::Entry, on: &Occasion, event: &Self::Event);
    /// Whether clients see the root; a root of which only entries came is not listed and is 404.
    fn listed(&self) -> bool {
        true
    }
    /// One of each wish, in the order of the enum: by trying them in every state that they lead to, the board, the documents and the
    /// probes find out what the rule does. None, and nothing of it is found.
    fn examples() -> Vec<Self::Command> {
        Vec::new()
    }
}

/// The field of a document that holds what only its rule needs: stored, never shown.
pub const fn hidden() -> &'static str {
    "rule"
}
