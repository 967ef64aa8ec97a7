//! What a port bears, over real sockets.
use crate::{BodyLimit, Limits, serve, toy::Home};
use axum::{Router, body::Body, body::Bytes, extract::Request, routing::get};
use futures_util::StreamExt;
use http_body_util::BodyExt;
use serde_json::Value;
use std::{convert::Infallible, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(20);
const PATIENT: Limits = Limits { head: LONG, idle: LONG, stalled: LONG, connections: 9 };
/// Until what has to come must have come.
const SOON: Duration = Duration::from_secs(10);

async fn listening(router: Router, limits: Limits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, router, limits, std::future::pending::<()>()));
    at
}
fn router() -> Router {
    let read = async |request: Request| request.into_body().collect().await.unwrap().to_bytes().len().to_string();
    Router::new().fallback(read)
}
/// Everything that comes until the connection is closed: status, headers, body.
async fn to_the_end(stream: &mut TcpStream) -> (u16, String, Value) {
    let mut all = Vec::new();
    timeout(SOON, stream.read_to_end(&mut all)).await.expect("the connection is closed").ok();
    let text = String::from_utf8(all).unwrap();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return (0, text, Value::Null) };
    (head[9..12].parse().unwrap(), head.to_ascii_lowercase(), serde_json::from_str(body).unwrap_or(Value::Null))
}
/// One answer on a connection that stays.
async fn answer(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let whole = async {
        while !all.ends_with(b"\r\n\r\n0") && !all.ends_with(b"\r\n\r\n5") {
            all.push(stream.read_u8().await.unwrap());
        }
    };
    timeout(SOON, whole).await.expect("an answer");
    String::from_utf8(all).unwrap()
}
async fn is_problem(stream: &mut TcpStream, status: u16, code: &str) {
    let (told, head, body) = to_the_end(stream).await;
    assert_eq!((told, body["code"].as_str()), (status, Some(code)), "{head}");
    assert!(head.contains("content-type: application/problem+json") && head.contains("connection: close"), "{head}");
}

#[tokio::test]
async fn a_head_that_does_not_end_is_not_waited_for_however_it_drips() {
    let at = listening(router(), Limits { head: SHORT, ..PATIENT }).await;
    let mut silent = TcpStream::connect(at).await.unwrap();
    silent.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n").await.unwrap();
    is_problem(&mut silent, 408, "too-slow").await;
    let (mut ours, mut drips) = TcpStream::connect(at).await.unwrap().into_split();
    drips.write_all(b"GET / HTTP/1.1\r\nhost: h\r\nx: ").await.unwrap();
    let drip = async {
        while drips.write_all(b"x").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    let end = async {
        let mut all = Vec::new();
        let _ = ours.read_to_end(&mut all).await;
        assert!(all.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&all));
    };
    timeout(SOON, futures_util::future::join(drip, end)).await.expect("who drips is left");
}

#[tokio::test]
async fn a_connection_may_be_idle_for_longer_than_a_head_may_take_but_not_for_ever() {
    let idle = SHORT * 4;
    let at = listening(router(), Limits { head: SHORT, idle, ..PATIENT }).await;
    let mut stream = TcpStream::connect(at).await.unwrap();
    for _ in 0..3 {
        tokio::time::sleep(SHORT * 2).await; // not a wait for something: this is what must not close it
        stream.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 "));
    }
    assert_eq!(to_the_end(&mut stream).await.1, "", "it is closed without a word");
}

#[tokio::test]
async fn a_head_after_an_answer_is_waited_for_as_the_first_is() {
    let at = listening(router(), Limits { head: SHORT, ..PATIENT }).await;
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\n").await.unwrap();
    tokio::time::sleep(SHORT * 2).await; // a body has a time of its own
    stream.write_all(b"hello").await.unwrap();
    assert!(answer(&mut stream).await.ends_with('5'));
    stream.write_all(b"GET / HTT").await.unwrap();
    is_problem(&mut stream, 408, "too-slow").await;
}

#[tokio::test]
async fn a_body_that_does_not_end_or_is_too_large_is_a_problem() {
    let home = Home::with_bodies(BodyLimit { bytes: 64, time: SHORT }).await;
    let at = listening(home.router.clone(), PATIENT).await;
    let mut slow = TcpStream::connect(at).await.unwrap();
    slow.write_all(b"POST /lamps HTTP/1.1\r\nhost: h\r\ncontent-length: 20\r\n\r\n{\"room\"").await.unwrap();
    let (status, _, body) = to_the_end(&mut slow).await;
    assert_eq!((status, body["code"].as_str()), (408, Some("too-slow")));
    let mut large = TcpStream::connect(at).await.unwrap();
    large.write_all(b"POST /lamps HTTP/1.1\r\nhost: h\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    large.write_all(format!("50\r\n{}\r\n0\r\n\r\n", " ".repeat(80)).as_bytes()).await.unwrap();
    let (status, _, body) = to_the_end(&mut large).await;
    assert_eq!((status, body["code"].as_str()), (413, Some("too-large")));
    assert_eq!(home.get("/lamps").await.json()["page"]["totalElements"], 0);
}

#[tokio::test]
async fn what_can_not_be_read_is_a_problem_too() {
    let at = listening(router(), PATIENT).await;
    let many = "x: y\r\n".repeat(200);
    let large = format!("x: {}\r\n", "y".repeat(100_000));
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(65_535));
    for (request, status, code) in [
        ("no HTTP at all\r\n\r\n".to_owned(), 400, "bad-request"),
        (format!("GET / HTTP/1.1\r\nhost: h\r\n{many}\r\n"), 431, "headers-too-large"),
        (format!("GET / HTTP/1.1\r\nhost: h\r\n{large}\r\n"), 431, "headers-too-large"),
        (long, 431, "headers-too-large"),
    ] {
        let mut stream = TcpStream::connect(at).await.unwrap();
        let _ = stream.write_all(request.as_bytes()).await; // it may be closed before all of it is sent
        is_problem(&mut stream, status, code).await;
    }
}

#[tokio::test]
async fn who_comes_when_there_is_no_room_is_told_so_and_room_is_made_again() {
    let at = listening(router(), Limits { connections: 2, ..PATIENT }).await;
    let mut inside = [TcpStream::connect(at).await.unwrap(), TcpStream::connect(at).await.unwrap()];
    for stream in &mut inside {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
        answer(stream).await;
    }
    let mut outside = TcpStream::connect(at).await.unwrap();
    outside.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    let (status, head, body) = to_the_end(&mut outside).await;
    assert_eq!((status, body["code"].as_str()), (503, Some("too-many-connections")), "{head}");
    assert!(head.contains("retry-after: 1"), "{head}");
    drop(inside);
    let again = async {
        loop {
            let mut stream = TcpStream::connect(at).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await.unwrap();
            if to_the_end(&mut stream).await.0 == 200 {
                break;
            }
        }
    };
    timeout(SOON, again).await.expect("room");
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_is_left() {
    let endless = async || {
        let all = futures_util::stream::repeat(Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 65_536])));
        Body::from_stream(all.then(async |part| {
            tokio::task::yield_now().await;
            part
        }))
    };
    let limits = Limits { stalled: SHORT, connections: 1, ..PATIENT };
    let at = listening(Router::new().route("/endless", get(endless)).route("/", get(async || "0")), limits).await;
    let mut stuck = TcpStream::connect(at).await.unwrap();
    stuck.write_all(b"GET /endless HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    // its place is free again while it still holds on to its end
    let freed = async {
        loop {
            let mut stream = TcpStream::connect(at).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await.unwrap();
            if to_the_end(&mut stream).await.0 == 200 {
                break;
            }
        }
    };
    timeout(SOON, freed).await.expect("its place");
    drop(stuck);
}

#[tokio::test]
async fn a_refusal_of_ours_is_passed_on_as_it_is() {
    let home = Home::new().await;
    let at = listening(home.router.clone(), PATIENT).await;
    for (path, code) in [("/lamps/x", "bad-id"), ("/lamps?size=0", "bad-query")] {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let (status, _, body) = to_the_end(&mut stream).await;
        assert_eq!((status, body["code"].as_str()), (400, Some(code)));
    }
}
