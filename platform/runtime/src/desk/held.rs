//! What a desk holds in memory: documents and entries as they were enqueued last, durable or on their way.
use super::{CACHED, Failure};
use crate::{
    core::Core,
    document::{json, keys_of},
    keeping::Keeping,
};
use futures_util::future::BoxFuture;
use jumun_model::{Case, Timestamp};
use jumun_store::{Attempt, Change, Committing, Document, Marks, StoreError, Write};
use std::{collections::BTreeMap, marker::PhantomData, sync::Arc};
use tokio::sync::Notify;

/// A document's place in memory.
pub(super) struct Slot<K: Keeping> {
    pub(super) held: tokio::sync::Mutex<Option<Held<K>>>,
    pub(super) moved: Notify,
}
/// A document in memory, as it was enqueued last.
pub(super) struct Held<K: Keeping> {
    pub(super) root: Arc<K::Root>,
    pub(super) version: u64,
    pub(super) revision: u64,
    pub(super) at: Timestamp,
    pub(super) attempt: Option<Attempt>,
    pub(super) moment: Option<Timestamp>,
    pub(super) marks: Marks,
    pub(super) entries: BTreeMap<Case, HeldEntry<K>>,
    /// Since it was loaded: a write that fails takes with it what was decided upon it, and nothing that was loaded since.
    pub(super) life: Life,
    /// The newest write to it; what is read from it is told only when that is durable.
    pub(super) last: Committing,
}
pub(super) type Life = Arc<()>;
/// One case's entry of a pool, likewise.
pub(super) struct HeldEntry<K: Keeping> {
    pub(super) entry: K::Entry,
    pub(super) version: u64,
    pub(super) revision: u64,
    pub(super) marks: Marks,
    pub(super) of: PhantomData<K>,
}

impl<K: Keeping> Held<K> {
    /// Of a document that is not there.
    pub(super) fn absent() -> Self {
        Held {
            root: Arc::default(),
            version: 0,
            revision: 0,
            at: Timestamp::default(),
            attempt: None,
            moment: None,
            marks: Marks::new(),
            entries: BTreeMap::new(),
            life: Life::default(),
            last: Committing::durable(),
        }
    }
    /// It, as it shall be stored.
    pub(super) fn write(&self, number: u64) -> Write {
        let body = json(&*self.root);
        let keys = keys_of(&body, K::KEYS);
        Write {
            table: K::NAME,
            number,
            expected: self.revision,
            version: self.version,
            listed: self.version > 0 && K::listed(&self.root),
            body,
            at: self.at,
            keys,
            attempt: self.attempt.clone(),
            moment: self.moment,
            marks: self.marks.clone(),
        }
    }
    /// Writes it as it is, for what no fact tells.
    pub(super) fn rewrite(&mut self, core: &Core, number: u64) -> (Life, Committing) {
        let write = self.write(number);
        self.revision += 1;
        self.last = core.store.commit(Change { writes: vec![write], ..Change::default() });
        self.newest_write()
    }
    /// What to wait for before anything that is read from it is told.
    pub(super) fn newest_write(&self) -> (Life, Committing) {
        (Arc::clone(&self.life), self.last.clone())
    }
    /// When its ask is due, and when its moment comes.
    pub(super) fn wake_at(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        (self.attempt.as_ref().map(|attempt| attempt.due), self.moment)
    }
}

/// What is held, loaded if nothing is.
pub(super) fn load<'h, K: Keeping>(
    guard: &'h mut Option<Held<K>>,
    core: &'h Core,
    number: u64,
) -> BoxFuture<'h, Result<&'h mut Held<K>, Failure<K::Refusal>>> {
    Box::pin(async move {
        if guard.is_none() {
            *guard = Some(match core.store.load(K::NAME, number).await? {
                None => Held::absent(),
                Some(Document { version, revision, body, at, attempt, moment, marks, .. }) => Held {
                    root: Arc::new(serde_json::from_str(&body).map_err(|why| damaged(K::NAME, number, &why))?),
                    version,
                    revision,
                    at,
                    attempt,
                    moment,
                    marks,
                    entries: BTreeMap::new(),
                    life: Life::default(),
                    last: Committing::durable(),
                },
            });
        }
        Ok(guard.as_mut().expect("just loaded"))
    })
}

/// The entry of a case in a pool; none for an aggregate, and for an operator's wish on a root itself.
pub(super) async fn entry_of<K: Keeping>(
    held: &mut Held<K>,
    core: &Core,
    number: u64,
    case: &Case,
) -> Result<Option<HeldEntry<K>>, Failure<K::Refusal>> {
    if !K::POOL || case.root == K::ROOT {
        return Ok(None);
    }
    if let Some(entry) = held.entries.get(case) {
        return Ok(Some(HeldEntry {
            entry: entry.entry.clone(),
            version: entry.version,
            revision: entry.revision,
            marks: entry.marks.clone(),
            of: PhantomData,
        }));
    }
    // entries in memory are only those under way and a few more
    if held.entries.len() >= CACHED {
        held.entries.clear();
    }
    let stored = core.store.load_entry(K::NAME, number, case).await?;
    Ok(Some(match stored {
        None => HeldEntry { entry: K::Entry::default(), version: 0, revision: 0, marks: Marks::new(), of: PhantomData },
        Some(entry) => HeldEntry {
            entry: serde_json::from_str(&entry.body).map_err(|why| damaged(K::NAME, number, &why))?,
            version: entry.version,
            revision: entry.revision,
            marks: entry.marks,
            of: PhantomData,
        },
    }))
}

fn damaged(table: &str, number: u64, why: &serde_json::Error) -> StoreError {
    StoreError::Damaged(format!("{table} {number} can not be read: {why}"))
}
