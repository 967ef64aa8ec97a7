//! The door is a table: one line per route. Protocols (HTTP, gRPC) are made from it; nothing here knows one.
mod seen;
mod served;

pub use crate::sight::{OPERATOR, Own, Sees, Sight, reads};
use crate::{
    core::Core,
    desk::{Desk, Failure},
    keeping::{Keeping, Shared, Whole},
};
use futures_util::future::BoxFuture;
use jumun_model::{Aggregate, Caller, JsonSchema, Kind, Pool, Refusal, Schema, SchemaGenerator};
use jumun_store::{Document, Query};
pub(crate) use seen::Seen;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use served::Served;
use std::{borrow::Cow, fmt, sync::Arc};

/// What a line does: each protocol has one way to say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// A new case (`POST /orders`).
    Open,
    /// A named command on one (`PUT /orders/7/cancel`): a link and a button while the rule would do something.
    Command(&'static str),
    /// A change of fields, read as the wish for a command (`PATCH /orders/7`).
    Edit,
}

/// One line of the table.
pub struct Line {
    /// What it does.
    pub verb: Verb,
    /// Who may: each of these roles.
    pub roles: Vec<&'static str>,
    /// The schema of its body; none if it has none.
    pub body: Option<fn(&mut SchemaGenerator) -> Schema>,
    /// The refusals that its rule and its door know, by kind.
    pub refuses: Vec<Kind>,
    /// Whether the answer may be *not yet* (202).
    pub waits: bool,
    /// Whether the client may choose the number; a repeat under it is answered as done (200).
    pub chosen: bool,
    /// Whether to delete the thing (`DELETE /hospitals/7`) is to wish this.
    pub deletes: bool,
}

/// A call at the door, whatever the protocol.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which one; none to open a new one.
    pub number: Option<u64>,
    /// The body; `null` for none.
    pub body: Value,
    /// Who calls.
    pub by: Caller,
    /// An idempotency key, already scoped by caller and route.
    pub key: Option<String>,
    /// Only at this version.
    pub at_version: Option<u64>,
    /// The W3C trace.
    pub trace: Option<Arc<str>>,
}

/// What clients see of one document.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Its number.
    pub number: u64,
    /// Its version: the ETag.
    pub version: u64,
    /// The store-wide number of its newest write, where known.
    pub seq: u64,
    /// Its body, with `id`.
    pub body: Map<String, Value>,
    /// The commands that its rule would do something about now.
    pub links: Vec<&'static str>,
}

/// What a call led to.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A new one is there.
    Opened(Shape),
    /// Done, or done before.
    Done(Shape),
    /// Taken, and not decided yet: look again a little later.
    NotYet(Shape),
}

/// A part of a collection.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// The rows.
    pub rows: Vec<Shape>,
    /// How many match in all.
    pub total: u64,
    /// What all rows sum up to, for who sees them all.
    pub totals: Map<String, Value>,
}
/// What was written lately.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// The rows, oldest write first, each in its newest state.
    pub rows: Vec<Shape>,
    /// The newest write that was looked at, also of a row that is not for the reader; none if there is nothing new.
    pub upto: Option<u64>,
}

/// What is wrong, for every protocol; each maps it in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// A refusal of that kind.
    Refused(Kind),
    /// It can not be read at all.
    Malformed,
    /// Not at the version that the caller named.
    Changed,
    /// The idempotency key belongs to another wish.
    KeyReused,
}
/// An answer that is a *no*.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What kind of *no*.
    pub wrong: Wrong,
    /// Stable, in kebab case.
    pub code: &'static str,
    /// A sentence, in English.
    pub detail: String,
    /// What a translated sentence may name.
    pub arguments: Vec<(&'static str, String)>,
    /// The number of the row that the refusal leaves, if it leaves one.
    pub left: Option<u64>,
}
impl Problem {
    fn of(no: &impl Refusal, left: Option<u64>) -> Self {
        Problem { wrong: Wrong::Refused(no.kind()), code: no.code(), detail: no.to_string(), arguments: no.arguments(), left }
    }
    /// There is no such thing.
    pub fn missing() -> Self {
        Problem::plain(Wrong::Refused(Kind::Missing), "unknown", "there is no such thing".to_owned())
    }
    /// The store does not answer.
    pub fn unavailable(why: &str) -> Self {
        tracing::warn!(why, "an answer is impossible now");
        Problem::plain(
            Wrong::Refused(Kind::Unavailable),
            "unavailable",
            "this can not be answered now; please try again".to_owned(),
        )
    }
    /// A *no* without arguments.
    pub const fn plain(wrong: Wrong, code: &'static str, detail: String) -> Self {
        Problem { wrong, code, detail, arguments: Vec::new(), left: None }
    }
}
impl<R: Refusal> From<Failure<R>> for Problem {
    fn from(why: Failure<R>) -> Self {
        match why {
            Failure::Refused(no) => Problem::of(&no, None),
            Failure::Changed => Problem::plain(Wrong::Changed, "changed", "it was changed since you last saw it".to_owned()),
            Failure::Claimed(_) => key_reused(),
            Failure::Contended => Problem::unavailable("contended"),
            Failure::Unavailable(why) => Problem::unavailable(&why),
        }
    }
}
/// A body that can not be read, with the field that is wrong.
fn unreadable(why: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let (at, why) = (why.path().to_string(), why.inner().to_string());
    // a field that is missing has no path of its own; its name is in the sentence
    let missing = why.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    let field = match (at.as_str(), missing) {
        (".", Some(name)) => name.to_owned(),
        (".", None) => {
            let detail = format!("the body can not be read: {why}");
            return Problem { arguments: vec![("why", why)], ..Problem::plain(Wrong::Malformed, "bad-body", detail) };
        }
        (at, Some(name)) => format!("{at}.{name}"),
        (at, None) => at.to_owned(),
    };
    let detail = format!("the field {field} can not be read: {why}");
    Problem { arguments: vec![("field", field), ("why", why)], ..Problem::plain(Wrong::Malformed, "bad-field", detail) }
}
fn key_reused() -> Problem {
    Problem::plain(Wrong::KeyReused, "key-reused", "this idempotency key was used for another request".to_owned())
}

/// One collection at the door: what can be seen, and what can be wished.
pub trait Collection: Send + Sync {
    /// Its path, also its name in HAL (`/orders`).
    fn path(&self) -> &'static str;
    /// The aggregate, pool or view that it shows.
    fn of(&self) -> &'static str;
    /// Keys by which it can be filtered.
    fn keys(&self) -> &'static [&'static str];
    /// The root of the cases whose numbers its rows have; none where a row is something else.
    fn root(&self) -> Option<&'static str>;
    /// The schema of one row.
    fn shape(&self, to: &mut SchemaGenerator) -> Schema;
    /// The lines of the table; empty for a view.
    fn lines(&self) -> &[Line];
    /// Who sees what of it.
    fn sight(&self) -> &Sight;
    /// The schema of what all rows sum up to, if they do.
    fn totals(&self, _: &mut SchemaGenerator) -> Option<Schema> {
        None
    }
    /// Per line: of what the command is that it becomes, and how that is called, where trying the line tells.
    fn commands(&self) -> Vec<(&'static str, Option<String>)> {
        Vec::new()
    }
    /// Makes a call on the line of that index.
    fn call<'a>(&'a self, core: &'a Arc<Core>, line: usize, call: Call) -> BoxFuture<'a, Result<Reply, Problem>>;
    /// One row.
    fn item<'a>(&'a self, core: &'a Arc<Core>, number: u64, by: &'a Caller) -> BoxFuture<'a, Result<Shape, Problem>>;
    /// A part of them.
    fn list<'a>(&'a self, core: &'a Arc<Core>, query: &'a Query, by: &'a Caller) -> BoxFuture<'a, Result<Part, Problem>>;
    /// Rows written after `seq`.
    fn changed<'a>(&'a self, core: &'a Arc<Core>, after: u64, by: &'a Caller) -> BoxFuture<'a, Result<News, Problem>>;
}

/// For lines without a body.
#[derive(Clone, Copy, Debug, Default)]
struct NoBody;
impl<'de> Deserialize<'de> for NoBody {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(from).map(|_| NoBody)
    }
}

/// What a body says: the number that its client chose, if it chose one, and the wish.
type Said<K> = (Option<u64>, Result<<K as Keeping>::Command, <K as Keeping>::Refusal>);
type Wishes<K> = Arc<dyn Fn(Value) -> Result<Said<K>, Problem> + Send + Sync>;
type Settles<K> = fn(&<K as Keeping>::Root) -> Result<(), <K as Keeping>::Refusal>;

/// The door of one aggregate or pool, line by line.
pub struct Door<K: Keeping> {
    path: &'static str,
    lines: Vec<Line>,
    wishes: Vec<(Wishes<K>, Settles<K>)>,
    sight: Sight,
    shape: fn(&mut SchemaGenerator) -> Schema,
}

/// The door of an aggregate.
pub fn collection<A: Aggregate + JsonSchema>(path: &'static str) -> Door<Whole<A>> {
    Door { path, lines: Vec::new(), wishes: Vec::new(), sight: Sight::default(), shape: |to| A::json_schema(to) }
}
/// The door of a pool's roots.
pub fn pool_collection<P: Pool + JsonSchema>(path: &'static str) -> Door<Shared<P>> {
    Door { path, lines: Vec::new(), wishes: Vec::new(), sight: Sight::default(), shape: |to| P::json_schema(to) }
}

impl<K: Keeping> Door<K> {
    /// A new case: `POST` to the collection. `settles` reads from the state how it ended, once nothing is owed any more.
    pub fn opens<B: DeserializeOwned + JsonSchema + 'static>(
        self,
        role: &'static str,
        wish: impl Fn(B) -> Result<K::Command, K::Refusal> + Send + Sync + 'static,
        settles: Settles<K>,
    ) -> Self {
        self.line(Verb::Open, role, Some(|to| B::json_schema(to)), |_| None, wish, settles)
    }
    /// As [`Door::opens`], under the number that the client chose, if it chose one. A repeat is answered as done; what else it may be
    /// under that number is the rule's to say.
    pub fn opens_under<B: DeserializeOwned + JsonSchema + 'static>(
        self,
        number: fn(&B) -> Option<u64>,
        role: &'static str,
        wish: impl Fn(B) -> Result<K::Command, K::Refusal> + Send + Sync + 'static,
        settles: Settles<K>,
    ) -> Self {
        let mut door = self.line(Verb::Open, role, Some(|to| B::json_schema(to)), number, wish, settles);
        if let Some(line) = door.lines.last_mut() {
            line.chosen = true;
        }
        door
    }
    /// A command on one of them, by name; shown as a link while the rule would do something.
    pub fn command(
        self,
        name: &'static str,
        role: &'static str,
        wish: impl Fn() -> K::Command + Send + Sync + 'static,
        settles: Settles<K>,
    ) -> Self {
        self.line(Verb::Command(name), role, None, |_| None, move |NoBody| Ok(wish()), settles)
    }
    /// As [`Door::command`], with a body that may be left out.
    pub fn command_saying<B: DeserializeOwned + JsonSchema + 'static>(
        self,
        name: &'static str,
        role: &'static str,
        wish: impl Fn(Option<B>) -> Result<K::Command, K::Refusal> + Send + Sync + 'static,
        settles: Settles<K>,
    ) -> Self {
        self.line(Verb::Command(name), role, Some(|to| B::json_schema(to)), |_| None, wish, settles)
    }
    /// A change of fields (`PATCH`), read as the wish for a command.
    pub fn edits<B: DeserializeOwned + JsonSchema + 'static>(
        self,
        role: &'static str,
        wish: impl Fn(B) -> Result<K::Command, K::Refusal> + Send + Sync + 'static,
        settles: Settles<K>,
    ) -> Self {
        self.line(Verb::Edit, role, Some(|to| B::json_schema(to)), |_| None, wish, settles)
    }
    /// Callers of that role reach their own rows alone: those with their name under that key. A new one is theirs.
    #[must_use]
    pub fn owned_by(self, key: &'static str, role: &'static str) -> Self {
        Door { sight: self.sight.owned_by(key, role), ..self }
    }
    /// Callers of that role see all of it, also if they can do nothing.
    #[must_use]
    pub fn seen_by(self, role: &'static str) -> Self {
        Door { sight: self.sight.seen_by([role]), ..self }
    }
    /// What the newest line may answer besides success: kinds of refusal, for the documents.
    #[must_use]
    pub fn refusing(mut self, kinds: &[Kind]) -> Self {
        if let Some(line) = self.lines.last_mut() {
            line.refuses = kinds.to_vec();
        }
        self
    }
    /// The newest line may answer *not yet*.
    #[must_use]
    pub fn waiting(mut self) -> Self {
        if let Some(line) = self.lines.last_mut() {
            line.waits = true;
        }
        self
    }

    /// The newest line is for that role too. Who has it sees all rows, and acts for their owners.
    #[must_use]
    pub fn also(mut self, role: &'static str) -> Self {
        if let Some(line) = self.lines.last_mut() {
            line.roles.push(role);
        }
        self
    }
    /// To delete one is to wish the newest line.
    #[must_use]
    pub fn on_delete(mut self) -> Self {
        if let Some(line) = self.lines.last_mut() {
            line.deletes = true;
        }
        self
    }

    fn line<B: DeserializeOwned + 'static>(
        mut self,
        verb: Verb,
        role: &'static str,
        body: Option<fn(&mut SchemaGenerator) -> Schema>,
        number: fn(&B) -> Option<u64>,
        wish: impl Fn(B) -> Result<K::Command, K::Refusal> + Send + Sync + 'static,
        settles: Settles<K>,
    ) -> Self {
        self.lines.push(Line { verb, roles: vec![role], body, refuses: Vec::new(), waits: false, chosen: false, deletes: false });
        let said = move |raw| {
            let body: B = serde_path_to_error::deserialize(raw).map_err(unreadable)?;
            Ok((number(&body), wish(body)))
        };
        self.wishes.push((Arc::new(said), settles));
        self
    }

    pub(crate) fn with(self, desk: Arc<Desk<K>>) -> Arc<dyn Collection> {
        let sight = self.sight.seen_by(self.lines.iter().flat_map(|line| line.roles.iter().copied()));
        Arc::new(Served { door: Door { sight, ..self }, desk })
    }
}

/// The row, unless it is another's: then it is as if there were none.
fn theirs(own: Option<Own<'_>>, shape: Shape) -> Result<Shape, Problem> {
    if own.is_none_or(|own| own.has(&shape.body)) { Ok(shape) } else { Err(Problem::missing()) }
}
fn only<'q>(own: Option<Own<'_>>, query: &'q Query) -> Cow<'q, Query> {
    let Some(Own { key, name }) = own else { return Cow::Borrowed(query) };
    let mut query = query.clone();
    query.matching.push((key, name.to_owned()));
    Cow::Owned(query)
}
fn news(own: Option<Own<'_>>, rows: &[Document], shape: impl Fn(&Document) -> Result<Shape, Problem>) -> Result<News, Problem> {
    let upto = rows.last().map(|row| row.seq);
    let mut rows = rows.iter().map(shape).collect::<Result<Vec<_>, _>>()?;
    rows.retain(|row| own.is_none_or(|own| own.has(&row.body)));
    Ok(News { rows, upto })
}
fn silent(why: impl fmt::Display) -> Problem {
    Problem::unavailable(&why.to_string())
}
