//! `jumun events`: facts, as they were published.
use crate::{
    case::essentials,
    config::Config,
    operators::problem,
    reach::{Reached, Where},
    up::Town,
};
use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use clap::Args;
use futures_util::future::{BoxFuture, select_all};
use hyper::Method;
use jumun_model::Case;
use jumun_runtime::Offer;
use jumun_store::{Fact, Store};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write, sync::Arc, time::Duration};

/// How many facts an answer has at the most.
const MOST: usize = 500;
/// How long an answer waits for a fact to come, if it is to wait: not so long that an orderly stop would wait for it.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Args, Clone, Debug)]
pub(crate) struct Told {
    /// Which system.
    system: String,
    /// Goes on as facts are published, until Ctrl-C.
    #[arg(long)]
    follow: bool,
    /// Of one context alone.
    #[arg(long)]
    context: Option<String>,
    /// Of one case alone, such as order/7.
    #[arg(long)]
    case: Option<Case>,
    /// Also private facts, which no other context sees.
    #[arg(long)]
    private: bool,
    /// Prints each as one line of JSON.
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

#[derive(Deserialize, Debug)]
pub(crate) struct Wanted {
    context: Option<String>,
    /// How far it was read: a number of that one context's journal, or `order:12,pay:7` as an earlier answer says.
    after: Option<String>,
    case: Option<Case>,
    #[serde(default)]
    private: bool,
    /// Waits a while for a fact, if there is none yet.
    #[serde(default)]
    wait: bool,
}

/// How far each context's journal was read.
struct After(BTreeMap<String, u64>);
impl After {
    fn read(wanted: &Wanted) -> Result<Self, String> {
        let Some(text) = &wanted.after else { return Ok(After(BTreeMap::new())) };
        let no = || format!("after = {text:?} is neither a number, with a context, nor such as order:12,pay:7");
        let number = |text: &str| text.parse::<u64>().map_err(|_| no());
        let one = |part: &str| match (part.split_once(':'), &wanted.context) {
            (Some((context, read)), _) => Ok((context.to_owned(), number(read)?)),
            (None, Some(context)) => Ok((context.clone(), number(part)?)),
            (None, None) => Err(no()),
        };
        text.split(',').map(one).collect::<Result<_, _>>().map(After)
    }
    fn of(&self, context: &str) -> u64 {
        self.0.get(context).copied().unwrap_or(0)
    }
    fn text(&self) -> String {
        self.0.iter().map(|(context, read)| format!("{context}:{read}")).collect::<Vec<_>>().join(",")
    }
}

/// `GET /events?context=&after=&case=&private=&wait=`
pub(crate) async fn get(
    State(town): State<Arc<Town>>,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let wanted = match wanted {
        Ok(Query(wanted)) => wanted,
        Err(why) => return problem(StatusCode::BAD_REQUEST, &why.body_text()),
    };
    if let Some(context) = wanted.context.as_ref().filter(|context| !town.names().any(|name| name == **context)) {
        return problem(StatusCode::NOT_FOUND, &format!("{} has no context {context}", town.system()));
    }
    let mut after = match After::read(&wanted) {
        Ok(after) => after,
        Err(why) => return problem(StatusCode::BAD_REQUEST, &why),
    };
    // nobody's lock is held while it waits: a context can be stopped meanwhile
    let mut journals = Vec::new();
    for name in town.names().filter(|name| wanted.context.as_ref().is_none_or(|context| context == name)) {
        journals.extend(town.with(name, async |running| (name, Arc::clone(&running.core.store))).await);
    }
    let found = match read(&journals, &wanted, &mut after).await {
        Ok(facts) if facts.is_empty() && wanted.wait => {
            moved(&journals, &after).await;
            read(&journals, &wanted, &mut after).await
        }
        found => found,
    };
    match found {
        Ok(facts) => {
            Json(json!({ "events": facts.iter().map(shown).collect::<Vec<_>>(), "after": after.text() })).into_response()
        }
        Err(why) => problem(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

type Journal = (&'static str, Arc<dyn Store>);

/// The oldest facts that were not read yet, and how far they go.
async fn read(journals: &[Journal], wanted: &Wanted, after: &mut After) -> Result<Vec<Fact>, String> {
    let mut facts = Vec::new();
    for (context, journal) in journals {
        let mut read = after.of(context);
        // what nobody wants is passed over, so that an empty answer means that there is nothing
        let passed = async {
            loop {
                let batch = journal.tail(read, MOST).await?;
                let Some(last) = batch.last() else { return Ok(Vec::new()) };
                let end = last.seq;
                let wants =
                    |fact: &Fact| (fact.public || wanted.private) && wanted.case.as_ref().is_none_or(|case| fact.case == *case);
                let some: Vec<_> = batch.into_iter().filter(wants).collect();
                if !some.is_empty() {
                    return Ok::<_, jumun_store::StoreError>(some);
                }
                read = end;
            }
        };
        let some = passed.await.map_err(|why| format!("{context} does not answer: {why}"))?;
        after.0.insert((*context).to_owned(), read);
        facts.extend(some);
    }
    facts.sort_by(|a, b| (a.at, &a.context, a.seq).cmp(&(b.at, &b.context, b.seq)));
    facts.truncate(MOST);
    for fact in &facts {
        let read = after.0.entry(fact.context.to_string()).or_default();
        *read = fact.seq.max(*read);
    }
    Ok(facts)
}

/// Waits until a journal has more than was read, for a while.
async fn moved(journals: &[Journal], after: &After) {
    // where nothing runs nothing comes, and it is waited for all the same: who follows does not ask without a pause
    let mut waits: Vec<BoxFuture<'_, ()>> = vec![Box::pin(std::future::pending())];
    for (context, journal) in journals {
        let (mut newest, read) = (journal.newest_fact(), after.of(context));
        waits.push(Box::pin(async move {
            if newest.wait_for(|newest| *newest > read).await.is_err() {
                std::future::pending::<()>().await; // it was stopped
            }
        }));
    }
    let _ = tokio::time::timeout(PATIENCE, select_all(waits)).await; // either way, look again
}

fn shown(fact: &Fact) -> Value {
    json!({
        "context": &*fact.context, "number": fact.seq, "id": fact.id(), "case": fact.case, "name": &*fact.name, "at": fact.at,
        "by": &*fact.by, "because": fact.cause, "public": fact.public,
        "body": serde_json::from_str::<Value>(&fact.body).unwrap_or_default(),
    })
}

pub(crate) async fn events(offer: &Offer, config: &Config, told: &Told) -> Result<(), String> {
    let reached = Reached::find(offer, config, &told.at).await?;
    let told = tell(&reached, told).await;
    reached.leave().await?;
    told
}
async fn tell(reached: &Reached, told: &Told) -> Result<(), String> {
    let mut after = String::new();
    let mut caught_up = false;
    loop {
        let mut path = format!("/events?private={}&wait={}", told.private, told.follow && caught_up);
        let asked = [("after", Some(&after).filter(|after| !after.is_empty())), ("context", told.context.as_ref())];
        for (name, value) in asked.into_iter().chain([("case", told.case.as_ref().map(ToString::to_string).as_ref())]) {
            if let Some(value) = value {
                let _ = write!(path, "&{name}={value}");
            }
        }
        let answer = reached.call(Method::GET, &path).await?;
        let events = answer["events"].as_array().map_or(&[][..], Vec::as_slice);
        for event in events {
            if told.json {
                say!("{event}");
            } else {
                let [at, context, case, name] =
                    ["at", "context", "case", "name"].map(|field| event[field].as_str().unwrap_or_default());
                say!("{at}  {context:<10} {case:<12} {name:<22} {}", essentials(&event["body"]));
            }
        }
        caught_up = events.is_empty();
        if caught_up && !told.follow {
            return Ok(());
        }
        answer["after"].as_str().unwrap_or_default().clone_into(&mut after);
    }
}
