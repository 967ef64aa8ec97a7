//! The toys on memory stores and a paused clock, with a wire between them that tests steer.
use super::{
    tallies,
    toys::{booking, clinic, diary, gazette, page},
};
use crate::{
    Asked, Chance, Clock, Context, Hub, Neighbourhood, Running, Settings, System, TokioClock, Transport, Unanswered,
    door::{Call, Collection, Problem, Reply, Shape, Verb},
    ports::lock,
};
use futures_util::future::BoxFuture;
use jumun_model::{Caller, Timestamp};
use jumun_store::{Fact, MemoryDisk, MemoryStore, Query, Store};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// What becomes of an ask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Line {
    /// It arrives and is answered.
    Through,
    /// It arrives and is answered after that long.
    Slow(Duration),
    /// Nobody takes it.
    Refused,
    /// It gets lost, and nobody says so.
    Silent,
    /// It arrives, and its answer gets lost.
    Swallowed,
}
/// The wire between the toys.
pub(super) struct Wire {
    hub: Arc<Hub>,
    clock: Arc<dyn Clock>,
    line: Mutex<Line>,
    sent: Mutex<Vec<(Timestamp, String)>>,
}
impl Wire {
    pub(super) fn is(&self, line: Line) {
        *lock(&self.line) = line;
    }
    /// What was sent so far: when, and under which key.
    pub(super) fn sent(&self) -> Vec<(Timestamp, String)> {
        lock(&self.sent).clone()
    }
}
impl Transport for Wire {
    fn send(&self, asked: Asked) -> BoxFuture<'static, Result<Value, Unanswered>> {
        let line = *lock(&self.line);
        if line == Line::Refused {
            return Box::pin(std::future::ready(Err(Unanswered::NotSent("refused by the test".to_owned()))));
        }
        lock(&self.sent).push((self.clock.now(), asked.key.clone()));
        let hub = Arc::clone(&self.hub);
        Box::pin(async move {
            match line {
                Line::Through | Line::Refused => hub.send(asked).await,
                Line::Slow(pause) => {
                    tokio::time::sleep(pause).await;
                    hub.send(asked).await
                }
                Line::Silent => std::future::pending().await,
                Line::Swallowed => {
                    let _ = hub.send(asked).await;
                    std::future::pending().await
                }
            }
        })
    }
}

pub(super) struct Rig {
    contexts: BTreeMap<&'static str, Arc<Context>>,
    disks: BTreeMap<&'static str, MemoryDisk>,
    stores: BTreeMap<&'static str, MemoryStore>,
    running: BTreeMap<&'static str, Running>,
    around: Neighbourhood,
    pub(super) wire: Arc<Wire>,
    /// How long a store takes to make a group durable.
    pub(super) sync: Option<Duration>,
}

impl Rig {
    /// With everything stopped.
    pub(super) fn stopped(toy: booking::Settings, settings: Settings) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::at(Timestamp::EPOCH));
        let contexts = vec![
            clinic::context(),
            booking::context(toy),
            diary::context(),
            page::context(),
            gazette::context(),
            tallies::context(),
        ];
        let system = System { name: "toys", topic: "toys", contexts, providers: Vec::new() };
        assert_eq!(system.check(), []);
        let mut around = Neighbourhood::of(&system, Arc::clone(&clock), Arc::new(Chance::seeded(7)), settings);
        let hub = Arc::clone(&around.hub);
        let wire = Arc::new(Wire { hub, clock, line: Mutex::new(Line::Through), sent: Mutex::default() });
        around.transport = Arc::clone(&wire) as Arc<dyn Transport>;
        let contexts: BTreeMap<_, _> = system.contexts.into_iter().map(|context| (context.name, Arc::new(context))).collect();
        let disks = contexts.keys().map(|&name| (name, MemoryDisk::new())).collect();
        Rig { contexts, disks, stores: BTreeMap::new(), running: BTreeMap::new(), around, wire, sync: None }
    }
    /// With everything running but the gazette and the census, which come later.
    pub(super) async fn up(toy: booking::Settings) -> Self {
        let mut rig = Rig::stopped(toy, Settings::default());
        for name in ["clinic", "booking", "diary", "page"] {
            rig.start(name).await;
        }
        rig
    }
    pub(super) async fn start(&mut self, name: &'static str) {
        let context = &self.contexts[name];
        let mut store = MemoryStore::open(&self.disks[name], context.layout()).unwrap();
        if let Some(sync) = self.sync {
            store = store.syncing_after(Arc::new(move || sync));
        }
        let running = Running::start(Arc::clone(context), Arc::new(store.clone()), &self.around).await.unwrap();
        self.stores.insert(name, store);
        self.running.insert(name, running);
    }
    /// To be looked at and mended.
    pub(super) fn rest(&mut self, name: &'static str) {
        let context = &self.contexts[name];
        let store = MemoryStore::open(&self.disks[name], context.layout()).unwrap();
        let running = Running::at_rest(Arc::clone(context), Arc::new(store.clone()), &self.around);
        self.stores.insert(name, store);
        self.running.insert(name, running);
    }
    /// As a dying process does: what is not durable is lost.
    pub(super) fn kill(&mut self, name: &'static str) {
        self.stores[name].crash();
        self.running.remove(name).unwrap().kill();
    }
    pub(super) async fn stop(&mut self, name: &'static str) {
        self.running.remove(name).unwrap().stop().await.unwrap();
    }
    /// A disk that never saw anything.
    pub(super) fn wipe(&mut self, name: &'static str) {
        self.disks.insert(name, MemoryDisk::new());
    }
    pub(super) fn running(&self, name: &'static str) -> &Running {
        &self.running[name]
    }
    pub(super) fn store(&self, name: &'static str) -> &MemoryStore {
        &self.stores[name]
    }
    /// What is durable there, whether it runs or not.
    pub(super) fn disk(&self, name: &'static str) -> MemoryStore {
        assert!(!self.running.contains_key(name), "{name} still runs");
        MemoryStore::open(&self.disks[name], self.contexts[name].layout()).unwrap()
    }
    pub(super) fn now(&self) -> Timestamp {
        self.around.clock.now()
    }

    fn door(&self, path: &str) -> (&Running, Arc<dyn Collection>) {
        let found = self.running.values().find_map(|r| Some((r, r.doors().iter().find(|door| door.path() == path)?)));
        let (running, door) = found.unwrap_or_else(|| panic!("nobody serves {path}"));
        (running, Arc::clone(door))
    }
    /// A call at a door: on its own, so that many can be under way.
    pub(super) fn calling(
        &self,
        path: &str,
        verb: Verb,
        call: Call,
    ) -> impl Future<Output = Result<Reply, Problem>> + Send + 'static {
        let (running, door) = self.door(path);
        let core = Arc::clone(&running.core);
        let line = door.lines().iter().position(|line| line.verb == verb).unwrap();
        async move { door.call(&core, line, call).await }
    }
    pub(super) async fn post(&self, path: &str, body: Value) -> Result<Reply, Problem> {
        self.calling(path, Verb::Open, call(None, body)).await
    }
    pub(super) async fn put(&self, path: &str, number: u64, command: &'static str) -> Result<Reply, Problem> {
        self.calling(path, Verb::Command(command), call(Some(number), Value::Null)).await
    }
    pub(super) async fn patch(&self, path: &str, number: u64, body: Value) -> Result<Reply, Problem> {
        self.calling(path, Verb::Edit, call(Some(number), body)).await
    }
    pub(super) async fn get(&self, path: &str, number: u64) -> Value {
        let (running, door) = self.door(path);
        door.item(&running.core, number, &someone()).await.map(|shape| Value::Object(shape.body)).unwrap_or(Value::Null)
    }
    pub(super) async fn rows(&self, path: &str) -> Vec<Value> {
        let (running, door) = self.door(path);
        let query = Query { limit: u64::MAX, ..Query::default() };
        let part = door.list(&running.core, &query, &someone()).await.unwrap();
        part.rows.into_iter().map(|shape| Value::Object(shape.body)).collect()
    }
    /// A clinic with that many seats; its number.
    pub(super) async fn clinic(&self, capacity: u64) -> u64 {
        shape(self.post("/clinics", json!({ "capacity": capacity })).await).number
    }
    pub(super) async fn book(&self, clinic: u64) -> Result<Reply, Problem> {
        self.post("/bookings", json!({ "clinicId": clinic })).await
    }
    /// As soon as that reader has read all that was said there.
    pub(super) async fn has_read(&self, context: &'static str, reader: &str, publisher: &'static str) {
        let newest = self.facts(publisher).await.len() as u64;
        let position = async || self.store(context).position(reader, publisher).await.unwrap().map_or(0, |it| it.seq);
        until_is("all is read", newest, position).await;
    }
    /// The facts of that context, which runs, by case and name.
    pub(super) async fn facts(&self, context: &'static str) -> Vec<Fact> {
        self.stores[context].tail(0, usize::MAX).await.unwrap()
    }
}

pub(super) fn someone() -> Caller {
    Caller { name: "someone".into(), roles: Vec::new() }
}
pub(super) fn call(number: Option<u64>, body: Value) -> Call {
    Call { number, body, by: someone(), key: None, at_version: None, trace: None }
}
pub(super) fn shape(reply: Result<Reply, Problem>) -> Shape {
    match reply.unwrap() {
        Reply::Opened(shape) | Reply::Done(shape) | Reply::NotYet(shape) => shape,
    }
}
pub(super) fn said(facts: &[Fact]) -> Vec<String> {
    facts.iter().map(|fact| format!("{} {}", fact.case, fact.name)).collect()
}

/// Waits until `look` finds something: a condition with a deadline on the paused clock, never a pause.
pub(super) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..200_000 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("waited in vain: {what}");
}
pub(super) async fn until_is<T: PartialEq + std::fmt::Debug>(what: &str, wanted: T, mut look: impl AsyncFnMut() -> T) {
    let mut last = None;
    for _ in 0..200_000 {
        let found = look().await;
        if found == wanted {
            return;
        }
        last = Some(found);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{what}: waited in vain for {wanted:?}, it stays {last:?}");
}
