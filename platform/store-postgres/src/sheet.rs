//! A group of changes as it is worked out, and the statements by which it is written.
use crate::{
    rows::{self, int, kept, marked},
    writer::{Job, Standing},
};
use jumun_model::{Case, Timestamp};
use jumun_store::{
    Attempt, Change, Claim, EntryWrite, Fact, Layout, Position, StoreError, StoreResult, Table, Write,
    sql::{self, quoted},
};
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::{Error, Transaction, types::ToSql};

/// A document or an entry, as far as it decides whether a write may be made.
#[derive(Clone, Copy, Default)]
struct Known {
    revision: u64,
    listed: bool,
}
type Place = (&'static str, u64);

/// A group as it is worked out: what it finds, and what it shall write. A document that is moved twice is written once.
pub(crate) struct Sheet<'g> {
    layout: &'g Layout,
    /// Where the context stands once it is written.
    pub(crate) standing: Standing,
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
    pub(crate) async fn read(
        work: &Transaction<'_>,
        layout: &'g Layout,
        standing: Standing,
        group: &'g [Job],
    ) -> Result<Self, Error> {
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
                    sql::entries(table.name)
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
    pub(crate) fn make(&mut self, change: &'g Change) -> StoreResult<()> {
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
    pub(crate) async fn write(&mut self, work: &Transaction<'_>) -> Result<(), Error> {
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
async fn execute(work: &Transaction<'_>, sql: &str, arguments: &[Argument<'_>]) -> Result<(), Error> {
    let arguments = arguments.iter().map(|argument| &**argument as &(dyn ToSql + Sync)).collect::<Vec<_>>();
    work.execute(sql, &arguments).await.map(drop)
}
/// A column of rows.
fn column<'a, W, T: ToSql + Sync + Send + 'a>(rows: &'a [W], value: impl Fn(&'a W) -> T) -> Argument<'a> {
    Box::new(rows.iter().map(value).collect::<Vec<_>>())
}

async fn write_documents(work: &Transaction<'_>, table: &Table, writes: &[(&Write, u64)]) -> Result<(), Error> {
    if writes.is_empty() {
        return Ok(());
    }
    let keys = table.keys.iter().map(|key| format!(", {}", sql::key(key))).collect::<String>();
    let values = (16..16 + table.keys.len()).map(|n| format!(", ${n}::text[]")).collect::<String>();
    let own = [
        "version", "revision", "seq", "listed", "at", "moment", "step", "\"of\"", "due", "tries", "sent", "leased", "marks",
        "body",
    ];
    let moves = own.iter().map(|name| (*name).to_owned()).chain(table.keys.iter().map(|key| sql::key(key)));
    let moves = moves.map(|name| format!("{name} = EXCLUDED.{name}")).collect::<Vec<_>>().join(", ");
    let sql = format!(
        r#"INSERT INTO {}(number, version, revision, seq, listed, at, moment, step, "of", due, tries, sent, leased, marks, body{keys})
           SELECT * FROM UNNEST($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::boolean[], $6::int8[], $7::int8[], $8::text[], $9::text[],
             $10::int8[], $11::int8[], $12::boolean[], $13::boolean[], $14::text[], $15::text[]{values})
           ON CONFLICT (number) DO UPDATE SET {moves}"#,
        quoted(table.name)
    );
    fn of(write: &Write) -> Option<&Attempt> {
        write.attempt.as_ref()
    }
    let mut arguments = vec![
        column(writes, |(write, _)| int(write.number)),
        column(writes, |(write, _)| int(write.version)),
        column(writes, |(write, _)| int(write.expected + 1)),
        column(writes, |(_, seq)| int(*seq)),
        column(writes, |(write, _)| write.listed),
        column(writes, |(write, _)| write.at.millis()),
        column(writes, |(write, _)| write.moment.map(Timestamp::millis)),
        column(writes, |(write, _)| of(write).map(|it| &*it.step)),
        column(writes, |(write, _)| of(write).map(|it| &*it.of)),
        column(writes, |(write, _)| of(write).map(|it| it.due.millis())),
        column(writes, |(write, _)| of(write).map(|it| i64::from(it.tries))),
        column(writes, |(write, _)| of(write).map(|it| it.sent)),
        column(writes, |(write, _)| of(write).map(|it| it.leased)),
        column(writes, |(write, _)| marked(&write.marks)),
        column(writes, |(write, _)| &*write.body),
    ];
    for place in 0..table.keys.len() {
        arguments.push(column(writes, |(write, _)| write.keys[place].as_deref().map(kept)));
    }
    execute(work, &sql, &arguments).await
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
        sql::entries(table.name)
    );
    let arguments = [
        column(entries, |entry| int(entry.number)),
        column(entries, |entry| &*entry.case.root),
        column(entries, |entry| int(entry.case.number)),
        column(entries, |entry| int(entry.version)),
        column(entries, |entry| int(entry.expected + 1)),
        column(entries, |entry| marked(&entry.marks)),
        column(entries, |entry| &*entry.body),
    ];
    execute(work, &sql, &arguments).await
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
        column(facts, |(_, fact)| &*fact.context),
        column(facts, |(_, fact)| &*fact.source),
        column(facts, |(_, fact)| int(fact.number)),
        column(facts, |(_, fact)| fact.entry),
        column(facts, |(_, fact)| int(fact.version)),
        column(facts, |(_, fact)| &*fact.case.root),
        column(facts, |(_, fact)| int(fact.case.number)),
        column(facts, |(_, fact)| &*fact.name),
        column(facts, |(_, fact)| fact.public),
        column(facts, |(_, fact)| fact.at.millis()),
        column(facts, |(_, fact)| kept(&fact.by)),
        column(facts, |(_, fact)| fact.cause.as_deref()),
        column(facts, |(_, fact)| fact.trace.as_deref()),
        column(facts, |(_, fact)| &*fact.body),
    ];
    execute(work, &sql, &arguments).await
}
