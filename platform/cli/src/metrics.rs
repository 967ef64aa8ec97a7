//! Metrics of the whole process, and the gateway's own.
use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use jumun_runtime::Clock;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use std::sync::Arc;

/// Renders all metrics of the process, in Prometheus' text format.
pub(crate) type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// Keeps metrics from now on.
///
/// # Errors
/// They are kept already.
pub(crate) fn kept() -> Result<Metrics, String> {
    let buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &buckets)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|why| format!("metrics can not be kept: {why}"))?;
    Ok(Arc::new(move || {
        handle.run_upkeep();
        handle.render()
    }))
}

/// A page of metrics.
pub(crate) fn page(text: String) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// Counts what goes through the gateway: by the route that it took, as many as there are, and status.
pub(crate) fn counted(gateway: Router, prefixes: Vec<String>, clock: Arc<dyn Clock>) -> Router {
    let prefixes: Arc<[String]> = prefixes.into();
    gateway.layer(from_fn(move |request: Request, next: Next| {
        let (prefixes, clock) = (Arc::clone(&prefixes), Arc::clone(&clock));
        async move {
            let (route, began) = (route(&prefixes, request.uri().path()), clock.elapsed());
            let answer = next.run(request).await;
            let status = answer.status().as_str().to_owned();
            metrics::counter!("jumun_gateway_requests_total", "route" => route.clone(), "status" => status).increment(1);
            metrics::histogram!("jumun_gateway_seconds", "route" => route).record(clock.elapsed().saturating_sub(began));
            answer
        }
    }))
}
/// The longest prefix that ends where a segment ends.
fn route(prefixes: &[String], path: &str) -> String {
    let leads = |prefix: &&String| path.strip_prefix(&***prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    prefixes.iter().filter(leads).max_by_key(|prefix| prefix.len()).map_or_else(|| "none".to_owned(), Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_routes_in_metrics_as_in_the_gateway() {
        let prefixes = ["/orders".to_owned(), "/orders/open".to_owned()];
        let of = |path| route(&prefixes, path);
        assert_eq!(
            ["/orders", "/orders/7", "/orders/open/1", "/ordersx", "/made/up"].map(of),
            ["/orders", "/orders", "/orders/open", "none", "none"]
        );
    }
}
