//! What SQLite adds to the suite: the file, its errors, the view for people.
use super::*;
use jumun_store::{Marks, Write, suite};
use tempfile::TempDir;

struct Folder(TempDir);
impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }
    fn file(&self) -> PathBuf {
        self.0.path().join("data/lamps.db")
    }
    fn open(&self) -> SqliteStore {
        self.open_with(suite::layout()).expect("it opens")
    }
    fn open_with(&self, layout: Layout) -> Result<SqliteStore, OpenError> {
        SqliteStore::open(self.file(), layout, "lamps")
    }
    /// Another program that looks into the file, or meddles with it.
    fn look(&self) -> Connection {
        Connection::open(self.file()).expect("the file opens")
    }
}
impl suite::Place for Folder {
    fn open(&self, layout: Layout) -> Waiting<'_, Arc<dyn Store>> {
        let store = self.open_with(layout).map_err(|error| StoreError::Unavailable(error.to_string()));
        done(store.map(|store| Arc::new(store) as Arc<dyn Store>))
    }
}

fn lamp(number: u64, expected: u64) -> Write {
    let body = Arc::from(format!(r#"{{"id":{number},"room":"kitchen","colour":null,"big":true,"rule":{{"x":1}}}}"#));
    let (version, keys, at) = (expected + 1, vec![Some("kitchen".into()), None], Timestamp::EPOCH);
    Write {
        table: "lamp",
        number,
        expected,
        version,
        listed: true,
        body,
        at,
        keys,
        attempt: None,
        moment: None,
        marks: Marks::new(),
    }
}
fn one(write: Write) -> Change {
    Change { writes: vec![write], ..Change::default() }
}
fn said(number: u64) -> Fact {
    let text = Arc::<str>::from("lamps");
    Fact {
        seq: 0,
        context: text.clone(),
        source: text.clone(),
        number,
        entry: false,
        version: 1,
        case: Case::new("lamp", number),
        name: text.clone(),
        public: true,
        at: Timestamp::EPOCH,
        by: text.clone(),
        cause: None,
        trace: None,
        body: text,
    }
}

#[tokio::test]
async fn it_passes_the_suite() {
    suite::all(Folder::new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_passes_the_suite_with_many_threads() {
    suite::all(Folder::new).await;
}

#[tokio::test]
async fn it_works_a_backlog_off() {
    suite::a_million_rows_of_backlog(&Folder::new(), 20_000, &mut |_| {}).await;
}

#[test]
fn a_place_that_can_not_be_written_is_said() {
    let folder = Folder::new();
    std::fs::write(folder.0.path().join("data"), "a file where the folder should be").unwrap();
    let error = folder.open_with(suite::layout()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
    assert!(error.to_string().contains("data/lamps.db can not be written"), "{error}");
}

#[test]
fn a_file_that_is_no_database_is_said_and_left_alone() {
    let folder = Folder::new();
    std::fs::create_dir(folder.0.path().join("data")).unwrap();
    let text = "Dear diary, today I sold four hundred lamps and a hall. ".repeat(100);
    std::fs::write(folder.file(), &text).unwrap();
    let error = folder.open_with(suite::layout()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(folder.file()).unwrap(), text);
}

#[tokio::test]
async fn a_file_that_was_cut_is_damaged() {
    let folder = Folder::new();
    let store = folder.open();
    for number in 1..200 {
        store.commit(one(lamp(number, 0)));
    }
    store.close().await.unwrap();
    let file = File::options().write(true).open(folder.file()).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    let error = folder.open_with(suite::layout()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[test]
fn a_file_of_a_newer_version_is_said_and_left_alone() {
    let folder = Folder::new();
    drop(folder.open());
    folder.look().execute("UPDATE meta SET value = '2' WHERE key = 'schema'", []).unwrap();
    let error = folder.open_with(vec![]).map(drop).unwrap_err();
    assert!(matches!(&error, OpenError::Newer { found, known: 1, .. } if found == "2"), "{error}");
}

#[test]
fn a_second_one_on_the_same_file_is_refused_until_the_first_is_gone() {
    let folder = Folder::new();
    let first = folder.open();
    let error = folder.open_with(suite::layout()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    drop(first);
    folder.open();
}

#[test]
fn the_data_of_another_is_said_and_left_alone() {
    let folder = Folder::new();
    drop(folder.open());
    let error = SqliteStore::open(folder.file(), suite::layout(), "halls").map(drop).unwrap_err();
    assert!(error.to_string().contains("holds the data of the context lamps, not of the context halls"), "{error}");
    let folder = Folder::new();
    std::fs::create_dir(folder.0.path().join("data")).unwrap();
    folder.look().execute_batch("CREATE TABLE journal(entry TEXT)").unwrap();
    let error = folder.open_with(suite::layout()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    let tables = folder.look().query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0));
    assert_eq!(tables, Ok(1));
}

#[test]
fn a_table_named_like_one_of_ours_is_refused() {
    let table = |name| Table { name, keys: &[], entries: true, fields: &[] };
    for layout in
        [vec![table("Journal")], vec![table("a"), table("a_entry")], vec![table("a"), table("A")], vec![table("sqlite_x")]]
    {
        let error = Folder::new().open_with(layout).map(drop).unwrap_err();
        assert!(matches!(error, OpenError::Layout { .. }), "{error}");
    }
}

#[tokio::test]
async fn people_read_the_table_with_plain_sql_while_it_runs() {
    let folder = Folder::new();
    let fields = &["id", "room", "colour", "big", "it's"];
    let shop = Table { name: "lampManagement", keys: &["room"], entries: false, fields };
    let store = folder.open_with(vec![shop]).unwrap();
    let write = |number| Write { table: "lampManagement", keys: vec![None], ..lamp(number, 0) };
    let hidden = Write { listed: false, ..write(8) };
    store.commit(Change { writes: vec![write(7), hidden], ..Change::default() }).durably().await.unwrap();
    let look = folder.look();
    let row = look.query_row(r#"SELECT id, room, colour, big, "it's" FROM LampManagement_table"#, [], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?, row.get::<_, bool>(3)?))
    });
    assert_eq!(row, Ok((7, "kitchen".into(), None, true)));
    let columns = look.prepare("SELECT * FROM LampManagement_table").unwrap().column_count();
    assert_eq!(columns, fields.len(), "one per field");
    drop(store);
    drop(folder.open_with(vec![Table { fields: &["room"], ..shop }]).unwrap());
    assert_eq!(folder.look().prepare("SELECT * FROM LampManagement_table").unwrap().column_count(), 2, "it follows the layout");
}

#[tokio::test]
async fn a_key_that_is_thought_of_later_finds_what_was_there_before() {
    let folder = Folder::new();
    let with = |keys| vec![Table { name: "lamp", keys, entries: false, fields: &[] }];
    let store = folder.open_with(with(&["room"])).unwrap();
    store.commit(one(Write { keys: vec![None], ..lamp(1, 0) })).durably().await.unwrap();
    drop(store);
    let store = folder.open_with(with(&["big", "id", "colour"])).unwrap();
    for (key, value, count) in [("big", "true", 1), ("id", "1", 1), ("colour", "", 0)] {
        let query = Query { matching: vec![(key, value.into())], limit: 9, ..Query::default() };
        assert_eq!(store.find("lamp", &query).await.unwrap().total, count, "{key}");
    }
    drop(store);
    folder.open_with(with(&["colour", "room"])).unwrap();
}

#[tokio::test]
async fn an_orderly_stop_leaves_no_gap_in_the_numbers() {
    let folder = Folder::new();
    for number in 1..=3 {
        let store = folder.open();
        assert_eq!(store.reserve("lamp").await, Ok(number));
        if number == 2 {
            store.close().await.unwrap();
        }
    }
}

/// Makes these changes as one group, in a file that was trapped with this SQL.
fn in_one_group(folder: &Folder, trap: &str, changes: Vec<Change>) -> Vec<Committing> {
    drop(folder.open());
    let (db, layout) = (folder.look(), suite::layout());
    db.execute_batch(trap).unwrap();
    let standing = schema::standing(&db, &layout).unwrap();
    let shared = Arc::new(Shared::new(&standing, vec![0; layout.len()]));
    let mut writer = writer::Writer::new(&db, &layout, standing, &shared).unwrap();
    let job = |change| {
        let (tell, committing) = Committing::pair();
        (Job::Commit(Box::new(change), tell), committing)
    };
    let (jobs, committing) = changes.into_iter().map(job).unzip();
    writer.settle(jobs);
    committing
}
fn with_fact(number: u64) -> Change {
    Change { facts: vec![said(number)], ..one(lamp(number, 0)) }
}

#[tokio::test]
async fn a_change_that_the_file_does_not_take_fails_alone() {
    let folder = Folder::new();
    let trap = "CREATE TRIGGER trap BEFORE INSERT ON journal WHEN NEW.number = 13 BEGIN SELECT RAISE(FAIL, 'no'); END";
    let too_large = one(lamp(u64::MAX - 1, 0));
    let [before, it, too_large, after] =
        in_one_group(&folder, trap, vec![with_fact(12), with_fact(13), too_large, with_fact(14)]).try_into().ok().unwrap();
    assert_eq!((before.durably().await, after.durably().await), (Ok(()), Ok(())));
    assert!(matches!(it.durably().await, Err(StoreError::Damaged(_))));
    assert!(matches!(too_large.durably().await, Err(StoreError::Damaged(_))));
    let store = folder.open();
    assert_eq!(store.load("lamp", 13).await, Ok(None));
    let log = store.tail(0, 9).await.unwrap();
    assert_eq!(log.iter().map(|fact| (fact.seq, fact.number)).collect::<Vec<_>>(), [(1, 12), (2, 14)]);
    let query = Query { limit: 9, ..Query::default() };
    assert_eq!(store.find("lamp", &query).await.unwrap().total, 2);
}

#[tokio::test]
async fn a_group_whose_commit_fails_fails_as_a_whole() {
    let folder = Folder::new();
    let trap = "CREATE TABLE trapped(y PRIMARY KEY);
        CREATE TABLE trap(x REFERENCES trapped(y) DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER trap_ AFTER INSERT ON lamp WHEN NEW.number = 13 BEGIN INSERT INTO trap VALUES (1); END";
    for change in in_one_group(&folder, trap, vec![with_fact(12), with_fact(13), with_fact(14)]) {
        let answer = change.durably().await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    let store = folder.open();
    assert_eq!((store.load("lamp", 12).await, store.tail(0, 9).await), (Ok(None), Ok(vec![])));
    assert!(matches!(store.commit(with_fact(13)).durably().await, Err(StoreError::Unavailable(_))));
    assert_eq!(store.commit(with_fact(14)).durably().await, Ok(()), "the next one is made");
    assert_eq!(store.tail(0, 9).await.unwrap().iter().map(|fact| fact.seq).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn a_reader_that_falls_behind_reads_the_file_and_one_that_keeps_up_does_not() {
    let folder = Folder::new();
    let store = folder.open();
    let facts = RECENT as u64 + 1_000;
    for number in 1..=facts {
        store.commit(Change { facts: vec![said(number)], ..Change::default() });
    }
    store.newest_fact().wait_for(|newest| *newest == facts).await.unwrap();
    assert_eq!(store.shared.tail(999, 5), None);
    for after in [0, 998, 999, 1_000, 1_001, facts - 3] {
        let tail = store.tail(after, 5).await.unwrap();
        let expected = (after + 1..=facts).take(5).collect::<Vec<_>>();
        assert_eq!(tail.iter().map(|fact| fact.seq).collect::<Vec<_>>(), expected);
    }
    assert_eq!(store.shared.tail(1_000, 5).map(|facts| facts.len()), Some(5));
    assert_eq!(store.shared.tail(facts + 7, 5), Some(vec![]));
}

#[test]
fn every_search_goes_by_an_index() {
    let folder = Folder::new();
    let store = folder.open();
    let look = folder.look();
    let Texts { load, entry, changed, due, moments, next_due, .. } = &store.tables[1];
    let by_key = r#"SELECT body FROM lamp WHERE listed = 1 AND "key_room" = ?1 ORDER BY "key_room", number LIMIT 1"#.to_owned();
    let count = r#"SELECT count(*) FROM lamp WHERE listed = 1 AND "key_room" = ?1"#.to_owned();
    for text in [load, entry, changed, due, moments, next_due, &by_key, &count] {
        let text = format!("EXPLAIN QUERY PLAN {text}");
        let mut plan = look.prepare(&text).unwrap();
        let count = plan.parameter_count();
        let plan = plan.query_map(rusqlite::params_from_iter(vec![1; count]), |row| row.get::<_, String>(3)).unwrap();
        let plan = plan.collect::<Result<Vec<_>, _>>().unwrap();
        let by_hand = |step: &&String| step.starts_with("SCAN ") && !step.contains("INDEX") && !step.contains("asked");
        let slow = |step: &&String| by_hand(step) || step.contains("TEMP B-TREE");
        assert_eq!(plan.iter().find(slow), None, "{text}: {plan:?}");
    }
}
