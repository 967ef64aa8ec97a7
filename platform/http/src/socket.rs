//! A connection's socket: it waits for nobody for ever, and what the protocol refuses by itself is said as everything else is.
use crate::{locale::Phrases, problem::Refused};
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, StatusCode},
};
use http_body_util::BodyExt;
use hyper::body::{Body as Streamed, Frame, SizeHint};
use std::{
    future::Future,
    io::{self, ErrorKind::TimedOut, IoSlice},
    pin::Pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep, timeout},
};

/// Whose turn it is on a connection: even while the client is to speak, odd while it is answered.
#[derive(Clone, Default)]
pub(crate) struct Turn(Arc<AtomicU64>);
impl Turn {
    /// A request is there; it is the client's turn again once what this gives is dropped.
    pub(crate) fn ours(&self) -> Ours {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ours(self.clone())
    }
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
pub(crate) struct Ours(Turn);
impl Drop for Ours {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The body of an answer: it is our turn until its end.
pub(crate) struct Answered(pub(crate) Body, #[expect(dead_code, reason = "it is held, and that is all")] pub(crate) Ours);
impl Streamed for Answered {
    type Data = Bytes;
    type Error = axum::Error;
    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }
    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// A socket that gives up: on a request's head that began and does not end, and on a client that does not take its answer.
pub(crate) struct Socket {
    stream: TcpStream,
    turn: Turn,
    head: Duration,
    stalled: Duration,
    /// The turn in which a head has begun, and until when it may take. There is no timer for a head that comes at once.
    begun: Option<u64>,
    late: Option<Pin<Box<Sleep>>>,
    stuck: Option<Pin<Box<Sleep>>>,
}
impl Socket {
    pub(crate) fn new(stream: TcpStream, turn: Turn, head: Duration, stalled: Duration) -> Self {
        Socket { stream, turn, head, stalled, begun: None, late: None, stuck: None }
    }
    /// Hands on what was tried to write, unless it does not move for too long.
    fn moved(&mut self, cx: &mut Context<'_>, tried: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if tried.is_ready() {
            self.stuck = None;
            return tried;
        }
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(self.stalled)));
        ready!(stuck.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(TimedOut, "the answer is not taken")))
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        let turn = me.turn.now();
        if me.begun != Some(turn) {
            (me.begun, me.late) = (None, None);
        } else if me.late.get_or_insert_with(|| Box::pin(sleep(me.head))).as_mut().poll(cx).is_ready() {
            let _ = me.stream.try_write(said(StatusCode::REQUEST_TIMEOUT)); // whoever is slow may be gone
            return Poll::Ready(Err(io::Error::new(TimedOut, "the head does not end")));
        }
        let before = into.filled().len();
        let read = Pin::new(&mut me.stream).poll_read(cx, into);
        if turn.is_multiple_of(2) && into.filled().len() > before {
            me.begun = Some(turn);
        }
        read
    }
}
impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let me = self.get_mut();
        if let Some(ours) = bare(bytes) {
            let _ = me.stream.try_write(said(ours)); // the connection ends with it, whether it arrives or not
            return Poll::Ready(Ok(bytes.len()));
        }
        let tried = Pin::new(&mut me.stream).poll_write(cx, bytes);
        me.moved(cx, tried)
    }
    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if let [one] = parts {
            return self.poll_write(cx, one);
        }
        let me = self.get_mut();
        let tried = Pin::new(&mut me.stream).poll_write_vectored(cx, parts);
        me.moved(cx, tried)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// What is answered before there is a request to answer: its status, code and sentence.
const EARLY: [(StatusCode, &str, &str); 5] = [
    (StatusCode::BAD_REQUEST, "bad-request", "this is no HTTP request"),
    (StatusCode::REQUEST_TIMEOUT, "too-slow", "the request did not arrive in time"),
    (StatusCode::URI_TOO_LONG, "path-too-long", "the path and query are too long"),
    (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers-too-large", "there are too many headers, or they are too large"),
    (StatusCode::SERVICE_UNAVAILABLE, "too-many-connections", "there are too many connections now; please try again"),
];
/// It as it goes over the wire; nothing is known of the client's language yet.
static SAID: LazyLock<Vec<(StatusCode, Vec<u8>)>> = LazyLock::new(|| {
    let phrases = Phrases::platform();
    let written = |(status, code, sentence): (StatusCode, &'static str, &str)| {
        let (head, body) = Refused::plain(status, code, sentence.to_owned()).answer(&phrases, &HeaderMap::new()).into_parts();
        let body = futures_util::FutureExt::now_or_never(body.collect()).and_then(Result::ok).map(|all| all.to_bytes());
        let body = body.unwrap_or_default();
        let mut text = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n", body.len()).into_bytes();
        for (name, value) in &head.headers {
            text.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        text.extend([b"\r\n", &body[..]].concat());
        (status, text)
    };
    EARLY.map(written).into()
});
fn said(status: StatusCode) -> &'static [u8] {
    SAID.iter().find(|(known, _)| *known == status).map_or(&[], |(_, text)| text)
}
/// The status of an answer that the protocol gave by itself: ours all have a content type.
fn bare(head: &[u8]) -> Option<StatusCode> {
    let status = head.strip_prefix(b"HTTP/1.1 ")?.get(..3).filter(|status| matches!(*status, b"400" | b"414" | b"431"))?;
    let typed = head.windows(13).any(|part| part.eq_ignore_ascii_case(b"content-type:"));
    StatusCode::from_bytes(status).ok().filter(|_| !typed)
}

/// Tells a client that there is no room, and leaves it time to hear that.
pub(crate) async fn turn_away(mut stream: TcpStream) {
    let told = async {
        stream.write_all(said(StatusCode::SERVICE_UNAVAILABLE)).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await // unread, what it sent would cut the answer off
    };
    let _ = timeout(Duration::from_secs(1), told).await;
}
