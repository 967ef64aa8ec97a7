//! A whole system that a test runs through: memory stores, a paused clock, real requests at real doors, and lines that can be bad.
use axum::{Router, body::Body, http::Request};
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use jumun_http::{Access, BodyLimit, House, Phrases, router};
use jumun_model::{Case, Timestamp};
use jumun_runtime::{
    Asked, Chance, Context, Hub, Neighbourhood, Running, Settings, System, TokioClock, Transport, Unanswered,
    traces::{Spans, Traces},
};
use jumun_store::{Fact, MemoryDisk, MemoryStore, Store};
use serde_json::Value;
use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::sleep};
use tower::ServiceExt;

/// 2026-12-31, a second before the year is over in UTC: when a town opens.
pub const NEW_YEARS_EVE: Timestamp = Timestamp::from_millis(1_798_761_599_000);
/// How long anything may take to come true, on the town's own clock.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(10);

/// What becomes of an ask.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub enum Line {
    /// It arrives, and is answered.
    #[default]
    Through,
    /// It is on its way for that long, whether anybody still waits for it or not, and is answered then.
    Slow(Duration),
    /// It arrives and is carried out; the answer is on its way for that long.
    Late(Duration),
    /// It gets lost, and nobody says so.
    Lost,
    /// It arrives and is carried out; the answer gets lost.
    Unheard,
}

/// The lines to those who are asked.
struct Lines {
    hub: Arc<Hub>,
    to: Mutex<BTreeMap<&'static str, Line>>,
}
impl Lines {
    fn to(&self, of: &str) -> Line {
        self.to.lock().unwrap_or_else(PoisonError::into_inner).get(of).copied().unwrap_or_default()
    }
}
impl Transport for Lines {
    fn send(&self, asked: Asked) -> BoxFuture<'static, Result<Value, Unanswered>> {
        let (hub, line) = (Arc::clone(&self.hub), self.to(asked.of));
        Box::pin(async move {
            match line {
                Line::Through => hub.send(asked).await,
                Line::Slow(takes) => {
                    // on its way by itself: it arrives even if whoever asked has given it up by then
                    let on_its_way = tokio::spawn(async move {
                        sleep(takes).await;
                        hub.send(asked).await
                    });
                    on_its_way.await.unwrap_or_else(|why| Err(Unanswered::Unknown(why.to_string())))
                }
                Line::Late(takes) => {
                    let answer = hub.send(asked).await;
                    sleep(takes).await;
                    answer
                }
                Line::Lost => std::future::pending().await,
                Line::Unheard => {
                    let _ = hub.send(asked).await;
                    std::future::pending().await
                }
            }
        })
    }
}

struct Up {
    running: Rc<Running>,
    store: MemoryStore,
    router: Router,
}

/// A system in which each context can be started, stopped and killed by itself.
pub struct Town {
    name: &'static str,
    contexts: BTreeMap<&'static str, Arc<Context>>,
    disks: BTreeMap<&'static str, MemoryDisk>,
    up: RefCell<BTreeMap<&'static str, Up>>,
    lines: Arc<Lines>,
    around: Neighbourhood,
    house: House,
    _ready: watch::Sender<bool>,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Where it is.
    pub location: String,
    /// When to come again, in seconds.
    pub retry_after: String,
    /// Which methods there are.
    pub allow: String,
    /// Its body; null if that is no JSON.
    pub body: Value,
}
impl Answer {
    /// The number of what it shows.
    ///
    /// # Panics
    /// If it shows nothing.
    pub fn number(&self) -> u64 {
        self.body["id"].as_u64().unwrap_or_else(|| panic!("no number in {self:?}"))
    }
    /// The text in that field; empty if there is none.
    pub fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }
    /// Status, and the code of a problem.
    pub fn no(&self) -> (u16, &str) {
        (self.status, self.text("code"))
    }
    /// The commands that are offered.
    pub fn links(&self) -> Vec<&str> {
        let links = self.body["_links"].as_object().into_iter().flatten();
        links.map(|(name, _)| name.as_str()).filter(|name| *name != "self").collect()
    }
    /// The rows of a list.
    pub fn rows(&self) -> Vec<Value> {
        let lists = self.body["_embedded"].as_object().and_then(|lists| lists.values().next());
        lists.and_then(Value::as_array).cloned().unwrap_or_default()
    }
}

impl Town {
    /// A town in which nothing runs yet. Everybody may do everything in it.
    ///
    /// # Panics
    /// If the system does not hold together, or its phrases can not be read.
    pub fn of(system: System, phrases: &[(&str, &str)], clock: Arc<TokioClock>, chance: Arc<Chance>) -> Self {
        assert_eq!(system.check(), []);
        let name = system.name;
        let mut around = Neighbourhood::of(&system, clock, chance, Settings::default());
        let lines = Arc::new(Lines { hub: Arc::clone(&around.hub), to: Mutex::default() });
        around.transport = Arc::clone(&lines) as Arc<dyn Transport>;
        let (ready, is_ready) = watch::channel(true);
        let house = House {
            system: name,
            metrics: Arc::new(String::new),
            phrases: Arc::new(Phrases::new(phrases).expect("its phrases can be read")),
            ready: is_ready,
            body: BodyLimit::default(),
            access: Access::Open,
        };
        let contexts: BTreeMap<_, _> = system.contexts.into_iter().map(|context| (context.name, Arc::new(context))).collect();
        let disks = contexts.keys().map(|name| (*name, MemoryDisk::new())).collect();
        Town { name, contexts, disks, up: RefCell::default(), lines, around, house, _ready: ready }
    }
    /// With these callers and nobody else.
    #[must_use]
    pub fn knowing(self, access: Access) -> Self {
        Town { house: House { access, ..self.house }, ..self }
    }
    /// Whose spans go there.
    #[must_use]
    pub fn traced(mut self, spans: Arc<dyn Spans>) -> Self {
        self.around.traces = Traces::to(spans, Arc::clone(&self.around.clock), Arc::new(Chance::seeded(8)));
        self
    }
    /// With everything running.
    pub async fn up(self) -> Self {
        for &name in self.contexts.keys() {
            self.start(name).await;
        }
        self
    }

    /// Starts this context on what is on its disk.
    ///
    /// # Panics
    /// If it can not be started.
    pub async fn start(&self, name: &'static str) {
        let context = Arc::clone(&self.contexts[name]);
        let store = MemoryStore::open(&self.disks[name], context.layout()).expect("it was laid out so");
        let running = Running::start(context, Arc::new(store.clone()), &self.around).await.expect("it starts");
        let router = router(&running, &self.house);
        self.up.borrow_mut().insert(name, Up { running: Rc::new(running), store, router });
    }
    fn take(&self, name: &str) -> (Running, MemoryStore) {
        let Up { running, store, .. } = self.up.borrow_mut().remove(name).unwrap_or_else(|| panic!("{name} does not run"));
        (Rc::into_inner(running).expect("nobody else holds it"), store)
    }
    /// Stops this context as an operator does.
    ///
    /// # Panics
    /// If it does not run, or can not be stopped.
    pub async fn stop(&self, name: &'static str) {
        self.take(name).0.stop().await.expect("it stops");
    }
    /// Kills this context as `kill -9` does: what is not durable is lost.
    ///
    /// # Panics
    /// If it does not run.
    pub fn kill(&self, name: &'static str) {
        let (running, store) = self.take(name);
        store.crash();
        running.kill();
    }
    /// From now on, this becomes of whatever that one is asked.
    pub fn line(&self, of: &'static str, line: Line) {
        self.lines.to.lock().unwrap_or_else(PoisonError::into_inner).insert(of, line);
    }

    /// Sends a request to whoever has a door at that path; `head` are its headers.
    ///
    /// # Panics
    /// If nobody has, or whoever has does not run.
    pub async fn send(&self, method: &str, path: &str, head: &[(&str, &str)], body: Body) -> Answer {
        let at = |context: &Context| context.doors().iter().any(|door| path.starts_with(door.path()));
        let (name, _) = self.contexts.iter().find(|(_, context)| at(context)).unwrap_or_else(|| panic!("nothing at {path}"));
        let router = self.up.borrow().get(name).unwrap_or_else(|| panic!("{name} does not run")).router.clone();
        let request = Request::builder().method(method).uri(path).header("host", format!("{}:8080", self.name));
        let request = head.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = router.oneshot(request.body(body).expect("a request")).await.expect("a router answers");
        let (head, body) = answer.into_parts();
        let says = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let (location, retry_after, allow) = (says("location"), says("retry-after"), says("allow"));
        let body = body.collect().await.expect("a whole body").to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        Answer { status: head.status.as_u16(), location, retry_after, allow, body }
    }
    /// Looks at that path.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], Body::empty()).await
    }
    /// A command without a body.
    pub async fn put(&self, path: &str) -> Answer {
        self.send("PUT", path, &[], Body::empty()).await
    }
    /// A request with a body.
    pub async fn write(&self, method: &str, path: &str, body: Value) -> Answer {
        self.send(method, path, &[("content-type", "application/json")], body.to_string().into()).await
    }
    /// A command of whoever's door that is, which has to be carried out; and all that follows from it.
    ///
    /// # Panics
    /// If it is not.
    pub async fn go(&self, collection: &str, number: u64, command: &str) -> Answer {
        let done = self.put(&format!("{collection}/{number}/{command}")).await;
        assert_eq!(done.status, 200, "{command}: {done:?}");
        self.settle().await;
        done
    }
    /// These fields of a row are shown so.
    ///
    /// # Panics
    /// If one is not.
    #[track_caller]
    pub fn shows(row: &Value, wanted: &Value) {
        for (field, value) in wanted.as_object().into_iter().flatten() {
            assert_eq!(&row[field], value, "{field} of {row}");
        }
    }

    /// Waits until nothing is owed and nobody lags behind, of whatever runs.
    ///
    /// # Panics
    /// If it never comes to that.
    pub async fn settle(&self) {
        let until = self.elapsed() + PATIENCE;
        let mut quiet = 0;
        // twice in a row: what was decided at the first look is durable at the second
        while quiet < 2 {
            let all: Vec<_> = self.up.borrow().values().map(|up| Rc::clone(&up.running)).collect();
            let mut open = Vec::new();
            for running in all {
                let (lag, owed) = (running.lag().await.expect("memory answers"), running.owed().await.expect("memory answers"));
                let name = running.core.context;
                open.extend(lag.into_iter().filter(|(.., facts)| *facts > 0).map(|lag| format!("{name} has to read {lag:?}")));
                open.extend(owed.into_iter().filter(|(_, owed)| *owed > 0).map(|owed| format!("{name} owes {owed:?}")));
            }
            quiet = if open.is_empty() { quiet + 1 } else { 0 };
            assert!(self.elapsed() < until, "it does not settle: {open:?}");
            sleep(LOOK).await;
        }
    }
    /// Waits until this field of a row has that value.
    ///
    /// # Panics
    /// If it never has.
    pub async fn until(&self, path: &str, field: &str, value: &str) -> Answer {
        let until = self.elapsed() + PATIENCE;
        loop {
            let seen = self.get(path).await;
            if seen.text(field) == value {
                return seen;
            }
            assert!(self.elapsed() < until, "{path}: {field} never becomes {value}: {seen:?}");
            sleep(LOOK).await;
        }
    }
    /// Waits until a context has said this of a case.
    ///
    /// # Panics
    /// If it never does.
    pub async fn until_said(&self, context: &str, case: &Case, fact: &str) {
        let until = self.elapsed() + PATIENCE;
        while !self.said(context, case).await.iter().any(|said| said == fact) {
            assert!(self.elapsed() < until, "{context} never says {fact} of {case}");
            sleep(LOOK).await;
        }
    }

    /// All that a context ever said.
    ///
    /// # Panics
    /// If it does not run.
    pub async fn journal(&self, context: &str) -> Vec<Fact> {
        let store = self.up.borrow()[context].store.clone();
        store.tail(0, usize::MAX).await.expect("memory answers")
    }
    /// What a context said of a case, private facts too.
    pub async fn said(&self, context: &str, case: &Case) -> Vec<String> {
        self.journal(context).await.iter().filter(|fact| fact.case == *case).map(|fact| fact.name.to_string()).collect()
    }
    /// How long it has been open.
    pub fn elapsed(&self) -> Duration {
        self.around.clock.elapsed()
    }
    /// How the lines of a context to those whom it asks stand.
    ///
    /// # Panics
    /// If it does not run.
    pub fn lines(&self, from: &str) -> Vec<String> {
        let lines = self.up.borrow()[from].running.lines();
        lines.into_iter().map(|(to, state)| format!("{to} {}", state.as_str())).collect()
    }
}
