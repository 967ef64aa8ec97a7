//! Who calls, and what they may.
use super::Stream;
use crate::{
    Access, Known, guarded,
    toy::{Answer, Home},
};
use axum::{Router, body::Body, extract::Extension, http::Request, routing::get};
use jumun_model::Caller;
use serde_json::json;
use tower::ServiceExt;

const JSON: (&str, &str) = ("content-type", "application/json");
const KIM: (&str, &str) = ("authorization", "Bearer token-of-kim00000");
const LEE: (&str, &str) = ("authorization", "Bearer token-of-lee00000");
const BOTH: (&str, &str) = ("authorization", "Bearer token-of-both0000");
const PARK: (&str, &str) = ("authorization", "Bearer token-of-park0000");
const BOSS: (&str, &str) = ("authorization", "Bearer token-of-boss0000");
const NOBODY: (&str, &str) = ("authorization", "Bearer token-of-nobody00");
const GUEST: (&str, &str) = ("authorization", "Bearer token-of-guest000");
const ROUTES: [(&str, &str); 7] = [
    ("GET", "/lamps"),
    ("POST", "/lamps"),
    ("GET", "/lamps/1"),
    ("PATCH", "/lamps/1"),
    ("PUT", "/lamps/1/on"),
    ("GET", "/bills"),
    ("GET", "/bills/1"),
];

async fn home() -> Home {
    let known: [(&str, &[&str]); 7] = [
        ("kim", &["resident"]),
        ("lee", &["resident", "guest"]),
        ("both", &["resident", "caretaker"]),
        ("park", &["caretaker"]),
        ("boss", &["operator"]),
        ("guest", &["guest"]),
        ("nobody", &[]),
    ];
    Home::known(&known).await
}

#[tokio::test(start_paused = true)]
async fn who_brings_no_token_is_told_how_to_say_who_they_are() {
    let home = home().await;
    for (method, path) in ROUTES {
        for head in [
            &[][..],
            &[("authorization", "Basic a2ltOmtpbQ==")],
            &[("authorization", "Bearer")],
            &[("authorization", "Bearer a b")],
        ] {
            let answer = home.send(method, path, head, "no JSON at all").await;
            assert_eq!(answer.no(), (401, "unauthenticated".into()), "{method} {path} {head:?}");
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"jumun\"");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_known_is_refused_however_near_it_is() {
    let home = home().await;
    for token in ["token-of-kim0000", "token-of-kim000000", "token-of-kim00001", "TOKEN-OF-KIM00000", "token-of-choi0000"] {
        let answer = home.send("GET", "/lamps", &[("authorization", &format!("Bearer {token}"))], "").await;
        assert_eq!(answer.no(), (401, "bad-token".into()), "{token}");
        assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""));
        assert!(!answer.text.contains(token), "{}", answer.text);
    }
    assert_eq!(home.send("GET", "/lamps", &[("authorization", "bEARER token-of-kim00000")], "").await.status, 200);
    assert_eq!(home.send("GET", "/lamps", &[KIM, KIM], "").await.no(), (400, "bad-header".into()));
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_is_told_who_they_are_here() {
    let home = home().await;
    let told = home.send("GET", "/caller", &[BOTH], "").await;
    assert_eq!(told.json(), json!({ "access": "known", "name": "both", "roles": ["resident", "caretaker"] }));
    assert_eq!((told.status.as_u16(), told.header("cache-control")), (200, "no-store"));
    assert_eq!(home.send("GET", "/caller", &[], "").await.no(), (401, "unauthenticated".into()));
    let unknown = [("authorization", "Bearer token-of-choi0000"), ("accept-language", "ko")];
    let told = home.send("GET", "/caller", &unknown, "").await;
    assert!(told.no() == (401, "bad-token".into()) && told.text.contains("토큰"), "{}", told.text);
    let told = Home::new().await.get("/caller").await.json();
    assert_eq!((&told["access"], &told["name"]), (&json!("open"), &json!("anonymous")));
}

#[tokio::test(start_paused = true)]
async fn a_line_is_for_its_role_alone_and_a_look_for_those_who_see_something() {
    let home = home().await;
    for (method, path) in ROUTES {
        for (name, head) in [("guest", GUEST), ("nobody", NOBODY)] {
            let answer = home.send(method, path, &[head, JSON], "{\"room\":\"attic\",\"watts\":7}").await;
            assert_eq!(answer.no(), (403, "forbidden".into()), "{method} {path} {name}");
        }
    }
    for (method, path) in ROUTES.iter().filter(|(method, _)| *method != "GET") {
        let answer = home.send(method, path, &[PARK, JSON], "{\"room\":\"attic\",\"watts\":7}").await;
        assert_eq!((answer.no(), &answer.json()["role"]), ((403, "forbidden".into()), &json!("resident")), "{method} {path}");
    }
    for head in [PARK, BOSS] {
        for path in ["/lamps", "/bills"] {
            assert_eq!(home.send("GET", path, &[head], "").await.status, 200, "{path}");
        }
    }
    assert_eq!(home.send("GET", "/bills", &[KIM], "").await.no(), (403, "forbidden".into()));
}

async fn lamps(home: &Home, whose: (&str, &str), query: &str) -> Vec<u64> {
    let page = home.send("GET", &format!("/lamps{query}"), &[whose], "").await.json();
    let ids = page["_embedded"]["lamps"].as_array().unwrap().iter().map(|lamp| lamp["id"].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(page["page"]["totalElements"], ids.len());
    ids
}

#[tokio::test(start_paused = true)]
async fn an_owner_opens_under_their_own_name_and_sees_their_own_rows_alone() {
    let home = home().await;
    for (whose, body, room) in
        [(KIM, json!({}), "kim"), (LEE, json!({ "room": null }), "lee"), (KIM, json!({ "room": "kim" }), "kim")]
    {
        let opened = home.send("POST", "/lamps", &[whose, JSON], body.to_string()).await;
        assert_eq!((opened.status.as_u16(), &opened.json()["room"]), (201, &json!(room)), "{}", opened.text);
    }
    for room in [json!("lee"), json!(7), json!(["kim"])] {
        let no = home.send("POST", "/lamps", &[KIM, JSON], json!({ "room": room }).to_string()).await;
        assert_eq!((no.no(), &no.json()["field"]), ((403, "not-yours".into()), &json!("room")), "{room}");
    }
    assert_eq!((lamps(&home, KIM, "").await, lamps(&home, LEE, "").await), (vec![1, 3], vec![2]));
    assert_eq!((lamps(&home, KIM, "?room=lee").await, lamps(&home, KIM, "?room=kim").await), (vec![], vec![1, 3]));
    for all in [BOTH, PARK, BOSS] {
        assert_eq!(lamps(&home, all, "").await, [1, 2, 3]);
    }
    let facts = home.running.core.store.tail(0, 9).await.unwrap();
    assert_eq!(facts.iter().map(|fact| &*fact.by).collect::<Vec<_>>(), ["kim", "lee", "kim"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_anothers_is_not_there() {
    let home = home().await;
    for whose in [KIM, LEE] {
        home.send("POST", "/lamps", &[whose, JSON], "{}").await;
    }
    for (method, path) in [("GET", "/lamps/2"), ("PUT", "/lamps/2/on"), ("PATCH", "/lamps/2")] {
        for more in [("accept-language", "en"), ("if-match", "\"1\""), ("if-match", "\"1\", \"2\""), ("if-none-match", "\"1\"")] {
            let anothers = home.send(method, path, &[KIM, JSON, more], "{\"watts\":7}").await;
            let nobodys = home.send(method, &path.replace('2', "9"), &[KIM, JSON, more], "{\"watts\":7}").await;
            assert_eq!((anothers.no(), &anothers.text), (nobodys.no(), &nobodys.text), "{method} {path} {more:?}");
            assert_eq!(anothers.no(), (404, "unknown".into()));
        }
    }
    assert_eq!(home.send("GET", "/lamps/2", &[LEE], "").await.header("etag"), "\"1\"", "nothing came of it");
    assert_eq!(home.send("PUT", "/lamps/1/on", &[KIM], "").await.json()["status"], "On");
    assert_eq!(home.send("PUT", "/lamps/2/on", &[BOTH], "").await.json()["status"], "On");
}

#[tokio::test(start_paused = true)]
async fn links_are_what_this_caller_may_do() {
    let home = home().await;
    home.send("POST", "/lamps", &[KIM, JSON], "{}").await;
    for (whose, links) in [(KIM, vec!["self", "on"]), (BOTH, vec!["self", "on"]), (PARK, vec!["self"]), (BOSS, vec!["self"])] {
        let row = home.send("GET", "/lamps/1", &[whose], "").await.json();
        assert_eq!(row["_links"].as_object().unwrap().keys().collect::<Vec<_>>(), links, "{whose:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_shows_an_owner_their_own_rows_however_many_are_others() {
    let home = home().await;
    let mut stream = Stream::open(&home, "/lamps?after=0", &[KIM]).await;
    stream.event().await.unwrap();
    for _ in 0..1100 {
        home.send("POST", "/lamps", &[LEE, JSON], "{}").await;
    }
    home.send("POST", "/lamps", &[KIM, JSON], "{}").await;
    assert_eq!(stream.row().await.1["id"], 1101);
    home.send("PUT", "/lamps/7/on", &[LEE], "").await;
    home.send("PUT", "/lamps/1101/on", &[KIM], "").await;
    let (id, row) = stream.row().await;
    assert_eq!((&row["id"], &row["status"]), (&json!(1101), &json!("On")));
    let mut again = Stream::open(&home, "/lamps", &[KIM, ("last-event-id", &(id - 1).to_string())]).await;
    assert_eq!(again.row().await.1["id"], 1101);
}

#[tokio::test(start_paused = true)]
async fn probes_and_documents_ask_nobody_who_they_are() {
    let home = home().await;
    for path in ["/", "/openapi.json", "/actuator/health", "/actuator/health/readiness", "/actuator/info", "/actuator/prometheus"]
    {
        assert_eq!(home.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idempotency_key_is_its_callers_own() {
    let home = Home::known(&[("kim", &["resident"]), ("lee", &["resident"])]).await;
    let open = async |name: &str| {
        let token = format!("Bearer token-of-{name:0<8}");
        home.send("POST", "/lamps", &[("authorization", &token), ("idempotency-key", "k"), JSON], "{}").await
    };
    let (kims, lees) = (open("kim").await, open("lee").await);
    assert_eq!((kims.status.as_u16(), lees.status.as_u16()), (201, 201), "{}", lees.text);
    assert_ne!(kims.header("location"), lees.header("location"));
    assert_eq!(open("kim").await.header("location"), kims.header("location"));
}

#[tokio::test(start_paused = true)]
async fn where_access_is_open_a_page_of_another_site_changes_nothing() {
    const LURED: (&str, &str) = ("sec-fetch-site", "cross-site");
    let (open, known) = (Home::new().await, home().await);
    assert_eq!(open.send("POST", "/lamps", &[JSON, LURED], "{}").await.no(), (403, "foreign-page".into()));
    assert_eq!(open.send("GET", "/lamps", &[LURED], "").await.status, 200);
    assert_eq!(open.send("POST", "/lamps", &[JSON, ("sec-fetch-site", "same-origin")], r#"{"room": 7}"#).await.status, 201);
    assert_eq!(known.send("POST", "/lamps", &[JSON, LURED, KIM], "{}").await.status, 201, "a token is brought on purpose");

    let stop = guarded(Router::new().route("/stop", get(|| async { "" }).post(|| async { "" })), &Access::Open, "operator");
    for (method, expected) in [("POST", 403), ("GET", 200)] {
        let request = Request::builder().method(method).uri("/stop").header(LURED.0, LURED.1).body(Body::empty()).unwrap();
        assert_eq!(stop.clone().oneshot(request).await.unwrap().status(), expected, "{method}");
    }
}

#[tokio::test]
async fn what_is_guarded_is_for_one_role_and_learns_who_it_is() {
    let whose = async |Extension(by): Extension<Caller>| by.name.to_string();
    let router = || Router::new().route("/contexts", get(whose));
    let known = [("kim", "operator"), ("lee", "customer")].into_iter().fold(Known::default(), |known, (name, role)| {
        known.token(&format!("token-of-{name}-0123"), name, vec![role.to_owned()]).unwrap()
    });
    let (open, known) = (guarded(router(), &Access::Open, "operator"), guarded(router(), &Access::known(known), "operator"));
    let call = async |router: &Router, token: &str| {
        let request = Request::get("/contexts").header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
        Answer::read(router.clone().oneshot(request).await.unwrap()).await
    };
    assert_eq!(call(&open, "any").await.text, "anonymous");
    assert_eq!(call(&known, "token-of-kim-0123").await.text, "kim");
    assert_eq!(call(&known, "token-of-lee-0123").await.no(), (403, "forbidden".into()));
    let stranger = call(&known, "token-of-park-0123").await;
    assert_eq!((stranger.no().0, stranger.header("www-authenticate").is_empty()), (401, false));
}

#[tokio::test(start_paused = true)]
async fn rows_are_kept_by_nobody_on_the_way() {
    let home = home().await;
    for (method, path) in ROUTES {
        for whose in [BOTH, BOSS, KIM] {
            let answer = home.send(method, path, &[whose, JSON], "{\"room\":\"kim\",\"watts\":7}").await;
            assert_eq!(answer.header("cache-control"), "no-store", "{method} {path} {}", answer.status);
        }
    }
    assert_eq!(home.get("/openapi.json").await.header("cache-control"), "");
}
