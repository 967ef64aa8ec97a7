//! The yardstick: axum and rusqlite with nothing in between. Each request makes three durable writes, grouped with those of others.
//!
//!     cargo run --release -p jumun-cli --example bare        # listens on 8071
use axum::{
    Router,
    body::Bytes,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use rusqlite::Connection;
use std::sync::mpsc;
use tokio::sync::oneshot;

type Order = (String, oneshot::Sender<i64>);

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let db = Connection::open(folder.path().join("bare.db"))?;
    db.execute_batch(
        "pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 16000;
         create table orders (id integer primary key, body text); create table payments (id integer primary key, body text);
         create table journal (id integer primary key, body text);",
    )?;
    let (send, orders) = mpsc::channel::<Order>();
    std::thread::spawn(move || write(&db, &orders).expect("the disk takes it"));
    let place = move |body: Bytes| {
        let send = send.clone();
        async move { placed(&send, &body).await }
    };
    let serve = async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:8071").await?;
        axum::serve(listener, Router::new().route("/orders", post(place))).await
    };
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve)?)
}

async fn placed(send: &mpsc::Sender<Order>, body: &[u8]) -> Response {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else { return StatusCode::BAD_REQUEST.into_response() };
    let (tell, told) = oneshot::channel();
    let _ = send.send((body.to_string(), tell));
    match told.await {
        Ok(id) => (
            StatusCode::CREATED,
            [("content-type", "application/json")],
            format!("{{\"id\":{id},\"itemNo\":{}}}", body["itemNo"]),
        )
            .into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn write(db: &Connection, orders: &mpsc::Receiver<Order>) -> rusqlite::Result<()> {
    while let Ok(first) = orders.recv() {
        db.execute_batch("begin immediate")?;
        let mut told = Vec::new();
        for (body, tell) in std::iter::once(first).chain(orders.try_iter().take(511)) {
            for table in ["orders", "payments", "journal"] {
                db.prepare_cached(&format!("insert into {table} (body) values (?)"))?.execute([&body])?;
            }
            told.push((tell, db.last_insert_rowid()));
        }
        db.execute_batch("commit")?;
        for (tell, id) in told {
            let _ = tell.send(id);
        }
    }
    Ok(())
}
