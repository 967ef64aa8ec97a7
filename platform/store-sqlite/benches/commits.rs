//! How many commits a second: `cargo bench -p jumun-store-sqlite`, and with `-- --full` a backlog of a million rows.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
use jumun_model::{Case, Timestamp};
use jumun_store::{Change, Fact, Layout, Marks, Store, Table, Waiting, Write, done, suite};
use jumun_store_sqlite::SqliteStore;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

const TASKS: u64 = 64;
const LONG: Duration = Duration::from_secs(4);

fn layout() -> Layout {
    vec![Table { name: "order", keys: &["customerId"], entries: false, fields: &["customerId", "status", "qty"] }]
}

/// One document of some 250 bytes and one fact of as many.
fn step(number: u64, expected: u64, names: &[Arc<str>; 3]) -> Change {
    let version = expected + 1;
    let [context, source, name] = names.clone();
    let body = Arc::from(format!(
        r#"{{"id":{number},"customerId":"customer-{}","status":"Placed","qty":{version},"itemNo":1001,"itemNm":"a desk lamp","price":39000,"address":"12 Teheran-ro, Gangnam-gu, Seoul","phone":"010-1234-5678","rule":{{"paid":true,"wished":false}},"note":"leave it at the door"}}"#,
        number % 1_000
    ));
    let write = Write {
        table: "order",
        number,
        expected,
        version,
        listed: true,
        body: Arc::clone(&body),
        at: Timestamp::EPOCH,
        keys: vec![Some(format!("customer-{}", number % 1_000))],
        attempt: None,
        moment: None,
        marks: Marks::new(),
    };
    let fact = Fact {
        seq: 0,
        context,
        source,
        number,
        entry: false,
        version,
        case: Case::new("order", number),
        name,
        public: true,
        at: Timestamp::EPOCH,
        by: Arc::clone(&names[0]),
        cause: None,
        trace: None,
        body,
    };
    Change { writes: vec![write], facts: vec![fact], ..Change::default() }
}

/// Commits from many tasks, each waiting for its own; every `documents`-th task shares a document.
async fn rate(documents: u64) -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Arc::new(SqliteStore::open(folder.path().join("orders.db"), layout(), "orders").expect("it opens"));
    let names = ["orders", "order", "OrderPlaced"].map(Arc::<str>::from);
    let chains = (0..documents).map(|_| Arc::new(Mutex::new((0, 0)))).collect::<Vec<_>>();
    let begun = Instant::now();
    let tasks = (0..TASKS).map(|task| {
        let chain = (task % documents) as usize;
        let (store, chain, names) = (store.clone(), chains[chain].clone(), names.clone());
        tokio::spawn(async move {
            let mut commits = 0;
            while begun.elapsed() < LONG {
                let committing = {
                    // as the desk does it: load, decide and hand over under the document's lock, wait outside
                    let mut at = chain.lock().await;
                    let (round, revision) = *at;
                    let number = 1 + task % documents + round * documents;
                    // a document takes five changes, then it is the next one's turn; the one hot document takes all
                    *at = if documents > 1 && revision == 4 { (round + 1, 0) } else { (round, revision + 1) };
                    store.commit(step(number, revision, &names))
                };
                committing.durably().await.expect("it is made");
                commits += 1;
            }
            commits
        })
    });
    let mut commits = 0;
    for task in tasks.collect::<Vec<_>>() {
        commits += task.await.expect("it ends");
    }
    let rate = f64::from(commits) / begun.elapsed().as_secs_f64();
    store.close().await.expect("it closes");
    rate
}

struct Folder(tempfile::TempDir);
impl suite::Place for Folder {
    fn open(&self, layout: Layout) -> Waiting<'_, Arc<dyn Store>> {
        let store = SqliteStore::open(self.0.path().join("lamps.db"), layout, "lamps").expect("it opens");
        done(Ok(Arc::new(store)))
    }
}

#[tokio::main]
async fn main() {
    println!("{TASKS} tasks, many documents: {:>9.0} commits/s", rate(TASKS).await);
    println!("{TASKS} tasks, one document:   {:>9.0} commits/s", rate(1).await);
    if std::env::args().any(|argument| argument == "--full") {
        let folder = Folder(tempfile::tempdir().expect("a temporary folder"));
        let mut since = Instant::now();
        let mut said = |part: &str| {
            println!("1,000,000 rows, {part}: {:.1?}", since.elapsed());
            since = Instant::now();
        };
        suite::a_million_rows_of_backlog(&folder, 1_000_000, &mut said).await;
    }
}
