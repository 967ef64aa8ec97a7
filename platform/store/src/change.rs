//! What is written, as values: one [`Change`] is one commit.
use crate::Attempt;
use jumun_model::{Case, Timestamp};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// The highest fact taken in, by reaction and publishing aggregate (`OrderInfoUpdate<pay/payment`): a fact with a number not
/// above its mark was taken before.
pub type Marks = BTreeMap<String, u64>;

/// A stored document: an aggregate's state, a pool's root, or a view's row.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its number in its table, from 1 upward.
    pub number: u64,
    /// How many facts it has seen: its ETag. For a view's row, how often it was written.
    pub version: u64,
    /// How often it was written, for whatever reason: what the next write expects.
    pub revision: u64,
    /// The store-wide number of the newest write to it.
    pub seq: u64,
    /// Whether clients see it.
    pub listed: bool,
    /// The state as JSON.
    pub body: Arc<str>,
    /// When its newest fact happened.
    pub at: Timestamp,
    /// The ask that it owes, and how far the trying has come.
    pub attempt: Option<Attempt>,
    /// The moment that it waits for.
    pub moment: Option<Timestamp>,
    /// What it has taken in.
    pub marks: Marks,
}

/// One case's entry of a pool.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Whose it is.
    pub case: Case,
    /// How many facts it has seen.
    pub version: u64,
    /// How often it was written.
    pub revision: u64,
    /// The entry as JSON.
    pub body: Arc<str>,
    /// What it has taken in.
    pub marks: Marks,
}

/// A document as it shall be.
#[derive(Clone, Debug)]
pub struct Write {
    /// One of the layout's tables.
    pub table: &'static str,
    /// The document's number.
    pub number: u64,
    /// The revision that it replaces; 0 for a document that is not there yet. Anything else is contention. Its own is then one more.
    pub expected: u64,
    /// See [`Document::version`].
    pub version: u64,
    /// See [`Document::listed`].
    pub listed: bool,
    /// See [`Document::body`].
    pub body: Arc<str>,
    /// See [`Document::at`].
    pub at: Timestamp,
    /// The values of the table's keys, in the layout's order.
    pub keys: Vec<Option<String>>,
    /// See [`Document::attempt`].
    pub attempt: Option<Attempt>,
    /// See [`Document::moment`].
    pub moment: Option<Timestamp>,
    /// See [`Document::marks`].
    pub marks: Marks,
}

/// A pool's entry as it shall be; its root is written in the same change.
#[derive(Clone, Debug)]
pub struct EntryWrite {
    /// The pool's table.
    pub table: &'static str,
    /// The root's number.
    pub number: u64,
    /// Whose entry.
    pub case: Case,
    /// The revision that it replaces; 0 for an entry that is not there yet. Its own is then one more.
    pub expected: u64,
    /// See [`Entry::version`].
    pub version: u64,
    /// See [`Entry::body`].
    pub body: Arc<str>,
    /// See [`Entry::marks`].
    pub marks: Marks,
}

/// A fact in the journal. The journal is the log: facts of one store are numbered in the order of their publication.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Its number in the journal, from 1 upward; 0 until it is committed. A later fact never gets a lower one.
    pub seq: u64,
    /// The context that published it.
    pub context: Arc<str>,
    /// The aggregate that published it.
    pub source: Arc<str>,
    /// The aggregate's number.
    pub number: u64,
    /// Whether it is a pool's entry that says it; then the case is the entry's.
    pub entry: bool,
    /// The version of the aggregate, or of the pool's entry, after it: its number among the facts of its source and case.
    pub version: u64,
    /// The case in which it happened.
    pub case: Case,
    /// Its name.
    pub name: Arc<str>,
    /// Whether other contexts see it.
    pub public: bool,
    /// When it happened.
    pub at: Timestamp,
    /// On whose behalf.
    pub by: Arc<str>,
    /// The id of the fact that led to it.
    pub cause: Option<Arc<str>>,
    /// The W3C trace it happened in.
    pub trace: Option<Arc<str>>,
    /// The fact itself, as JSON.
    pub body: Arc<str>,
}
impl Fact {
    /// Unique for ever and derived from what it is: `order/order/7@3`, and for a pool's entry `hospital/hospital/2:screening/7@1`.
    pub fn id(&self) -> String {
        let Fact { context, source, number, case, version, .. } = self;
        if self.entry {
            format!("{context}/{source}/{number}:{case}@{version}")
        } else {
            format!("{context}/{source}/{number}@{version}")
        }
    }
}

/// An idempotency key, bound to the case that its first request opened or changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Caller, route and key.
    pub key: String,
    /// What was asked for, to tell a repeat from another wish under the same key.
    pub fingerprint: String,
    /// The case.
    pub case: Case,
    /// When it was claimed.
    pub at: Timestamp,
}

/// How far a reaction or view has read a publisher's journal.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Position {
    /// The last fact's number.
    pub seq: u64,
    /// The last fact's id, so that a log restored from an older copy is noticed.
    pub id: String,
}

/// A fact that could not be taken in, or that waits behind one.
#[derive(Clone, Debug, PartialEq)]
pub struct Aside {
    /// Its number in this store, by which a person names it; 0 until it is committed. None is ever given twice.
    pub number: u64,
    /// The reaction that could not take it.
    pub reader: String,
    /// The fact.
    pub fact: Fact,
    /// Why; what only waits behind another says so.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
}

/// One commit, all or nothing.
#[derive(Clone, Default, Debug)]
pub struct Change {
    /// Documents: one for a command, any number for a view.
    pub writes: Vec<Write>,
    /// A pool's entry.
    pub entry: Option<EntryWrite>,
    /// Facts, appended to the journal in this order.
    pub facts: Vec<Fact>,
    /// An idempotency key to claim.
    pub claim: Option<Claim>,
    /// Idempotency keys to give free, each only while it is that case's.
    pub frees: Vec<(String, Case)>,
    /// Positions to move: reader, publisher, where to.
    pub positions: Vec<(String, String, Position)>,
    /// Facts to set aside.
    pub asides: Vec<Aside>,
    /// Facts no longer set aside: reader and fact id.
    pub taken_back: Vec<(String, String)>,
}
