//! Views: rows that are fed by facts alone; rows and positions are one write.
use crate::{
    core::Core,
    document::json,
    ports::or_stopping,
    reactor::{NotTaken, check_log, linger, next_facts, occasion},
    rows::Rows,
    shelf::{Again, Parked, Turn},
    tally::Sums,
    traces::{Deed, Underway},
};
use futures_util::future::{BoxFuture, select_all};
use jumun_model::{Caller, Event, Follows, View};
use jumun_store::{Aside, Change, Fact, Position, StoreError, StoreResult, Table, Write};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How many facts of each publisher are folded into one write.
pub(crate) const BATCH: usize = 512;

/// A view, erased.
pub(crate) trait Shown: Send + Sync {
    /// Of its rows.
    fn table(&self) -> Table;
    /// Of what sums its rows up.
    fn tallies(&self) -> Vec<Table>;
    /// Of what clients see: its rows, or what sums them up.
    fn seen(&self) -> Table {
        self.tallies().first().copied().unwrap_or_else(|| self.table())
    }
    fn publishers(&self) -> Vec<&'static str>;
    /// Whether that fact moves an empty row.
    fn probe(&self, fact: &Fact) -> bool;
    /// Takes in one fact that was set aside; durable when it resolves.
    fn again<'a>(&'a self, core: &'a Core, fact: &'a Fact) -> BoxFuture<'a, Result<(), NotTaken>>;
    /// Builds it anew, beside the one that clients see.
    fn rebuild<'a>(&'a self, core: &'a Arc<Core>) -> BoxFuture<'a, StoreResult<()>>;
    /// Feeds it as long as the context runs.
    fn feed(self: Arc<Self>, core: Arc<Core>) -> BoxFuture<'static, ()>;
}

impl Again for Arc<dyn Shown> {
    fn reader(&self) -> (&'static str, Option<&'static str>) {
        (self.table().name, None)
    }
    fn again<'a>(&'a self, core: &'a Arc<Core>, fact: &'a Fact) -> BoxFuture<'a, Result<(), NotTaken>> {
        Shown::again(&**self, core, fact)
    }
}

/// What a fact does to one row.
pub(crate) type Step<'a, V> = Box<dyn FnOnce(&mut V) + Send + 'a>;
pub(crate) type Reads<V> = for<'a> fn(&'a Fact) -> Result<Option<(u64, Step<'a, V>)>, serde_json::Error>;

pub(crate) struct Viewer<V> {
    pub(crate) follows: Vec<(&'static str, Reads<V>)>,
    pub(crate) tallies: Vec<Box<dyn Sums<V>>>,
    fields: &'static [&'static str],
}

impl<V: View> Viewer<V> {
    pub(crate) fn new(fields: &'static [&'static str]) -> Self {
        Viewer { follows: Vec::new(), tallies: Vec::new(), fields }
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

    /// Folds one fact into the row that it moves; why not, if that can not be done.
    async fn follow(&self, publisher: usize, fact: &Fact, rows: &mut Rows<'_, V>) -> Result<Result<(), String>, StoreError> {
        let (_, read) = self.follows[publisher];
        let (number, step) = match catch_unwind(AssertUnwindSafe(|| read(fact))) {
            Ok(Ok(Some(wanted))) => wanted,
            Ok(Ok(None)) => return Ok(Ok(())),
            Ok(Err(why)) => return Ok(Err(format!("it can not be read: {why}"))),
            Err(_) => return Ok(Err("taking it in panicked".to_owned())),
        };
        let held = rows.of(number).await?;
        // on a copy: a fold that panics halfway leaves nothing behind
        let mut next = held.row.clone();
        if catch_unwind(AssertUnwindSafe(|| step(&mut next))).is_err() {
            return Ok(Err("taking it in panicked".to_owned()));
        }
        (held.row, held.at, held.moved) = (next, held.at.max(fact.at), true);
        Ok(Ok(()))
    }

    /// Folds a batch of facts of each publisher into the rows; what can not be taken in, and what waits behind that, is set aside.
    pub(crate) async fn follow_all(
        &self,
        core: &Core,
        batches: &[(usize, Vec<Fact>)],
        rows: &mut Rows<'_, V>,
        parked: &mut Parked,
    ) -> Result<Vec<Aside>, StoreError> {
        let mut asides = Vec::new();
        for (publisher, facts) in batches {
            let own = self.follows[*publisher].0 == core.context;
            for fact in facts.iter().filter(|fact| fact.public || own) {
                if parked.holds(fact) {
                    asides.push(core.behind(V::NAME, fact.clone()));
                } else if let Err(why) = self.follow(*publisher, fact, rows).await? {
                    parked.park(fact);
                    asides.push(core.aside(V::NAME, fact, why));
                }
            }
        }
        Ok(asides)
    }

    /// What is to be written: the rows that were moved, and what sums them up.
    async fn writes(&self, core: &Core, rows: &Rows<'_, V>) -> StoreResult<Vec<Write>> {
        let mut writes = rows.writes();
        for tally in &self.tallies {
            writes.extend(tally.moved(core, rows.moves()?).await?);
        }
        Ok(writes)
    }

    /// Folds a batch of facts of each publisher into the rows, in one write.
    async fn fold(
        &self,
        core: &Core,
        batches: &[(usize, Vec<Fact>)],
        positions: &mut [Position],
        turn: &mut Turn,
    ) -> StoreResult<()> {
        let spans = self.spans(core, batches);
        let (mut rows, mut parked) = (Rows::in_store(&*core.store), turn.clone().unwrap_or_default());
        let asides = self.follow_all(core, batches, &mut rows, &mut parked).await?;
        let mut change = Change { writes: self.writes(core, &rows).await?, asides, ..Change::default() };
        let mut moved = positions.to_vec();
        for (publisher, facts) in batches {
            if let Some(last) = facts.last() {
                moved[*publisher] = Position { seq: last.seq, id: last.id() };
                change.positions.push((V::NAME.to_owned(), self.follows[*publisher].0.to_owned(), moved[*publisher].clone()));
            }
        }
        core.store.commit(change).durably().await?;
        positions.clone_from_slice(&moved);
        **turn = Some(parked);
        drop(spans);
        Ok(())
    }
    /// A span for each fact that is taken in, while somebody wants them.
    fn spans(&self, core: &Core, batches: &[(usize, Vec<Fact>)]) -> Vec<Underway> {
        let facts = batches.iter().filter(|_| core.traces.are_kept()).flat_map(|(_, facts)| facts);
        let followed = facts.filter(|fact| fact.public || *fact.context == *core.context);
        let span = |fact: &Fact| {
            let mut span = core.traces.begin(fact.trace.as_deref(), Deed::View, core.context, || format!("view {}", V::NAME));
            span.about("jumun.case", &fact.case).about("jumun.fact", fact.id());
            span
        };
        followed.map(span).collect()
    }

    pub(crate) async fn positions(&self, core: &Core) -> Result<Vec<Position>, StoreError> {
        let mut positions = Vec::new();
        for (publisher, _) in &self.follows {
            positions.push(core.store.position(V::NAME, publisher).await?.unwrap_or_default());
        }
        Ok(positions)
    }
}

impl<V: View> Shown for Viewer<V> {
    fn rebuild<'a>(&'a self, core: &'a Arc<Core>) -> BoxFuture<'a, StoreResult<()>> {
        Box::pin(self.build_anew(core))
    }
    fn again<'a>(&'a self, core: &'a Core, fact: &'a Fact) -> BoxFuture<'a, Result<(), NotTaken>> {
        Box::pin(async move {
            let gone = || NotTaken::Never(format!("{} does not follow {} any more", V::NAME, fact.context));
            let publisher = self.follows.iter().position(|(publisher, _)| **publisher == *fact.context).ok_or_else(gone)?;
            let later = |why: StoreError| NotTaken::Later(why.to_string());
            let mut rows = Rows::in_store(&*core.store);
            self.follow(publisher, fact, &mut rows).await.map_err(later)?.map_err(NotTaken::Never)?;
            // in one write: a row takes no mark that would keep a repeat out
            let taken_back = vec![(V::NAME.to_owned(), fact.id())];
            let writes = self.writes(core, &rows).await.map_err(later)?;
            core.store.commit(Change { writes, taken_back, ..Change::default() }).durably().await.map_err(later)
        })
    }
    fn table(&self) -> Table {
        Table { name: V::NAME, keys: V::KEYS, entries: false, fields: self.fields }
    }
    fn tallies(&self) -> Vec<Table> {
        self.tallies.iter().flat_map(|tally| tally.tables()).collect()
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
            let checked: Vec<AtomicBool> = self.follows.iter().map(|_| AtomicBool::default()).collect();
            while !*stopping.borrow() {
                let result = async {
                    let at = match positions.take() {
                        Some(positions) => positions,
                        None => self.positions(&core).await?,
                    };
                    let mut at = at;
                    let waits = self.follows.iter().enumerate().map(|(index, (publisher, _))| {
                        let (core, position, checked) = (&core, &at[index], &checked[index]);
                        Box::pin(async move {
                            if !checked.load(Ordering::Relaxed) {
                                let check = check_log(core, V::NAME, publisher, position);
                                if or_stopping(&mut core.tasks.stopping(), check).await {
                                    return None;
                                }
                                checked.store(true, Ordering::Relaxed);
                            }
                            next_facts(core, publisher, position.seq, BATCH).await.map(|facts| (index, facts))
                        })
                    });
                    let (first, _, others) = select_all(waits).await;
                    let mut batches: Vec<(usize, Vec<Fact>)> = first.into_iter().collect();
                    // whatever else is there already goes into the same write
                    for other in others {
                        if let Some(Some(batch)) = futures_util::FutureExt::now_or_never(other) {
                            batches.push(batch);
                        }
                    }
                    if !batches.is_empty()
                        && let Some(mut turn) = core.turn_at_last((V::NAME, None)).await
                    {
                        self.fold(&core, &batches, &mut at, &mut turn).await?;
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
