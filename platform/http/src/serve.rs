//! A listener, its connections, and their orderly end.
use axum::{Router, extract::ConnectInfo};
use futures_util::future::{Either, select};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use std::{future::Future, io, pin::pin, time::Duration};
use tokio::net::TcpListener;
use tower::ServiceExt;

/// How long a request's head may take to arrive.
const HEAD: Duration = Duration::from_secs(10);
/// How long requests in flight may take once it is to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves until `stop` resolves; then it takes no new connection, and lets the requests in flight finish, for at most ten seconds.
///
/// The peer's address is in the request's extensions, as axum's [`ConnectInfo`].
///
/// # Errors
/// None today: what goes wrong with one connection ends that connection.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future) -> io::Result<()> {
    let graceful = GracefulShutdown::new();
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD).max_headers(100).max_buf_size(64 << 10);
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
        let router = router.clone();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().oneshot(request)
        });
        let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
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
