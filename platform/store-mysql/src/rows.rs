//! Between rows and the port's values.
use jumun_model::{Case, Timestamp};
use jumun_store::{Aside, Attempt, Claim, Document, Entry, Fact, Marks, Position, StoreError, StoreResult};
use mysql_async::{Row, Value, prelude::FromValue};
use std::{borrow::Cow, sync::Arc};

pub(crate) const DOCUMENT: &str =
    r#"number, version, revision, seq, listed, at, moment, marks, body, "of", step, due, tries, sent, leased"#;
pub(crate) const FACT: &str =
    r#"seq, context, source, number, entry, version, case_root, case_number, name, public, at, "by", cause, trace, body"#;

/// The database's integers have a sign; what does not fit is nowhere.
pub(crate) fn int(n: u64) -> Value {
    i64::try_from(n).unwrap_or(i64::MAX).into()
}
pub(crate) fn time(at: Timestamp) -> Value {
    at.millis().into()
}
/// A key as it is kept: as it is.
pub(crate) fn kept(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}
fn odd() -> StoreError {
    StoreError::Damaged("a column holds what was never written to it".into())
}
fn get<T: FromValue>(row: &Row, column: usize) -> StoreResult<T> {
    row.get_opt(column).and_then(Result::ok).ok_or_else(odd)
}
fn uint(row: &Row, column: usize) -> StoreResult<u64> {
    get(row, column)
}
fn timestamp(row: &Row, column: usize) -> StoreResult<Timestamp> {
    get(row, column).map(Timestamp::from_millis)
}
fn text(row: &Row, column: usize) -> StoreResult<Option<&str>> {
    match row.as_ref(column) {
        Some(Value::NULL) => Ok(None),
        Some(Value::Bytes(text)) => std::str::from_utf8(text).map(Some).map_err(|_| odd()),
        _ => Err(odd()),
    }
}
fn arc(row: &Row, column: usize) -> StoreResult<Arc<str>> {
    text(row, column)?.map(Arc::from).ok_or_else(odd)
}
fn marks(row: &Row, column: usize) -> StoreResult<Marks> {
    text(row, column)?
        .map_or(Ok(Marks::new()), |text| serde_json::from_str(text).map_err(|why| StoreError::Damaged(why.to_string())))
}
/// Marks as a column; most have none.
pub(crate) fn marked(marks: &Marks) -> Value {
    (!marks.is_empty()).then(|| serde_json::to_string(marks).expect("a map from text to numbers")).into()
}
pub(crate) fn case(row: &Row, column: usize) -> StoreResult<Case> {
    Ok(Case { root: Cow::Owned(get(row, column)?), number: uint(row, column + 1)? })
}

pub(crate) fn document(row: &Row) -> StoreResult<Document> {
    let attempt = match get::<Option<String>>(row, 9)? {
        None => None,
        Some(of) => Some(Attempt {
            of,
            step: get(row, 10)?,
            due: timestamp(row, 11)?,
            tries: get(row, 12)?,
            sent: get(row, 13)?,
            leased: get(row, 14)?,
        }),
    };
    Ok(Document {
        number: uint(row, 0)?,
        version: uint(row, 1)?,
        revision: uint(row, 2)?,
        seq: uint(row, 3)?,
        listed: get(row, 4)?,
        at: timestamp(row, 5)?,
        moment: get::<Option<i64>>(row, 6)?.map(Timestamp::from_millis),
        marks: marks(row, 7)?,
        body: arc(row, 8)?,
        attempt,
    })
}
/// `case_root, case_number, version, revision, marks, body`
pub(crate) fn entry(row: &Row) -> StoreResult<Entry> {
    let (version, revision) = (uint(row, 2)?, uint(row, 3)?);
    Ok(Entry { case: case(row, 0)?, version, revision, marks: marks(row, 4)?, body: arc(row, 5)? })
}
pub(crate) fn fact(row: &Row) -> StoreResult<Fact> {
    Ok(Fact {
        seq: uint(row, 0)?,
        context: arc(row, 1)?,
        source: arc(row, 2)?,
        number: uint(row, 3)?,
        entry: get(row, 4)?,
        version: uint(row, 5)?,
        case: case(row, 6)?,
        name: arc(row, 8)?,
        public: get(row, 9)?,
        at: timestamp(row, 10)?,
        by: arc(row, 11)?,
        cause: text(row, 12)?.map(Arc::from),
        trace: text(row, 13)?.map(Arc::from),
        body: arc(row, 14)?,
    })
}
/// `key, fingerprint, case_root, case_number, at`
pub(crate) fn claim(row: &Row) -> StoreResult<Claim> {
    Ok(Claim { key: get(row, 0)?, fingerprint: get(row, 1)?, case: case(row, 2)?, at: timestamp(row, 4)? })
}
/// `seq, id`
pub(crate) fn position(row: &Row) -> StoreResult<Position> {
    Ok(Position { seq: uint(row, 0)?, id: get(row, 1)? })
}
/// `n, reader, fact, why, since`
pub(crate) fn aside(row: &Row) -> StoreResult<Aside> {
    let fact = serde_json::from_str(text(row, 2)?.ok_or_else(odd)?).map_err(|why| StoreError::Damaged(why.to_string()))?;
    Ok(Aside { number: uint(row, 0)?, reader: get(row, 1)?, fact, why: get(row, 3)?, since: timestamp(row, 4)? })
}
pub(crate) fn number(row: &Row) -> StoreResult<u64> {
    uint(row, 0)
}
/// A time, or none.
pub(crate) fn moment(row: &Row) -> StoreResult<Option<Timestamp>> {
    Ok(get::<Option<i64>>(row, 0)?.map(Timestamp::from_millis))
}
