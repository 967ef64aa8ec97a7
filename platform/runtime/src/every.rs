//! A policy towards many: it becomes a document that owes its next page, so nothing waits and a crash goes on where it was.
use crate::{
    board::named,
    core::Core,
    desk::Desk,
    document::json,
    keeping::Keeping,
    ports::or_stopping,
    reactor::{NotTaken, Reaction, send},
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream};
use jumun_model::{Case, Event, Every, Timestamp};
use jumun_store::{Aside, Change, Committing, Fact, Marks, Query, StoreError, Table, Write};
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
    fn save(&self, core: &Core, sweep: &Sweep, expected: u64, due: Option<Timestamp>, asides: Vec<Aside>) -> Committing {
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
        core.store.commit(Change { writes: vec![write], asides, ..Change::default() })
    }

    /// Reaches the next page of one sweep.
    async fn page(&self, core: &Arc<Core>, number: u64) -> Result<(), StoreError> {
        let Some(document) = core.store.load(self.table, number).await? else { return Ok(()) };
        let mut sweep: Sweep = serde_json::from_str(&document.body).map_err(|why| StoreError::Damaged(why.to_string()))?;
        let Ok(Some(every)) = self.wanted(&sweep.fact) else {
            core.defect("every", &format!("{}: {} no longer wants anything of {}", sweep.fact.case, self.name, sweep.fact.id()));
            return self.save(core, &sweep, document.revision, None, Vec::new()).durably().await;
        };
        let query = Query {
            matching: vec![(every.key, every.value)],
            after: sweep.after,
            limit: PAGE,
            unlisted: true,
            ..Query::default()
        };
        let found: Vec<u64> = core.store.find(K::NAME, &query).await?.rows.into_iter().map(|row| row.number).collect();
        let fact = &sweep.fact;
        let reached = stream::iter(found.clone()).map(|number| self.reach(core, fact, number, every.command.clone()));
        let reached: Vec<_> = reached.buffer_unordered(AT_ONCE).collect().await;
        let mut asides = Vec::new();
        for one in reached {
            match one {
                Ok(()) => {}
                // the page is gone through again; marks leave out whom it reached
                Err(NotTaken::Later(why)) => return Err(StoreError::Unavailable(why)),
                Err(NotTaken::Never(why)) => {
                    core.defect("aside", &format!("{}: {} can not take in {}: {why}", fact.case, self.name, fact.id()));
                    asides.push(Aside { reader: self.name.to_owned(), fact: fact.clone(), why, since: core.clock.now() });
                }
            }
        }
        let more = if found.len() as u64 == PAGE { document.moment } else { None };
        sweep.after = found.last().copied().unwrap_or(sweep.after);
        self.save(core, &sweep, document.revision, more, asides).durably().await
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
            match self.save(core, &Sweep { fact: fact.clone(), after: 0 }, 0, Some(core.clock.now()), Vec::new()).durably().await
            {
                Ok(()) => {
                    self.bell.notify_one();
                    Ok(())
                }
                Err(StoreError::Contended) => Ok(()), // taken in before
                Err(why) => Err(NotTaken::Later(why.to_string())),
            }
        })
    }
}

impl<E: Event, K: Keeping> Sweeping for WheneverEvery<E, K> {
    fn table(&self) -> Table {
        Table { name: self.table, keys: &[], entries: false, fields: &[] }
    }
    fn run(self: Arc<Self>, core: Arc<Core>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let mut stopping = core.tasks.stopping();
            while !*stopping.borrow() {
                let round = async {
                    // one after the other, so that of two facts of one case the first reaches everybody before the second
                    let due = core.store.moments(self.table, core.clock.now(), 1).await?;
                    for &number in &due {
                        self.page(&core, number).await?;
                    }
                    Ok::<_, StoreError>(!due.is_empty())
                };
                let pause = match round.await {
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
