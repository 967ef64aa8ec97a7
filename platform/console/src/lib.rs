#![doc = include_str!("../README.md")]
mod acts;
mod board;
mod fields;
mod guard;
mod live;
mod pages;
mod rows;
mod story;
mod table;
mod visit;
mod words;

use axum::{
    Router,
    body::Bytes,
    http::{StatusCode, header},
    middleware::from_fn,
    routing::{get, post},
};
use jumun_http::{NotPhrases, Phrases};
use jumun_runtime::Chance;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use table::Collection;
use visit::Visit;

/// The console of one system: it knows what the doors say of themselves, and nothing else.
pub struct Console {
    system: String,
    contexts: Vec<Neighbour>,
    operators: Router,
    phrases: Arc<Phrases>,
    chance: Arc<Chance>,
    known: Mutex<BTreeMap<String, Known>>,
    picture: OnceLock<Bytes>,
}
struct Neighbour {
    name: String,
    rank: String,
    service: Router,
}
/// A document, and what was read from it.
#[derive(Clone)]
struct Known {
    text: Bytes,
    collections: Arc<Vec<Collection>>,
}

/// A context as it stands.
pub(crate) struct Standing<'a> {
    pub(crate) name: &'a str,
    pub(crate) rank: &'a str,
    pub(crate) running: bool,
    pub(crate) service: &'a Router,
    /// As they were when it last ran.
    pub(crate) collections: Arc<Vec<Collection>>,
}

impl Console {
    /// A console without contexts yet. `phrases` are the system's own, by language: its refusals and links, and under `[words.…]` what it calls
    /// fields, statuses, commands, roles, contexts and collections. `chance` mints the keys by which a form is sent once.
    ///
    /// # Errors
    /// The phrases can not be read.
    pub fn new(system: impl Into<String>, phrases: &[(&str, &str)], chance: Arc<Chance>) -> Result<Self, NotPhrases> {
        let own = [("en", include_str!("../locales/en.toml")), ("ko", include_str!("../locales/ko.toml"))];
        let phrases = Arc::new(Phrases::new(&own.iter().chain(phrases).copied().collect::<Vec<_>>())?);
        let nobody = Router::new().fallback(|| async { StatusCode::NOT_FOUND });
        Ok(Console {
            system: system.into(),
            contexts: Vec::new(),
            operators: nobody,
            phrases,
            chance,
            known: Mutex::default(),
            picture: OnceLock::new(),
        })
    }
    /// It shows this context, which is reached through `service`: its doors, its `/openapi.json`.
    #[must_use]
    pub fn shows(mut self, name: impl Into<String>, rank: impl Into<String>, service: Router) -> Self {
        self.contexts.push(Neighbour { name: name.into(), rank: rank.into(), service });
        self
    }
    /// It has an operators' port: stories of cases, the board, contexts to stop and start, dials.
    #[must_use]
    pub fn operated(mut self, operators: Router) -> Self {
        self.operators = operators;
        self
    }
    /// Its pages, under `/app`.
    pub fn router(self) -> Router {
        let asset = |kind: &'static str, text: &'static str| {
            get(move || async move { ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=300")], text) })
        };
        let pages = Router::new()
            .route("/", get(pages::start))
            .route("/as/{role}", get(pages::role))
            .route("/{context}/{collection}", get(pages::collection).post(acts::open))
            .route("/{context}/{collection}/rows", get(live::rows))
            .route("/{context}/{collection}/{id}", get(pages::item).post(acts::edit))
            .route("/{context}/{collection}/{id}/{command}", get(pages::item_again).post(acts::command))
            .route("/board", get(board::page))
            .route("/board/picture.svg", get(board::picture))
            .route("/board/contexts/{name}/{act}", post(board::switch))
            .route("/board/dials/{name}", post(board::turn))
            .route("/sign-in", get(pages::sign_in).post(acts::sign_in))
            .route("/sign-out", post(acts::sign_out))
            .route("/assets/console.css", asset("text/css; charset=utf-8", include_str!("../assets/console.css")))
            .route("/assets/console.js", asset("text/javascript; charset=utf-8", include_str!("../assets/console.js")))
            .route("/assets/icon.svg", asset("image/svg+xml", include_str!("../assets/icon.svg")))
            .fallback(pages::nothing)
            .layer(from_fn(guard::guard))
            .with_state(Arc::new(self));
        Router::new().nest("/app", pages)
    }

    pub(crate) fn services(&self) -> impl Iterator<Item = &Router> {
        self.contexts.iter().map(|context| &context.service)
    }
    /// Every context, and what its doors say now.
    pub(crate) async fn house(&self, visit: &Visit) -> Vec<Standing<'_>> {
        let answers =
            futures_util::future::join_all(self.contexts.iter().map(|context| visit.get(&context.service, "/openapi.json")))
                .await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let stands = self.contexts.iter().zip(answers).map(|(context, answer)| {
            let running = answer.status == StatusCode::OK;
            let before = known.get(&context.name).filter(|before| !running || before.text == answer.text);
            let collections = before.map(|before| Arc::clone(&before.collections)).unwrap_or_else(|| {
                let collections = Arc::new(Collection::all(&context.name, &answer.json));
                if running {
                    known.insert(context.name.clone(), Known { text: answer.text, collections: Arc::clone(&collections) });
                }
                collections
            });
            Standing { name: &context.name, rank: &context.rank, running, service: &context.service, collections }
        });
        stands.collect()
    }
    /// A key for one rendering of a form: sent twice, it is one wish.
    pub(crate) fn key(&self) -> String {
        format!("app-{:016x}{:016x}", self.chance.draw(), self.chance.draw())
    }
}

/// One collection of a house, and the context that has it.
pub(crate) fn found<'a>(
    house: &'a [Standing<'a>],
    context: &str,
    collection: &str,
) -> Option<(&'a Standing<'a>, &'a Collection)> {
    let stands = house.iter().find(|stands| stands.name == context)?;
    stands.collections.iter().find(|known| known.name == collection).map(|collection| (stands, collection))
}

/// A member as text; empty if it is none.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}
