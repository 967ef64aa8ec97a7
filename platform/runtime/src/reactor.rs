//! Policies: whenever this fact, then that command. At least once delivered, once taken in.
use crate::{
    board::named,
    core::Core,
    desk::{Desk, Failure, Wish},
    keeping::Keeping,
    ports::or_stopping,
    shelf::Again,
    traces::Deed,
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream};
use jumun_model::{Caller, Case, Event, Occasion};
use jumun_store::{Aside, Change, Fact, Position, Store, StoreError};
use std::{collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::sync::watch;

/// How many facts are read in one go.
const BATCH: usize = 512;
/// After how many batches without a pause the position is saved; what is read again after a crash is left out by its marks.
const SAVED_EVERY: u32 = 16;
/// How many cases of a batch are under way at once.
const AT_ONCE: usize = 128;

/// Where a reaction that is added later starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// At the publisher's first fact.
    TheFirst,
    /// At what is published from its first start on.
    Now,
}

/// Why a fact was not taken in.
pub(crate) enum NotTaken {
    /// It may be, later: tried again without limit.
    Later(String),
    /// It never will: set aside for a person to look at.
    Never(String),
}

/// A policy, erased: what the runtime needs to know of it.
pub(crate) trait Reaction: Send + Sync {
    fn name(&self) -> &'static str;
    fn publisher(&self) -> &'static str;
    fn target(&self) -> &'static str;
    /// The name of the command that it wants on a fact of that body, if it wants one.
    fn probe(&self, body: &str) -> Option<String>;
    fn from(&self) -> From {
        From::TheFirst
    }
    /// Takes in one fact; durable when it resolves.
    fn take<'a>(&'a self, core: &'a Arc<Core>, fact: &'a Fact) -> BoxFuture<'a, Result<(), NotTaken>>;
    /// Takes it in to the end, however much that is.
    fn take_whole<'a>(&'a self, core: &'a Arc<Core>, fact: &'a Fact) -> BoxFuture<'a, Result<(), NotTaken>> {
        self.take(core, fact)
    }
}
impl Again for Arc<dyn Reaction> {
    fn reader(&self) -> (&'static str, Option<&'static str>) {
        (self.name(), Some(self.publisher()))
    }
    fn again<'a>(&'a self, core: &'a Arc<Core>, fact: &'a Fact) -> BoxFuture<'a, Result<(), NotTaken>> {
        self.take_whole(core, fact)
    }
}

/// A policy of an event, towards an aggregate or a pool: which number, and which command.
pub(crate) struct Whenever<E, K: Keeping> {
    pub(crate) name: &'static str,
    pub(crate) desk: Arc<Desk<K>>,
    pub(crate) wish: fn(&E) -> Option<K::Command>,
    pub(crate) from: From,
}
pub(crate) struct WheneverPool<E, K: Keeping> {
    pub(crate) name: &'static str,
    pub(crate) desk: Arc<Desk<K>>,
    pub(crate) wish: fn(&E) -> Option<(u64, K::Command)>,
}

impl<E: Event, K: Keeping> Reaction for Whenever<E, K> {
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
        (self.wish)(&serde_json::from_str(body).ok()?).as_ref().map(named)
    }
    fn from(&self) -> From {
        self.from
    }
    fn take<'a>(&'a self, core: &'a Arc<Core>, fact: &'a Fact) -> BoxFuture<'a, Result<(), NotTaken>> {
        Box::pin(async move {
            let Some(command) = (self.wish)(&read::<E>(fact)?) else { return Ok(()) };
            if fact.case.root != K::ROOT {
                core.defect("root", &format!("{} would reach {} with a fact of {}", self.name, K::NAME, fact.case));
                return Ok(());
            }
            send(core, &self.desk, self.name, fact, &fact.case, fact.case.number, command).await
        })
    }
}
impl<E: Event, K: Keeping> Reaction for WheneverPool<E, K> {
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
        (self.wish)(&serde_json::from_str(body).ok()?).map(|(_, command)| named(&command))
    }
    fn take<'a>(&'a self, core: &'a Arc<Core>, fact: &'a Fact) -> BoxFuture<'a, Result<(), NotTaken>> {
        Box::pin(async move {
            let Some((number, command)) = (self.wish)(&read::<E>(fact)?) else { return Ok(()) };
            send(core, &self.desk, self.name, fact, &fact.case, number, command).await
        })
    }
}

fn read<E: Event>(fact: &Fact) -> Result<E, NotTaken> {
    serde_json::from_str(&fact.body).map_err(|why| NotTaken::Never(format!("it can not be read: {why}")))
}

/// Sends a policy's command, in that case, with its mark.
pub(crate) async fn send<K: Keeping>(
    core: &Arc<Core>,
    desk: &Arc<Desk<K>>,
    reaction: &str,
    fact: &Fact,
    case: &Case,
    number: u64,
    command: K::Command,
) -> Result<(), NotTaken> {
    // facts of one source and case are numbered in order; where others are heard as well, whose they are is part of the mark
    let mark = if fact.entry || fact.case != *case {
        format!("{reaction}<{}/{}/{}", fact.context, fact.source, fact.number)
    } else {
        format!("{reaction}<{}/{}", fact.context, fact.source)
    };
    let id = fact.id();
    let mut span = core.traces.begin(fact.trace.as_deref(), Deed::Policy, core.context, || format!("policy {reaction}"));
    span.about("jumun.case", case).about("jumun.fact", &id);
    let trace = span.leads(fact.trace.as_ref());
    let wish = Wish {
        number,
        cause: Some(&id),
        trace: trace.as_deref(),
        mark: Some((&mark, fact.version)),
        ..Wish::of_system(case, command)
    };
    match desk.handle(core, wish).await {
        Ok(_) => Ok(()),
        Err(Failure::Refused(no)) => {
            core.defect("policy", &format!("{case}: what {reaction} wants was refused: {no}"));
            Ok(())
        }
        Err(why) => {
            span.failed(true);
            Err(NotTaken::Later(format!("{why:?}")))
        }
    }
}

/// Follows one publisher's journal for one reaction, as long as the context runs.
pub(crate) async fn follow(core: Arc<Core>, reaction: Arc<dyn Reaction>) {
    let (name, publisher) = (reaction.name(), reaction.publisher());
    let mut reader = match Reader::open(&core, name, publisher, reaction.from()).await {
        Some(reader) => reader,
        None => return,
    };
    let mut unsaved = 0;
    loop {
        let facts = if unsaved == 0 {
            reader.next(&core, BATCH).await
        } else {
            // under load the position is saved now and then; as soon as nothing more comes, it is
            match tokio::time::timeout(core.settings.linger, reader.next(&core, BATCH)).await {
                Ok(facts) => facts,
                Err(_) => {
                    reader.save(&core, Vec::new()).await;
                    unsaved = 0;
                    continue;
                }
            }
        };
        let Some(facts) = facts else {
            reader.save(&core, Vec::new()).await;
            return;
        };
        // what a person does about what is set aside comes before or after this batch
        let Some(mut turn) = core.turn_at_last(reaction.reader()).await else { return };
        let last = facts.last().map(|fact| Position { seq: fact.seq, id: fact.id() });
        let mut by_case: BTreeMap<Case, Vec<Fact>> = BTreeMap::new();
        for fact in facts {
            if fact.public || publisher == core.context {
                by_case.entry(fact.case.clone()).or_default().push(fact);
            }
        }
        let (core_, reaction_, parked) = (&core, &reaction, turn.get_or_insert_default());
        let chains = by_case.into_values().map(|facts| {
            let behind = facts.first().is_some_and(|fact| parked.holds(fact));
            one_case(core_, &**reaction_, facts, behind)
        });
        let done: Vec<Option<Vec<Aside>>> = stream::iter(chains).buffer_unordered(AT_ONCE).collect().await;
        let mut asides = Vec::new();
        for aside in done {
            let Some(aside) = aside else { return }; // stopped in the middle: the position stays before it
            aside.iter().for_each(|aside| parked.park(&aside.fact));
            asides.extend(aside);
        }
        reader.position = last.unwrap_or(reader.position);
        unsaved += 1;
        if !asides.is_empty() || unsaved >= SAVED_EVERY {
            if !reader.save(&core, asides).await {
                return;
            }
            unsaved = 0;
        }
        drop(turn);
        linger(&core).await;
    }
}

/// More may come in a moment: then one write serves for all.
pub(crate) async fn linger(core: &Core) {
    or_stopping(&mut core.tasks.stopping(), tokio::time::sleep(core.settings.linger)).await;
}

/// The facts of one case, one after the other; what is to be set aside, or none if the context is to stop first.
async fn one_case(core: &Arc<Core>, reaction: &dyn Reaction, facts: Vec<Fact>, mut behind: bool) -> Option<Vec<Aside>> {
    let mut asides = Vec::new();
    for fact in facts {
        if behind {
            asides.push(core.behind(reaction.name(), fact));
            continue;
        }
        let mut tries = 0;
        let never = loop {
            tries += 1;
            let taken = AssertUnwindSafe(reaction.take(core, &fact)).catch_unwind().await;
            match taken {
                Ok(Ok(())) => break None,
                Ok(Err(NotTaken::Never(why))) => break Some(why),
                Err(_) => break Some("taking it in panicked".to_owned()),
                Ok(Err(NotTaken::Later(why))) => {
                    tracing::debug!(context = core.context, reaction = reaction.name(), case = %fact.case, why, "tried again");
                    let pause = core.settings.backoff.delay(tries, core.chance.draw());
                    if or_stopping(&mut core.tasks.stopping(), tokio::time::sleep(pause)).await {
                        return None;
                    }
                }
            }
        };
        if let Some(why) = never {
            behind = true;
            asides.push(core.aside(reaction.name(), &fact, why));
        }
    }
    Some(asides)
}

/// A reader of one publisher's journal, with its position in the consumer's own store.
pub(crate) struct Reader {
    name: &'static str,
    publisher: &'static str,
    position: Position,
    /// Whether the log was seen to still hold what was read last.
    checked: bool,
}
impl Reader {
    /// Goes on from its position; none if the context is to stop first.
    async fn open(core: &Core, name: &'static str, publisher: &'static str, from: From) -> Option<Self> {
        let mut stopping = core.tasks.stopping();
        loop {
            let opened = async {
                let position = match core.store.position(name, publisher).await? {
                    Some(position) => position,
                    None if from == From::TheFirst => Position::default(),
                    None => {
                        let now = newest(&*opened(&mut core.journals.of(publisher)).await).await?;
                        // durable before anything is read: whoever dies begins here again, and not after what was said meanwhile
                        let positions = vec![(name.to_owned(), publisher.to_owned(), now.clone())];
                        core.store.commit(Change { positions, ..Change::default() }).durably().await?;
                        now
                    }
                };
                Ok::<_, StoreError>(Reader { name, publisher, position, checked: false })
            };
            let mut result = None;
            if or_stopping(&mut stopping, async { result = Some(opened.await) }).await {
                return None;
            }
            match result {
                Some(Ok(reader)) => return Some(reader),
                _ => {
                    if or_stopping(&mut stopping, tokio::time::sleep(Duration::from_millis(200))).await {
                        return None;
                    }
                }
            }
        }
    }

    /// The next facts, as soon as there are some; none if the context is to stop.
    async fn next(&mut self, core: &Core, limit: usize) -> Option<Vec<Fact>> {
        if !self.checked {
            let check = check_log(core, self.name, self.publisher, &self.position);
            if or_stopping(&mut core.tasks.stopping(), check).await {
                return None;
            }
            self.checked = true;
        }
        next_facts(core, self.publisher, self.position.seq, limit).await
    }

    /// Saves how far it has come, after what it led to; false if the context is to stop first. A position alone is not waited for: what
    /// it would spare us after a crash is only what marks leave out anyway. What is set aside is waited for.
    async fn save(&self, core: &Core, asides: Vec<Aside>) -> bool {
        let mut stopping = core.tasks.stopping();
        loop {
            let positions = vec![(self.name.to_owned(), self.publisher.to_owned(), self.position.clone())];
            let saved = core.store.commit(Change { positions, asides: asides.clone(), ..Change::default() });
            if asides.is_empty() || saved.durably().await.is_ok() {
                return true;
            }
            if or_stopping(&mut stopping, tokio::time::sleep(Duration::from_millis(200))).await {
                return false;
            }
        }
    }
}

/// A log that was restored from an older copy no longer holds the fact that was read last: said, and not skipped.
pub(crate) async fn check_log(core: &Core, reader: &str, publisher: &'static str, position: &Position) {
    let journal = opened(&mut core.journals.of(publisher)).await;
    if position.seq > 0
        && let Ok(facts) = journal.tail(position.seq - 1, 1).await
        && facts.first().is_none_or(|fact| fact.id() != position.id)
    {
        let Position { seq, id } = position;
        let read = format!("{reader} has read {publisher} up to number {seq} ({id})");
        core.defect("log", &format!("{read}, but that is not what the journal holds there: was it restored from an older copy?"));
    }
}

async fn newest(journal: &dyn Store) -> Result<Position, StoreError> {
    let seq = *journal.newest_fact().borrow();
    let facts = journal.tail(seq.saturating_sub(1), 1).await?;
    Ok(facts.last().map(|fact| Position { seq: fact.seq, id: fact.id() }).unwrap_or_default())
}

/// The publisher's journal, as soon as it can be read.
async fn opened(journals: &mut watch::Receiver<Option<Arc<dyn Store>>>) -> Arc<dyn Store> {
    loop {
        if let Some(store) = journals.borrow_and_update().clone() {
            return store;
        }
        if journals.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Facts of a publisher numbered above `after`, as soon as there are some; none if the context is to stop.
pub(crate) async fn next_facts(core: &Core, publisher: &'static str, after: u64, limit: usize) -> Option<Vec<Fact>> {
    let mut stopping = core.tasks.stopping();
    let mut found = None;
    let search = async {
        // one receiver all along: a journal that is replaced while it is read is noticed
        let mut journals = core.journals.of(publisher);
        loop {
            let journal = opened(&mut journals).await;
            let mut newest = journal.newest_fact();
            newest.borrow_and_update();
            match journal.tail(after, limit).await {
                Ok(facts) if !facts.is_empty() => {
                    found = Some(facts);
                    return;
                }
                Ok(_) => {
                    let _ =
                        futures_util::future::select(std::pin::pin!(newest.changed()), std::pin::pin!(journals.changed())).await;
                }
                // it was closed under our hands, or does not answer: look again a little later
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    or_stopping(&mut stopping, search).await;
    found
}

/// The occasion on which a fact happened, for those who follow it.
pub(crate) fn occasion<'a>(fact: &'a Fact, by: &'a Caller) -> Occasion<'a> {
    Occasion { case: &fact.case, number: fact.number, at: fact.at, by, cause: None }
}
