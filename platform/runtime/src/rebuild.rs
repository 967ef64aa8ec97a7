//! A view is rebuilt beside the one that is live: a second set of rows, fed from the first fact, and at last one commit of what differs.
use crate::{
    core::Core,
    document::{json, shown},
    lifecycle::Running,
    ports::lock,
    rows::{Beside, Built, Rows, row_of, write},
    shelf::Parked,
    viewer::{BATCH, Viewer},
};
use jumun_model::{Timestamp, View};
use jumun_store::{Aside, Change, Document, Query, StoreError, StoreResult, Write};
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// How many rows are compared in one go.
const PAGE: u64 = 1_000;
/// How many differences are told one by one.
const TOLD: usize = 5;

/// How far a rebuild has come.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rebuild {
    /// The view.
    pub view: &'static str,
    /// Where it stands.
    pub state: Progress,
    /// How many facts were read, of how many that the live view had read.
    pub facts: u64,
    /// See above.
    pub of: u64,
    /// How many rows there are in the second set.
    pub rows: u64,
    /// How many rows were different, or not there at all, and are now as their facts say.
    pub differing: u64,
    /// The first of them.
    pub first: Vec<Difference>,
    /// How many facts could not be taken in, or wait behind one.
    pub aside: u64,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it failed.
    pub why: Option<String>,
}
/// Where a rebuild stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Progress {
    /// It reads; clients see the rows as they were.
    Reading,
    /// Clients see the new rows.
    Done,
    /// Nothing was changed.
    Failed,
}
/// A row that was not as its facts say; bodies as clients see them, none for a row that they do not see.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The row.
    pub number: u64,
    /// What it was.
    pub was: Option<Value>,
    /// What it is now.
    pub is: Option<Value>,
}

/// The newest rebuild of each view, of this life.
#[derive(Default)]
pub(crate) struct Rebuilds(Mutex<BTreeMap<&'static str, Rebuild>>);
impl Rebuilds {
    fn note(&self, view: &str, note: impl FnOnce(&mut Rebuild)) {
        if let Some(rebuild) = lock(&self.0).get_mut(view) {
            note(rebuild);
        }
    }
}

impl Running {
    /// Begins to rebuild a view while it goes on; how that stands. One that is under way goes on.
    /// Everything is taken in anew, also what was once dropped.
    pub fn rebuild(&self, view: &str) -> Option<Rebuild> {
        let shown = Arc::clone(self.context().shown.iter().find(|shown| shown.table().name == view)?);
        let (view, core) = (shown.table().name, Arc::clone(&self.core));
        let begun = {
            let mut rebuilds = lock(&core.rebuilds.0);
            if let Some(going) = rebuilds.get(view).filter(|rebuild| rebuild.state == Progress::Reading) {
                return Some(going.clone());
            }
            let began_at = core.clock.now();
            let (state, first) = (Progress::Reading, Vec::new());
            let zero = Rebuild {
                view,
                state,
                facts: 0,
                of: 0,
                rows: 0,
                differing: 0,
                first,
                aside: 0,
                began_at,
                ended_at: None,
                why: None,
            };
            rebuilds.insert(view, zero.clone());
            zero
        };
        let working = Arc::clone(&core);
        core.tasks.spawn(async move {
            let done = shown.rebuild(&working).await;
            working.rebuilds.note(view, |rebuild| {
                rebuild.ended_at = Some(working.clock.now());
                match done {
                    Ok(()) => rebuild.state = Progress::Done,
                    Err(why) => (rebuild.state, rebuild.why) = (Progress::Failed, Some(why.to_string())),
                }
            });
        });
        Some(begun)
    }
    /// How the newest rebuild of a view stands; none since this context started.
    pub fn rebuilding(&self, view: &str) -> Option<Rebuild> {
        lock(&self.core.rebuilds.0).get(view).cloned()
    }
}

/// What is built beside the live rows.
#[derive(Default)]
struct Second {
    rows: Beside,
    /// How far each publisher was read, in the order in which the view follows them.
    read: Vec<u64>,
    parked: Parked,
    asides: Vec<Aside>,
}

impl<V: View> Viewer<V> {
    /// Builds a second set of rows up to where the live one is, then shows it in one commit.
    pub(crate) async fn build_anew(&self, core: &Core) -> StoreResult<()> {
        let mut second = Second { read: vec![0; self.follows.len()], ..Second::default() };
        // first while the live view goes on, until it is but a step ahead
        while self.catch_up(core, &mut second).await? > BATCH as u64 {}
        // then the rest, while it waits
        let stopped = || StoreError::Unavailable("it is being stopped".to_owned());
        let mut turn = core.turn_at_last((V::NAME, None)).await.ok_or_else(stopped)?;
        self.catch_up(core, &mut second).await?;
        let mut writes = self.compare(core, &second.rows).await?;
        for tally in &self.tallies {
            let rows = second.rows.iter().map(|(&number, built)| Ok((row_of(number, &built.body)?, built.at)));
            writes.extend(tally.anew(core, rows.collect::<StoreResult<_>>()?).await?);
        }
        let old = core.store.asides().await?.into_iter().filter(|aside| aside.reader == V::NAME);
        let taken_back = old.map(|aside| (aside.reader, aside.fact.id())).collect();
        core.rebuilds.note(V::NAME, |rebuild| rebuild.aside = second.asides.len() as u64);
        core.store.commit(Change { writes, asides: second.asides, taken_back, ..Change::default() }).durably().await?;
        *turn = Some(second.parked);
        Ok(())
    }

    /// Reads what the live view has read; how many facts that was.
    async fn catch_up(&self, core: &Core, second: &mut Second) -> StoreResult<u64> {
        let mut until = Vec::new();
        for position in self.positions(core).await? {
            until.push(position.seq);
        }
        core.rebuilds.note(V::NAME, |rebuild| rebuild.of = until.iter().sum());
        let before: u64 = second.read.iter().sum();
        for (publisher, (name, _)) in self.follows.iter().enumerate() {
            while second.read[publisher] < until[publisher] {
                let journal = core.journals.of(name).borrow().clone();
                let silent = || StoreError::Unavailable(format!("the journal of {name} can not be read: it does not run"));
                let mut facts = journal.ok_or_else(silent)?.tail(second.read[publisher], BATCH).await?;
                facts.retain(|fact| fact.seq <= until[publisher]);
                let shorter = || StoreError::Damaged(format!("the journal of {name} ends before what was read of it"));
                let last = facts.last().ok_or_else(shorter)?.seq;
                let mut rows = Rows::beside(&second.rows);
                second.asides.extend(self.follow_all(core, &[(publisher, facts)], &mut rows, &mut second.parked).await?);
                let built = rows.built();
                second.rows.extend(built);
                second.read[publisher] = last;
                core.rebuilds.note(V::NAME, |rebuild| {
                    (rebuild.facts, rebuild.rows) = (second.read.iter().sum(), second.rows.len() as u64);
                });
                tokio::task::yield_now().await; // whoever serves clients comes first
            }
        }
        Ok(second.read.iter().sum::<u64>() - before)
    }

    /// What has to be written so that the live rows are the second ones. A row that stays as it is keeps its version and its place in
    /// every stream; one that no fact speaks of is hidden.
    async fn compare(&self, core: &Core, second: &Beside) -> StoreResult<Vec<Write>> {
        let mut differences = Differences::<'_, V> { core, writes: Vec::new(), of: std::marker::PhantomData };
        let (mut after, mut new) = (0, second.iter().peekable());
        loop {
            let query = Query { after, limit: PAGE, unlisted: true, ..Query::default() };
            let page = core.store.find(V::NAME, &query).await?.rows;
            for document in &page {
                while let Some((&number, built)) = new.next_if(|(number, _)| **number < document.number) {
                    differences.found(number, None, Some(built));
                }
                let built = new.next_if(|(number, _)| **number == document.number).map(|(_, built)| built);
                differences.found(document.number, Some(document), built);
            }
            match page.last() {
                Some(last) if page.len() as u64 == PAGE => after = last.number,
                _ => break,
            }
        }
        new.for_each(|(&number, built)| differences.found(number, None, Some(built)));
        Ok(differences.writes)
    }
}

struct Differences<'c, V> {
    core: &'c Core,
    writes: Vec<Write>,
    of: std::marker::PhantomData<V>,
}
impl<V: View> Differences<'_, V> {
    fn found(&mut self, number: u64, was: Option<&Document>, is: Option<&Built>) {
        let same = match (was, is) {
            (Some(was), Some(is)) => was.body == is.body && was.listed == is.listed,
            (Some(was), None) => !was.listed,
            (None, _) => false,
        };
        if same {
            return;
        }
        let nothing = || Built { body: json(&V::default()), listed: false, at: was.map(|was| was.at).unwrap_or_default() };
        self.writes.push(write::<V>(number, is.cloned().unwrap_or_else(nothing), was));
        self.core.rebuilds.note(V::NAME, |rebuild| {
            rebuild.differing += 1;
            if rebuild.first.len() < TOLD {
                let seen = |listed: bool, body: &str| listed.then(|| shown(number, body).map_or(Value::Null, Value::Object));
                let was = was.and_then(|was| seen(was.listed, &was.body));
                rebuild.first.push(Difference { number, was, is: is.and_then(|is| seen(is.listed, &is.body)) });
            }
        });
    }
}
