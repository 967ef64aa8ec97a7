//! How a context stands now: what it keeps and shows, who lags, what is owed, what is set aside.
use crate::{context::Context, core::Core, lifecycle::Running};
use jumun_store::{Query, StoreError, Table};
use serde::Serialize;
use std::collections::BTreeSet;

/// How a context stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stand {
    /// Its aggregates and pools.
    pub aggregates: Vec<Collected>,
    /// Its views.
    pub views: Vec<Collected>,
    /// Its readers, and how far they are behind.
    pub lag: Vec<Lag>,
    /// What it owes; none while it does not run.
    pub owed: Option<Owed>,
    /// How many facts are set aside; none while it does not run.
    pub aside: Option<u64>,
    /// How its lines to others stand.
    pub breakers: Vec<Breaker>,
}
/// What is kept or shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Collected {
    /// Its name.
    pub name: &'static str,
    /// Its path at the door, if it has one.
    pub collection: Option<&'static str>,
    /// How many clients see; none while the context does not run.
    pub documents: Option<u64>,
}
/// How far a reader is behind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lag {
    /// The policy or view.
    pub consumer: &'static str,
    /// Whose facts it reads.
    pub publisher: &'static str,
    /// How many of them it has not read yet.
    pub behind: u64,
}
/// What is owed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Owed {
    /// Asks that are due, and moments that have come: more than a few for long, and somebody should look.
    pub due: u64,
    /// Documents that owe an ask, due or not.
    pub owing: u64,
}
/// How a line stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Breaker {
    /// Who is asked.
    pub to: &'static str,
    /// `closed`, `half_open` or `open`.
    pub state: &'static str,
}

impl Context {
    /// The roots of the cases that it keeps something of.
    pub fn roots(&self) -> BTreeSet<&'static str> {
        self.kept.iter().map(|kept| kept.root()).collect()
    }
    /// How it stands while it does not run: what it is made of, and no figures.
    pub fn at_rest(&self) -> Stand {
        let collected = |table: Table| {
            let collection = self.doors().iter().find(|door| door.of() == table.name).map(|door| door.path());
            Collected { name: table.name, collection, documents: None }
        };
        Stand {
            aggregates: self.kept.iter().map(|kept| collected(kept.table())).collect(),
            views: self.shown.iter().map(|shown| collected(shown.seen())).collect(),
            lag: Vec::new(),
            owed: None,
            aside: None,
            breakers: Vec::new(),
        }
    }
}

impl Running {
    /// How it stands now.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn stand(&self) -> Result<Stand, StoreError> {
        self.context().stand(&self.core).await
    }
    /// How many facts each of its readers has not read yet: reader, publisher, facts. A publisher that is stopped counts as read.
    ///
    /// # Errors
    /// A store does not answer.
    pub async fn lag(&self) -> Result<Vec<(&'static str, &'static str, u64)>, StoreError> {
        let lag = self.context().lag(&self.core).await?.into_iter();
        Ok(lag.map(|Lag { consumer, publisher, behind }| (consumer, publisher, behind)).collect())
    }
    /// How many documents owe an ask, by aggregate, and how many facts a policy towards many has not carried to all of them.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn owed(&self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        let owed = self.context().owed(&self.core).await?.into_iter();
        Ok(owed.map(|(aggregate, Owed { owing, .. })| (aggregate, owing)).collect())
    }
}

impl Context {
    /// How it stands now, running on that core.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn stand(&self, core: &Core) -> Result<Stand, StoreError> {
        let store = &core.store;
        let mut stand = self.at_rest();
        for collected in stand.aggregates.iter_mut().chain(&mut stand.views) {
            // kept, not counted
            collected.documents = Some(store.find(collected.name, &Query::default()).await?.total);
        }
        stand.lag = self.lag(core).await?;
        let owed = self
            .owed(core)
            .await?
            .into_iter()
            .fold(Owed::default(), |all, (_, one)| Owed { due: all.due + one.due, owing: all.owing + one.owing });
        (stand.owed, stand.aside) = (Some(owed), Some(store.set_aside().await?));
        stand.breakers = core.lines().into_iter().map(|(to, state)| Breaker { to, state: state.as_str() }).collect();
        Ok(stand)
    }

    /// Who of it has not read how much.
    async fn lag(&self, core: &Core) -> Result<Vec<Lag>, StoreError> {
        let mut lag = Vec::new();
        for arrow in self.arrows() {
            let journal = core.journals.of(arrow.from).borrow().clone();
            let newest = journal.map_or(0, |journal| *journal.newest_fact().borrow());
            let read = core.store.position(arrow.name, arrow.from).await?.unwrap_or_default().seq;
            lag.push(Lag { consumer: arrow.name, publisher: arrow.from, behind: newest.saturating_sub(read) });
        }
        Ok(lag)
    }
    /// What is owed, by aggregate and by policy towards many.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn owed(&self, core: &Core) -> Result<Vec<(&'static str, Owed)>, StoreError> {
        let (mut owed, now) = (Vec::new(), core.clock.now());
        for table in self.kept.iter().map(|kept| kept.table().name) {
            let (due, owing) = (core.store.overdue(table, now).await?, core.store.owing(table).await?);
            owed.push((table, Owed { due, owing }));
        }
        // a policy towards many owes its next page, and nothing else keeps it from going on
        for table in self.parts.sweeping.iter().map(|sweeping| sweeping.table().name) {
            let due = core.store.overdue(table, now).await?;
            owed.push((table, Owed { due, owing: due }));
        }
        Ok(owed)
    }
}
