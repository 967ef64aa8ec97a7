#![doc = include_str!("../README.md")]
mod rows;
mod schema;
mod server;
mod sheet;
#[cfg(all(test, feature = "server"))]
mod tests;
mod writer;

use deadpool::managed::Pool;
use jumun_model::{Case, Timestamp};
use jumun_store::{
    Aside, Change, Claim, Committing, Document, Entry, Fact, Layout, Numbers, Page, Position, Query, Store, StoreError,
    StoreResult, Table, Waiting,
    group::{Job, Jobs, Newest},
    sql::{self, quoted},
};
use mysql_async::{Error, Row, Value};
use rows::{int, kept, time};
use server::{Lent, PATIENCE, PAUSE, Server, is_lost};
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};
use writer::Writer;

/// Why a store can not be opened. None of these sentences has a password in it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL can not be read.
    #[error("{0} is no mysql URL, such as mysql://user@host:3306/database")]
    Url(String),
    /// Nobody answers there, or not to us.
    #[error("MariaDB at {at} can not be reached: {why}")]
    Unreachable {
        /// Host and port.
        at: String,
        /// What was said.
        why: String,
    },
    /// A setting without which it can not be relied upon.
    #[error("the server's {setting} is {found} and must be {wanted}")]
    Unfit {
        /// The setting.
        setting: &'static str,
        /// What it is.
        found: i64,
        /// What it must be, and why.
        wanted: &'static str,
    },
    /// A newer version of the program wrote it.
    #[error(
        "the database was written by a newer version of this program ({found}, this one knows up to {known}): run that version"
    )]
    Newer {
        /// Its schema.
        found: String,
        /// The newest that this version knows.
        known: i32,
    },
    /// It belongs to something else.
    #[error("the database {wanted} holds the tables of {found}: choose another one")]
    Foreign {
        /// Whose it is.
        found: String,
        /// Which one.
        wanted: String,
    },
    /// Two things of the layout would have one name. A defect of the wiring.
    #[error("the table {table} can not be kept: the name {name} is taken in every database")]
    Layout {
        /// The table.
        table: &'static str,
        /// The name.
        name: String,
    },
    /// Anything else.
    #[error("the database can not be brought up to date: {why}")]
    Failed {
        /// What the server said.
        why: String,
    },
}

/// How often to look for what other processes wrote.
const LOOK: Duration = Duration::from_millis(50);

/// A store in one database of a MariaDB or MySQL server. Any number of processes may share it.
pub struct MysqlStore {
    layout: Layout,
    pool: Pool<Server>,
    newest: Arc<Newest>,
    jobs: mpsc::UnboundedSender<Job>,
    numbers: Numbers,
    closed: AtomicBool,
    /// Looks for what other processes write; it ends with the store.
    listener: tokio::task::JoinHandle<()>,
}

fn closed<T>() -> StoreResult<T> {
    Err(StoreError::Unavailable("it is closed".into()))
}

impl MysqlStore {
    /// Opens the context's database, or makes it: that of the URL, an underscore, and the context's name.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing is left open then.
    pub async fn open(url: &str, layout: Layout, context: &'static str) -> Result<Self, OpenError> {
        // a URL may have a password in it, and is not repeated
        let (server, database) = Server::read(url).ok_or_else(|| OpenError::Url("this".into()))?;
        let database = format!("{database}_{context}");
        let mut client =
            server.connect().await.map_err(|why| OpenError::Unreachable { at: server.at(), why: server::told(&why) })?;
        let packet = schema::prepare(&mut client, &database, &layout).await?;
        let server = server.within(&database);
        let failed = |why: Error| OpenError::Failed { why: server::told(&why) };
        let newest = Arc::new(Newest::new(server::standing(&mut client).await.map_err(failed)?));
        let id = writer::enrol(&mut client).await.map_err(failed)?; // a commit: what was just seen is on disk
        let pool = server.pool().map_err(|why| OpenError::Failed { why })?;
        let (jobs, waiting) = mpsc::unbounded_channel();
        let listener = tokio::spawn(listen(server.clone(), Arc::clone(&newest)));
        let (of_writer, client) = (Arc::new(layout.clone()), Some(client));
        let writer = Writer { server, layout: of_writer, newest: Arc::clone(&newest), client, id, begun: 0, room: packet / 2 };
        tokio::spawn(writer.run(Jobs::new(waiting)));
        let (numbers, closed) = (Numbers::default(), AtomicBool::new(false));
        Ok(MysqlStore { layout, pool, newest, jobs, numbers, closed, listener })
    }

    fn table(&self, name: &str) -> StoreResult<&Table> {
        let unknown = || StoreError::Damaged(format!("its layout has no table {name}"));
        self.layout.iter().find(|table| table.name == name).ok_or_else(unknown)
    }
    async fn lend(&self) -> StoreResult<Lent> {
        if self.closed.load(Ordering::Acquire) {
            return closed();
        }
        Lent::from(&self.pool).await
    }
    async fn all<T>(&self, sql: &str, values: Vec<Value>, each: fn(&Row) -> StoreResult<T>) -> StoreResult<Vec<T>> {
        let mut again = true;
        loop {
            let mut lent = self.lend().await?;
            match tokio::time::timeout(PATIENCE, server::rows(lent.client(), sql, values.clone())).await {
                Ok(Ok(rows)) => {
                    lent.give_back();
                    return rows.iter().map(each).collect();
                }
                // a connection that was idle while its server restarted; the others were too
                Ok(Err(why)) if is_lost(&why) && again => {
                    again = false;
                    self.pool.retain(|_, _| false);
                }
                Ok(Err(error)) => return Err(server::why(&error)),
                Err(_) => return Err(StoreError::Unavailable("no answer in time".into())),
            }
        }
    }
    async fn one<T>(&self, sql: &str, values: Vec<Value>, each: fn(&Row) -> StoreResult<T>) -> StoreResult<Option<T>> {
        Ok(self.all(sql, values, each).await?.into_iter().next())
    }
    async fn of<T>(
        &self,
        table: &str,
        sql: impl FnOnce(&str) -> String,
        values: Vec<Value>,
        each: fn(&Row) -> StoreResult<T>,
    ) -> StoreResult<Vec<T>> {
        self.table(table)?;
        self.all(&sql(&quoted(table)), values, each).await
    }
    /// Documents, none of them in a state that is not on disk yet.
    async fn documents(&self, table: &str, sql: impl FnOnce(&str) -> String, values: Vec<Value>) -> StoreResult<Vec<Document>> {
        let rows = self.of(table, sql, values, rows::document).await?;
        if rows.iter().any(|row| row.seq > self.newest.standing().write) {
            self.look().await?;
        }
        Ok(rows)
    }
    async fn look(&self) -> StoreResult<()> {
        let mut lent = self.lend().await?;
        match tokio::time::timeout(PATIENCE, server::look(lent.client(), &self.newest)).await {
            Ok(Ok(())) => {
                lent.give_back();
                Ok(())
            }
            Ok(Err(error)) => Err(server::why(&error)),
            Err(_) => Err(StoreError::Unavailable("no answer in time".into())),
        }
    }
    /// Up to where a reader may read that has come to `after`: to the newest that was known to be on disk before it was asked. It is not
    /// promised that a snapshot of InnoDB which has a commit has all before it; so nothing is read that was committed meanwhile.
    async fn known(&self, newest: &watch::Sender<u64>, after: u64) -> StoreResult<Value> {
        if after >= *newest.borrow() {
            self.look().await?;
        }
        Ok(int(*newest.borrow()))
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
}

impl Drop for MysqlStore {
    /// The writer finishes what it has.
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Looks what other processes wrote, for such a server tells nobody.
async fn listen(server: Server, newest: Arc<Newest>) {
    loop {
        let _ = follow(&server, &newest).await;
        tokio::time::sleep(PAUSE).await;
    }
}
async fn follow(server: &Server, newest: &Newest) -> Result<Infallible, Error> {
    let mut client = server.connect().await?;
    loop {
        server::look(&mut client, newest).await?;
        tokio::time::sleep(LOOK).await;
    }
}

impl Store for MysqlStore {
    fn commit(&self, change: Change) -> Committing {
        let (tell, committing) = Committing::pair();
        if self.closed.load(Ordering::Acquire) {
            let _ = tell.send(closed());
            return committing;
        }
        self.numbers.hand_over(change, |change| drop(self.jobs.send(Job::Commit(Box::new(change), tell))));
        committing
    }
    fn load<'a>(&'a self, table: &'static str, number: u64) -> Waiting<'a, Option<Document>> {
        Box::pin(async move {
            let load = |t: &str| format!("SELECT {} FROM {t} WHERE number = ?", rows::DOCUMENT);
            Ok(self.documents(table, load, vec![int(number)]).await?.into_iter().next())
        })
    }
    fn load_entry<'a>(&'a self, table: &'static str, number: u64, case: &'a Case) -> Waiting<'a, Option<Entry>> {
        Box::pin(async move {
            if !self.table(table)?.entries {
                return Ok(None);
            }
            let load = format!(
                "SELECT case_root, case_number, version, revision, marks, body FROM {}
                 WHERE number = ? AND case_root = ? AND case_number = ?",
                sql::entries(table)
            );
            self.one(&load, vec![int(number), (&*case.root).into(), int(case.number)], rows::entry).await
        })
    }
    /// The total is of a moment a little before the rows.
    fn find<'a>(&'a self, table: &'static str, query: &'a Query) -> Waiting<'a, Page> {
        Box::pin(async move {
            let Query { matching, newest_first, by, offset, limit, after, unlisted } = query;
            let keys = self.table(table)?.keys;
            if let Some(key) = matching.iter().map(|(key, _)| key).chain(by).find(|key| !keys.contains(key)) {
                return Err(StoreError::Damaged(format!("{table} has no key {key}")));
            }
            // what is null comes first, and last if the order is turned round: as the port has it
            let direction = if *newest_first { "DESC" } else { "ASC" };
            let matches = matching.iter().map(|(key, _)| format!(" AND {} = ?", sql::key(key))).collect::<String>();
            let sought = matching.iter().map(|(_, value)| Value::from(value)).collect::<Vec<_>>();
            let total = match matches.is_empty() {
                true => self.one("SELECT listed FROM counts WHERE name = ?", vec![table.into()], rows::number).await?,
                false => {
                    let count = format!("SELECT count(*) FROM {} WHERE listed{matches}", quoted(table));
                    self.one(&count, sought.clone(), rows::number).await?
                }
            };
            let order = by.map_or_else(String::new, |by| format!("{} {direction}, ", sql::key(by)));
            let listed = if *unlisted { "" } else { " AND listed" };
            let page = |t: &str| {
                let columns = rows::DOCUMENT;
                format!(
                    "SELECT {columns} FROM {t} WHERE number > ?{listed}{matches}
                     ORDER BY {order}number {direction} LIMIT ? OFFSET ?"
                )
            };
            let values = [vec![int(*after)], sought, vec![int(*limit), int(*offset)]].concat();
            Ok(Page { rows: self.documents(table, page, values).await?, total: total.unwrap_or_default() })
        })
    }
    fn changed<'a>(&'a self, table: &'static str, after: u64, limit: usize) -> Waiting<'a, Vec<Document>> {
        Box::pin(async move {
            let known = self.known(&self.newest.write, after).await?;
            let changed = |t: &str| {
                format!("SELECT {} FROM {t} WHERE listed = true AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?", rows::DOCUMENT)
            };
            self.documents(table, changed, vec![int(after), known, int(limit as u64)]).await
        })
    }
    fn due<'a>(&'a self, table: &'static str, of: &'a str, until: Timestamp, limit: usize) -> Waiting<'a, Vec<u64>> {
        Box::pin(async move {
            let due = |t: &str| format!(r#"SELECT number FROM {t} WHERE "of" = ? AND due <= ? ORDER BY due, number LIMIT ?"#);
            self.of(table, due, vec![of.into(), time(until), int(limit as u64)], rows::number).await
        })
    }
    fn moments<'a>(&'a self, table: &'static str, until: Timestamp, limit: usize) -> Waiting<'a, Vec<u64>> {
        Box::pin(async move {
            let moments = |t: &str| format!("SELECT number FROM {t} WHERE moment <= ? ORDER BY moment, number LIMIT ?");
            self.of(table, moments, vec![time(until), int(limit as u64)], rows::number).await
        })
    }
    fn next_due<'a>(&'a self, table: &'static str) -> Waiting<'a, Option<Timestamp>> {
        Box::pin(async move {
            let next = |t: &str| {
                format!(
                    r#"SELECT min(at) FROM (SELECT min(due) AS at FROM {t} WHERE "of" IS NOT NULL GROUP BY "of"
                       UNION ALL SELECT min(moment) FROM {t}) AS next"#
                )
            };
            let next = self.of(table, next, vec![], rows::moment).await?;
            Ok(next.into_iter().next().flatten())
        })
    }
    fn owing<'a>(&'a self, table: &'static str) -> Waiting<'a, u64> {
        Box::pin(async move {
            let owing = |t: &str| format!(r#"SELECT count(*) FROM {t} WHERE "of" IS NOT NULL"#);
            Ok(self.of(table, owing, vec![], rows::number).await?.into_iter().sum())
        })
    }
    fn overdue<'a>(&'a self, table: &'static str, until: Timestamp) -> Waiting<'a, u64> {
        Box::pin(async move {
            let overdue = |t: &str| {
                format!(
                    r#"SELECT (SELECT count(*) FROM {t} WHERE "of" IS NOT NULL AND due <= ?)
                            + (SELECT count(*) FROM {t} WHERE moment <= ?)"#
                )
            };
            Ok(self.of(table, overdue, vec![time(until), time(until)], rows::number).await?.into_iter().sum())
        })
    }
    fn tail<'a>(&'a self, after: u64, limit: usize) -> Waiting<'a, Vec<Fact>> {
        Box::pin(async move {
            let known = self.known(&self.newest.fact, after).await?;
            let tail = format!("SELECT {} FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?", rows::FACT);
            self.all(&tail, vec![int(after), known, int(limit as u64)], rows::fact).await
        })
    }
    fn story<'a>(&'a self, case: &'a Case) -> Waiting<'a, Vec<Fact>> {
        Box::pin(async move {
            let story = format!("SELECT {} FROM journal WHERE case_root = ? AND case_number = ? ORDER BY seq", rows::FACT);
            let facts = self.all(&story, vec![(&*case.root).into(), int(case.number)], rows::fact).await?;
            if facts.last().is_some_and(|fact| fact.seq > self.newest.standing().fact) {
                self.look().await?;
            }
            Ok(facts)
        })
    }
    fn position<'a>(&'a self, reader: &'a str, publisher: &'a str) -> Waiting<'a, Option<Position>> {
        Box::pin(async move {
            let position = r#"SELECT seq, id FROM "position" WHERE reader = ? AND publisher = ?"#;
            self.one(position, vec![reader.into(), publisher.into()], rows::position).await
        })
    }
    fn claimed<'a>(&'a self, key: &'a str) -> Waiting<'a, Option<Claim>> {
        Box::pin(async move {
            let claimed = r#"SELECT "key", fingerprint, case_root, case_number, at FROM claims WHERE "key" = ?"#;
            self.one(claimed, vec![(&*kept(key)).into()], rows::claim).await
        })
    }
    fn forget_claims<'a>(&'a self, before: Timestamp) -> Waiting<'a, ()> {
        self.ask(|tell| Job::Forget(before, tell))
    }
    fn asides<'a>(&'a self) -> Waiting<'a, Vec<Aside>> {
        Box::pin(async move { self.all("SELECT n, reader, fact, why, since FROM aside ORDER BY n", vec![], rows::aside).await })
    }
    fn set_aside<'a>(&'a self) -> Waiting<'a, u64> {
        Box::pin(async move {
            let counted = self.one("SELECT count(*) FROM aside", vec![], rows::number).await?;
            Ok(counted.unwrap_or_default())
        })
    }
    fn reserve<'a>(&'a self, table: &'static str) -> Waiting<'a, u64> {
        Box::pin(async move {
            self.table(table)?;
            self.numbers.reserve(table, || self.send(|tell| Job::Numbers(table, tell))).await
        })
    }
    fn newest_fact(&self) -> watch::Receiver<u64> {
        self.newest.fact.subscribe()
    }
    fn newest_write(&self) -> watch::Receiver<u64> {
        self.newest.write.subscribe()
    }
    fn release_leases<'a>(&'a self, now: Timestamp) -> Waiting<'a, ()> {
        self.ask(|tell| Job::Release(now, tell))
    }
    fn close<'a>(&'a self) -> Waiting<'a, ()> {
        Box::pin(async move {
            if self.closed.swap(true, Ordering::AcqRel) {
                return Ok(());
            }
            let unused = self.numbers.unused();
            let answer = self.send(|tell| Job::Close(unused, tell)).await.unwrap_or(Ok(()));
            self.listener.abort();
            self.pool.close();
            answer
        })
    }
}
