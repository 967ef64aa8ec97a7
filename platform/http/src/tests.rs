//! The doors as a client meets them.
use crate::toy::{Answer, Grid, Home};
use axum::body::Body;
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tower::ServiceExt;

mod access;
mod sockets;

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test(start_paused = true)]
async fn what_is_opened_is_answered_with_its_place_its_version_and_its_links() {
    let home = Home::new().await;
    let opened = home.post("/lamps", json!({ "room": "hall", "watts": "40", "status": "On", "unknown": 1 })).await;
    assert_eq!(opened.status, 201);
    assert_eq!(opened.header("location"), "http://home:8081/lamps/1");
    assert_eq!((opened.header("etag"), opened.header("content-type")), ("\"1\"", "application/hal+json"));
    let lamp = json!({ "id": 1, "room": "hall", "watts": 40, "status": "Off", "_links": {
        "self": { "href": "http://home:8081/lamps/1" },
        "on": { "href": "http://home:8081/lamps/1/on" },
    } });
    assert_eq!(opened.json(), lamp);
    let seen = home.get("/lamps/1").await;
    assert_eq!((seen.status.as_u16(), seen.json(), seen.header("etag")), (200, lamp, "\"1\""));
    let korean = home.send("GET", "/lamps/1", &[("accept-language", "ko")], "").await;
    assert_eq!(korean.json()["_links"]["on"]["title"], "켜기");
}

#[tokio::test(start_paused = true)]
async fn a_command_is_a_put_without_a_body_and_its_repeat_changes_nothing() {
    let home = Home::new().await;
    home.post("/lamps", json!({ "room": "hall" })).await;
    let on = home.put("/lamps/1/on").await;
    assert_eq!((on.status.as_u16(), on.header("etag"), on.header("location")), (200, "\"2\"", ""));
    assert_eq!(on.json()["_links"].as_object().unwrap().keys().collect::<Vec<_>>(), ["self", "off"]);
    assert_eq!(home.send("PUT", "/lamps/1/on", &[("content-type", "text/plain")], "what?").await.header("etag"), "\"2\"");
    let dimmed = home.send("PATCH", "/lamps/1", &[JSON], "{\"watts\":\"7\"}").await;
    assert_eq!((dimmed.status.as_u16(), &dimmed.json()["watts"]), (200, &json!(7)));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_decided_yet_is_202_with_a_sentence_and_decided_later() {
    let home = Home::new().await;
    let taken = home.send("POST", "/lamps", &[("accept-language", "ko"), JSON], "{\"room\":\"hall\",\"watts\":500}").await;
    assert_eq!((taken.status.as_u16(), taken.header("retry-after")), (202, "2"));
    assert_eq!((taken.header("location"), taken.header("etag")), ("http://home:8081/lamps/1", "\"1\""));
    assert!(taken.json()["message"].as_str().unwrap().starts_with("접수되었"), "{}", taken.text);
    assert_eq!(home.put("/lamps/1/on").await.no(), (409, "waiting".into()));
    home.power.0.lock().unwrap().push_back(Grid::Yes);
    let decided = async {
        while home.get("/lamps/1").await.json()["status"] != "Off" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), decided).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_leaves_a_row_says_where() {
    let home = Home::new().await;
    home.power.0.lock().unwrap().push_back(Grid::No);
    let no = home.post("/lamps", json!({ "room": "hall", "watts": 500 })).await;
    assert_eq!(no.no(), (402, "no-power".into()));
    assert_eq!((&no.json()["instance"], &no.json()["watts"]), (&json!("/lamps/1"), &json!("500")));
    assert_eq!(home.get("/lamps/1").await.json()["status"], "Dark");
    let no = home.post("/lamps", json!({ "room": "cellar" })).await;
    assert_eq!((no.no(), &no.json()["field"], no.json().get("instance")), ((422, "cellar".into()), &json!("room"), None));
}

#[tokio::test(start_paused = true)]
async fn a_no_is_said_in_the_callers_language() {
    let home = Home::new().await;
    home.post("/lamps", json!({ "room": "hall", "watts": 500 })).await;
    let korean = home.send("PUT", "/lamps/1/on", &[("accept-language", "ko-KR,en;q=0.5")], "").await;
    assert_eq!(korean.json()["detail"], "전기를 기다리고 있습니다.");
    assert_eq!(home.put("/lamps/1/on").await.json()["detail"], "it is waiting for power");
}

#[tokio::test(start_paused = true)]
async fn bad_input_is_refused_with_its_name_and_leaves_nothing_behind() {
    let home = Home::new().await;
    home.post("/lamps", json!({ "room": "hall" })).await;
    let huge = format!("{{\"room\":\"{}\"}}", "x".repeat(70_000));
    for (method, path, header, body, expected, field) in [
        ("POST", "/lamps", JSON, "{", (400, "bad-json"), None),
        ("POST", "/lamps", JSON, "\u{feff}{}", (400, "bad-json"), None),
        ("POST", "/lamps", JSON, "[\"hall\"]", (422, "no-object"), None),
        ("POST", "/lamps", JSON, "", (422, "bad-field"), Some("room")),
        ("POST", "/lamps", JSON, "{\"room\":{}}", (422, "bad-field"), Some("room")),
        ("POST", "/lamps", JSON, "{\"room\":\"x\",\"watts\":-1}", (422, "bad-field"), Some("watts")),
        ("POST", "/lamps", JSON, &huge, (413, "too-large"), None),
        ("POST", "/lamps", ("content-type", "text/plain"), "{\"room\":\"x\"}", (415, "no-json"), None),
        ("POST", "/lamps", ("idempotency-key", "a b"), "{\"room\":\"x\"}", (400, "bad-header"), Some("idempotency-key")),
        ("PATCH", "/lamps/1", JSON, "{}", (422, "bad-field"), Some("watts")),
        ("PATCH", "/lamps/1", ("if-match", "1"), "{\"watts\":7}", (400, "bad-header"), Some("if-match")),
        ("PATCH", "/lamps/9", JSON, "{\"watts\":7}", (404, "unknown"), None),
        ("PUT", "/lamps/x/on", JSON, "", (400, "bad-id"), Some("id")),
        ("PUT", "/lamps/9/on", JSON, "", (404, "unknown"), None),
        ("PUT", "/lamps/1/explode", JSON, "", (404, "no-such-path"), None),
        ("GET", "/lamps/0", JSON, "", (400, "bad-id"), Some("id")),
        ("GET", "/lamps/%FF", JSON, "", (400, "bad-id"), Some("id")),
        ("GET", "/lamps/9", JSON, "", (404, "unknown"), None),
        ("GET", "/lamps/1", ("if-none-match", "x"), "", (400, "bad-header"), Some("if-none-match")),
        ("GET", "/lamps?size=0", JSON, "", (400, "bad-query"), Some("size")),
        ("GET", "/lamps?room=%zz", JSON, "", (400, "bad-query"), Some("room")),
        ("GET", "/lamps", ("last-event-id", "x"), "", (400, "bad-header"), Some("last-event-id")),
        ("GET", "/lampsx", JSON, "", (404, "no-such-path"), None),
        ("GET", "/lamps/", JSON, "", (404, "no-such-path"), None),
        ("GET", "/rule", JSON, "", (404, "no-such-path"), None),
    ] {
        let answer = home.send(method, path, &[header], body.to_owned()).await;
        let (status, code) = answer.no();
        assert_eq!((status, &*code), expected, "{method} {path} {body:.40}: {}", answer.text);
        assert_eq!(answer.json()["field"].as_str(), field, "{method} {path} {body:.40}: {}", answer.text);
    }
    assert_eq!(home.get("/lamps").await.json()["page"]["totalElements"], 1);
    assert_eq!(home.get("/lamps/1").await.header("etag"), "\"1\"");
}

#[tokio::test(start_paused = true)]
async fn other_methods_are_told_which_are_possible() {
    let home = Home::new().await;
    for (method, path, allows) in [
        ("DELETE", "/lamps", "GET, HEAD, POST"),
        ("POST", "/lamps/1", "GET, HEAD, PATCH, PUT, DELETE"),
        ("GET", "/lamps/1/on", "PUT"),
        ("POST", "/bills", "GET, HEAD"),
        ("PATCH", "/bills/1", "GET, HEAD"),
        ("TRACE", "/actuator/health", "GET, HEAD"),
        ("QUERY", "/", "GET, HEAD"),
    ] {
        let answer = home.send(method, path, &[], "").await;
        assert_eq!((answer.no(), answer.header("allow")), ((405, "no-such-method".into()), allows), "{method} {path}");
    }
    let head = home.send("HEAD", "/lamps", &[], "").await;
    assert_eq!((head.status.as_u16(), &*head.text), (200, ""));
}

#[tokio::test(start_paused = true)]
async fn to_put_one_is_to_edit_it_and_to_delete_it_is_the_line_that_says_so() {
    let home = Home::new().await;
    assert_eq!(home.send("PUT", "/lamps/1", &[JSON], r#"{"watts": 7}"#).await.no(), (404, "unknown".into()), "never creates");
    home.post("/lamps", json!({ "room": "hall" })).await;
    let put = home.send("PUT", "/lamps/1", &[JSON], r#"{"watts": 7}"#).await;
    assert_eq!((put.status.as_u16(), &put.json()["watts"]), (200, &json!(7)));
    home.put("/lamps/1/on").await;
    let deleted = home.send("DELETE", "/lamps/1", &[], "").await;
    assert_eq!((deleted.status.as_u16(), &deleted.json()["status"]), (200, &json!("Off")), "{}", deleted.text);
    assert_eq!(home.get("/lamps/1").await.json()["status"], "Off", "it is still there");
    assert_eq!(home.send("DELETE", "/bills/1", &[], "").await.no(), (405, "no-such-method".into()));
}

#[tokio::test(start_paused = true)]
async fn a_write_at_another_version_is_412_and_a_read_at_the_same_is_304() {
    let home = Home::new().await;
    home.post("/lamps", json!({ "room": "hall" })).await;
    let on = async |condition| home.send("PUT", "/lamps/1/on", &[("if-match", condition)], "").await;
    for condition in ["\"2\"", "\"theirs\"", "W/\"1\"", "\"2\", \"3\""] {
        assert_eq!(on(condition).await.no(), (412, "changed".into()), "{condition}");
    }
    assert_eq!(home.get("/lamps/1").await.json()["status"], "Off");
    assert_eq!(home.send("PUT", "/lamps/9/on", &[("if-match", "\"2\", \"3\"")], "").await.no(), (404, "unknown".into()));
    assert_eq!(on("\"7\", \"1\"").await.header("etag"), "\"2\"");
    assert_eq!(on("*").await.status, 200);
    let seen = async |known| home.send("GET", "/lamps/1", &[("if-none-match", known)], "").await;
    let unchanged = seen("\"1\", W/\"2\"").await;
    assert_eq!((unchanged.status.as_u16(), &*unchanged.text, unchanged.header("etag")), (304, "", "\"2\""));
    assert_eq!(seen("\"1\"").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_with_the_same_key_opens_nothing_and_another_body_is_refused() {
    let home = Home::new().await;
    let open = async |key, body: &'static str| home.send("POST", "/lamps", &[("idempotency-key", key), JSON], body).await;
    assert_eq!(open("k", "{\"room\":\"hall\"}").await.header("location"), "http://home:8081/lamps/1");
    let again = open("k", "{\"room\":\"hall\"}").await;
    assert_eq!((again.status.as_u16(), again.header("location")), (201, "http://home:8081/lamps/1"));
    assert_eq!(open("k", "{\"room\":\"bath\"}").await.no(), (422, "key-reused".into()));
    assert_eq!(open("other", "{\"room\":\"hall\"}").await.header("location"), "http://home:8081/lamps/2");
    assert_eq!(home.get("/lamps").await.json()["page"]["totalElements"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_collection_is_turned_page_by_page_sorted_and_filtered() {
    let home = Home::new().await;
    for (room, watts) in [("hall", 40), ("bath", 60), ("hall", 25), ("hall", 60), ("a & b", 1)] {
        home.post("/lamps", json!({ "room": room, "watts": watts })).await;
    }
    let ids = |page: &Value| {
        page["_embedded"]["lamps"].as_array().unwrap().iter().map(|lamp| lamp["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let page = home.get("/lamps?size=2&page=1").await.json();
    assert_eq!(page["page"], json!({ "size": 2, "totalElements": 5, "totalPages": 3, "number": 1 }));
    assert_eq!(ids(&page), [3, 4]);
    let links = |page: &Value, name: &str| page["_links"][name]["href"].as_str().map(str::to_owned);
    assert_eq!(links(&page, "prev").unwrap(), "http://home:8081/lamps?page=0&size=2");
    assert_eq!(links(&page, "next").unwrap(), "http://home:8081/lamps?page=2&size=2");
    assert_eq!(links(&page, "last").unwrap(), "http://home:8081/lamps?page=2&size=2");
    assert_eq!(page["_embedded"]["lamps"][0]["_links"]["self"]["href"], "http://home:8081/lamps/3");
    let last = home.get(links(&page, "next").unwrap().strip_prefix("http://home:8081").unwrap()).await.json();
    assert_eq!((ids(&last), links(&last, "next")), (vec![5], None));
    assert_eq!(ids(&home.get("/lamps?sort=id,desc").await.json()), [5, 4, 3, 2, 1]);
    assert_eq!(ids(&home.get("/lamps?sort=room").await.json()), [5, 2, 1, 3, 4]);
    assert_eq!(ids(&home.get("/lamps?room=hall&watts=60").await.json()), [4]);
    let odd = home.get("/lamps?room=a+%26+b").await.json();
    assert_eq!(
        (ids(&odd), links(&odd, "self").unwrap()),
        (vec![5], "http://home:8081/lamps?page=0&size=20&room=a%20%26%20b".into())
    );
    let none = home.get("/lamps?room=attic").await.json();
    assert_eq!((&none["_embedded"]["lamps"], &none["page"]["totalPages"]), (&json!([]), &json!(0)));
}

#[tokio::test(start_paused = true)]
async fn what_only_the_rule_needs_is_not_shown() {
    let home = Home::new().await;
    let opened = home.post("/lamps", json!({ "room": "hall" })).await;
    let listed = home.get("/lamps").await;
    for text in [&opened.text, &listed.text, &home.get("/openapi.json").await.text] {
        assert!(!text.contains("\"rule\"") && !text.contains("switched\":0,"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_breaks_is_a_500_and_the_house_stays_open() {
    let home = Home::new().await;
    assert_eq!(home.post("/lamps", json!({ "room": "panic" })).await.no(), (500, "defect".into()));
    assert_eq!(home.post("/lamps", json!({ "room": "hall" })).await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_gone_is_a_503_with_a_time_to_come_back() {
    let home = Home::new().await;
    home.post("/lamps", json!({ "room": "hall" })).await;
    home.store.crash();
    for answer in [home.get("/lamps").await, home.post("/lamps", json!({ "room": "hall" })).await] {
        assert_eq!((answer.no(), answer.header("retry-after")), ((503, "unavailable".into()), "1"));
    }
    assert_eq!(home.get("/actuator/health").await.status, 503);
    assert_eq!(home.get("/actuator/health/liveness").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_does_not_end_its_command() {
    let home = Home::on(|store| store.syncing_after(Arc::new(|| Duration::from_secs(1)))).await;
    home.power.0.lock().unwrap().push_back(Grid::Yes);
    let wish = home.post("/lamps", json!({ "room": "hall", "watts": 500 }));
    assert!(tokio::time::timeout(Duration::from_millis(500), wish).await.is_err());
    // the commit takes a second, and so does that of the grid's word: nobody but the command itself asks so early
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(home.get("/lamps/1").await.json()["status"], "Off");
}

#[tokio::test(start_paused = true)]
async fn every_answer_carries_its_trace_and_facts_remember_it() {
    let home = Home::new().await;
    let theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let opened = home.send("POST", "/lamps", &[("traceparent", theirs)], "{\"room\":\"hall\"}").await;
    assert_eq!(opened.header("traceparent"), theirs);
    let facts = home.running.core.store.tail(0, 9).await.unwrap();
    assert_eq!(facts[0].trace.as_deref(), Some(theirs));
    let ours = home.get("/nowhere").await.header("traceparent").to_owned();
    assert!(ours.len() == 55 && ours != home.get("/nowhere").await.header("traceparent"), "{ours}");
}

#[tokio::test(start_paused = true)]
async fn probes_say_whether_requests_are_welcome() {
    let home = Home::new().await;
    let health = home.get("/actuator/health").await;
    assert_eq!((health.status.as_u16(), &health.json()["status"]), (200, &json!("UP")));
    assert_eq!(health.json()["components"]["db"]["status"], "UP");
    assert_eq!(health.json()["components"]["asks"]["details"]["grid"], "closed");
    assert_eq!(home.get("/actuator/info").await.json()["context"], "lighting");
    home.ready.send(false).unwrap();
    let ready = home.get("/actuator/health/readiness").await;
    assert_eq!((ready.status.as_u16(), &ready.json()["status"]), (503, &json!("OUT_OF_SERVICE")));
    assert_eq!(home.get("/actuator/health/liveness").await.status, 200);
    home.ready.send(true).unwrap();
    assert_eq!(home.get("/actuator/health/readiness").await.status, 200);
    let metrics = home.get("/actuator/prometheus").await;
    assert_eq!(
        (metrics.header("content-type"), &*metrics.text),
        ("text/plain; version=0.0.4; charset=utf-8", "# TYPE lit counter\nlit{context=\"lighting\"} 1\n")
    );
}

#[tokio::test(start_paused = true)]
async fn the_index_leads_to_every_collection() {
    let home = Home::new().await;
    let index = home.get("/").await.json();
    for link in index["_links"].as_object().unwrap().values() {
        let path = link["href"].as_str().unwrap().strip_prefix("http://home:8081").unwrap().to_owned();
        assert_eq!(home.get(&path).await.status, 200, "{path}");
    }
    assert!(index["_links"]["lamps"].is_object() && index["_links"]["bills"].is_object(), "{index}");
}

/// A reader of a stream, event by event.
struct Stream(axum::body::BodyDataStream, String);
impl Stream {
    async fn open(home: &Home, path: &str, head: &[(&str, &str)]) -> Self {
        let request = axum::http::Request::builder().uri(path).header("host", "home:8081").header("accept", "text/event-stream");
        let request = head.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = home.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (200, &"text/event-stream".parse().unwrap()));
        Stream(answer.into_body().into_data_stream(), String::new())
    }
    /// The next event's text; none at the end.
    async fn event(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.1.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.1 = rest;
                return Some(event);
            }
            self.1.push_str(std::str::from_utf8(&self.0.next().await?.unwrap()).unwrap());
        }
    }
    /// The next row: its event id and itself.
    async fn row(&mut self) -> (u64, Value) {
        tokio::time::timeout(Duration::from_secs(60), self.any_row()).await.expect("a row within a minute")
    }
    async fn any_row(&mut self) -> (u64, Value) {
        loop {
            let event = self.event().await.expect("the stream goes on");
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
            if let Some(data) = field("data: ") {
                assert_eq!(field("event: "), Some("row"));
                return (field("id: ").unwrap().parse().unwrap(), serde_json::from_str(data).unwrap());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_shows_each_row_as_it_is_written() {
    let home = Home::new().await;
    home.post("/lamps", json!({ "room": "before" })).await;
    let mut stream = Stream::open(&home, "/lamps", &[]).await;
    assert!(stream.event().await.unwrap().contains("id: "), "a position comes first");
    home.post("/lamps", json!({ "room": "hall" })).await;
    let (_, row) = stream.row().await;
    assert_eq!(row, home.get("/lamps/2").await.json());
    home.put("/lamps/1/on").await;
    assert_eq!(stream.row().await.1["status"], "On");
    let mut filtered = Stream::open(&home, "/lamps?stream&after=0&room=hall", &[]).await;
    assert_eq!(filtered.row().await.1["id"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_row_is_shown_when_it_is_written_and_not_at_the_next_look() {
    let home = Home::new().await;
    let mut stream = Stream::open(&home, "/lamps", &[]).await;
    let write = async {
        tokio::time::sleep(Duration::from_secs(1)).await; // on the paused clock: once the reader waits
        home.post("/lamps", json!({ "room": "hall" })).await;
    };
    futures_util::future::join(stream.row(), write).await;
    assert_eq!(home.running.core.clock.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_comes_back_misses_nothing() {
    let home = Home::new().await;
    for _ in 0..3 {
        home.post("/lamps", json!({ "room": "hall" })).await;
    }
    let mut stream = Stream::open(&home, "/lamps?after=0", &[]).await;
    stream.row().await;
    let (second, _) = stream.row().await;
    drop(stream);
    home.put("/lamps/1/on").await;
    home.put("/lamps/1/off").await;
    let mut again = Stream::open(&home, "/lamps?after=0", &[("last-event-id", &second.to_string())]).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (_, row) = again.row().await;
        seen.push((row["id"].as_u64().unwrap(), row["status"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen, [(3, "Off".into()), (1, "Off".into())]);
}

#[tokio::test(start_paused = true)]
async fn who_has_seen_no_row_yet_has_a_position_to_come_back_with() {
    let home = Home::new().await;
    home.post("/lamps", json!({ "room": "hall" })).await;
    let mut stream = Stream::open(&home, "/lamps", &[]).await;
    let hello = stream.event().await.unwrap();
    let position = hello.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    drop(stream);
    home.put("/lamps/1/on").await;
    let mut again = Stream::open(&home, "/lamps", &[("last-event-id", &position)]).await;
    assert_eq!(again.row().await.1["status"], "On");
}

#[tokio::test(start_paused = true)]
async fn many_rows_come_in_the_order_of_their_writes() {
    let home = Home::new().await;
    for _ in 0..1201 {
        home.post("/lamps", json!({ "room": "hall" })).await;
    }
    let mut stream = Stream::open(&home, "/lamps?after=0", &[]).await;
    let mut last = 0;
    for expected in 1..=1201 {
        let (id, row) = stream.row().await;
        assert!(id > last && row["id"] == expected, "{expected}: {id} after {last}, {row}");
        last = id;
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_is_kept_alive_and_ends_with_its_context() {
    let home = Home::new().await;
    let mut stream = Stream::open(&home, "/lamps", &[]).await;
    stream.event().await.unwrap();
    let silence = tokio::time::timeout(Duration::from_secs(16), stream.event()).await.unwrap();
    assert_eq!(silence.unwrap(), ":");
    let mut other = Stream::open(&home, "/lamps", &[]).await;
    other.event().await.unwrap();
    home.ready.send(false).unwrap();
    assert_eq!(other.event().await, None);
    home.ready.send(true).unwrap();
    let mut third = Stream::open(&home, "/lamps", &[]).await;
    third.event().await.unwrap();
    home.running.stop().await.unwrap();
    assert_eq!(third.event().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_also_while_there_is_more_to_come() {
    let home = Home::new().await;
    for _ in 0..1001 {
        home.post("/lamps", json!({ "room": "hall" })).await;
    }
    let mut stream = Stream::open(&home, "/lamps?after=0", &[]).await;
    stream.row().await;
    home.ready.send(false).unwrap();
    let mut rest = 0;
    while stream.event().await.is_some() {
        rest += 1;
    }
    assert_eq!(rest, 499, "what was read already is sent, and nothing more");
}

#[tokio::test(start_paused = true)]
async fn what_the_document_names_is_what_the_doors_do() {
    let home = Home::new().await;
    let document = home.get("/openapi.json").await.json();
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(
        paths.keys().collect::<Vec<_>>(),
        ["/", "/caller", "/lamps", "/lamps/{id}", "/lamps/{id}/on", "/lamps/{id}/off", "/bills", "/bills/{id}"]
    );
    let statuses = |path: &str, method: &str| {
        document["paths"][path][method]["responses"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(statuses("/lamps", "get"), ["200", "400", "500", "503", "401", "403"]);
    let mut open = statuses("/lamps", "post");
    open.sort();
    assert_eq!(open, ["201", "202", "400", "401", "402", "403", "408", "413", "415", "422", "500", "503"]);
    let mut on = statuses("/lamps/{id}/on", "put");
    on.sort();
    assert_eq!(on, ["200", "400", "401", "403", "404", "409", "412", "500", "503"]);
    // each operation says what it does under each status it answers with, and nothing else can be done
    for (path, operations) in paths {
        let path = path.replace("{id}", "1");
        for method in ["get", "post", "put", "patch", "delete"] {
            let answer = home.send(&method.to_uppercase(), &path, &[JSON], "").await;
            let named = &operations[method]["responses"][answer.status.as_str()];
            assert!(
                if operations[method].is_null() { answer.status == 405 } else { named.is_object() },
                "{method} {path}: {answer:?}"
            );
        }
    }
    assert_eq!(document["components"]["schemas"]["lamps.edit"]["required"], json!(["watts"]));
}

#[tokio::test(start_paused = true)]
async fn the_document_says_who_may_and_whose_case_a_row_is() {
    let document = Home::new().await.get("/openapi.json").await.json();
    let at = |path: &str, method: &str, what: &str| document["paths"][path][method][what].clone();
    for (path, method) in [("/lamps", "post"), ("/lamps/{id}", "patch"), ("/lamps/{id}/on", "put")] {
        assert_eq!(at(path, method, "x-roles"), json!(["resident"]), "{method} {path}");
    }
    assert_eq!((at("/lamps", "get", "x-case"), at("/bills", "get", "x-case")), (json!("lamp"), Value::Null));
    assert_eq!(at("/lamps", "get", "x-seen-by"), json!(["operator", "caretaker", "resident"]));
    assert_eq!(at("/bills", "get", "x-seen-by"), json!(["operator", "caretaker"]));
}

#[tokio::test(start_paused = true)]
async fn an_example_in_the_document_is_taken_as_it_stands() {
    let home = Home::new().await;
    let document = home.get("/openapi.json").await.json();
    let example = |path: &str, method: &str| {
        document["paths"][path][method]["requestBody"]["content"]["application/json"]["example"].clone()
    };
    assert_eq!(home.post("/lamps", example("/lamps", "post")).await.status, 201);
    let changed = home.send("PATCH", "/lamps/1", &[JSON], example("/lamps/{id}", "patch").to_string()).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
}

#[tokio::test]
async fn a_server_that_stops_finishes_what_is_in_flight() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let home = Home::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(crate::serve(listener, home.router.clone(), crate::Limits::default(), stopped));
    let mut idle = tokio::net::TcpStream::connect(at).await.unwrap();
    let mut client = tokio::net::TcpStream::connect(at).await.unwrap();
    let body = "{\"room\":\"hall\",\"watts\":500}";
    let request = format!("POST /lamps HTTP/1.1\r\nhost: home\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    client.write_all(request.as_bytes()).await.unwrap();
    let there = async {
        while home.get("/lamps/1").await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), there).await.unwrap();
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), server).await.unwrap().unwrap().unwrap();
    // it is there to its last byte: a read that does not wait finds it
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut client.into_std().unwrap(), &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0, "an idle connection is closed");
    assert!(tokio::net::TcpStream::connect(at).await.is_err(), "no new connection is taken");
}

#[tokio::test(start_paused = true)]
async fn routes_beside_the_table_are_traced_too() {
    let home = Home::new().await;
    let beside = axum::Router::new().route("/inventoryCheck", axum::routing::get(async || "7"));
    let router = crate::router_beside(&home.running, &home.house, beside);
    let request = |path: &str| axum::http::Request::get(path).body(Body::empty()).unwrap();
    let answer = Answer::read(router.clone().oneshot(request("/inventoryCheck")).await.unwrap()).await;
    assert_eq!((&*answer.text, answer.header("traceparent").len()), ("7", 55));
    assert_eq!(router.oneshot(request("/lamps")).await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn requests_are_counted_by_route_and_states_are_gauges() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _here = metrics::set_default_local_recorder(&recorder);
    let home = Home::new().await;
    home.post("/lamps", json!({ "room": "hall", "watts": 500 })).await;
    for path in ["/lamps/1", "/lamps/2", "/lamps/x", "/made/up", "/actuator/prometheus"] {
        home.get(path).await;
    }
    home.send("MADEUP", "/lamps", &[], "").await;
    let text = recorder.handle().render();
    for line in [
        r#"jumun_http_requests_total{context="lighting",method="POST",route="/lamps",status="202"} 1"#,
        r#"jumun_http_requests_total{context="lighting",method="GET",route="/lamps/{id}",status="200"} 1"#,
        r#"jumun_http_requests_total{context="lighting",method="GET",route="/lamps/{id}",status="404"} 1"#,
        r#"jumun_http_requests_total{context="lighting",method="GET",route="none",status="404"} 1"#,
        r#"jumun_http_requests_total{context="lighting",method="other",route="/lamps",status="405"} 1"#,
        r#"jumun_http_seconds_count{context="lighting",method="GET",route="/lamps/{id}"} 3"#,
        r#"jumun_breaker_state{context="lighting",of="grid",state="closed"} 1"#,
        r#"jumun_breaker_state{context="lighting",of="grid",state="open"} 0"#,
        r#"jumun_asks_owed{context="lighting",aggregate="lamp"} 1"#,
        r#"jumun_documents{context="lighting",of="lamp"} 1"#,
        r#"jumun_aside{context="lighting"} 0"#,
    ] {
        assert!(text.lines().any(|told| told == line), "no {line} in\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_store_that_is_silent_is_told_so_and_their_repeat_how_it_ended() {
    let home = Home::on(|store| store.syncing_after(Arc::new(|| Duration::from_secs(20)))).await;
    let head = [("content-type", "application/json"), ("idempotency-key", "k")];
    let wish = || home.send("POST", "/lamps", &head, "{\"room\":\"attic\",\"watts\":7}");
    let silent = wish().await;
    assert_eq!((silent.no(), silent.header("retry-after")), ((503, "unavailable".into()), "1"));
    tokio::time::sleep(Duration::from_secs(60)).await;
    let (repeated, lamps) = (wish().await, home.get("/lamps").await.json());
    assert_eq!((repeated.status.as_u16(), &lamps["page"]["totalElements"]), (201, &json!(1)), "{}", repeated.text);
}
