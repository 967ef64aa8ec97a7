//! The suite that every store passes, on a real server; and what only a server can do.
use crate::PostgresStore;
use jumun_model::{Case, Timestamp};
use jumun_store::{Change, Fact, Layout, Marks, Query, Store, StoreError, Waiting, Write, suite};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio_postgres::NoTls;

/// The server, as scripts/test has started it.
fn server() -> String {
    std::env::var("JUMUN_TEST_POSTGRES").expect("JUMUN_TEST_POSTGRES names a server; scripts/test starts one")
}

/// A database of its own, which is gone with the test.
struct Database {
    url: String,
}
static NEXT: AtomicU64 = AtomicU64::new(0);
impl Database {
    fn fresh() -> Self {
        let name = format!("jumun_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (at, made) = (server(), name.clone());
        // in a thread of its own: the suite makes places without waiting
        let make = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (client, connection) = tokio_postgres::connect(&at, NoTls).await.expect("the server answers");
                tokio::spawn(connection);
                client.batch_execute(&format!("CREATE DATABASE {made}")).await.unwrap();
            });
        };
        std::thread::spawn(make).join().unwrap();
        let (base, _) = server().rsplit_once('/').map(|(base, name)| (base.to_owned(), name.to_owned())).unwrap();
        Database { url: format!("{base}/{name}") }
    }
    async fn store(&self, layout: Layout) -> Result<PostgresStore, crate::OpenError> {
        PostgresStore::open(&self.url, layout, "lamps").await
    }
    async fn client(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}
impl suite::Place for Database {
    fn open(&self, layout: Layout) -> Waiting<'_, Arc<dyn Store>> {
        Box::pin(async move {
            let store = self.store(layout).await.map_err(|why| StoreError::Unavailable(why.to_string()))?;
            Ok(Arc::new(store) as Arc<dyn Store>)
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_passes_the_suite() {
    let version = Database::fresh().client().await.query_one("SHOW server_version", &[]).await.unwrap();
    println!("PostgreSQL {}", version.get::<_, String>(0));
    suite::all(Database::fresh).await;
}

fn lamp(number: u64, expected: u64) -> Write {
    Write {
        table: "lamp",
        number,
        expected,
        version: expected + 1,
        listed: true,
        body: format!(r#"{{"room":"hall {number}","colour":"red"}}"#).into(),
        at: Timestamp::from_millis(1),
        keys: vec![Some(format!("hall {number}")), Some("red".into())],
        attempt: None,
        moment: None,
        marks: Marks::new(),
    }
}
fn switched(number: u64, version: u64) -> Fact {
    Fact {
        seq: 0,
        context: "lamps".into(),
        source: "lamp".into(),
        number,
        entry: false,
        version,
        case: Case::new("lamp", number),
        name: "Switched".into(),
        public: true,
        at: Timestamp::from_millis(1),
        by: "someone".into(),
        cause: None,
        trace: None,
        body: "{}".into(),
    }
}
fn step(number: u64, expected: u64) -> Change {
    Change { writes: vec![lamp(number, expected)], facts: vec![switched(number, expected + 1)], ..Change::default() }
}
async fn log(store: &PostgresStore) -> Vec<Fact> {
    store.tail(0, usize::MAX).await.unwrap()
}

/// Three processes write at once; a fourth reads on, and what it has read stays what it was.
#[tokio::test(flavor = "multi_thread")]
async fn between_processes_too_nothing_comes_late_and_each_hears_of_the_others() {
    const EACH: u64 = 150;
    let database = Database::fresh();
    let reader = database.store(suite::layout()).await.unwrap();
    let mut writers = Vec::new();
    for process in 0..3 {
        let store = database.store(suite::layout()).await.unwrap();
        writers.push(tokio::spawn(async move {
            for n in 0..EACH {
                store.commit(step(1 + process, n)).durably().await.unwrap();
            }
        }));
    }
    let (mut newest, mut seen) = (reader.newest_fact(), Vec::<Fact>::new());
    while (seen.len() as u64) < 3 * EACH {
        let after = seen.last().map_or(0, |fact| fact.seq);
        let facts = reader.tail(after, 16).await.unwrap();
        if facts.is_empty() {
            let more = newest.wait_for(|newest| *newest > after);
            tokio::time::timeout(Duration::from_secs(30), more).await.expect("it hears of the others").unwrap();
        }
        seen.extend(facts);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(log(&reader).await, seen, "what came later does not stand before what was seen");
    assert!(seen.iter().zip(1..).all(|(fact, seq)| fact.seq == seq), "without a gap");
}

/// Two processes decide on the same document: one of them is told so, and nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_on_one_document_one_is_contended() {
    let database = Database::fresh();
    let mut stores = Vec::new();
    for _ in 0..2 {
        stores.push(Arc::new(database.store(suite::layout()).await.unwrap()));
    }
    for n in 0..40 {
        let [one, other] = [0, 1].map(|process| stores[process].commit(step(1, n)).durably());
        let answers = [one.await, other.await];
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        assert!(answers.contains(&Err(StoreError::Contended)), "{answers:?}");
    }
    let mut numbers = BTreeSet::new();
    for n in 0..600 {
        assert!(numbers.insert(stores[n % 2].reserve("lamp").await.unwrap()), "a number twice");
    }
    assert_eq!(log(&stores[0]).await.len(), 40);
}

/// Connections break while they are used: whoever is told *done* finds it done, and whoever is told *not* finds nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_connections_break_an_answer_is_true() {
    let database = Database::fresh();
    let store = Arc::new(database.store(suite::layout()).await.unwrap());
    let (stop, breaking) = (Arc::new(AtomicBool::new(false)), database.client().await);
    let stopping = Arc::clone(&stop);
    let breaker = tokio::spawn(async move {
        let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'jumun lamps' AND datname = current_database()";
        let mut broken = 0;
        while !stopping.load(Ordering::Relaxed) {
            broken += breaking.query_one(kill, &[]).await.unwrap().get::<_, i64>(0);
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        broken
    });
    let committers = (1..=8).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let (mut expected, mut silent) = (0, 0);
            for _ in 0..120 {
                match store.commit(step(number, expected)).durably().await {
                    Ok(()) => expected += 1,
                    Err(StoreError::Unavailable(_)) => silent += 1,
                    Err(other) => panic!("lamp {number} at {expected}: {other:?}"),
                }
            }
            (number, expected, silent)
        })
    });
    let mut silent = 0;
    let mut told = Vec::new();
    for committer in committers.collect::<Vec<_>>() {
        let (number, made, not) = committer.await.unwrap();
        silent += not;
        told.push((number, made));
    }
    stop.store(true, Ordering::Relaxed);
    let broken = breaker.await.unwrap();
    println!("{broken} connections broke; {silent} of 960 changes were told that nothing was done");
    assert!(broken > 20 && silent > 0, "only {broken} connections broke");
    assert!(told.iter().all(|(_, made)| *made > 0), "nothing was made: {told:?}");
    let log = log(&store).await;
    for (number, made) in told {
        let there = log.iter().filter(|fact| fact.number == number).map(|fact| fact.version).collect::<Vec<_>>();
        assert_eq!(there, (1..=made).collect::<Vec<_>>(), "lamp {number}");
        assert_eq!(store.load("lamp", number).await.unwrap().map_or(0, |lamp| lamp.revision), made);
    }
    store.commit(step(99, 0)).durably().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_readers_than_connections_are_all_answered() {
    let store = Arc::new(Database::fresh().store(suite::layout()).await.unwrap());
    store.commit(step(1, 0)).durably().await.unwrap();
    let readers = (0..200).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.load("lamp", 1).await.unwrap().map(|lamp| lamp.revision) })
    });
    for reader in readers.collect::<Vec<_>>() {
        assert_eq!(reader.await.unwrap(), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_read_in_plain_sql_with_a_column_per_field() {
    let database = Database::fresh();
    let store = database.store(suite::layout()).await.unwrap();
    store.commit(step(7, 0)).durably().await.unwrap();
    let hidden = Write { listed: false, ..lamp(8, 0) };
    store.commit(Change { writes: vec![hidden], ..Change::default() }).durably().await.unwrap();
    let rows = database.client().await.query(r#"select id, room, colour from lamps."Lamp_table""#, &[]).await.unwrap();
    let rows = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect::<Vec<(i64, String, String)>>();
    assert_eq!(rows, [(7, "hall 7".to_owned(), "red".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_opened_is_said_in_a_sentence_without_a_password() {
    let open = async |url: &str| match PostgresStore::open(url, suite::layout(), "lamps").await {
        Ok(_) => panic!("{url} opens"),
        Err(why) => why.to_string(),
    };
    let said = open("postgres://jumun:hush@127.0.0.1:1/mall").await;
    assert!(said.contains("can not be reached") && said.contains(":1") && !said.contains("hush"), "{said}");
    assert!(!open("nonsense hush").await.contains("hush"));
    let database = Database::fresh();
    let client = database.client().await;
    client.batch_execute("CREATE SCHEMA lamps; CREATE TABLE lamps.cats(name text)").await.unwrap();
    assert!(open(&database.url).await.contains("another program"));
    client.batch_execute("DROP SCHEMA lamps CASCADE").await.unwrap();
    drop(database.store(suite::layout()).await.unwrap());
    client.execute("UPDATE lamps.meta SET value = '9' WHERE key = 'schema'", &[]).await.unwrap();
    assert!(open(&database.url).await.contains("newer version"));
}

/// What a text may have in it that this database can not keep is kept as well as can be.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_a_letter_that_can_not_be_kept_is_found_all_the_same() {
    let store = Database::fresh().store(suite::layout()).await.unwrap();
    let odd = "hall\0way".to_owned();
    let write = Write { keys: vec![Some(odd.clone()), None], ..lamp(1, 0) };
    store.commit(Change { writes: vec![write], ..Change::default() }).durably().await.unwrap();
    let query = Query { matching: vec![("room", odd)], limit: 9, ..Query::default() };
    assert_eq!(store.find("lamp", &query).await.unwrap().total, 1);
    assert_eq!(store.claimed("a\0key").await, Ok(None));
}
