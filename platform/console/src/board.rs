//! The operators' page: the board, what runs, how far behind, what is owed; contexts to stop and start, dials to turn.
use crate::{
    acts::typed,
    pages::{Answered, Frame, said, sorry, unknown},
    rows::breaker,
    text,
    visit::Visit,
};
use askama::Template;
use axum::{
    body::{Body, Bytes},
    extract::Path,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde_json::{Map, Value};

#[derive(Template)]
#[template(path = "board.html")]
struct Board {
    frame: Frame,
    contexts: Vec<Card>,
    dials: Vec<Dials>,
    drawn: bool,
}
struct Card {
    name: String,
    port: String,
    running: bool,
    /// What it keeps and shows: where, and how many.
    kept: Vec<(String, String, String)>,
    lag: Vec<Lag>,
    /// What it owes now, and of that what is late; none where nobody says.
    owed: Option<(u64, u64)>,
    aside: u64,
    breakers: Vec<(String, String, String)>,
}
struct Lag {
    consumer: String,
    publisher: String,
    behind: u64,
}
struct Dials {
    name: String,
    label: String,
    knobs: Vec<Knob>,
}
struct Knob {
    name: String,
    label: String,
    value: Turned,
}
enum Turned {
    Flag(bool),
    Number(String),
    Text(String),
}

pub(crate) async fn page(visit: Visit) -> Answered {
    let house = visit.console.house(&visit).await;
    let operators = &visit.console.operators;
    let state = visit.get(operators, "/state").await;
    let contexts = if state.status == StatusCode::OK { state } else { visit.get(operators, "/contexts").await };
    if contexts.status != StatusCode::OK {
        return Err(sorry(&visit, &house, &contexts));
    }
    let told = contexts.json["contexts"].as_array().or_else(|| contexts.json.as_array());
    let dials = visit.get(operators, "/dials").await;
    let page = Board {
        contexts: told.into_iter().flatten().map(|context| Card::of(&visit, context)).collect(),
        dials: dials.json.as_object().into_iter().flatten().map(|(name, dial)| Dials::of(&visit, name, dial)).collect(),
        drawn: drawn(&visit).await.is_some(),
        frame: Frame::of(&visit, &house, "/app/board"),
    };
    Ok(visit.page(StatusCode::OK, &page))
}

impl Card {
    fn of(visit: &Visit, state: &Value) -> Self {
        let name = if state["name"].is_string() { text(state, "name") } else { text(state, "context") };
        let all = |what: &str| state[what].as_array().cloned().unwrap_or_default();
        let count = |of: &Value, what: &str| of[what].as_u64().unwrap_or(0);
        let kept = all("aggregates").into_iter().chain(all("views")).filter_map(|kept| {
            let collection = kept["collection"].as_str()?.trim_start_matches('/').to_owned();
            let documents = kept["documents"].as_u64().map(|documents| documents.to_string()).unwrap_or_default();
            Some((format!("/app/{name}/{collection}"), visit.words.collection(&collection), documents))
        });
        let lag = all("lag").into_iter().map(|lag| Lag {
            consumer: {
                let (words, name) = (&visit.words, text(&lag, "consumer"));
                words.own("collection", name).unwrap_or_else(|| words.word("policy", name)) // a view, or a policy
            },
            publisher: visit.words.context(text(&lag, "publisher")),
            behind: count(&lag, "behind"),
        });
        Card {
            port: state["port"].to_string(),
            running: state["running"] == true,
            kept: kept.collect(),
            lag: lag.collect(),
            owed: state["owed"].is_object().then(|| (count(&state["owed"], "owing"), count(&state["owed"], "due"))),
            aside: count(state, "aside"),
            breakers: all("breakers").iter().map(breaker).collect(),
            name: name.to_owned(),
        }
    }
}
impl Dials {
    fn of(visit: &Visit, name: &str, dial: &Value) -> Self {
        let knob = |(name, value): (&String, &Value)| Knob {
            name: name.clone(),
            label: visit.words.field(name),
            value: match value {
                Value::Bool(on) => Turned::Flag(*on),
                Value::Number(number) => Turned::Number(number.to_string()),
                Value::String(text) => Turned::Text(text.clone()),
                other => Turned::Text(other.to_string()),
            },
        };
        let knobs = dial.as_object().into_iter().flatten().map(knob).collect();
        Dials { name: name.to_owned(), label: visit.words.word("dial", name), knobs }
    }
}

/// The board as a picture: printed from the code, so it stays the same while the process lives.
async fn drawn(visit: &Visit) -> Option<Bytes> {
    let kept = &visit.console.picture;
    if kept.get().is_none() {
        let answer = visit.get(&visit.console.operators, "/board.svg").await;
        if answer.status == StatusCode::OK {
            return Some(kept.get_or_init(|| answer.text).clone());
        }
    }
    kept.get().cloned()
}
pub(crate) async fn picture(visit: Visit) -> Response {
    let Some(picture) = drawn(&visit).await else { return StatusCode::NOT_FOUND.into_response() };
    let mut answer = Response::new(Body::from(picture));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"));
    // the picture brings its own style, and nothing else
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    );
    answer
}

/// `POST /app/board/contexts/{name}/{start|stop}`.
pub(crate) async fn switch(visit: Visit, Path((name, act)): Path<(String, String)>) -> Answered {
    if !matches!(act.as_str(), "start" | "stop") {
        return Err(StatusCode::NOT_FOUND.into_response());
    }
    let name = encoded(&name);
    done(&visit, visit.ask(&visit.console.operators, Method::POST, &format!("/contexts/{name}/{act}"), None, None).await).await
}
/// `POST /app/board/dials/{name}`: every knob as the form has it.
pub(crate) async fn turn(visit: Visit, Path(name): Path<String>, form: Bytes) -> Answered {
    let path = format!("/dials/{}", encoded(&name));
    let (operators, typed) = (&visit.console.operators, typed(&form));
    let now = visit.get(operators, &path).await;
    let knob = |(name, value): (&String, &Value)| {
        let typed = typed.iter().find(|(knob, _)| knob == name).map(|(_, text)| text.as_str());
        let turned = match value {
            Value::Bool(_) => Value::from(typed.is_some()), // a box that is not ticked is not sent
            Value::String(_) => Value::from(typed?),
            _ => serde_json::from_str(typed?).unwrap_or_else(|_| Value::from(typed)),
        };
        Some((name.clone(), turned))
    };
    let wanted = now.json.as_object().into_iter().flatten().filter_map(knob).collect::<Map<_, _>>();
    done(&visit, visit.ask(operators, Method::PUT, &path, Some(&Value::Object(wanted)), None).await).await
}
async fn done(visit: &Visit, answer: crate::visit::Answer) -> Answered {
    match answer.status {
        StatusCode::OK => Ok(Redirect::to("/app/board").into_response()),
        StatusCode::UNAUTHORIZED => Err(unknown(visit)),
        status => Err(said(visit, &visit.console.house(visit).await, status, answer.sentence())),
    }
}
fn encoded(segment: &str) -> String {
    form_urlencoded::byte_serialize(segment.as_bytes()).collect()
}
