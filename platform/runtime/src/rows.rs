//! The rows of a view that a batch of facts moves, as they shall be: over those that clients see, or beside them.
use crate::{
    document::{json, keys_of},
    tally::Moved,
};
use jumun_model::{Timestamp, View};
use jumun_store::{Document, Marks, Store, StoreError, StoreResult, Write};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

pub(crate) struct Rows<'s, V> {
    over: Over<'s>,
    held: BTreeMap<u64, Held<V>>,
}
/// Where a row is found that no fact of the batch has moved yet.
enum Over<'s> {
    Store(&'s dyn Store),
    Beside(&'s Beside),
}
/// A second set of rows, which no client sees.
pub(crate) type Beside = BTreeMap<u64, Built>;
/// A row of it.
#[derive(Clone)]
pub(crate) struct Built {
    pub(crate) body: Arc<str>,
    pub(crate) listed: bool,
    pub(crate) at: Timestamp,
}
/// A row, as it shall be.
pub(crate) struct Held<V> {
    pub(crate) row: V,
    /// When the newest of its facts happened.
    pub(crate) at: Timestamp,
    /// Whether a fact moved it.
    pub(crate) moved: bool,
    before: Option<Document>,
}

impl<'s, V: View> Rows<'s, V> {
    /// Over the rows that clients see.
    pub(crate) fn in_store(store: &'s dyn Store) -> Self {
        Rows { over: Over::Store(store), held: BTreeMap::new() }
    }
    /// Over a second set of rows.
    pub(crate) fn beside(rows: &'s Beside) -> Self {
        Rows { over: Over::Beside(rows), held: BTreeMap::new() }
    }

    /// The row of that number; the default one if there is none yet.
    pub(crate) async fn of(&mut self, number: u64) -> StoreResult<&mut Held<V>> {
        Ok(match self.held.entry(number) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(place) => {
                let (before, there) = match self.over {
                    Over::Beside(rows) => (None, rows.get(&number).map(|row| (Arc::clone(&row.body), row.at))),
                    Over::Store(store) => {
                        let before = store.load(V::NAME, number).await?;
                        let there = before.as_ref().map(|document| (Arc::clone(&document.body), document.at));
                        (before, there)
                    }
                };
                let (row, at) = match there {
                    None => (V::default(), Timestamp::from_millis(i64::MIN)),
                    Some((body, at)) => (row_of(number, &body)?, at),
                };
                place.insert(Held { row, at, moved: false, before })
            }
        })
    }

    fn moved(&self) -> impl Iterator<Item = (u64, Built, Option<&Document>)> {
        let moved = self.held.iter().filter(|(_, held)| held.moved);
        moved.map(|(&number, held)| {
            let built = Built { body: json(&held.row), listed: held.row.listed(), at: held.at };
            (number, built, held.before.as_ref())
        })
    }
    /// What was moved, as it is to be written.
    pub(crate) fn writes(&self) -> Vec<Write> {
        self.moved().map(|(number, built, before)| write::<V>(number, built, before)).collect()
    }
    /// What was moved, as it was and as it shall be: for what sums it up.
    pub(crate) fn moves(&self) -> StoreResult<Vec<Moved<V>>> {
        let moved = self.held.values().filter(|held| held.moved);
        let moved = moved.map(|held| {
            let was = held.before.as_ref().map(|before| row_of::<V>(before.number, &before.body)).transpose()?;
            Ok(Moved { was: was.unwrap_or_default(), is: held.row.clone(), at: held.at })
        });
        moved.collect()
    }
    /// What was moved, for the second set.
    pub(crate) fn built(&self) -> Vec<(u64, Built)> {
        self.moved().map(|(number, built, _)| (number, built)).collect()
    }
}

/// A row, as it is stored.
pub(crate) fn row_of<V: View>(number: u64, body: &str) -> StoreResult<V> {
    serde_json::from_str(body).map_err(|why| StoreError::Damaged(format!("{} {number} can not be read: {why}", V::NAME)))
}

/// A row as it is to be written, over the one that was there before.
pub(crate) fn write<V: View>(number: u64, built: Built, before: Option<&Document>) -> Write {
    let Built { body, listed, at } = built;
    Write {
        table: V::NAME,
        number,
        expected: before.map_or(0, |document| document.revision),
        version: before.map_or(0, |document| document.version) + 1,
        listed,
        keys: keys_of(&body, V::KEYS),
        body,
        at,
        attempt: None,
        moment: None,
        marks: Marks::new(),
    }
}
