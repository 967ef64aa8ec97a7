//! A group's sheet: how what it depends on is read, and the statements by which it is written.
use crate::rows::{self, int, kept, marked, uint};
use jumun_model::{Case, Timestamp};
use jumun_store::{
    Attempt, Claim, EntryWrite, Fact, Layout, Position, Table, Write,
    group::{Job, Standing},
    sheet::{self, Sheet},
    sql::{self, quoted},
};
use tokio_postgres::{Error, Transaction, types::ToSql};

/// Reads all that any of these changes depends on.
pub(crate) async fn read<'g>(
    work: &Transaction<'_>,
    layout: &'g Layout,
    standing: Standing,
    group: &'g [Job],
) -> Result<Sheet<'g>, Error> {
    let mut sheet = Sheet::new(layout, standing, kept);
    for table in layout {
        let numbers = sheet::numbers(group, table).into_iter().map(int).collect::<Vec<_>>();
        if !numbers.is_empty() {
            let found = format!("SELECT number, revision, listed FROM {} WHERE number = ANY($1)", quoted(table.name));
            for row in work.query(&found, &[&numbers]).await? {
                sheet.found_document(table.name, uint(&row, 0), uint(&row, 1), row.get(2));
            }
        }
        let wanted = sheet::cases(group, table);
        if !wanted.is_empty() {
            let numbers = wanted.iter().map(|(number, _)| int(*number)).collect::<Vec<_>>();
            let roots = wanted.iter().map(|(_, case)| case.root.as_ref()).collect::<Vec<_>>();
            let cases = wanted.iter().map(|(_, case)| int(case.number)).collect::<Vec<_>>();
            let found = format!(
                "SELECT e.number, e.case_root, e.case_number, e.revision FROM {} e
                 JOIN UNNEST($1::int8[], $2::text[], $3::int8[]) AS w(number, case_root, case_number) USING (number, case_root, case_number)",
                sql::entries(table.name)
            );
            for row in work.query(&found, &[&numbers, &roots, &cases]).await? {
                let case = Case { root: row.get::<_, String>(1).into(), number: uint(&row, 2) };
                sheet.found_entry(table.name, uint(&row, 0), case, uint(&row, 3));
            }
        }
    }
    let keys = sheet::keys(group).into_iter().map(kept).collect::<Vec<_>>();
    if !keys.is_empty() {
        let held = "SELECT key, fingerprint, case_root, case_number, at FROM claims WHERE key = ANY($1)";
        for row in work.query(held, &[&keys]).await? {
            if let Ok(claim) = rows::claim(&row) {
                sheet.found_claim(claim);
            }
        }
    }
    Ok(sheet)
}

/// Writes what was noted, one statement per table.
pub(crate) async fn write(sheet: &mut Sheet<'_>, work: &Transaction<'_>) -> Result<(), Error> {
    for (table, writes, entries) in sheet.tables() {
        write_documents(work, table, &writes).await?;
        write_entries(work, table, &entries).await?;
    }
    write_facts(work, &sheet.facts).await?;
    for (key, claim) in &sheet.claimed {
        work.execute("DELETE FROM claims WHERE key = $1", &[&kept(key)]).await?;
        if let Some(Claim { fingerprint, case, at, .. }) = claim {
            let insert = "INSERT INTO claims(key, fingerprint, case_root, case_number, at) VALUES ($1, $2, $3, $4, $5)";
            let (root, number, at) = (&*case.root, int(case.number), at.millis());
            work.execute(insert, &[&kept(key), &kept(fingerprint), &root, &number, &at]).await?;
        }
    }
    for ((reader, publisher), Position { seq, id }) in &sheet.positions {
        let upsert = "INSERT INTO position(reader, publisher, seq, id) VALUES ($1, $2, $3, $4)
            ON CONFLICT (reader, publisher) DO UPDATE SET seq = $3, id = $4";
        work.execute(upsert, &[reader, publisher, &int(*seq), id]).await?;
    }
    for change in &sheet.shelf {
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
    for (name, more) in sheet.listed.iter().filter(|(_, more)| **more != 0) {
        work.execute("UPDATE counts SET listed = listed + $2 WHERE name = $1", &[name, more]).await?;
    }
    sheet.written();
    Ok(())
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
