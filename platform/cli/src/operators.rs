//! The operators' port: contexts are stopped and started, providers are steered, while the rest runs.
use crate::up::Town;
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;
use std::sync::Arc;

pub(crate) fn router(town: &Arc<Town>) -> Router {
    Router::new()
        .route("/", get(|| async { Json(json!({ "contexts": "/contexts", "dials": "/dials" })) }))
        .route("/contexts", get(contexts))
        .route("/contexts/{name}/start", post(start))
        .route("/contexts/{name}/stop", post(stop))
        .route("/dials", get(dials))
        .route("/dials/{name}", get(dial).put(turn))
        .with_state(Arc::clone(town))
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
    Json(town.dials.iter().map(|(name, dial)| ((*name).to_owned(), dial.show())).collect::<serde_json::Map<_, _>>())
        .into_response()
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
    let wanted: serde_json::Map<String, serde_json::Value> = match serde_json::from_slice(&body) {
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

fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("problem");
    let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    (status, [("content-type", "application/problem+json")], body.to_string()).into_response()
}
