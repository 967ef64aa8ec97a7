//! A whole system in one thread: memory stores, a paused clock, a seed.
use crate::{
    pilot::{Pilot, Plan},
    steered::Steered,
    wire::Wire,
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Either, select},
};
use jumun_model::{Caller, Case, Timestamp};
use jumun_runtime::{
    Chance, Clock, Context, Core, Neighbourhood, Running, Settings, Surroundings, System, TokioClock, Transport,
    door::{Call, Collection, Problem, Reply, Shape, Verb},
};
use jumun_store::{Document, Entry, Fact, MemoryDisk, MemoryStore, Query, Store, Waiting};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::sync::watch;

/// The life of a context between its start and its death.
pub(crate) struct Life {
    pub(crate) context: &'static str,
    over: watch::Sender<bool>,
    world: Weak<Inner>,
}
impl Life {
    pub(crate) fn is_over(&self) -> bool {
        *self.over.borrow()
    }
    /// It dies here and now, and comes back a little later.
    pub(crate) fn end(&self) {
        if !self.over.send_replace(true)
            && let Some(world) = self.world.upgrade()
        {
            world.died(self.context);
        }
    }
    async fn ended(&self) {
        let _ = self.over.subscribe().wait_for(|over| *over).await;
    }
}

struct Alive {
    life: Arc<Life>,
    store: MemoryStore,
    running: Option<Running>,
}

struct Inner {
    contexts: BTreeMap<&'static str, Arc<Context>>,
    order: Vec<&'static str>,
    disks: Mutex<BTreeMap<&'static str, MemoryDisk>>,
    alive: Mutex<BTreeMap<&'static str, Alive>>,
    around: Neighbourhood,
    pilot: Arc<Pilot>,
    me: Weak<Inner>,
}

/// The context is not there, or died before it answered: nobody knows what became of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// A whole system, one thread, one seed. Needs a runtime whose clock is paused, such as [`crate::paused`] or
/// `#[tokio::test(start_paused = true)]`.
#[derive(Clone)]
pub struct World(Arc<Inner>);

/// After so long without any movement, a reader that seems to lag has only lost its last position.
const SILENCE: Duration = Duration::from_secs(60);
/// Where a world begins: nothing about it differs from run to run.
const BEGIN: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// A calm world with everything running.
    pub async fn up(seed: u64, build: impl FnOnce(&Surroundings<'_>) -> System) -> Self {
        let world = World::of(seed, Plan::Calm, Settings::default(), build);
        world.start_all().await;
        world
    }
    /// With everything stopped.
    ///
    /// # Panics
    /// If the system does not hold together.
    pub fn of(seed: u64, plan: Plan, settings: Settings, build: impl FnOnce(&Surroundings<'_>) -> System) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::at(BEGIN));
        let chance = Arc::new(Chance::seeded(seed));
        let system = build(&Surroundings { data: None, clock: Arc::clone(&clock), chance: Arc::clone(&chance) });
        assert_eq!(system.check(), [], "{} does not hold together", system.name);
        let around = Neighbourhood::of(&system, Arc::clone(&clock), chance, settings);
        let order: Vec<_> = system.contexts.iter().map(|context| context.name).collect();
        World(Arc::new_cyclic(|me| Inner {
            contexts: system.contexts.into_iter().map(|context| (context.name, Arc::new(context))).collect(),
            disks: Mutex::new(order.iter().map(|&name| (name, MemoryDisk::new())).collect()),
            order,
            alive: Mutex::default(),
            around,
            pilot: Arc::new(Pilot::new(seed, plan, clock)),
            me: me.clone(),
        }))
    }
    pub(crate) fn pilot(&self) -> &Pilot {
        &self.0.pilot
    }

    /// The contexts, in the system's order.
    pub fn contexts(&self) -> &[&'static str] {
        &self.0.order
    }
    /// What time it is there.
    pub fn now(&self) -> Timestamp {
        self.0.around.clock.now()
    }
    /// A number from 0 up to but without `end`, from the seed.
    pub fn below(&self, end: u64) -> u64 {
        self.0.pilot.below(end)
    }
    /// A line in the trace.
    pub fn note(&self, what: &str) {
        self.0.pilot.note(format_args!("{what}"));
    }

    /// Starts everything that is not running.
    pub async fn start_all(&self) {
        for &name in self.contexts() {
            self.start(name).await;
        }
    }
    /// Starts a context; resolves when it runs, however often it dies while it starts.
    pub async fn start(&self, name: &'static str) {
        self.0.start(name).await;
        while !self.is_up(name) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    /// Stops a context as an operator does: it finishes what it is at.
    pub async fn stop(&self, name: &'static str) {
        let Some(Alive { life, running: Some(running), .. }) = lock(&self.0.alive).remove(name) else { return };
        let stopped = pin!(running.stop());
        select(pin!(life.ended()), stopped).await;
        life.over.send_replace(true);
    }
    /// Kills a context as `kill -9` does; it stays dead until it is started.
    pub fn kill(&self, name: &'static str) {
        self.0.kill(name);
    }
    /// Kills a context and starts it again.
    pub async fn restart(&self, name: &'static str) {
        self.kill(name);
        self.start(name).await;
    }
    /// Whether a context runs.
    pub fn is_up(&self, name: &str) -> bool {
        lock(&self.0.alive).get(name).is_some_and(|alive| alive.running.is_some())
    }
    /// Kills a context that keeps nothing but views, forgets all that it has, and starts it: its views are rebuilt from the first fact.
    ///
    /// # Panics
    /// If it keeps anything else: that can not be rebuilt.
    pub async fn rebuild(&self, name: &'static str) {
        assert!(self.0.contexts[name].only_shows(), "{name} keeps more than views");
        self.kill(name);
        lock(&self.0.disks).insert(name, MemoryDisk::new());
        self.start(name).await;
    }

    fn door(&self, path: &str) -> Result<(Arc<Life>, Arc<Core>, Arc<dyn Collection>), Gone> {
        let owner = self.0.contexts.values().find(|context| context.doors().iter().any(|door| door.path() == path));
        let owner = owner.unwrap_or_else(|| panic!("no context of the system has {path}"));
        let alive = lock(&self.0.alive);
        let Some(Alive { life, running: Some(running), .. }) = alive.get(owner.name) else { return Err(Gone) };
        let door = running.doors().iter().find(|door| door.path() == path).ok_or(Gone)?;
        Ok((Arc::clone(life), Arc::clone(&running.core), Arc::clone(door)))
    }
    /// A call at a door.
    ///
    /// # Errors
    /// The context is not there, or dies before it answers.
    ///
    /// # Panics
    /// If that door has no such line.
    pub async fn call(&self, path: &str, verb: Verb, call: Call) -> Result<Result<Reply, Problem>, Gone> {
        let (life, core, door) = self.door(path)?;
        let line = door.lines().iter().position(|line| line.verb == verb).unwrap_or_else(|| panic!("{path} has no {verb:?}"));
        self.0.pilot.note(format_args!("{path} {verb:?} {:?} {} {:?}", call.number, call.body, call.key));
        match select(pin!(life.ended()), door.call(&core, line, call)).await {
            Either::Left(_) => Err(Gone),
            Either::Right((answer, _)) => Ok(answer),
        }
    }
    /// Opens a new one.
    ///
    /// # Panics
    /// If the context is gone.
    pub async fn post(&self, path: &str, body: Value) -> Result<Reply, Problem> {
        self.call(path, Verb::Open, call(None, body)).await.expect("the context runs")
    }
    /// A named command on one.
    ///
    /// # Panics
    /// If the context is gone.
    pub async fn put(&self, path: &str, number: u64, command: &'static str) -> Result<Reply, Problem> {
        self.call(path, Verb::Command(command), call(Some(number), Value::Null)).await.expect("the context runs")
    }
    /// A change of fields.
    ///
    /// # Panics
    /// If the context is gone.
    pub async fn patch(&self, path: &str, number: u64, body: Value) -> Result<Reply, Problem> {
        self.call(path, Verb::Edit, call(Some(number), body)).await.expect("the context runs")
    }
    /// One row as clients see it; null if there is none, or nobody who could say.
    pub async fn get(&self, path: &str, number: u64) -> Value {
        let Ok((_, core, door)) = self.door(path) else { return Value::Null };
        door.item(&core, number, &someone()).await.map_or(Value::Null, |shape| Value::Object(shape.body))
    }
    /// All rows as clients see them.
    ///
    /// # Panics
    /// If the context is gone, or its store does not answer.
    pub async fn rows(&self, path: &str) -> Vec<Value> {
        let (_, core, door) = self.door(path).expect("the context runs");
        let query = Query { limit: u64::MAX, ..Query::default() };
        let part = door.list(&core, &query, &someone()).await.expect("the store answers");
        part.rows.into_iter().map(|shape| Value::Object(shape.body)).collect()
    }
    /// The rows written after `seq`, as a reader of the stream sees them.
    ///
    /// # Errors
    /// The context is not there, or dies before it answers.
    pub async fn changed(&self, path: &str, seq: u64) -> Result<Vec<Shape>, Gone> {
        let (life, core, door) = self.door(path)?;
        let by = someone();
        match select(pin!(life.ended()), door.changed(&core, seq, &by)).await {
            Either::Right((Ok(news), _)) => Ok(news.rows),
            Either::Left(_) | Either::Right((Err(_), _)) => Err(Gone),
        }
    }
    /// Reads the store of a context that runs, as operators and probes do.
    ///
    /// # Errors
    /// The context is not there, or dies before it answers.
    pub async fn look<T>(&self, context: &str, read: impl for<'a> FnOnce(&'a dyn Store) -> Waiting<'a, T>) -> Result<T, Gone> {
        let (life, store) = match lock(&self.0.alive).get(context) {
            Some(Alive { life, running: Some(running), .. }) => (Arc::clone(life), Arc::clone(&running.core.store)),
            _ => return Err(Gone),
        };
        let read = read(&*store);
        match select(pin!(life.ended()), read).await {
            Either::Right((Ok(found), _)) => Ok(found),
            Either::Left(_) | Either::Right((Err(_), _)) => Err(Gone),
        }
    }
    /// The commands that a row offers now.
    pub async fn links(&self, path: &str, number: u64) -> Vec<&'static str> {
        let Ok((_, core, door)) = self.door(path) else { return Vec::new() };
        door.item(&core, number, &someone()).await.map(|shape| shape.links).unwrap_or_default()
    }

    /// What is durable in a context's store, whether it runs or not. Nobody steers these reads.
    fn disk<T>(&self, context: &'static str, read: impl for<'a> FnOnce(&'a MemoryStore) -> Waiting<'a, T>) -> T {
        let alive = lock(&self.0.alive).get(context).map(|alive| alive.store.clone());
        let store = alive.unwrap_or_else(|| {
            let disk = lock(&self.0.disks)[context].clone();
            MemoryStore::open(&disk, self.0.contexts[context].layout()).expect("memory opens")
        });
        read(&store).now_or_never().expect("memory answers at once").expect("memory answers")
    }
    /// The tables of a context's store.
    pub fn tables(&self, context: &str) -> Vec<&'static str> {
        self.0.contexts[context].layout().into_iter().map(|table| table.name).collect()
    }
    /// The tables of a context whose rows have the numbers of cases.
    pub(crate) fn of_cases(&self, context: &str) -> Vec<&'static str> {
        self.0.contexts[context].doors().iter().filter(|door| door.root().is_some()).map(|door| door.of()).collect()
    }
    /// The durable documents of a table, those that are not listed too.
    pub fn documents(&self, context: &'static str, table: &'static str) -> Vec<Document> {
        let query = Query { limit: u64::MAX, unlisted: true, ..Query::default() };
        self.disk(context, |store| {
            let found = store.find(table, &query).now_or_never().expect("memory answers at once");
            Box::pin(std::future::ready(found))
        })
        .rows
    }
    /// The durable bodies of a table, by number.
    pub fn bodies(&self, context: &'static str, table: &'static str) -> BTreeMap<u64, Value> {
        let body = |document: Document| (document.number, serde_json::from_str(&document.body).expect("a document is JSON"));
        self.documents(context, table).into_iter().map(body).collect()
    }
    /// What a case holds of a pool.
    pub fn entry(&self, context: &'static str, pool: &'static str, number: u64, case: &Case) -> Option<Entry> {
        self.disk(context, |store| {
            let found = store.load_entry(pool, number, case).now_or_never().expect("memory answers at once");
            Box::pin(std::future::ready(found))
        })
    }
    /// All that a context ever said.
    pub fn journal(&self, context: &'static str) -> Vec<Fact> {
        self.disk(context, |store| store.tail(0, usize::MAX))
    }
    /// The names of the facts of one case, context by context.
    pub fn story(&self, case: &str) -> Vec<String> {
        let facts = self.contexts().iter().flat_map(|context| self.journal(context));
        facts.filter(|fact| fact.case.to_string() == case).map(|fact| format!("{} {}", fact.context, fact.name)).collect()
    }

    /// Waits until nothing is owed, nothing is due and nobody lags behind; no more than ten minutes on the world's clock.
    ///
    /// # Panics
    /// With what is still open then.
    pub async fn settle(&self) {
        if let Err(open) = self.settled_within(Duration::from_secs(600)).await {
            panic!("the system does not settle:\n- {}", open.join("\n- "));
        }
    }
    /// As [`World::settle`], with a deadline of the caller's.
    ///
    /// A position is saved without being waited for, and may be lost while nothing else is. So a reader that seems to lag is waited
    /// for only as long as anything moves: a minute of silence is enough.
    ///
    /// # Errors
    /// What is still open then.
    pub async fn settled_within(&self, patience: Duration) -> Result<(), Vec<String>> {
        let until = self.now() + patience;
        let mut pause = Duration::from_millis(1);
        let (mut quiet, mut lag, mut since) = (0, Vec::new(), self.now());
        loop {
            let (mut open, lagging) = (self.owed(), self.lagging());
            if lagging != lag {
                (lag, since) = (lagging, self.now());
            }
            quiet = if open.is_empty() && lag.is_empty() { quiet + 1 } else { 0 };
            // twice in a row: what was decided at the first look is durable at the second
            if quiet == 2 || open.is_empty() && self.now().since(since) >= SILENCE {
                return Ok(());
            }
            if self.now() >= until {
                open.extend(lag);
                return Err(open);
            }
            tokio::time::sleep(pause).await;
            pause = if quiet > 0 { Duration::from_millis(10) } else { (pause * 2).min(Duration::from_millis(200)) };
        }
    }
    /// Who does not run, what is owed, and what is due. What is set aside is not here: it waits for a person.
    pub fn owed(&self) -> Vec<String> {
        let mut open = Vec::new();
        for &name in self.contexts() {
            if !self.is_up(name) {
                open.push(format!("{name} does not run"));
                continue;
            }
            for table in self.tables(name) {
                for document in self.documents(name, table) {
                    if let Some(attempt) = document.attempt {
                        open.push(format!(
                            "{table}/{} owes {} of {} ({} tries)",
                            document.number, attempt.step, attempt.of, attempt.tries
                        ));
                    }
                    if document.moment.is_some_and(|moment| moment <= self.now()) {
                        open.push(format!("the moment of {table}/{} has come", document.number));
                    }
                }
            }
        }
        open
    }
    /// Who has not read to the end of whom it follows, as far as the saved positions say.
    pub fn lagging(&self) -> Vec<String> {
        let mut lag = Vec::new();
        for &name in self.contexts() {
            for arrow in self.0.contexts[name].arrows() {
                let newest = self.journal(arrow.from).len() as u64;
                let read = self.disk(name, |store| {
                    let position = store.position(arrow.name, arrow.from).now_or_never().expect("memory answers at once");
                    Box::pin(std::future::ready(position))
                });
                let read = read.map_or(0, |position| position.seq);
                if read < newest {
                    lag.push(format!("{} of {name} has read {read} of {newest} facts of {}", arrow.name, arrow.from));
                }
            }
        }
        lag
    }
    /// What is set aside, by context.
    pub fn set_aside(&self) -> Vec<String> {
        let of = |&name: &&'static str| {
            let asides = self.disk(name, |store| store.asides());
            asides
                .into_iter()
                .map(move |aside| format!("{name}: {} set {} aside: {}", aside.reader, aside.fact.id(), aside.why))
                .collect::<Vec<_>>()
        };
        self.contexts().iter().flat_map(of).collect()
    }
}

impl Inner {
    fn start<'a>(&'a self, name: &'static str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if lock(&self.alive).contains_key(name) {
                return;
            }
            let context = Arc::clone(&self.contexts[name]);
            let disk = lock(&self.disks)[name].clone();
            let pilot = Arc::clone(&self.pilot);
            let store =
                MemoryStore::open(&disk, context.layout()).expect("memory opens").syncing_after(Arc::new(move || pilot.sync()));
            let life = Arc::new(Life { context: name, over: watch::Sender::new(false), world: self.me.clone() });
            lock(&self.alive).insert(name, Alive { life: Arc::clone(&life), store: store.clone(), running: None });
            self.pilot.note(format_args!("{name} starts"));
            let (hub, providers) = (Arc::clone(&self.around.hub), Arc::new(self.around.providers.clone()));
            let wire = Wire { hub, life: Arc::clone(&life), pilot: Arc::clone(&self.pilot), providers };
            let around = Neighbourhood { transport: Arc::new(wire) as Arc<dyn Transport>, ..self.around.clone() };
            let steered = Arc::new(Steered::new(store, Arc::clone(&life), Arc::clone(&self.pilot)));
            let starting = pin!(Running::start(context, steered, &around));
            match select(pin!(life.ended()), starting).await {
                Either::Left(_) => {} // whoever died is started again by its death
                Either::Right((Err(_), _)) => life.end(),
                Either::Right((Ok(running), _)) => {
                    let mut alive = lock(&self.alive);
                    match alive.get_mut(name).filter(|alive| Arc::ptr_eq(&alive.life, &life)) {
                        Some(alive) => alive.running = Some(running),
                        None => running.kill(),
                    }
                }
            }
        })
    }
    fn kill(&self, name: &'static str) {
        let Some(Alive { life, store, running }) = lock(&self.alive).remove(name) else { return };
        life.over.send_replace(true);
        store.crash();
        if let Some(running) = running {
            running.kill();
        }
        self.pilot.note(format_args!("{name} is dead"));
    }
    fn died(&self, name: &'static str) {
        self.kill(name);
        let (pause, me) = (self.pilot.pause(), self.me.clone());
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            if let Some(world) = me.upgrade() {
                world.start(name).await;
            }
        });
    }
}

/// A caller without a role.
pub fn someone() -> Caller {
    Caller { name: "someone".into(), roles: Vec::new() }
}
/// A call of [`someone`].
pub fn call(number: Option<u64>, body: Value) -> Call {
    Call { number, body, by: someone(), key: None, at_version: None, trace: None }
}
/// The row of an answer, whichever it is.
pub fn shape(reply: Reply) -> Shape {
    match reply {
        Reply::Opened(shape) | Reply::Done(shape) | Reply::NotYet(shape) => shape,
    }
}
