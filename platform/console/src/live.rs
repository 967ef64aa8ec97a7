//! Rows as they change: a collection's stream, with each row as the table shows it.
use crate::{found, rows::Row, table::Collection, visit::Visit, words::Words};
use askama::Template;
use axum::{
    Router,
    body::{Body, BodyDataStream, Bytes},
    extract::Path,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

/// `GET /app/{context}/{collection}/rows?after=…`: events *row* (`{id, html}`), and *gone* (the id of one that the filter no longer lets through).
pub(crate) async fn rows(visit: Visit, Path((context, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let house = visit.console.house(&visit).await;
    let Some((stands, collection)) = found(&house, &context, &name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let last = headers.get("last-event-id").and_then(|last| last.to_str().ok()).or_else(|| visit.asked("after"));
    let after = last.and_then(|last| last.parse::<u64>().ok()).map(|after| format!("&after={after}"));
    let upstream =
        visit.send(stands.service, Method::GET, &format!("/{name}?stream{}", after.unwrap_or_default()), None, None).await;
    if upstream.status() != StatusCode::OK {
        return upstream.status().into_response(); // the reader's browser tries again
    }
    let feed = Feed {
        matching: matching(collection, &visit),
        role: visit.asked("as").map(str::to_owned),
        only: visit.asked("id").map(str::to_owned),
        collection: collection.clone(),
        words: visit.words.clone(),
        body: upstream.into_body().into_data_stream(),
        rest: Vec::new(),
    };
    let events = stream::unfold(feed, async |mut feed| feed.next().await.map(|text| (Ok::<_, axum::Error>(text), feed)));
    let mut answer = Response::new(Body::from_stream(events));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}

/// What of the query filters rows.
pub(crate) fn matching(collection: &Collection, visit: &Visit) -> Vec<(String, String)> {
    collection.keys.iter().filter_map(|key| Some((key.clone(), visit.asked(key)?.to_owned()))).collect()
}

/// Where a collection's stream stands now: a page that is read after this misses nothing.
pub(crate) async fn position(visit: &Visit, service: &Router, name: &str) -> Option<u64> {
    let answer = visit.send(service, Method::GET, &format!("/{name}?stream"), None, None).await;
    let first = answer.into_body().into_data_stream().next().await?.ok()?;
    std::str::from_utf8(&first).ok()?.lines().find_map(|line| line.strip_prefix("id: ")?.parse().ok())
}

struct Feed {
    collection: Collection,
    words: Words,
    /// Whose buttons a row has.
    role: Option<String>,
    /// Only this one.
    only: Option<String>,
    matching: Vec<(String, String)>,
    body: BodyDataStream,
    /// What was read and is no whole event yet.
    rest: Vec<u8>,
}
impl Feed {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.rest.extend_from_slice(&self.body.next().await?.ok()?);
            let Some(end) = self.rest.windows(2).rposition(|pair| pair == b"\n\n") else { continue };
            let whole = self.rest.drain(..end + 2).collect::<Vec<_>>();
            let text = String::from_utf8_lossy(&whole).split_inclusive("\n\n").map(|event| self.shown(event)).collect::<String>();
            return Some(text.into());
        }
    }
    /// An event with a row, as ours; any other (a position, a sign of life) as it is.
    fn shown(&self, event: &str) -> String {
        let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
        let Some(row) = line("data: ").and_then(|data| serde_json::from_str::<Value>(data).ok()) else { return event.to_owned() };
        let (seq, id) = (line("id: ").unwrap_or_default(), row["id"].to_string());
        if self.only.as_ref().is_some_and(|only| *only != id) {
            return format!("id: {seq}\n\n");
        }
        if !self.matching.iter().all(|(key, wanted)| {
            row.get(key).is_some_and(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned) == *wanted)
        }) {
            return format!("id: {seq}\nevent: gone\ndata: {id}\n\n");
        }
        let html = Row::of(&self.collection, &row, &self.words, self.role.as_deref()).render().unwrap_or_default();
        format!("id: {seq}\nevent: row\ndata: {}\n\n", json!({ "id": id, "html": html }))
    }
}
