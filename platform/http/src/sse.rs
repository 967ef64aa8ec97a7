//! A collection as server-sent events: each row that is written, in its newest state, under the store-wide number of that write.
//!
//! The number is the event's id, so a reader that comes back with `Last-Event-ID` gets the newest state of every row written since.
//! An id comes before the first row too: also who has seen nothing yet misses nothing.
use crate::{
    hal::Pen,
    problem::Refused,
    router::Doors,
    router::written,
    wire::{single, whole},
};
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use futures_util::{
    future::{Either, select},
    stream,
};
use jumun_model::{Caller, EXACT};
use jumun_runtime::door::{Collection, News, Shape, reads};
use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};
use tokio::sync::watch;

/// How long a stream may be silent.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a reader is believed to be still who they were: a token expires.
const BELIEVED: Duration = Duration::from_secs(5);
/// How long a store that does not answer is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether the request asks for a stream.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let accepts =
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    accepts
        .into_iter()
        .any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream")))
}
/// The last event that a reader has seen.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Refused> {
    const NAME: &str = "last-event-id";
    let wrong = || Refused::header(NAME, "it must be the id of an event");
    single(headers, NAME)?.map(|id| whole(id, 0, EXACT).ok_or_else(wrong)).transpose()
}

/// Who reads what, from where on.
pub(crate) struct Reader {
    pub(crate) door: Arc<dyn Collection>,
    pub(crate) by: Caller,
    pub(crate) head: HeaderMap,
    pub(crate) matching: Vec<(&'static str, String)>,
    pub(crate) pen: Pen,
    pub(crate) after: u64,
}

struct Feed {
    reader: Reader,
    doors: Arc<Doors>,
    newest: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    ready: watch::Receiver<bool>,
    begun: bool,
    /// When it was last seen that the reader still may.
    seen: Duration,
}

/// The answer to a request for a stream.
pub(crate) fn stream(doors: &Arc<Doors>, reader: Reader) -> Response {
    let feed = Feed {
        newest: doors.core.store.newest_write(),
        stopping: doors.core.tasks.stopping(),
        ready: doors.house.ready.clone(),
        seen: doors.core.clock.elapsed(),
        doors: Arc::clone(doors),
        reader,
        begun: false,
    };
    let events =
        stream::unfold(feed, async |mut feed| feed.next().await.map(|text| (Ok::<_, Infallible>(Bytes::from(text)), feed)));
    written(StatusCode::OK, HeaderValue::from_static("text/event-stream"), Body::from_stream(events))
}

impl Feed {
    /// What is to be sent next; none at the end.
    async fn next(&mut self) -> Option<Vec<u8>> {
        if !self.begun {
            self.begun = true;
            return Some(format!("retry: 1000\nid: {}\n\n", self.reader.after).into_bytes());
        }
        while *self.ready.borrow() && !*self.stopping.borrow() && self.still_may().await {
            // seen before it is read: what is written in between wakes us again
            self.newest.borrow_and_update();
            let Reader { door, by, after, .. } = &self.reader;
            let pause = match door.changed(&self.doors.core, *after, by).await {
                Ok(News { upto: None, .. }) => KEEP_ALIVE,
                Ok(News { rows, upto: Some(upto) }) => {
                    let text = self.write(&rows);
                    self.reader.after = upto;
                    if !text.is_empty() {
                        return Some(text);
                    }
                    continue;
                }
                Err(_) => PAUSE, // said already where it went wrong
            };
            match self.wait(pause).await {
                Waited::Moved => {}
                Waited::Silent => return Some(b":\n\n".to_vec()),
                Waited::Over => return None,
            }
        }
        None
    }
    /// Whether the reader is still who they were. Where nobody can say now, they are.
    async fn still_may(&mut self) -> bool {
        let now = self.doors.core.clock.elapsed();
        if now < self.seen + BELIEVED {
            return true;
        }
        self.seen = now;
        let known = self.doors.house.access.caller(&self.reader.head, &[]).await;
        known.err().is_none_or(|no| no.status != StatusCode::UNAUTHORIZED)
    }
    fn write(&self, rows: &[Shape]) -> Vec<u8> {
        let Reader { matching, pen, .. } = &self.reader;
        let mut text = Vec::with_capacity(rows.len() * 512);
        for row in rows {
            if matching.iter().all(|(key, value)| reads(row.body.get(*key), value)) {
                text.extend_from_slice(format!("id: {}\nevent: row\ndata: ", row.seq).as_bytes());
                pen.item(&mut text, row, None);
                text.extend_from_slice(b"\n\n");
            }
        }
        text
    }
    async fn wait(&mut self, patience: Duration) -> Waited {
        let over = async {
            let stopping = pin!(self.stopping.wait_for(|stopping| *stopping));
            let unready = pin!(async {
                if self.ready.wait_for(|ready| !*ready).await.is_err() {
                    std::future::pending::<()>().await; // nobody says any more
                }
            });
            select(stopping, unready).await;
        };
        let moved = tokio::time::timeout(patience, self.newest.changed());
        match select(pin!(over), pin!(moved)).await {
            Either::Left(_) | Either::Right((Ok(Err(_)), _)) => Waited::Over,
            Either::Right((Ok(Ok(())), _)) => Waited::Moved,
            Either::Right((Err(_), _)) => Waited::Silent,
        }
    }
}
enum Waited {
    Moved,
    Silent,
    Over,
}
