//! What is kept: an aggregate, or a pool with the entry of a case. The runtime sees both in one shape.
use jumun_model::{Aggregate, Case, Event, Occasion, Owes, Pool, Refusal};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Debug, marker::PhantomData};

/// The one shape of what one commit decides: a root and, for a pool, the entry of the occasion's case.
pub trait Keeping: Send + Sync + 'static {
    /// The stored state.
    type Root: Default + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What one case holds of it; `()` for an aggregate.
    type Entry: Default + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// A wish.
    type Command: Clone + Debug + Send + Sync + 'static;
    /// What it says.
    type Event: Event;
    /// Why not.
    type Refusal: Refusal;
    /// What `owes` needs to know.
    type Settings: Clone + Send + Sync + 'static;
    /// Its name.
    const NAME: &'static str;
    /// The root of the cases it belongs to.
    const ROOT: &'static str;
    /// Its index keys.
    const KEYS: &'static [&'static str];
    /// Whether cases have entries of their own.
    const POOL: bool;

    /// The rule.
    ///
    /// # Errors
    /// Why not.
    fn decide(
        root: &Self::Root,
        entry: &Self::Entry,
        on: &Occasion,
        command: Self::Command,
    ) -> Result<Vec<Self::Event>, Self::Refusal>;
    /// The fold.
    fn evolve(root: &mut Self::Root, entry: &mut Self::Entry, on: &Occasion, event: &Self::Event);
    /// What it owes.
    fn owes(root: &Self::Root, case: &Case, settings: &Self::Settings) -> Owes<Self::Command>;
    /// Whether clients see it.
    fn listed(root: &Self::Root) -> bool;
    /// One of each wish.
    fn examples() -> Vec<Self::Command>;
}

/// An aggregate, as it is kept.
pub struct Whole<A>(PhantomData<fn() -> A>);
impl<A: Aggregate> Keeping for Whole<A> {
    type Root = A;
    type Entry = ();
    type Command = A::Command;
    type Event = A::Event;
    type Refusal = A::Refusal;
    type Settings = A::Settings;
    const NAME: &'static str = A::NAME;
    const ROOT: &'static str = A::ROOT;
    const KEYS: &'static [&'static str] = A::KEYS;
    const POOL: bool = false;
    fn decide(root: &A, (): &(), on: &Occasion, command: A::Command) -> Result<Vec<A::Event>, A::Refusal> {
        root.decide(on, command)
    }
    fn evolve(root: &mut A, (): &mut (), on: &Occasion, event: &A::Event) {
        root.evolve(on, event);
    }
    fn owes(root: &A, case: &Case, settings: &A::Settings) -> Owes<A::Command> {
        root.owes(case, settings)
    }
    fn listed(root: &A) -> bool {
        root.listed()
    }
    fn examples() -> Vec<A::Command> {
        A::examples()
    }
}

/// A pool, as it is kept.
pub struct Shared<P>(PhantomData<fn() -> P>);
impl<P: Pool> Keeping for Shared<P> {
    type Root = P;
    type Entry = P::Entry;
    type Command = P::Command;
    type Event = P::Event;
    type Refusal = P::Refusal;
    type Settings = ();
    const NAME: &'static str = P::NAME;
    const ROOT: &'static str = P::NAME;
    const KEYS: &'static [&'static str] = P::KEYS;
    const POOL: bool = true;
    fn decide(root: &P, entry: &P::Entry, on: &Occasion, command: P::Command) -> Result<Vec<P::Event>, P::Refusal> {
        root.decide(entry, on, command)
    }
    fn evolve(root: &mut P, entry: &mut P::Entry, on: &Occasion, event: &P::Event) {
        root.evolve(entry, on, event);
    }
    fn owes(_: &P, _: &Case, (): &()) -> Owes<P::Command> {
        Owes::nothing()
    }
    fn listed(root: &P) -> bool {
        root.listed()
    }
    fn examples() -> Vec<P::Command> {
        P::examples()
    }
}
