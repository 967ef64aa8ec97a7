//! How an operator's command reaches a system: over HTTP if it runs; on its data folder, without doors and consumers, if it does not.
use crate::{config::Config, operators, up};
use axum::{Router, body::Body};
use clap::Args;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, Uri, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use jumun_runtime::Offer;
use serde_json::Value;
use std::{path::PathBuf, sync::Arc};
use tokio::net::TcpStream;
use tower::ServiceExt;

/// Where to find the system.
#[derive(Args, Clone, Debug)]
pub(crate) struct Where {
    /// The operators' port of a system that runs [default: http://localhost:8089, moved by the offset].
    #[arg(long, global = true, value_name = "URL")]
    operators: Option<Uri>,
    /// The offset with which it was started.
    #[arg(long, global = true, default_value_t = 0)]
    port_offset: u16,
    /// The data folder of a system that does not run [default: ./data/<system>].
    #[arg(long, global = true)]
    data: Option<PathBuf>,
    #[command(flatten)]
    by: By,
}
/// As whom a command comes.
#[derive(Args, Clone, Debug)]
pub(crate) struct By {
    /// A file with the token of a caller who may do this, if callers are known [default: what JUMUN_TOKEN says].
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
}
impl By {
    /// Never given as a word of the command: everybody on a machine sees those.
    pub(crate) fn token(&self) -> Result<Option<String>, String> {
        let Some(file) = &self.token_file else { return Ok(std::env::var("JUMUN_TOKEN").ok()) };
        let text = std::fs::read_to_string(file).map_err(|why| format!("{} can not be read: {why}", file.display()))?;
        Ok(Some(text.trim().to_owned()))
    }
}

/// A system that was reached.
pub(crate) enum Reached {
    /// It runs: the host and port of its operators' port, and as whom we come.
    Running(String, Option<String>),
    /// It does not run: its contexts are looked at, at rest.
    AtRest(Arc<up::Town>, Router),
}

/// What a call to the operators' port came to.
pub(crate) type Answer = Result<Value, String>;

impl Reached {
    /// Finds the system of that offer.
    ///
    /// # Errors
    /// One sentence: it neither answers nor has data that can be opened.
    pub(crate) async fn find(offer: &Offer, config: &Config, told: &Where) -> Result<Self, String> {
        let address = match &told.operators {
            None => format!("localhost:{}", up::OPERATORS.saturating_add(told.port_offset)),
            Some(url) if url.scheme_str().is_none_or(|scheme| scheme == "http") && url.host().is_some() => {
                format!("{}:{}", url.host().unwrap_or_default(), url.port_u16().unwrap_or(80))
            }
            Some(url) => return Err(format!("--operators {url} is no URL such as http://localhost:8089")),
        };
        if TcpStream::connect(&address).await.is_ok() {
            let reached = Reached::Running(address.clone(), told.by.token()?);
            return match reached.call(Method::GET, "/").await?["system"].as_str() {
                Some(system) if system == offer.name => Ok(reached),
                Some(other) => Err(format!("at {address} runs {other}, not {}: say where with --operators", offer.name)),
                None => Err(format!("what answers at {address} is no operators' port: say where it is with --operators")),
            };
        }
        let silent = format!("nothing listens at {address}");
        if told.operators.is_some() {
            return Err(silent);
        }
        let data = told.data.clone().unwrap_or_else(|| PathBuf::from("data").join(offer.name));
        if !data.is_dir() {
            return Err(format!(
                "{silent}, and there is no data folder {}: say where with --operators or --data",
                data.display()
            ));
        }
        let town = up::at_rest(offer, config, data).await.map_err(|why| format!("{silent}, and {why}"))?;
        let router = operators::router(&town);
        Ok(Reached::AtRest(town, router))
    }

    /// Calls the operators' port.
    ///
    /// # Errors
    /// What it says is wrong, or that it does not answer.
    pub(crate) async fn call(&self, method: Method, path: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
        let (status, body) = match self {
            Reached::AtRest(_, router) => {
                let request = request.body(Body::empty()).map_err(|why| why.to_string())?;
                let answer = router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
                (answer.status(), answer.into_body().collect().await.map_err(|why| why.to_string())?.to_bytes())
            }
            Reached::Running(address, token) => {
                let silent = |why: &dyn std::fmt::Display| format!("{address} does not answer: {why}");
                let stream = TcpStream::connect(address).await.map_err(|why| silent(&why))?;
                let (mut send, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|why| silent(&why))?;
                tokio::spawn(connection);
                let request = match token {
                    Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
                    None => request,
                };
                let request = request.body(Full::<Bytes>::default()).map_err(|why| why.to_string())?;
                let answer = send.send_request(request).await.map_err(|why| silent(&why))?;
                (answer.status(), answer.into_body().collect().await.map_err(|why| silent(&why))?.to_bytes())
            }
        };
        let read = serde_json::from_slice::<Value>(&body);
        match (read, status) {
            (Ok(value), StatusCode::OK | StatusCode::ACCEPTED) => Ok(value),
            (Ok(problem), _) if problem["detail"].is_string() => Err(problem["detail"].as_str().unwrap_or_default().to_owned()),
            (_, status) => Err(format!("{path} of the operators' port answers {status}")),
        }
    }

    /// Lets go of it: what was opened to be looked at is closed.
    ///
    /// # Errors
    /// A store did not close cleanly.
    pub(crate) async fn leave(self) -> Result<(), String> {
        match self {
            Reached::Running(..) => Ok(()),
            Reached::AtRest(town, _) => town.close_all().await,
        }
    }
}
