//! What stands before everything behind the gateway's port, whatever answers there.
use axum::{
    Router,
    extract::{ConnectInfo, Request},
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    middleware::{Next, from_fn},
    response::Response,
};
use governor::{Quota, RateLimiter, clock, middleware::NoOpMiddleware, nanos::Nanos, state::keyed::HashMapStateStore};
use jumun_http::{Access, Phrases, Refused};
use jumun_runtime::Clock;
use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// So many requests of one client per second, and as many at once.
pub struct Rate {
    access: Access,
    clock: Ticks,
    limiter: RateLimiter<Client, HashMapStateStore<Client>, Ticks, NoOpMiddleware<Nanos>>,
    asked: AtomicU32,
    phrases: Phrases,
}
/// Who is counted: a caller who is known, else an address. A token that nobody knows counts for nothing, or each guess would be a new client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Client {
    Named(String),
    At(IpAddr),
}
#[derive(Clone)]
struct Ticks(Arc<dyn Clock>);
impl clock::Clock for Ticks {
    type Instant = Nanos;
    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}
/// How often clients that have been quiet are forgotten, in requests.
const SWEEP: u32 = 4096;

impl Rate {
    /// So many per second of each client; `access` says who is known.
    pub fn per_second(many: NonZeroU32, access: &Access, clock: Arc<dyn Clock>) -> Self {
        let clock = Ticks(clock);
        let limiter = RateLimiter::new(Quota::per_second(many), HashMapStateStore::default(), clock.clone());
        Rate { access: access.clone(), clock, limiter, asked: AtomicU32::new(0), phrases: Phrases::platform() }
    }

    async fn client(&self, request: &Parts) -> Client {
        if !self.access.is_open()
            && let Ok(by) = self.access.caller(&request.headers, &[]).await
        {
            return Client::Named(by.name.into_owned());
        }
        let peer = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        Client::At(match peer.map(|peer| peer.to_canonical()) {
            None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            Some(IpAddr::V6(address)) => IpAddr::V6((address.to_bits() >> 64 << 64).into()), // a house has all of these
            Some(address) => address,
        })
    }
    async fn check(&self, request: &Parts) -> Result<(), Refused> {
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.limiter.retain_recent();
        }
        let client = self.client(request).await;
        self.limiter.check_key(&client).map_err(|until| {
            let wait = until.wait_time_from(clock::Clock::now(&self.clock));
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let detail = format!("that was too often; please try again in {seconds} s");
            let no = Refused::plain(StatusCode::TOO_MANY_REQUESTS, "too-many", detail).with("seconds", seconds.to_string());
            no.saying(header::RETRY_AFTER, HeaderValue::from(seconds))
        })
    }
}

/// What every page says to its browser: it may load nothing of others, be in no frame, and tell nobody where the reader came from. A
/// page that sets one of these by itself knows better.
const OF_PAGES: [(HeaderName, HeaderValue); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Everything that is reached through one port, behind its edge: at that rate, if there is one, and with safe pages. Probes are never
/// too often.
pub fn edged(router: Router, rate: Option<Rate>) -> Router {
    let rate = rate.map(Arc::new);
    router.layer(from_fn(move |request: Request, next: Next| {
        let rate = rate.clone();
        async move {
            let (head, body) = request.into_parts();
            if let Some(rate) = rate.filter(|_| !head.uri.path().starts_with("/actuator/"))
                && let Err(no) = rate.check(&head).await
            {
                return no.answer(&rate.phrases, &head.headers);
            }
            safe(next.run(Request::from_parts(head, body)).await)
        }
    }))
}
fn safe(mut answer: Response) -> Response {
    let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html")) {
        for (name, value) in OF_PAGES {
            answer.headers_mut().entry(name).or_insert(value);
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::Body, routing::get};
    use http_body_util::BodyExt;
    use jumun_http::Known;
    use jumun_model::Timestamp;
    use jumun_runtime::TokioClock;
    use serde_json::Value;
    use std::time::Duration;
    use tower::ServiceExt;

    fn behind(many: u32) -> Router {
        let known = ["kim", "lee"].into_iter().fold(Known::default(), |known, name| {
            known.token(&format!("token-of-{name}-0123"), name, vec!["customer".to_owned()]).unwrap()
        });
        let clock = Arc::new(TokioClock::at(Timestamp::EPOCH));
        let router = Router::new().route("/orders", get(async || "orders")).route("/actuator/health", get(async || "UP"));
        edged(router, Some(Rate::per_second(NonZeroU32::new(many).unwrap(), &Access::known(known), clock)))
    }
    async fn call(router: &Router, path: &str, from: &str, token: &str) -> Response {
        let mut request = Request::get(path).header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(from.parse().unwrap(), 4000)));
        router.clone().oneshot(request).await.unwrap()
    }
    async fn passed(router: &Router, from: &str, token: &str, times: u32) -> u32 {
        let mut passed = 0;
        for _ in 0..times {
            passed += u32::from(call(router, "/orders", from, token).await.status() == 200);
        }
        passed
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_too_often_is_told_when_to_come_back() {
        let router = behind(2);
        assert_eq!(passed(&router, "10.0.0.7", "nobodys", 2).await, 2);
        let no = call(&router, "/orders", "10.0.0.7", "nobodys").await;
        let headers = no.headers().clone();
        assert_eq!((no.status().as_u16(), &headers["retry-after"]), (429, &HeaderValue::from_static("1")));
        assert_eq!(headers["content-type"], "application/problem+json");
        let body: Value = serde_json::from_slice(&no.into_body().collect().await.unwrap().to_bytes()).unwrap();
        assert_eq!((&body["code"], &body["title"], &body["seconds"]), (&"too-many".into(), &"Too often".into(), &"1".into()));
        assert_eq!(call(&router, "/actuator/health", "10.0.0.7", "nobodys").await.status(), 200, "a probe is never too often");
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(passed(&router, "10.0.0.7", "nobodys", 2).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn each_client_has_a_measure_of_its_own_and_no_guess_is_a_new_client() {
        let router = behind(3);
        for (from, token) in
            [("10.0.0.7", "x"), ("10.0.0.8", "x"), ("10.0.0.7", "token-of-kim-0123"), ("10.0.0.7", "token-of-lee-0123")]
        {
            assert_eq!(passed(&router, from, token, 5).await, 3, "{from} {token}");
        }
        assert_eq!(passed(&router, "10.0.0.9", "token-of-kim-0123", 5).await, 0, "it is the same caller wherever");
        for guess in 0..5 {
            assert_eq!(passed(&router, "10.0.0.7", &format!("token-of-kim-{guess}"), 1).await, 0);
        }
        assert_eq!(passed(&router, "2001:db8::1", "x", 2).await + passed(&router, "2001:db8::2:1", "x", 2).await, 3);
        assert_eq!(passed(&router, "::ffff:10.0.0.8", "x", 1).await, 0, "the same address, written otherwise");
    }

    #[tokio::test(start_paused = true)]
    async fn clients_that_have_been_quiet_are_forgotten() {
        let clock = Arc::new(TokioClock::at(Timestamp::EPOCH));
        let rate = Rate::per_second(NonZeroU32::MIN, &Access::Open, clock);
        for address in 0..SWEEP - 1 {
            let mut request = Request::get("/").body(Body::empty()).unwrap();
            request.extensions_mut().insert(ConnectInfo(SocketAddr::new(IpAddr::V4(address.into()), 1)));
            rate.check(&request.into_parts().0).await.unwrap();
        }
        assert_eq!(rate.limiter.len(), SWEEP as usize - 1);
        tokio::time::advance(Duration::from_secs(10)).await;
        rate.check(&Request::get("/").body(Body::empty()).unwrap().into_parts().0).await.unwrap();
        assert_eq!(rate.limiter.len(), 1);
    }

    #[tokio::test]
    async fn a_page_is_safe_and_what_is_no_page_is_left_alone() {
        let page = |kind: &'static str| get(async move || ([("content-type", kind)], "<p>"));
        let own = get(async || ([("content-type", "text/html"), ("content-security-policy", "default-src 'none'")], "<p>"));
        let router = Router::new()
            .route("/app", page("Text/HTML; charset=utf-8"))
            .route("/own", own)
            .route("/json", page("application/json"));
        let router = edged(router, None);
        let headers = async |path: &str| call(&router, path, "10.0.0.7", "x").await.headers().clone();
        let app = headers("/app").await;
        for (name, value) in OF_PAGES {
            assert_eq!(app.get(&name), Some(&value));
        }
        let own = headers("/own").await;
        assert_eq!(
            (&own["content-security-policy"], &own["x-frame-options"]),
            (&"default-src 'none'".parse().unwrap(), &"DENY".parse().unwrap())
        );
        assert!(!headers("/json").await.contains_key("content-security-policy"));
    }
}
