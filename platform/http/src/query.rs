//! The query of a collection: which page, in what order, which rows.
use crate::{
    problem::Refused,
    wire::{decoded, encoded, whole},
};
use jumun_store::Query;
use std::fmt::Write as _;

/// The highest page; beyond it nobody turns pages, one filters.
pub(crate) const LAST_PAGE: u64 = 1_000_000_000;
/// The most rows on one page.
pub(crate) const MOST: u64 = 1000;
/// Rows on a page if nothing is said.
pub(crate) const USUAL: u64 = 20;

/// What a query asks for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) page: u64,
    pub(crate) size: u64,
    pub(crate) by: Option<&'static str>,
    pub(crate) descending: bool,
    pub(crate) matching: Vec<(&'static str, String)>,
    /// Of a stream: from the rows written after this on.
    pub(crate) after: Option<u64>,
    pub(crate) stream: bool,
}

impl Wanted {
    /// Reads a query; `keys` are those by which the collection can be filtered and sorted. What it does not know it passes over.
    pub(crate) fn read(keys: &'static [&'static str], query: &str) -> Result<Self, Refused> {
        let mut wanted =
            Wanted { page: 0, size: USUAL, by: None, descending: false, matching: Vec::new(), after: None, stream: false };
        let mut seen: Vec<&'static str> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let broken = || Refused::query(name, "its percent-encoding is broken");
            let (name, value) = (decoded(name, true).ok_or_else(broken)?, decoded(value, true).ok_or_else(broken)?);
            let known = ["page", "size", "sort", "after", "stream"].iter().chain(keys).find(|known| **known == name);
            let Some(known) = known else { continue };
            if seen.contains(known) {
                return Err(Refused::query(known, "it is there twice"));
            }
            seen.push(known);
            let number = |least, most| {
                whole(&value, least, most)
                    .ok_or_else(|| Refused::query(known, &format!("it must be a whole number from {least} to {most}")))
            };
            match *known {
                "page" => wanted.page = number(0, LAST_PAGE)?,
                "size" => wanted.size = number(1, MOST)?,
                "after" => wanted.after = Some(number(0, jumun_model::EXACT)?),
                "stream" => wanted.stream = true,
                "sort" => (wanted.by, wanted.descending) = order(keys, &value)?,
                key => wanted.matching.push((key, value)),
            }
        }
        Ok(wanted)
    }
    /// For the store.
    pub(crate) fn query(&self) -> Query {
        let Wanted { page, size, by, descending, .. } = *self;
        Query {
            matching: self.matching.clone(),
            newest_first: descending,
            by,
            offset: page * size,
            limit: size,
            after: 0,
            unlisted: false,
        }
    }
    /// The query string of another page of the same.
    pub(crate) fn turned_to(&self, page: u64) -> String {
        let mut query = format!("?page={page}&size={}", self.size);
        if self.by.is_some() || self.descending {
            let (by, way) = (self.by.unwrap_or("id"), if self.descending { "desc" } else { "asc" });
            let _ = write!(query, "&sort={by},{way}"); // writing to a String can not fail
        }
        for (key, value) in &self.matching {
            let _ = write!(query, "&{key}={}", encoded(value));
        }
        query
    }
}

fn order(keys: &'static [&'static str], value: &str) -> Result<(Option<&'static str>, bool), Refused> {
    let wrong = || {
        let fields = std::iter::once("id").chain(keys.iter().copied()).collect::<Vec<_>>().join(", ");
        Refused::query("sort", &format!("it must be one of {fields}, with ,asc or ,desc behind it or without"))
    };
    let (by, way) = value.split_once(',').unwrap_or((value, "asc"));
    let descending = match way {
        "asc" => false,
        "desc" => true,
        _ => return Err(wrong()),
    };
    if by == "id" {
        return Ok((None, descending));
    }
    keys.iter().find(|key| **key == by).map(|key| (Some(*key), descending)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[&str] = &["status", "itemNo"];
    fn read(query: &str) -> Result<Wanted, Refused> {
        Wanted::read(KEYS, query)
    }

    #[test]
    fn a_query_names_a_page_an_order_and_filters() {
        let wanted = read("page=3&size=50&sort=status,desc&itemNo=10%2001&unknown=x&&status=Paid").unwrap();
        let query = wanted.query();
        assert_eq!((query.offset, query.limit, query.by, query.newest_first), (150, 50, Some("status"), true));
        assert_eq!(query.matching, [("itemNo", "10 01".to_owned()), ("status", "Paid".to_owned())]);
        assert_eq!(wanted.turned_to(4), "?page=4&size=50&sort=status,desc&itemNo=10%2001&status=Paid");
        let usual = read("").unwrap().query();
        assert_eq!((usual.offset, usual.limit, usual.by, usual.newest_first), (0, 20, None, false));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_name() {
        for (query, field) in [
            ("page=-1", "page"),
            ("page=1000000001", "page"),
            ("size=0", "size"),
            ("size=1001", "size"),
            ("size=%2B5", "size"),
            ("page", "page"),
            ("sort=price", "sort"),
            ("sort=id,up", "sort"),
            ("sort=id,asc,desc", "sort"),
            ("status=a&status=b", "status"),
            ("page=1&page=1", "page"),
            ("status=%FF", "status"),
            ("x=%2", "x"),
            ("after=x", "after"),
        ] {
            let no = read(query).unwrap_err();
            assert_eq!((no.status.as_u16(), no.arguments[0].clone()), (400, ("field", field.to_owned())), "{query}");
        }
    }
}
