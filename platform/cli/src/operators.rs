//! The operators' port: contexts are stopped and started, providers are steered, while the rest runs.
use crate::{aside, case, events, metrics, up::Town, views};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jumun_runtime::Stand;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(crate) fn router(town: &Arc<Town>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/state", get(state))
        .route("/actuator/prometheus", get(prometheus))
        .route("/board.svg", get(board))
        .route("/cases/{root}/{number}", get(case::get))
        .route("/events", get(events::get))
        .route("/views", get(views::list))
        .route("/views/{context}/{view}/rebuild", get(views::progress).post(views::rebuild))
        .route("/aside", get(aside::list))
        .route("/aside/{context}/{number}", get(aside::get))
        .route("/aside/{context}/{number}/retry", post(aside::retry))
        .route("/aside/{context}/{number}/drop", post(aside::let_go))
        .route("/contexts", get(contexts))
        .route("/contexts/{name}/start", post(start))
        .route("/contexts/{name}/stop", post(stop))
        .route("/dials", get(dials))
        .route("/dials/{name}", get(dial).put(turn))
        .with_state(Arc::clone(town))
}

async fn index(State(town): State<Arc<Town>>) -> Response {
    let at = ["contexts", "dials", "state", "board.svg", "aside", "events", "views"]
        .map(|name| (name.to_owned(), Value::from(format!("/{name}"))));
    let mut index = Map::from_iter([("system".to_owned(), town.system().into()), ("roots".to_owned(), json!(town.roots()))]);
    index.extend(at);
    index.insert("cases".to_owned(), "/cases/{root}/{number}".into());
    Json(index).into_response()
}
/// Everything that the process counts, the gateway's own too.
async fn prometheus(State(town): State<Arc<Town>>) -> Response {
    for name in town.names() {
        let looked = town.with(name, async |running| jumun_http::gauges(running.context(), &running.core).await).await;
        if let Some(Err(why)) = looked {
            tracing::debug!(context = name, %why, "the gauges are as they were");
        }
    }
    metrics::page(town.metrics())
}
/// How everything stands, for the live board.
async fn state(State(town): State<Arc<Town>>) -> Response {
    let mut contexts = Vec::new();
    for (name, port, running) in town.contexts().await {
        let stand = match town.with(name, async |running| running.stand().await).await {
            None => town.at_rest(name),
            Some(Ok(stand)) => stand,
            Some(Err(why)) => return problem(StatusCode::SERVICE_UNAVAILABLE, &format!("{name} can not tell: {why}")),
        };
        contexts.push(Context { name, port, running, stand });
    }
    Json(json!({ "system": town.system(), "contexts": contexts })).into_response()
}
#[derive(Serialize)]
struct Context {
    name: &'static str,
    port: u16,
    running: bool,
    #[serde(flatten)]
    stand: Stand,
}
async fn board(State(town): State<Arc<Town>>) -> Response {
    ([("content-type", "image/svg+xml")], town.board().to_owned()).into_response()
}

async fn contexts(State(town): State<Arc<Town>>) -> Response {
    let shown = |(name, port, runs)| json!({ "context": name, "port": port, "running": runs });
    Json(town.contexts().await.into_iter().map(shown).collect::<Vec<_>>()).into_response()
}
async fn start(State(town): State<Arc<Town>>, Path(name): Path<String>) -> Response {
    answer(town.open(&name).await, &town).await
}
async fn stop(State(town): State<Arc<Town>>, Path(name): Path<String>) -> Response {
    answer(town.close(&name).await, &town).await
}
async fn answer(done: Result<(), String>, town: &Arc<Town>) -> Response {
    match done {
        Ok(()) => contexts(State(Arc::clone(town))).await,
        Err(why) => problem(StatusCode::CONFLICT, &why),
    }
}
async fn dials(State(town): State<Arc<Town>>) -> Response {
    Json(town.dials.iter().map(|(name, dial)| ((*name).to_owned(), dial.show())).collect::<Map<_, _>>()).into_response()
}
async fn dial(State(town): State<Arc<Town>>, Path(name): Path<String>) -> Response {
    match town.dials.iter().find(|(dial, _)| *dial == name) {
        Some((_, dial)) => Json(dial.show()).into_response(),
        None => problem(StatusCode::NOT_FOUND, &format!("there is no dial {name}")),
    }
}
/// What is not named stays as it is.
async fn turn(State(town): State<Arc<Town>>, Path(name): Path<String>, body: Bytes) -> Response {
    let Some((_, dial)) = town.dials.iter().find(|(dial, _)| *dial == name) else {
        return problem(StatusCode::NOT_FOUND, &format!("there is no dial {name}"));
    };
    let wanted: Map<String, Value> = match serde_json::from_slice(&body) {
        Ok(wanted) => wanted,
        Err(why) => return problem(StatusCode::BAD_REQUEST, &format!("the body is no JSON object: {why}")),
    };
    let mut shown = dial.show();
    if let Some(fields) = shown.as_object_mut() {
        // HTTPie's key=value sends text; a dial's own types are numbers and yes or no
        fields.extend(wanted.into_iter().map(
            |(name, value)| match value.as_str().and_then(|text| serde_json::from_str(text).ok()) {
                Some(read) => (name, read),
                None => (name, value),
            },
        ));
    }
    match dial.turn(shown) {
        Ok(()) => Json(dial.show()).into_response(),
        Err(why) => problem(StatusCode::UNPROCESSABLE_ENTITY, &why),
    }
}

pub(crate) fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("problem");
    let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    (status, [("content-type", "application/problem+json")], body.to_string()).into_response()
}
