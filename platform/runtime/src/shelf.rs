//! What is set aside: a fact that can not be taken in blocks the later ones of its case for that reader alone, and a person lets them go on.
use crate::{
    core::Core,
    lifecycle::Running,
    ports::{lock, or_stopping},
    reactor::NotTaken,
};
use futures_util::{FutureExt, future::BoxFuture};
use jumun_model::Case;
use jumun_store::{Aside, Change, Fact, StoreError};
use std::{
    collections::{BTreeMap, BTreeSet},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::OwnedMutexGuard;

/// Cases of which a fact is set aside, by publisher: between publishers nothing is in order, so they do not block each other.
#[derive(Clone, Default)]
pub(crate) struct Parked(BTreeMap<Arc<str>, BTreeSet<Case>>);
impl Parked {
    pub(crate) fn holds(&self, fact: &Fact) -> bool {
        self.0.get(&fact.context).is_some_and(|cases| cases.contains(&fact.case))
    }
    pub(crate) fn park(&mut self, fact: &Fact) {
        self.0.entry(Arc::clone(&fact.context)).or_default().insert(fact.case.clone());
    }
    fn release(&mut self, fact: &Fact) {
        if let Some(cases) = self.0.get_mut(&fact.context) {
            cases.remove(&fact.case);
        }
    }
}

/// A reader's turn: what it reads, and what a person does about what it set aside, come one after the other.
pub(crate) type Turn = OwnedMutexGuard<Option<Parked>>;
/// A policy by its name and publisher; a view, which has one turn for all that it follows, by its name alone.
type Reader = (&'static str, Option<&'static str>);

/// The readers of a context, and what of theirs is set aside.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<BTreeMap<Reader, Arc<tokio::sync::Mutex<Option<Parked>>>>>);

/// What can be done again by hand.
pub(crate) trait Again: Send + Sync {
    /// Whose turn that takes.
    fn reader(&self) -> Reader;
    /// Takes in one fact that was set aside; durable when it resolves. Must be called in its turn.
    fn again<'a>(&'a self, core: &'a Arc<Core>, fact: &'a Fact) -> BoxFuture<'a, Result<(), NotTaken>>;
}

impl Core {
    /// Waits for a reader's turn; what it has parked is there.
    pub(crate) async fn turn(&self, reader: Reader) -> Result<Turn, StoreError> {
        let place = Arc::clone(lock(&self.shelf.0).entry(reader).or_default());
        let mut turn = place.lock_owned().await;
        if turn.is_none() {
            let (name, publisher) = reader;
            let mut parked = Parked::default();
            for Aside { reader, fact, .. } in &self.store.asides().await? {
                if reader == name && publisher.is_none_or(|publisher| publisher == &*fact.context) {
                    parked.park(fact);
                }
            }
            *turn = Some(parked);
        }
        Ok(turn)
    }
    /// Likewise, however long the store does not answer; none if the context is to stop.
    pub(crate) async fn turn_at_last(&self, reader: Reader) -> Option<Turn> {
        let mut stopping = self.tasks.stopping();
        let mut turn = None;
        let waits = async {
            while turn.is_none() {
                match self.turn(reader).await {
                    Ok(mine) => turn = Some(mine),
                    Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
                }
            }
        };
        or_stopping(&mut stopping, waits).await;
        turn
    }
    /// A fact that is to be set aside, alarmed.
    pub(crate) fn aside(&self, reader: &str, fact: &Fact, why: String) -> Aside {
        self.defect("aside", &format!("{}: {reader} can not take in {}: {why}", fact.case, fact.id()));
        Aside { number: 0, reader: reader.to_owned(), fact: fact.clone(), why, since: self.clock.now() }
    }
    /// A fact that comes behind one that is set aside.
    pub(crate) fn behind(&self, reader: &str, fact: Fact) -> Aside {
        let why = "it waits behind an earlier fact of its case".to_owned();
        Aside { number: 0, reader: reader.to_owned(), fact, why, since: self.clock.now() }
    }
}

/// Why what is set aside stays where it is.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Stays {
    /// There is nothing under that number, or not any more.
    #[error("nothing is set aside under the number {0}")]
    Unknown(u64),
    /// An earlier fact of its case comes first.
    #[error("it waits behind number {0}: retry or drop that one first")]
    Behind(u64),
    /// Its policy or view is not there any more: it can only be dropped.
    #[error("there is no {0} any more that could take it in")]
    NobodyTakes(String),
    /// It could not be taken in this time either.
    #[error("it can not be taken in: {0}")]
    Still(String),
    /// Something that is needed does not answer; it can be retried later.
    #[error("it can not be taken in now: {0}")]
    Unavailable(String),
}
impl From<StoreError> for Stays {
    fn from(why: StoreError) -> Self {
        Stays::Unavailable(why.to_string())
    }
}
/// What went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// How many facts were taken in.
    pub taken: u64,
    /// How many of that case still wait for that reader: the first of them could not be taken in.
    pub left: u64,
}

impl Running {
    /// Takes in what was set aside, and then what waits behind it, in order.
    ///
    /// # Errors
    /// Why it stays; what waits behind it then waits on.
    pub async fn retry(&self, number: u64) -> Result<Resumed, Stays> {
        let (again, mut turn, queue) = self.queue(number).await?;
        let Some(again) = again else { return Err(Stays::NobodyTakes(queue[0].reader.clone())) };
        let resumed = self.resume(&*again, &mut turn, &queue).await?;
        if resumed.taken > 0 {
            return Ok(resumed);
        }
        let why = self.core.store.asides().await?.into_iter().find(|aside| aside.number == number);
        Err(Stays::Still(why.map_or_else(String::new, |aside| aside.why)))
    }
    /// Lets go of a fact for ever, for that reader, and takes in what waits behind it. Of what itself waits, it is struck out.
    ///
    /// # Errors
    /// Why it stays.
    pub async fn let_go(&self, number: u64) -> Result<Resumed, Stays> {
        let (again, mut turn, mut queue) = match self.queue(number).await {
            Err(Stays::Behind(_)) => {
                let asides = self.core.store.asides().await?;
                let aside = asides.into_iter().find(|aside| aside.number == number).ok_or(Stays::Unknown(number))?;
                take_back(&self.core, &aside).await?;
                return Ok(Resumed { taken: 0, left: 0 });
            }
            queue => queue?,
        };
        let dropped = queue.remove(0);
        take_back(&self.core, &dropped).await?;
        tracing::warn!(context = self.core.context, reader = dropped.reader, fact = dropped.fact.id(), "let go of by hand");
        match again {
            Some(again) if !queue.is_empty() => self.resume(&*again, &mut turn, &queue).await,
            _ => {
                if let (Some(parked), true) = (turn.as_mut(), queue.is_empty()) {
                    parked.release(&dropped.fact);
                }
                Ok(Resumed { taken: 0, left: queue.len() as u64 })
            }
        }
    }

    /// Who takes it in, his turn, and what waits for him in that case, from this one on.
    async fn queue(&self, number: u64) -> Result<(Option<Arc<dyn Again>>, Turn, Vec<Aside>), Stays> {
        let known = |asides: Vec<Aside>| asides.into_iter().find(|aside| aside.number == number).ok_or(Stays::Unknown(number));
        let Aside { reader, fact, .. } = known(self.core.store.asides().await?)?;
        let again = self.context().who_takes(&reader, &fact.context);
        let turn = match &again {
            Some(again) => self.core.turn(again.reader()).await?,
            // nobody's turn: nobody reads under that name
            None => Arc::new(tokio::sync::Mutex::new(None)).lock_owned().await,
        };
        let mut queue = self.core.store.asides().await?;
        queue.retain(|aside| aside.reader == reader && aside.fact.context == fact.context && aside.fact.case == fact.case);
        queue.sort_by_key(|aside| aside.fact.seq);
        match queue.first() {
            Some(first) if first.number == number => Ok((again, turn, queue)),
            Some(first) if queue.iter().any(|aside| aside.number == number) => Err(Stays::Behind(first.number)),
            _ => Err(Stays::Unknown(number)),
        }
    }

    async fn resume(&self, again: &dyn Again, turn: &mut Turn, queue: &[Aside]) -> Result<Resumed, Stays> {
        let core = &self.core;
        for (taken, aside) in queue.iter().enumerate() {
            let done = AssertUnwindSafe(again.again(core, &aside.fact)).catch_unwind().await;
            let why = match done {
                Ok(Ok(())) => {
                    take_back(core, aside).await?;
                    continue;
                }
                Ok(Err(NotTaken::Later(why))) => return Err(Stays::Unavailable(why)),
                Ok(Err(NotTaken::Never(why))) => why,
                Err(_) => "taking it in panicked".to_owned(),
            };
            let asides = vec![core.aside(&aside.reader, &aside.fact, why)];
            core.store.commit(Change { asides, ..Change::default() }).durably().await?;
            return Ok(Resumed { taken: taken as u64, left: (queue.len() - taken) as u64 });
        }
        if let (Some(parked), Some(last)) = (turn.as_mut(), queue.last()) {
            parked.release(&last.fact);
        }
        Ok(Resumed { taken: queue.len() as u64, left: 0 })
    }
}

async fn take_back(core: &Core, aside: &Aside) -> Result<(), StoreError> {
    let taken_back = vec![(aside.reader.clone(), aside.fact.id())];
    core.store.commit(Change { taken_back, ..Change::default() }).durably().await
}
