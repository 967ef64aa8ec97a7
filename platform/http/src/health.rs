//! Probes and metrics, where the predecessors' deployments look for them.
use crate::router::{Doors, written};
use axum::{
    http::{HeaderValue, StatusCode},
    response::Response,
};
use jumun_resilience::State;
use jumun_runtime::{Collected, Context, Core, Lag, Owed};
use jumun_store::StoreError;
use metrics::gauge;
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
/// The context's metrics; what is a state rather than an event is looked up now.
pub(crate) async fn metrics(doors: &Doors) -> Response {
    // a store that does not answer shows as its last numbers, and in the health
    if let Err(why) = gauges(&doors.context, &doors.core).await {
        tracing::debug!(context = doors.core.context, %why, "the gauges are as they were");
    }
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    written(StatusCode::OK, kind, of_context(&(doors.house.metrics)(), doors.core.context))
}

/// Looks up what is a state rather than an event: documents, lag, what is owed, due and set aside, breakers.
///
/// # Errors
/// The store does not answer.
pub async fn gauges(of: &Context, core: &Core) -> Result<(), StoreError> {
    let context = core.context;
    for (of, now) in core.lines() {
        for state in [State::Closed, State::HalfOpen, State::Open] {
            let gauge = gauge!("jumun_breaker_state", "context" => context, "of" => of, "state" => state.as_str());
            gauge.set(if state == now { 1.0 } else { 0.0 });
        }
    }
    for (aggregate, Owed { due, owing }) in of.owed(core).await? {
        gauge!("jumun_asks_owed", "context" => context, "aggregate" => aggregate).set(owing as f64);
        gauge!("jumun_overdue", "context" => context, "aggregate" => aggregate).set(due as f64);
    }
    let stand = of.stand(core).await?;
    for Collected { name, documents, .. } in stand.aggregates.iter().chain(&stand.views) {
        gauge!("jumun_documents", "context" => context, "of" => *name).set(documents.unwrap_or(0) as f64);
    }
    for Lag { consumer, publisher, behind } in stand.lag {
        gauge!("jumun_lag_facts", "context" => context, "consumer" => consumer, "publisher" => publisher).set(behind as f64);
    }
    gauge!("jumun_aside", "context" => context).set(stand.aside.unwrap_or(0) as f64);
    Ok(())
}

/// Of all metrics of the process those of one context, each with what is said about it.
fn of_context(text: &str, context: &str) -> String {
    let label = format!("context=\"{context}\"");
    let (mut kept, mut about) = (String::with_capacity(text.len()), String::new());
    for line in text.lines() {
        if line.starts_with('#') {
            about.push_str(line);
            about.push('\n');
        } else if line.is_empty() {
            about.clear();
        } else if line.contains(&label) {
            kept.push_str(&std::mem::take(&mut about));
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_sees_its_own_metrics_and_what_they_mean() {
        let all = "# TYPE a counter\na{context=\"pay\",of=\"x\"} 1\na{context=\"order\"} 2\n\n# TYPE b gauge\nb{context=\"order\"} 3\n\n# TYPE c gauge\nc 4\n\n\
                   # HELP d whose?\n# TYPE d gauge\nd{of=\"pay\",context=\"pay\"} 5\nd{of=\"order\",context=\"pay\"} 6\n";
        let pay = "# TYPE a counter\na{context=\"pay\",of=\"x\"} 1\n# HELP d whose?\n# TYPE d gauge\n\
                   d{of=\"pay\",context=\"pay\"} 5\nd{of=\"order\",context=\"pay\"} 6\n";
        assert_eq!(of_context(all, "pay"), pay);
        assert_eq!(of_context(all, "shop"), "");
    }
}
