//! Views: rows that are fed by facts alone; rows and positions are one write.
use crate::{
    core::Core,
    document::{json, keys_of},
    ports::or_stopping,
    reactor::{linger, next_facts, occasion},
};
use futures_util::future::{BoxFuture, select_all};
use jumun_model::{Caller, Event, Follows, Timestamp, View};
use jumun_store::{Change, Document, Fact, Marks, Position, StoreError, Table, Write};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

/// How many facts of each publisher are folded into one write.
const BATCH: usize = 512;

/// A view, erased.
pub(crate) trait Shown: Send + Sync {
    fn table(&self) -> Table;
    fn publishers(&self) -> Vec<&'static str>;
    /// Whether that fact moves an empty row.
    fn probe(&self, fact: &Fact) -> bool;
    /// Feeds it as long as the context runs.
    fn feed(self: Arc<Self>, core: Arc<Core>) -> BoxFuture<'static, ()>;
}

/// What a fact does to one row.
type Step<'a, V> = Box<dyn FnOnce(&mut V) + Send + 'a>;
type Reads<V> = for<'a> fn(&'a Fact) -> Result<Option<(u64, Step<'a, V>)>, serde_json::Error>;

pub(crate) struct Viewer<V> {
    follows: Vec<(&'static str, Reads<V>)>,
    fields: &'static [&'static str],
}

impl<V: View> Viewer<V> {
    pub(crate) fn new(fields: &'static [&'static str]) -> Self {
        Viewer { follows: Vec::new(), fields }
    }
    pub(crate) fn follows<E: Event>(&mut self)
    where
        V: Follows<E>,
    {
        self.follows.push((E::CONTEXT, |fact| {
            let by = Caller { name: fact.by.to_string().into(), roles: Vec::new() };
            let event: E = serde_json::from_str(&fact.body)?;
            let row = V::row(&occasion(fact, &by), &event);
            let step = move |row: &mut V| row.follow(&occasion(fact, &by), &event);
            Ok(row.map(|number| (number, Box::new(step) as Step<'_, V>)))
        }));
    }

    /// Folds a batch of facts of each publisher into the rows, in one write.
    async fn fold(&self, core: &Core, batches: &[(usize, Vec<Fact>)], positions: &mut [Position]) -> Result<(), StoreError> {
        let mut before: BTreeMap<u64, Document> = BTreeMap::new();
        let mut rows: BTreeMap<u64, V> = BTreeMap::new();
        let mut at: BTreeMap<u64, Timestamp> = BTreeMap::new();
        let mut change = Change::default();
        for (index, facts) in batches {
            let (publisher, read) = self.follows[*index];
            for fact in facts.iter().filter(|fact| fact.public || publisher == core.context) {
                let mut aside = |why: String| {
                    core.defect("aside", &format!("{}: {} can not take in {}: {why}", fact.case, V::NAME, fact.id()));
                    change.asides.push(jumun_store::Aside {
                        reader: V::NAME.into(),
                        fact: fact.clone(),
                        why,
                        since: core.clock.now(),
                    });
                };
                let (number, step) = match catch_unwind(AssertUnwindSafe(|| read(fact))) {
                    Ok(Ok(Some(wanted))) => wanted,
                    Ok(Ok(None)) => continue,
                    Ok(Err(why)) => {
                        aside(format!("it can not be read: {why}"));
                        continue;
                    }
                    Err(_) => {
                        aside("taking it in panicked".to_owned());
                        continue;
                    }
                };
                if let Entry::Vacant(vacant) = rows.entry(number) {
                    let mut row = V::default();
                    if let Some(document) = core.store.load(V::NAME, number).await? {
                        row = serde_json::from_str(&document.body)
                            .map_err(|why| StoreError::Damaged(format!("{} {number} can not be read: {why}", V::NAME)))?;
                        at.insert(number, document.at);
                        before.insert(number, document);
                    }
                    vacant.insert(row);
                }
                if let Some(row) = rows.get_mut(&number) {
                    // on a copy: a fold that panics halfway leaves nothing behind
                    let mut next = row.clone();
                    match catch_unwind(AssertUnwindSafe(|| step(&mut next))) {
                        Ok(()) => *row = next,
                        Err(_) => {
                            aside("taking it in panicked".to_owned());
                            continue;
                        }
                    }
                }
                let newest = at.entry(number).or_insert(fact.at);
                *newest = (*newest).max(fact.at);
            }
        }
        change.writes.extend(rows.iter().map(|(&number, row)| {
            let before = before.get(&number);
            let body = json(row);
            Write {
                table: V::NAME,
                number,
                expected: before.map_or(0, |document| document.revision),
                version: before.map_or(0, |document| document.version) + 1,
                listed: row.listed(),
                keys: keys_of(&body, V::KEYS),
                body,
                at: at.get(&number).copied().unwrap_or_default(),
                attempt: None,
                moment: None,
                marks: Marks::new(),
            }
        }));
        let mut moved = positions.to_vec();
        for (index, facts) in batches {
            if let Some(last) = facts.last() {
                moved[*index] = Position { seq: last.seq, id: last.id() };
                change.positions.push((V::NAME.to_owned(), self.follows[*index].0.to_owned(), moved[*index].clone()));
            }
        }
        core.store.commit(change).durably().await?;
        positions.clone_from_slice(&moved);
        Ok(())
    }

    async fn positions(&self, core: &Core) -> Result<Vec<Position>, StoreError> {
        let mut positions = Vec::new();
        for (publisher, _) in &self.follows {
            positions.push(core.store.position(V::NAME, publisher).await?.unwrap_or_default());
        }
        Ok(positions)
    }
}

impl<V: View> Shown for Viewer<V> {
    fn table(&self) -> Table {
        Table { name: V::NAME, keys: V::KEYS, entries: false, fields: self.fields }
    }
    fn publishers(&self) -> Vec<&'static str> {
        self.follows.iter().map(|(publisher, _)| *publisher).collect()
    }
    fn probe(&self, fact: &Fact) -> bool {
        let reads = self.follows.iter().find(|(publisher, _)| **publisher == *fact.context);
        let Some(Ok(Some((_, step)))) = reads.map(|(_, reads)| reads(fact)) else { return false };
        let mut row = V::default();
        step(&mut row);
        json(&row) != json(&V::default())
    }
    fn feed(self: Arc<Self>, core: Arc<Core>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let mut stopping = core.tasks.stopping();
            let mut positions: Option<Vec<Position>> = None;
            while !*stopping.borrow() {
                let result = async {
                    let at = match positions.take() {
                        Some(positions) => positions,
                        None => self.positions(&core).await?,
                    };
                    let mut at = at;
                    let waits = self.follows.iter().enumerate().map(|(index, (publisher, _))| {
                        let (core, seq) = (&core, at[index].seq);
                        Box::pin(async move { next_facts(core, publisher, seq, BATCH).await.map(|facts| (index, facts)) })
                    });
                    let (first, _, others) = select_all(waits).await;
                    let mut batches: Vec<(usize, Vec<Fact>)> = first.into_iter().collect();
                    // whatever else is there already goes into the same write
                    for other in others {
                        if let Some(Some(batch)) = futures_util::FutureExt::now_or_never(other) {
                            batches.push(batch);
                        }
                    }
                    if !batches.is_empty() {
                        self.fold(&core, &batches, &mut at).await?;
                    }
                    Ok::<_, StoreError>(at)
                }
                .await;
                match result {
                    Ok(at) => {
                        positions = Some(at);
                        linger(&core).await;
                    }
                    Err(why) => {
                        tracing::warn!(context = core.context, view = V::NAME, %why, "the view waits for its store");
                        if or_stopping(&mut stopping, tokio::time::sleep(Duration::from_millis(200))).await {
                            return;
                        }
                    }
                }
            }
        })
    }
}
