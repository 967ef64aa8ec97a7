//! The table as routes: which collection, which line, and the answer.
use crate::{
    access::{Access, may, may_look},
    conditions::{Tags, etag, tags},
    hal::{HAL, Pen},
    health,
    locale::Phrases,
    openapi,
    problem::Refused,
    query::Wanted,
    sse,
    wire::{BodyLimit, TRACEPARENT, base, encoded, key, number, object, theirs},
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use futures_util::FutureExt;
use jumun_model::{Caller, Kind};
use jumun_runtime::{
    Context, Core, Running,
    door::{Call, Collection, Line, Problem, Reply, Verb, Wrong},
    traces::{Deed, Place},
};
use metrics::SharedString;
use serde_json::{Map, Value, json};
use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::sync::{oneshot, watch};

/// What the contexts of one house share at their doors.
#[derive(Clone)]
pub struct House {
    /// The system's name.
    pub system: &'static str,
    /// Renders all metrics of the process, in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Sentences for people.
    pub phrases: Arc<Phrases>,
    /// Whether new requests are welcome: what the readiness probe says. Streams end when this turns to *no*.
    pub ready: watch::Receiver<bool>,
    /// What a body may be.
    pub body: BodyLimit,
    /// How callers are known.
    pub access: Access,
}

/// The doors of a context as HTTP.
pub fn router(running: &Running, house: &House) -> Router {
    router_beside(running, house, Router::new())
}
/// The doors of a context, and routes of its own beside them; these win, and are traced, logged and counted alike.
pub fn router_beside(running: &Running, house: &House, beside: Router) -> Router {
    let doors = Arc::new(Doors::new(running, house));
    let watched = from_fn_with_state(Arc::clone(&doors), watched);
    beside.fallback(move |request| enter(Arc::clone(&doors), request)).layer(watched)
}

/// Everything that a request needs to know.
pub(crate) struct Doors {
    pub(crate) core: Arc<Core>,
    pub(crate) house: House,
    pub(crate) context: Arc<Context>,
    entries: Vec<Entry>,
    roles: Vec<&'static str>,
    document: OnceLock<Bytes>,
}
/// One collection, with its lines and routes found once.
pub(crate) struct Entry {
    pub(crate) door: Arc<dyn Collection>,
    pub(crate) path: &'static str,
    open: Option<usize>,
    edit: Option<usize>,
    delete: Option<usize>,
    commands: Vec<(&'static str, usize, SharedString)>,
    all: SharedString,
    one: SharedString,
}
impl Entry {
    fn new(door: &Arc<dyn Collection>) -> Self {
        let path = door.path();
        let at = |wanted| door.lines().iter().position(|line| line.verb == wanted);
        let commands = door.lines().iter().enumerate().filter_map(|(index, line)| match line.verb {
            Verb::Command(name) => Some((name, index, format!("{path}/{{id}}/{name}").into())),
            Verb::Open | Verb::Edit => None,
        });
        let (open, edit, commands) = (at(Verb::Open), at(Verb::Edit), commands.collect());
        let delete = door.lines().iter().position(|line| line.deletes);
        let (all, one) = (path.into(), format!("{path}/{{id}}").into());
        Entry { door: Arc::clone(door), path, open, edit, delete, commands, all, one }
    }
    /// The collection's name in HAL.
    pub(crate) fn name(&self) -> &'static str {
        self.path.trim_start_matches('/')
    }
    /// Of what cases it is; where that is not known, its name.
    fn of(&self) -> &'static str {
        self.door.root().unwrap_or_else(|| self.name())
    }
}

/// How long a store may be silent, beyond what a door waits for an outcome, before the caller is told so.
const SILENT: Duration = Duration::from_secs(10);
/// A version that nothing ever has.
const NEVER: u64 = u64::MAX;

/// What stands at a path.
#[derive(Clone, Copy)]
enum Target<'a> {
    /// What does not come from the table.
    Own(Own),
    All(&'a Entry),
    /// All with a value under a key, as `search/findByOrderNo?orderNo=7`.
    Found(&'a Entry),
    One(&'a Entry, &'a str),
    Command(&'a Entry, &'a str, usize, &'a SharedString),
    Nothing,
}
#[derive(Clone, Copy, PartialEq, Eq)]
enum Own {
    Index,
    Caller,
    Document,
    Health,
    Liveness,
    Readiness,
    Info,
    Metrics,
}
const OWN: &[(&str, Own)] = &[
    ("/", Own::Index),
    ("/caller", Own::Caller),
    ("/openapi.json", Own::Document),
    ("/actuator/health", Own::Health),
    ("/actuator/health/liveness", Own::Liveness),
    ("/actuator/health/readiness", Own::Readiness),
    ("/actuator/info", Own::Info),
    ("/actuator/prometheus", Own::Metrics),
];

impl Doors {
    fn new(running: &Running, house: &House) -> Self {
        let entries = running.doors().iter().map(Entry::new).collect::<Vec<_>>();
        let lines = entries.iter().flat_map(|entry| entry.door.lines()).flat_map(|line| line.roles.iter().copied());
        let mut roles = lines.chain(entries.iter().flat_map(|entry| entry.door.sight().roles())).collect::<Vec<_>>();
        roles.sort_unstable();
        roles.dedup();
        let context = Arc::clone(running.context());
        Doors { core: Arc::clone(&running.core), house: house.clone(), context, entries, roles, document: OnceLock::new() }
    }

    fn find<'a>(&'a self, path: &'a str) -> Target<'a> {
        for entry in &self.entries {
            match path.strip_prefix(entry.path).map(|rest| rest.split_at_checked(1)) {
                Some(None) => return Target::All(entry),
                Some(Some(("/", rest))) => return entry.find(rest),
                _ => {}
            }
        }
        OWN.iter().find(|(own, _)| *own == path).map_or(Target::Nothing, |(_, own)| Target::Own(*own))
    }

    async fn answer(self: &Arc<Self>, target: Target<'_>, head: &Parts, body: Body) -> Result<Response, Refused> {
        target.check(&head.method)?;
        let entry = match target {
            Target::Nothing => {
                let detail = "there is nothing at this path".to_owned();
                return Err(Refused::plain(StatusCode::NOT_FOUND, "no-such-path", detail));
            }
            Target::Own(own) => return self.own(own, &head.headers).await,
            Target::All(entry) | Target::Found(entry) | Target::One(entry, _) | Target::Command(entry, ..) => entry,
        };
        // who it is comes before all else that may be wrong
        self.house.access.lured(&head.method, &head.headers)?;
        let by = self.house.access.caller(&head.headers, &self.roles).await?;
        let line = target.line(&head.method);
        match line {
            Some(line) => may(&by, &entry.door.lines()[line].roles)?,
            None => may_look(&by, entry.door.sight())?,
        }
        match (target, line) {
            (Target::All(_), Some(line)) => self.open(entry, line, &head.headers, body, by).await,
            (Target::One(_, id) | Target::Command(_, id, ..), Some(line)) => {
                let number = number(id)?;
                let body = match entry.door.lines()[line].body {
                    None => Value::Null,
                    Some(_) => object(&head.headers, body, self.house.body).await?,
                };
                self.change(entry, line, number, &head.headers, body, by).await
            }
            (Target::One(_, id), None) => self.item(entry, number(id)?, &head.headers, &by).await,
            _ => self.list(entry, head, by).await,
        }
    }

    async fn own(&self, own: Own, headers: &HeaderMap) -> Result<Response, Refused> {
        Ok(match own {
            Own::Index => {
                let base = base(headers);
                let to = |path: &str| json!({ "href": format!("{base}{path}") });
                let mut links = Map::from_iter([("self".to_owned(), to("/"))]);
                links.extend(self.entries.iter().map(|entry| (entry.name().to_owned(), to(entry.path))));
                links.insert("describedby".to_owned(), to("/openapi.json"));
                hal(
                    StatusCode::OK,
                    json!({ "system": self.house.system, "context": self.core.context, "_links": links }).to_string(),
                )
            }
            Own::Caller => self.caller(headers).await?,
            Own::Document => {
                let text = self.document.get_or_init(|| {
                    let doors = self.entries.iter().map(|entry| &*entry.door as &dyn Collection);
                    openapi::document(self.house.system, self.core.context, doors).to_string().into()
                });
                written(StatusCode::OK, HeaderValue::from_static("application/json"), text.clone())
            }
            Own::Health => health::whole(self).await,
            Own::Liveness => health::live(),
            Own::Readiness => health::ready(self).await,
            Own::Info => health::info(self),
            Own::Metrics => health::metrics(self).await,
        })
    }
    /// Who the caller is here, so that they can tell whether their token is taken, and for what.
    async fn caller(&self, headers: &HeaderMap) -> Result<Response, Refused> {
        let by = self.house.access.caller(headers, &self.roles).await?;
        let access = if self.house.access.is_open() { "open" } else { "known" };
        let text = json!({ "access": access, "name": by.name, "roles": by.roles }).to_string();
        let mut answer = written(StatusCode::OK, HeaderValue::from_static("application/json"), text);
        answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(answer)
    }

    fn pen(&self, entry: &Entry, headers: &HeaderMap) -> Pen {
        Pen::new(format!("{}{}", base(headers), entry.path), &self.house.phrases, self.house.phrases.language(headers))
    }

    async fn list(self: &Arc<Self>, entry: &Entry, head: &Parts, by: Caller) -> Result<Response, Refused> {
        let wanted = Wanted::read(entry.door.keys(), head.uri.query().unwrap_or_default())?;
        let since = sse::last_event_id(&head.headers)?;
        let pen = self.pen(entry, &head.headers);
        if wanted.stream || sse::is_wanted(&head.headers) {
            let after = since.or(wanted.after).unwrap_or_else(|| *self.core.store.newest_write().borrow());
            let Wanted { matching, .. } = wanted;
            return Ok(sse::stream(
                self,
                sse::Reader { door: Arc::clone(&entry.door), by, head: head.headers.clone(), matching, pen, after },
            ));
        }
        let part = entry.door.list(&self.core, &wanted.query(), &by).await?;
        Ok(hal(StatusCode::OK, pen.page(entry.name(), &wanted, &part)))
    }

    async fn item(&self, entry: &Entry, number: u64, headers: &HeaderMap, by: &Caller) -> Result<Response, Refused> {
        let known = tags(headers, "if-none-match", true)?;
        let shape = entry.door.item(&self.core, number, by).await?;
        let mut answer = if known.is_some_and(|tags| tags.name(shape.version)) {
            let mut unchanged = Response::new(Body::empty());
            *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
            unchanged
        } else {
            hal(StatusCode::OK, self.pen(entry, headers).row(&shape, None))
        };
        answer.headers_mut().insert(header::ETAG, etag(shape.version));
        Ok(answer)
    }

    async fn open(&self, entry: &Entry, line: usize, headers: &HeaderMap, body: Body, by: Caller) -> Result<Response, Refused> {
        let key = key(headers)?;
        let body = object(headers, body, self.house.body).await?;
        // a name is encoded, so that nobody's begins with another's and a route
        let key = key.map(|key| format!("{}|POST {}|{key}", encoded(&by.name), entry.path));
        self.call(entry, line, headers, Call { number: None, body, by, key, at_version: None, trace: None }).await
    }
    async fn change(
        &self,
        entry: &Entry,
        line: usize,
        number: u64,
        headers: &HeaderMap,
        body: Value,
        by: Caller,
    ) -> Result<Response, Refused> {
        let condition = tags(headers, "if-match", false)?;
        let at_version = match condition {
            None | Some(Tags::Any) => None,
            Some(Tags::These(versions)) if versions.len() == 1 => Some(versions[0]),
            Some(tags) => {
                // whatever else is wrong with the wish is said first (RFC 9110, 13.2.1); the call finds it
                let now = entry.door.item(&self.core, number, &by).await.map_or(NEVER, |shape| shape.version);
                Some(if tags.name(now) { now } else { NEVER })
            }
        };
        self.call(entry, line, headers, Call { number: Some(number), body, by, key: None, at_version, trace: None }).await
    }

    /// Makes the call as a task of the context's own: a client that hangs up does not end it half way.
    async fn call(&self, entry: &Entry, line: usize, headers: &HeaderMap, call: Call) -> Result<Response, Refused> {
        let Line { refuses, .. } = &entry.door.lines()[line];
        let trace = headers.get(TRACEPARENT).and_then(|trace| trace.to_str().ok()).map(Arc::from);
        let call = Call { trace, ..call };
        let (tell, told) = oneshot::channel();
        let (core, door) = (Arc::clone(&self.core), Arc::clone(&entry.door));
        self.core.tasks.spawn(async move {
            let _ = tell.send(door.call(&core, line, call).await); // whoever called may be gone
        });
        let reply = match tokio::time::timeout(self.core.settings.door_deadline + SILENT, told).await {
            Ok(Ok(reply)) => reply,
            // it goes on, and whoever repeats it under its key is told how it ended
            Err(_) => Err(Problem::unavailable("its store does not say what became of it")),
            Ok(Err(_)) if *self.core.tasks.stopping().borrow() => Err(Problem::unavailable("it is being stopped")),
            Ok(Err(_)) => return Err(Refused::defect()),
        };
        let reply = reply.map_err(|no| {
            if let Wrong::Refused(kind) = no.wrong
                && !matches!(kind, Kind::Missing | Kind::Unavailable)
                && !refuses.contains(&kind)
            {
                tracing::warn!(path = entry.path, code = no.code, ?kind, "the table does not name this kind of refusal");
            }
            let left = no.left;
            Refused::from(no).leaving(entry.path, left)
        })?;
        let pen = self.pen(entry, headers);
        let (status, shape) = match &reply {
            Reply::Opened(shape) => (StatusCode::CREATED, shape),
            Reply::Done(shape) => (StatusCode::OK, shape),
            Reply::NotYet(shape) => (StatusCode::ACCEPTED, shape),
        };
        let waits = status == StatusCode::ACCEPTED;
        let message = waits.then(|| self.house.phrases.say(&pen.language, "not-yet", &[])).flatten();
        let mut answer = hal(status, pen.row(shape, message.as_deref()));
        let says = answer.headers_mut();
        says.insert(header::ETAG, etag(shape.version));
        if status != StatusCode::OK {
            says.extend(HeaderValue::try_from(pen.href(shape.number)).ok().map(|at| (header::LOCATION, at)));
        }
        if waits {
            says.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        answer.extensions_mut().insert(About(entry.of(), shape.number));
        Ok(answer)
    }
}

impl Entry {
    /// What stands at `rest` behind this collection's path and a slash.
    fn find<'a>(&'a self, rest: &'a str) -> Target<'a> {
        match rest.split_once('/') {
            None if rest.is_empty() => Target::Nothing,
            None => Target::One(self, rest),
            Some(("search", finder)) => {
                let by = finder.strip_prefix("findBy").unwrap_or_default();
                let known = self.door.keys().iter().any(|key| key.eq_ignore_ascii_case(by));
                if known { Target::Found(self) } else { Target::Nothing }
            }
            Some((id, name)) => {
                let command = self.commands.iter().find(|(command, ..)| *command == name);
                command.map_or(Target::Nothing, |(_, line, route)| Target::Command(self, id, *line, route))
            }
        }
    }
}

impl Target<'_> {
    /// What can be done there, as `Allow` says it.
    const fn allows(self) -> &'static str {
        match self {
            Target::Nothing => "",
            Target::All(Entry { open: Some(_), .. }) => "GET, HEAD, POST",
            Target::One(Entry { edit: Some(_), delete: Some(_), .. }, _) => "GET, HEAD, PATCH, PUT, DELETE",
            Target::One(Entry { edit: Some(_), .. }, _) => "GET, HEAD, PATCH, PUT",
            Target::One(Entry { delete: Some(_), .. }, _) => "GET, HEAD, DELETE",
            Target::Own(_) | Target::All(_) | Target::Found(_) | Target::One(..) => "GET, HEAD",
            Target::Command(..) => "PUT",
        }
    }
    /// The line of the table that this method means there; none for a look.
    fn line(self, method: &Method) -> Option<usize> {
        match (self, method) {
            (Target::Command(_, _, line, _), _) => Some(line),
            (Target::All(entry), &Method::POST) => entry.open,
            (Target::One(entry, _), &Method::PATCH | &Method::PUT) => entry.edit,
            (Target::One(entry, _), &Method::DELETE) => entry.delete,
            _ => None,
        }
    }
    fn check(self, method: &Method) -> Result<(), Refused> {
        let allows = self.allows();
        if allows.is_empty() || allows.split(", ").any(|allowed| allowed == method.as_str()) {
            return Ok(());
        }
        Err(Refused::not_allowed(method, allows))
    }
    const fn shows_rows(self) -> bool {
        !matches!(self, Target::Own(_) | Target::Nothing)
    }
    /// Its name in metrics: as many as the table has routes.
    fn route(self) -> SharedString {
        match self {
            Target::Nothing => SharedString::const_str("none"),
            Target::Own(own) => {
                let named = OWN.iter().find(|(_, other)| *other == own);
                SharedString::const_str(named.map_or("none", |(path, _)| path))
            }
            Target::All(entry) | Target::Found(entry) => entry.all.clone(),
            Target::One(entry, _) => entry.one.clone(),
            Target::Command(_, _, _, route) => route.clone(),
        }
    }
    /// The thing that a path is about, for the log.
    fn about(self) -> Option<About> {
        match self {
            Target::One(entry, id) | Target::Command(entry, id, ..) => number(id).ok().map(|number| About(entry.of(), number)),
            Target::Own(_) | Target::All(_) | Target::Found(_) | Target::Nothing => None,
        }
    }
}

/// What an answer is about, and the route that gave it: for the log and the metrics.
#[derive(Clone, Copy)]
struct About(&'static str, u64);
#[derive(Clone)]
struct Route(SharedString);

async fn enter(doors: Arc<Doors>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let target = doors.find(head.uri.path());
    let answer = doors.answer(target, &head, body).await;
    let mut answer = answer.unwrap_or_else(|no| no.answer(&doors.house.phrases, &head.headers));
    if target.shows_rows() {
        // rows may concern a person: nobody on the way, and no browser, keeps them
        answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    let says = answer.extensions_mut();
    says.insert(Route(target.route()));
    if let Some(about) = target.about() {
        says.insert(about);
    }
    answer
}

/// Around every request: its trace, a line in the log, two metrics, and an answer even if something of ours breaks.
async fn watched(State(doors): State<Arc<Doors>>, mut request: Request, next: Next) -> Response {
    let (core, began) = (&doors.core, doors.core.clock.elapsed());
    let theirs = theirs(request.headers());
    let verb = verb(request.method());
    let mut span = core.traces.begin(theirs.as_deref(), Deed::Door, core.context, || verb.to_owned());
    let trace = span.leads(theirs.as_ref()).unwrap_or_else(|| Place::new(&core.chance).to_string().into());
    let written = HeaderValue::from_str(&trace).unwrap_or_else(|_| HeaderValue::from_static(""));
    request.headers_mut().insert(TRACEPARENT, written.clone());
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let language = request.headers().get(header::ACCEPT_LANGUAGE).cloned();
    let mut answer = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(answer) => answer,
        Err(_) => {
            core.defect("panic", uri.path());
            let asks = HeaderMap::from_iter(language.map(|language| (header::ACCEPT_LANGUAGE, language)));
            Refused::defect().answer(&doors.house.phrases, &asks)
        }
    };
    let (status, took) = (answer.status(), core.clock.elapsed().saturating_sub(began));
    let route = answer.extensions_mut().remove().map_or(SharedString::const_str("beside"), |Route(route)| route);
    let about = answer.extensions_mut().remove::<About>();
    metrics::counter!("jumun_http_requests_total",
        "context" => core.context, "method" => verb, "route" => route.clone(), "status" => status.as_str().to_owned())
    .increment(1);
    metrics::histogram!("jumun_http_seconds", "context" => core.context, "method" => verb, "route" => route.clone()).record(took);
    let id = trace.get(3..35).unwrap_or_default();
    let case = about.map(|About(name, number)| format!("{name}/{number}"));
    let (path, micros, status) = (uri.path(), took.as_micros(), status.as_u16());
    if status < 500 {
        tracing::debug!(context = core.context, %method, path, status, micros, case, trace = id, "answered");
    } else {
        tracing::warn!(context = core.context, %method, path, status, micros, case, trace = id, "answered with a fault of ours");
    }
    if OWN.iter().any(|(own, _)| **own == *route) {
        span.forget(); // probes and manuals are no part of any story
    } else {
        span.named(|| format!("{verb} {route}"));
        span.about("http.request.method", verb).about("http.route", route).about("http.response.status_code", status);
        if let Some(case) = case {
            span.about("jumun.case", case);
        }
        span.failed(status >= 500);
    }
    answer.headers_mut().insert(TRACEPARENT, written);
    answer
}

/// A method's name in metrics: anybody can make methods up, so only the known have one.
fn verb(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// An answer with a body.
pub(crate) fn written(status: StatusCode, kind: HeaderValue, body: impl Into<Body>) -> Response {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}
fn hal(status: StatusCode, body: impl Into<Body>) -> Response {
    written(status, HAL, body)
}
