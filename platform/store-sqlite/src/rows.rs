//! Between rows of the file and the port's values.
use jumun_model::{Case, Timestamp};
use jumun_store::{Aside, Attempt, Claim, Document, Entry, Fact, Marks, Position, StoreError};
use rusqlite::{Error, ErrorCode, Row, types::Type};
use std::{borrow::Cow, sync::Arc};

pub(crate) const DOCUMENT: &str =
    r#"number, version, revision, seq, listed, at, moment, marks, body, "of", step, due, tries, sent, leased"#;
pub(crate) const FACT: &str =
    r#"seq, context, source, number, entry, version, case_root, case_number, name, public, at, "by", cause, trace, body"#;

/// SQLite's integers have a sign.
pub(crate) fn int<A, B: TryFrom<A>>(n: A) -> rusqlite::Result<B> {
    B::try_from(n).map_err(|_| Error::ToSqlConversionFailure("a number does not fit".into()))
}
/// A number to look for; what does not fit is nowhere.
pub(crate) fn sought(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
fn uint(row: &Row, column: usize) -> rusqlite::Result<u64> {
    int(row.get::<_, i64>(column)?)
}
fn time(row: &Row, column: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp::from_millis(row.get(column)?))
}
fn arc(row: &Row, column: usize) -> rusqlite::Result<Arc<str>> {
    Ok(Arc::from(row.get_ref(column)?.as_str()?))
}
fn marks(row: &Row, column: usize) -> rusqlite::Result<Marks> {
    match row.get_ref(column)?.as_str_or_null()? {
        None => Ok(Marks::new()),
        Some(text) => serde_json::from_str(text).map_err(|e| Error::FromSqlConversionFailure(column, Type::Text, e.into())),
    }
}
/// Marks as a column; most have none.
pub(crate) fn marked(marks: &Marks) -> Option<String> {
    (!marks.is_empty()).then(|| serde_json::to_string(marks).expect("a map from text to numbers"))
}
fn case(row: &Row, column: usize) -> rusqlite::Result<Case> {
    Ok(Case { root: Cow::Owned(row.get(column)?), number: uint(row, column + 1)? })
}

pub(crate) fn document(row: &Row) -> rusqlite::Result<Document> {
    let attempt = match row.get::<_, Option<String>>(9)? {
        None => None,
        Some(of) => Some(Attempt {
            of,
            step: row.get(10)?,
            due: time(row, 11)?,
            tries: row.get(12)?,
            sent: row.get(13)?,
            leased: row.get(14)?,
        }),
    };
    Ok(Document {
        number: uint(row, 0)?,
        version: uint(row, 1)?,
        revision: uint(row, 2)?,
        seq: uint(row, 3)?,
        listed: row.get(4)?,
        at: time(row, 5)?,
        moment: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_millis),
        marks: marks(row, 7)?,
        body: arc(row, 8)?,
        attempt,
    })
}
/// `case_root, case_number, version, revision, marks, body`
pub(crate) fn entry(row: &Row) -> rusqlite::Result<Entry> {
    Ok(Entry { case: case(row, 0)?, version: uint(row, 2)?, revision: uint(row, 3)?, marks: marks(row, 4)?, body: arc(row, 5)? })
}
pub(crate) fn fact(row: &Row) -> rusqlite::Result<Fact> {
    Ok(Fact {
        seq: uint(row, 0)?,
        context: arc(row, 1)?,
        source: arc(row, 2)?,
        number: uint(row, 3)?,
        entry: row.get(4)?,
        version: uint(row, 5)?,
        case: case(row, 6)?,
        name: arc(row, 8)?,
        public: row.get(9)?,
        at: time(row, 10)?,
        by: arc(row, 11)?,
        cause: row.get_ref(12)?.as_str_or_null()?.map(Arc::from),
        trace: row.get_ref(13)?.as_str_or_null()?.map(Arc::from),
        body: arc(row, 14)?,
    })
}
/// `key, fingerprint, case_root, case_number, at`
pub(crate) fn claim(row: &Row) -> rusqlite::Result<Claim> {
    Ok(Claim { key: row.get(0)?, fingerprint: row.get(1)?, case: case(row, 2)?, at: time(row, 4)? })
}
/// `seq, id`
pub(crate) fn position(row: &Row) -> rusqlite::Result<Position> {
    Ok(Position { seq: uint(row, 0)?, id: row.get(1)? })
}
/// `n, reader, fact, why, since`
pub(crate) fn aside(row: &Row) -> rusqlite::Result<Aside> {
    let fact = serde_json::from_str(row.get_ref(2)?.as_str()?);
    let fact = fact.map_err(|e| Error::FromSqlConversionFailure(2, Type::Text, e.into()))?;
    Ok(Aside { number: uint(row, 0)?, reader: row.get(1)?, fact, why: row.get(3)?, since: time(row, 4)? })
}

/// What it means for the caller.
pub(crate) fn why(error: &Error) -> StoreError {
    match (error.sqlite_error_code(), error) {
        (Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase), _)
        | (_, Error::FromSqlConversionFailure(..) | Error::InvalidColumnType(..) | Error::ToSqlConversionFailure(_)) => {
            StoreError::Damaged(error.to_string())
        }
        _ => StoreError::Unavailable(error.to_string()),
    }
}
