//! `jumun case`: the story of one case, as a timeline.
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
use clap::Args;
use hyper::Method;
use jumun_model::Case;
use jumun_runtime::{
    Offer,
    story::{Happened, Kind, Standing, Story, Waiting},
};
use serde_json::Value;
use std::{borrow::Cow, sync::Arc};

#[derive(Args, Clone, Debug)]
pub(crate) struct Told {
    /// Which system.
    system: String,
    /// Which case: `order/7`, `order 7`, or `7` where there is one kind of case only.
    #[arg(required = true, num_args = 1..=2)]
    case: Vec<String>,
    /// Prints it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}
impl Told {
    pub(crate) fn system(&self) -> &str {
        &self.system
    }
}

/// `GET /cases/{root}/{number}`
pub(crate) async fn get(State(town): State<Arc<Town>>, Path((root, number)): Path<(String, u64)>) -> Response {
    let case = Case { root: Cow::Owned(root), number };
    match story(&town, case.clone()).await {
        Ok(story) if story.is_unknown() => problem(StatusCode::NOT_FOUND, &format!("nobody knows of a case {case}")),
        Ok(story) => Json(story).into_response(),
        Err(why) => problem(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

async fn story(town: &Town, case: Case) -> Result<Story, String> {
    let (mut parts, mut missing) = (Vec::new(), Story::of(case.clone()));
    for name in town.names() {
        let told = town.with(name, async |running| running.story(&case).await).await;
        match told {
            None => missing.missing.push(name.to_owned()),
            Some(Ok(part)) => parts.push(part),
            Some(Err(why)) => return Err(format!("{name} can not tell: {why}")),
        }
    }
    parts.push(missing);
    Ok(Story::told_by(case, parts))
}

pub(crate) async fn case(offer: &Offer, config: &Config, told: &Told) -> Result<(), String> {
    let reached = Reached::find(offer, config, &told.at).await?;
    let answer = async {
        let case = wanted(&reached, &told.case).await?;
        reached.call(Method::GET, &format!("/cases/{case}")).await
    }
    .await;
    reached.leave().await?;
    let story = answer?;
    if told.json {
        say!("{story:#}");
        return Ok(());
    }
    print(&serde_json::from_value(story).map_err(|why| format!("the story can not be read: {why}"))?);
    Ok(())
}

/// The case that was meant: a bare number is of the one root that the system has.
async fn wanted(reached: &Reached, words: &[String]) -> Result<Case, String> {
    let text = words.join("/");
    if let Ok(case) = text.parse() {
        return Ok(case);
    }
    let number: u64 = text.parse().map_err(|_| format!("{text} is no case, such as order/7"))?;
    let index = reached.call(Method::GET, "/").await?;
    let roots: Vec<_> = index["roots"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    match roots[..] {
        [root] => Ok(Case { root: Cow::Owned(root.to_owned()), number }),
        _ => Err(format!("{number} of what? There are cases of {}", roots.join(", "))),
    }
}

fn print(story: &Story) {
    let contexts = story.happened.iter().map(|it| it.context.len()).chain(story.states.iter().map(|it| it.context.len()));
    let wide = contexts.max().unwrap_or(0);
    say!("{}\n", story.case);
    for happened in &story.happened {
        say!("  {:<wide$}  {}  {}", happened.context, happened.at, sentence(happened));
    }
    let section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            say!("\n{title}");
            lines.iter().for_each(|line| say!("  {line}"));
        }
    };
    let state = |it: &Standing| {
        let hidden = if it.listed || !it.state.is_object() { "" } else { "(not listed) " };
        format!("{:<wide$}  {} {}  {hidden}{}", it.context, it.aggregate, it.number, essentials(&it.state))
    };
    section("now", story.states.iter().map(state).collect());
    let waits = |it: &Waiting| match &it.to {
        Some(to) => {
            let sent = if it.maybe_sent { ", may have been sent" } else { "" };
            format!(
                "{:<wide$}  {} asks {to} to {}: next at {}, {} tries{sent}",
                it.context, it.aggregate, it.step, it.due, it.tries
            )
        }
        None => format!("{:<wide$}  {} does {} at {}", it.context, it.aggregate, it.step, it.due),
    };
    section("owed", story.waiting.iter().map(waits).collect());
    let aside = story.aside.iter();
    let aside = aside.map(|it| format!("{:<wide$}  {} number {}: {} ({})", it.context, it.reaction, it.number, it.fact, it.why));
    section("set aside", aside.collect());
    section("not running, so not asked", story.missing.clone());
}

fn sentence(happened: &Happened) -> String {
    let name = &happened.name;
    match &happened.what {
        Kind::Fact { public, body, .. } => {
            let private = if *public { "" } else { "(private) " };
            format!("fact     {name:<22} {private}{}", essentials(body))
        }
        Kind::Ask { to, outcome, took_ms, .. } => format!("ask      {:<22} {outcome} in {took_ms} ms", format!("{name} of {to}")),
        Kind::Refusal { code } => format!("refusal  {name:<22} {code}, to {}", happened.by.as_deref().unwrap_or("somebody")),
    }
}

/// What of a body says something in one line.
pub(crate) fn essentials(body: &Value) -> String {
    let Value::Object(fields) = body else { return plain(body) };
    let says = |(name, value): &(&String, &Value)| {
        !matches!(value, Value::Null | Value::Array(_) | Value::Object(_))
            && *name != "eventType"
            && *name != "id"
            && *value != ""
    };
    let said = fields.iter().filter(says).map(|(name, value)| format!("{name}={}", plain(value)));
    said.collect::<Vec<_>>().join(" ")
}
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
