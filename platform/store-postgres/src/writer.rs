//! The one task that writes for this process. What waits becomes one transaction, in which each change is made whole or not at all.
//!
//! Every writer of a context, of whatever process, begins by locking the one row of `standing`, takes its numbers from there, and lets go of it by
//! committing. So numbers are given in the order of commits: whoever sees a fact sees all that have lower numbers.
use crate::{
    rows::{int, uint},
    sheet,
};
use futures_util::FutureExt;
use jumun_store::{
    Block, Change, Layout, StoreError, StoreResult,
    group::{Answer, Job, Jobs, Newest, Standing, Work},
    sql::quoted,
};
use std::{sync::Arc, time::Duration};
use tokio_postgres::{Client, Config, Error, NoTls, Transaction};

/// How many numbers are reserved at a time; as many at the most are skipped after a crash.
const BLOCK: i64 = 128;
/// How long a group waits for a server that does not take connections before it is told that nothing was done.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a try to connect may take, and how long to wait between two.
const TRY: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(200);

/// Where the context stands.
pub(crate) async fn standing(client: &Client) -> Result<Standing, Error> {
    let row = client.query_one("SELECT fact, write FROM standing", &[]).await?;
    Ok(read_standing(&row))
}
fn read_standing(row: &tokio_postgres::Row) -> Standing {
    Standing { fact: uint(row, 0), write: uint(row, 1) }
}

/// How a group ended that was not made.
enum Failed {
    /// Nothing of it was done.
    Whole(Error),
    /// The connection was lost while it was committed: this transaction may be there or not.
    Unsure(String, Error),
}
impl From<Error> for Failed {
    fn from(why: Error) -> Self {
        Failed::Whole(why)
    }
}

pub(crate) struct Writer {
    pub(crate) config: Config,
    pub(crate) layout: Arc<Layout>,
    pub(crate) context: &'static str,
    pub(crate) newest: Arc<Newest>,
    pub(crate) client: Option<Client>,
}

impl Writer {
    /// Runs until it is told to close, or nobody can tell it anything any more.
    pub(crate) async fn run(mut self, mut jobs: Jobs) {
        while let Some(work) = jobs.next().await {
            match work {
                Work::Group(group) => self.settle(group).await,
                Work::Close(unused, tell) => {
                    let _ = tell.send(self.give_back(unused).await);
                    return;
                }
            }
        }
    }

    /// Makes a group durable, then tells everybody who waits for a part of it.
    async fn settle(&mut self, group: Vec<Job>) {
        let (layout, context, mut again) = (Arc::clone(&self.layout), self.context, true);
        loop {
            let Some(client) = self.connected(PATIENCE).await else {
                let silent = StoreError::Unavailable("the database can not be reached".into());
                return group.into_iter().for_each(|job| job.fail(&silent));
            };
            match together(client, &layout, context, &group).await {
                Ok((answers, standing)) => {
                    self.newest.moved(standing);
                    return group.into_iter().zip(answers).for_each(|(job, answer)| job.tell(answer));
                }
                // a connection that was idle while its server restarted is found dead by the first who uses it
                Err(Failed::Whole(why)) if why.is_closed() && again => (self.client, again) = (None, false),
                Err(Failed::Whole(why)) if crate::is_of_the_data(&why) && group.len() > 1 => {
                    // the others must not suffer from it
                    for job in group {
                        Box::pin(self.settle(vec![job])).await;
                    }
                    return;
                }
                Err(Failed::Whole(why)) => {
                    if why.is_closed() {
                        self.client = None;
                    }
                    let why = crate::why(&why);
                    return group.into_iter().for_each(|job| job.fail(&why));
                }
                Err(Failed::Unsure(transaction, why)) => {
                    self.client = None;
                    if !self.was_committed(&transaction).await {
                        let why = crate::why(&why);
                        return group.into_iter().for_each(|job| job.fail(&why));
                    }
                    // it was made, but what it answered to each is lost with the connection: it is found out by looking
                    let looked = self.found_out(&group).await;
                    return group.into_iter().zip(looked).for_each(|(job, answer)| job.tell(answer));
                }
            }
        }
    }

    /// A connection, or none within that time.
    async fn connected(&mut self, patience: Duration) -> Option<&mut Client> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.client = tokio::time::timeout(patience, connect(&self.config)).await.ok();
        }
        self.client.as_mut()
    }

    /// Whether a transaction was committed whose answer was lost. Asked until there is an answer: nobody is told what may be wrong.
    async fn was_committed(&mut self, transaction: &str) -> bool {
        loop {
            if let Some(client) = self.connected(TRY).await {
                let status = client.query_one("SELECT pg_xact_status($1::text::xid8)", &[&transaction]).await;
                match status.map(|row| row.get::<_, Option<String>>(0)) {
                    Ok(Some(status)) if status == "committed" => return true,
                    Ok(Some(status)) if status == "aborted" => return false,
                    Ok(_) => {}
                    Err(_) => self.client = None,
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What became of each job of a group that was committed: a change is there if its newest document or fact is.
    async fn found_out(&mut self, group: &[Job]) -> Vec<Answer> {
        let mut answers = Vec::new();
        for job in group {
            answers.push(match job {
                Job::Commit(change, _) => Answer::Done(self.is_there(change).await),
                Job::Forget(..) | Job::Release(..) | Job::Close(..) => Answer::Done(Ok(())),
                // those that were reserved are skipped
                Job::Numbers(..) => Answer::Done(Err(StoreError::Unavailable("the connection was lost".into()))),
            });
        }
        if let Some(client) = self.connected(TRY).await
            && let Ok(standing) = standing(client).await
        {
            self.newest.moved(standing);
        }
        answers
    }
    async fn is_there(&mut self, change: &Change) -> StoreResult<()> {
        loop {
            if let Some(client) = self.connected(TRY).await {
                match is_there(client, change).await {
                    Ok(true) => return Ok(()),
                    Ok(false) => return Err(StoreError::Contended),
                    Err(_) => self.client = None,
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What was reserved and given to nobody, so that an orderly stop leaves no gap.
    async fn give_back(&mut self, unused: Vec<(&'static str, Block)>) -> StoreResult<()> {
        let Some(client) = self.connected(PATIENCE).await else { return Ok(()) };
        for (table, Block { next, last, .. }) in unused {
            let give_back = "UPDATE reserved SET next = $2 WHERE name = $1 AND next = $3";
            client.execute(give_back, &[&table, &int(next), &int(last + 1)]).await.map_err(|why| crate::why(&why))?;
        }
        Ok(())
    }
}

/// Connects, however often it takes.
pub(crate) async fn connect(config: &Config) -> Client {
    loop {
        if let Ok(Ok((client, connection))) = tokio::time::timeout(TRY, config.connect(NoTls)).await {
            tokio::spawn(connection.map(drop));
            return client;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether a change of a committed group is part of it.
async fn is_there(client: &Client, change: &Change) -> Result<bool, Error> {
    if let Some(fact) = change.facts.last() {
        let said = "SELECT 1 FROM journal WHERE source = $1 AND number = $2 AND version = $3 AND case_root = $4 AND case_number = $5 AND entry = $6";
        let (number, version, case) = (int(fact.number), int(fact.version), int(fact.case.number));
        let found = client.query_opt(said, &[&&*fact.source, &number, &version, &&*fact.case.root, &case, &fact.entry]).await?;
        return Ok(found.is_some());
    }
    if let Some(write) = change.writes.last() {
        let moved = format!("SELECT revision FROM {} WHERE number = $1", quoted(write.table));
        let found = client.query_opt(&moved, &[&int(write.number)]).await?;
        return Ok(found.is_some_and(|row| row.get::<_, i64>(0) > int(write.expected)));
    }
    Ok(true) // what nothing can speak against
}

/// Makes a group: its answers, and where the context then stands.
async fn together(
    client: &mut Client,
    layout: &Layout,
    context: &'static str,
    group: &[Job],
) -> Result<(Vec<Answer>, Standing), Failed> {
    let work = client.transaction().await?;
    let lock = "SELECT fact, write, pg_current_xact_id()::text FROM standing FOR UPDATE";
    let row = work.query_one(lock, &[]).await?;
    let (before, transaction): (Standing, String) = (read_standing(&row), row.get(2));
    let mut sheet = sheet::read(&work, layout, before, group).await?;
    let mut answers = Vec::with_capacity(group.len());
    for job in group {
        answers.push(match job {
            Job::Commit(change, _) => Answer::Done(sheet.make(change)),
            Job::Forget(before, _) => {
                sheet::write(&mut sheet, &work).await?; // what came before it is there for it
                work.execute("DELETE FROM claims WHERE at < $1", &[&before.millis()]).await?;
                Answer::Done(Ok(()))
            }
            Job::Release(now, _) => {
                sheet::write(&mut sheet, &work).await?;
                for table in layout {
                    let release =
                        r#"due = $1, leased = false, sent = true, revision = revision + 1 WHERE "of" IS NOT NULL AND leased"#;
                    work.execute(&format!("UPDATE {} SET {release}", quoted(table.name)), &[&now.millis()]).await?;
                }
                sheet = sheet::read(&work, layout, sheet.standing, group).await?;
                Answer::Done(Ok(()))
            }
            Job::Numbers(table, _) => {
                sheet::write(&mut sheet, &work).await?;
                Answer::Numbers(numbers(&work, table).await?)
            }
            Job::Close(..) => Answer::Done(Ok(())),
        });
    }
    sheet::write(&mut sheet, &work).await?;
    let standing = sheet.standing;
    if (standing.fact, standing.write) != (before.fact, before.write) {
        work.execute("UPDATE standing SET fact = $1, write = $2", &[&int(standing.fact), &int(standing.write)]).await?;
        let told = format!("{} {}", standing.fact, standing.write);
        work.execute("SELECT pg_notify($1, $2)", &[&format!("jumun {context}"), &told]).await?;
    }
    work.commit().await.map_err(|why| if why.is_closed() { Failed::Unsure(transaction, why) } else { Failed::Whole(why) })?;
    Ok((answers, standing))
}

async fn numbers(work: &Transaction<'_>, table: &'static str) -> Result<Block, Error> {
    let next = "INSERT INTO reserved(name, next) VALUES ($1, 1 + $2::int8)
        ON CONFLICT (name) DO UPDATE SET next = reserved.next + $2::int8 RETURNING next";
    let end: i64 = work.query_one(next, &[&table, &BLOCK]).await?.get(0);
    let (first, last) = (end - BLOCK, end - 1);
    let taken = format!("SELECT number FROM {} WHERE number BETWEEN $1 AND $2", quoted(table));
    let taken = work.query(&taken, &[&first, &last]).await?;
    let uint = |n: i64| u64::try_from(n).unwrap_or_default();
    Ok(Block { next: uint(first), last: uint(last), taken: taken.iter().map(|row| uint(row.get(0))).collect() })
}
