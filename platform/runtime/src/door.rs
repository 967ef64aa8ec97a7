//! The door is a table: one line per route. Protocols (HTTP, gRPC) are made from it; nothing here knows one.
pub use crate::sight::{OPERATOR, Own, Sees, Sight, reads};
use crate::{
    board,
    core::Core,
    desk::{Desk, Failure, State, Wish},
    document::{show, shown},
    keeping::{Keeping, Shared, Whole},
    tally::Totals,
};
use futures_util::future::BoxFuture;
use jumun_model::{Aggregate, Caller, Case, JsonSchema, Kind, Pool, Refusal, Schema, SchemaGenerator, View};
use jumun_store::{Change, Claim, Document, Query, StoreError};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::{borrow::Cow, marker::PhantomData, sync::Arc};

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

struct Served<K: Keeping> {
    door: Door<K>,
    desk: Arc<Desk<K>>,
}

impl<K: Keeping> Served<K> {
    fn shape_of(&self, core: &Core, number: u64, seq: u64, state: &State<K>, by: &Caller) -> Result<Shape, Problem> {
        let body = serde_json::to_value(&*state.root).expect("a state is data");
        let Value::Object(fields) = body else { return Err(Problem::unavailable("a state that is no object")) };
        let case = Case::new(K::ROOT, number);
        let links = self.door.lines.iter().zip(&self.door.wishes).filter_map(|(line, (wish, _))| match line.verb {
            Verb::Command(name) => {
                // who has no role at all comes from inside
                Some(()).filter(|()| by.roles.is_empty() || line.roles.iter().any(|role| by.has(role)))?;
                let command = wish(Value::Null).ok()?.1.ok()?;
                self.desk.would(core, state, &case, by, command).then_some(name)
            }
            Verb::Open | Verb::Edit => None,
        });
        Ok(Shape { number, version: state.version, seq, links: links.collect(), body: show(number, fields) })
    }

    /// Whether that one is this owner's.
    async fn is_of(&self, core: &Core, number: u64, own: Own<'_>) -> Result<bool, Problem> {
        let state = self.desk.state(core, number).await?;
        Ok(serde_json::to_value(&*state.root).ok().as_ref().and_then(Value::as_object).is_some_and(|body| own.has(body)))
    }

    async fn make(&self, core: &Arc<Core>, line: usize, mut call: Call) -> Result<Reply, Problem> {
        let verb = self.door.lines[line].verb;
        let own = self.door.sight.own(&call.by);
        if let Some(own) = own {
            sign(own, verb, &mut call.body)?;
        }
        let fingerprint = call.key.as_ref().map(|_| format!("{:?} {}", call.number, call.body));
        let (chosen, wanted) = (self.door.wishes[line].0)(call.body)?;
        if let Some(key) = &call.key
            && let Some(claim) = core.store.claimed(key).await.map_err(silent)?
        {
            if Some(&claim.fingerprint) != fingerprint.as_ref() {
                return Err(key_reused());
            }
            // a repeat waits as the first did; what was withdrawn never was, and so there is nothing to repeat
            let reply = self.reply(core, line, claim.case.number, true, &call.by).await;
            if !withdrawn(&reply) {
                return reply;
            }
            self.free(core, key, claim.case.number).await?;
        }
        let number = match call.number.or(chosen) {
            Some(number) => number,
            None => {
                let number = core.store.reserve(K::NAME).await.map_err(silent)?;
                self.desk.fresh(number);
                number
            }
        };
        if call.number.is_some() {
            let theirs = match own {
                Some(own) => self.is_of(core, number, own).await?,
                None => true,
            };
            if !theirs || !self.desk.shows(core, number).await? {
                return Err(Problem::missing());
            }
        }
        let command = wanted.map_err(|no| Problem::of(&no, None))?;
        let case = Case::new(K::ROOT, number);
        let claim = call.key.clone().zip(fingerprint.clone()).map(|(key, fingerprint)| Claim {
            key,
            fingerprint,
            case: case.clone(),
            at: core.clock.now(),
        });
        let wish = Wish {
            number,
            case: &case,
            by: &call.by,
            cause: None,
            trace: call.trace.as_deref(),
            command,
            mark: None,
            claim,
            at_version: call.at_version,
            at_try: None,
        };
        let (number, opened) = match self.desk.handle(core, wish).await {
            Ok(state) => (number, chosen.is_none() || state.news),
            // two at once with the same key: the one that came second waits for the first's case
            Err(Failure::Claimed(claim)) if Some(&claim.fingerprint) == fingerprint.as_ref() => (claim.case.number, true),
            Err(Failure::Refused(no)) => return Err(Problem::of(&no, call.number.or(chosen))),
            Err(why) => return Err(why.into()),
        };
        let reply = self.reply(core, line, number, opened, &call.by).await;
        if let Some(key) = call.key.filter(|_| withdrawn(&reply)) {
            self.free(core, &key, number).await?;
        }
        reply
    }

    /// What is said of one once it owes nothing any more, or when patience ends.
    async fn reply(&self, core: &Core, line: usize, number: u64, opened: bool, by: &Caller) -> Result<Reply, Problem> {
        let state = self.desk.settled(core, number, core.settings.door_deadline).await?;
        let shape = self.shape_of(core, number, 0, &state, by)?;
        if state.owing {
            return Ok(Reply::NotYet(shape));
        }
        let (_, settles) = &self.door.wishes[line];
        settles(&state.root).map_err(|no| Problem::of(&no, Some(number)))?;
        let opened = opened && self.door.lines[line].verb == Verb::Open;
        Ok(if opened { Reply::Opened(shape) } else { Reply::Done(shape) })
    }

    /// Whoever comes with that key next comes as the first.
    async fn free(&self, core: &Core, key: &str, number: u64) -> Result<(), Problem> {
        let frees = vec![(key.to_owned(), Case::new(K::ROOT, number))];
        core.store.commit(Change { frees, ..Change::default() }).durably().await.map_err(silent)
    }
}

/// Whether what was opened was given up, for want of somebody who answers: it is as if it had never been wished.
fn withdrawn(reply: &Result<Reply, Problem>) -> bool {
    matches!(reply, Err(Problem { wrong: Wrong::Refused(Kind::Unavailable), left: Some(_), .. }))
}
fn silent(why: StoreError) -> Problem {
    Problem::unavailable(&why.to_string())
}

/// What an owner opens bears the owner's name; another's under it is refused, not overwritten.
fn sign(own: Own<'_>, verb: Verb, body: &mut Value) -> Result<(), Problem> {
    let Some(fields) = body.as_object_mut() else { return Ok(()) };
    if fields.get(own.key).is_some_and(|other| !other.is_null() && !reads(Some(other), own.name)) {
        let detail = format!("{} must be your own name, or be left out", own.key);
        let no = Problem::plain(Wrong::Refused(Kind::Forbidden), "not-yours", detail);
        return Err(Problem { arguments: vec![("field", own.key.to_owned())], ..no });
    }
    if verb == Verb::Open {
        fields.insert(own.key.to_owned(), Value::from(own.name));
    }
    Ok(())
}

impl<K: Keeping> Collection for Served<K> {
    fn path(&self) -> &'static str {
        self.door.path
    }
    fn of(&self) -> &'static str {
        K::NAME
    }
    fn keys(&self) -> &'static [&'static str] {
        K::KEYS
    }
    fn root(&self) -> Option<&'static str> {
        Some(K::ROOT)
    }
    fn shape(&self, to: &mut SchemaGenerator) -> Schema {
        (self.door.shape)(to)
    }
    fn lines(&self) -> &[Line] {
        &self.door.lines
    }
    fn sight(&self) -> &Sight {
        &self.door.sight
    }
    fn commands(&self) -> Vec<(&'static str, Option<String>)> {
        let lines = self.door.lines.iter().zip(&self.door.wishes).map(|(line, (wish, _))| {
            let mut bodies = line.body.map_or_else(|| vec![Value::Null], board::bodies).into_iter();
            (K::NAME, bodies.find_map(|body| board::tried(|| wish(body))?.ok()?.1.ok()).as_ref().map(board::named))
        });
        lines.collect()
    }
    fn call<'a>(&'a self, core: &'a Arc<Core>, line: usize, call: Call) -> BoxFuture<'a, Result<Reply, Problem>> {
        Box::pin(self.make(core, line, call))
    }
    fn item<'a>(&'a self, core: &'a Arc<Core>, number: u64, by: &'a Caller) -> BoxFuture<'a, Result<Shape, Problem>> {
        Box::pin(async move {
            let state = self.desk.state(core, number).await?;
            if state.version == 0 || !K::listed(&state.root) {
                return Err(Problem::missing());
            }
            let shape = self.shape_of(core, number, 0, &state, by)?;
            theirs(self.door.sight.own(by), shape)
        })
    }
    fn list<'a>(&'a self, core: &'a Arc<Core>, query: &'a Query, by: &'a Caller) -> BoxFuture<'a, Result<Part, Problem>> {
        Box::pin(async move {
            let page = core
                .store
                .find(K::NAME, &only(self.door.sight.own(by), query))
                .await
                .map_err(|why| Problem::unavailable(&why.to_string()))?;
            let rows = page.rows.iter().map(|row| self.stored(core, row, by)).collect::<Result<_, _>>()?;
            Ok(Part { rows, total: page.total, totals: Map::new() })
        })
    }
    fn changed<'a>(&'a self, core: &'a Arc<Core>, after: u64, by: &'a Caller) -> BoxFuture<'a, Result<News, Problem>> {
        Box::pin(async move {
            let rows = core.store.changed(K::NAME, after, 500).await.map_err(|why| Problem::unavailable(&why.to_string()))?;
            news(self.door.sight.own(by), &rows, |row| self.stored(core, row, by))
        })
    }
}
impl<K: Keeping> Served<K> {
    fn stored(&self, core: &Core, row: &Document, by: &Caller) -> Result<Shape, Problem> {
        let root = serde_json::from_str(&row.body).map_err(|why| Problem::unavailable(&why.to_string()))?;
        let state = State {
            root: Arc::new(root),
            entry: K::Entry::default(),
            version: row.version,
            at: row.at,
            owing: row.attempt.is_some(),
            news: false,
        };
        self.shape_of(core, row.number, row.seq, &state, by)
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

/// The door of a view: it is looked at, and that is all.
pub struct Seen<V> {
    path: &'static str,
    sight: Sight,
    totals: Option<Totals>,
    of: PhantomData<fn() -> V>,
}
impl<V: View + JsonSchema> Seen<V> {
    pub(crate) fn at(path: &'static str, sight: Sight, totals: Option<Totals>) -> Arc<dyn Collection> {
        Arc::new(Seen::<V> { path, sight, totals, of: PhantomData })
    }
}
fn row(row: &Document) -> Result<Shape, Problem> {
    let body = shown(row.number, &row.body).map_err(|why| Problem::unavailable(&why.to_string()))?;
    Ok(Shape { number: row.number, version: row.version, seq: row.seq, body, links: Vec::new() })
}
impl<V: View + JsonSchema> Collection for Seen<V> {
    fn path(&self) -> &'static str {
        self.path
    }
    fn of(&self) -> &'static str {
        V::NAME
    }
    fn keys(&self) -> &'static [&'static str] {
        V::KEYS
    }
    fn root(&self) -> Option<&'static str> {
        V::ROOT
    }
    fn shape(&self, to: &mut SchemaGenerator) -> Schema {
        V::json_schema(to)
    }
    fn totals(&self, to: &mut SchemaGenerator) -> Option<Schema> {
        self.totals.as_ref().map(|totals| (totals.shape)(to))
    }
    fn lines(&self) -> &[Line] {
        &[]
    }
    fn sight(&self) -> &Sight {
        &self.sight
    }
    fn call<'a>(&'a self, _: &'a Arc<Core>, _: usize, _: Call) -> BoxFuture<'a, Result<Reply, Problem>> {
        Box::pin(std::future::ready(Err(Problem::missing())))
    }
    fn item<'a>(&'a self, core: &'a Arc<Core>, number: u64, by: &'a Caller) -> BoxFuture<'a, Result<Shape, Problem>> {
        Box::pin(async move {
            let found = core.store.load(V::NAME, number).await.map_err(|why| Problem::unavailable(&why.to_string()))?;
            let shape = found.filter(|document| document.listed).as_ref().map_or_else(|| Err(Problem::missing()), row)?;
            theirs(self.sight.own(by), shape)
        })
    }
    fn list<'a>(&'a self, core: &'a Arc<Core>, query: &'a Query, by: &'a Caller) -> BoxFuture<'a, Result<Part, Problem>> {
        Box::pin(async move {
            let own = self.sight.own(by);
            let page = core.store.find(V::NAME, &only(own, query)).await.map_err(silent)?;
            let totals = match &self.totals {
                Some(totals) if own.is_none() => totals.now(core).await.map_err(silent)?,
                _ => Map::new(),
            };
            Ok(Part { rows: page.rows.iter().map(row).collect::<Result<_, _>>()?, total: page.total, totals })
        })
    }
    fn changed<'a>(&'a self, core: &'a Arc<Core>, after: u64, by: &'a Caller) -> BoxFuture<'a, Result<News, Problem>> {
        Box::pin(async move {
            let rows = core.store.changed(V::NAME, after, 500).await.map_err(|why| Problem::unavailable(&why.to_string()))?;
            news(self.sight.own(by), &rows, row)
        })
    }
}
