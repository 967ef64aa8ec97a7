//! A mall that a test runs through: memory stores, a paused clock, and real requests at real doors.
use axum::{Router, body::Body, http::Request};
use http_body_util::BodyExt;
use jumun_http::{Access, BodyLimit, House, Phrases, router};
use jumun_malltail::{
    OFFER, Settings,
    provider::{Dial, Entry, MemoryLedger, SimulatedProvider},
    system,
};
use jumun_model::{Case, Timestamp};
use jumun_runtime::{
    Answering, Chance, Context, Neighbourhood, Running, TokioClock,
    traces::{Spans, Traces},
};
use jumun_store::{Fact, MemoryDisk, MemoryStore, Store};
use serde_json::{Value, json};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};
use tokio::sync::watch;
use tower::ServiceExt;

/// 2026-12-31, a second before the year is over in UTC.
pub(crate) const NEW_YEARS_EVE: Timestamp = Timestamp::from_millis(1_798_761_599_000);
/// How long anything may take to come true, on the mall's own clock.
const PATIENCE: Duration = Duration::from_secs(600);

struct Up {
    running: Rc<Running>,
    store: MemoryStore,
    router: Router,
}

pub(crate) struct Mall {
    contexts: BTreeMap<&'static str, Arc<Context>>,
    disks: BTreeMap<&'static str, MemoryDisk>,
    up: RefCell<BTreeMap<&'static str, Up>>,
    around: Neighbourhood,
    house: House,
    provider: Arc<SimulatedProvider>,
    ledger: MemoryLedger,
    _ready: watch::Sender<bool>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) retry_after: String,
    pub(crate) body: Value,
}
impl Answer {
    pub(crate) fn number(&self) -> u64 {
        self.body["id"].as_u64().unwrap_or_else(|| panic!("no number in {self:?}"))
    }
    pub(crate) fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }
    /// Status, and the code of a problem.
    pub(crate) fn no(&self) -> (u16, &str) {
        (self.status, self.text("code"))
    }
    /// The commands that are offered.
    pub(crate) fn links(&self) -> Vec<&str> {
        let links = self.body["_links"].as_object().into_iter().flatten();
        links.map(|(name, _)| name.as_str()).filter(|name| *name != "self").collect()
    }
}

impl Mall {
    pub(crate) async fn new() -> Self {
        Mall::with(Settings::default()).await
    }
    pub(crate) async fn with(settings: Settings) -> Self {
        Mall::open(settings, None).await
    }
    /// Whose spans go there.
    pub(crate) async fn traced(settings: Settings, spans: Arc<dyn Spans>) -> Self {
        Mall::open(settings, Some(spans)).await
    }
    async fn open(settings: Settings, spans: Option<Arc<dyn Spans>>) -> Self {
        let (clock, chance) = (Arc::new(TokioClock::at(NEW_YEARS_EVE)), Arc::new(Chance::seeded(7)));
        let ledger = MemoryLedger::default();
        let provider = Arc::new(SimulatedProvider::in_memory(ledger.clone(), clock.clone(), Arc::clone(&chance)));
        let system = system(&settings, Arc::clone(&provider) as Arc<dyn Answering>);
        assert_eq!(system.check(), []);
        let traces = spans.map(|spans| Traces::to(spans, clock.clone(), Arc::new(Chance::seeded(8)))).unwrap_or_default();
        let around = Neighbourhood { traces, ..Neighbourhood::of(&system, clock, chance, jumun_runtime::Settings::default()) };
        let (ready, is_ready) = watch::channel(true);
        let house = House {
            system: "malltail",
            metrics: Arc::new(String::new),
            phrases: Arc::new(Phrases::new(OFFER.phrases).unwrap()),
            ready: is_ready,
            body: BodyLimit::default(),
            access: Access::Open,
        };
        let contexts: BTreeMap<_, _> = system.contexts.into_iter().map(|context| (context.name, Arc::new(context))).collect();
        let disks = contexts.keys().map(|name| (*name, MemoryDisk::new())).collect();
        let mall = Mall { contexts, disks, up: RefCell::default(), around, house, provider, ledger, _ready: ready };
        for &name in mall.contexts.keys() {
            mall.start(name).await;
        }
        mall
    }

    pub(crate) async fn start(&self, name: &'static str) {
        let context = Arc::clone(&self.contexts[name]);
        let store = MemoryStore::open(&self.disks[name], context.layout()).unwrap();
        let running = Running::start(context, Arc::new(store.clone()), &self.around).await.unwrap();
        let router = router(&running, &self.house);
        self.up.borrow_mut().insert(name, Up { running: Rc::new(running), store, router });
    }
    fn take(&self, name: &str) -> (Running, MemoryStore) {
        let Up { running, store, .. } = self.up.borrow_mut().remove(name).unwrap_or_else(|| panic!("{name} does not run"));
        (Rc::into_inner(running).expect("nobody else holds it"), store)
    }
    /// As an operator does.
    pub(crate) async fn stop(&self, name: &'static str) {
        self.take(name).0.stop().await.unwrap();
    }
    /// As `kill -9` does.
    pub(crate) fn kill(&self, name: &'static str) {
        let (running, store) = self.take(name);
        store.crash();
        running.kill();
    }
    /// The provider behaves like this from now on.
    pub(crate) fn dial(&self, dial: Dial) {
        self.provider.turn(dial);
    }
    pub(crate) fn outage(&self) {
        self.dial(Dial { outage: true, ..Dial::default() });
    }
    pub(crate) fn well(&self) {
        self.dial(Dial::default());
    }

    pub(crate) async fn send(&self, method: &str, path: &str, head: &[(&str, &str)], body: Body) -> Answer {
        let at = |context: &Context| context.doors().iter().any(|door| path.starts_with(door.path()));
        let (name, _) = self.contexts.iter().find(|(_, context)| at(context)).unwrap_or_else(|| panic!("nothing at {path}"));
        let router = self.up.borrow().get(name).unwrap_or_else(|| panic!("{name} does not run")).router.clone();
        let request = Request::builder().method(method).uri(path).header("host", "mall:8080");
        let request = head.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = router.oneshot(request.body(body).unwrap()).await.unwrap();
        let (head, body) = answer.into_parts();
        let says = |name: &str| head.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let (location, retry_after, status) = (says("location"), says("retry-after"), head.status.as_u16());
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status, location, retry_after, body: serde_json::from_slice(&body).unwrap_or_default() }
    }
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], Body::empty()).await
    }
    pub(crate) async fn put(&self, path: &str) -> Answer {
        self.send("PUT", path, &[], Body::empty()).await
    }
    pub(crate) async fn write(&self, method: &str, path: &str, body: Value) -> Answer {
        self.send(method, path, &[("content-type", "application/json")], body.to_string().into()).await
    }
    pub(crate) async fn post(&self, body: Value) -> Answer {
        self.write("POST", "/orders", body).await
    }
    /// An order that stands, and is on the owner's list.
    pub(crate) async fn order(&self) -> u64 {
        let placed = self.post(json!({ "itemNo": 1001, "qty": 2, "customerId": "kim", "customerName": "Kim" })).await;
        assert_eq!((placed.status, placed.text("orderStatus")), (201, "Ordered"), "{placed:?}");
        self.settle().await;
        placed.number()
    }
    /// A command of whoever's door that is, which has to be carried out; and all that follows from it.
    pub(crate) async fn go(&self, collection: &str, number: u64, command: &str) -> Answer {
        let done = self.put(&format!("{collection}/{number}/{command}")).await;
        assert_eq!(done.status, 200, "{command}: {done:?}");
        self.settle().await;
        done
    }
    pub(crate) async fn accept(&self, number: u64) -> Answer {
        self.go("/shopManagements", number, "acceptorder").await
    }
    /// On its way until customs has it before them.
    pub(crate) async fn to_customs(&self, number: u64) {
        self.accept(number).await;
        self.go("/shippings", number, "completeshipping").await;
    }
    pub(crate) async fn cancel(&self, number: u64) -> Answer {
        self.put(&format!("/orders/{number}/cancel")).await
    }
    /// What the customer sees of it.
    pub(crate) async fn view(&self, number: u64) -> Value {
        self.get(&format!("/statusViews/{number}")).await.body
    }
    /// These fields of a row are shown so.
    #[track_caller]
    pub(crate) fn shows(row: &Value, wanted: &Value) {
        for (field, value) in wanted.as_object().unwrap() {
            assert_eq!(&row[field], value, "{field} of {row}");
        }
    }

    /// Waits until nothing is owed and nobody lags behind, of whatever runs.
    pub(crate) async fn settle(&self) {
        let until = self.elapsed() + PATIENCE;
        let mut quiet = 0;
        // twice in a row: what was decided at the first look is durable at the second
        while quiet < 2 {
            let all: Vec<_> = self.up.borrow().values().map(|up| Rc::clone(&up.running)).collect();
            let mut open = Vec::new();
            for running in all {
                let (name, lag, owed) = (running.core.context, running.lag().await.unwrap(), running.owed().await.unwrap());
                open.extend(lag.into_iter().filter(|(.., facts)| *facts > 0).map(|lag| format!("{name} has to read {lag:?}")));
                open.extend(owed.into_iter().filter(|(_, owed)| *owed > 0).map(|owed| format!("{name} owes {owed:?}")));
            }
            quiet = if open.is_empty() { quiet + 1 } else { 0 };
            assert!(self.elapsed() < until, "it does not settle: {open:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    /// Waits until this field of a row has that value.
    pub(crate) async fn until(&self, path: &str, field: &str, value: &str) -> Answer {
        let until = self.elapsed() + PATIENCE;
        loop {
            let seen = self.get(path).await;
            if seen.text(field) == value {
                return seen;
            }
            assert!(self.elapsed() < until, "{path}: {field} never becomes {value}: {seen:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn journal(&self, context: &str) -> Vec<Fact> {
        let store = self.up.borrow()[context].store.clone();
        store.tail(0, usize::MAX).await.unwrap()
    }
    /// How long it has been open.
    pub(crate) fn elapsed(&self) -> Duration {
        self.around.clock.elapsed()
    }
    /// What a context said of an order, private facts too.
    pub(crate) async fn said(&self, context: &str, number: u64) -> Vec<String> {
        let case = Case::new("order", number);
        self.journal(context).await.iter().filter(|fact| fact.case == case).map(|fact| fact.name.to_string()).collect()
    }
    /// What the provider's own ledger says of an order.
    pub(crate) fn money(&self, number: u64) -> Vec<(Entry, u64)> {
        let key = format!("order/{number}/charge");
        let lines = self.ledger.lines();
        lines.into_iter().filter(|((of, _), _)| *of == key).map(|((_, entry), amount)| (entry, amount.0)).collect()
    }
    /// How the lines of a context to those whom it asks stand.
    pub(crate) fn lines(&self, from: &str) -> Vec<String> {
        let lines = self.up.borrow()[from].running.lines();
        lines.into_iter().map(|(to, state)| format!("{to} {}", state.as_str())).collect()
    }
}
