#![doc = include_str!("../README.md")]
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use jumun_model::{Case, Timestamp};
use jumun_store::{
    Aside, Change, Claim, Committing, Document, Entry, Fact, Layout, Numbers, Page, Position, Query, Store, StoreError,
    StoreResult, Table, Waiting, done,
    sql::{self, quoted},
};
use rows::{sought, why};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Params, Row, params};
use schema::{Standing, failed};
use std::{
    collections::VecDeque,
    ffi::OsString,
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::{oneshot, watch};
use writer::Job;

/// Why a store can not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or the file.
    #[error(
        "{path} can not be written: its folder must exist, have room, and belong to the account that runs this program ({why})"
    )]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// It is no database, or one that is broken.
    #[error("{path} is damaged or is no database file: restore it from a backup, or move it away to begin anew ({why})")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        why: String,
    },
    /// A newer version of the program wrote it.
    #[error(
        "{path} was written by a newer version of this program (schema {found}, this one knows up to {known}): run that version"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: String,
        /// The newest schema that this version knows.
        known: u32,
    },
    /// Another store has it open.
    #[error("{path} is in use by another process of this program: stop that one first, or choose another data folder")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It belongs to something else.
    #[error("{path} holds the data of {found}, not of the context {wanted}: check the data folder's path")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        wanted: String,
    },
    /// Two things of the layout would have one name in the file. A defect of the wiring.
    #[error("the table {table} can not be kept: the name {name} is taken in every database file")]
    Layout {
        /// The table.
        table: &'static str,
        /// The name.
        name: String,
    },
    /// Anything else.
    #[error("{path} can not be opened: {why}")]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
}

/// How many of the newest facts are kept in memory, for readers that keep up.
const RECENT: usize = 8_192;
/// How many idle connections are kept for readers.
const READERS: usize = 4;
/// What a connection may keep in memory, in KiB (negative, as SQLite has it): new rows stand at the end of each table, so little is read twice.
const WRITER_CACHE: i64 = -8_192;
const READER_CACHE: i64 = -2_048;

/// A store in one SQLite file. It belongs to one process, and to one value of this type.
pub struct SqliteStore {
    path: PathBuf,
    tables: Vec<Texts>,
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
    numbers: Numbers,
    /// Connections that read nothing just now; none once it is closed.
    readers: Mutex<Option<Vec<Connection>>>,
    /// The thread that writes, and the lock on the file.
    held: Mutex<Option<(JoinHandle<()>, File)>>,
}

/// What the writer tells the readers.
struct Shared {
    /// Per table of the layout, a number above which there is surely no document.
    highest: Vec<AtomicU64>,
    recent: RwLock<Recent>,
    newest_fact: watch::Sender<u64>,
    newest_write: watch::Sender<u64>,
}
struct Recent {
    newest: u64,
    facts: VecDeque<Fact>,
}
impl Shared {
    fn new(standing: &Standing, highest: Vec<u64>) -> Self {
        Shared {
            highest: highest.into_iter().map(AtomicU64::new).collect(),
            recent: RwLock::new(Recent { newest: standing.fact, facts: VecDeque::new() }),
            newest_fact: watch::Sender::new(standing.fact),
            newest_write: watch::Sender::new(standing.write),
        }
    }
    fn publish(&self, facts: Vec<Fact>, standing: &Standing) {
        if !facts.is_empty() {
            let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
            recent.newest = standing.fact;
            recent.facts.extend(facts);
            let old = recent.facts.len().saturating_sub(RECENT);
            recent.facts.drain(..old);
        }
        let moved = |newest: &mut u64, to| std::mem::replace(newest, to) != to;
        self.newest_fact.send_if_modified(|newest| moved(newest, standing.fact));
        self.newest_write.send_if_modified(|newest| moved(newest, standing.write));
    }
    /// From memory, if what follows `after` is still there.
    fn tail(&self, after: u64, limit: usize) -> Option<Vec<Fact>> {
        let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
        let kept = recent.newest - recent.facts.len() as u64;
        let skip = match after >= recent.newest {
            true => recent.facts.len(),
            false => usize::try_from(after.checked_sub(kept)?).ok()?,
        };
        Some(recent.facts.iter().skip(skip).take(limit).cloned().collect())
    }
}

/// What is read of one table.
struct Texts {
    table: Table,
    load: String,
    entry: String,
    changed: String,
    due: String,
    moments: String,
    next_due: String,
    owing: String,
    overdue: String,
}
impl Texts {
    fn new(table: Table) -> Self {
        let (t, e, document) = (quoted(table.name), sql::entries(table.name), rows::DOCUMENT);
        Texts {
            table,
            load: format!("SELECT {document} FROM {t} WHERE number = ?1"),
            entry: format!(
                "SELECT case_root, case_number, version, revision, marks, body FROM {e}
                 WHERE number = ?1 AND case_root = ?2 AND case_number = ?3"
            ),
            changed: format!("SELECT {document} FROM {t} WHERE listed = 1 AND seq > ?1 ORDER BY seq LIMIT ?2"),
            due: format!(r#"SELECT number FROM {t} WHERE "of" = ?1 AND due <= ?2 ORDER BY due, number LIMIT ?3"#),
            moments: format!("SELECT number FROM {t} WHERE moment IS NOT NULL AND moment <= ?1 ORDER BY moment, number LIMIT ?2"),
            // hops from one asked to the next, as there are few of them and may be many who ask
            next_due: format!(
                r#"WITH RECURSIVE asked(name) AS (
                     SELECT min("of") FROM {t} WHERE "of" IS NOT NULL
                     UNION ALL SELECT (SELECT min("of") FROM {t} WHERE "of" > asked.name) FROM asked WHERE asked.name IS NOT NULL)
                   SELECT min(due) FROM (
                     SELECT (SELECT min(due) FROM {t} WHERE "of" = asked.name) AS due FROM asked WHERE asked.name IS NOT NULL
                     UNION ALL SELECT min(moment) FROM {t} WHERE moment IS NOT NULL)"#
            ),
            owing: format!(r#"SELECT count(*) FROM {t} WHERE "of" IS NOT NULL"#),
            overdue: format!(
                r#"SELECT (SELECT count(*) FROM {t} WHERE "of" IS NOT NULL AND due <= ?1)
                   + (SELECT count(*) FROM {t} WHERE moment IS NOT NULL AND moment <= ?1)"#
            ),
        }
    }
}

fn closed<T>() -> StoreResult<T> {
    Err(StoreError::Unavailable("it is closed".into()))
}
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
fn all<T>(db: &Connection, sql: &str, values: impl Params, each: fn(&Row) -> rusqlite::Result<T>) -> rusqlite::Result<Vec<T>> {
    db.prepare_cached(sql)?.query_map(values, each)?.collect()
}
fn one<T>(db: &Connection, sql: &str, values: impl Params, each: fn(&Row) -> rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    db.prepare_cached(sql)?.query_row(values, each).optional()
}
fn number(row: &Row) -> rusqlite::Result<u64> {
    rows::int(row.get::<_, i64>(0)?)
}
fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

impl SqliteStore {
    /// Opens the file, or makes it, with the folders above it.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing is left open then.
    pub fn open(path: impl AsRef<Path>, layout: Layout, context: &str) -> Result<Self, OpenError> {
        let path = path.as_ref().to_owned();
        let lock = lock(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(&path, flags).map_err(|e| failed(&path, e))?;
        schema::prepare(&mut db, &path, context, &layout)?;
        let standing = configure(&db).and_then(|()| schema::standing(&db, &layout)).map_err(|e| failed(&path, e))?;
        let highest = schema::highest(&db, &layout).map_err(|e| failed(&path, e))?;
        let shared = Arc::new(Shared::new(&standing, highest));
        let (jobs, waiting) = mpsc::channel();
        let (tables, shares) = (layout.iter().copied().map(Texts::new).collect(), shared.clone());
        let write = move || writer::run(&db, &layout, standing, &shares, &waiting);
        let thread = std::thread::Builder::new().name(format!("store {context}")).spawn(write);
        let thread = thread.map_err(|e| OpenError::Failed { path: path.clone(), why: e.to_string() })?;
        Ok(SqliteStore {
            path,
            tables,
            shared,
            jobs,
            numbers: Numbers::default(),
            readers: Mutex::new(Some(Vec::new())),
            held: Mutex::new(Some((thread, lock))),
        })
    }

    fn table(&self, name: &'static str) -> StoreResult<&Texts> {
        let unknown = || StoreError::Damaged(format!("its layout has no table {name}"));
        self.tables.iter().find(|texts| texts.table.name == name).ok_or_else(unknown)
    }
    /// Whether there is surely no such document yet: a look that most first facts of a case are spared.
    fn beyond(&self, table: &'static str, number: u64) -> bool {
        let place = self.tables.iter().position(|texts| texts.table.name == table);
        place.is_some_and(|place| number > self.shared.highest[place].load(Ordering::Acquire))
    }
    fn reader(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&self.path, flags)?;
        db.busy_timeout(Duration::from_secs(5))?;
        db.pragma_update(None, "query_only", true)?;
        db.pragma_update(None, "cache_size", READER_CACHE)?;
        db.set_prepared_statement_cache_capacity(256);
        Ok(db)
    }
    fn read<'a, T: Send + 'a>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Waiting<'a, T> {
        let idle = match &mut *locked(&self.readers) {
            None => return done(closed()),
            Some(idle) => idle.pop(),
        };
        let answer = idle.map_or_else(|| self.reader(), Ok).and_then(|db| {
            let answer = read(&db)?;
            if let Some(idle) = locked(&self.readers).as_mut().filter(|idle| idle.len() < READERS) {
                idle.push(db);
            }
            Ok(answer)
        });
        done(answer.map_err(|error| why(&error)))
    }
    fn read_table<'a, T: Send + 'a>(
        &self,
        table: &'static str,
        read: impl FnOnce(&Connection, &Texts) -> rusqlite::Result<T>,
    ) -> Waiting<'a, T> {
        match self.table(table) {
            Ok(texts) => self.read(|db| read(db, texts)),
            Err(error) => done(Err(error)),
        }
    }
    fn send<T>(&self, job: impl FnOnce(oneshot::Sender<StoreResult<T>>) -> Job) -> oneshot::Receiver<StoreResult<T>> {
        let (tell, told) = oneshot::channel();
        let _ = self.jobs.send(job(tell)); // a writer that is gone drops the sender, and that is the answer
        told
    }
    fn ask<'a>(&self, job: impl FnOnce(oneshot::Sender<StoreResult<()>>) -> Job) -> Waiting<'a, ()> {
        let told = self.send(job);
        Box::pin(async move { told.await.unwrap_or_else(|_| closed()) })
    }
    /// No more reads; the writer finishes what it has.
    fn begin_to_close(&self) -> oneshot::Receiver<StoreResult<()>> {
        locked(&self.readers).take();
        let unused = self.numbers.unused();
        self.send(|tell| Job::Close(unused, tell))
    }
    /// The writer is gone, then the lock.
    fn end(&self) {
        if let Some((thread, lock)) = locked(&self.held).take() {
            let _ = thread.join();
            drop(lock);
        }
    }
}

impl Drop for SqliteStore {
    /// Closes it, and waits for the writer.
    fn drop(&mut self) {
        drop(self.begin_to_close());
        self.end();
    }
}

/// The lock that makes the file this process's, beside it.
fn lock(path: &Path) -> Result<File, OpenError> {
    let denied = |e: std::io::Error| OpenError::NotWritable { path: path.to_owned(), why: e.to_string() };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(denied)?;
    }
    let mut beside = OsString::from(path);
    beside.push(".lock");
    let lock = File::options().create(true).truncate(false).write(true).open(beside).map_err(denied)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(e)) => Err(OpenError::Failed { path: path.to_owned(), why: e.to_string() }),
    }
}

/// After the file is known to be ours.
fn configure(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(Duration::from_secs(5))?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update(None, "wal_autocheckpoint", 16_384)?;
    db.pragma_update(None, "journal_size_limit", 64 << 20)?;
    db.pragma_update(None, "cache_size", WRITER_CACHE)
}

impl Store for SqliteStore {
    fn commit(&self, change: Change) -> Committing {
        let (tell, committing) = Committing::pair();
        self.numbers.hand_over(change, |change| drop(self.jobs.send(Job::Commit(Box::new(change), tell))));
        committing
    }
    fn load<'a>(&'a self, table: &'static str, number: u64) -> Waiting<'a, Option<Document>> {
        match self.beyond(table, number) {
            true if locked(&self.readers).is_some() => done(Ok(None)),
            _ => self.read_table(table, |db, texts| one(db, &texts.load, [sought(number)], rows::document)),
        }
    }
    fn load_entry<'a>(&'a self, table: &'static str, number: u64, case: &'a Case) -> Waiting<'a, Option<Entry>> {
        self.read_table(table, |db, texts| match texts.table.entries {
            true => one(db, &texts.entry, params![sought(number), case.root, sought(case.number)], rows::entry),
            false => Ok(None),
        })
    }
    fn find<'a>(&'a self, table: &'static str, query: &'a Query) -> Waiting<'a, Page> {
        let Query { matching, newest_first, by, offset, limit, after, unlisted } = query;
        let keys = match self.table(table) {
            Ok(texts) => texts.table.keys,
            Err(error) => return done(Err(error)),
        };
        if let Some(key) = matching.iter().map(|(key, _)| key).chain(by).find(|key| !keys.contains(key)) {
            return done(Err(StoreError::Damaged(format!("{table} has no key {key}"))));
        }
        let (t, direction) = (quoted(table), if *newest_first { "DESC" } else { "ASC" });
        let matches = matching.iter().zip(1..).map(|((key, _), n)| format!(" AND {} = ?{n}", sql::key(key))).collect::<String>();
        let values = matching.iter().map(|(_, value)| value);
        let order = by.map_or_else(String::new, |by| format!("{} {direction}, ", sql::key(by)));
        let listed = if *unlisted { "" } else { " AND listed = 1" };
        let (limit, offset, after) = (sought(*limit), sought(*offset), sought(*after));
        let n = matching.len();
        let rows = format!(
            "SELECT {} FROM {t} WHERE number > ?{}{listed}{matches} ORDER BY {order}number {direction} LIMIT ?{} OFFSET ?{}",
            rows::DOCUMENT,
            n + 1,
            n + 2,
            n + 3
        );
        self.read(|db| {
            let moment = db.unchecked_transaction()?;
            let total = match matches.is_empty() {
                true => one(db, "SELECT listed FROM counts WHERE name = ?1", [table], number)?,
                false => {
                    let count = format!("SELECT count(*) FROM {t} WHERE listed = 1{matches}");
                    one(db, &count, rusqlite::params_from_iter(values.clone()), number)?
                }
            };
            let mut find = db.prepare_cached(&rows)?;
            for (value, n) in values.zip(1..) {
                find.raw_bind_parameter::<usize, _>(n, value)?;
            }
            for (value, n) in [after, limit, offset].into_iter().zip(n + 1..) {
                find.raw_bind_parameter(n, value)?;
            }
            let rows = find.raw_query().mapped(rows::document).collect::<rusqlite::Result<_>>()?;
            drop(find);
            moment.finish()?;
            Ok(Page { rows, total: total.unwrap_or_default() })
        })
    }
    fn changed<'a>(&'a self, table: &'static str, after: u64, limit: usize) -> Waiting<'a, Vec<Document>> {
        self.read_table(table, |db, texts| all(db, &texts.changed, [sought(after), most(limit)], rows::document))
    }
    fn due<'a>(&'a self, table: &'static str, of: &'a str, until: Timestamp, limit: usize) -> Waiting<'a, Vec<u64>> {
        self.read_table(table, |db, texts| all(db, &texts.due, params![of, until.millis(), most(limit)], number))
    }
    fn moments<'a>(&'a self, table: &'static str, until: Timestamp, limit: usize) -> Waiting<'a, Vec<u64>> {
        self.read_table(table, |db, texts| all(db, &texts.moments, [until.millis(), most(limit)], number))
    }
    fn next_due<'a>(&'a self, table: &'static str) -> Waiting<'a, Option<Timestamp>> {
        self.read_table(table, |db, texts| {
            Ok(one(db, &texts.next_due, [], |row| row.get::<_, Option<i64>>(0))?.flatten().map(Timestamp::from_millis))
        })
    }
    fn owing<'a>(&'a self, table: &'static str) -> Waiting<'a, u64> {
        self.read_table(table, |db, texts| Ok(one(db, &texts.owing, [], number)?.unwrap_or_default()))
    }
    fn overdue<'a>(&'a self, table: &'static str, until: Timestamp) -> Waiting<'a, u64> {
        self.read_table(table, |db, texts| Ok(one(db, &texts.overdue, [until.millis()], number)?.unwrap_or_default()))
    }
    fn tail<'a>(&'a self, after: u64, limit: usize) -> Waiting<'a, Vec<Fact>> {
        if locked(&self.readers).is_none() {
            return done(closed());
        }
        if let Some(facts) = self.shared.tail(after, limit) {
            return done(Ok(facts));
        }
        let tail = format!("SELECT {} FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2", rows::FACT);
        self.read(|db| all(db, &tail, [sought(after), most(limit)], rows::fact))
    }
    fn story<'a>(&'a self, case: &'a Case) -> Waiting<'a, Vec<Fact>> {
        let story = format!("SELECT {} FROM journal WHERE case_root = ?1 AND case_number = ?2 ORDER BY seq", rows::FACT);
        self.read(|db| all(db, &story, params![case.root, sought(case.number)], rows::fact))
    }
    fn position<'a>(&'a self, reader: &'a str, publisher: &'a str) -> Waiting<'a, Option<Position>> {
        let position = "SELECT seq, id FROM position WHERE reader = ?1 AND publisher = ?2";
        self.read(|db| one(db, position, [reader, publisher], rows::position))
    }
    fn claimed<'a>(&'a self, key: &'a str) -> Waiting<'a, Option<Claim>> {
        let claimed = "SELECT key, fingerprint, case_root, case_number, at FROM claims WHERE key = ?1";
        self.read(|db| one(db, claimed, [key], rows::claim))
    }
    fn forget_claims<'a>(&'a self, before: Timestamp) -> Waiting<'a, ()> {
        self.ask(|tell| Job::Forget(before, tell))
    }
    fn asides<'a>(&'a self) -> Waiting<'a, Vec<Aside>> {
        self.read(|db| all(db, "SELECT n, reader, fact, why, since FROM aside ORDER BY n", [], rows::aside))
    }
    fn set_aside<'a>(&'a self) -> Waiting<'a, u64> {
        self.read(|db| Ok(one(db, "SELECT count(*) FROM aside", [], number)?.unwrap_or_default()))
    }
    fn reserve<'a>(&'a self, table: &'static str) -> Waiting<'a, u64> {
        if let Err(error) = self.table(table) {
            return done(Err(error));
        }
        Box::pin(self.numbers.reserve(table, move || self.send(|tell| Job::Numbers(table, tell))))
    }
    fn newest_fact(&self) -> watch::Receiver<u64> {
        self.shared.newest_fact.subscribe()
    }
    fn newest_write(&self) -> watch::Receiver<u64> {
        self.shared.newest_write.subscribe()
    }
    fn release_leases<'a>(&'a self, now: Timestamp) -> Waiting<'a, ()> {
        self.ask(|tell| Job::Release(now, tell))
    }
    fn close<'a>(&'a self) -> Waiting<'a, ()> {
        Box::pin(async move {
            if locked(&self.held).is_none() {
                return Ok(());
            }
            let answer = self.begin_to_close().await.unwrap_or(Ok(()));
            self.end();
            answer
        })
    }
}
