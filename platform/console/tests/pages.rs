//! The pages over a lamp shop that nobody wrote a line for: what it is comes from its documents and answers.
use axum::{
    Json, Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use jumun_console::Console;
use jumun_runtime::Chance;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tower::ServiceExt;

/// What reached a door: method, path with query, idempotency key, authorization, body.
#[derive(Clone, Debug, Default, PartialEq)]
struct Heard {
    line: String,
    key: Option<String>,
    authorization: Option<String>,
    language: Option<String>,
    body: String,
}
#[derive(Clone, Default)]
struct Rig {
    heard: Arc<Mutex<Vec<Heard>>>,
    stopped: Arc<Mutex<bool>>,
    locked: Arc<Mutex<bool>>,
    /// What a door answers to the next wish, in place of doing it.
    next: Arc<Mutex<Option<(u16, Value)>>>,
}

fn document() -> Value {
    let body = |name: &str| json!({ "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{name}") } } } });
    json!({
        "paths": {
            "/": { "get": {} },
            "/lamps": {
                "get": { "x-case": "lamp", "parameters": [{ "name": "page", "in": "query" }, { "name": "room", "in": "query" }] },
                "post": { "x-roles": ["owner"], "requestBody": body("lamps.open") },
            },
            "/lamps/{id}": { "get": {}, "patch": { "x-roles": ["owner"], "requestBody": body("lamps.edit") } },
            "/lamps/{id}/light": { "put": { "x-roles": ["owner"] } },
            "/lamps/{id}/smash": { "put": { "x-roles": ["burglar"], "requestBody": body("lamps.smash") } },
            "/bills": { "get": { "x-seen-by": ["operator", "owner", "auditor"], "parameters": [] } },
            "/bills/{id}": { "get": {} },
        },
        "components": { "schemas": {
            "lamps": { "allOf": [{ "properties": { "id": { "type": "integer" }, "_links": {} } }, { "properties": {
                "lampStatus": { "enum": ["Dark", "Lit"] }, "price": { "type": "integer", "x-unit": "won" }, "room": { "type": ["string", "null"] },
                "bought": { "type": "string", "format": "date-time" },
            } }] },
            "lamps.open": { "required": ["watts"], "properties": {
                "watts": { "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "string", "pattern": "^[0-9]+$" }] }, "room": { "type": ["string", "null"] },
            } },
            "lamps.edit": { "properties": { "room": { "type": "string" } } },
            "lamps.smash": { "required": ["why"], "properties": { "why": { "type": "string" } } },
            "bills": { "properties": { "id": { "type": "integer" }, "note": { "type": "string" } } },
            "bills.page": { "properties": { "_embedded": {}, "_links": {}, "page": {}, "allTogether": { "type": "integer", "x-unit": "won" } } },
        } },
    })
}
fn lamp(id: u64, status: &str) -> Value {
    let mut links = json!({ "self": { "href": format!("/lamps/{id}") } });
    if status == "Dark" {
        links["light"] = json!({ "href": format!("/lamps/{id}/light") });
        links["smash"] = json!({ "href": format!("/lamps/{id}/smash") });
    }
    json!({ "id": id, "lampStatus": status, "price": 12000, "room": "<script>alert(1)</script>", "bought": "2026-01-02T03:04:05.678Z", "_links": links })
}

impl Rig {
    fn lamps(&self) -> Router {
        let rig = self.clone();
        Router::new().fallback(move |request: Request| async move { rig.answer(request).await })
    }
    async fn answer(self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let path = head.uri.path_and_query().unwrap().as_str().to_owned();
        let said = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        if *self.stopped.lock().unwrap() {
            return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "detail": "lamps is not running now" }))).into_response();
        }
        if path == "/openapi.json" {
            return Json(document()).into_response();
        }
        if *self.locked.lock().unwrap() && said("authorization").is_none() {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        if path == "/caller" {
            return caller(*self.locked.lock().unwrap(), said("authorization").as_deref()).into_response();
        }
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let line = format!("{} {path}", head.method);
        let (key, authorization, language) = (said("idempotency-key"), said("authorization"), said("accept-language"));
        self.heard.lock().unwrap().push(Heard { line: line.clone(), key, authorization, language, body });
        if head.method != "GET"
            && let Some((status, body)) = self.next.lock().unwrap().take()
        {
            return (StatusCode::from_u16(status).unwrap(), Json(body)).into_response();
        }
        match line.split('?').next().unwrap() {
            "GET /lamps" if path.contains("stream") => {
                let (dark, lit) = (lamp(1, "Dark"), lamp(2, "Lit"));
                let mut elsewhere = lamp(3, "Lit");
                elsewhere["room"] = json!("attic");
                let events = format!("retry: 1000\nid: 40\n\nid: 41\nevent: row\ndata: {dark}\n\nid: 42\nevent: row\ndata: {lit}\n\nid: 43\nevent: row\ndata: {elsewhere}\n\n");
                let cut = events.len() / 3; // a network cuts where it likes
                let parts = [events[..cut].to_owned(), events[cut..].to_owned()].map(Ok::<_, std::io::Error>);
                Response::new(Body::from_stream(futures_util::stream::iter(parts)))
            }
            "GET /lamps" => Json(json!({ "_embedded": { "lamps": [lamp(2, "Lit"), lamp(1, "Dark")] }, "page": { "totalElements": 42, "totalPages": 3 } })).into_response(),
            "GET /bills" => Json(json!({ "_embedded": { "bills": [] }, "page": { "totalElements": 0, "totalPages": 0 }, "allTogether": 1234567 })).into_response(),
            "GET /lamps/1" => Json(lamp(1, "Dark")).into_response(),
            "POST /lamps" => (StatusCode::CREATED, Json(lamp(3, "Dark"))).into_response(),
            "PUT /lamps/1/light" => Json(lamp(1, "Lit")).into_response(),
            _ => (StatusCode::NOT_FOUND, Json(json!({ "detail": "There is no such thing." }))).into_response(),
        }
    }
    fn operators(&self) -> Router {
        let rig = self.clone();
        Router::new().fallback(move |request: Request| async move {
            let (head, body) = request.into_parts();
            let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
            let line = format!("{} {}", head.method, head.uri.path());
            rig.heard.lock().unwrap().push(Heard { line: line.clone(), body, ..Heard::default() });
            match line.as_str() {
                "GET /state" => Json(json!({ "contexts": [{
                    "name": "house", "port": 8081, "running": true, "aggregates": [{ "name": "lamp", "collection": "/lamps", "documents": 1234 }], "views": [],
                    "lag": [{ "consumer": "PayTheBill", "publisher": "power", "behind": 7 }], "owed": { "due": 2, "owing": 5 }, "aside": 1,
                    "breakers": [{ "to": "power", "state": "open" }],
                }] })).into_response(),
                "GET /board.svg" => "<svg xmlns='http://www.w3.org/2000/svg'/>".into_response(),
                "GET /dials" => Json(json!({ "power": dial() })).into_response(),
                "GET /dials/power" | "PUT /dials/power" => Json(dial()).into_response(),
                "POST /contexts/house/stop" => Json(json!([])).into_response(),
                "POST /contexts/house/start" => (StatusCode::CONFLICT, Json(json!({ "detail": "the port is in use" }))).into_response(),
                "GET /cases/lamp/1" => Json(story()).into_response(),
                _ => StatusCode::NOT_FOUND.into_response(),
            }
        })
    }
    fn console(&self) -> Router {
        let words = "[links]\nlight = \"켜기\"\n[words.role]\nburglar = \"도둑\"\n[words.status]\nLit = \"켜짐\"\n";
        let console = Console::new("lampshop", &[("ko", words)], Arc::new(Chance::seeded(1))).unwrap();
        console.shows("house", "core", self.lamps()).operated(self.operators()).router()
    }
    fn lines(&self) -> Vec<String> {
        self.heard.lock().unwrap().iter().map(|heard| heard.line.clone()).collect()
    }
    fn wishes(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().iter().filter(|heard| !heard.line.starts_with("GET")).cloned().collect()
    }
}
fn caller(locked: bool, authorization: Option<&str>) -> (StatusCode, Json<Value>) {
    match authorization {
        _ if !locked => (StatusCode::OK, Json(json!({ "access": "open", "name": "anonymous", "roles": ["owner", "burglar"] }))),
        Some("Bearer s3cret") => (StatusCode::OK, Json(json!({ "access": "known", "name": "kim", "roles": ["owner"] }))),
        Some("Bearer cr0wbar") => (StatusCode::OK, Json(json!({ "access": "known", "name": "choi", "roles": ["burglar"] }))),
        Some("Bearer b0ss") => (StatusCode::OK, Json(json!({ "access": "known", "name": "lee", "roles": ["operator"] }))),
        _ => (StatusCode::UNAUTHORIZED, Json(json!({ "detail": "this token is not known here" }))),
    }
}
fn dial() -> Value {
    json!({ "volts": 230, "outage": true, "name": "main" })
}
fn story() -> Value {
    let at = "2026-01-02T03:04:05.678Z";
    json!({
        "case": "lamp/1",
        "happened": [
            { "at": at, "context": "house", "what": "fact", "name": "LampBought", "by": "kim", "public": true, "body": { "eventType": "LampBought", "watts": 40 } },
            { "at": at, "context": "house", "what": "ask", "name": "plug", "to": "power", "outcome": "unknown" },
            { "at": at, "context": "power", "what": "fact", "name": "MeterRead", "because": "house/lamp/1@1", "public": false, "body": {} },
            { "at": at, "context": "house", "what": "refusal", "name": "light", "code": "no-power" },
        ],
        "waiting": [{ "context": "house", "step": "plug@2", "due": at, "tries": 3 }],
        "aside": [{ "context": "power", "reaction": "PayTheBill", "fact": "LampBought", "why": "does not parse", "number": 1 }],
    })
}

async fn send(app: &Router, request: axum::http::request::Builder, body: &str) -> (StatusCode, HeaderMap, String) {
    let answer = app.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let (head, body) = answer.into_parts();
    (head.status, head.headers, String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
}
async fn get(app: &Router, path: &str) -> (StatusCode, HeaderMap, String) {
    send(app, Request::get(path), "").await
}
async fn post(app: &Router, path: &str, form: &str) -> (StatusCode, HeaderMap, String) {
    send(app, Request::post(path), form).await
}
/// The script's way.
async fn told(app: &Router, path: &str, form: &str) -> (StatusCode, Value) {
    let (status, _, text) = send(app, Request::post(path).header(header::ACCEPT, "application/json"), form).await;
    (status, serde_json::from_str(&text).unwrap())
}
fn key(page: &str) -> String {
    page.split("name=\"key\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn roles_contexts_and_what_can_be_opened_are_those_that_the_doors_name() {
    let (_, _, page) = get(&Rig::default().console(), "/app").await;
    for part in [
        "href=\"/app/as/owner\"",
        "href=\"/app/as/burglar\"",
        "href=\"/app/house/lamps\"",
        "href=\"/app/house/bills\"",
        "href=\"/app/as/owner#lamps\"",
        "running",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[tokio::test]
async fn a_context_that_stops_keeps_its_links_and_its_pages_say_so() {
    let rig = Rig::default();
    let app = rig.console();
    get(&app, "/app").await;
    *rig.stopped.lock().unwrap() = true;
    let (status, _, page) = get(&app, "/app").await;
    assert!(status == StatusCode::OK && page.contains("href=\"/app/house/lamps\"") && page.contains("stopped"), "{page}");
    let (status, _, page) = get(&app, "/app/house/lamps").await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && page.contains("lamps is not running now"), "{page}");
    let (status, _, page) = get(&app, "/app/as/owner").await;
    assert!(status == StatusCode::OK && page.contains("lamps is not running now"), "{page}");
}

#[tokio::test]
async fn a_role_sees_its_form_and_the_buttons_of_its_own_lines_alone() {
    let app = Rig::default().console();
    let (_, _, owner) = get(&app, "/app/as/owner").await;
    assert!(
        owner.contains("name=\"watts\"") && owner.contains("/app/house/lamps/1/light") && !owner.contains("smash"),
        "{owner}"
    );
    assert!(!owner.contains("/app/house/lamps/2/light"), "a lamp that is lit has no such link: {owner}");
    let (_, _, burglar) = get(&app, "/app/as/burglar").await;
    assert!(
        !burglar.contains("name=\"watts\"") && burglar.contains("/app/house/lamps/1/smash") && !burglar.contains("/light"),
        "{burglar}"
    );
    assert!(burglar.contains("name=\"why\"") && burglar.contains("as=burglar"), "{burglar}");
    assert_eq!(get(&app, "/app/as/nobody").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_only_looks_has_a_desk_too_and_sees_what_all_rows_sum_up_to() {
    let app = Rig::default().console();
    let (status, _, page) = get(&app, "/app/as/auditor").await;
    assert_eq!(status, 200);
    assert!(page.contains("All together") && page.contains("1,234,567"), "{page}");
    assert!(!page.contains("/lamps/1/light"), "lamps are not theirs to switch");
    let (_, _, start) = get(&app, "/app").await;
    assert!(start.contains("/app/as/auditor") && !start.contains("/app/as/operator"), "{start}");
    let (_, _, burglar) = get(&app, "/app/as/burglar").await;
    assert!(!burglar.contains("/app/house/bills"), "bills are not for everybody: {burglar}");
    assert_eq!(get(&app, "/app/as/stranger").await.0, 404);
}

#[tokio::test]
async fn a_table_formats_its_cells_and_takes_what_a_context_says_as_text() {
    let (_, _, page) = get(&Rig::default().console(), "/app/house/lamps?lang=ko").await;
    for part in [
        "<html lang=\"ko\"",
        "12,000원",
        "<span class=\"pill calm\">켜짐</span>",
        "datetime=\"2026-01-02T03:04:05.678Z\"",
        "2026-01-02 03:04 UTC",
        "42건",
        "&#60;script&#62;alert(1)",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("<script>alert"), "{page}");
}

#[tokio::test]
async fn filters_and_pages_go_to_the_door_and_stay_in_the_links() {
    let rig = Rig::default();
    let (_, _, page) = get(&rig.console(), "/app/house/lamps?room=a%20b&page=1&unknown=1").await;
    assert!(rig.lines().contains(&"GET /lamps?page=1&size=20&sort=id,desc&room=a+b".to_owned()), "{:?}", rig.lines());
    assert!(
        page.contains("/app/house/lamps?room=a+b&#38;page=0") && page.contains("/app/house/lamps?room=a+b&#38;page=2"),
        "{page}"
    );
    assert!(page.contains("value=\"a b\"") && !page.contains("data-grows"), "{page}");
}

#[tokio::test]
async fn a_form_sent_twice_carries_one_key_and_the_next_rendering_another() {
    let rig = Rig::default();
    let app = rig.console();
    let (first, second) = (key(&get(&app, "/app/as/owner").await.2), key(&get(&app, "/app/as/owner").await.2));
    assert_ne!(first, second);
    let form = format!("key={first}&watts=40&room=");
    for _ in 0..2 {
        let (status, headers, _) = post(&app, "/app/house/lamps", &form).await;
        assert_eq!((status, &headers["location"]), (StatusCode::SEE_OTHER, &"/app/house/lamps/3".parse().unwrap()));
    }
    let wish = Heard {
        line: "POST /lamps".into(),
        key: Some(first),
        language: Some("en".into()),
        body: r#"{"watts":40}"#.into(),
        ..Heard::default()
    };
    assert_eq!(rig.wishes(), [wish.clone(), wish]);
}

#[tokio::test]
async fn the_script_gets_a_new_key_with_every_answer_but_keeps_its_own_where_there_was_none() {
    let rig = Rig::default();
    let app = rig.console();
    let (status, answer) = told(&app, "/app/house/lamps", "key=k1&watts=40").await;
    assert_eq!(
        (status, answer["tone"].as_str(), answer["href"].as_str()),
        (StatusCode::CREATED, Some("good"), Some("/app/house/lamps/3"))
    );
    assert!(answer["key"] != "k1" && answer["row"].as_str().unwrap().contains("data-id=\"3\""), "{answer}");
    *rig.next.lock().unwrap() = Some((503, json!({ "detail": "try again" })));
    let (status, answer) = told(&app, "/app/house/lamps", "key=k2&watts=40").await;
    assert_eq!((status.as_u16(), &answer["key"], &answer["sentence"]), (503, &json!("k2"), &json!("try again")));
    *rig.next.lock().unwrap() = Some((402, json!({ "detail": "declined" })));
    assert_ne!(told(&app, "/app/house/lamps", "key=k3&watts=40").await.1["key"], "k3");
}

#[tokio::test]
async fn a_refused_form_comes_back_as_it_was_with_the_sentence_and_the_field() {
    let rig = Rig::default();
    *rig.next.lock().unwrap() = Some((422, json!({ "detail": "Too bright.", "field": "watts" })));
    let (status, _, page) = post(&rig.console(), "/app/house/lamps", "key=k&watts=9000&room=attic").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    for part in ["Too bright.", "value=\"9000\"", "value=\"attic\"", "field wrong\" data-field=\"watts\""] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_ne!(key(&page), "k");
}

#[tokio::test]
async fn a_command_is_a_put_and_its_refusal_stands_next_to_its_button() {
    let rig = Rig::default();
    let app = rig.console();
    let (status, headers, _) = post(&app, "/app/house/lamps/1/light", "").await;
    assert_eq!((status, &headers["location"]), (StatusCode::SEE_OTHER, &"/app/house/lamps/1".parse().unwrap()));
    *rig.next.lock().unwrap() = Some((409, json!({ "detail": "The fuse is gone." })));
    let (status, _, page) = post(&app, "/app/house/lamps/1/light", "").await;
    let form = page.split("action=\"/app/house/lamps/1/light\"").nth(1).unwrap().split("</form>").next().unwrap();
    assert!(status == StatusCode::CONFLICT && form.contains("said bad\">The fuse is gone."), "{form}");
    *rig.next.lock().unwrap() = Some((202, json!({ "message": "Look again." })));
    let (status, _, page) = post(&app, "/app/house/lamps/1/smash", "why=fun").await;
    assert!(status == StatusCode::ACCEPTED && page.contains("said waiting\">Look again."), "{page}");
    let lines = rig.wishes().iter().map(|heard| format!("{} {}", heard.line, heard.body)).collect::<Vec<_>>();
    assert_eq!(lines, ["PUT /lamps/1/light ", "PUT /lamps/1/light ", "PUT /lamps/1/smash {\"why\":\"fun\"}"]);
}

#[tokio::test]
async fn a_change_of_fields_is_a_patch() {
    let rig = Rig::default();
    *rig.next.lock().unwrap() = Some((200, lamp(1, "Dark")));
    assert_eq!(post(&rig.console(), "/app/house/lamps/1", "room=attic").await.0, StatusCode::SEE_OTHER);
    assert_eq!((rig.wishes()[0].line.as_str(), rig.wishes()[0].body.as_str()), ("PATCH /lamps/1", r#"{"room":"attic"}"#));
}

#[tokio::test]
async fn a_row_that_changes_comes_as_it_is_shown_and_one_that_no_longer_matches_goes() {
    let rig = Rig::default();
    let (_, headers, text) = get(&rig.console(), "/app/house/lamps/rows?after=7&as=owner&room=attic").await;
    assert_eq!(headers["content-type"], "text/event-stream");
    assert!(rig.lines().contains(&"GET /lamps?stream&after=7".to_owned()), "{:?}", rig.lines());
    let events = text.split("\n\n").collect::<Vec<_>>();
    assert_eq!(events[..3], ["retry: 1000\nid: 40", "id: 41\nevent: gone\ndata: 1", "id: 42\nevent: gone\ndata: 2"]);
    let data: Value = serde_json::from_str(events[3].strip_prefix("id: 43\nevent: row\ndata: ").unwrap()).unwrap();
    assert!(data["id"] == "3" && data["html"].as_str().unwrap().starts_with("<tr data-id=\"3\">"), "{data}");
    let (_, _, all) = get(&rig.console(), "/app/house/lamps/rows").await;
    assert_eq!(all.matches("event: row").count(), 3, "{all}");
}

#[tokio::test]
async fn the_table_takes_its_stream_up_where_the_page_was_read() {
    let rig = Rig::default();
    let (_, _, page) = get(&rig.console(), "/app/house/lamps").await;
    assert!(page.contains("data-rows=\"/app/house/lamps/rows?&#38;after=40\""), "{page}");
    let lines = rig.lines();
    assert!(
        lines[0] == "GET /lamps?stream" && lines[1].starts_with("GET /lamps?page="),
        "the position is older than the page: {lines:?}"
    );
}

#[tokio::test]
async fn the_story_of_a_case_is_told_as_a_list_and_as_lanes() {
    let (_, _, page) = get(&Rig::default().console(), "/app/house/lamps/1").await;
    for part in [
        "Lamp bought",
        "<li class=\"private\">",
        "<li class=\"refusal\">",
        "no-power",
        "→ Power · no answer",
        "plug@2",
        "tried 3 times",
        "set aside",
        "does not parse",
        "<text class=\"lane\" x=\"92\" y=\"32\">House</text>",
        "<text class=\"lane\" x=\"288\" y=\"32\">Power</text>",
        "<path class=\"asks failed\" d=\"M 92 128 H 280\"/>",
        "<path class=\"hears\" d=\"M 92 172 H 196\"/>",
        "<dt>Watts</dt><dd>40</dd>",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("Event type"), "a fact's name is not told twice: {page}");
}

#[tokio::test]
async fn without_an_operators_port_there_is_no_story_and_no_board_and_all_else_works() {
    let rig = Rig::default();
    let app = Console::new("lampshop", &[], Arc::new(Chance::seeded(1))).unwrap().shows("house", "core", rig.lamps()).router();
    let (status, _, page) = get(&app, "/app/house/lamps/1").await;
    assert!(status == StatusCode::OK && !page.contains("id=\"story\""), "{page}");
    assert_eq!(get(&app, "/app/board").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_board_shows_how_everything_stands_and_what_can_be_turned() {
    let rig = Rig::default();
    let app = rig.console();
    let (_, _, page) = get(&app, "/app/board").await;
    for part in [
        "1234",
        "7 behind",
        "2 late",
        "Pay the bill",
        "<span class=\"pill bad\">open</span>",
        "/app/board/contexts/house/stop",
        "value=\"230\"",
        "name=\"outage\" value=\"true\" checked",
        "/app/board/picture.svg",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_eq!(post(&app, "/app/board/contexts/house/stop", "").await.0, StatusCode::SEE_OTHER);
    let (status, _, page) = post(&app, "/app/board/contexts/house/start", "").await;
    assert!(status == StatusCode::CONFLICT && page.contains("the port is in use"), "{page}");
    assert_eq!(post(&app, "/app/board/contexts/house/burn", "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(rig.wishes().len(), 2, "what is neither start nor stop reaches nobody");
    assert_eq!(post(&app, "/app/board/dials/power", "volts=110&name=main").await.0, StatusCode::SEE_OTHER);
    assert_eq!(rig.wishes().last().unwrap().body, r#"{"volts":110,"outage":false,"name":"main"}"#);
}

#[tokio::test]
async fn every_page_forbids_scripts_and_frames_of_others_and_a_form_of_theirs_reaches_no_door() {
    let rig = Rig::default();
    let app = rig.console();
    for path in ["/app", "/app/as/owner", "/app/house/lamps", "/app/house/lamps/1", "/app/board", "/app/nothing", "/app/sign-in"]
    {
        let (_, headers, page) = get(&app, path).await;
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'")
                && policy.contains("frame-ancestors 'none'")
                && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
        assert!(!page.contains("style=") && !page.contains("onclick") && page.matches("<script").count() == 1, "{path}: {page}");
    }
    let foreign = Request::post("/app/house/lamps/1/light").header("sec-fetch-site", "cross-site");
    assert_eq!(send(&app, foreign, "").await.0, StatusCode::FORBIDDEN);
    assert_eq!(rig.wishes(), []);
}

#[tokio::test]
async fn the_language_is_the_chosen_one_then_the_remembered_then_the_browsers() {
    let app = Rig::default().console();
    let (_, headers, page) = send(&app, Request::get("/app?lang=ko").header(header::ACCEPT_LANGUAGE, "en"), "").await;
    assert!(page.contains("<html lang=\"ko\">") && page.contains("도둑") && page.contains("켜기"), "{page}");
    assert!(headers["set-cookie"].to_str().unwrap().starts_with("lang=ko;"));
    let (_, headers, page) =
        send(&app, Request::get("/app").header(header::COOKIE, "a=b; lang=ko").header(header::ACCEPT_LANGUAGE, "en"), "").await;
    assert!(page.contains("<html lang=\"ko\">") && !headers.contains_key("set-cookie"));
    let (_, _, page) = send(&app, Request::get("/app?lang=xx").header(header::ACCEPT_LANGUAGE, "ko-KR, en;q=0.5"), "").await;
    assert!(page.contains("<html lang=\"ko\">"), "{page}");
}

#[tokio::test]
async fn who_is_not_known_is_asked_and_the_token_goes_with_every_request_after() {
    let rig = Rig::default();
    *rig.locked.lock().unwrap() = true;
    let app = rig.console();
    for path in ["/app/as/owner", "/app/house/lamps", "/app/house/lamps/1"] {
        let (status, headers, _) = get(&app, path).await;
        assert_eq!((status, &headers["location"]), (StatusCode::SEE_OTHER, &"/app/sign-in".parse().unwrap()), "{path}");
    }
    let (_, headers, _) = post(&app, "/app/sign-in", "token=s3cret").await;
    assert_eq!(headers["set-cookie"], "token=s3cret; Path=/app; HttpOnly; SameSite=Strict");
    let (status, _, _) = send(&app, Request::get("/app/house/lamps").header(header::COOKIE, "token=s3cret"), "").await;
    assert_eq!(status, StatusCode::OK);
    assert!(rig.heard.lock().unwrap().iter().all(|heard| heard.authorization.as_deref() == Some("Bearer s3cret")));
    assert!(!post(&app, "/app/sign-in", "token=a%0d%0ab%3b").await.1.contains_key("set-cookie"), "what is no token is not kept");
}

#[tokio::test]
async fn a_token_that_the_doors_do_not_take_is_not_kept_and_it_is_said_why() {
    let rig = Rig::default();
    *rig.locked.lock().unwrap() = true;
    let (status, headers, page) = post(&rig.console(), "/app/sign-in", "token=guessed").await;
    assert!(status == StatusCode::UNAUTHORIZED && !headers.contains_key("set-cookie"), "{headers:?}");
    assert!(page.contains("this token is not known here") && page.contains("name=\"token\""), "{page}");
    let (status, _, page) = post(&rig.console(), "/app/sign-in", "token=a%0d%0ab%3b").await;
    assert!(status == StatusCode::BAD_REQUEST && page.contains("That is no token"), "{page}");
}

#[tokio::test]
async fn readers_are_offered_the_desks_and_tables_that_are_theirs() {
    let rig = Rig::default();
    *rig.locked.lock().unwrap() = true;
    let app = rig.console();
    let as_who = async |token: &str| {
        let (_, _, page) = send(&app, Request::get("/app").header(header::COOKIE, format!("token={token}")), "").await;
        let of = ["/app/as/owner\"", "/app/as/burglar\"", "/app/house/lamps\"", "/app/house/bills\"", "/app/board\""];
        of.map(|link| page.contains(link))
    };
    assert_eq!(as_who("s3cret").await, [true, false, true, true, false], "an owner's");
    assert_eq!(as_who("cr0wbar").await, [false, true, true, false, false], "a burglar's");
    assert_eq!(as_who("b0ss").await, [true; 5], "an operator sees everything");
    assert_eq!(as_who("").await, [true; 5], "to who has not said who they are all is offered, and then asks");
}
