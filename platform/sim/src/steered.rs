//! A store whose every call the pilot sees: delayed, refused, or the last thing its context did.
use crate::{
    pilot::{Passage, Pilot, When},
    world::Life,
};
use jumun_model::{Case, Timestamp};
use jumun_store::{
    Aside, Change, Claim, Committing, Document, Entry, Fact, MemoryStore, Page, Position, Query, Store, StoreError, StoreResult,
    Waiting,
};
use std::{fmt, sync::Arc};
use tokio::sync::watch;

pub(crate) struct Steered {
    inner: MemoryStore,
    life: Arc<Life>,
    pilot: Arc<Pilot>,
}

impl Steered {
    pub(crate) fn new(inner: MemoryStore, life: Arc<Life>, pilot: Arc<Pilot>) -> Self {
        Steered { inner, life, pilot }
    }
    fn enter(&self, site: &'static str, what: fmt::Arguments<'_>) -> Passage {
        if self.life.is_over() {
            return Passage::default(); // a store of the dead says so by itself, and nobody counts that
        }
        self.pilot.enter(self.life.context, site, what)
    }
    fn around<'a, T: Send + 'a>(&'a self, site: &'static str, what: String, call: Waiting<'a, T>) -> Waiting<'a, T> {
        Box::pin(async move {
            let passage = self.enter(site, format_args!("{what}"));
            if passage.dies == Some(When::Before) {
                return self.die().await;
            }
            if let Some(takes) = passage.takes {
                tokio::time::sleep(takes).await;
            }
            let answer = call.await;
            if passage.dies == Some(When::After) {
                return self.die().await;
            }
            answer
        })
    }
    /// Whoever dies here never sees the answer; somebody else who read this store does.
    async fn die<T>(&self) -> StoreResult<T> {
        self.life.end();
        tokio::task::yield_now().await;
        Err(StoreError::Unavailable("it was stopped".into()))
    }
    /// For calls that do not wait.
    fn at_once(&self, site: &'static str) {
        if self.enter(site, format_args!("")).dies.is_some() {
            self.life.end();
        }
    }
}

impl Store for Steered {
    fn commit(&self, change: Change) -> Committing {
        let passage = self.enter("store.commit", format_args!("{change:?}"));
        if passage.dies == Some(When::Before) {
            self.life.end();
        }
        if passage.refused {
            self.inner.refuse(1);
        }
        let made = self.inner.commit(change);
        let (tell, committing) = Committing::pair();
        let life = Arc::clone(&self.life);
        tokio::spawn(async move {
            let made = made.durably().await;
            if let Some(takes) = passage.takes {
                tokio::time::sleep(takes).await;
            }
            if passage.dies == Some(When::After) {
                life.end();
            }
            if !life.is_over() {
                let _ = tell.send(made);
            }
        });
        committing
    }
    fn load<'a>(&'a self, table: &'static str, number: u64) -> Waiting<'a, Option<Document>> {
        self.around("store.load", format!("{table} {number}"), Box::pin(async move { self.inner.load(table, number).await }))
    }
    fn load_entry<'a>(&'a self, table: &'static str, number: u64, case: &'a Case) -> Waiting<'a, Option<Entry>> {
        let call = Box::pin(async move { self.inner.load_entry(table, number, case).await });
        self.around("store.load_entry", format!("{table} {number} {case}"), call)
    }
    fn find<'a>(&'a self, table: &'static str, query: &'a Query) -> Waiting<'a, Page> {
        self.around("store.find", format!("{table} {query:?}"), Box::pin(async move { self.inner.find(table, query).await }))
    }
    fn changed<'a>(&'a self, table: &'static str, after: u64, limit: usize) -> Waiting<'a, Vec<Document>> {
        let call = Box::pin(async move { self.inner.changed(table, after, limit).await });
        self.around("store.changed", format!("{table} {after} {limit}"), call)
    }
    fn due<'a>(&'a self, table: &'static str, of: &'a str, until: Timestamp, limit: usize) -> Waiting<'a, Vec<u64>> {
        let call = Box::pin(async move { self.inner.due(table, of, until, limit).await });
        self.around("store.due", format!("{table} {of} {until} {limit}"), call)
    }
    fn moments<'a>(&'a self, table: &'static str, until: Timestamp, limit: usize) -> Waiting<'a, Vec<u64>> {
        let call = Box::pin(async move { self.inner.moments(table, until, limit).await });
        self.around("store.moments", format!("{table} {until} {limit}"), call)
    }
    fn next_due<'a>(&'a self, table: &'static str) -> Waiting<'a, Option<Timestamp>> {
        self.around("store.next_due", table.to_owned(), Box::pin(async move { self.inner.next_due(table).await }))
    }
    fn owing<'a>(&'a self, table: &'static str) -> Waiting<'a, u64> {
        self.around("store.owing", table.to_owned(), Box::pin(async move { self.inner.owing(table).await }))
    }
    fn overdue<'a>(&'a self, table: &'static str, until: Timestamp) -> Waiting<'a, u64> {
        let call = Box::pin(async move { self.inner.overdue(table, until).await });
        self.around("store.overdue", format!("{table} {until}"), call)
    }
    fn tail<'a>(&'a self, after: u64, limit: usize) -> Waiting<'a, Vec<Fact>> {
        self.around("store.tail", format!("{after} {limit}"), Box::pin(async move { self.inner.tail(after, limit).await }))
    }
    fn story<'a>(&'a self, case: &'a Case) -> Waiting<'a, Vec<Fact>> {
        self.around("store.story", case.to_string(), Box::pin(async move { self.inner.story(case).await }))
    }
    fn position<'a>(&'a self, reader: &'a str, publisher: &'a str) -> Waiting<'a, Option<Position>> {
        let call = Box::pin(async move { self.inner.position(reader, publisher).await });
        self.around("store.position", format!("{reader} {publisher}"), call)
    }
    fn claimed<'a>(&'a self, key: &'a str) -> Waiting<'a, Option<Claim>> {
        self.around("store.claimed", key.to_owned(), Box::pin(async move { self.inner.claimed(key).await }))
    }
    fn forget_claims<'a>(&'a self, before: Timestamp) -> Waiting<'a, ()> {
        self.around("store.forget_claims", before.to_string(), Box::pin(async move { self.inner.forget_claims(before).await }))
    }
    fn asides<'a>(&'a self) -> Waiting<'a, Vec<Aside>> {
        self.around("store.asides", String::new(), Box::pin(async move { self.inner.asides().await }))
    }
    fn set_aside<'a>(&'a self) -> Waiting<'a, u64> {
        self.around("store.set_aside", String::new(), Box::pin(async move { self.inner.set_aside().await }))
    }
    fn reserve<'a>(&'a self, table: &'static str) -> Waiting<'a, u64> {
        self.around("store.reserve", table.to_owned(), Box::pin(async move { self.inner.reserve(table).await }))
    }
    fn newest_fact(&self) -> watch::Receiver<u64> {
        self.at_once("store.newest_fact");
        self.inner.newest_fact()
    }
    fn newest_write(&self) -> watch::Receiver<u64> {
        self.at_once("store.newest_write");
        self.inner.newest_write()
    }
    fn release_leases<'a>(&'a self, now: Timestamp) -> Waiting<'a, ()> {
        self.around("store.release_leases", now.to_string(), Box::pin(async move { self.inner.release_leases(now).await }))
    }
    fn close<'a>(&'a self) -> Waiting<'a, ()> {
        self.around("store.close", String::new(), Box::pin(async move { self.inner.close().await }))
    }
}
