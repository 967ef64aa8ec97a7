//! What the tests of this crate serve: lamps. Those of more than 100 watts wait for the grid's word.
use crate::{Access, BodyLimit, House, Known, Phrases, router};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use jumun_model::*;
use jumun_runtime::{
    Answering, Asked, Chance, Context, Neighbourhood, Rank, Running, Settings, System, TokioClock, Unanswered,
    door::{self, Collection},
    keep, show,
};
use jumun_store::{MemoryDisk, MemoryStore, Store};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use tokio::sync::watch;
use tower::ServiceExt;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "eventType")]
enum Fact {
    Installed { room: String, watts: u64 },
    Granted,
    Denied,
    Switched { on: bool },
    Dimmed { watts: u64 },
}
impl Event for Fact {
    const CONTEXT: &'static str = "lighting";
    const NAMES: &'static [&'static str] = &["Installed", "Granted", "Denied", "Switched", "Dimmed"];
    fn name(&self) -> &'static str {
        match self {
            Fact::Installed { .. } => "Installed",
            Fact::Granted => "Granted",
            Fact::Denied => "Denied",
            Fact::Switched { .. } => "Switched",
            Fact::Dimmed { .. } => "Dimmed",
        }
    }
}

#[derive(Clone, Debug)]
enum Do {
    Install { room: String, watts: u64 },
    Hear(Grid),
    Switch(bool),
    Dim(u64),
}

#[derive(Debug, thiserror::Error)]
enum No {
    #[error("there is no power for {watts} watts")]
    Dark { watts: u64 },
    #[error("it is waiting for power")]
    Waiting,
    #[error("the cellar is dark by rule")]
    Cellar,
}
impl Refusal for No {
    fn code(&self) -> &'static str {
        match self {
            No::Dark { .. } => "no-power",
            No::Waiting => "waiting",
            No::Cellar => "cellar",
        }
    }
    fn kind(&self) -> Kind {
        match self {
            No::Dark { .. } => Kind::Unpaid,
            No::Waiting => Kind::Conflict,
            No::Cellar => Kind::Invalid,
        }
    }
    fn arguments(&self) -> Vec<(&'static str, String)> {
        match self {
            No::Dark { watts } => vec![("watts", watts.to_string())],
            No::Cellar => vec![("field", "room".to_owned())],
            No::Waiting => Vec::new(),
        }
    }
}

#[derive(Clone, Copy, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
enum Status {
    #[default]
    Waiting,
    Dark,
    Off,
    On,
}
#[derive(Clone, Default, Debug, Serialize, Deserialize, JsonSchema)]
struct Secret {
    switched: u64,
}
#[derive(Clone, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Lamp {
    room: String,
    watts: u64,
    status: Status,
    rule: Secret,
}

#[derive(Serialize, Deserialize)]
struct Connect {
    watts: u64,
}
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Grid {
    Yes,
    No,
    NotYet,
}
impl Ask for Connect {
    const OF: &'static str = "grid";
    const NAME: &'static str = "connect";
    type Answer = Grid;
}

impl Aggregate for Lamp {
    const NAME: &'static str = "lamp";
    const ROOT: &'static str = "lamp";
    const KEYS: &'static [&'static str] = &["room", "watts"];
    type Command = Do;
    type Event = Fact;
    type Refusal = No;
    type Settings = ();
    fn decide(&self, _: &Occasion, command: Do) -> Result<Vec<Fact>, No> {
        Ok(match (self.status, command) {
            (_, Do::Install { room, .. }) if room == "cellar" => return Err(No::Cellar),
            (_, Do::Install { room, .. }) if room == "panic" => panic!("a rule that breaks"),
            (_, Do::Install { room, watts }) => vec![Fact::Installed { room, watts }],
            (Status::Waiting, Do::Hear(Grid::Yes)) => vec![Fact::Granted],
            (Status::Waiting, Do::Hear(Grid::No)) => vec![Fact::Denied],
            (_, Do::Hear(_)) => vec![],
            (Status::Waiting | Status::Dark, _) => return Err(No::Waiting),
            (now, Do::Switch(on)) if (now == Status::On) == on => vec![],
            (_, Do::Switch(on)) => vec![Fact::Switched { on }],
            (_, Do::Dim(watts)) if watts == self.watts => vec![],
            (_, Do::Dim(watts)) => vec![Fact::Dimmed { watts }],
        })
    }
    fn evolve(&mut self, _: &Occasion, fact: &Fact) {
        match fact {
            Fact::Installed { room, watts } => {
                (self.room, self.watts) = (room.clone(), *watts);
                self.status = if *watts > 100 { Status::Waiting } else { Status::Off };
            }
            Fact::Granted => self.status = Status::Off,
            Fact::Denied => self.status = Status::Dark,
            Fact::Switched { on } => {
                self.status = if *on { Status::On } else { Status::Off };
                self.rule.switched += 1;
            }
            Fact::Dimmed { watts } => self.watts = *watts,
        }
    }
    fn owes(&self, _: &Case, (): &()) -> Owes<Do> {
        if self.status == Status::Waiting && self.watts > 0 {
            Owes::ask(&Connect { watts: self.watts }, |heard| (heard != Grid::NotYet).then_some(Do::Hear(heard)))
        } else {
            Owes::nothing()
        }
    }
}
fn lit(lamp: &Lamp) -> Result<(), No> {
    if lamp.status == Status::Dark { Err(No::Dark { watts: lamp.watts }) } else { Ok(()) }
}

#[derive(Deserialize, JsonSchema)]
struct Install {
    room: Text,
    #[serde(default)]
    watts: Numeric<0, 1_000_000>,
}
#[derive(Deserialize, JsonSchema)]
struct Dim {
    watts: Numeric<1, 100>,
}

/// How often each room was lit.
#[derive(Clone, Default, Debug, Serialize, Deserialize, JsonSchema)]
struct Bill {
    switched: u64,
}
impl View for Bill {
    const NAME: &'static str = "bill";
}
impl Follows<Fact> for Bill {
    fn follow(&mut self, _: &Occasion, fact: &Fact) {
        self.switched += u64::from(matches!(fact, Fact::Switched { .. }));
    }
}

pub(crate) fn lighting() -> Context {
    let lamps = door::collection::<Lamp>("/lamps")
        .opens("resident", |Install { room, watts }| Ok(Do::Install { room: room.0, watts: watts.0 }), lit)
        .refusing(&[Kind::Invalid, Kind::Unpaid])
        .waiting()
        .command("on", "resident", || Do::Switch(true), |_| Ok(()))
        .refusing(&[Kind::Conflict])
        .command("off", "resident", || Do::Switch(false), |_| Ok(()))
        .refusing(&[Kind::Conflict])
        .on_delete()
        .edits("resident", |Dim { watts }| Ok(Do::Dim(watts.0)), |_| Ok(()))
        .refusing(&[Kind::Conflict])
        .owned_by("room", "resident")
        .seen_by("caretaker");
    let context = Context::named("lighting", Rank::Core, 8081);
    context
        .keeps(keep::<Lamp>(()).asks::<Connect>().door(lamps))
        .shows(show::<Bill>("/bills").seen_by("caretaker").follows::<Fact>())
}

/// The grid: it says what a test laid out for it, and after that *not yet*.
#[derive(Default)]
pub(crate) struct Power(pub(crate) Mutex<VecDeque<Grid>>);
impl Answering for Power {
    fn answer(&self, _: Asked) -> BoxFuture<'static, Result<Value, Unanswered>> {
        let says = self.0.lock().unwrap().pop_front().unwrap_or(Grid::NotYet);
        Box::pin(async move { Ok(json!(says)) })
    }
}

/// A house with lamps in it, and somebody at its door.
pub(crate) struct Home {
    pub(crate) running: Running,
    pub(crate) store: MemoryStore,
    pub(crate) power: Arc<Power>,
    pub(crate) ready: watch::Sender<bool>,
    pub(crate) house: House,
    pub(crate) router: Router,
}
impl Home {
    pub(crate) async fn new() -> Self {
        Home::on(|store| store).await
    }
    /// On a store that a test has made peculiar.
    pub(crate) async fn on(peculiar: impl FnOnce(MemoryStore) -> MemoryStore) -> Self {
        Home::of(peculiar, Access::Open, BodyLimit::default()).await
    }
    /// Where a body may be that and no more.
    pub(crate) async fn with_bodies(body: BodyLimit) -> Self {
        Home::of(|store| store, Access::Open, body).await
    }
    /// Where callers say who they are: each by the token that is `token-of-` and the name, made eight letters long by noughts.
    pub(crate) async fn known(callers: &[(&str, &[&str])]) -> Self {
        let known = callers.iter().fold(Known::default(), |known, (name, roles)| {
            known.token(&format!("token-of-{name:0<8}"), name, roles.iter().map(|role| (*role).to_owned()).collect()).unwrap()
        });
        Home::with(Access::known(known)).await
    }
    pub(crate) async fn with(access: Access) -> Self {
        Home::of(|store| store, access, BodyLimit::default()).await
    }
    async fn of(peculiar: impl FnOnce(MemoryStore) -> MemoryStore, access: Access, body: BodyLimit) -> Self {
        let power = Arc::new(Power::default());
        let provider = Arc::clone(&power) as Arc<dyn Answering>;
        let system = System { name: "home", topic: "home", contexts: Vec::new(), providers: vec![("grid", provider)] };
        let clock = Arc::new(TokioClock::at(Timestamp::EPOCH));
        let neighbourhood = Neighbourhood::of(&system, clock, Arc::new(Chance::seeded(7)), Settings::default());
        let context = Arc::new(lighting());
        let store = peculiar(MemoryStore::open(&MemoryDisk::new(), context.layout()).unwrap());
        let running = Running::start(context, Arc::new(store.clone()) as Arc<dyn Store>, &neighbourhood).await.unwrap();
        let (ready, is_ready) = watch::channel(true);
        let house = House {
            system: "home",
            metrics: Arc::new(|| "# TYPE lit counter\nlit{context=\"lighting\"} 1\nlit{context=\"other\"} 2\n".to_owned()),
            phrases: Arc::new(Phrases::new(&[("ko", "waiting = \"전기를 기다리고 있습니다.\"\nlinks.on = \"켜기\"")]).unwrap()),
            ready: is_ready,
            body,
            access,
        };
        Home { router: router(&running, &house), house, running, store, power, ready }
    }
    /// Sends a request; `head` are its headers, a line each.
    pub(crate) async fn send(&self, method: &str, path: &str, head: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(path).header("host", "home:8081");
        let request = head.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        Answer::read(answer).await
    }
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], body.to_string()).await
    }
    pub(crate) async fn put(&self, path: &str) -> Answer {
        self.send("PUT", path, &[], "").await
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) head: HeaderMap,
    pub(crate) text: String,
}
impl Answer {
    pub(crate) async fn read(answer: axum::response::Response) -> Self {
        let (head, body) = answer.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: head.status, head: head.headers, text }
    }
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }
    pub(crate) fn header(&self, name: &str) -> &str {
        self.head.get(name).map_or("", |value| value.to_str().unwrap())
    }
    /// Status and code of a problem.
    pub(crate) fn no(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        (self.status.as_u16(), self.json()["code"].as_str().unwrap().to_owned())
    }
}

#[test]
fn the_toy_holds_together() {
    let doors = lighting();
    assert_eq!(doors.doors().iter().map(|door: &Arc<dyn Collection>| door.path()).collect::<Vec<_>>(), ["/lamps", "/bills"]);
}
