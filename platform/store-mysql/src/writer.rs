//! The one task that writes for this process. What waits becomes one transaction, in which each change is made whole or not at
//! all.
//!
//! Every writer of a context, of whatever process, begins by locking the one row of `standing`, takes its numbers from there, and
//! lets go of it by committing. So numbers are given in the order of commits. In the same transaction it notes in a row of its own
//! that it was made: whoever later has the lock and finds that note knows how it ended.
use crate::{
    rows::{int, time},
    server::{self, PATIENCE, PAUSE, Server, execute, is_deadlock, is_lost, is_of_the_data},
    sheet,
};
use jumun_store::{
    Block, Layout, StoreError, StoreResult,
    group::{Answer, Job, Jobs, Newest, Standing, Work},
    sql::quoted,
};
use mysql_async::{Conn, Error, prelude::Queryable};
use std::{sync::Arc, time::Duration};

/// How many numbers are reserved at a time; as many at the most are skipped after a crash.
const BLOCK: u64 = 128;
/// How often a group begins anew that the server undid so that somebody else could go on.
const TRIES: usize = 5;

/// How a group ended that was not made.
enum Failed {
    /// Nothing of it was done.
    Whole(Error),
    /// The connection was lost while it was committed: it may be there or not. If it is, these are the answers.
    Unsure(Made, Error),
}
impl From<Error> for Failed {
    fn from(why: Error) -> Self {
        Failed::Whole(why)
    }
}
/// A group that was made: its answers, and where the context then stands; nowhere new if nothing could be made of it.
type Made = (Vec<Answer>, Option<Standing>);

pub(crate) struct Writer {
    pub(crate) server: Server,
    pub(crate) layout: Arc<Layout>,
    pub(crate) newest: Arc<Newest>,
    pub(crate) client: Option<Conn>,
    /// Its row in `writer`.
    pub(crate) id: u64,
    /// How many transactions it began.
    pub(crate) begun: u64,
    /// The most that one change may have: with a group beside it, it goes to the server at once.
    pub(crate) room: usize,
}

/// A row for a new writer. Those that long ago went without a word are forgotten.
pub(crate) async fn enrol(client: &mut Conn) -> Result<u64, Error> {
    client.query_drop("DELETE FROM writer WHERE at < now() - INTERVAL 30 DAY").await?;
    client.query_drop("INSERT INTO writer(done) VALUES (0)").await?;
    Ok(client.last_insert_id().unwrap_or_default())
}

impl Writer {
    /// Runs until it is told to close, or nobody can tell it anything any more.
    pub(crate) async fn run(mut self, mut jobs: Jobs) {
        while let Some(work) = jobs.next().await {
            match work {
                Work::Group(group) => {
                    let (group, large): (Vec<_>, Vec<_>) = group.into_iter().partition(|job| job.bytes() <= self.room);
                    let too_large = StoreError::Damaged("it is larger than the server takes at once".into());
                    large.into_iter().for_each(|job| job.fail(&too_large));
                    self.settle(group).await;
                }
                Work::Close(unused, tell) => {
                    let _ = tell.send(self.give_back(unused).await);
                    return;
                }
            }
        }
    }

    /// Makes a group durable, then tells everybody who waits for a part of it.
    async fn settle(&mut self, group: Vec<Job>) {
        let (layout, id, mut again, mut tries) = (Arc::clone(&self.layout), self.id, true, 0);
        let fail = |group: Vec<Job>, why: &StoreError| group.into_iter().for_each(|job| job.fail(why));
        loop {
            self.begun += 1;
            let done = self.begun;
            let Some(client) = self.connected().await else {
                return fail(group, &StoreError::Unavailable("the database can not be reached".into()));
            };
            match together(client, &layout, &group, id, done).await {
                Ok(made) => return self.tell(group, made),
                // a connection that was idle while its server restarted is found dead by the first who uses it
                Err(Failed::Whole(why)) if is_lost(&why) && again => (self.client, again) = (None, false),
                Err(Failed::Whole(why)) => {
                    if is_lost(&why) || client.query_drop("ROLLBACK").await.is_err() {
                        self.client = None;
                    }
                    tries += 1;
                    if is_deadlock(&why) && tries < TRIES {
                        continue;
                    }
                    if is_of_the_data(&why) && group.len() > 1 {
                        // the others must not suffer from it
                        for job in group {
                            Box::pin(self.settle(vec![job])).await;
                        }
                        return;
                    }
                    return fail(group, &server::why(&why));
                }
                Err(Failed::Unsure(made, why)) => {
                    self.client = None;
                    return if self.was_committed(done).await { self.tell(group, made) } else { fail(group, &server::why(&why)) };
                }
            }
        }
    }
    fn tell(&self, group: Vec<Job>, (answers, standing): Made) {
        standing.into_iter().for_each(|standing| self.newest.moved(standing));
        group.into_iter().zip(answers).for_each(|(job, answer)| job.tell(answer));
    }

    /// A connection, or none in time.
    async fn connected(&mut self) -> Option<&mut Conn> {
        if self.client.is_none() {
            self.client = tokio::time::timeout(PATIENCE, self.server.connected()).await.ok();
        }
        self.client.as_mut()
    }

    /// Whether a transaction was committed whose answer was lost. Asked until there is an answer: nobody is told what may be wrong.
    async fn was_committed(&mut self, done: u64) -> bool {
        loop {
            let id = self.id;
            if let Some(client) = self.connected().await {
                match is_done(client, id, done).await {
                    Ok(answer) => return answer,
                    Err(_) => self.client = None,
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What was reserved and given to nobody, so that an orderly stop leaves no gap.
    async fn give_back(&mut self, unused: Vec<(&'static str, Block)>) -> StoreResult<()> {
        let id = self.id;
        let Some(client) = self.connected().await else { return Ok(()) };
        let given_back = async {
            for (table, Block { next, last, .. }) in unused {
                let give_back = "UPDATE reserved SET next = ? WHERE name = ? AND next = ?";
                execute(client, give_back, vec![int(next), table.into(), int(last + 1)]).await?;
            }
            execute(client, "DELETE FROM writer WHERE id = ?", vec![int(id)]).await
        };
        match tokio::time::timeout(Duration::from_secs(30), given_back).await {
            Ok(answer) => answer.map_err(|why| server::why(&why)),
            Err(_) => Ok(()),
        }
    }
}

/// Whether the transaction that wrote this note was committed. It had the lock of `standing`, so whoever has it now finds it ended;
/// and what is seen is on disk once this is.
async fn is_done(client: &mut Conn, id: u64, done: u64) -> Result<bool, Error> {
    client.query_drop("START TRANSACTION").await?;
    client.query_drop("SELECT 1 FROM standing FOR UPDATE").await?;
    let found = client.exec_first::<u64, _, _>("SELECT done FROM writer WHERE id = ? FOR UPDATE", (id,)).await?;
    server::flush(client).await?;
    client.query_drop("COMMIT").await?;
    Ok(found == Some(done))
}

/// Makes a group.
async fn together(client: &mut Conn, layout: &Layout, group: &[Job], id: u64, done: u64) -> Result<Made, Failed> {
    client.query_drop("START TRANSACTION").await?;
    let lock = r#"SELECT fact, "write" FROM standing FOR UPDATE"#;
    let before = client.query_first(lock).await?.map_or_else(Standing::default, server::read_standing);
    let mut sheet = sheet::read(client, layout, before, group).await?;
    let mut answers = Vec::with_capacity(group.len());
    for job in group {
        answers.push(match job {
            Job::Commit(change, _) => Answer::Done(sheet.make(change)),
            Job::Forget(before, _) => {
                sheet::write(&mut sheet, client).await?; // what came before it is there for it
                execute(client, "DELETE FROM claims WHERE at < ?", vec![time(*before)]).await?;
                Answer::Done(Ok(()))
            }
            Job::Release(now, _) => {
                sheet::write(&mut sheet, client).await?;
                for table in layout {
                    let release =
                        r#"due = ?, leased = false, sent = true, revision = revision + 1 WHERE "of" IS NOT NULL AND leased"#;
                    execute(client, &format!("UPDATE {} SET {release}", quoted(table.name)), vec![time(*now)]).await?;
                }
                sheet = sheet::read(client, layout, sheet.standing, group).await?;
                Answer::Done(Ok(()))
            }
            Job::Numbers(table, _) => {
                sheet::write(&mut sheet, client).await?;
                Answer::Numbers(numbers(client, table).await?)
            }
            Job::Close(..) => Answer::Done(Ok(())),
        });
    }
    if answers.iter().all(|answer| matches!(answer, Answer::Done(Err(_)))) {
        client.query_drop("ROLLBACK").await?;
        return Ok((answers, None));
    }
    sheet::write(&mut sheet, client).await?;
    let standing = sheet.standing;
    if standing != before {
        let moved = r#"UPDATE standing SET fact = ?, "write" = ?"#;
        execute(client, moved, vec![int(standing.fact), int(standing.write)]).await?;
    }
    let note = "INSERT INTO writer(id, done) VALUES (?, ?) ON DUPLICATE KEY UPDATE done = VALUES(done)";
    execute(client, note, vec![int(id), int(done)]).await?;
    match client.query_drop("COMMIT").await {
        Ok(()) => Ok((answers, Some(standing))),
        Err(why) if is_deadlock(&why) => Err(Failed::Whole(why)),
        Err(why) => Err(Failed::Unsure((answers, Some(standing)), why)),
    }
}

async fn numbers(client: &mut Conn, table: &'static str) -> Result<Block, Error> {
    let next = "SELECT next FROM reserved WHERE name = ? FOR UPDATE";
    let next = client.exec_first::<u64, _, _>(next, (table,)).await?.unwrap_or(1);
    let reserve = "INSERT INTO reserved(name, next) VALUES (?, ?) ON DUPLICATE KEY UPDATE next = VALUES(next)";
    execute(client, reserve, vec![table.into(), int(next + BLOCK)]).await?;
    let last = next + BLOCK - 1;
    let taken = format!("SELECT number FROM {} WHERE number BETWEEN ? AND ? FOR UPDATE", quoted(table));
    Ok(Block { next, last, taken: client.exec::<u64, _, _>(taken, (next, last)).await?.into_iter().collect() })
}
