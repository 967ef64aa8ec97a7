//! The server: how it is connected to, and what its errors mean.
use deadpool::{
    Runtime,
    managed::{self, Metrics, Object, Pool, PoolError, RecycleResult},
};
use jumun_store::{
    StoreError,
    group::{Newest, Standing},
};
use mysql_async::{Conn, Error, Opts, OptsBuilder, Params, Row, Value, prelude::Queryable};
use std::{ops::DerefMut, time::Duration};

/// How many connections are kept for readers.
const READERS: usize = 8;
/// How long somebody waits for a connection, and a reader for an answer, before it is told that the store does not answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait between two tries to connect.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);
/// Statements that a connection keeps prepared: those of a dozen tables in all their sizes.
const PREPARED: usize = 256;

/// Names and texts are quoted as the standard has it, so what stores on SQL share holds here too; nothing is cut to fit. Whoever
/// holds a lock and falls silent loses it.
const SESSION: &str = "SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',
    autocommit = 1, innodb_lock_wait_timeout = 10 /*M!100300 , idle_transaction_timeout = 10 */";
const ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// A server, and one of its databases.
#[derive(Clone)]
pub(crate) struct Server(Opts);

impl Server {
    /// As a URL names it, and the name of the database; none if it can not be read.
    pub(crate) fn read(url: &str) -> Option<(Self, String)> {
        let opts = Opts::from_url(url).ok()?;
        let database = opts.db_name().filter(|name| !name.is_empty())?.to_owned();
        let opts = OptsBuilder::from_opts(opts)
            .db_name(None::<String>)
            .prefer_socket(false)
            .tcp_keepalive(Some(Duration::from_secs(10)))
            .stmt_cache_size(PREPARED)
            .setup(vec![ISOLATION, SESSION]);
        Some((Server(opts.into()), database))
    }
    /// The same server, in that database.
    pub(crate) fn within(&self, database: &str) -> Self {
        Server(OptsBuilder::from_opts(self.0.clone()).db_name(Some(database)).into())
    }
    /// Host and port.
    pub(crate) fn at(&self) -> String {
        format!("{}:{}", self.0.ip_or_hostname(), self.0.tcp_port())
    }
    /// One try.
    pub(crate) async fn connect(&self) -> Result<Conn, Error> {
        let silent = || Error::from(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time"));
        tokio::time::timeout(PATIENCE, Conn::new(self.0.clone())).await.map_err(|_| silent())?
    }
    /// Connects, however often it takes.
    pub(crate) async fn connected(&self) -> Conn {
        loop {
            if let Ok(client) = self.connect().await {
                return client;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    /// Connections for readers.
    pub(crate) fn pool(&self) -> Result<Pool<Server>, String> {
        let pool = Pool::builder(self.clone()).max_size(READERS).wait_timeout(Some(PATIENCE)).create_timeout(Some(PATIENCE));
        pool.runtime(Runtime::Tokio1).build().map_err(|why| why.to_string())
    }
}
impl managed::Manager for Server {
    type Type = Conn;
    type Error = Error;
    async fn create(&self) -> Result<Conn, Error> {
        self.connect().await
    }
    /// One that is dead is found out by whoever asks on it.
    async fn recycle(&self, _: &mut Conn, _: &Metrics) -> RecycleResult<Error> {
        Ok(())
    }
}

/// A connection, lent for one question. If nobody waits for the answer any more it is closed: the next would read it as theirs.
pub(crate) struct Lent(Option<Object<Server>>);
impl Lent {
    pub(crate) async fn from(pool: &Pool<Server>) -> Result<Self, StoreError> {
        pool.get().await.map(|object| Lent(Some(object))).map_err(|error| match error {
            PoolError::Backend(error) => why(&error),
            error => StoreError::Unavailable(error.to_string()),
        })
    }
    pub(crate) fn client(&mut self) -> &mut Conn {
        self.0.as_mut().expect("it is lent").deref_mut()
    }
    /// It was answered, and is as good as before.
    pub(crate) fn give_back(mut self) {
        drop(self.0.take());
    }
}
impl Drop for Lent {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(|object| drop(Object::take(object)));
    }
}

/// What the server said, without what was asked.
pub(crate) fn told(why: &Error) -> String {
    match why {
        Error::Server(said) => said.message.clone(),
        other => other.to_string(),
    }
}
fn code(why: &Error) -> u16 {
    if let Error::Server(said) = why { said.code } else { 0 }
}
/// Whether it is the data that can not be kept, rather than the server that can not keep it.
pub(crate) fn is_of_the_data(why: &Error) -> bool {
    matches!(why, Error::Server(said) if said.state.starts_with("22") || said.state.starts_with("23"))
}
/// Whether the connection is gone; some servers say so before they go.
pub(crate) fn is_lost(why: &Error) -> bool {
    why.is_fatal() || matches!(code(why), 1053 | 1077 | 1079 | 1152 | 1158..=1161 | 1184 | 1927 | 3169 | 4031)
}
/// Whether the server undid the transaction so that another could go on.
pub(crate) fn is_deadlock(why: &Error) -> bool {
    code(why) == 1213
}
/// What it means for the caller.
pub(crate) fn why(why: &Error) -> StoreError {
    if is_of_the_data(why) { StoreError::Damaged(told(why)) } else { StoreError::Unavailable(told(why)) }
}

/// Asks for rows.
pub(crate) async fn rows(client: &mut Conn, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, Error> {
    client.exec(sql, Params::Positional(values)).await
}
/// Does something.
pub(crate) async fn execute(client: &mut Conn, sql: &str, values: Vec<Value>) -> Result<(), Error> {
    client.exec_drop(sql, Params::Positional(values)).await
}

/// Where the context stands, as far as others see it.
pub(crate) async fn standing(client: &mut Conn) -> Result<Standing, Error> {
    Ok(client.query_first(r#"SELECT fact, "write" FROM standing"#).await?.map_or_else(Standing::default, read_standing))
}
pub(crate) fn read_standing((fact, write): (u64, u64)) -> Standing {
    Standing { fact, write }
}
/// Looks how far others have come. InnoDB shows a commit before it is on disk; a later commit takes it there, so we make one before
/// anybody is told.
pub(crate) async fn look(client: &mut Conn, newest: &Newest) -> Result<(), Error> {
    let (there, known) = (standing(client).await?, newest.standing());
    if there.fact > known.fact || there.write > known.write {
        flush(client).await?;
        newest.moved(there);
    }
    Ok(())
}
/// A commit of nothing much: with it, all that was seen before it is on disk.
pub(crate) async fn flush(client: &mut Conn) -> Result<(), Error> {
    client.query_drop("UPDATE flushed SET times = times + 1").await
}
