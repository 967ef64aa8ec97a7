//! A policy towards many: it becomes a document that owes its next page, so nothing waits and a crash goes on where it was.
use crate::{
    board::named,
    core::Core,
    desk::Desk,
    document::json,
    keeping::Keeping,
    ports::or_stopping,
    reactor::{NotTaken, Reaction, send},
    shelf::Parked,
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream};
use jumun_model::{Case, Event, Every, Timestamp};
use jumun_store::{Change, Fact, Marks, Query, StoreError, Table, Write};
use serde::{Deserialize, Serialize};
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::sync::Notify;

/// How many are reached between two writes of how far it has come.
const PAGE: u64 = 200;
/// How many of a page are under way at once.
const AT_ONCE: usize = 32;

/// What is stored: the fact, from which the policy reads its wish again, and how far it has come.
#[derive(Clone, Serialize, Deserialize)]
struct Sweep {
    fact: Fact,
    after: u64,
}

pub(crate) struct WheneverEvery<E, K: Keeping> {
    pub(crate) name: &'static str,
    pub(crate) table: &'static str,
    pub(crate) desk: Arc<Desk<K>>,
    pub(crate) wish: fn(&E) -> Option<Every<K::Command>>,
    pub(crate) bell: Notify,
}

/// What of a reaction has a table and a loop of its own.
pub(crate) trait Sweeping: Send + Sync {
    fn table(&self) -> Table;
    fn run(self: Arc<Self>, core: Arc<Core>) -> BoxFuture<'static, ()>;
}

impl<E: Event, K: Keeping> WheneverEvery<E, K> {
    fn wanted(&self, fact: &Fact) -> Result<Option<Every<K::Command>>, NotTaken> {
        let event: E = serde_json::from_str(&fact.body).map_err(|why| NotTaken::Never(format!("it can not be read: {why}")))?;
        Ok((self.wish)(&event))
    }
    fn write(&self, sweep: &Sweep, expected: u64, due: Option<Timestamp>) -> Change {
        let write = Write {
            table: self.table,
            number: sweep.fact.seq,
            expected,
            version: expected + 1,
            listed: false,
            body: json(sweep),
            at: sweep.fact.at,
            keys: Vec::new(),
            attempt: None,
            moment: due,
            marks: Marks::new(),
        };
        Change { writes: vec![write], ..Change::default() }
    }

    /// Reaches the next page of one sweep.
    async fn page(&self, core: &Arc<Core>, number: u64, parked: &mut Parked) -> Result<(), StoreError> {
        let Some(document) = core.store.load(self.table, number).await? else { return Ok(()) };
        let mut sweep: Sweep = serde_json::from_str(&document.body).map_err(|why| StoreError::Damaged(why.to_string()))?;
        let Ok(Some(every)) = self.wanted(&sweep.fact) else {
            core.defect("every", &format!("{}: {} no longer wants anything of {}", sweep.fact.case, self.name, sweep.fact.id()));
            return core.store.commit(self.write(&sweep, document.revision, None)).durably().await;
        };
        let fact = &sweep.fact;
        let (found, reached) = self.reach_all(core, fact, &of_page(&every, sweep.after), &every.command).await?;
        let mut asides = Vec::new();
        for one in reached {
            match one {
                Ok(()) => {}
                // the page is gone through again; marks leave out whom it reached
                Err(NotTaken::Later(why)) => return Err(StoreError::Unavailable(why)),
                Err(NotTaken::Never(why)) => asides.push(core.aside(self.name, fact, why)),
            }
        }
        let more = if found.len() as u64 == PAGE { document.moment } else { None };
        sweep.after = found.last().copied().unwrap_or(sweep.after);
        let mut change = self.write(&sweep, document.revision, more);
        if !asides.is_empty() {
            parked.park(&sweep.fact);
            self.park_behind(core, &sweep.fact, &mut change).await?;
        }
        change.asides.extend(asides);
        core.store.commit(change).durably().await
    }

    /// Sweeps of later facts of that case that were begun already wait behind it as well.
    async fn park_behind(&self, core: &Core, first: &Fact, change: &mut Change) -> Result<(), StoreError> {
        for number in core.store.moments(self.table, core.clock.now(), usize::MAX).await? {
            let Some(document) = core.store.load(self.table, number).await?.filter(|_| number > first.seq) else { continue };
            let sweep: Sweep = serde_json::from_str(&document.body).map_err(|why| StoreError::Damaged(why.to_string()))?;
            if sweep.fact.case == first.case {
                change.writes.extend(self.write(&sweep, document.revision, None).writes);
                change.asides.push(core.behind(self.name, sweep.fact));
            }
        }
        Ok(())
    }

    /// Reaches a page of them: who they are, and how it went with each.
    async fn reach_all(
        &self,
        core: &Arc<Core>,
        fact: &Fact,
        page: &Query,
        command: &K::Command,
    ) -> Result<(Vec<u64>, Vec<Result<(), NotTaken>>), StoreError> {
        let found: Vec<u64> = core.store.find(K::NAME, page).await?.rows.into_iter().map(|row| row.number).collect();
        let reached = stream::iter(found.clone()).map(|number| self.reach(core, fact, number, command.clone()));
        let reached = reached.buffer_unordered(AT_ONCE).collect().await;
        Ok((found, reached))
    }

    /// Reaches one, in its own case; what panics over one keeps nobody else from being reached.
    async fn reach(&self, core: &Arc<Core>, fact: &Fact, number: u64, command: K::Command) -> Result<(), NotTaken> {
        let case = Case::new(K::ROOT, number);
        let sent = AssertUnwindSafe(send(core, &self.desk, self.name, fact, &case, number, command)).catch_unwind().await;
        sent.unwrap_or_else(|_| Err(NotTaken::Never(format!("reaching {case} panicked"))))
    }
}

impl<E: Event, K: Keeping> Reaction for WheneverEvery<E, K> {
    fn name(&self) -> &'static str {
        self.name
    }
    fn publisher(&self) -> &'static str {
        E::CONTEXT
    }
    fn target(&self) -> &'static str {
        K::NAME
    }
    fn probe(&self, body: &str) -> Option<String> {
        (self.wish)(&serde_json::from_str(body).ok()?).map(|every| named(&every.command))
    }
    fn take<'a>(&'a self, core: &'a Arc<Core>, fact: &'a Fact) -> BoxFuture<'a, Result<(), NotTaken>> {
        Box::pin(async move {
            if self.wanted(fact)?.is_none() {
                return Ok(());
            }
            let begin = self.write(&Sweep { fact: fact.clone(), after: 0 }, 0, Some(core.clock.now()));
            match core.store.commit(begin).durably().await {
                Ok(()) => {
                    self.bell.notify_one();
                    Ok(())
                }
                Err(StoreError::Contended) => Ok(()), // taken in before
                Err(why) => Err(NotTaken::Later(why.to_string())),
            }
        })
    }
    /// Reaches everybody, once more: marks leave out whom it reached before.
    fn take_whole<'a>(&'a self, core: &'a Arc<Core>, fact: &'a Fact) -> BoxFuture<'a, Result<(), NotTaken>> {
        Box::pin(async move {
            let Some(every) = self.wanted(fact)? else { return Ok(()) };
            let mut after = 0;
            loop {
                let page = self.reach_all(core, fact, &of_page(&every, after), &every.command).await;
                let (found, reached) = page.map_err(|why| NotTaken::Later(why.to_string()))?;
                reached.into_iter().collect::<Result<(), _>>()?;
                match found.last() {
                    Some(&last) if found.len() as u64 == PAGE => after = last,
                    _ => return Ok(()),
                }
            }
        })
    }
}

/// The next page of those whom it wants.
fn of_page<C>(every: &Every<C>, after: u64) -> Query {
    Query { matching: vec![(every.key, every.value.clone())], after, limit: PAGE, unlisted: true, ..Query::default() }
}

impl<E: Event, K: Keeping> Sweeping for WheneverEvery<E, K> {
    fn table(&self) -> Table {
        Table { name: self.table, keys: &[], entries: false, fields: &[] }
    }
    fn run(self: Arc<Self>, core: Arc<Core>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let mut stopping = core.tasks.stopping();
            while !*stopping.borrow() {
                let Some(mut turn) = core.turn_at_last((self.name, Some(E::CONTEXT))).await else { return };
                let round = async {
                    // one after the other, so that of two facts of one case the first reaches everybody before the second
                    let due = core.store.moments(self.table, core.clock.now(), 1).await?;
                    for &number in &due {
                        self.page(&core, number, turn.get_or_insert_default()).await?;
                    }
                    Ok::<_, StoreError>(!due.is_empty())
                };
                let round = round.await;
                drop(turn);
                let pause = match round {
                    Ok(true) => continue,
                    Ok(false) => Duration::from_secs(3600),
                    Err(_) => Duration::from_millis(200),
                };
                if or_stopping(&mut stopping, tokio::time::timeout(pause, self.bell.notified())).await {
                    return;
                }
            }
        })
    }
}
