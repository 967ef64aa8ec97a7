#![doc = include_str!("../README.md")]
mod rows;
mod schema;
mod sheet;
#[cfg(all(test, feature = "server"))]
mod tests;
mod writer;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use futures_util::future::poll_fn;
use jumun_model::{Case, Timestamp};
use jumun_store::{
    Aside, Change, Claim, Committing, Document, Entry, Fact, Layout, Numbers, Page, Position, Query, Store, StoreError,
    StoreResult, Table, Waiting,
    group::{Job, Jobs, Newest, Standing},
    sql::{self, quoted},
};
use rows::{int, kept};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_postgres::{AsyncMessage, Config, Error, NoTls, Row, error::SqlState, types::ToSql};
use writer::Writer;

/// Why a store can not be opened. None of these sentences has a password in it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL can not be read.
    #[error("{0} is no postgres URL, such as postgres://user@host:5432/database")]
    Url(String),
    /// Nobody answers there, or not to us.
    #[error("PostgreSQL at {at} can not be reached: {why}")]
    Unreachable {
        /// Host and port.
        at: String,
        /// What was said.
        why: String,
    },
    /// A newer version of the program wrote it.
    #[error(
        "the schema was written by a newer version of this program ({found}, this one knows up to {known}): run that version"
    )]
    Newer {
        /// Its schema.
        found: String,
        /// The newest that this version knows.
        known: i32,
    },
    /// It belongs to something else.
    #[error("the schema {wanted} holds the tables of {found}: choose another database")]
    Foreign {
        /// Whose it is.
        found: String,
        /// Whose it should be.
        wanted: String,
    },
    /// Two things of the layout would have one name. A defect of the wiring.
    #[error("the table {table} can not be kept: the name {name} is taken in every schema")]
    Layout {
        /// The table.
        table: &'static str,
        /// The name.
        name: String,
    },
    /// Anything else.
    #[error("the schema can not be brought up to date: {why}")]
    Failed {
        /// What the server said.
        why: String,
    },
}

/// How many connections are kept for readers.
const READERS: usize = 8;
/// How long a reader waits for a connection, and a statement for its answer, before it is told that the store does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A store in one schema of a PostgreSQL database. Any number of processes may share it.
pub struct PostgresStore {
    layout: Layout,
    pool: Pool,
    newest: Arc<Newest>,
    jobs: mpsc::UnboundedSender<Job>,
    numbers: Numbers,
    closed: AtomicBool,
    /// Hears what other processes write; it ends with the store.
    listener: tokio::task::JoinHandle<()>,
}

/// What the server said, without what was asked.
fn told(why: &Error) -> String {
    why.as_db_error().map_or_else(|| why.to_string(), |db| db.message().to_owned())
}
/// Whether it is the data that can not be kept, rather than the server that can not keep it.
fn is_of_the_data(why: &Error) -> bool {
    let class = why.code().map_or("", SqlState::code);
    class.starts_with("22") || class.starts_with("23")
}
/// What it means for the caller.
fn why(why: &Error) -> StoreError {
    if is_of_the_data(why) { StoreError::Damaged(told(why)) } else { StoreError::Unavailable(told(why)) }
}
fn closed<T>() -> StoreResult<T> {
    Err(StoreError::Unavailable("it is closed".into()))
}

impl PostgresStore {
    /// Opens the context's schema, or makes it.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing is left open then.
    pub async fn open(url: &str, layout: Layout, context: &'static str) -> Result<Self, OpenError> {
        // a URL may have a password in it, and is not repeated
        let mut config: Config = url.parse().map_err(|_| OpenError::Url("this".into()))?;
        config.options(format!("-c search_path={} -c synchronous_commit=on", quoted(context)));
        config.application_name(format!("jumun {context}")).connect_timeout(PATIENCE).keepalives_idle(Duration::from_secs(10));
        let at =
            config.get_hosts().iter().zip(config.get_ports()).map(|(host, port)| format!("{host:?}:{port}")).collect::<String>();
        let (mut client, connection) =
            config.connect(NoTls).await.map_err(|why| OpenError::Unreachable { at, why: told(&why) })?;
        tokio::spawn(async move { drop(connection.await) });
        schema::prepare(&mut client, context, &layout).await?;
        let failed = |why: Error| OpenError::Failed { why: told(&why) };
        let standing = writer::standing(&client).await.map_err(failed)?;
        let newest = Arc::new(Newest::new(standing));
        let manager = Manager::from_config(config.clone(), NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool =
            Pool::builder(manager).max_size(READERS).wait_timeout(Some(PATIENCE)).runtime(deadpool_postgres::Runtime::Tokio1);
        let pool = pool.build().map_err(|why| OpenError::Failed { why: why.to_string() })?;
        let (jobs, waiting) = mpsc::unbounded_channel();
        let listener = tokio::spawn(listen(config.clone(), context, Arc::clone(&newest)));
        let writer =
            Writer { config, layout: Arc::new(layout.clone()), context, newest: Arc::clone(&newest), client: Some(client) };
        tokio::spawn(writer.run(Jobs::new(waiting)));
        let (numbers, closed) = (Numbers::default(), AtomicBool::new(false));
        Ok(PostgresStore { layout, pool, newest, jobs, numbers, closed, listener })
    }

    fn table(&self, name: &str) -> StoreResult<&Table> {
        let unknown = || StoreError::Damaged(format!("its layout has no table {name}"));
        self.layout.iter().find(|table| table.name == name).ok_or_else(unknown)
    }
    async fn reader(&self) -> StoreResult<Object> {
        if self.closed.load(Ordering::Acquire) {
            return closed();
        }
        self.pool.get().await.map_err(|why| StoreError::Unavailable(why.to_string()))
    }
    async fn all<T>(&self, sql: &str, values: &[&(dyn ToSql + Sync)], each: fn(&Row) -> StoreResult<T>) -> StoreResult<Vec<T>> {
        let mut again = true;
        loop {
            let client = self.reader().await?;
            let read = async {
                let statement = client.prepare_cached(sql).await?;
                client.query(&statement, values).await
            };
            match tokio::time::timeout(PATIENCE, read).await {
                Ok(Ok(rows)) => return rows.iter().map(each).collect(),
                // a connection that was idle while its server restarted
                Ok(Err(why)) if why.is_closed() && again => again = false,
                Ok(Err(error)) => return Err(why(&error)),
                Err(_) => return Err(StoreError::Unavailable("no answer in time".into())),
            }
            drop(Object::take(client));
        }
    }
    async fn one<T>(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
        each: fn(&Row) -> StoreResult<T>,
    ) -> StoreResult<Option<T>> {
        Ok(self.all(sql, values, each).await?.into_iter().next())
    }
    async fn of<T>(
        &self,
        table: &str,
        sql: impl FnOnce(&str) -> String,
        values: &[&(dyn ToSql + Sync)],
        each: fn(&Row) -> StoreResult<T>,
    ) -> StoreResult<Vec<T>> {
        self.table(table)?;
        self.all(&sql(&quoted(table)), values, each).await
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

impl Drop for PostgresStore {
    /// The writer finishes what it has.
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Hears from the server what other processes wrote, and looks for itself after each connection that was lost.
async fn listen(config: Config, context: &'static str, newest: Arc<Newest>) {
    loop {
        let heard = async {
            let (client, mut connection) = config.connect(NoTls).await?;
            let heard = Arc::clone(&newest);
            let messages = tokio::spawn(async move {
                while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                    let AsyncMessage::Notification(notice) = message else { continue };
                    let told = notice
                        .payload()
                        .split_once(' ')
                        .and_then(|(fact, write)| Some(Standing { fact: fact.parse().ok()?, write: write.parse().ok()? }));
                    told.into_iter().for_each(|standing| heard.moved(standing));
                }
            });
            client.batch_execute(&format!("LISTEN {}", quoted(&format!("jumun {context}")))).await?;
            newest.moved(writer::standing(&client).await?);
            let _ = messages.await;
            Ok::<_, Error>(())
        };
        let _ = heard.await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

impl Store for PostgresStore {
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
            let load = |t: &str| format!("SELECT {} FROM {t} WHERE number = $1", rows::DOCUMENT);
            Ok(self.of(table, load, &[&int(number)], rows::document).await?.into_iter().next())
        })
    }
    fn load_entry<'a>(&'a self, table: &'static str, number: u64, case: &'a Case) -> Waiting<'a, Option<Entry>> {
        Box::pin(async move {
            if !self.table(table)?.entries {
                return Ok(None);
            }
            let load = format!(
                "SELECT case_root, case_number, version, revision, marks, body FROM {}
                 WHERE number = $1 AND case_root = $2 AND case_number = $3",
                sql::entries(table)
            );
            self.one(&load, &[&int(number), &&*case.root, &int(case.number)], rows::entry).await
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
            let (t, direction) = (quoted(table), if *newest_first { "DESC NULLS LAST" } else { "ASC NULLS FIRST" });
            let matches =
                matching.iter().zip(1..).map(|((key, _), n)| format!(" AND {} = ${n}", sql::key(key))).collect::<String>();
            let sought = matching.iter().map(|(_, value)| kept(value)).collect::<Vec<_>>();
            let mut values = sought.iter().map(|value| value as &(dyn ToSql + Sync)).collect::<Vec<_>>();
            let total = match matches.is_empty() {
                true => self.one("SELECT listed FROM counts WHERE name = $1", &[&table], rows::number).await?,
                false => self.one(&format!("SELECT count(*) FROM {t} WHERE listed{matches}"), &values, rows::number).await?,
            };
            let order = by.map_or_else(String::new, |by| format!("{} {direction}, ", sql::key(by)));
            let listed = if *unlisted { "" } else { " AND listed" };
            let n = matching.len();
            let rows = format!(
                "SELECT {} FROM {t} WHERE number > ${}{listed}{matches} ORDER BY {order}number {direction} LIMIT ${} OFFSET ${}",
                rows::DOCUMENT,
                n + 1,
                n + 2,
                n + 3
            );
            let (after, limit, offset) = (int(*after), int(*limit), int(*offset));
            values.extend([&after as &(dyn ToSql + Sync), &limit, &offset]);
            Ok(Page { rows: self.all(&rows, &values, rows::document).await?, total: total.unwrap_or_default() })
        })
    }
    fn changed<'a>(&'a self, table: &'static str, after: u64, limit: usize) -> Waiting<'a, Vec<Document>> {
        Box::pin(async move {
            let changed = |t: &str| format!("SELECT {} FROM {t} WHERE listed AND seq > $1 ORDER BY seq LIMIT $2", rows::DOCUMENT);
            self.of(table, changed, &[&int(after), &int(limit as u64)], rows::document).await
        })
    }
    fn due<'a>(&'a self, table: &'static str, of: &'a str, until: Timestamp, limit: usize) -> Waiting<'a, Vec<u64>> {
        Box::pin(async move {
            let due = |t: &str| format!(r#"SELECT number FROM {t} WHERE "of" = $1 AND due <= $2 ORDER BY due, number LIMIT $3"#);
            self.of(table, due, &[&of, &until.millis(), &int(limit as u64)], rows::number).await
        })
    }
    fn moments<'a>(&'a self, table: &'static str, until: Timestamp, limit: usize) -> Waiting<'a, Vec<u64>> {
        Box::pin(async move {
            let moments = |t: &str| format!("SELECT number FROM {t} WHERE moment <= $1 ORDER BY moment, number LIMIT $2");
            self.of(table, moments, &[&until.millis(), &int(limit as u64)], rows::number).await
        })
    }
    fn next_due<'a>(&'a self, table: &'static str) -> Waiting<'a, Option<Timestamp>> {
        Box::pin(async move {
            let next = |t: &str| {
                format!(
                    r#"SELECT least((SELECT min(due) FROM {t} WHERE "of" IS NOT NULL), (SELECT min(moment) FROM {t} WHERE moment IS NOT NULL))"#
                )
            };
            let next = self.of(table, next, &[], |row| Ok(row.get::<_, Option<i64>>(0))).await?;
            Ok(next.into_iter().next().flatten().map(Timestamp::from_millis))
        })
    }
    fn owing<'a>(&'a self, table: &'static str) -> Waiting<'a, u64> {
        Box::pin(async move {
            let owing = |t: &str| format!(r#"SELECT count(*) FROM {t} WHERE "of" IS NOT NULL"#);
            Ok(self.of(table, owing, &[], rows::number).await?.into_iter().sum())
        })
    }
    fn overdue<'a>(&'a self, table: &'static str, until: Timestamp) -> Waiting<'a, u64> {
        Box::pin(async move {
            let overdue = |t: &str| {
                format!(
                    r#"SELECT (SELECT count(*) FROM {t} WHERE "of" IS NOT NULL AND due <= $1) + (SELECT count(*) FROM {t} WHERE moment <= $1)"#
                )
            };
            Ok(self.of(table, overdue, &[&until.millis()], rows::number).await?.into_iter().sum())
        })
    }
    fn tail<'a>(&'a self, after: u64, limit: usize) -> Waiting<'a, Vec<Fact>> {
        Box::pin(async move {
            let tail = format!("SELECT {} FROM journal WHERE seq > $1 ORDER BY seq LIMIT $2", rows::FACT);
            self.all(&tail, &[&int(after), &int(limit as u64)], rows::fact).await
        })
    }
    fn story<'a>(&'a self, case: &'a Case) -> Waiting<'a, Vec<Fact>> {
        Box::pin(async move {
            let story = format!("SELECT {} FROM journal WHERE case_root = $1 AND case_number = $2 ORDER BY seq", rows::FACT);
            self.all(&story, &[&&*case.root, &int(case.number)], rows::fact).await
        })
    }
    fn position<'a>(&'a self, reader: &'a str, publisher: &'a str) -> Waiting<'a, Option<Position>> {
        Box::pin(async move {
            let position = "SELECT seq, id FROM position WHERE reader = $1 AND publisher = $2";
            self.one(position, &[&reader, &publisher], rows::position).await
        })
    }
    fn claimed<'a>(&'a self, key: &'a str) -> Waiting<'a, Option<Claim>> {
        Box::pin(async move {
            let claimed = "SELECT key, fingerprint, case_root, case_number, at FROM claims WHERE key = $1";
            self.one(claimed, &[&kept(key)], rows::claim).await
        })
    }
    fn forget_claims<'a>(&'a self, before: Timestamp) -> Waiting<'a, ()> {
        self.ask(|tell| Job::Forget(before, tell))
    }
    fn asides<'a>(&'a self) -> Waiting<'a, Vec<Aside>> {
        Box::pin(async move { self.all("SELECT n, reader, fact, why, since FROM aside ORDER BY n", &[], rows::aside).await })
    }
    fn set_aside<'a>(&'a self) -> Waiting<'a, u64> {
        Box::pin(async move {
            let counted = self.one("SELECT count(*) FROM aside", &[], rows::number).await?;
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
