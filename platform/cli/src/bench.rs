//! `jumun bench`: so many clients, each with one connection, one wish after the other; then the time until the last row is shown.
use crate::{config::Config, printed::looked_at, reach::By};
use clap::Args;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1, header, header::HeaderValue};
use hyper_util::rt::TokioIo;
use jumun_runtime::{Clock, Load, Offer, System, SystemClock};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpStream;

#[derive(Args, Debug, Clone)]
pub(crate) struct Told {
    /// Which system.
    pub(crate) system: String,
    /// How many wishes in all: orders, requests, whatever the system takes.
    #[arg(long, alias = "orders", default_value_t = 50_000)]
    wishes: u64,
    /// How many clients at once.
    #[arg(long, default_value_t = 64)]
    connections: u64,
    /// Added to every port.
    #[arg(long, default_value_t = 0)]
    port_offset: u16,
    #[command(flatten)]
    by: By,
    /// Prints the figures as JSON.
    #[arg(long)]
    json: bool,
}

struct Client {
    send: http1::SendRequest<Full<Bytes>>,
    host: String,
    by: Option<HeaderValue>,
}
impl Client {
    async fn connect(port: u16, by: Option<&HeaderValue>) -> Result<Self, String> {
        let host = format!("localhost:{port}");
        let stream = TcpStream::connect(("127.0.0.1", port))
            .await
            .map_err(|why| format!("nobody listens on port {port} ({why}); is `jumun up` running?"))?;
        let _ = stream.set_nodelay(true);
        let (send, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|why| why.to_string())?;
        tokio::spawn(connection);
        Ok(Client { send, host, by: by.cloned() })
    }
    async fn call(&mut self, method: &str, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), String> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|why| why.to_string())?;
        request.headers_mut().extend(self.by.clone().map(|by| (header::AUTHORIZATION, by)));
        self.send.ready().await.map_err(|why| why.to_string())?;
        let answer = self.send.send_request(request).await.map_err(|why| why.to_string())?;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await.map_err(|why| why.to_string())?.to_bytes()))
    }
    async fn total(&mut self, path: &str) -> Result<u64, String> {
        let (status, body) = self.call("GET", path, Bytes::new()).await?;
        if status == StatusCode::UNAUTHORIZED {
            return Err(format!("{path} answers 401: callers are known there; say who orders with --token-file"));
        }
        let page: Value = serde_json::from_slice(&body).map_err(|why| why.to_string())?;
        page["page"]["totalElements"].as_u64().ok_or_else(|| format!("{path} has no page.totalElements"))
    }
}

/// The port of the context whose door has that path.
fn port(system: &System, path: &str) -> Result<u16, String> {
    let context = system.contexts.iter().find(|context| context.doors().iter().any(|door| door.path() == path));
    context.map(|context| context.port).ok_or_else(|| format!("{} has no {path}", system.name))
}

pub(crate) async fn bench(offer: &Offer, config: &Config, told: &Told) -> Result<(), String> {
    let system = looked_at(offer, config)?;
    let at = |path: &str| port(&system, path).map(|port| port + told.port_offset);
    let Load { first, wish: (path, body), ends: (ends, filters) } = offer.load;
    let clock = Arc::new(SystemClock::start());
    let (door, shown, shown_path) = (at(path)?, at(ends)?, format!("{ends}?size=1&{filters}"));
    let by = told.by.token()?.map(|token| HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| "this is no token"));
    let by = by.transpose()?;
    let before = Client::connect(shown, by.as_ref()).await?.total(&shown_path).await?;
    let mut body = body.to_owned();
    if let Some((path, first)) = first {
        let (status, opened) =
            Client::connect(at(path)?, by.as_ref()).await?.call("POST", path, Bytes::from_static(first.as_bytes())).await?;
        let opened: Value = serde_json::from_slice(&opened).unwrap_or_default();
        let id = opened["id"].as_u64().ok_or_else(|| format!("POST {path} was answered {status}: {opened}"))?;
        body = body.replace("{id}", &id.to_string());
    }
    let body = Bytes::from(body);

    let (left, done) = (Arc::new(AtomicU64::new(told.wishes)), Arc::new(AtomicU64::new(0)));
    let began = clock.elapsed();
    let mut clients = Vec::new();
    for _ in 0..told.connections {
        let (left, done, clock, body) = (Arc::clone(&left), Arc::clone(&done), Arc::clone(&clock), body.clone());
        let mut client = Client::connect(door, by.as_ref()).await?;
        clients.push(tokio::spawn(async move {
            let mut times = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).map_err(|why| why.to_string())?;
            let mut statuses = BTreeMap::<u16, u64>::new();
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                let sent = clock.elapsed();
                let (status, _) = client.call("POST", path, body.clone()).await?;
                let took = clock.elapsed().saturating_sub(sent);
                times.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
                *statuses.entry(status.as_u16()).or_default() += 1;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, String>((times, statuses))
        }));
    }
    let progress = tokio::spawn({
        let (done, wishes, quiet) = (Arc::clone(&done), told.wishes, told.json || !std::io::stderr().is_terminal());
        async move {
            loop {
                tokio::time::sleep(Duration::from_millis(500)).await;
                if !quiet {
                    eprint!("\r{} of {wishes} ", done.load(Ordering::Relaxed));
                    let _ = std::io::stderr().flush();
                }
            }
        }
    });
    let mut times = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).map_err(|why| why.to_string())?;
    let mut statuses = BTreeMap::<u16, u64>::new();
    for client in clients {
        let (his, answers) = client.await.map_err(|why| why.to_string())??;
        times.add(his).map_err(|why| why.to_string())?;
        for (status, count) in answers {
            *statuses.entry(status).or_default() += count;
        }
    }
    let took = clock.elapsed().saturating_sub(began);
    progress.abort();

    let taken: u64 = statuses.iter().filter(|(status, _)| matches!(**status, 201 | 202)).map(|(_, count)| count).sum();
    let mut viewer = Client::connect(shown, by.as_ref()).await?; // anew: a connection that says nothing for ten seconds is closed
    let mut settled = None;
    while clock.elapsed().saturating_sub(began) < took + Duration::from_secs(120) {
        if viewer.total(&shown_path).await? >= before + taken {
            settled = Some(clock.elapsed().saturating_sub(began));
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let rate = |time: Duration| taken as f64 / time.as_secs_f64();
    let millis = |quantile: f64| times.value_at_quantile(quantile) as f64 / 1000.0;
    let errors: u64 = statuses.iter().filter(|(status, _)| **status >= 400).map(|(_, count)| count).sum();
    if told.json {
        let figures = json!({
            "wishes": told.wishes, "connections": told.connections, "statuses": statuses, "errors": errors,
            "seconds": took.as_secs_f64(), "takenPerSecond": rate(took),
            "settledSeconds": settled.map(|time| time.as_secs_f64()), "settledPerSecond": settled.map(rate),
            "millis": { "p50": millis(0.5), "p90": millis(0.9), "p99": millis(0.99), "p999": millis(0.999), "max": millis(1.0) },
        });
        say!("{figures:#}");
    } else {
        say!(
            "\r{} wishes over {} connections in {:.2} s: {:.0} taken per second, {errors} errors",
            told.wishes,
            told.connections,
            took.as_secs_f64(),
            rate(took)
        );
        say!("answers: {statuses:?}");
        say!(
            "millis: p50 {:.2}, p90 {:.2}, p99 {:.2}, p99.9 {:.2}, max {:.2}",
            millis(0.5),
            millis(0.9),
            millis(0.99),
            millis(0.999),
            millis(1.0)
        );
        match settled {
            Some(time) => say!("settled to the last row after {:.2} s: {:.0} per second", time.as_secs_f64(), rate(time)),
            None => say!("not settled within two minutes"),
        }
    }
    if settled.is_none() { Err("not settled within two minutes".to_owned()) } else { Ok(()) }
}
