//! Rows that sum others up, moved by the difference that each of those makes, in the same commit.
use crate::{
    core::Core,
    document::{json, keys_of},
    rows::{Built, row_of, write},
};
use futures_util::future::BoxFuture;
use jumun_model::{JsonSchema, Schema, SchemaGenerator, Tally, Timestamp, View};
use jumun_store::{Document, Query, StoreError, StoreResult, Table, Write};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    marker::PhantomData,
};

/// How many stored rows are looked at in one go.
const PAGE: u64 = 1_000;
/// The number of the row where there is one of all.
const ALL: u64 = 1;

/// A row that was moved.
#[derive(Clone)]
pub(crate) struct Moved<R> {
    pub(crate) was: R,
    pub(crate) is: R,
    pub(crate) at: Timestamp,
}

/// What sums rows up, erased.
pub(crate) trait Sums<R>: Send + Sync {
    /// Its own table, and those of what sums it up in turn.
    fn tables(&self) -> Vec<Table>;
    /// What is to be written since those rows were moved.
    fn moved<'a>(&'a self, core: &'a Core, moves: Vec<Moved<R>>) -> BoxFuture<'a, StoreResult<Vec<Write>>>;
    /// What is to be written so that it sums up these rows, whatever it summed up before.
    fn anew<'a>(&'a self, core: &'a Core, rows: Vec<(R, Timestamp)>) -> BoxFuture<'a, StoreResult<Vec<Write>>>;
}

/// How a view's rows are summed up: per what, and with what totals.
pub struct Per<T> {
    table: Table,
    above: Vec<Box<dyn Sums<T>>>,
    pub(crate) totals: Option<Totals>,
}
/// Sums a view's rows up, per whatever `T` is.
pub fn per<T: View>() -> Per<T> {
    Per { table: table::<T>(), above: Vec::new(), totals: None }
}
impl<T: View> Per<T> {
    /// Sums those sums up in turn, in one row that is shown beside them.
    #[must_use]
    pub fn in_all<U: Tally<T> + JsonSchema>(mut self) -> Self {
        self.totals = Some(Totals { table: U::NAME, shape: |to| U::json_schema(to), none: || json(&U::default()).to_string() });
        self.above.push(Box::new(per::<U>()));
        self
    }
}
fn table<T: View>() -> Table {
    Table { name: T::NAME, keys: T::KEYS, entries: false, fields: crate::context::fields_of::<T>() }
}

/// The one row that sums all up, as the door shows it beside the others.
#[derive(Clone, Copy)]
pub(crate) struct Totals {
    table: &'static str,
    pub(crate) shape: fn(&mut SchemaGenerator) -> Schema,
    none: fn() -> String,
}
impl Totals {
    pub(crate) async fn now(&self, core: &Core) -> StoreResult<Map<String, Value>> {
        let stored = core.store.load(self.table, ALL).await?.map(|document| document.body.to_string());
        serde_json::from_str(&stored.unwrap_or_else(self.none)).map_err(|why| StoreError::Damaged(why.to_string()))
    }
}

/// A sum, as it was and as it shall be.
struct Sum<T> {
    was: T,
    is: T,
    at: Timestamp,
    before: Option<Document>,
}
struct Sheet<'c, T, R> {
    core: &'c Core,
    sums: BTreeMap<String, Sum<T>>,
    counts: PhantomData<fn(R)>,
}
impl<T: Tally<R>, R> Sheet<'_, T, R> {
    fn of(core: &Core) -> Sheet<'_, T, R> {
        Sheet { core, sums: BTreeMap::new(), counts: PhantomData }
    }
    /// The sum of that name; a fresh one if there is none yet.
    async fn sum(&mut self, name: String) -> StoreResult<&mut Sum<T>> {
        Ok(match self.sums.entry(name) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => {
                let before = stored::<T, R>(self.core, place.key()).await?;
                let was = before.as_ref().map(|before| row_of::<T>(before.number, &before.body)).transpose()?.unwrap_or_default();
                let at = before.as_ref().map(|before| before.at).unwrap_or_default();
                place.insert(Sum { is: was.clone(), was, at, before })
            }
        })
    }
    /// Counts it in ([`Tally::add`]) or takes it out ([`Tally::take`]), where it counts.
    async fn count(&mut self, counted: &R, at: Timestamp, how: fn(&mut T, &R)) -> StoreResult<()> {
        if let Some(name) = T::row(counted) {
            let sum = self.sum(name).await?;
            sum.at = sum.at.max(at);
            how(&mut sum.is, counted);
        }
        Ok(())
    }
    /// What is to be written of it.
    async fn writes(&self) -> StoreResult<Vec<Write>> {
        let mut writes = Vec::new();
        for (name, Sum { was, is, at, before }) in &self.sums {
            let built = Built { body: json(is), listed: is.listed(), at: *at };
            if built.body == json(was) {
                continue;
            }
            let number = match before {
                Some(before) => before.number,
                None if T::BY.is_none() => ALL,
                None => self.core.store.reserve(T::NAME).await?,
            };
            if built.listed && name_of::<T, R>(&built.body).as_ref() != Some(name) {
                let what = format!("{} {number} is found by {name:?}, and bears another name", T::NAME);
                self.core.defect("tally", &what);
            }
            writes.push(write::<T>(number, built, before.as_ref()));
        }
        Ok(writes)
    }
}

/// The value by which a stored sum is found; empty text where there is one of all.
fn name_of<T: Tally<R>, R>(body: &str) -> Option<String> {
    let Some(by) = T::BY else { return Some(String::new()) };
    let place = T::KEYS.iter().position(|key| *key == by)?;
    keys_of(body, T::KEYS).into_iter().nth(place).flatten()
}
async fn stored<T: Tally<R>, R>(core: &Core, name: &str) -> StoreResult<Option<Document>> {
    let Some(by) = T::BY else { return core.store.load(T::NAME, ALL).await };
    let query = Query { matching: vec![(by, name.to_owned())], limit: 1, unlisted: true, ..Query::default() };
    Ok(core.store.find(T::NAME, &query).await?.rows.into_iter().next())
}

impl<T: Tally<R>, R: Clone + Send + Sync + 'static> Sums<R> for Per<T> {
    fn tables(&self) -> Vec<Table> {
        std::iter::once(self.table).chain(self.above.iter().flat_map(|above| above.tables())).collect()
    }
    fn moved<'a>(&'a self, core: &'a Core, moves: Vec<Moved<R>>) -> BoxFuture<'a, StoreResult<Vec<Write>>> {
        Box::pin(async move {
            let mut sheet = Sheet::<T, R>::of(core);
            for Moved { was, is, at } in &moves {
                sheet.count(was, *at, T::take).await?;
                sheet.count(is, *at, T::add).await?;
            }
            let mut writes = sheet.writes().await?;
            for above in &self.above {
                let moves =
                    sheet.sums.values().map(|Sum { was, is, at, .. }| Moved { was: was.clone(), is: is.clone(), at: *at });
                writes.extend(above.moved(core, moves.collect()).await?);
            }
            Ok(writes)
        })
    }
    fn anew<'a>(&'a self, core: &'a Core, rows: Vec<(R, Timestamp)>) -> BoxFuture<'a, StoreResult<Vec<Write>>> {
        Box::pin(async move {
            let mut sheet = Sheet::<T, R>::of(core);
            let mut after = 0;
            loop {
                let page = Query { after, limit: PAGE, unlisted: true, ..Query::default() };
                let page = core.store.find(T::NAME, &page).await?.rows;
                after = page.last().map_or(after, |last| last.number);
                let more = page.len() as u64 == PAGE;
                for before in page {
                    let was = row_of::<T>(before.number, &before.body)?;
                    let name = name_of::<T, R>(&before.body).unwrap_or_default();
                    sheet.sums.insert(name, Sum { was, is: T::default(), at: before.at, before: Some(before) });
                }
                if !more {
                    break;
                }
            }
            for (row, at) in &rows {
                sheet.count(row, *at, T::add).await?;
            }
            let mut writes = sheet.writes().await?;
            for above in &self.above {
                let sums = sheet.sums.values().map(|Sum { is, at, .. }| (is.clone(), *at));
                writes.extend(above.anew(core, sums.collect()).await?);
            }
            Ok(writes)
        })
    }
}
