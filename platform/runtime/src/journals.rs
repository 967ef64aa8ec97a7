//! The journals are the log: inside one process, consumers read the publishers' own.
use crate::ports::lock;
use jumun_store::{Herald, Store};
use std::{collections::BTreeMap, sync::Arc, sync::Mutex};
use tokio::sync::watch;

type Journal = Option<Arc<dyn Store>>;

/// Whose journal can be read now, by context.
#[derive(Default)]
pub struct Journals(Mutex<BTreeMap<&'static str, Herald<Journal>>>);
impl Journals {
    /// The journal of this context, now and whenever that changes: none while the context is stopped.
    pub(crate) fn of(&self, context: &'static str) -> watch::Receiver<Journal> {
        lock(&self.0).entry(context).or_default().listen()
    }
    pub(crate) fn open(&self, context: &'static str, journal: Journal) {
        lock(&self.0).entry(context).or_default().say(journal);
    }
}
