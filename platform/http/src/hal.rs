//! Rows and pages as HAL+JSON.
use crate::{locale::Phrases, query::Wanted};
use axum::http::HeaderValue;
use jumun_runtime::door::{Part, Shape};
use serde_json::{Value, json};
use std::sync::Arc;

/// What our answers are.
pub(crate) const HAL: HeaderValue = HeaderValue::from_static("application/hal+json");

/// How one collection writes its rows for one request: where they are, and in what language their links are called.
pub(crate) struct Pen {
    at: String,
    phrases: Arc<Phrases>,
    /// The reader's language.
    pub(crate) language: String,
}

impl Pen {
    /// For a collection at that URL.
    pub(crate) fn new(at: String, phrases: &Arc<Phrases>, language: &str) -> Self {
        Pen { at, phrases: Arc::clone(phrases), language: language.to_owned() }
    }
    /// The URL of one.
    pub(crate) fn href(&self, number: u64) -> String {
        format!("{}/{number}", self.at)
    }
    /// One row, by itself.
    pub(crate) fn row(&self, shape: &Shape, message: Option<&str>) -> Vec<u8> {
        let mut text = Vec::with_capacity(512);
        self.item(&mut text, shape, message);
        text
    }
    /// One row: its body, a message if there is one, and its links.
    pub(crate) fn item(&self, into: &mut Vec<u8>, shape: &Shape, message: Option<&str>) {
        write(into, &shape.body);
        into.pop(); // the brace that closes the body
        if !shape.body.is_empty() {
            into.push(b',');
        }
        if let Some(message) = message {
            into.extend_from_slice(b"\"message\":");
            write(into, message);
            into.push(b',');
        }
        let href = self.href(shape.number);
        into.extend_from_slice(b"\"_links\":{\"self\":{\"href\":");
        write(into, &href);
        for name in &shape.links {
            into.extend_from_slice(b"},");
            write(into, name);
            into.extend_from_slice(b":{\"href\":");
            write(into, &format!("{href}/{name}"));
            if let Some(title) = self.phrases.say(&self.language, &format!("links.{name}"), &[]) {
                into.extend_from_slice(b",\"title\":");
                write(into, &title);
            }
        }
        into.extend_from_slice(b"}}}");
    }
    /// A page of them.
    pub(crate) fn page(&self, name: &str, wanted: &Wanted, part: &Part) -> Vec<u8> {
        let mut text = Vec::with_capacity(256 + part.rows.len() * 512);
        text.extend_from_slice(b"{\"_embedded\":{");
        write(&mut text, name);
        text.extend_from_slice(b":[");
        for (index, row) in part.rows.iter().enumerate() {
            if index > 0 {
                text.push(b',');
            }
            self.item(&mut text, row, None);
        }
        let pages = part.total.div_ceil(wanted.size);
        let last = pages.saturating_sub(1);
        let to = |page| json!({ "href": format!("{}{}", self.at, wanted.turned_to(page)) });
        let mut links = json!({ "self": to(wanted.page), "first": to(0), "last": to(last) });
        if wanted.page > 0 {
            links["prev"] = to((wanted.page - 1).min(last));
        }
        if wanted.page < last {
            links["next"] = to(wanted.page + 1);
        }
        let page: Value = json!({ "size": wanted.size, "totalElements": part.total, "totalPages": pages, "number": wanted.page });
        text.extend_from_slice(b"]},\"_links\":");
        write(&mut text, &links);
        text.extend_from_slice(b",\"page\":");
        write(&mut text, &page);
        for (name, total) in &part.totals {
            text.push(b',');
            write(&mut text, name);
            text.push(b':');
            write(&mut text, total);
        }
        text.push(b'}');
        text
    }
}

fn write<T: serde::Serialize + ?Sized>(into: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(into, value).expect("rows are data, and memory takes them");
}
