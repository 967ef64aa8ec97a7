//! `jumun aside`: what could not be taken in, and what a person does about it.
use crate::{
    case::essentials,
    config::Config,
    operators::problem,
    reach::{Reached, Where},
    up::Town,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use clap::{Args, Subcommand};
use hyper::Method;
use jumun_runtime::{Offer, Resumed, Running, Stays};
use jumun_store::Aside;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Args, Clone, Debug)]
pub(crate) struct Told {
    /// Which system.
    system: String,
    #[command(subcommand)]
    what: Option<What>,
    /// Prints the answer as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    at: Where,
}
#[derive(Subcommand, Clone, Debug)]
enum What {
    /// Everything that is set aside; what is done without a word.
    List,
    /// One fact, with its body.
    Show(One),
    /// Takes it in once more, and then what waits behind it, in order.
    Retry(One),
    /// Lets go of it for ever, and takes in what waits behind it.
    Drop(One),
}
#[derive(Args, Clone, Debug)]
struct One {
    /// The context that set it aside.
    context: String,
    /// Its number there.
    number: u64,
}
impl Told {
    pub(crate) fn system(&self) -> &str {
        &self.system
    }
}

fn shown(context: &str, aside: &Aside) -> Value {
    let Aside { number, reader, fact, why, since } = aside;
    json!({
        "context": context, "number": number, "reaction": reader, "publisher": &*fact.context, "case": fact.case, "fact": &*fact.name,
        "id": fact.id(), "why": why, "since": since,
    })
}
fn whole(context: &str, aside: &Aside) -> Value {
    let mut whole = shown(context, aside);
    let fact = &aside.fact;
    whole["at"] = json!(fact.at);
    whole["by"] = json!(&*fact.by);
    whole["because"] = json!(fact.cause);
    // what can not be parsed is shown as it is
    whole["body"] = serde_json::from_str(&fact.body).unwrap_or_else(|_| json!(&*fact.body));
    whole
}

/// `GET /aside`
pub(crate) async fn list(State(town): State<Arc<Town>>) -> Response {
    let mut all = Vec::new();
    for name in town.names() {
        match town.with(name, async |running| running.core.store.asides().await).await {
            None => {}
            Some(Ok(asides)) => all.extend(asides.iter().map(|aside| shown(name, aside))),
            Some(Err(why)) => return problem(StatusCode::SERVICE_UNAVAILABLE, &format!("{name} can not tell: {why}")),
        }
    }
    Json(all).into_response()
}
/// `GET /aside/{context}/{number}`
pub(crate) async fn get(State(town): State<Arc<Town>>, Path((context, number)): Path<(String, u64)>) -> Response {
    let found = async |running: &Running| {
        let asides = running.core.store.asides().await?;
        asides.into_iter().find(|aside| aside.number == number).ok_or(Stays::Unknown(number))
    };
    answer(town.with(&context, found).await, &context, |aside| whole(&context, &aside))
}
/// `POST /aside/{context}/{number}/retry`
pub(crate) async fn retry(State(town): State<Arc<Town>>, Path((context, number)): Path<(String, u64)>) -> Response {
    answer(town.with(&context, async |running| running.retry(number).await).await, &context, resumed)
}
/// `POST /aside/{context}/{number}/drop`
pub(crate) async fn let_go(State(town): State<Arc<Town>>, Path((context, number)): Path<(String, u64)>) -> Response {
    answer(town.with(&context, async |running| running.let_go(number).await).await, &context, resumed)
}
fn resumed(Resumed { taken, left }: Resumed) -> Value {
    json!({ "taken": taken, "left": left })
}
fn answer<T>(done: Option<Result<T, Stays>>, context: &str, shown: impl FnOnce(T) -> Value) -> Response {
    let status = match done {
        None => return problem(StatusCode::NOT_FOUND, &format!("no context {context} runs here")),
        Some(Ok(done)) => return Json(shown(done)).into_response(),
        Some(Err(ref why)) => match why {
            Stays::Unknown(_) => StatusCode::NOT_FOUND,
            Stays::Behind(_) | Stays::NobodyTakes(_) | Stays::Still(_) => StatusCode::CONFLICT,
            Stays::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        },
    };
    problem(status, &done.and_then(Result::err).map_or_else(String::new, |why| why.to_string()))
}

pub(crate) async fn aside(offer: &Offer, config: &Config, told: &Told) -> Result<(), String> {
    let (method, path) = match told.what.as_ref().unwrap_or(&What::List) {
        What::List => (Method::GET, "/aside".to_owned()),
        What::Show(One { context, number }) => (Method::GET, format!("/aside/{context}/{number}")),
        What::Retry(One { context, number }) => (Method::POST, format!("/aside/{context}/{number}/retry")),
        What::Drop(One { context, number }) => (Method::POST, format!("/aside/{context}/{number}/drop")),
    };
    let reached = Reached::find(offer, config, &told.at).await?;
    let answer = reached.call(method, &path).await;
    reached.leave().await?;
    let answer = answer?;
    if told.json {
        say!("{answer:#}");
        return Ok(());
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match &answer {
        Value::Array(all) if all.is_empty() => say!("nothing is set aside"),
        Value::Array(all) => {
            for aside in all {
                let [context, number, reaction, case, fact, why] =
                    ["context", "number", "reaction", "case", "fact", "why"].map(|field| text(&aside[field]));
                say!("{:<12} {reaction} can not take in {fact} of {case}: {why}", format!("{context} {number}"));
            }
        }
        Value::Object(fields) if fields.contains_key("taken") => {
            say!("{} taken in, {} of that case still wait", answer["taken"], answer["left"]);
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                say!("{name:<10} {}", if name == "body" { essentials(value) } else { text(value) });
            }
        }
        other => say!("{other}"),
    }
    Ok(())
}
