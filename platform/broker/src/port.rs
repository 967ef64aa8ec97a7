//! What a broker does.
use crate::Unreadable;
use jumun_store::Fact;
use std::{pin::Pin, sync::Arc};

/// An answer on its way.
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = Result<T, BrokerError>> + Send + 'a>>;

/// What can not be done at all, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BrokerError(pub String);

/// Carries public facts between processes. See the crate's own page for what it guarantees.
pub trait Broker: Send + Sync {
    /// Hands these facts over, in their order; resolves when all of them are durable there, however long the broker is away meanwhile.
    /// One call at a time: the order of two at once is anybody's guess.
    ///
    /// # Errors
    /// It is not known which got through. Whoever publishes hands all of them over again, from the first.
    fn publish<'a>(&'a self, facts: &'a [Fact]) -> Waiting<'a, ()>;
    /// Takes part in reading for that group. Every group reads all; within a group each part is one member's.
    ///
    /// # Errors
    /// There is no such log, or it can not be reached by these settings.
    fn join<'a>(&'a self, group: &'a str, begins: Arc<dyn Begins>) -> Waiting<'a, Box<dyn Member>>;
}

/// Where a member begins to read a part that it is given.
pub trait Begins: Send + Sync {
    /// The offset of the first record that it has not taken in; 0 for the first there is. A log that does not reach so far is read from
    /// its first record.
    fn at(&self, part: u32) -> Pin<Box<dyn Future<Output = u64> + Send + '_>>;
}
/// Begins every part at its first record.
pub fn from_the_first() -> Arc<dyn Begins> {
    struct First;
    impl Begins for First {
        fn at(&self, _: u32) -> Pin<Box<dyn Future<Output = u64> + Send + '_>> {
            Box::pin(std::future::ready(0))
        }
    }
    Arc::new(First)
}

/// One reader of a group. Dropped, it is gone as a dead process is: others get its parts once the broker notices.
pub trait Member: Send {
    /// What comes next, as soon as it comes.
    ///
    /// # Errors
    /// The broker will never again give this member anything.
    fn next(&mut self) -> Waiting<'_, Event>;
    /// Hands its parts back, so that others need not wait until it is missed.
    fn leave(self: Box<Self>) -> Waiting<'static, ()>;
}

/// What a member meets.
#[derive(Debug, PartialEq)]
pub enum Event {
    /// A part is this member's from now on.
    Given(u32),
    /// A part is not this member's any more; nothing more of it comes.
    Taken(u32),
    /// What stands in a part of this member, in order; never none.
    Records(u32, Vec<Record>),
}

/// One record of a part.
#[derive(Debug, PartialEq)]
pub struct Record {
    /// Its place in the part; there may be gaps.
    pub offset: u64,
    /// What it says.
    pub fact: Result<Fact, Unreadable>,
}
