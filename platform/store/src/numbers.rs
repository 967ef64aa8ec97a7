//! Numbers that are given away before there is a document of them, for stores whose one writer reserves them block by block.
use crate::{Change, StoreError, StoreResult};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// Numbers that are nobody's yet.
#[derive(Clone, Debug)]
pub struct Block {
    /// The first that may be given away.
    pub next: u64,
    /// The last.
    pub last: u64,
    /// Those in between that a document has, because a client chose them.
    pub taken: BTreeSet<u64>,
}

/// The numbers of one table.
#[derive(Default)]
struct Row {
    block: Option<Block>,
    /// While the next block is on its way: new documents that it may not know of.
    meanwhile: Option<BTreeSet<u64>>,
}
impl Row {
    fn note(&mut self, number: u64) {
        if let Some(meanwhile) = &mut self.meanwhile {
            meanwhile.insert(number);
        }
        if let Some(block) = self.block.as_mut().filter(|block| (block.next..=block.last).contains(&number)) {
            block.taken.insert(number);
        }
    }
    fn take(&mut self) -> Option<u64> {
        let block = self.block.as_mut()?;
        while block.next <= block.last {
            let number = block.next;
            block.next += 1;
            if !block.taken.remove(&number) {
                return Some(number);
            }
        }
        None
    }
}

/// What this process may give away, by table. A store that has one hands every change to its writer through it.
#[derive(Default)]
pub struct Numbers {
    rows: Mutex<BTreeMap<&'static str, Row>>,
    fetching: tokio::sync::Mutex<()>,
}
impl Numbers {
    fn rows(&self) -> MutexGuard<'_, BTreeMap<&'static str, Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number of that table that nobody has and nobody else will be given. `fetch` asks the writer for the next block.
    ///
    /// # Errors
    /// What the writer answers; [`StoreError::Unavailable`] if it is gone.
    pub async fn reserve(
        &self,
        table: &'static str,
        fetch: impl Fn() -> oneshot::Receiver<StoreResult<Block>>,
    ) -> StoreResult<u64> {
        let take = || self.rows().entry(table).or_default().take();
        if let Some(number) = take() {
            return Ok(number);
        }
        let _one = self.fetching.lock().await;
        loop {
            if let Some(number) = take() {
                return Ok(number);
            }
            let told = {
                let mut rows = self.rows();
                rows.entry(table).or_default().meanwhile = Some(BTreeSet::new());
                fetch()
            };
            let mut block = told.await.map_err(|_| StoreError::Unavailable("it is closed".into()))??;
            let mut rows = self.rows();
            let row = rows.entry(table).or_default();
            block.taken.extend(row.meanwhile.take().unwrap_or_default().range(block.next..=block.last));
            row.block = Some(block);
        }
    }

    /// Hands a change to the writer: under one lock with the asking for a block, so that the block knows of its new documents one way or
    /// the other.
    pub fn hand_over(&self, change: Change, hand: impl FnOnce(Change)) {
        let is_new = |change: &Change| change.writes.iter().any(|write| write.expected == 0);
        if !is_new(&change) {
            return hand(change);
        }
        let mut rows = self.rows();
        for write in change.writes.iter().filter(|write| write.expected == 0) {
            if let Some(row) = rows.get_mut(write.table) {
                row.note(write.number);
            }
        }
        hand(change);
    }

    /// What was fetched and given to nobody, so that an orderly stop leaves no gap. Nothing is left here.
    pub fn unused(&self) -> Vec<(&'static str, Block)> {
        std::mem::take(&mut *self.rows()).into_iter().filter_map(|(table, row)| Some((table, row.block?))).collect()
    }
}
