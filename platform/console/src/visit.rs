//! One request of one reader: who, in which language; and how the doors behind the pages are asked on their behalf.
use crate::{Console, words::Words};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header, request::Parts},
    response::Response,
};
use http_body_util::{BodyExt, Limited};
use jumun_runtime::door::OPERATOR;
use serde_json::Value;
use std::{convert::Infallible, sync::Arc};
use tower::ServiceExt;

/// The largest answer of a door that is read whole, in bytes.
const MOST: usize = 8 << 20;

pub(crate) struct Visit {
    pub(crate) console: Arc<Console>,
    pub(crate) words: Words,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    /// Whether the script asks, and wants data rather than a page.
    pub(crate) by_script: bool,
    pub(crate) signed_in: bool,
    pub(crate) reader: Reader,
    authorization: Option<HeaderValue>,
    /// The language was chosen just now, and is to be remembered.
    chosen: bool,
}

/// Who reads, as the doors know them.
pub(crate) enum Reader {
    /// Nobody asks.
    Anybody,
    /// The doors would first ask who it is.
    Unknown,
    Known(Vec<String>),
}
impl Reader {
    /// Whether what is for that role is for them; to who has not said who they are everything is shown, and opened after that.
    pub(crate) fn may_be(&self, role: &str) -> bool {
        match self {
            Reader::Anybody | Reader::Unknown => true,
            Reader::Known(roles) => roles.iter().any(|own| own == role || own == OPERATOR),
        }
    }
}

/// What a door answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) text: Bytes,
    pub(crate) json: Value,
}
impl Answer {
    /// The sentence of a *no*, or of a *not yet*.
    pub(crate) fn sentence(&self) -> String {
        let said = self.json["detail"].as_str().or_else(|| self.json["message"].as_str());
        said.map_or_else(|| self.status.to_string(), str::to_owned)
    }
}

impl FromRequestParts<Arc<Console>> for Visit {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Self, Infallible> {
        let headers = &parts.headers;
        let query: Vec<(String, String)> =
            form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let phrases = &console.phrases;
        let asked = query.iter().find(|(name, _)| name == "lang").map(|(_, value)| value.clone());
        let asked = asked.filter(|language| phrases.speaks(language));
        let chosen = asked.is_some();
        let language = asked
            .or_else(|| cookie(headers, "lang").map(str::to_owned).filter(|language| phrases.speaks(language)))
            .unwrap_or_else(|| phrases.language(headers).to_owned());
        let token = cookie(headers, "token").and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok());
        let accepts = headers.get(header::ACCEPT).and_then(|accepts| accepts.to_str().ok()).unwrap_or_default();
        let mut visit = Visit {
            words: Words::new(phrases, &language),
            path: format!("/app{}", parts.uri.path()), // they are nested there
            by_script: accepts.starts_with("application/json"),
            signed_in: token.is_some(),
            reader: Reader::Unknown,
            authorization: headers.get(header::AUTHORIZATION).cloned().or(token),
            console: Arc::clone(console),
            query,
            chosen,
        };
        visit.reader = visit.who().await.unwrap_or(Reader::Unknown);
        Ok(visit)
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

impl Visit {
    pub(crate) fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Who reads; or what the first context that can say says against them.
    async fn who(&self) -> Result<Reader, Answer> {
        let mut last = None;
        for service in self.console.services() {
            let answer = self.get(service, "/caller").await;
            match answer.status {
                StatusCode::OK if answer.json["access"] == "open" => return Ok(Reader::Anybody),
                StatusCode::OK => {
                    let roles = answer.json["roles"].as_array().into_iter().flatten();
                    return Ok(Reader::Known(roles.filter_map(Value::as_str).map(str::to_owned).collect()));
                }
                StatusCode::UNAUTHORIZED => return Err(answer),
                _ => last = Some(answer), // it is stopped, say
            }
        }
        Err(last.unwrap_or(Answer { status: StatusCode::SERVICE_UNAVAILABLE, text: Bytes::new(), json: Value::Null }))
    }
    /// The same reader with this token.
    ///
    /// # Errors
    /// What the doors say against it.
    pub(crate) async fn bringing(&mut self, token: &str) -> Result<(), Answer> {
        self.authorization = HeaderValue::from_str(&format!("Bearer {token}")).ok();
        self.reader = self.who().await?;
        Ok(())
    }

    /// Asks a door, as the reader.
    pub(crate) async fn ask(&self, of: &Router, method: Method, path: &str, body: Option<&Value>, key: Option<&str>) -> Answer {
        let answer = self.send(of, method, path, body, key).await;
        let (status, body) = (answer.status(), answer.into_body());
        let text = Limited::new(body, MOST).collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Answer { status, json: serde_json::from_slice(&text).unwrap_or(Value::Null), text }
    }
    pub(crate) async fn get(&self, of: &Router, path: &str) -> Answer {
        self.ask(of, Method::GET, path, None, None).await
    }
    /// The same, with the body still on its way.
    pub(crate) async fn send(
        &self,
        of: &Router,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Response {
        let mut request = Request::builder().method(method).uri(path).header(header::ACCEPT_LANGUAGE, &self.words.language);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let body = body.map_or_else(Body::empty, |body| {
            let text = body.to_string();
            Body::from(text)
        });
        match request.header(header::CONTENT_TYPE, "application/json").body(body) {
            Err(_) => plain(StatusCode::BAD_REQUEST), // a path or a key with letters that a request can not carry
            Ok(request) => match of.clone().oneshot(request).await {
                Ok(answer) => answer,
                Err(never) => match never {},
            },
        }
    }

    /// A page, with its language remembered.
    pub(crate) fn page(&self, status: StatusCode, page: &impl askama::Template) -> Response {
        let mut answer = match page.render() {
            Ok(text) => Response::new(Body::from(text)),
            Err(why) => {
                tracing::error!(%why, "a page can not be written");
                return plain(StatusCode::INTERNAL_SERVER_ERROR);
            }
        };
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::VARY, HeaderValue::from_static("accept-language, cookie"));
        if self.chosen {
            let cookie = format!("lang={}; Path=/app; Max-Age=31536000; SameSite=Lax", self.words.language);
            headers.extend(HeaderValue::try_from(cookie).ok().map(|cookie| (header::SET_COOKIE, cookie)));
        }
        answer
    }
}
fn plain(status: StatusCode) -> Response {
    let mut answer = Response::new(Body::from(status.to_string()));
    *answer.status_mut() = status;
    answer
}
