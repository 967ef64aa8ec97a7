//! The suite that every store passes, on a real server; and what only a server can do.
use crate::MysqlStore;
use futures_util::future::join_all;
use jumun_model::{Case, Timestamp};
use jumun_store::{Change, Claim, Fact, Layout, Marks, Query, Store, StoreError, Waiting, Write, suite};
use mysql_async::{Conn, OptsBuilder, prelude::Queryable};
use std::{
    collections::BTreeSet,
    future::poll_fn,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The server, as scripts/test has started it.
fn server() -> String {
    std::env::var("JUMUN_TEST_MARIADB").expect("JUMUN_TEST_MARIADB names a server; scripts/test starts one")
}

/// A database of its own, which is made when it is first opened.
struct Database {
    name: String,
    url: String,
}
static NEXT: AtomicU64 = AtomicU64::new(0);
impl Database {
    fn fresh() -> Self {
        let name = format!("jumun_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (base, _) = server().rsplit_once('/').map(|(base, name)| (base.to_owned(), name.to_owned())).unwrap();
        Database { url: format!("{base}/{name}"), name: format!("{name}_lamps") }
    }
    async fn store(&self, layout: Layout) -> Result<MysqlStore, crate::OpenError> {
        MysqlStore::open(&self.url, layout, "lamps").await
    }
    /// Somebody with a plain client, in that database if it is there.
    async fn client(&self) -> Conn {
        let opts =
            OptsBuilder::from_opts(mysql_async::Opts::from_url(&server()).unwrap()).prefer_socket(false).db_name(None::<String>);
        let mut client = Conn::new(opts).await.expect("the server answers");
        let _ = client.query_drop(format!("USE {}", self.name)).await;
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
    let version = Database::fresh().client().await.query_first::<String, _>("SELECT version()").await.unwrap();
    println!("{}", version.unwrap());
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
async fn log(store: &MysqlStore) -> Vec<Fact> {
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
    let hears = stores[0].newest_fact().wait_for(|newest| *newest == 40).await.map(|newest| *newest);
    assert_eq!((hears.unwrap(), log(&stores[0]).await.len()), (40, 40));
}

/// Connections break while they are used: whoever is told *done* finds it done, and whoever is told *not* finds nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_connections_break_an_answer_is_true() {
    let database = Database::fresh();
    let store = Arc::new(database.store(suite::layout()).await.unwrap());
    let (stop, mut breaking) = (Arc::new(AtomicBool::new(false)), database.client().await);
    let stopping = Arc::clone(&stop);
    let breaker = tokio::spawn(async move {
        let all = "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()";
        let mut broken = 0;
        while broken < 100 {
            for id in breaking.query::<u64, _>(all).await.unwrap() {
                broken += u64::from(breaking.query_drop(format!("KILL {id}")).await.is_ok()); // or it went by itself
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        stopping.store(true, Ordering::Relaxed);
        broken
    });
    let committers = (1..=8).map(|number| {
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        tokio::spawn(async move {
            let (mut expected, mut silent) = (0, 0);
            while !stop.load(Ordering::Relaxed) {
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
    let broken = breaker.await.unwrap();
    println!("{broken} connections broke; {silent} changes were told that nothing was done");
    assert!(silent > 0, "of {broken} connections that broke nobody noticed");
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

/// As when its server restarted while nobody asked for anything.
#[tokio::test(flavor = "multi_thread")]
async fn all_idle_connections_may_be_dead_and_whoever_comes_next_is_answered() {
    let database = Database::fresh();
    let store = Arc::new(database.store(suite::layout()).await.unwrap());
    store.commit(step(1, 0)).durably().await.unwrap();
    join_all((0..200).map(|_| store.load("lamp", 1))).await;
    let mut breaking = database.client().await;
    let all = "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()";
    let all = breaking.query::<u64, _>(all).await.unwrap();
    assert!(all.len() >= 8, "only {} connections", all.len());
    for id in all {
        breaking.query_drop(format!("KILL {id}")).await.unwrap();
    }
    assert_eq!(store.load("lamp", 1).await.unwrap().map(|lamp| lamp.revision), Some(1));
    assert_eq!(store.commit(step(1, 1)).durably().await, Ok(()));
}

/// A reader that nobody waits for any more leaves no answer behind for the next.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_waiting_spoils_nobody_elses_answer() {
    let store = Arc::new(Database::fresh().store(suite::layout()).await.unwrap());
    for number in 1..=20 {
        store.commit(step(number, 0)).durably().await.unwrap();
    }
    for round in 0..400 {
        let (mut load, mut polls) = (store.load("lamp", 1 + round % 20), round % 7);
        // dropped at its n-th waking: before it asks, while it asks, when the answer is there and nobody has read it
        poll_fn(|cx| match polls {
            0 => Poll::Ready(()),
            _ => {
                polls -= 1;
                load.as_mut().poll(cx).map(drop)
            }
        })
        .await;
        drop(load);
        let number = 20 - round % 20;
        assert_eq!(store.load("lamp", number).await.unwrap().map(|lamp| lamp.number), Some(number), "in round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_read_in_plain_sql_with_a_column_per_field() {
    let database = Database::fresh();
    let store = database.store(suite::layout()).await.unwrap();
    store.commit(step(7, 0)).durably().await.unwrap();
    let body = r#"{"room":null,"colour":"null"}"#.into();
    let odd = Write { body, ..lamp(9, 0) };
    let hidden = Write { listed: false, ..lamp(8, 0) };
    store.commit(Change { writes: vec![hidden, odd], ..Change::default() }).durably().await.unwrap();
    let mut client = database.client().await;
    let rows = "select id, room, colour from Lamp_table order by id"; // unquoted, in a session of anybody's
    let rows = client.query::<(i64, Option<String>, Option<String>), _>(rows).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(rows, [(7, text("hall 7"), text("red")), (9, None, text("null"))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_opened_is_said_in_a_sentence_without_a_password() {
    let open = async |url: &str| match MysqlStore::open(url, suite::layout(), "lamps").await {
        Ok(_) => panic!("{url} opens"),
        Err(why) => why.to_string(),
    };
    let said = open("mysql://jumun:hush@127.0.0.1:1/mall").await;
    assert!(said.contains("can not be reached") && said.contains(":1") && !said.contains("hush"), "{said}");
    let said = open(&server().replace("jumun", "nobody:hush")).await;
    assert!(said.contains("can not be reached") && !said.contains("hush"), "{said}");
    for url in ["nonsense hush", "mysql://kim:hush@127.0.0.1", "mysql://kim:hush@127.0.0.1/mall?hush=1"] {
        let said = open(url).await;
        assert!(said.contains("is no mysql URL") && !said.contains("hush"), "{said}");
    }
    let database = Database::fresh();
    let mut client = database.client().await;
    client.query_drop(format!("CREATE DATABASE {}", database.name)).await.unwrap();
    client.query_drop(format!("CREATE TABLE {}.cats(name text)", database.name)).await.unwrap();
    assert!(open(&database.url).await.contains("another program"));
    client.query_drop(format!("DROP DATABASE {}", database.name)).await.unwrap();
    drop(database.store(suite::layout()).await.unwrap());
    client.query_drop(format!("UPDATE {}.meta SET value = '9' WHERE `key` = 'schema'", database.name)).await.unwrap();
    assert!(open(&database.url).await.contains("newer version"));
}

#[test]
fn a_server_that_may_lose_what_it_acknowledged_is_refused_with_its_setting() {
    const PACKET: i64 = 16 << 20;
    let said = |flush, log, sync, packet| crate::schema::unfit(flush, log, sync, packet).map(|why| why.to_string());
    assert_eq!([said(1, false, 0, PACKET), said(3, false, 0, PACKET), said(1, true, 1, PACKET)], [None, None, None]);
    for flush in [0, 2] {
        let said = said(flush, false, 1, PACKET).unwrap();
        assert!(said.contains(&format!("innodb_flush_log_at_trx_commit is {flush} and must be 1")), "{said}");
    }
    assert!(said(1, true, 0, PACKET).unwrap().contains("sync_binlog is 0"));
    assert!(said(1, false, 0, 4 << 20).unwrap().contains("max_allowed_packet is 4194304"));
}

/// What was begun and not finished, as by a process that died, is finished by the next.
#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_broke_off_is_finished_by_the_next_and_a_new_key_finds_old_rows() {
    let database = Database::fresh();
    let mut layout = suite::layout();
    layout[0].keys = &["room"];
    let store = database.store(layout).await.unwrap();
    let write = Write { keys: vec![Some("hall 1".into())], ..lamp(1, 0) };
    store.commit(Change { writes: vec![write], ..Change::default() }).durably().await.unwrap();
    store.close().await.unwrap();
    let mut client = database.client().await;
    client.query_drop("ALTER TABLE lamp ADD COLUMN key_colour varchar(700)").await.unwrap(); // and there it died
    let store = database.store(suite::layout()).await.unwrap();
    let red = Query { matching: vec![("colour", "red".into())], limit: 9, ..Query::default() };
    assert_eq!(store.find("lamp", &red).await.unwrap().total, 1);
}

/// Byte by byte: not by what looks alike, nor without the spaces at the end. And what is too long is not cut.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_told_apart_by_every_byte() {
    let store = Database::fresh().store(suite::layout()).await.unwrap();
    let rooms = ["hall", "hall ", "Hall", "hàll", "hall\0", "조명"];
    for (room, number) in rooms.into_iter().zip(1..) {
        let write = Write { keys: vec![Some(room.into()), None], ..lamp(number, 0) };
        let case = Case::new("lamp", number);
        let claim = Claim { key: room.into(), fingerprint: room.into(), case, at: Timestamp::from_millis(1) };
        store.commit(Change { writes: vec![write], claim: Some(claim), ..Change::default() }).durably().await.unwrap();
    }
    for (room, number) in rooms.into_iter().zip(1..) {
        let query = Query { matching: vec![("room", room.to_owned())], limit: 9, ..Query::default() };
        let found = store.find("lamp", &query).await.unwrap().rows;
        assert_eq!(found.iter().map(|row| row.number).collect::<Vec<_>>(), [number], "{room:?}");
        assert_eq!(store.claimed(room).await.unwrap().map(|claim| claim.case.number), Some(number), "{room:?}");
    }
    let long = Write { keys: vec![Some("x".repeat(701)), None], ..lamp(50, 0) };
    let long = store.commit(Change { writes: vec![long], ..Change::default() });
    let neighbour = store.commit(step(51, 0)).durably();
    let long = long.durably().await;
    assert!(matches!(long, Err(StoreError::Damaged(_))), "{long:?}");
    assert_eq!(neighbour.await, Ok(()));
}

/// More than the server takes at once is refused, its neighbours are made.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_too_large_harms_nobody_else() {
    let store = Database::fresh().store(suite::layout()).await.unwrap();
    let large = Write { body: format!(r#"{{"room":"{}"}}"#, "x".repeat(20 << 20)).into(), ..lamp(1, 0) };
    let group =
        [step(2, 0), Change { writes: vec![large], ..Change::default() }, step(3, 0)].map(|it| store.commit(it).durably());
    let [one, large, other] = group;
    let (one, large, other) = (one.await, large.await, other.await);
    assert!(one.is_ok() && matches!(large, Err(StoreError::Damaged(_))) && other.is_ok(), "{one:?} {large:?} {other:?}");
}

/// A stranger locks rows against the writer's order, so that the server undoes one of the two: the writer begins anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_the_server_undid_is_made_all_the_same() {
    let database = Database::fresh();
    let store = database.store(suite::layout()).await.unwrap();
    for number in 1..=50 {
        store.commit(step(number, 0)).durably().await.unwrap();
    }
    let mut stranger = database.client().await;
    // it has done more than the writer, so the writer is undone
    stranger.query_drop("BEGIN").await.unwrap();
    stranger.query_drop("UPDATE lamp SET tries = 7").await.unwrap();
    let waiting = store.commit(step(1, 1)).durably();
    let mut looking = database.client().await;
    let waits = "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'
        AND trx_mysql_thread_id IN (SELECT id FROM information_schema.processlist WHERE db = database())";
    while looking.query_first::<u64, _>(waits).await.unwrap() != Some(1) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let deadlocks = "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'Innodb_deadlocks'";
    let before = looking.query_first::<u64, _>(deadlocks).await.unwrap();
    stranger.query_drop("SELECT fact FROM standing FOR UPDATE").await.unwrap();
    stranger.query_drop("ROLLBACK").await.unwrap();
    assert!(looking.query_first::<u64, _>(deadlocks).await.unwrap() > before, "nothing was undone");
    assert_eq!(waiting.await, Ok(()));
    assert_eq!(log(&store).await.len(), 51);
}

/// What the wire between the store and its server does with the next commit.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    /// It is delivered, and its answer is lost.
    Answer,
    /// It is lost.
    Question,
    /// It is delivered when its sender has long lost the connection.
    Late,
}
/// A wire to the server that is cut at the next commit, if so armed.
async fn wire(armed: Arc<Mutex<Option<Cut>>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let at = mysql_async::Opts::from_url(&server()).unwrap().tcp_port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (armed, server) = (Arc::clone(&armed), TcpStream::connect(("127.0.0.1", at)).await.unwrap());
            tokio::spawn(async move {
                let ((mut hears, mut tells), (mut answers, mut asked)) = (client.into_split(), server.into_split());
                let back = tokio::spawn(async move { tokio::io::copy(&mut answers, &mut tells).await });
                let mut bytes = [0; 65536];
                while let Ok(n @ 1..) = hears.read(&mut bytes).await {
                    let commits = bytes[..n].ends_with(b"\x03COMMIT");
                    match commits.then(|| armed.lock().unwrap().take()).flatten() {
                        None => drop(asked.write_all(&bytes[..n]).await),
                        Some(cut) => {
                            back.abort();
                            let _ = back.await; // from here on nothing comes back
                            if cut == Cut::Late {
                                drop(hears);
                                tokio::time::sleep(Duration::from_millis(700)).await;
                            }
                            if cut != Cut::Question {
                                let _ = asked.write_all(&bytes[..n]).await;
                                tokio::time::sleep(Duration::from_millis(100)).await;
                            }
                            return;
                        }
                    }
                }
            });
        }
    });
    port
}

/// A commit is asked for and the wire is cut: whoever asked is told what became of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_answered_by_what_became_of_it() {
    let (database, armed) = (Database::fresh(), Arc::new(Mutex::new(None)));
    let port = wire(Arc::clone(&armed)).await;
    let at = mysql_async::Opts::from_url(&database.url).unwrap().tcp_port();
    let url = database.url.replace(&format!(":{at}/"), &format!(":{port}/"));
    let store = MysqlStore::open(&url, suite::layout(), "lamps").await.unwrap();
    let mut made = 0;
    for (cut, is_made) in [(Cut::Answer, true), (Cut::Question, false), (Cut::Late, true), (Cut::Question, false)] {
        *armed.lock().unwrap() = Some(cut);
        let (change, stale) = (store.commit(step(1, made)), store.commit(step(1, made + 7)));
        let (change, stale) = (change.durably().await, stale.durably().await);
        assert_eq!(change.is_ok(), is_made, "{cut:?}: {change:?}");
        // in whatever group it was
        assert!(stale == Err(StoreError::Contended) || (!is_made && stale.is_err()), "{cut:?}: {stale:?}");
        made += u64::from(is_made);
        assert_eq!(*armed.lock().unwrap(), None, "nothing was cut");
        let there = store.load("lamp", 1).await.unwrap().map_or(0, |lamp| lamp.revision);
        assert_eq!((there, log(&store).await.len() as u64), (made, made), "{cut:?}");
    }
}

/// A snapshot may have a later commit without an earlier one: so nothing is read beyond what was known when it was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_fact_is_read_only_once_all_before_it_are_known_to_be_there() {
    let database = Database::fresh();
    let store = database.store(suite::layout()).await.unwrap();
    store.commit(step(1, 0)).durably().await.unwrap();
    let mut stranger = database.client().await;
    for table in ["journal", "lamp"] {
        stranger.query_drop(format!("CREATE TABLE one AS SELECT * FROM {table}")).await.unwrap();
        stranger.query_drop("UPDATE one SET seq = 3, number = 3").await.unwrap();
        stranger.query_drop(format!("INSERT INTO {table} SELECT * FROM one")).await.unwrap();
        stranger.query_drop("DROP TABLE one").await.unwrap();
    }
    let facts = || async { log(&store).await.iter().map(|fact| fact.seq).collect::<Vec<_>>() };
    let rows = || async { store.changed("lamp", 0, 9).await.unwrap().iter().map(|row| row.seq).collect::<Vec<_>>() };
    assert_eq!((facts().await, rows().await), (vec![1], vec![1]));
    assert_eq!(store.tail(1, 9).await, Ok(vec![]));
    stranger.query_drop("UPDATE standing SET fact = 3, `write` = 3").await.unwrap();
    assert_eq!(store.tail(1, 9).await.unwrap().len(), 1, "whoever is at the end looks for more");
    assert_eq!((facts().await, rows().await), (vec![1, 3], vec![1, 3]));
}

/// Such a server shows a commit before it is on disk. What another process wrote is not told before it is.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_wrote_is_told_when_it_is_on_disk() {
    let database = Database::fresh();
    let (one, other) = (database.store(suite::layout()).await.unwrap(), database.store(suite::layout()).await.unwrap());
    let mut looking = database.client().await;
    for n in 0..20 {
        let before = looking.query_first::<u64, _>("SELECT times FROM flushed").await.unwrap();
        one.commit(step(1, n)).durably().await.unwrap();
        let read = other.load("lamp", 1).await.unwrap().unwrap();
        assert!(read.revision == n + 1 && *other.newest_write().borrow() >= read.seq, "it was told too early");
        assert!(
            looking.query_first::<u64, _>("SELECT times FROM flushed").await.unwrap() > before,
            "it was taken to disk by nobody"
        );
    }
}
