//! Commands are handled here: load, decide, evolve, one commit, and every answer only when what it was read from is durable.
mod held;
mod owed;

use crate::{alarms::Alarms, board::named, core::Core, document::json, keeping::Keeping, ports::lock, traces::Deed};
use held::{Held, HeldEntry, Life, Slot, entry_of, load};
use jumun_model::{Caller, Case, Event, Occasion, Refusal, Timestamp};
use jumun_store::{Attempt, Change, Claim, Committing, EntryWrite, Fact, Marks, StoreError};
pub(crate) use owed::Rung;
use std::{
    collections::BTreeMap,
    marker::PhantomData,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};
use tokio::sync::Notify;

/// How many documents of one kind are kept in memory at the most; the lowest numbers go first.
const CACHED: usize = 4_096;
/// How often a command is decided again when other processes move the document, before it is a clear *contended*.
const TRIES: u32 = 8;
/// How a command ends, in metrics and traces.
const OUTCOMES: [&str; 5] = ["done", "refused", "contended", "unavailable", "precondition"];

/// What is wanted, of whom, and why.
pub struct Wish<'a, K: Keeping> {
    /// The aggregate's number.
    pub number: u64,
    /// The case; for a pool another one than the number's own.
    pub case: &'a Case,
    /// On whose behalf.
    pub by: &'a Caller,
    /// The id of the fact that led here.
    pub cause: Option<&'a str>,
    /// The W3C trace.
    pub trace: Option<&'a str>,
    /// What.
    pub command: K::Command,
    /// The reaction and the fact's number, if a fact led here: taken in at most once.
    pub mark: Option<(&'a str, u64)>,
    /// An idempotency key to bind to the case.
    pub claim: Option<Claim>,
    /// Only if the document is at this version.
    pub at_version: Option<u64>,
    /// Only while that try of what is owed has the lease.
    pub at_try: Option<&'a Attempt>,
}
impl<'a, K: Keeping> Wish<'a, K> {
    /// A wish of the platform itself on the case's own aggregate.
    pub const fn of_system(case: &'a Case, command: K::Command) -> Self {
        const SYSTEM: &Caller = &Caller::system();
        let number = case.number;
        Wish {
            number,
            case,
            by: SYSTEM,
            cause: None,
            trace: None,
            command,
            mark: None,
            claim: None,
            at_version: None,
            at_try: None,
        }
    }
}

/// A state that is durable.
pub struct State<K: Keeping> {
    /// The root.
    pub root: Arc<K::Root>,
    /// The entry of the occasion's case.
    pub entry: K::Entry,
    /// How many facts the root has seen; 0 if it is not there.
    pub version: u64,
    /// When the newest of them happened.
    pub at: Timestamp,
    /// Whether it owes an ask that somebody may wait for.
    pub owing: bool,
    /// Whether the wish that this answers led to a fact.
    pub news: bool,
}

/// Why a command was not handled.
#[derive(Debug)]
pub enum Failure<R> {
    /// The rule says no.
    Refused(R),
    /// The document is not at the version that the caller named, or the try that it named has lost the lease.
    Changed,
    /// The idempotency key belongs to this claim.
    Claimed(Claim),
    /// Others changed the document again and again; nothing was done.
    Contended,
    /// The store does not answer; nothing was done.
    Unavailable(String),
}

/// One kind of aggregate or pool at work: its rule, its states in memory, what they owe.
pub struct Desk<K: Keeping> {
    slots: Mutex<BTreeMap<u64, Arc<Slot<K>>>>,
    pub(crate) settings: K::Settings,
    /// By [`jumun_model::Ask::OF`], whom this kind may owe an ask.
    pub(crate) asked: Vec<&'static str>,
    pub(crate) alarms: Alarms,
    counted: OnceLock<[metrics::Counter; 5]>,
}

impl<K: Keeping> Desk<K> {
    pub(crate) fn new(settings: K::Settings) -> Self {
        Desk { slots: Mutex::default(), settings, asked: Vec::new(), alarms: Alarms::default(), counted: OnceLock::new() }
    }

    /// Handles a wish: durable, refused, or not done at all.
    ///
    /// # Errors
    /// See [`Failure`]; with each of them nothing was changed.
    pub async fn handle(self: &Arc<Self>, core: &Arc<Core>, wish: Wish<'_, K>) -> Result<State<K>, Failure<K::Refusal>> {
        let mut span =
            core.traces.begin(wish.trace, Deed::Command, core.context, || format!("{} {}", K::NAME, named(&wish.command)));
        span.about("jumun.case", wish.case);
        let leads = span.place().map(|place| place.to_string());
        let wish = Wish { trace: leads.as_deref().or(wish.trace), ..wish };
        let mut tries = 0;
        loop {
            tries += 1;
            let answer = self.once(core, &wish).await;
            if matches!(answer, Err(Failure::Contended)) && tries < TRIES {
                continue;
            }
            if let Err(Failure::Refused(no)) = &answer {
                core.refused(wish.case, wish.by, wish.cause, named(&wish.command), no.code());
                span.about("jumun.refusal", no.code());
            }
            let outcome = match &answer {
                Ok(_) => 0,
                Err(Failure::Refused(_)) => 1,
                Err(Failure::Contended) => 2,
                Err(Failure::Unavailable(_)) => 3,
                Err(Failure::Changed | Failure::Claimed(_)) => 4,
            };
            self.counted(core.context)[outcome].increment(1);
            let failed = matches!(answer, Err(Failure::Contended | Failure::Unavailable(_)));
            span.about("jumun.outcome", OUTCOMES[outcome]).failed(failed);
            return answer;
        }
    }

    /// Counters of how commands end; looked up once.
    fn counted(&self, context: &'static str) -> &[metrics::Counter; 5] {
        let counter = |outcome| metrics::counter!("jumun_commands_total", "context" => context, "aggregate" => K::NAME, "outcome" => outcome);
        self.counted.get_or_init(|| OUTCOMES.map(counter))
    }

    async fn once(self: &Arc<Self>, core: &Arc<Core>, wish: &Wish<'_, K>) -> Result<State<K>, Failure<K::Refusal>> {
        let slot = self.slot(wish.number);
        let mut guard = slot.held.lock().await;
        let held = load::<K>(&mut guard, core, wish.number).await?;
        let entry = entry_of::<K>(held, core, wish.number, wish.case).await?;
        let taken = wish.mark.is_some_and(|(mark, number)| {
            entry.as_ref().map_or(&held.marks, |entry| &entry.marks).get(mark).is_some_and(|&taken| taken >= number)
        });
        let state = || State::<K> {
            root: Arc::clone(&held.root),
            entry: entry.as_ref().map(|entry| entry.entry.clone()).unwrap_or_default(),
            version: held.version,
            at: held.at,
            owing: held.attempt.is_some(),
            news: false,
        };
        if taken {
            let (state, write) = (state(), held.newest_write());
            drop(guard);
            return self.durably(&slot, write).await.map(|()| state);
        }
        let lost = |tried| !held.attempt.as_ref().is_some_and(|attempt| attempt.is_with(tried));
        if wish.at_version.is_some_and(|version| version != held.version) || wish.at_try.is_some_and(lost) {
            let write = held.newest_write();
            drop(guard);
            return self.durably(&slot, write).await.and(Err(Failure::Changed));
        }
        let at = core.clock.now().max(held.at);
        let on = Occasion { case: wish.case, number: wish.number, at, by: wish.by, cause: wish.cause };
        let mut of_case = entry.as_ref().map(|entry| entry.entry.clone()).unwrap_or_default();
        let facts = match K::decide(&held.root, &of_case, &on, wish.command.clone()) {
            Err(no) => {
                let write = held.newest_write();
                drop(guard);
                return self.durably(&slot, write).await.and(Err(Failure::Refused(no)));
            }
            // nothing to write, unless a mark or a key is to be remembered at something that is there
            Ok(facts) if facts.is_empty() && wish.claim.is_none() && (wish.mark.is_none() || held.revision == 0) => {
                let (state, write) = (state(), held.newest_write());
                drop(guard);
                return self.durably(&slot, write).await.map(|()| state);
            }
            Ok(facts) => facts,
        };

        let (writes_entry, before) = (entry.is_some(), entry.as_ref().map_or(held.version, |entry| entry.version));
        let (mut entry_version, entry_revision, mut entry_marks) =
            entry.map_or((0, 0, Marks::new()), |entry| (entry.version, entry.revision, entry.marks.clone()));
        // out of its place meanwhile: a rule that panics halfway leaves nothing behind
        let mut held = guard.take().expect("loaded above");
        let root = Arc::make_mut(&mut held.root);
        for fact in &facts {
            K::evolve(root, &mut of_case, &on, fact);
        }
        let told = facts.len() as u64;
        let mut change = Change {
            claim: wish.claim.clone(),
            facts: journal::<K>(core.context, wish, at, before, writes_entry, &facts),
            ..Change::default()
        };
        held.version += told;
        if told > 0 {
            held.at = at;
        }
        if let Some((mark, number)) = wish.mark {
            let marks = if writes_entry { &mut entry_marks } else { &mut held.marks };
            marks.insert(mark.to_owned(), number);
        }
        let begun = self.owe(core, &mut held, wish.number, at);
        if writes_entry {
            entry_version += told;
            change.entry = Some(EntryWrite {
                table: K::NAME,
                number: wish.number,
                case: wish.case.clone(),
                expected: entry_revision,
                version: entry_version,
                body: json(&of_case),
                marks: entry_marks.clone(),
            });
            let kept = HeldEntry {
                entry: of_case.clone(),
                version: entry_version,
                revision: entry_revision + 1,
                marks: entry_marks,
                of: PhantomData,
            };
            held.entries.insert(wish.case.clone(), kept);
        }
        change.writes.push(held.write(wish.number));
        held.revision += 1;
        let committing = core.store.commit(change);
        held.last = committing;
        let state = State {
            root: Arc::clone(&held.root),
            entry: of_case,
            version: held.version,
            at: held.at,
            owing: held.attempt.is_some(),
            news: told > 0,
        };
        let ((due, moment), write) = (held.wake_at(), held.newest_write());
        *guard = Some(held);
        drop(guard);

        self.durably(&slot, write).await?;
        slot.moved.notify_waiters();
        self.alarms.set(due, moment);
        if let Some((ask, attempt)) = begun {
            core.tasks.spawn(Arc::clone(self).carry_out(
                Arc::clone(core),
                Case::new(K::ROOT, wish.number),
                ask,
                attempt,
                wish.trace.map(Arc::from),
            ));
        }
        Ok(state)
    }

    /// Waits until a write is durable. If it was not made, forgets the states that were decided upon it, so that the next decides
    /// on what is.
    async fn durably(&self, slot: &Slot<K>, (life, write): (Life, Committing)) -> Result<(), Failure<K::Refusal>> {
        let Err(why) = write.durably().await else { return Ok(()) };
        let mut guard = slot.held.lock().await;
        if guard.as_ref().is_some_and(|held| Arc::ptr_eq(&held.life, &life)) {
            *guard = None;
        }
        Err(why.into())
    }

    /// The durable state now; the default one at version 0 for what is not there.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn state(&self, core: &Core, number: u64) -> Result<State<K>, Failure<K::Refusal>> {
        let mut tries = 0;
        loop {
            tries += 1;
            let slot = self.slot(number);
            let mut guard = slot.held.lock().await;
            let held = load::<K>(&mut guard, core, number).await?;
            let write = held.newest_write();
            let state = State {
                root: Arc::clone(&held.root),
                entry: K::Entry::default(),
                version: held.version,
                at: held.at,
                owing: held.attempt.is_some(),
                news: false,
            };
            drop(guard);
            match self.durably(&slot, write).await {
                Ok(()) => return Ok(state),
                Err(Failure::Contended) if tries < TRIES => {}
                Err(why) => return Err(why),
            }
        }
    }

    /// Whether clients see it. A *yes* may be of a state that is not durable yet: for those who go on to [`Desk::handle`], which waits.
    ///
    /// # Errors
    /// The store does not answer.
    pub(crate) async fn shows(&self, core: &Core, number: u64) -> Result<bool, Failure<K::Refusal>> {
        let listed = |root: &K::Root, version| version > 0 && K::listed(root);
        let slot = self.slot(number);
        let held = load::<K>(&mut *slot.held.lock().await, core, number).await.map(|held| listed(&held.root, held.version))?;
        if held {
            return Ok(true);
        }
        let state = self.state(core, number).await?;
        Ok(listed(&state.root, state.version))
    }

    /// The state once it owes no ask any more, or as it is after `patience`.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn settled(&self, core: &Core, number: u64, patience: Duration) -> Result<State<K>, Failure<K::Refusal>> {
        let slot = self.slot(number); // held on to, so that its bell is the one that rings
        let until = core.clock.elapsed() + patience;
        loop {
            let mut moved = std::pin::pin!(slot.moved.notified());
            moved.as_mut().enable();
            let state = self.state(core, number).await?;
            let left = until.saturating_sub(core.clock.elapsed());
            if !state.owing || left.is_zero() {
                return Ok(state);
            }
            let _ = tokio::time::timeout(left, moved).await; // either way, look again
        }
    }

    /// What a wish would lead to: whether the rule would do something. Nothing is committed by looking.
    pub fn would(&self, core: &Core, state: &State<K>, case: &Case, by: &Caller, command: K::Command) -> bool {
        let at = core.clock.now().max(state.at);
        let on = Occasion { case, number: case.number, at, by, cause: None };
        K::decide(&state.root, &state.entry, &on, command).is_ok_and(|facts| !facts.is_empty())
    }

    /// Of a number that was just reserved: nothing is there, and nobody needs to look.
    pub(crate) fn fresh(&self, number: u64) {
        if let Ok(mut held) = self.slot(number).held.try_lock() {
            held.get_or_insert_with(Held::absent);
        }
    }

    pub(crate) fn forget(&self) {
        lock(&self.slots).clear();
    }

    fn slot(&self, number: u64) -> Arc<Slot<K>> {
        let mut slots = lock(&self.slots);
        if slots.len() >= CACHED && !slots.contains_key(&number) {
            // what nobody is at goes, oldest cases first; a part at a time, so that no command pays for all
            let idle: Vec<u64> = slots
                .iter()
                .filter(|(_, slot)| Arc::strong_count(slot) == 1)
                .map(|(&number, _)| number)
                .take(CACHED / 8)
                .collect();
            for number in idle {
                slots.remove(&number);
            }
        }
        Arc::clone(
            slots.entry(number).or_insert_with(|| Arc::new(Slot { held: tokio::sync::Mutex::new(None), moved: Notify::new() })),
        )
    }
}

impl<R> From<StoreError> for Failure<R> {
    fn from(why: StoreError) -> Self {
        match why {
            StoreError::Contended => Failure::Contended,
            StoreError::Claimed(claim) => Failure::Claimed(claim),
            why @ (StoreError::Unavailable(_) | StoreError::Damaged(_)) => Failure::Unavailable(why.to_string()),
        }
    }
}

fn journal<K: Keeping>(
    context: &'static str,
    wish: &Wish<'_, K>,
    at: Timestamp,
    before: u64,
    entry: bool,
    facts: &[K::Event],
) -> Vec<Fact> {
    let fact = |(index, event): (usize, &K::Event)| Fact {
        seq: 0,
        context: Arc::from(context),
        source: Arc::from(K::NAME),
        number: wish.number,
        entry,
        version: before + 1 + index as u64,
        case: wish.case.clone(),
        name: Arc::from(event.name()),
        public: event.is_public(),
        at,
        by: Arc::from(wish.by.name.as_ref()),
        cause: wish.cause.map(Arc::from),
        trace: wish.trace.map(Arc::from),
        body: json(event),
    };
    facts.iter().enumerate().map(fact).collect()
}
