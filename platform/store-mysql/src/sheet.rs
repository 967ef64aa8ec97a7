//! A group's sheet: how what it depends on is read, and the statements by which it is written.
use crate::{
    rows::{self, int, kept, marked, time},
    server::{self, execute},
};
use jumun_model::Timestamp;
use jumun_store::{
    Attempt, Claim, EntryWrite, Fact, Layout, Table, Write,
    group::{Job, Standing},
    sheet::{self, Sheet},
    sql::{self, quoted},
};
use mysql_async::{Conn, Error, Value, prelude::Queryable};

/// How many rows one statement writes or looks for: few sizes, so that each is prepared once.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// Reads all that any of these changes depends on. Locking, so that what is read is the newest that was committed, whatever a snapshot
/// would have.
pub(crate) async fn read<'g>(
    client: &mut Conn,
    layout: &'g Layout,
    standing: Standing,
    group: &'g [Job],
) -> Result<Sheet<'g>, Error> {
    let mut sheet = Sheet::new(layout, standing, kept);
    for table in layout {
        let numbers = sheet::numbers(group, table).into_iter().map(|number| number.to_string()).collect::<Vec<_>>();
        if !numbers.is_empty() {
            let (t, numbers) = (quoted(table.name), numbers.join(","));
            let found = format!("SELECT number, revision, listed FROM {t} WHERE number IN ({numbers}) FOR UPDATE");
            for (number, revision, listed) in client.query::<(u64, u64, bool), _>(found).await? {
                sheet.found_document(table.name, number, revision, listed);
            }
        }
        let wanted = sheet::cases(group, table).into_iter();
        let wanted = wanted.map(|(number, case)| vec![int(number), (&*case.root).into(), int(case.number)]).collect();
        let found = format!("SELECT number, case_root, case_number, revision FROM {}", sql::entries(table.name));
        for row in look_for(client, &found, "(number = ? AND case_root = ? AND case_number = ?)", wanted).await? {
            if let (Some(number), Ok(case), Some(revision)) = (row.get(0), rows::case(&row, 1), row.get(3)) {
                sheet.found_entry(table.name, number, case, revision);
            }
        }
    }
    let keys = sheet::keys(group).into_iter().map(|key| vec![(&*kept(key)).into()]).collect();
    let held = r#"SELECT "key", fingerprint, case_root, case_number, at FROM claims"#;
    for row in look_for(client, held, r#""key" = ?"#, keys).await? {
        if let Ok(claim) = rows::claim(&row) {
            sheet.found_claim(claim);
        }
    }
    Ok(sheet)
}

/// Rows that are one of these.
async fn look_for(client: &mut Conn, select: &str, is: &str, wanted: Vec<Vec<Value>>) -> Result<Vec<mysql_async::Row>, Error> {
    let mut found = Vec::new();
    for (size, values) in in_sizes(wanted) {
        let any = vec![is; size].join(" OR ");
        found.extend(server::rows(client, &format!("{select} WHERE {any} FOR UPDATE"), values).await?);
    }
    Ok(found)
}
/// Writes rows.
async fn insert(client: &mut Conn, into: &str, after: &str, rows: Vec<Vec<Value>>) -> Result<(), Error> {
    for (size, values) in in_sizes(rows) {
        let row = format!("({})", vec!["?"; values.len() / size].join(","));
        execute(client, &format!("INSERT INTO {into} VALUES {} {after}", vec![row; size].join(",")), values).await?;
    }
    Ok(())
}
/// So many at a time, one after the other.
fn in_sizes(rows: Vec<Vec<Value>>) -> Vec<(usize, Vec<Value>)> {
    let (mut rows, mut all) = (rows.into_iter(), Vec::new());
    for size in SIZES {
        while rows.len() >= size {
            all.push((size, rows.by_ref().take(size).flatten().collect()));
        }
    }
    all
}

/// Writes what was noted, a few statements per table.
pub(crate) async fn write(sheet: &mut Sheet<'_>, client: &mut Conn) -> Result<(), Error> {
    for (table, writes, entries) in sheet.tables() {
        write_documents(client, table, &writes).await?;
        write_entries(client, table, &entries).await?;
    }
    let facts = sheet.facts.iter().map(fact).collect();
    insert(client, &format!("journal({})", rows::FACT), "", facts).await?;
    let mut claims = Vec::new();
    for (key, claim) in &sheet.claimed {
        match claim {
            None => execute(client, r#"DELETE FROM claims WHERE "key" = ?"#, vec![(&*kept(key)).into()]).await?,
            Some(Claim { fingerprint, case, at, .. }) => {
                claims.push(vec![(&*kept(key)).into(), fingerprint.into(), (&*case.root).into(), int(case.number), time(*at)]);
            }
        }
    }
    let upsert = "ON DUPLICATE KEY UPDATE fingerprint = VALUES(fingerprint), case_root = VALUES(case_root),
        case_number = VALUES(case_number), at = VALUES(at)";
    insert(client, r#"claims("key", fingerprint, case_root, case_number, at)"#, upsert, claims).await?;
    let positions = sheet.positions.iter();
    let positions = positions.map(|((reader, publisher), position)| {
        vec![(*reader).into(), (*publisher).into(), int(position.seq), (&position.id).into()]
    });
    let upsert = "ON DUPLICATE KEY UPDATE seq = VALUES(seq), id = VALUES(id)";
    insert(client, r#""position"(reader, publisher, seq, id)"#, upsert, positions.collect()).await?;
    for change in &sheet.shelf {
        for (reader, id) in &change.taken_back {
            execute(client, "DELETE FROM aside WHERE reader = ? AND fact_id = ?", vec![reader.into(), id.into()]).await?;
        }
        for aside in &change.asides {
            let fact = serde_json::to_string(&aside.fact).expect("a fact is data");
            let row = vec![(&aside.reader).into(), aside.fact.id().into(), fact.into(), (&aside.why).into(), time(aside.since)];
            let upsert = "ON DUPLICATE KEY UPDATE fact = VALUES(fact), why = VALUES(why), since = VALUES(since)";
            insert(client, "aside(reader, fact_id, fact, why, since)", upsert, vec![row]).await?;
        }
    }
    for (name, more) in sheet.listed.iter().filter(|(_, more)| **more != 0) {
        let count = "UPDATE counts SET listed = listed + ? WHERE name = ?";
        execute(client, count, vec![(*more).into(), (*name).into()]).await?;
    }
    sheet.written();
    Ok(())
}

async fn write_documents(client: &mut Conn, table: &Table, writes: &[(&Write, u64)]) -> Result<(), Error> {
    let own = [
        "version", "revision", "seq", "listed", "at", "moment", "step", "\"of\"", "due", "tries", "sent", "leased", "marks",
        "body",
    ];
    let columns = own.iter().map(|name| (*name).to_owned()).chain(table.keys.iter().map(|key| sql::key(key)));
    let columns = columns.collect::<Vec<_>>();
    let moves = columns.iter().map(|name| format!("{name} = VALUES({name})")).collect::<Vec<_>>().join(", ");
    let into = format!("{}(number, {})", quoted(table.name), columns.join(", "));
    fn of(write: &Write) -> Option<&Attempt> {
        write.attempt.as_ref()
    }
    let rows = writes.iter().map(|(write, seq)| {
        let mut row = vec![
            int(write.number),
            int(write.version),
            int(write.expected + 1),
            int(*seq),
            write.listed.into(),
            time(write.at),
            write.moment.map(Timestamp::millis).into(),
            of(write).map(|it| &*it.step).into(),
            of(write).map(|it| &*it.of).into(),
            of(write).map(|it| it.due.millis()).into(),
            of(write).map(|it| it.tries).into(),
            of(write).map(|it| it.sent).into(),
            of(write).map(|it| it.leased).into(),
            marked(&write.marks),
            (&*write.body).into(),
        ];
        row.extend(write.keys.iter().map(|key| Value::from(key.as_deref())));
        row
    });
    insert(client, &into, &format!("ON DUPLICATE KEY UPDATE {moves}"), rows.collect()).await
}

async fn write_entries(client: &mut Conn, table: &Table, entries: &[&EntryWrite]) -> Result<(), Error> {
    let into = format!("{}(number, case_root, case_number, version, revision, marks, body)", sql::entries(table.name));
    let moves = "ON DUPLICATE KEY UPDATE
        version = VALUES(version), revision = VALUES(revision), marks = VALUES(marks), body = VALUES(body)";
    let rows = entries.iter().map(|entry| {
        let (number, root, case) = (int(entry.number), (&*entry.case.root).into(), int(entry.case.number));
        vec![number, root, case, int(entry.version), int(entry.expected + 1), marked(&entry.marks), (&*entry.body).into()]
    });
    insert(client, &into, moves, rows.collect()).await
}

fn fact((seq, fact): &(u64, &Fact)) -> Vec<Value> {
    vec![
        int(*seq),
        (&*fact.context).into(),
        (&*fact.source).into(),
        int(fact.number),
        fact.entry.into(),
        int(fact.version),
        (&*fact.case.root).into(),
        int(fact.case.number),
        (&*fact.name).into(),
        fact.public.into(),
        time(fact.at),
        (&*fact.by).into(),
        fact.cause.as_deref().into(),
        fact.trace.as_deref().into(),
        (&*fact.body).into(),
    ]
}
