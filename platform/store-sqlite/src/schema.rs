//! What stands in the file: made, checked and brought up to date at every opening.
use crate::{OpenError, rows::int};
use jumun_store::{
    Layout, Table,
    sql::{entries, key, quoted, text, view},
};
use rusqlite::{Connection, ErrorCode, OptionalExtension};
use std::{collections::BTreeSet, path::Path};

/// The schema that this code writes. A file of a higher one is of a newer Jumun.
const SCHEMA: u32 = 1;

const OWN: &str = r#"
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counts(name TEXT PRIMARY KEY, listed INTEGER NOT NULL, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reserved(name TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journal(
  seq INTEGER PRIMARY KEY, context TEXT NOT NULL, source TEXT NOT NULL, number INTEGER NOT NULL, entry INTEGER NOT NULL,
  version INTEGER NOT NULL, case_root TEXT NOT NULL, case_number INTEGER NOT NULL, name TEXT NOT NULL, public INTEGER NOT NULL,
  at INTEGER NOT NULL, "by" TEXT NOT NULL, cause TEXT, trace TEXT, body TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS "journal.case" ON journal(case_root, case_number);
CREATE TABLE IF NOT EXISTS claims(
  key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, case_root TEXT NOT NULL, case_number INTEGER NOT NULL, at INTEGER NOT NULL)
  STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS "claims.at" ON claims(at);
CREATE TABLE IF NOT EXISTS position(
  reader TEXT NOT NULL, publisher TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY(reader, publisher))
  STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS aside(
  n INTEGER PRIMARY KEY AUTOINCREMENT, reader TEXT NOT NULL, fact_id TEXT NOT NULL, fact TEXT NOT NULL, why TEXT NOT NULL, since INTEGER NOT NULL,
  UNIQUE(reader, fact_id)) STRICT;
"#;
const OWN_NAMES: [&str; 7] = ["meta", "counts", "reserved", "journal", "claims", "position", "aside"];

/// Checks whose file it is and brings it to this layout.
pub(crate) fn prepare(db: &mut Connection, path: &Path, context: &str, layout: &Layout) -> Result<(), OpenError> {
    names(layout)?;
    let sql = |e| failed(path, e);
    let is_ours = |name: &str| {
        db.query_row("SELECT 1 FROM sqlite_master WHERE name = ?1", [name], |_| Ok(())).optional().map(|t| t.is_some())
    };
    let empty = db.query_row("SELECT count(*) = 0 FROM sqlite_master", [], |row| row.get::<_, bool>(0)).map_err(sql)?;
    let path = path.to_owned();
    if !empty && !is_ours("meta").and_then(|meta| Ok(meta && is_ours("journal")?)).map_err(sql)? {
        return Err(OpenError::Foreign { path, found: "another program".into(), wanted: context.into() });
    }
    if !empty {
        let meta = |key: &str| db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get::<_, String>(0));
        let found = meta("schema").map_err(sql)?;
        if found.parse::<u32>().map_or(true, |schema| schema > SCHEMA) {
            return Err(OpenError::Newer { path, found, known: SCHEMA });
        }
        let found = meta("context").map_err(sql)?;
        if found != context {
            return Err(OpenError::Foreign { path, found: format!("the context {found}"), wanted: context.into() });
        }
    }
    bring(db, context, layout).map_err(|e| failed(&path, e))
}

/// Every name that the file would hold, once.
fn names(layout: &Layout) -> Result<(), OpenError> {
    let mut taken = OWN_NAMES.map(str::to_owned).into_iter().collect::<BTreeSet<_>>();
    for table in layout {
        let entry = table.entries.then(|| format!("{}_entry", table.name));
        for name in [Some(table.name.to_owned()), Some(view(table.name)), entry].into_iter().flatten() {
            if name.starts_with("sqlite_") || !taken.insert(name.to_lowercase()) {
                return Err(OpenError::Layout { table: table.name, name });
            }
        }
    }
    Ok(())
}

fn bring(db: &mut Connection, context: &str, layout: &Layout) -> rusqlite::Result<()> {
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    tx.execute_batch(OWN)?;
    let meta = "INSERT INTO meta(key, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    tx.execute(meta, ["schema", &SCHEMA.to_string()])?;
    tx.execute(meta, ["context", context])?;
    tx.execute("INSERT INTO meta(key, value) VALUES ('created', strftime('%Y-%m-%dT%H:%M:%SZ')) ON CONFLICT DO NOTHING", [])?;
    for table in layout {
        bring_table(&tx, table)?;
    }
    tx.commit()
}

fn bring_table(db: &Connection, table: &Table) -> rusqlite::Result<()> {
    let Table { name, keys, entries: pool, .. } = table;
    let (t, index) = (quoted(name), |what: &str| quoted(&format!("{name}.{what}")));
    let (seq, due, moment, literal) = (index("seq"), index("due"), index("moment"), text(name));
    db.execute_batch(&format!(
        r#"CREATE TABLE IF NOT EXISTS {t}(
             number INTEGER PRIMARY KEY, version INTEGER NOT NULL, revision INTEGER NOT NULL, seq INTEGER NOT NULL,
             listed INTEGER NOT NULL, at INTEGER NOT NULL, moment INTEGER, step TEXT, "of" TEXT, due INTEGER, tries INTEGER,
             sent INTEGER, leased INTEGER, marks TEXT, body TEXT NOT NULL) STRICT;
           CREATE INDEX IF NOT EXISTS {seq} ON {t}(seq) WHERE listed = 1;
           CREATE INDEX IF NOT EXISTS {due} ON {t}("of", due) WHERE "of" IS NOT NULL;
           CREATE INDEX IF NOT EXISTS {moment} ON {t}(moment) WHERE moment IS NOT NULL;
           INSERT INTO counts(name, listed, seq) VALUES ({literal}, 0, 0) ON CONFLICT DO NOTHING;"#,
    ))?;
    if *pool {
        db.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS {}(
               number INTEGER NOT NULL, case_root TEXT NOT NULL, case_number INTEGER NOT NULL, version INTEGER NOT NULL,
               revision INTEGER NOT NULL, marks TEXT, body TEXT NOT NULL, PRIMARY KEY(number, case_root, case_number))
               STRICT, WITHOUT ROWID;",
            entries(name)
        ))?;
    }
    let there = db
        .prepare("SELECT name FROM pragma_table_info(?1) WHERE name LIKE 'key\\_%' ESCAPE '\\'")?
        .query_map([name], |row| row.get::<_, String>(0))?
        .collect::<rusqlite::Result<BTreeSet<_>>>()?;
    let wanted = keys.iter().map(|key| format!("key_{key}")).collect::<BTreeSet<_>>();
    let shows = show(table);
    let shown = db.query_row("SELECT sql FROM sqlite_master WHERE type = 'view' AND name = ?1", [view(name)], |row| {
        row.get::<_, String>(0)
    });
    if shown.optional()?.as_deref() != Some(&shows) {
        db.execute_batch(&format!("DROP VIEW IF EXISTS {}; {shows}", quoted(&view(name))))?;
    }
    for old in there.difference(&wanted) {
        db.execute_batch(&format!("DROP INDEX IF EXISTS {}; ALTER TABLE {t} DROP COLUMN {};", index(old), quoted(old)))?;
    }
    for new in keys.iter().filter(|key| !there.contains(&format!("key_{key}"))) {
        // what was written before the key was thought of is found by it too
        let path = text(&format!("$.\"{new}\""));
        db.execute_batch(&format!(
            "ALTER TABLE {t} ADD COLUMN {column} TEXT;
             UPDATE {t} SET {column} = CASE json_type(body, {path})
               WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(json_extract(body, {path}) AS TEXT) END;
             CREATE INDEX {} ON {t}({column}, number, listed);",
            index(&format!("key_{new}")),
            column = key(new),
        ))?;
    }
    Ok(())
}

/// One row per listed document, one column per field.
fn show(Table { name, fields, .. }: &Table) -> String {
    let columns = fields.iter().filter(|field| !field.eq_ignore_ascii_case("id"));
    let columns = columns.map(|field| format!(", json_extract(body, {}) AS {}", text(&format!("$.\"{field}\"")), quoted(field)));
    let columns = columns.collect::<String>();
    format!("CREATE VIEW {} AS SELECT number AS id{columns} FROM {} WHERE listed = 1", quoted(&view(name)), quoted(name))
}

/// Where the file stands.
#[derive(Clone)]
pub(crate) struct Standing {
    /// The newest fact.
    pub fact: u64,
    /// The newest write.
    pub write: u64,
    /// Per table of the layout: how many documents are listed, and the newest write.
    pub counts: Vec<(i64, u64)>,
}

pub(crate) fn standing(db: &Connection, layout: &Layout) -> rusqlite::Result<Standing> {
    let fact = db.query_row("SELECT max(seq) FROM journal", [], |row| row.get::<_, Option<i64>>(0))?.map_or(Ok(0), int)?;
    let count = |table: &Table| {
        let mut find = db.prepare_cached("SELECT listed, seq FROM counts WHERE name = ?1")?;
        find.query_row([table.name], |row| Ok((row.get(0)?, int(row.get::<_, i64>(1)?)?)))
    };
    let counts = layout.iter().map(count).collect::<rusqlite::Result<Vec<_>>>()?;
    let write = db.query_row("SELECT max(seq) FROM counts", [], |row| row.get::<_, Option<i64>>(0))?.map_or(Ok(0), int)?;
    Ok(Standing { fact, write, counts })
}

/// Per table of the layout: the highest number of a document.
pub(crate) fn highest(db: &Connection, layout: &Layout) -> rusqlite::Result<Vec<u64>> {
    let highest = |table: &Table| {
        let highest = format!("SELECT coalesce(max(number), 0) FROM {}", quoted(table.name));
        db.query_row(&highest, [], |row| int(row.get::<_, i64>(0)?))
    };
    layout.iter().map(highest).collect()
}

/// Why a file can not be opened, in words.
pub(crate) fn failed(path: &Path, error: rusqlite::Error) -> OpenError {
    let (path, why) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path, why },
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => OpenError::NotWritable { path, why },
        _ => OpenError::Failed { path, why },
    }
}
