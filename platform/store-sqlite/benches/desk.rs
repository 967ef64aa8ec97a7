//! Two hundred callers at once, all of one document and each of documents of its own: `cargo bench -p jumun-store-sqlite --bench desk`.
//!
//! The way is the production one: door, desk, group commit. One hot document shall be no slower than a quarter of many.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
use jumun_model::{Aggregate, Caller, Event, JsonSchema, Never, Occasion};
use jumun_runtime::{
    Chance, Clock, Context, Neighbourhood, Rank, Running, Settings, System, SystemClock,
    door::{Call, Collection, Verb, collection},
    keep,
};
use jumun_store::{Layout, MemoryDisk, MemoryStore, Store};
use jumun_store_sqlite::SqliteStore;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const CALLERS: u64 = 200;
/// How many documents each caller has of its own, where there are many.
const EACH: u64 = 10;
const LONG: Duration = Duration::from_secs(3);
const ROUNDS: usize = 3;
/// What one hot document shall have of the rate of many, at least.
const AIM: f64 = 0.25;

/// Counts; about as large as an order.
#[derive(Clone, Default, Debug, Serialize, Deserialize, JsonSchema)]
struct Tally {
    times: u64,
    note: String,
}
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "eventType")]
enum Fact {
    Counted { times: u64, note: String },
}
impl Event for Fact {
    const CONTEXT: &'static str = "desk";
    const NAMES: &'static [&'static str] = &["Counted"];
    fn name(&self) -> &'static str {
        "Counted"
    }
}
#[derive(Clone, Debug)]
struct Count(String);
impl Aggregate for Tally {
    const NAME: &'static str = "tally";
    const ROOT: &'static str = "tally";
    type Command = Count;
    type Event = Fact;
    type Refusal = Never;
    type Settings = ();
    fn decide(&self, _: &Occasion, Count(note): Count) -> Result<Vec<Fact>, Never> {
        Ok(vec![Fact::Counted { times: self.times + 1, note }])
    }
    fn evolve(&mut self, _: &Occasion, Fact::Counted { times, note }: &Fact) {
        (self.times, self.note) = (*times, note.clone());
    }
}

#[derive(Deserialize, JsonSchema)]
struct Wished {
    note: String,
}
fn context() -> Context {
    let door = collection::<Tally>("/tallies").opens("anybody", |body: Wished| Ok(Count(body.note)), |_| Ok(())).edits(
        "anybody",
        |body: Wished| Ok(Count(body.note)),
        |_| Ok(()),
    );
    Context::named("desk", Rank::Core, 1).keeps(keep::<Tally>(()).door(door))
}

/// A desk at work.
struct Desk {
    running: Running,
    door: Arc<dyn Collection>,
}
impl Desk {
    async fn on(store: impl FnOnce(Layout) -> Arc<dyn Store>) -> Self {
        let context = Arc::new(context());
        let alone = System { name: "desk", topic: "desk", contexts: Vec::new(), providers: Vec::new() };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let around = Neighbourhood::of(&alone, clock, Arc::new(Chance::fresh()), Settings::default());
        let store = store(context.layout());
        let running = Running::start(context, store, &around).await.expect("it starts");
        let door = Arc::clone(&running.doors()[0]);
        Desk { running, door }
    }
    async fn call(&self, verb: Verb, number: Option<u64>) {
        let by = Caller { name: "somebody".into(), roles: Vec::new() };
        let line = self.door.lines().iter().position(|line| line.verb == verb).expect("the table has it");
        let body: Value =
            json!({ "note": "12 Teheran-ro, Gangnam-gu, Seoul; 010-1234-5678; leave it at the door, please, and ring the bell" });
        let call = Call { number, body, by, key: None, at_version: None, trace: None };
        self.door.call(&self.running.core, line, call).await.expect("it is done");
    }
    /// Commands per second of all callers together, caller by caller on the documents that `number` names in turn.
    async fn rate(self: &Arc<Self>, number: fn(caller: u64, turn: u64) -> u64) -> f64 {
        let begun = Instant::now();
        let callers = (0..CALLERS).map(|caller| {
            let desk = Arc::clone(self);
            tokio::spawn(async move {
                let mut done = 0;
                while begun.elapsed() < LONG {
                    desk.call(Verb::Edit, Some(number(caller, done))).await;
                    done += 1;
                }
                done
            })
        });
        let mut done = 0;
        for caller in callers.collect::<Vec<_>>() {
            done += caller.await.expect("it ends");
        }
        done as f64 / begun.elapsed().as_secs_f64()
    }
    /// One hot document against many, in turns; whether it reaches the aim.
    async fn measure(self, on: &str) -> bool {
        let desk = Arc::new(self);
        for _ in 0..CALLERS * EACH {
            desk.call(Verb::Open, None).await;
        }
        let (mut hot, mut many) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            many.push(desk.rate(|caller, turn| 1 + caller * EACH + turn % EACH).await);
            hot.push(desk.rate(|_, _| 1).await);
        }
        let (hot, many) = (median(hot), median(many));
        let ratio = hot / many;
        println!(
            "{on}, {CALLERS} callers: one document {hot:>8.0}/s, {} documents {many:>8.0}/s, ratio {ratio:.2}",
            CALLERS * EACH
        );
        desk.running.core.store.close().await.expect("it closes");
        ratio >= AIM
    }
}
fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("desk.db");
    let sqlite = Desk::on(|layout| Arc::new(SqliteStore::open(file, layout, "desk").expect("it opens"))).await;
    let memory = Desk::on(|layout| Arc::new(MemoryStore::open(&MemoryDisk::new(), layout).expect("it opens"))).await;
    let reached = [sqlite.measure("SQLite").await, memory.measure("memory").await];
    assert_eq!(reached, [true; 2], "one document has at least {AIM} of the rate of many, on SQLite and in memory");
}
