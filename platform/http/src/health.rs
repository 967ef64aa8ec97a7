//! Probes and metrics, where the predecessors' deployments look for them.
use crate::router::{Doors, written};
use axum::{
    http::{HeaderValue, StatusCode},
    response::Response,
};
use jumun_resilience::State;
use serde_json::{Map, Value, json};

fn said(up: bool, body: &Value) -> Response {
    let status = if up { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    written(status, HeaderValue::from_static("application/json"), body.to_string())
}
const fn word(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}
const fn readiness(ready: bool) -> &'static str {
    if ready { "UP" } else { "OUT_OF_SERVICE" }
}

/// Whether the store answers: one small read.
async fn store(doors: &Doors) -> bool {
    doors.core.store.position("health", doors.core.context).await.is_ok()
}
fn welcome(doors: &Doors) -> bool {
    *doors.house.ready.borrow() && !*doors.core.tasks.stopping().borrow()
}

/// Everything: the store, readiness, and how the lines to others stand (an open breaker is theirs, not ours: it makes nothing *down*).
pub(crate) async fn whole(doors: &Doors) -> Response {
    let (store, ready) = (store(doors).await, welcome(doors));
    let asks: Map<_, _> =
        doors.core.lines().into_iter().map(|(of, state)| (of.to_owned(), Value::from(state.as_str()))).collect();
    let components = json!({
        "db": { "status": word(store) },
        "livenessState": { "status": "UP" },
        "readinessState": { "status": readiness(ready) },
        "asks": { "status": "UP", "details": asks },
    });
    let status = if store { readiness(ready) } else { "DOWN" };
    said(store && ready, &json!({ "status": status, "components": components, "groups": ["liveness", "readiness"] }))
}
/// It runs, or nobody would answer.
pub(crate) fn live() -> Response {
    said(true, &json!({ "status": "UP" }))
}
/// Whether new requests are welcome.
pub(crate) async fn ready(doors: &Doors) -> Response {
    let (store, welcome) = (store(doors).await, welcome(doors));
    said(store && welcome, &json!({ "status": if store { readiness(welcome) } else { "DOWN" } }))
}
/// What this is.
pub(crate) fn info(doors: &Doors) -> Response {
    said(true, &json!({ "system": doors.house.system, "context": doors.core.context, "version": env!("CARGO_PKG_VERSION") }))
}
/// All metrics; what is a state rather than an event is looked up now.
pub(crate) async fn metrics(doors: &Doors) -> Response {
    let context = doors.core.context;
    for (of, now) in doors.core.lines() {
        for state in [State::Closed, State::HalfOpen, State::Open] {
            let gauge = metrics::gauge!("jumun_breaker_state", "context" => context, "of" => of, "state" => state.as_str());
            gauge.set(if state == now { 1.0 } else { 0.0 });
        }
    }
    for table in &doors.tables {
        // a store that does not answer shows as its last number and in the health
        if let Ok(owing) = doors.core.store.owing(table).await {
            metrics::gauge!("jumun_asks_owed", "context" => context, "aggregate" => *table).set(owing as f64);
        }
    }
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    written(StatusCode::OK, kind, (doors.house.metrics)())
}
