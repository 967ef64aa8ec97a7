//! Between rows and the port's values.
use jumun_model::{Case, Timestamp};
use jumun_store::{Aside, Attempt, Claim, Document, Entry, Fact, Marks, Position, StoreError, StoreResult};
use std::{borrow::Cow, sync::Arc};
use tokio_postgres::Row;

pub(crate) const DOCUMENT: &str =
    r#"number, version, revision, seq, listed, at, moment, marks, body, "of", step, due, tries, sent, leased"#;
pub(crate) const FACT: &str =
    r#"seq, context, source, number, entry, version, case_root, case_number, name, public, at, "by", cause, trace, body"#;

/// The database's integers have a sign; what does not fit is nowhere.
pub(crate) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
/// Text of a key: the one letter that PostgreSQL can not keep stands for itself no more.
pub(crate) fn kept(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}
pub(crate) fn uint(row: &Row, column: usize) -> u64 {
    u64::try_from(row.get::<_, i64>(column)).unwrap_or_default()
}
fn time(row: &Row, column: usize) -> Timestamp {
    Timestamp::from_millis(row.get(column))
}
fn arc(row: &Row, column: usize) -> Arc<str> {
    Arc::from(row.get::<_, &str>(column))
}
fn marks(row: &Row, column: usize) -> StoreResult<Marks> {
    let text: Option<&str> = row.get(column);
    text.map_or(Ok(Marks::new()), |text| serde_json::from_str(text).map_err(|why| StoreError::Damaged(why.to_string())))
}
/// Marks as a column; most have none.
pub(crate) fn marked(marks: &Marks) -> Option<String> {
    (!marks.is_empty()).then(|| serde_json::to_string(marks).expect("a map from text to numbers"))
}
fn case(row: &Row, column: usize) -> Case {
    Case { root: Cow::Owned(row.get(column)), number: uint(row, column + 1) }
}

pub(crate) fn document(row: &Row) -> StoreResult<Document> {
    let attempt = row.get::<_, Option<String>>(9).map(|of| Attempt {
        of,
        step: row.get(10),
        due: time(row, 11),
        tries: u32::try_from(row.get::<_, i64>(12)).unwrap_or(u32::MAX),
        sent: row.get(13),
        leased: row.get(14),
    });
    Ok(Document {
        number: uint(row, 0),
        version: uint(row, 1),
        revision: uint(row, 2),
        seq: uint(row, 3),
        listed: row.get(4),
        at: time(row, 5),
        moment: row.get::<_, Option<i64>>(6).map(Timestamp::from_millis),
        marks: marks(row, 7)?,
        body: arc(row, 8),
        attempt,
    })
}
/// `case_root, case_number, version, revision, marks, body`
pub(crate) fn entry(row: &Row) -> StoreResult<Entry> {
    Ok(Entry { case: case(row, 0), version: uint(row, 2), revision: uint(row, 3), marks: marks(row, 4)?, body: arc(row, 5) })
}
pub(crate) fn fact(row: &Row) -> StoreResult<Fact> {
    Ok(Fact {
        seq: uint(row, 0),
        context: arc(row, 1),
        source: arc(row, 2),
        number: uint(row, 3),
        entry: row.get(4),
        version: uint(row, 5),
        case: case(row, 6),
        name: arc(row, 8),
        public: row.get(9),
        at: time(row, 10),
        by: arc(row, 11),
        cause: row.get::<_, Option<&str>>(12).map(Arc::from),
        trace: row.get::<_, Option<&str>>(13).map(Arc::from),
        body: arc(row, 14),
    })
}
/// `key, fingerprint, case_root, case_number, at`
pub(crate) fn claim(row: &Row) -> StoreResult<Claim> {
    Ok(Claim { key: row.get(0), fingerprint: row.get(1), case: case(row, 2), at: time(row, 4) })
}
/// `seq, id`
pub(crate) fn position(row: &Row) -> StoreResult<Position> {
    Ok(Position { seq: uint(row, 0), id: row.get(1) })
}
/// `n, reader, fact, why, since`
pub(crate) fn aside(row: &Row) -> StoreResult<Aside> {
    let fact = serde_json::from_str(row.get::<_, &str>(2)).map_err(|why| StoreError::Damaged(why.to_string()))?;
    Ok(Aside { number: uint(row, 0), reader: row.get(1), fact, why: row.get(3), since: time(row, 4) })
}
pub(crate) fn number(row: &Row) -> StoreResult<u64> {
    Ok(uint(row, 0))
}
