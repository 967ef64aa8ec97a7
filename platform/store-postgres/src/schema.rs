//! What stands in the database: a schema per context, made, checked and brought up to date at every opening.
use crate::OpenError;
use jumun_store::{
    Layout, Table,
    sql::{self, entries, key, quoted, text, view},
};
use std::collections::BTreeSet;
use tokio_postgres::Client;

/// The tables that this code writes. A schema of a higher one is of a newer Jumun.
const SCHEMA: i32 = 1;

// Text is compared byte by byte, wherever the database was made.
const OWN: &str = r#"
CREATE TABLE IF NOT EXISTS meta(key text PRIMARY KEY, value text NOT NULL);
CREATE TABLE IF NOT EXISTS standing(one boolean PRIMARY KEY DEFAULT true CHECK (one), fact int8 NOT NULL, write int8 NOT NULL);
INSERT INTO standing(fact, write) VALUES (0, 0) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS counts(name text PRIMARY KEY, listed int8 NOT NULL);
CREATE TABLE IF NOT EXISTS reserved(name text PRIMARY KEY, next int8 NOT NULL);
CREATE TABLE IF NOT EXISTS journal(
  seq int8 PRIMARY KEY, context text NOT NULL, source text NOT NULL, number int8 NOT NULL, entry boolean NOT NULL,
  version int8 NOT NULL, case_root text NOT NULL, case_number int8 NOT NULL, name text NOT NULL, public boolean NOT NULL,
  at int8 NOT NULL, "by" text NOT NULL, cause text, trace text, body text NOT NULL);
CREATE INDEX IF NOT EXISTS journal_case ON journal(case_root, case_number);
CREATE TABLE IF NOT EXISTS claims(
  key text COLLATE "C" PRIMARY KEY, fingerprint text NOT NULL, case_root text NOT NULL, case_number int8 NOT NULL, at int8 NOT NULL);
CREATE INDEX IF NOT EXISTS claims_at ON claims(at);
CREATE TABLE IF NOT EXISTS position(reader text, publisher text, seq int8 NOT NULL, id text NOT NULL, PRIMARY KEY(reader, publisher));
CREATE TABLE IF NOT EXISTS aside(
  n int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, reader text NOT NULL, fact_id text NOT NULL, fact text NOT NULL, why text NOT NULL,
  since int8 NOT NULL, UNIQUE(reader, fact_id));
"#;
const OWN_NAMES: [&str; 8] = ["meta", "standing", "counts", "reserved", "journal", "claims", "position", "aside"];

/// Checks whose schema it is and brings it to this layout. One process at a time does this.
pub(crate) async fn prepare(client: &mut Client, context: &str, layout: &Layout) -> Result<(), OpenError> {
    sql::names(layout, &OWN_NAMES).map_err(|(table, name)| OpenError::Layout { table, name })?;
    let failed = |why: tokio_postgres::Error| OpenError::Failed { why: crate::told(&why) };
    let work = client.transaction().await.map_err(failed)?;
    work.execute("SELECT pg_advisory_xact_lock(hashtext($1))", &[&format!("jumun {context}")]).await.map_err(failed)?;
    work.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(context))).await.map_err(failed)?;
    let tables = work
        .query("SELECT table_name::text FROM information_schema.tables WHERE table_schema = $1", &[&context])
        .await
        .map_err(failed)?;
    let tables: BTreeSet<String> = tables.iter().map(|row| row.get(0)).collect();
    if !tables.is_empty() {
        if !tables.contains("meta") || !tables.contains("standing") {
            return Err(OpenError::Foreign { found: "another program".into(), wanted: context.into() });
        }
        let found = work.query_opt("SELECT value FROM meta WHERE key = 'schema'", &[]).await.map_err(failed)?;
        let found = found.map_or_else(String::new, |row| row.get(0));
        if found.parse::<i32>().map_or(true, |schema| schema > SCHEMA) {
            return Err(OpenError::Newer { found, known: SCHEMA });
        }
    }
    let wanted = format!("{SCHEMA} {layout:?}");
    if !tables.is_empty() {
        let found = work.query_opt("SELECT value FROM meta WHERE key = 'layout'", &[]).await.map_err(failed)?;
        if found.is_some_and(|row| row.get::<_, String>(0) == wanted) {
            return Ok(()); // others may be at work in it, and are not disturbed
        }
        // writers begin with this row: none is in the middle of anything while tables are altered
        work.execute("SELECT 1 FROM standing FOR UPDATE", &[]).await.map_err(failed)?;
    }
    work.batch_execute(OWN).await.map_err(failed)?;
    for (key, value) in [("schema", SCHEMA.to_string()), ("layout", wanted)] {
        let meta = "INSERT INTO meta(key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2";
        work.execute(meta, &[&key, &value]).await.map_err(failed)?;
    }
    for table in layout {
        work.batch_execute(&bring(table)).await.map_err(failed)?;
        let columns = "SELECT column_name::text FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2
            AND column_name LIKE 'key\\_%'";
        let there = work.query(columns, &[&context, &table.name]).await.map_err(failed)?;
        let there: BTreeSet<String> = there.iter().map(|row| row.get(0)).collect();
        work.batch_execute(&bring_keys(table, &there)).await.map_err(failed)?;
    }
    work.commit().await.map_err(failed)
}

fn bring(table: &Table) -> String {
    let Table { name, entries: pool, .. } = table;
    let (t, index) = (quoted(name), |what: &str| quoted(&format!("{name}_{what}")));
    let (seq, due, moment, literal) = (index("seq"), index("due"), index("moment"), text(name));
    let mut all = format!(
        r#"CREATE TABLE IF NOT EXISTS {t}(
             number int8 PRIMARY KEY, version int8 NOT NULL, revision int8 NOT NULL, seq int8 NOT NULL,
             listed boolean NOT NULL, at int8 NOT NULL, moment int8, step text, "of" text COLLATE "C", due int8, tries int8,
             sent boolean, leased boolean, marks text, body text NOT NULL);
           CREATE INDEX IF NOT EXISTS {seq} ON {t}(seq) WHERE listed;
           CREATE INDEX IF NOT EXISTS {due} ON {t}("of", due) WHERE "of" IS NOT NULL;
           CREATE INDEX IF NOT EXISTS {moment} ON {t}(moment) WHERE moment IS NOT NULL;
           INSERT INTO counts(name, listed) VALUES ({literal}, 0) ON CONFLICT DO NOTHING;"#,
    );
    if *pool {
        all.push_str(&format!(
            "CREATE TABLE IF NOT EXISTS {}(
               number int8, case_root text, case_number int8, version int8 NOT NULL, revision int8 NOT NULL, marks text,
               body text NOT NULL, PRIMARY KEY(number, case_root, case_number));",
            entries(name)
        ));
    }
    all
}

/// Columns for the keys, and the plain view over the fields.
fn bring_keys(table: &Table, there: &BTreeSet<String>) -> String {
    let (t, index) = (quoted(table.name), |what: &str| quoted(&format!("{}_{what}", table.name)));
    let mut all = format!("DROP VIEW IF EXISTS {};", quoted(&view(table.name)));
    let wanted = table.keys.iter().map(|key| format!("key_{key}")).collect::<BTreeSet<_>>();
    for old in there.difference(&wanted) {
        all.push_str(&format!("ALTER TABLE {t} DROP COLUMN {};", quoted(old)));
    }
    for new in table.keys.iter().filter(|key| !there.contains(&format!("key_{key}"))) {
        // what was written before the key was thought of is found by it too
        all.push_str(&format!(
            r#"ALTER TABLE {t} ADD COLUMN {column} text COLLATE "C";
               UPDATE {t} SET {column} = body::json ->> {};
               CREATE INDEX {} ON {t}({column}, number);"#,
            text(new),
            index(&format!("key_{new}")),
            column = key(new),
        ));
    }
    let columns = table.fields.iter().filter(|field| !field.eq_ignore_ascii_case("id"));
    let columns = columns.map(|field| format!(", body::json ->> {} AS {}", text(field), quoted(field))).collect::<String>();
    all.push_str(&format!("CREATE VIEW {} AS SELECT number AS id{columns} FROM {t} WHERE listed", quoted(&view(table.name))));
    all
}
