//! What a seat costs where ten thousand are taken, against one where none is: `cargo bench -p jumun-screening --bench seats`.
//!
//! The way is the production one: ask, desk, group commit, on SQLite. Both are asked for in turns, of one store, so that what else grows
//! there slows both alike.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
use jumun_model::{Caller, Case};
use jumun_runtime::{
    Asked, Chance, Clock, Neighbourhood, Running, Settings, SystemClock,
    door::{Call, Reply, Verb},
};
use jumun_screening::{Settings as Screening, hospital, system};
use jumun_store_sqlite::SqliteStore;
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

const ASKERS: u64 = 64;
/// How many seats are taken beforehand.
const TAKEN: u64 = 10_000;
/// How many more are taken in a turn.
const TURN: u64 = 2_000;
const TURNS: usize = 7;
/// What is taken per second there, as a share of what is taken per second where none was, at least.
const AIM: f64 = 0.75;
const DATE: &str = "20261201";

struct Ward {
    running: Running,
    around: Neighbourhood,
    screenings: AtomicU64,
}
impl Ward {
    async fn in_folder(folder: &std::path::Path) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let whole = system(&Screening::default());
        let around = Neighbourhood::of(&whole, clock, Arc::new(Chance::fresh()), Settings::default());
        let context = Arc::new(hospital::context());
        let store = SqliteStore::open(folder.join("hospital.db"), context.layout(), "hospital").expect("it opens");
        let running = Running::start(context, Arc::new(store), &around).await.expect("it starts");
        Ward { running, around, screenings: AtomicU64::new(1) }
    }
    /// A hospital with room for all; its number.
    async fn hospital(&self) -> u64 {
        let door = &self.running.doors()[0];
        let line = door.lines().iter().position(|line| line.verb == Verb::Open).expect("hospitals can be registered");
        let body = json!({ "hospitalNm": "Samsung", "chkDate": DATE, "pcnt": 1_000_000 });
        let by = Caller { name: "somebody".into(), roles: Vec::new() };
        let call = Call { number: None, body, by, key: None, at_version: None, trace: None };
        match door.call(&self.running.core, line, call).await {
            Ok(Reply::Opened(hospital)) => hospital.number,
            other => panic!("it is registered, and not {other:?}"),
        }
    }
    async fn seat(&self, hospital: u64) {
        let screening = self.screenings.fetch_add(1, Ordering::Relaxed);
        let asked = Asked {
            of: "hospital",
            name: "takeSeat",
            case: Case::new("screening", screening),
            key: format!("screening/{screening}/seat@1"),
            body: json!({ "hospitalId": hospital, "chkDate": DATE }),
            trace: None,
        };
        let told = self.around.transport.send(asked).await.expect("it is answered");
        assert_eq!(told, json!("Taken"));
    }
    /// Takes so many seats there, all askers at once; how many a second.
    async fn rate(self: &Arc<Self>, hospital: u64, seats: u64) -> f64 {
        let begun = Instant::now();
        let askers = (0..ASKERS).map(|asker| {
            let ward = Arc::clone(self);
            tokio::spawn(async move {
                for _ in (asker..seats).step_by(ASKERS as usize) {
                    ward.seat(hospital).await;
                }
            })
        });
        for asker in askers.collect::<Vec<_>>() {
            asker.await.expect("it ends");
        }
        seats as f64 / begun.elapsed().as_secs_f64()
    }
}
fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ward = Arc::new(Ward::in_folder(folder.path()).await);
    let crowded = ward.hospital().await;
    ward.rate(crowded, TAKEN).await;
    let (mut there, mut elsewhere) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        elsewhere.push(ward.rate(ward.hospital().await, TURN).await);
        there.push(ward.rate(crowded, TURN).await);
    }
    let (there, elsewhere) = (median(there), median(elsewhere));
    let ratio = there / elsewhere;
    println!("{ASKERS} askers: after {TAKEN} seats {there:>8.0}/s, from the first {elsewhere:>8.0}/s, ratio {ratio:.2}");
    ward.running.core.store.close().await.expect("it closes");
    assert!(ratio >= AIM, "a seat after {TAKEN} costs what the first did: at least {AIM} of the rate");
}
