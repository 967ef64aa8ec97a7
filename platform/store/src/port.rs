//! The port: what the runtime wants of a store.
use crate::{Aside, Change, Claim, Document, Entry, Fact, Position};
use futures_util::{FutureExt, future::Shared};
use jumun_model::{Case, Timestamp};
use std::{future::Future, pin::Pin};
use tokio::sync::{oneshot, watch};

/// What went wrong. Cloned to everybody who waits for the same commit.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StoreError {
    /// A document was not at the expected revision: load and decide again.
    #[error("the document was changed meanwhile")]
    Contended,
    /// The idempotency key belongs to a case already.
    #[error("the idempotency key is in use")]
    Claimed(Claim),
    /// The store can not answer now; it may later. Nothing of the change was written.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// The store holds what it can not hold.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}
/// What a store answers.
pub type StoreResult<T> = Result<T, StoreError>;
/// An answer on its way.
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = StoreResult<T>> + Send + 'a>>;

/// An answer that is there already.
pub fn done<'a, T: Send + 'a>(answer: StoreResult<T>) -> Waiting<'a, T> {
    Box::pin(std::future::ready(answer))
}

/// A commit on its way. It resolves when the change is durable, or was not made; it can be awaited by many and any number of times,
/// and dropping it does not withdraw the change.
#[derive(Clone)]
pub struct Committing(Option<Shared<oneshot::Receiver<StoreResult<()>>>>);
impl Committing {
    /// Of something that has long been durable.
    pub const fn durable() -> Self {
        Committing(None)
    }
    /// The sender resolves it; a sender that is dropped means a store that died: [`StoreError::Unavailable`].
    pub fn pair() -> (oneshot::Sender<StoreResult<()>>, Self) {
        let (tell, told) = oneshot::channel();
        (tell, Committing(Some(told.shared())))
    }
    /// Waits until the change is durable.
    ///
    /// # Errors
    /// Why it was not made; then nothing of it was.
    pub async fn durably(self) -> StoreResult<()> {
        match self.0 {
            None => Ok(()),
            Some(told) => told.await.unwrap_or_else(|_| Err(StoreError::Unavailable("it was stopped".into()))),
        }
    }
}

/// One table of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name: an aggregate's, a pool's, or a view's.
    pub name: &'static str,
    /// The wire's fields by which documents are found, besides their number.
    pub keys: &'static [&'static str],
    /// Whether it is a pool, with entries beside its roots.
    pub entries: bool,
    /// The wire's fields, for the plain SQL view with a column per field.
    pub fields: &'static [&'static str],
}
/// The tables of one context's store.
pub type Layout = Vec<Table>;

/// What to find in a table.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Keys and their values, all of which must match.
    pub matching: Vec<(&'static str, String)>,
    /// Highest numbers first.
    pub newest_first: bool,
    /// Sort by this key, then by number; by number alone if none.
    pub by: Option<&'static str>,
    /// How many to pass over.
    pub offset: u64,
    /// How many at the most.
    pub limit: u64,
    /// Only numbers above this.
    pub after: u64,
    /// Also what clients do not see.
    pub unlisted: bool,
}
/// A part of what was found.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The documents.
    pub rows: Vec<Document>,
    /// How many there are in all (of what matches, listed ones).
    pub total: u64,
}

/// A context's database: documents, journal, positions, claims, what is set aside. Object safe; `Arc<dyn Store>` everywhere.
///
/// Guarantees of every implementation, held by [`crate::suite`]:
/// - a change is made whole or not at all, and is durable before its [`Committing`] resolves;
/// - changes are made in the order in which `commit` was called;
/// - reads see durable state only;
/// - [`tail`](Store::tail) never yields, later, a fact that belongs earlier.
pub trait Store: Send + Sync {
    /// Takes the change in, in call order, and makes it durable soon, together with others that wait.
    fn commit(&self, change: Change) -> Committing;
    /// One document.
    fn load<'a>(&'a self, table: &'static str, number: u64) -> Waiting<'a, Option<Document>>;
    /// One entry of a pool.
    fn load_entry<'a>(&'a self, table: &'static str, number: u64, case: &'a Case) -> Waiting<'a, Option<Entry>>;
    /// Documents by keys, a page at a time.
    fn find<'a>(&'a self, table: &'static str, query: &'a Query) -> Waiting<'a, Page>;
    /// Listed documents written after `seq`, oldest write first, each in its newest state.
    fn changed<'a>(&'a self, table: &'static str, after: u64, limit: usize) -> Waiting<'a, Vec<Document>>;
    /// Numbers of documents that owe `of` an ask which is due at or before `until`, most overdue first.
    fn due<'a>(&'a self, table: &'static str, of: &'a str, until: Timestamp, limit: usize) -> Waiting<'a, Vec<u64>>;
    /// Numbers of documents whose moment has come at `until`, earliest first.
    fn moments<'a>(&'a self, table: &'static str, until: Timestamp, limit: usize) -> Waiting<'a, Vec<u64>>;
    /// The earliest time at which an ask is due or a moment comes.
    fn next_due<'a>(&'a self, table: &'static str) -> Waiting<'a, Option<Timestamp>>;
    /// How many documents owe an ask.
    fn owing<'a>(&'a self, table: &'static str) -> Waiting<'a, u64>;
    /// How many asks are due, and moments have come, at `until`.
    fn overdue<'a>(&'a self, table: &'static str, until: Timestamp) -> Waiting<'a, u64>;
    /// Facts numbered above `after`, in order.
    fn tail<'a>(&'a self, after: u64, limit: usize) -> Waiting<'a, Vec<Fact>>;
    /// The facts of one case, in order.
    fn story<'a>(&'a self, case: &'a Case) -> Waiting<'a, Vec<Fact>>;
    /// Where a reader stands in a publisher's journal.
    fn position<'a>(&'a self, reader: &'a str, publisher: &'a str) -> Waiting<'a, Option<Position>>;
    /// Who holds an idempotency key.
    fn claimed<'a>(&'a self, key: &'a str) -> Waiting<'a, Option<Claim>>;
    /// Forgets keys claimed before that time.
    fn forget_claims<'a>(&'a self, before: Timestamp) -> Waiting<'a, ()>;
    /// What is set aside, oldest first.
    fn asides<'a>(&'a self) -> Waiting<'a, Vec<Aside>>;
    /// How many facts are set aside.
    fn set_aside<'a>(&'a self) -> Waiting<'a, u64>;
    /// A number that no document of this table ever had, and that is given to nobody else.
    fn reserve<'a>(&'a self, table: &'static str) -> Waiting<'a, u64>;
    /// The number of the newest durable fact; it moves when there is more to [`tail`](Store::tail).
    fn newest_fact(&self) -> watch::Receiver<u64>;
    /// The store-wide number of the newest durable write; it moves when there is more that [`changed`](Store::changed).
    fn newest_write(&self) -> watch::Receiver<u64>;
    /// At start, in a store that belongs to one process: tries that were under way are nobody's any more and due at `now`, and
    /// may have been sent.
    fn release_leases<'a>(&'a self, now: Timestamp) -> Waiting<'a, ()>;
    /// Finishes what was taken in, then closes. Later calls are [`StoreError::Unavailable`].
    fn close<'a>(&'a self) -> Waiting<'a, ()>;
}
