//! What stands on the server: a database per context, made, checked and brought up to date at every opening.
//!
//! A server of this kind commits with every table that is made or altered. So one process at a time does this, each step can be done
//! again, and what says that all are done is written last.
use crate::{OpenError, server};
use jumun_store::{
    Layout, Table,
    sql::{self, entries, key, quoted, text, view},
};
use mysql_async::{Conn, Error, prelude::Queryable};
use std::collections::BTreeSet;

/// The tables that this code writes. A database of a higher one is of a newer Jumun.
const SCHEMA: i32 = 1;

/// `COLLATION` compares text byte by byte, also the spaces at its end.
const OWN: &str = r#"
CREATE TABLE IF NOT EXISTS meta("key" varchar(255) PRIMARY KEY, value longtext NOT NULL) AS_WE_DO;
CREATE TABLE IF NOT EXISTS standing(one boolean PRIMARY KEY, fact bigint NOT NULL, "write" bigint NOT NULL) AS_WE_DO;
INSERT IGNORE INTO standing(one, fact, "write") VALUES (true, 0, 0);
CREATE TABLE IF NOT EXISTS flushed(one boolean PRIMARY KEY, times bigint NOT NULL) AS_WE_DO;
INSERT IGNORE INTO flushed(one, times) VALUES (true, 0);
CREATE TABLE IF NOT EXISTS writer(
  id bigint AUTO_INCREMENT PRIMARY KEY, done bigint NOT NULL,
  at timestamp DEFAULT current_timestamp ON UPDATE current_timestamp) AS_WE_DO;
CREATE TABLE IF NOT EXISTS counts(name varchar(255) PRIMARY KEY, listed bigint NOT NULL) AS_WE_DO;
CREATE TABLE IF NOT EXISTS reserved(name varchar(255) PRIMARY KEY, next bigint NOT NULL) AS_WE_DO;
CREATE TABLE IF NOT EXISTS journal(
  seq bigint PRIMARY KEY, context varchar(255) NOT NULL, source varchar(255) NOT NULL, number bigint NOT NULL,
  entry boolean NOT NULL, version bigint NOT NULL, case_root varchar(255) NOT NULL, case_number bigint NOT NULL,
  name varchar(255) NOT NULL, public boolean NOT NULL, at bigint NOT NULL, "by" longtext NOT NULL,
  cause longtext, trace longtext, body longtext NOT NULL,  INDEX journal_case(case_root, case_number)) AS_WE_DO;
CREATE TABLE IF NOT EXISTS claims(
  "key" varchar(700) PRIMARY KEY, fingerprint longtext NOT NULL, case_root varchar(255) NOT NULL, case_number bigint NOT NULL,
  at bigint NOT NULL, INDEX claims_at(at)) AS_WE_DO;
CREATE TABLE IF NOT EXISTS "position"(
  reader varchar(255), publisher varchar(255), seq bigint NOT NULL, id longtext NOT NULL,
  PRIMARY KEY(reader, publisher)) AS_WE_DO;
CREATE TABLE IF NOT EXISTS aside(
  n bigint AUTO_INCREMENT PRIMARY KEY, reader varchar(255) NOT NULL, fact_id varchar(255) NOT NULL, fact longtext NOT NULL,
  why longtext NOT NULL, since bigint NOT NULL, UNIQUE(reader, fact_id)) AS_WE_DO
"#;
/// The least that it must take at once: a group, and room for one that is large.
const PACKET: i64 = 16 << 20;
const OWN_NAMES: [&str; 10] =
    ["meta", "standing", "flushed", "writer", "counts", "reserved", "journal", "claims", "position", "aside"];

fn failed(why: Error) -> OpenError {
    OpenError::Failed { why: server::told(&why) }
}

/// Settings without which a server can not be relied upon.
pub(crate) fn unfit(flush: i64, log: bool, sync: i64, packet: i64) -> Option<OpenError> {
    let unfit = |setting, found, wanted| Some(OpenError::Unfit { setting, found, wanted });
    match (flush, log, sync) {
        // 3 is more than 1
        (1 | 3, false, _) | (1 | 3, true, 1) if packet >= PACKET => None,
        (1 | 3, false, _) | (1 | 3, true, 1) => {
            unfit("max_allowed_packet", packet, "at least 16777216, to take a group of changes at once")
        }
        // what is not in its log is undone when it recovers
        (1 | 3, ..) => unfit("sync_binlog", sync, "1, or what it has acknowledged may be lost"),
        _ => unfit("innodb_flush_log_at_trx_commit", flush, "1, or what it has acknowledged may be lost"),
    }
}

/// Enters the database, checks whose it is and brings it to this layout. Answers how much the server takes at once.
pub(crate) async fn prepare(client: &mut Conn, database: &str, layout: &Layout) -> Result<usize, OpenError> {
    sql::names(layout, &OWN_NAMES).map_err(|(table, name)| OpenError::Layout { table, name })?;
    let settings = "SELECT @@version, @@innodb_flush_log_at_trx_commit, @@log_bin, @@sync_binlog, @@max_allowed_packet";
    let settings = client.query_first::<(String, i64, bool, i64, i64), _>(settings).await.map_err(failed)?;
    let (version, flush, log, sync, packet) = settings.unwrap_or_default();
    if let Some(unfit) = unfit(flush, log, sync, packet) {
        return Err(unfit);
    }
    let collation = if version.contains("MariaDB") { "utf8mb4_nopad_bin" } else { "utf8mb4_0900_bin" };
    let within = format!("USE {}", quoted(database));
    if client.query_drop(&within).await.is_err() {
        let make = format!("CREATE DATABASE IF NOT EXISTS {} CHARACTER SET utf8mb4 COLLATE {collation}", quoted(database));
        client.query_drop(make).await.map_err(failed)?;
        client.query_drop(&within).await.map_err(failed)?;
    }
    let alone = client.exec_first::<Option<bool>, _, _>("SELECT GET_LOCK(SHA1(?), 60)", (database,)).await.map_err(failed)?;
    if alone.flatten() != Some(true) {
        return Err(OpenError::Failed { why: "another process has been bringing it up to date for a minute".into() });
    }
    let brought = bring_all(client, database, layout, collation).await;
    client.exec_drop("DO RELEASE_LOCK(SHA1(?))", (database,)).await.map_err(failed)?;
    brought.map(|()| usize::try_from(packet).unwrap_or_default())
}

async fn bring_all(client: &mut Conn, database: &str, layout: &Layout, collation: &str) -> Result<(), OpenError> {
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()";
    let tables: BTreeSet<String> = client.query::<String, _>(tables).await.map_err(failed)?.into_iter().collect();
    let wanted = format!("{SCHEMA} {layout:?}");
    if tables.contains("meta") {
        let found = r#"SELECT value FROM meta WHERE "key" = 'schema'"#;
        let found = client.query_first::<String, _>(found).await.map_err(failed)?;
        // it is not there yet if whoever made the table came no further
        if let Some(found) = found.filter(|found| found.parse::<i32>().map_or(true, |schema| schema > SCHEMA)) {
            return Err(OpenError::Newer { found, known: SCHEMA });
        }
        let found = r#"SELECT value FROM meta WHERE "key" = 'layout'"#;
        if client.query_first::<String, _>(found).await.map_err(failed)?.as_ref() == Some(&wanted) {
            return Ok(()); // others may be at work in it, and are not disturbed
        }
    } else if !tables.is_empty() {
        return Err(OpenError::Foreign { found: "another program".into(), wanted: database.into() });
    }
    let ours = format!("ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE={collation}");
    for statement in OWN.split(';') {
        client.query_drop(statement.replace("AS_WE_DO", &ours)).await.map_err(failed)?;
    }
    set(client, "schema", &SCHEMA.to_string()).await?;
    for table in layout {
        for statement in bring(table, &ours) {
            client.query_drop(statement).await.map_err(failed)?;
        }
        let columns = "SELECT column_name FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name = ? AND column_name LIKE 'key|_%' ESCAPE '|'";
        let columns = client.exec::<String, _, _>(columns, (table.name,)).await.map_err(failed)?;
        let indexed = "SELECT column_name FROM information_schema.statistics
            WHERE table_schema = DATABASE() AND table_name = ? AND seq_in_index = 1";
        let indexed = client.exec::<String, _, _>(indexed, (table.name,)).await.map_err(failed)?;
        for statement in bring_keys(table, &columns.into_iter().collect(), &indexed.into_iter().collect()) {
            client.query_drop(statement).await.map_err(failed)?;
        }
    }
    set(client, "layout", &wanted).await
}

async fn set(client: &mut Conn, key: &str, value: &str) -> Result<(), OpenError> {
    let meta = r#"INSERT INTO meta("key", value) VALUES (?, ?) ON DUPLICATE KEY UPDATE value = VALUES(value)"#;
    client.exec_drop(meta, (key, value)).await.map_err(failed)
}

fn bring(table: &Table, ours: &str) -> Vec<String> {
    let Table { name, entries: pool, .. } = table;
    let mut all = vec![
        format!(
            r#"CREATE TABLE IF NOT EXISTS {}(
                 number bigint PRIMARY KEY, version bigint NOT NULL, revision bigint NOT NULL, seq bigint NOT NULL,
                 listed boolean NOT NULL, at bigint NOT NULL, moment bigint, step varchar(255), "of" varchar(255), due bigint,
                 tries bigint, sent boolean, leased boolean, marks longtext, body longtext NOT NULL,
                 INDEX seq(listed, seq), INDEX due("of", due), INDEX moment(moment)) {ours}"#,
            quoted(name)
        ),
        format!("INSERT IGNORE INTO counts(name, listed) VALUES ({}, 0)", text(name)),
    ];
    if *pool {
        all.push(format!(
            "CREATE TABLE IF NOT EXISTS {}(
               number bigint, case_root varchar(255), case_number bigint, version bigint NOT NULL, revision bigint NOT NULL,
               marks longtext, body longtext NOT NULL, PRIMARY KEY(number, case_root, case_number)) {ours}",
            entries(name)
        ));
    }
    all
}

/// A field of a document as text; what JSON knows as null is none.
fn field(name: &str) -> String {
    let found = format!("JSON_EXTRACT(body, {})", text(&format!("$.{}", quoted(name))));
    format!("CASE JSON_TYPE({found}) WHEN 'NULL' THEN NULL ELSE JSON_UNQUOTE({found}) END")
}

/// Columns for the keys, and the plain view over the fields.
fn bring_keys(table: &Table, there: &BTreeSet<String>, indexed: &BTreeSet<String>) -> Vec<String> {
    let t = quoted(table.name);
    let wanted = table.keys.iter().map(|key| format!("key_{key}")).collect::<BTreeSet<_>>();
    let mut all = there.difference(&wanted).map(|old| format!("ALTER TABLE {t} DROP COLUMN {}", quoted(old))).collect::<Vec<_>>();
    for new in table.keys {
        let (name, column) = (format!("key_{new}"), key(new));
        if !there.contains(&name) {
            all.push(format!("ALTER TABLE {t} ADD COLUMN {column} varchar(700)"));
        }
        // what was written before the key was thought of is found by it too; the index comes last, and says that it was done
        if !indexed.contains(&name) {
            all.push(format!("UPDATE {t} SET {column} = {}", field(new)));
            all.push(format!("CREATE INDEX {column} ON {t}({column}, number)"));
        }
    }
    let columns = table.fields.iter().filter(|field| !field.eq_ignore_ascii_case("id"));
    let columns = columns.map(|name| format!(", {} AS {}", field(name), quoted(name))).collect::<String>();
    let view = quoted(&view(table.name));
    all.push(format!("CREATE OR REPLACE SQL SECURITY INVOKER VIEW {view} AS SELECT number AS id{columns} FROM {t} WHERE listed"));
    all
}
