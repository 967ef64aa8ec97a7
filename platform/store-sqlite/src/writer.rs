//! The one thread that writes. What waits becomes one transaction; each change in it is made whole or not at all.
use crate::{
    Shared,
    rows::{self, int, marked, sought, why},
    schema::Standing,
};
use jumun_model::Timestamp;
use jumun_store::{
    Block, Change, Claim, EntryWrite, Fact, Layout, StoreError, StoreResult, Table, Write,
    sql::{self, quoted},
};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Statement, params, types::Null};
use std::sync::{Arc, atomic::Ordering, mpsc};
use tokio::sync::oneshot;

/// The most that one transaction takes.
const GROUP: usize = 512;
const GROUP_BYTES: usize = 4 << 20;
/// How many numbers are reserved at a time; as many at the most are skipped after a crash.
const BLOCK: i64 = 128;

type Tell<T> = oneshot::Sender<StoreResult<T>>;

/// What the writer is asked to do, in this order.
pub(crate) enum Job {
    Commit(Box<Change>, Tell<()>),
    Forget(Timestamp, Tell<()>),
    Release(Timestamp, Tell<()>),
    Numbers(&'static str, Tell<Block>),
    Close(Vec<(&'static str, Block)>, Tell<()>),
}

impl Job {
    fn bytes(&self) -> usize {
        let Job::Commit(change, _) = self else { return 0 };
        let facts = change.facts.iter().map(|fact| fact.body.len());
        change.writes.iter().map(|write| write.body.len()).chain(facts).sum()
    }
    fn fail(self, error: StoreError) {
        match self {
            Job::Commit(_, tell) | Job::Forget(_, tell) | Job::Release(_, tell) | Job::Close(_, tell) => {
                drop(tell.send(Err(error)))
            }
            Job::Numbers(_, tell) => drop(tell.send(Err(error))),
        }
    }
}

/// Runs until it is told to close, or nobody can tell it anything any more.
pub(crate) fn run(db: &Connection, layout: &Layout, standing: Standing, shared: &Arc<Shared>, jobs: &mpsc::Receiver<Job>) {
    let mut writer = match Writer::new(db, layout, standing, shared) {
        Ok(writer) => writer,
        Err(error) => return jobs.iter().for_each(|job| job.fail(why(&error))),
    };
    while let Ok(job) = jobs.recv() {
        let (mut bytes, mut next, mut group) = (0, Some(job), Vec::new());
        while let Some(job) = next.take_if(|job| !matches!(job, Job::Close(..))) {
            bytes += job.bytes();
            group.push(job);
            next = if group.len() < GROUP && bytes < GROUP_BYTES { jobs.try_recv().ok() } else { None };
        }
        if !group.is_empty() {
            writer.settle(group);
        }
        if let Some(Job::Close(unused, tell)) = next {
            let closed = writer.give_back(unused).and_then(|()| db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
            let _ = tell.send(closed.map_err(|error| why(&error)));
            return;
        }
    }
}

pub(crate) struct Writer<'c> {
    db: &'c Connection,
    shared: &'c Arc<Shared>,
    standing: Standing,
    tables: Vec<Statements<'c>>,
    begin: Statement<'c>,
    commit: Statement<'c>,
    savepoint: Statement<'c>,
    release: Statement<'c>,
    back: Statement<'c>,
    fact: Statement<'c>,
    claimed: Statement<'c>,
    claim: Statement<'c>,
    free: Statement<'c>,
    position: Statement<'c>,
    aside: Statement<'c>,
    take_back: Statement<'c>,
    count: Statement<'c>,
}

/// What is written to one table.
struct Statements<'c> {
    table: Table,
    insert: Statement<'c>,
    /// Moves a document whose keys and listing stay as they are, so that no index of theirs is touched: nearly every write.
    update: Statement<'c>,
    /// Whether a document of this revision is listed.
    listed: Statement<'c>,
    update_all: Statement<'c>,
    entry: Option<[Statement<'c>; 2]>,
}

impl<'c> Statements<'c> {
    fn new(db: &'c Connection, table: Table) -> rusqlite::Result<Self> {
        let t = quoted(table.name);
        // ?1 number, ?2 revision that is replaced, ?3 listed, ?4 … what moves, ?15 … keys
        let moves = r#"version = ?4, revision = ?2 + 1, seq = ?5, at = ?6, moment = ?7, step = ?8, "of" = ?9, due = ?10,
            tries = ?11, sent = ?12, leased = ?13, marks = ?14, body = ?15"#;
        let keys = table.keys.iter().zip(16..).map(|(key, n)| (sql::key(key), n)).collect::<Vec<_>>();
        let each = |text: fn(&str, i32) -> String| keys.iter().map(|(key, n)| text(key, *n)).collect::<String>();
        let (columns, values) = (each(|key, _| format!(", {key}")), each(|_, n| format!(", ?{n}")));
        let (same, set) = (each(|key, n| format!(" AND {key} IS ?{n}")), each(|key, n| format!(", {key} = ?{n}")));
        let entry = |table: Table| {
            let e = sql::entries(table.name);
            let revision = format!("SELECT revision FROM {e} WHERE number = ?1 AND case_root = ?2 AND case_number = ?3");
            let write = format!(
                "INSERT INTO {e}(number, case_root, case_number, version, revision, marks, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT DO UPDATE SET version = ?4, revision = ?5, marks = ?6, body = ?7"
            );
            Ok::<_, rusqlite::Error>([db.prepare(&revision)?, db.prepare(&write)?])
        };
        Ok(Statements {
            insert: db.prepare(&format!(
                r#"INSERT INTO {t}(number, revision, listed, version, seq, at, moment, step, "of", due, tries, sent, leased, marks, body{columns})
                   VALUES (?1, ?2 + 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15{values}) ON CONFLICT DO NOTHING"#
            ))?,
            update: db.prepare(&format!("UPDATE {t} SET {moves} WHERE number = ?1 AND revision = ?2 AND listed = ?3{same}"))?,
            listed: db.prepare(&format!("SELECT listed FROM {t} WHERE number = ?1 AND revision = ?2"))?,
            update_all: db.prepare(&format!("UPDATE {t} SET {moves}, listed = ?3{set} WHERE number = ?1 AND revision = ?2"))?,
            entry: table.entries.then(|| entry(table)).transpose()?,
            table,
        })
    }
    /// How many more documents are listed now; none if the document is not at the expected revision.
    fn write(&mut self, write: &Write, seq: u64) -> rusqlite::Result<Option<i64>> {
        if write.expected == 0 {
            return Ok((bind(&mut self.insert, write, seq)? == 1).then_some(i64::from(write.listed)));
        }
        if bind(&mut self.update, write, seq)? == 1 {
            return Ok(Some(0));
        }
        let key = params![int::<_, i64>(write.number)?, int::<_, i64>(write.expected)?];
        let Some(listed) = self.listed.query_row(key, |row| row.get::<_, bool>(0)).optional()? else { return Ok(None) };
        bind(&mut self.update_all, write, seq)?;
        Ok(Some(i64::from(write.listed) - i64::from(listed)))
    }
}

fn bind(to: &mut Statement, write: &Write, seq: u64) -> rusqlite::Result<usize> {
    let Write { number, expected, version, listed, body, at, keys, attempt, moment, marks, .. } = write;
    to.raw_bind_parameter(1, int::<_, i64>(*number)?)?;
    to.raw_bind_parameter(2, int::<_, i64>(*expected)?)?;
    to.raw_bind_parameter(3, listed)?;
    to.raw_bind_parameter(4, int::<_, i64>(*version)?)?;
    to.raw_bind_parameter(5, int::<_, i64>(seq)?)?;
    to.raw_bind_parameter(6, at.millis())?;
    to.raw_bind_parameter(7, moment.map(Timestamp::millis))?;
    match attempt {
        None => {
            for column in 8..=13 {
                to.raw_bind_parameter(column, Null)?;
            }
        }
        Some(attempt) => {
            to.raw_bind_parameter(8, &attempt.step)?;
            to.raw_bind_parameter(9, &attempt.of)?;
            to.raw_bind_parameter(10, attempt.due.millis())?;
            to.raw_bind_parameter(11, attempt.tries)?;
            to.raw_bind_parameter(12, attempt.sent)?;
            to.raw_bind_parameter(13, attempt.leased)?;
        }
    }
    to.raw_bind_parameter(14, marked(marks))?;
    to.raw_bind_parameter(15, &**body)?;
    for (key, column) in keys.iter().zip(16..) {
        to.raw_bind_parameter(column, key)?;
    }
    to.raw_execute()
}

enum Answer {
    Done(StoreResult<()>),
    Numbers(Block),
}
/// Why a group was not made, and whether that may be the fault of a single change in it.
struct Failed(rusqlite::Error, bool);
impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        let of_one = matches!(code, None | Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch));
        Failed(error, of_one)
    }
}

impl<'c> Writer<'c> {
    pub(crate) fn new(
        db: &'c Connection,
        layout: &Layout,
        standing: Standing,
        shared: &'c Arc<Shared>,
    ) -> rusqlite::Result<Self> {
        Ok(Writer {
            db,
            shared,
            standing,
            tables: layout.iter().map(|table| Statements::new(db, *table)).collect::<rusqlite::Result<_>>()?,
            begin: db.prepare("BEGIN IMMEDIATE")?,
            commit: db.prepare("COMMIT")?,
            savepoint: db.prepare("SAVEPOINT change")?,
            release: db.prepare("RELEASE change")?,
            back: db.prepare("ROLLBACK TO change")?,
            fact: db.prepare(&format!(
                "INSERT INTO journal({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
                rows::FACT
            ))?,
            claimed: db.prepare("SELECT key, fingerprint, case_root, case_number, at FROM claims WHERE key = ?1")?,
            claim: db.prepare("INSERT INTO claims(key, fingerprint, case_root, case_number, at) VALUES (?1, ?2, ?3, ?4, ?5)")?,
            free: db.prepare("DELETE FROM claims WHERE key = ?1 AND case_root = ?2 AND case_number = ?3")?,
            position: db.prepare(
                "INSERT INTO position(reader, publisher, seq, id) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET seq = ?3, id = ?4",
            )?,
            aside: db.prepare(
                "INSERT INTO aside(reader, fact_id, fact, why, since) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT(reader, fact_id) DO UPDATE SET fact = ?3, why = ?4, since = ?5",
            )?,
            take_back: db.prepare("DELETE FROM aside WHERE reader = ?1 AND fact_id = ?2")?,
            count: db.prepare("UPDATE counts SET listed = ?2, seq = ?3 WHERE name = ?1")?,
        })
    }

    /// Makes a group durable, then tells everybody who waits for a part of it.
    pub(crate) fn settle(&mut self, group: Vec<Job>) {
        let mut next = self.standing.clone();
        match self.together(&group, &mut next) {
            Ok(answers) => self.publish(group, answers, next),
            Err(Failed(error, of_one)) => {
                if !self.db.is_autocommit() {
                    let _ = self.db.execute_batch("ROLLBACK");
                }
                match of_one {
                    // the others must not suffer from it
                    true if group.len() > 1 => group.into_iter().for_each(|job| self.settle(vec![job])),
                    true => group.into_iter().for_each(|job| job.fail(StoreError::Damaged(error.to_string()))),
                    false => group.into_iter().for_each(|job| job.fail(why(&error))),
                }
            }
        }
    }

    fn together(&mut self, group: &[Job], next: &mut Standing) -> Result<Vec<Answer>, Failed> {
        self.begin.raw_execute()?;
        let mut answers = Vec::with_capacity(group.len());
        for job in group {
            answers.push(match job {
                Job::Commit(change, _) => Answer::Done(self.make(change, next)?),
                Job::Forget(before, _) => {
                    self.db.execute("DELETE FROM claims WHERE at < ?1", [before.millis()])?;
                    Answer::Done(Ok(()))
                }
                Job::Release(now, _) => Answer::Done(self.release_leases(*now)?),
                Job::Numbers(table, _) => Answer::Numbers(self.numbers(table)?),
                Job::Close(..) => Answer::Done(Ok(())),
            });
        }
        for ((table, now), before) in self.tables.iter().zip(&next.counts).zip(&self.standing.counts) {
            if now != before {
                self.count.execute(params![table.table.name, now.0, int::<_, i64>(now.1)?])?;
            }
        }
        self.commit.raw_execute().map_err(|error| Failed(error, false))?;
        Ok(answers)
    }

    /// What is durable now is seen by readers of the memory before anybody is told.
    fn publish(&mut self, group: Vec<Job>, answers: Vec<Answer>, next: Standing) {
        let (mut facts, mut told, mut seq) = (Vec::new(), Vec::with_capacity(group.len()), self.standing.fact);
        for (job, answer) in group.into_iter().zip(answers) {
            match (job, answer) {
                (Job::Commit(change, tell), Answer::Done(answer)) => {
                    for fact in answer.is_ok().then_some(change.facts).into_iter().flatten() {
                        seq += 1;
                        facts.push(Fact { seq, ..fact });
                    }
                    told.push((tell, answer));
                }
                (Job::Forget(_, tell) | Job::Release(_, tell), Answer::Done(answer)) => told.push((tell, answer)),
                (Job::Numbers(_, tell), Answer::Numbers(block)) => drop(tell.send(Ok(block))),
                _ => unreachable!("each job has its answer"),
            }
        }
        self.standing = next;
        self.shared.publish(facts, &self.standing);
        for (tell, answer) in told {
            let _ = tell.send(answer);
        }
    }

    fn table(&mut self, name: &str) -> Option<(usize, &mut Statements<'c>)> {
        self.tables.iter_mut().enumerate().find(|(_, statements)| statements.table.name == name)
    }

    /// Makes one change inside the group's transaction, whole or not at all. What can refuse it stands first, so that a change of
    /// one document needs no savepoint.
    fn make(&mut self, change: &Change, next: &mut Standing) -> rusqlite::Result<StoreResult<()>> {
        if let Err(misfit) = self.fits(change) {
            return Ok(Err(misfit));
        }
        if let Some(Claim { key, .. }) = &change.claim
            && let Some(held) = self.claimed.query_row([key], rows::claim).optional()?
        {
            return Ok(Err(StoreError::Claimed(held)));
        }
        if let Some(EntryWrite { table, number, case, expected, .. }) = &change.entry
            && let Some((_, Statements { entry: Some([revision, _]), .. })) = self.table(table)
        {
            let key = params![int::<_, i64>(*number)?, case.root, int::<_, i64>(case.number)?];
            if revision.query_row(key, |row| row.get::<_, i64>(0)).optional()?.unwrap_or(0) != sought(*expected) {
                return Ok(Err(StoreError::Contended));
            }
        }
        if let [write] = &change.writes[..] {
            if !self.write(write, next)? {
                return Ok(Err(StoreError::Contended));
            }
        } else if !change.writes.is_empty() {
            let before = next.clone();
            self.savepoint.raw_execute()?;
            for write in &change.writes {
                if !self.write(write, next)? {
                    self.back.raw_execute()?;
                    self.release.raw_execute()?;
                    *next = before;
                    return Ok(Err(StoreError::Contended));
                }
            }
            self.release.raw_execute()?;
        }
        self.rest(change, next).map(Ok)
    }

    /// Whether the layout has what the change writes.
    fn fits(&mut self, change: &Change) -> StoreResult<()> {
        for Write { table, keys, .. } in &change.writes {
            match self.table(table) {
                None => return Err(StoreError::Damaged(format!("its layout has no table {table}"))),
                Some((_, statements)) if statements.table.keys.len() != keys.len() => {
                    return Err(StoreError::Damaged(format!("a write to {table} does not have its keys")));
                }
                Some(_) => {}
            }
        }
        match &change.entry {
            Some(EntryWrite { table, .. }) if self.table(table).is_none_or(|(_, statements)| statements.entry.is_none()) => {
                Err(StoreError::Damaged(format!("{table} is no pool")))
            }
            _ => Ok(()),
        }
    }

    fn write(&mut self, write: &Write, next: &mut Standing) -> rusqlite::Result<bool> {
        let seq = next.write + 1;
        let highest = &self.shared.highest;
        let Some((place, statements)) = self.tables.iter_mut().enumerate().find(|(_, s)| s.table.name == write.table) else {
            return Ok(false);
        };
        if write.expected == 0 {
            highest[place].fetch_max(write.number, Ordering::AcqRel);
        }
        let Some(more) = statements.write(write, seq)? else { return Ok(false) };
        next.write = seq;
        next.counts[place] = (next.counts[place].0 + more, seq);
        Ok(true)
    }

    /// All that nothing speaks against.
    fn rest(&mut self, change: &Change, next: &mut Standing) -> rusqlite::Result<()> {
        let Change { writes: _, entry, facts, claim, frees, positions, asides, taken_back } = change;
        if let Some(EntryWrite { table, number, case, expected, version, body, marks }) = entry
            && let Some((_, Statements { entry: Some([_, write]), .. })) = self.table(table)
        {
            let (number, case_number) = (int::<_, i64>(*number)?, int::<_, i64>(case.number)?);
            let (version, revision) = (int::<_, i64>(*version)?, int::<_, i64>(expected + 1)?);
            write.execute(params![number, case.root, case_number, version, revision, marked(marks), &**body])?;
        }
        for fact in facts {
            next.fact += 1;
            self.fact.execute(params![
                int::<_, i64>(next.fact)?,
                &*fact.context,
                &*fact.source,
                int::<_, i64>(fact.number)?,
                fact.entry,
                int::<_, i64>(fact.version)?,
                fact.case.root,
                int::<_, i64>(fact.case.number)?,
                &*fact.name,
                fact.public,
                fact.at.millis(),
                &*fact.by,
                fact.cause.as_deref(),
                fact.trace.as_deref(),
                &*fact.body,
            ])?;
        }
        for (key, case) in frees {
            self.free.execute(params![key, case.root, int::<_, i64>(case.number)?])?;
        }
        if let Some(Claim { key, fingerprint, case, at }) = claim {
            self.claim.execute(params![key, fingerprint, case.root, int::<_, i64>(case.number)?, at.millis()])?;
        }
        for (reader, publisher, to) in positions {
            self.position.execute(params![reader, publisher, int::<_, i64>(to.seq)?, to.id])?;
        }
        for (reader, id) in taken_back {
            self.take_back.execute([reader, id])?;
        }
        for aside in asides {
            let fact = serde_json::to_string(&aside.fact).expect("a fact is data");
            self.aside.execute(params![aside.reader, aside.fact.id(), fact, aside.why, aside.since.millis()])?;
        }
        Ok(())
    }

    fn release_leases(&mut self, now: Timestamp) -> rusqlite::Result<StoreResult<()>> {
        for Statements { table, .. } in &self.tables {
            let t = quoted(table.name);
            let release = r#"due = ?1, leased = 0, sent = 1, revision = revision + 1 WHERE "of" IS NOT NULL AND leased = 1"#;
            self.db.execute(&format!("UPDATE {t} SET {release}"), [now.millis()])?;
        }
        Ok(Ok(()))
    }

    fn numbers(&mut self, table: &str) -> rusqlite::Result<Block> {
        let next =
            "INSERT INTO reserved(name, next) VALUES (?1, 1 + ?2) ON CONFLICT DO UPDATE SET next = next + ?2 RETURNING next";
        let end = self.db.prepare_cached(next)?.query_row(params![table, BLOCK], |row| row.get::<_, i64>(0))?;
        let (first, last) = (end - BLOCK, end - 1);
        let mut taken =
            self.db.prepare_cached(&format!("SELECT number FROM {} WHERE number BETWEEN ?1 AND ?2", quoted(table)))?;
        let taken = taken.query_map([first, last], |row| int(row.get::<_, i64>(0)?))?.collect::<rusqlite::Result<_>>()?;
        Ok(Block { next: int(first)?, last: int(last)?, taken })
    }

    /// What was reserved and given to nobody, so that an orderly stop leaves no gap.
    fn give_back(&mut self, unused: Vec<(&'static str, Block)>) -> rusqlite::Result<()> {
        for (table, Block { next, last, .. }) in unused {
            let give_back = "UPDATE reserved SET next = ?2 WHERE name = ?1 AND next = ?3";
            self.db.execute(give_back, params![table, int::<_, i64>(next)?, int::<_, i64>(last + 1)?])?;
        }
        Ok(())
    }
}
