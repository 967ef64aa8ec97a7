#![doc = include_str!("../README.md")]
mod edge;

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
pub use edge::{Rate, edged};
use jumun_http::{Phrases, Refused};
use serde_json::{Map, json};
use std::{
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
};
use tower::ServiceExt;

/// A context that routes lead to; it comes and goes while the gateway runs.
pub struct Upstream {
    name: String,
    router: RwLock<Option<Router>>,
}
/// Where a route leads.
pub type Backend = Arc<Upstream>;

impl Upstream {
    /// One that does not run yet.
    pub fn named(name: impl Into<String>) -> Backend {
        Arc::new(Upstream { name: name.into(), router: RwLock::new(None) })
    }
    /// From now on requests go to this router; with none, they are told that it is not running. Requests under way stay where they are.
    pub fn set(&self, router: Option<Router>) {
        *self.router.write().unwrap_or_else(PoisonError::into_inner) = router;
    }
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.router.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }
    /// It as a router, for who is not led here by a path: whoever runs now answers, or a 503 says that nobody does.
    pub fn router(self: &Arc<Self>) -> Router {
        let (to, phrases) = (Arc::clone(self), Arc::new(Phrases::platform()));
        Router::new().fallback(move |request: Request| {
            let (to, phrases) = (Arc::clone(&to), Arc::clone(&phrases));
            async move { to.enter(&phrases, request).await }
        })
    }
    async fn enter(&self, phrases: &Phrases, request: Request) -> Response {
        match self.now() {
            Some(router) => forward(router, request).await,
            None => {
                let detail = format!("{} is not running now", self.name);
                let no = Refused::plain(StatusCode::SERVICE_UNAVAILABLE, "not-running", detail);
                no.with("name", self.name.as_str()).answer(phrases, request.headers())
            }
        }
    }
    fn now(&self) -> Option<Router> {
        self.router.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One route: every path that is `prefix` or lies under it.
pub struct GatewayRoute {
    /// Such as `/orders`.
    pub prefix: String,
    /// Where it leads.
    pub to: Backend,
}

/// Where each context tells callers who they are.
const CALLER: &str = "/caller";

/// Routes as data. What no route names is not reachable.
pub struct Gateway {
    routes: Vec<GatewayRoute>,
    phrases: Phrases,
}

impl Gateway {
    /// A gateway with these routes.
    pub fn new(mut routes: Vec<GatewayRoute>) -> Self {
        routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.len())); // the longest first
        Gateway { routes, phrases: Phrases::platform() }
    }
    /// It as a router, with an index at `/` and probes of its own.
    pub fn router(self) -> Router {
        let gateway = Arc::new(self);
        Router::new().fallback(move |request| {
            let gateway = Arc::clone(&gateway);
            async move { gateway.enter(request).await }
        })
    }

    async fn enter(&self, request: Request) -> Response {
        let own = match request.uri().path() {
            "/" => Some(self.index(request.headers())),
            "/actuator/health" => Some(self.health()),
            "/actuator/health/liveness" | "/actuator/health/readiness" => Some(json!({ "status": "UP" }).to_string()),
            _ => None,
        };
        if let Some(text) = own {
            return self.own(request.method(), request.headers(), text);
        }
        let Some(to) = self.find(request.uri().path()) else {
            let detail = "there is nothing at this path".to_owned();
            return Refused::plain(StatusCode::NOT_FOUND, "no-such-path", detail).answer(&self.phrases, request.headers());
        };
        to.enter(&self.phrases, request).await
    }

    /// The route of a path: the longest prefix that ends where a segment ends. Who the caller is any context can say.
    fn find(&self, path: &str) -> Option<&Backend> {
        if path == CALLER {
            let running = self.routes.iter().find(|route| route.to.is_running());
            return running.or(self.routes.first()).map(|route| &route.to);
        }
        let leads = |route: &&GatewayRoute| {
            path.strip_prefix(&*route.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.routes.iter().find(leads).map(|route| &route.to)
    }

    fn own(&self, method: &Method, headers: &HeaderMap, text: String) -> Response {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Refused::not_allowed(method, "GET, HEAD").answer(&self.phrases, headers);
        }
        let mut answer = Response::new(Body::from(text));
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/hal+json"));
        answer
    }
    fn index(&self, headers: &HeaderMap) -> String {
        let base = jumun_http::base(headers);
        let link = |route: &GatewayRoute| {
            (
                route.prefix.trim_start_matches('/').to_owned(),
                json!({ "href": format!("{base}{}", route.prefix), "title": route.to.name }),
            )
        };
        let mut links = Map::from_iter([("self".to_owned(), json!({ "href": format!("{base}/") }))]);
        let mut routes = self.routes.iter().collect::<Vec<_>>();
        routes.sort_by_key(|route| &route.prefix);
        links.extend(routes.into_iter().map(link));
        json!({ "_links": links }).to_string()
    }
    /// Who runs. A context that does not makes the gateway no less *up*: the others can be reached.
    fn health(&self) -> String {
        let state = |to: &Upstream| json!({ "status": if to.is_running() { "UP" } else { "DOWN" } });
        let components: Map<_, _> = self.routes.iter().map(|route| (route.to.name.clone(), state(&route.to))).collect();
        json!({ "status": "UP", "components": components }).to_string()
    }
}

/// Passes a request on, and the answer back, each without what was meant for one hop alone.
async fn forward(router: Router, mut request: Request) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_string());
    let headers = request.headers_mut();
    strip_hops(headers);
    let host = headers.get(header::HOST).cloned();
    if let Some(host) = host {
        headers.entry("x-forwarded-host").or_insert(host); // a proxy in front of us knows better
    }
    headers.entry("x-forwarded-proto").or_insert(HeaderValue::from_static("http"));
    if let Some(peer) = peer {
        let before = headers.get("x-forwarded-for").and_then(|before| before.to_str().ok());
        let chain = before.map_or_else(|| peer.clone(), |before| format!("{before}, {peer}"));
        headers.extend(HeaderValue::try_from(chain).ok().map(|chain| (HeaderName::from_static("x-forwarded-for"), chain)));
    }
    let mut answer = match router.oneshot(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    strip_hops(answer.headers_mut());
    answer
}

/// Headers that concern one connection, not the message (RFC 9110, 7.6.1).
const HOPS: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
fn strip_hops(headers: &mut HeaderMap) {
    let named =
        headers.get_all(header::CONNECTION).iter().filter_map(|names| names.to_str().ok()).flat_map(|names| names.split(','));
    let named = named.filter_map(|name| HeaderName::try_from(name.trim()).ok()).collect::<Vec<_>>();
    for name in named {
        headers.remove(name);
    }
    for name in HOPS {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::any;
    use http_body_util::BodyExt;
    use serde_json::Value;

    /// A context that answers with what reached it.
    fn echo(name: &'static str) -> Router {
        let told = move |request: Request| async move {
            let headers = request.headers().iter().map(|(name, value)| (name.to_string(), Value::from(value.to_str().unwrap())));
            let body = json!({ "name": name, "path": request.uri().path(), "query": request.uri().query(), "headers": Map::from_iter(headers) });
            Response::builder()
                .header("connection", "x-hop")
                .header("x-hop", "1")
                .header("etag", "\"1\"")
                .body(body.to_string())
                .unwrap()
        };
        Router::new().fallback(any(told))
    }
    fn backend(name: &'static str) -> Backend {
        let backend = Upstream::named(name);
        backend.set(Some(echo(name)));
        backend
    }
    fn route(prefix: &str, to: &Backend) -> GatewayRoute {
        GatewayRoute { prefix: prefix.to_owned(), to: Arc::clone(to) }
    }
    fn gateway(routes: Vec<GatewayRoute>) -> Router {
        Gateway::new(routes).router()
    }
    async fn send(gateway: &Router, request: Request) -> (u16, HeaderMap, Value) {
        let (head, body) = gateway.clone().oneshot(request).await.unwrap().into_parts();
        let body = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        (head.status.as_u16(), head.headers, body)
    }
    fn request(path: &str, headers: &[(&str, &str)]) -> Request {
        let request = Request::builder().uri(path);
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(Body::empty()).unwrap()
    }
    async fn reached(gateway: &Router, path: &str) -> Value {
        send(gateway, request(path, &[])).await.2["name"].clone()
    }

    #[tokio::test]
    async fn the_longest_prefix_that_ends_with_a_segment_leads() {
        let (orders, lines) = (backend("orders"), backend("lines"));
        let gateway = gateway(vec![route("/orders", &orders), route("/orders/lines", &lines)]);
        assert_eq!(reached(&gateway, "/orders").await, "orders");
        assert_eq!(reached(&gateway, "/orders/1/cancel").await, "orders");
        assert_eq!(reached(&gateway, "/orders/lines/1").await, "lines");
        assert_eq!(reached(&gateway, "/orders/linesx").await, "orders");
        let (_, _, told) = send(&gateway, request("/orders/1?page=1", &[])).await;
        assert_eq!((&told["path"], &told["query"]), (&json!("/orders/1"), &json!("page=1")));
    }

    #[tokio::test]
    async fn what_no_route_names_is_not_reachable() {
        let gateway = gateway(vec![route("/orders", &backend("orders"))]);
        for path in
            ["/ordersx", "/order", "/asks/hold", "/actuator/prometheus", "/openapi.json", "//orders", "/ORDERS", "/x/../orders"]
        {
            let (status, headers, body) = send(&gateway, request(path, &[("accept-language", "ko")])).await;
            assert_eq!((status, &body["code"]), (404, &json!("no-such-path")), "{path}");
            assert_eq!(headers["content-type"], "application/problem+json");
            assert_eq!(headers["content-language"], "ko");
        }
    }

    #[tokio::test]
    async fn a_context_that_does_not_run_is_503_until_it_runs_again() {
        let orders = Upstream::named("order");
        let gateway = gateway(vec![route("/orders", &orders)]);
        let (status, headers, body) = send(&gateway, request("/orders", &[])).await;
        assert_eq!(
            (status, &headers["retry-after"], &body["code"]),
            (503, &HeaderValue::from_static("1"), &json!("not-running"))
        );
        assert_eq!(body["detail"], "order is not running now. Please try again.");
        orders.set(Some(echo("order")));
        assert_eq!(reached(&gateway, "/orders").await, "order");
        orders.set(None);
        assert_eq!(send(&gateway, request("/orders", &[])).await.0, 503);
    }

    #[tokio::test]
    async fn who_the_caller_is_says_whichever_context_runs() {
        let (orders, payments) = (backend("order"), backend("pay"));
        let gateway = gateway(vec![route("/orders", &orders), route("/payments", &payments)]);
        for (silent, says) in [(&orders, "pay"), (&payments, "order")] {
            silent.set(None);
            assert_eq!(reached(&gateway, "/caller").await, says);
            silent.set(Some(echo(if says == "pay" { "order" } else { "pay" })));
        }
        orders.set(None);
        payments.set(None);
        assert_eq!(send(&gateway, request("/caller", &[])).await.0, 503);
    }

    #[tokio::test]
    async fn what_was_meant_for_one_hop_goes_no_further() {
        let gateway = gateway(vec![route("/orders", &backend("orders"))]);
        let hops = HOPS.iter().map(|name| (*name, "x")).chain([
            ("connection", "Close, X-Mine"),
            ("x-mine", "1"),
            ("x-theirs", "2"),
            ("authorization", "Bearer x"),
        ]);
        let (_, headers, told) = send(&gateway, request("/orders", &hops.collect::<Vec<_>>())).await;
        let told = told["headers"].as_object().unwrap();
        assert_eq!(told.keys().collect::<Vec<_>>(), ["x-theirs", "authorization", "x-forwarded-proto"]);
        assert_eq!((headers.get("connection"), headers.get("x-hop"), headers.contains_key("etag")), (None, None, true));
    }

    #[tokio::test]
    async fn the_context_learns_by_which_host_and_from_whom_a_request_came() {
        let gateway = gateway(vec![route("/orders", &backend("orders"))]);
        let came = |headers: &[(&str, &str)]| {
            let mut request = request("/orders", headers);
            request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 7], 4000))));
            request
        };
        let (_, _, told) = send(&gateway, came(&[("host", "mall:8088"), ("x-forwarded-for", "1.2.3.4")])).await;
        assert_eq!(told["headers"]["x-forwarded-host"], "mall:8088");
        assert_eq!(
            (&told["headers"]["x-forwarded-proto"], &told["headers"]["x-forwarded-for"]),
            (&json!("http"), &json!("1.2.3.4, 10.0.0.7"))
        );
        let (_, _, told) =
            send(&gateway, came(&[("host", "inner"), ("x-forwarded-host", "mall.example"), ("x-forwarded-proto", "https")]))
                .await;
        assert_eq!(
            (&told["headers"]["x-forwarded-host"], &told["headers"]["x-forwarded-proto"]),
            (&json!("mall.example"), &json!("https"))
        );
        assert_eq!(told["headers"]["x-forwarded-for"], "10.0.0.7");
    }

    #[tokio::test]
    async fn the_gateway_has_an_index_and_probes_of_its_own() {
        let (orders, pay) = (backend("order"), Upstream::named("pay"));
        let gateway = gateway(vec![route("/orders", &orders), route("/payments", &pay)]);
        let (status, _, index) = send(&gateway, request("/", &[("host", "mall:8088")])).await;
        assert_eq!((status, &index["_links"]["orders"]["href"]), (200, &json!("http://mall:8088/orders")));
        let (status, _, health) = send(&gateway, request("/actuator/health", &[])).await;
        assert_eq!((status, &health["status"], &health["components"]["pay"]["status"]), (200, &json!("UP"), &json!("DOWN")));
        for probe in ["/actuator/health/liveness", "/actuator/health/readiness"] {
            assert_eq!(send(&gateway, request(probe, &[])).await.0, 200);
        }
        let (status, headers, _) = send(&gateway, Request::post("/").body(Body::empty()).unwrap()).await;
        assert_eq!((status, &headers["allow"]), (405, &HeaderValue::from_static("GET, HEAD")));
    }

    #[tokio::test]
    async fn an_upstreams_own_router_leads_to_whoever_runs_now() {
        let order = Upstream::named("order");
        let own = order.router();
        let get = || Request::get("/openapi.json?a=1").body(Body::empty()).unwrap();
        let (status, headers, no) = send(&own, get()).await;
        assert_eq!(
            (status, &headers["retry-after"], &no["detail"]),
            (503, &HeaderValue::from(1), &json!("order is not running now. Please try again."))
        );
        order.set(Some(echo("order")));
        let (status, _, told) = send(&own, get()).await;
        assert_eq!((status, &told["path"], &told["query"]), (200, &json!("/openapi.json"), &json!("a=1")));
    }
}
