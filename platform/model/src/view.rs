//! Read models, and what a policy may want of many.
use crate::{Event, Occasion};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// A read model: one row per number, fed by facts alone. Facts of different contexts come in any order, so a row is opened by
/// whichever comes first and each of its fields is fed by one context alone.
pub trait View: Default + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name, also of its table and collection.
    const NAME: &'static str;
    /// The wire's fields by which rows can be found, besides their number.
    const KEYS: &'static [&'static str] = &[];
    /// The root of the cases whose numbers its rows have; none where a row is a customer, a fact or a tally.
    const ROOT: Option<&'static str> = None;
    /// Whether clients see the row already.
    fn listed(&self) -> bool {
        true
    }
}

/// A view follows the facts of one context.
pub trait Follows<E: Event>: View {
    /// The row that this fact moves: by default the case's.
    fn row(on: &Occasion, _event: &E) -> Option<u64> {
        Some(on.case.number)
    }
    /// Folds one fact into its row.
    fn follow(&mut self, on: &Occasion, event: &E);
}

/// A read model that sums the rows of another up: each of its rows is moved by the difference that one of those makes, in the same
/// commit, so it costs the same whatever was counted before.
pub trait Tally<R>: View {
    /// One of [`View::KEYS`]: the field by whose value a row is found, such as a customer's name. None where there is one row of all.
    const BY: Option<&'static str>;
    /// To which row that one counts, by the value of that field; none while it counts nowhere. A row that no fact has moved yet
    /// (the default one) counts nowhere.
    fn row(counted: &R) -> Option<String>;
    /// Counts it in, and bears its name from then on.
    fn add(&mut self, counted: &R);
    /// Takes it out again, as it was counted in.
    fn take(&mut self, counted: &R);
}

/// What a policy wants of every aggregate with this value under that index key.
#[derive(Clone, Debug, PartialEq)]
pub struct Every<C> {
    /// One of [`Aggregate::KEYS`](crate::Aggregate::KEYS).
    pub key: &'static str,
    /// Its value, as text.
    pub value: String,
    /// The wish, the same for each.
    pub command: C,
}
