//! A listener, its connections, and their orderly end.
use crate::socket::{Answered, Socket, Turn, turn_away};
use axum::{Router, extract::ConnectInfo};
use futures_util::future::{Either, select};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use std::{convert::Infallible, future::Future, io, pin::pin, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};
use tower::ServiceExt;

/// What a listener bears.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a request's head may take, from its first byte.
    pub head: Duration,
    /// How long a connection may stay without a request.
    pub idle: Duration,
    /// How long a client may take nothing of its answer.
    pub stalled: Duration,
    /// How many connections there may be at once.
    pub connections: usize,
}
impl Default for Limits {
    fn default() -> Self {
        let [head, idle, stalled] = [10, 75, 30].map(Duration::from_secs);
        Limits { head, idle, stalled, connections: 1000 }
    }
}

/// How long requests in flight may take once it is to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves until `stop` resolves; then it takes no new connection, and lets the requests in flight finish, for at most ten seconds.
///
/// A head that is too slow is 408, one that can not be read 400, 414 or 431, a connection too many 503, each as a problem; who takes nothing of an
/// answer is left.
///
/// The peer's address is in the request's extensions, as axum's [`ConnectInfo`].
///
/// # Errors
/// None today: what goes wrong with one connection ends that connection.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: impl Future) -> io::Result<()> {
    let graceful = GracefulShutdown::new();
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(limits.idle + limits.head).max_headers(100).max_header_size(64 << 10);
    let room = Arc::new(Semaphore::new(limits.connections));
    let mut stop = pin!(stop);
    loop {
        let accepted = match select(&mut stop, pin!(listener.accept())).await {
            Either::Left(_) => break,
            Either::Right((accepted, _)) => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(why) => {
                // too many open files, most likely: others have to go before one can come
                tracing::warn!(%why, "no connection can be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true); // a connection that is gone already shows that by itself
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            tokio::spawn(turn_away(stream));
            continue;
        };
        let (router, turn) = (router.clone(), Turn::default());
        let socket = Socket::new(stream, turn.clone(), limits.head, limits.stalled);
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            let (answer, ours) = (router.clone().oneshot(request), turn.ours());
            async move { answer.await.map(|answer| answer.map(|body| Answered(body, ours))) as Result<_, Infallible> }
        });
        let connection = graceful.watch(server.serve_connection(TokioIo::new(socket), service));
        tokio::spawn(async move {
            let _place = place;
            if let Err(why) = connection.await {
                tracing::debug!(%peer, %why, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still in flight when the time to finish them was over");
    }
    Ok(())
}
