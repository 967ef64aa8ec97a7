//! `jumun views`: views are rebuilt from the first fact while clients read them.
use crate::{
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
use jumun_runtime::{Offer, Rebuild};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

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
    /// All views, and how they stand; what is done without a word.
    List,
    /// Builds a view anew beside the live one, says what was different, and shows it.
    Rebuild {
        /// Which; all of them if none is named.
        view: Option<String>,
    },
}
impl Told {
    pub(crate) fn system(&self) -> &str {
        &self.system
    }
}

/// `GET /views`
pub(crate) async fn list(State(town): State<Arc<Town>>) -> Response {
    let mut all = Vec::new();
    for context in town.names() {
        for view in town.at_rest(context).views {
            let rebuild = town.with(context, async |running| running.rebuilding(view.name)).await;
            all.push(json!({
                "context": context, "view": view.name, "collection": view.collection, "running": rebuild.is_some(),
                "rebuild": rebuild.flatten(),
            }));
        }
    }
    Json(all).into_response()
}
/// `POST /views/{context}/{view}/rebuild`
pub(crate) async fn rebuild(State(town): State<Arc<Town>>, Path((context, view)): Path<(String, String)>) -> Response {
    let begun = town.with(&context, async |running| running.rebuild(&view)).await;
    answer(StatusCode::ACCEPTED, begun, &format!("{context} has no view {view}, or does not run"))
}
/// `GET /views/{context}/{view}/rebuild`
pub(crate) async fn progress(State(town): State<Arc<Town>>, Path((context, view)): Path<(String, String)>) -> Response {
    let stands = town.with(&context, async |running| running.rebuilding(&view)).await;
    answer(StatusCode::OK, stands, &format!("{view} of {context} was not rebuilt since that was started"))
}
fn answer(status: StatusCode, rebuild: Option<Option<Rebuild>>, otherwise: &str) -> Response {
    match rebuild.flatten() {
        Some(rebuild) => (status, Json(rebuild)).into_response(),
        None => problem(StatusCode::NOT_FOUND, otherwise),
    }
}

pub(crate) async fn views(offer: &Offer, config: &Config, told: &Told) -> Result<(), String> {
    let reached = Reached::find(offer, config, &told.at).await?;
    let done = match &told.what {
        None | Some(What::List) => show(&reached, told.json).await,
        Some(What::Rebuild { view }) => rebuild_all(&reached, view.as_deref(), told.json).await,
    };
    reached.leave().await?;
    done
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
async fn known(reached: &Reached) -> Result<Vec<Value>, String> {
    match reached.call(Method::GET, "/views").await? {
        Value::Array(views) => Ok(views),
        _ => Err("the list of views can not be read".to_owned()),
    }
}
async fn show(reached: &Reached, as_json: bool) -> Result<(), String> {
    let views = known(reached).await?;
    if as_json {
        say!("{:#}", Value::Array(views));
        return Ok(());
    }
    for view in &views {
        let stands = match (&view["running"], &view["rebuild"]["state"]) {
            (Value::Bool(false), _) => "not running".to_owned(),
            (_, Value::Null) => "live".to_owned(),
            (_, state) => format!("live; rebuild: {}", text(state)),
        };
        say!("{:<12} {:<20} {stands}", text(&view["context"]), text(&view["view"]));
    }
    Ok(())
}
async fn rebuild_all(reached: &Reached, only: Option<&str>, as_json: bool) -> Result<(), String> {
    let mut views = known(reached).await?;
    views.retain(|view| only.is_none_or(|only| view["view"] == only));
    if views.is_empty() {
        return Err(format!("there is no view {}", only.unwrap_or_default()));
    }
    for view in views {
        let path = format!("/views/{}/{}/rebuild", text(&view["context"]), text(&view["view"]));
        let mut stands = reached.call(Method::POST, &path).await?;
        while stands["state"] == "reading" {
            tokio::time::sleep(Duration::from_millis(100)).await;
            stands = reached.call(Method::GET, &path).await?;
        }
        let name = text(&view["view"]);
        if stands["state"] != "done" {
            return Err(format!("{name} is as it was: {}", text(&stands["why"])));
        }
        if as_json {
            say!("{stands}");
            continue;
        }
        say!(
            "{name}: {} rows from {} facts, {} were different, {} facts set aside",
            stands["rows"],
            stands["facts"],
            stands["differing"],
            stands["aside"]
        );
        for difference in stands["first"].as_array().into_iter().flatten() {
            say!(
                "  {} was {}\n  {:>width$} is {}",
                difference["number"],
                difference["was"],
                "",
                difference["is"],
                width = difference["number"].to_string().len()
            );
        }
    }
    Ok(())
}
