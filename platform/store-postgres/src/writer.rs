//! The one task that writes for this process. What waits becomes one transaction, in which each change is made whole or not at all.
//!
//! Every writer of a context, of whatever process, begins by locking the one row of `standing`, takes its numbers from there, and lets go of it by
//! committing. So numbers are given in the order of commits: whoever sees a fact sees all that have lower numbers.
use crate::{
    Shared,
    rows::{self, int, kept, marked},
    schema::{self, quoted},
};
use futures_util::FutureExt;
use jumun_model::{Case, Timestamp};
use jumun_store::{Change, Claim, EntryWrite, Fact, Layout, Marks, Position, StoreError, StoreResult, Table, Write};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::{Client, Config, Error, NoTls, Transaction, types::ToSql};

/// The most that one transaction takes.
const GROUP: usize = 512;
const GROUP_BYTES: usize = 4 << 20;
/// How many numbers are reserved at a time; as many at the most are skipped after a crash.
const BLOCK: i64 = 128;
/// How long a group waits for a server that does not take connections before it is told that nothing was done.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a try to connect may take, and how long to wait between two.
const TRY: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(200);

type Tell<T> = oneshot::Sender<StoreResult<T>>;

/// What the writer is asked to do, in this order.
pub(crate) enum Job {
    Commit(Box<Change>, Tell<()>),
    Forget(Timestamp, Tell<()>),
    Release(Timestamp, Tell<()>),
    Numbers(&'static str, Tell<Block>),
    Close(Vec<(&'static str, Block)>, Tell<()>),
}
/// Numbers that are nobody's yet.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub next: u64,
    pub last: u64,
    /// Those in between that a document has.
    pub taken: BTreeSet<u64>,
}
/// What a job comes to.
enum Answer {
    Done(StoreResult<()>),
    Numbers(Block),
}

impl Job {
    fn bytes(&self) -> usize {
        let Job::Commit(change, _) = self else { return 0 };
        let facts = change.facts.iter().map(|fact| fact.body.len());
        change.writes.iter().map(|write| write.body.len()).chain(facts).sum()
    }
    fn tell(self, answer: Answer) {
        match (self, answer) {
            (Job::Commit(_, tell) | Job::Forget(_, tell) | Job::Release(_, tell) | Job::Close(_, tell), Answer::Done(answer)) => {
                drop(tell.send(answer));
            }
            (Job::Numbers(_, tell), Answer::Numbers(block)) => drop(tell.send(Ok(block))),
            (job, _) => job.fail(&StoreError::Damaged("it was answered what it did not ask".into())),
        }
    }
    fn fail(self, error: &StoreError) {
        match self {
            Job::Commit(_, tell) | Job::Forget(_, tell) | Job::Release(_, tell) | Job::Close(_, tell) => {
                drop(tell.send(Err(error.clone())));
            }
            Job::Numbers(_, tell) => drop(tell.send(Err(error.clone()))),
        }
    }
}

/// Where the context stands.
#[derive(Clone, Copy, Default)]
pub(crate) struct Standing {
    pub(crate) fact: u64,
    pub(crate) write: u64,
}
pub(crate) async fn standing(client: &Client) -> Result<Standing, Error> {
    let row = client.query_one("SELECT fact, write FROM standing", &[]).await?;
    Ok(read_standing(&row))
}
fn read_standing(row: &tokio_postgres::Row) -> Standing {
    let uint = |column| u64::try_from(row.get::<_, i64>(column)).unwrap_or_default();
    Standing { fact: uint(0), write: uint(1) }
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
    pub(crate) shared: Arc<Shared>,
    pub(crate) client: Option<Client>,
}

impl Writer {
    /// Runs until it is told to close, or nobody can tell it anything any more.
    pub(crate) async fn run(mut self, mut jobs: mpsc::UnboundedReceiver<Job>) {
        let mut next = None;
        loop {
            let Some(job) = (match next.take() {
                Some(job) => Some(job),
                None => jobs.recv().await,
            }) else {
                return;
            };
            if let Job::Close(unused, tell) = job {
                let _ = tell.send(self.give_back(unused).await);
                return;
            }
            let (mut bytes, mut group) = (job.bytes(), vec![job]);
            while group.len() < GROUP && bytes < GROUP_BYTES {
                match jobs.try_recv() {
                    Ok(job @ Job::Close(..)) => {
                        next = Some(job);
                        break;
                    }
                    Ok(job) => {
                        bytes += job.bytes();
                        group.push(job);
                    }
                    Err(_) => break,
                }
            }
            self.settle(group).await;
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
                    self.shared.moved(standing);
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
            self.shared.moved(standing);
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
    let mut sheet = Sheet::read(&work, layout, before, group).await?;
    let mut answers = Vec::with_capacity(group.len());
    for job in group {
        answers.push(match job {
            Job::Commit(change, _) => Answer::Done(sheet.make(change)),
            Job::Forget(before, _) => {
                sheet.write(&work).await?; // what came before it is there for it
                work.execute("DELETE FROM claims WHERE at < $1", &[&before.millis()]).await?;
                Answer::Done(Ok(()))
            }
            Job::Release(now, _) => {
                sheet.write(&work).await?;
                for table in layout {
                    let release =
                        r#"due = $1, leased = false, sent = true, revision = revision + 1 WHERE "of" IS NOT NULL AND leased"#;
                    work.execute(&format!("UPDATE {} SET {release}", quoted(table.name)), &[&now.millis()]).await?;
                }
                sheet = Sheet::read(&work, layout, sheet.standing, group).await?;
                Answer::Done(Ok(()))
            }
            Job::Numbers(table, _) => {
                sheet.write(&work).await?;
                Answer::Numbers(numbers(&work, table).await?)
            }
            Job::Close(..) => Answer::Done(Ok(())),
        });
    }
    sheet.write(&work).await?;
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

/// A document or an entry, as far as it decides whether a write may be made.
#[derive(Clone, Copy, Default)]
struct Known {
    revision: u64,
    listed: bool,
}
type Place = (&'static str, u64);

/// A group as it is worked out: what it finds, and what it shall write. A document that is moved twice is written once.
struct Sheet<'g> {
    layout: &'g Layout,
    standing: Standing,
    documents: BTreeMap<Place, Known>,
    entries: BTreeMap<(Place, Case), u64>,
    claims: BTreeMap<String, Claim>,
    writes: BTreeMap<Place, (&'g Write, u64)>,
    entry_writes: BTreeMap<(Place, Case), &'g EntryWrite>,
    facts: Vec<(u64, &'g Fact)>,
    claimed: BTreeMap<&'g str, Option<&'g Claim>>,
    positions: BTreeMap<(&'g str, &'g str), &'g Position>,
    shelf: Vec<&'g Change>,
    listed: BTreeMap<&'static str, i64>,
}

impl<'g> Sheet<'g> {
    /// Reads all that any of these changes depends on.
    async fn read(work: &Transaction<'_>, layout: &'g Layout, standing: Standing, group: &'g [Job]) -> Result<Self, Error> {
        let changes = || group.iter().filter_map(|job| if let Job::Commit(change, _) = job { Some(&**change) } else { None });
        let mut sheet = Sheet {
            layout,
            standing,
            documents: BTreeMap::new(),
            entries: BTreeMap::new(),
            claims: BTreeMap::new(),
            writes: BTreeMap::new(),
            entry_writes: BTreeMap::new(),
            facts: Vec::new(),
            claimed: BTreeMap::new(),
            positions: BTreeMap::new(),
            shelf: Vec::new(),
            listed: BTreeMap::new(),
        };
        for table in layout {
            let numbers = changes().flat_map(|change| &change.writes).filter(|write| write.table == table.name);
            let numbers = numbers.map(|write| int(write.number)).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
            if !numbers.is_empty() {
                let found = format!("SELECT number, revision, listed FROM {} WHERE number = ANY($1)", quoted(table.name));
                for row in work.query(&found, &[&numbers]).await? {
                    let uint = |column| u64::try_from(row.get::<_, i64>(column)).unwrap_or_default();
                    sheet.documents.insert((table.name, uint(0)), Known { revision: uint(1), listed: row.get(2) });
                }
            }
            let wanted = changes().filter_map(|change| change.entry.as_ref()).filter(|entry| entry.table == table.name);
            let wanted = wanted.map(|entry| (int(entry.number), &entry.case)).collect::<BTreeSet<_>>();
            if table.entries && !wanted.is_empty() {
                let numbers = wanted.iter().map(|(number, _)| *number).collect::<Vec<_>>();
                let roots = wanted.iter().map(|(_, case)| case.root.as_ref()).collect::<Vec<_>>();
                let cases = wanted.iter().map(|(_, case)| int(case.number)).collect::<Vec<_>>();
                let found = format!(
                    "SELECT e.number, e.case_root, e.case_number, e.revision FROM {} e
                     JOIN UNNEST($1::int8[], $2::text[], $3::int8[]) AS w(number, case_root, case_number) USING (number, case_root, case_number)",
                    schema::entries(table.name)
                );
                for row in work.query(&found, &[&numbers, &roots, &cases]).await? {
                    let uint = |column| u64::try_from(row.get::<_, i64>(column)).unwrap_or_default();
                    let case = Case { root: row.get::<_, String>(1).into(), number: uint(2) };
                    sheet.entries.insert(((table.name, uint(0)), case), uint(3));
                }
            }
        }
        let freed = changes().flat_map(|change| &change.frees).map(|(key, _)| kept(key).into_owned());
        let keys = changes().filter_map(|change| change.claim.as_ref()).map(|claim| kept(&claim.key).into_owned());
        let keys = keys.chain(freed).collect::<Vec<_>>();
        if !keys.is_empty() {
            let held = "SELECT key, fingerprint, case_root, case_number, at FROM claims WHERE key = ANY($1)";
            for row in work.query(held, &[&keys]).await? {
                if let Ok(claim) = rows::claim(&row) {
                    sheet.claims.insert(claim.key.clone(), claim);
                }
            }
        }
        Ok(sheet)
    }

    fn table(&self, name: &str) -> Option<&'g Table> {
        self.layout.iter().find(|table| table.name == name)
    }

    /// Makes one change, whole or not at all: what speaks against it is looked for before anything of it is noted.
    fn make(&mut self, change: &'g Change) -> StoreResult<()> {
        self.fits(change)?;
        if let Some(claim) = &change.claim
            && let Some(held) = self.claims.get(&*kept(&claim.key))
        {
            return Err(StoreError::Claimed(held.clone()));
        }
        if let Some(entry) = &change.entry {
            let there = self.entries.get(&((entry.table, entry.number), entry.case.clone()));
            if there.copied().unwrap_or_default() != entry.expected {
                return Err(StoreError::Contended);
            }
        }
        let mut moved = BTreeMap::new();
        for write in &change.writes {
            let place = (write.table, write.number);
            let there = moved.get(&place).or(self.documents.get(&place)).copied().unwrap_or_default();
            if there.revision != write.expected {
                return Err(StoreError::Contended);
            }
            moved.insert(place, Known { revision: write.expected + 1, listed: write.listed });
        }
        for write in &change.writes {
            let place = (write.table, write.number);
            let before = self.documents.get(&place).copied().unwrap_or_default();
            self.standing.write += 1;
            *self.listed.entry(write.table).or_default() += i64::from(write.listed) - i64::from(before.listed);
            self.documents.insert(place, Known { revision: write.expected + 1, listed: write.listed });
            self.writes.insert(place, (write, self.standing.write));
        }
        if let Some(entry) = &change.entry {
            let place = ((entry.table, entry.number), entry.case.clone());
            self.entries.insert(place.clone(), entry.expected + 1);
            self.entry_writes.insert(place, entry);
        }
        for fact in &change.facts {
            self.standing.fact += 1;
            self.facts.push((self.standing.fact, fact));
        }
        for (key, case) in &change.frees {
            if self.claims.get(&*kept(key)).is_some_and(|claim| claim.case == *case) {
                self.claims.remove(&*kept(key));
                self.claimed.insert(key, None);
            }
        }
        if let Some(claim) = &change.claim {
            self.claims.insert(kept(&claim.key).into_owned(), claim.clone());
            self.claimed.insert(&claim.key, Some(claim));
        }
        for (reader, publisher, position) in &change.positions {
            self.positions.insert((reader, publisher), position);
        }
        if !change.asides.is_empty() || !change.taken_back.is_empty() {
            self.shelf.push(change);
        }
        Ok(())
    }

    /// Whether the layout has what the change writes.
    fn fits(&self, change: &Change) -> StoreResult<()> {
        for Write { table, keys, .. } in &change.writes {
            match self.table(table) {
                None => return Err(StoreError::Damaged(format!("its layout has no table {table}"))),
                Some(known) if known.keys.len() != keys.len() => {
                    return Err(StoreError::Damaged(format!("a write to {table} does not have its keys")));
                }
                Some(_) => {}
            }
        }
        match &change.entry {
            Some(EntryWrite { table, .. }) if self.table(table).is_none_or(|table| !table.entries) => {
                Err(StoreError::Damaged(format!("{table} is no pool")))
            }
            _ => Ok(()),
        }
    }

    /// Writes what was noted, one statement per table.
    async fn write(&mut self, work: &Transaction<'_>) -> Result<(), Error> {
        for table in self.layout {
            let writes = self.writes.iter().filter(|((name, _), _)| *name == table.name).map(|(_, write)| *write);
            write_documents(work, table, &writes.collect::<Vec<_>>()).await?;
            let entries = self.entry_writes.iter().filter(|(((name, _), _), _)| *name == table.name).map(|(_, entry)| *entry);
            write_entries(work, table, &entries.collect::<Vec<_>>()).await?;
        }
        write_facts(work, &self.facts).await?;
        for (key, claim) in &self.claimed {
            work.execute("DELETE FROM claims WHERE key = $1", &[&kept(key)]).await?;
            if let Some(Claim { fingerprint, case, at, .. }) = claim {
                let insert = "INSERT INTO claims(key, fingerprint, case_root, case_number, at) VALUES ($1, $2, $3, $4, $5)";
                let (root, number, at) = (&*case.root, int(case.number), at.millis());
                work.execute(insert, &[&kept(key), &kept(fingerprint), &root, &number, &at]).await?;
            }
        }
        for ((reader, publisher), Position { seq, id }) in &self.positions {
            let upsert = "INSERT INTO position(reader, publisher, seq, id) VALUES ($1, $2, $3, $4)
                ON CONFLICT (reader, publisher) DO UPDATE SET seq = $3, id = $4";
            work.execute(upsert, &[reader, publisher, &int(*seq), id]).await?;
        }
        for change in &self.shelf {
            for (reader, id) in &change.taken_back {
                work.execute("DELETE FROM aside WHERE reader = $1 AND fact_id = $2", &[reader, id]).await?;
            }
            for aside in &change.asides {
                let upsert = "INSERT INTO aside(reader, fact_id, fact, why, since) VALUES ($1, $2, $3, $4, $5)
                    ON CONFLICT (reader, fact_id) DO UPDATE SET fact = $3, why = $4, since = $5";
                let fact = serde_json::to_string(&aside.fact).expect("a fact is data");
                work.execute(upsert, &[&aside.reader, &aside.fact.id(), &fact, &kept(&aside.why), &aside.since.millis()]).await?;
            }
        }
        for (name, more) in self.listed.iter().filter(|(_, more)| **more != 0) {
            work.execute("UPDATE counts SET listed = listed + $2 WHERE name = $1", &[name, more]).await?;
        }
        self.writes.clear();
        self.entry_writes.clear();
        self.facts.clear();
        self.claimed.clear();
        self.positions.clear();
        self.shelf.clear();
        self.listed.clear();
        Ok(())
    }
}

/// An argument of a statement.
type Argument<'a> = Box<dyn ToSql + Sync + Send + 'a>;
async fn execute(work: &Transaction<'_>, sql: &str, arguments: &[Argument<'_>]) -> Result<u64, Error> {
    let statement = work.prepare(sql).await?;
    let arguments = arguments.iter().map(|argument| &**argument as &(dyn ToSql + Sync)).collect::<Vec<_>>();
    work.execute(&statement, &arguments).await
}
/// A column of rows.
fn column<'a, W, T: ToSql + Sync + Send + 'a>(rows: &[W], value: impl Fn(&W) -> T) -> Argument<'a> {
    Box::new(rows.iter().map(value).collect::<Vec<_>>())
}

async fn write_documents(work: &Transaction<'_>, table: &Table, writes: &[(&Write, u64)]) -> Result<(), Error> {
    if writes.is_empty() {
        return Ok(());
    }
    let keys = table.keys.iter().map(|key| format!(", {}", schema::key(key))).collect::<String>();
    let values = (16..16 + table.keys.len()).map(|n| format!(", ${n}::text[]")).collect::<String>();
    let own = [
        "version", "revision", "seq", "listed", "at", "moment", "step", "\"of\"", "due", "tries", "sent", "leased", "marks",
        "body",
    ];
    let moves = own.iter().map(|name| (*name).to_owned()).chain(table.keys.iter().map(|key| schema::key(key)));
    let moves = moves.map(|name| format!("{name} = EXCLUDED.{name}")).collect::<Vec<_>>().join(", ");
    let sql = format!(
        r#"INSERT INTO {}(number, version, revision, seq, listed, at, moment, step, "of", due, tries, sent, leased, marks, body{keys})
           SELECT * FROM UNNEST($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::boolean[], $6::int8[], $7::int8[], $8::text[], $9::text[],
             $10::int8[], $11::int8[], $12::boolean[], $13::boolean[], $14::text[], $15::text[]{values})
           ON CONFLICT (number) DO UPDATE SET {moves}"#,
        quoted(table.name)
    );
    let attempt = |write: &Write| write.attempt.clone();
    let mut arguments = vec![
        column(writes, |(write, _)| int(write.number)),
        column(writes, |(write, _)| int(write.version)),
        column(writes, |(write, _)| int(write.expected + 1)),
        column(writes, |(_, seq)| int(*seq)),
        column(writes, |(write, _)| write.listed),
        column(writes, |(write, _)| write.at.millis()),
        column(writes, |(write, _)| write.moment.map(Timestamp::millis)),
        column(writes, |(write, _)| attempt(write).map(|it| it.step)),
        column(writes, |(write, _)| attempt(write).map(|it| it.of)),
        column(writes, |(write, _)| attempt(write).map(|it| it.due.millis())),
        column(writes, |(write, _)| attempt(write).map(|it| i64::from(it.tries))),
        column(writes, |(write, _)| attempt(write).map(|it| it.sent)),
        column(writes, |(write, _)| attempt(write).map(|it| it.leased)),
        column(writes, |(write, _)| marked(&write.marks)),
        column(writes, |(write, _)| write.body.to_string()),
    ];
    for place in 0..table.keys.len() {
        arguments.push(column(writes, |(write, _)| write.keys[place].as_deref().map(|key| kept(key).into_owned())));
    }
    execute(work, &sql, &arguments).await.map(drop)
}

async fn write_entries(work: &Transaction<'_>, table: &Table, entries: &[&EntryWrite]) -> Result<(), Error> {
    if entries.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO {}(number, case_root, case_number, version, revision, marks, body)
         SELECT * FROM UNNEST($1::int8[], $2::text[], $3::int8[], $4::int8[], $5::int8[], $6::text[], $7::text[])
         ON CONFLICT (number, case_root, case_number)
         DO UPDATE SET version = EXCLUDED.version, revision = EXCLUDED.revision, marks = EXCLUDED.marks, body = EXCLUDED.body",
        schema::entries(table.name)
    );
    let marks = |marks: &Marks| marked(marks);
    let arguments = [
        column(entries, |entry| int(entry.number)),
        column(entries, |entry| entry.case.root.to_string()),
        column(entries, |entry| int(entry.case.number)),
        column(entries, |entry| int(entry.version)),
        column(entries, |entry| int(entry.expected + 1)),
        column(entries, |entry| marks(&entry.marks)),
        column(entries, |entry| entry.body.to_string()),
    ];
    execute(work, &sql, &arguments).await.map(drop)
}

async fn write_facts(work: &Transaction<'_>, facts: &[(u64, &Fact)]) -> Result<(), Error> {
    if facts.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO journal({})
         SELECT * FROM UNNEST($1::int8[], $2::text[], $3::text[], $4::int8[], $5::boolean[], $6::int8[], $7::text[], $8::int8[], $9::text[],
           $10::boolean[], $11::int8[], $12::text[], $13::text[], $14::text[], $15::text[])",
        rows::FACT
    );
    let arguments = [
        column(facts, |(seq, _)| int(*seq)),
        column(facts, |(_, fact)| fact.context.to_string()),
        column(facts, |(_, fact)| fact.source.to_string()),
        column(facts, |(_, fact)| int(fact.number)),
        column(facts, |(_, fact)| fact.entry),
        column(facts, |(_, fact)| int(fact.version)),
        column(facts, |(_, fact)| fact.case.root.to_string()),
        column(facts, |(_, fact)| int(fact.case.number)),
        column(facts, |(_, fact)| fact.name.to_string()),
        column(facts, |(_, fact)| fact.public),
        column(facts, |(_, fact)| fact.at.millis()),
        column(facts, |(_, fact)| kept(&fact.by).into_owned()),
        column(facts, |(_, fact)| fact.cause.as_deref().map(str::to_owned)),
        column(facts, |(_, fact)| fact.trace.as_deref().map(str::to_owned)),
        column(facts, |(_, fact)| fact.body.to_string()),
    ];
    execute(work, &sql, &arguments).await.map(drop)
}
