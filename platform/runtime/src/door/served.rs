//! A door at work: what it shows of the rows, and what becomes of a call.
use super::{
    Call, Collection, Door, Line, News, Own, Part, Problem, Reply, Shape, Sight, Verb, Wrong, key_reused, news, only, reads,
    silent, theirs,
};
use crate::{
    board,
    core::Core,
    desk::{Desk, Failure, State, Wish},
    document::show,
    keeping::Keeping,
};
use futures_util::future::BoxFuture;
use jumun_model::{Caller, Case, Kind, Schema, SchemaGenerator};
use jumun_store::{Change, Claim, Document, Query};
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) struct Served<K: Keeping> {
    pub(super) door: Door<K>,
    pub(super) desk: Arc<Desk<K>>,
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
        if let Some(number) = call.number {
            let theirs = match own {
                Some(own) => self.is_of(core, number, own).await?,
                None => true,
            };
            if !theirs || !self.desk.shows(core, number).await? {
                return Err(Problem::missing());
            }
        }
        let command = wanted.map_err(|no| Problem::of(&no, None))?;
        let named = call.number.or(chosen);
        let (number, opened) = loop {
            let number = match named {
                Some(number) => number,
                None => {
                    let number = core.store.reserve(K::NAME).await.map_err(silent)?;
                    self.desk.fresh(number);
                    number
                }
            };
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
                command: command.clone(),
                mark: None,
                claim,
                at_version: call.at_version.or(named.is_none().then_some(0)),
                at_try: None,
            };
            match self.desk.handle(core, wish).await {
                Ok(state) => break (number, chosen.is_none() || state.news),
                // two at once with the same key: the one that came second waits for the first's case
                Err(Failure::Claimed(claim)) if Some(&claim.fingerprint) == fingerprint.as_ref() => {
                    break (claim.case.number, true);
                }
                // a number that was reserved, and that a client chose before it was used: another will do
                Err(Failure::Changed) if named.is_none() => {}
                Err(Failure::Refused(no)) => return Err(Problem::of(&no, named)),
                Err(why) => return Err(why.into()),
            }
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
            let page = core.store.find(K::NAME, &only(self.door.sight.own(by), query)).await.map_err(silent)?;
            let rows = page.rows.iter().map(|row| self.stored(core, row, by)).collect::<Result<_, _>>()?;
            Ok(Part { rows, total: page.total, totals: Map::new() })
        })
    }
    fn changed<'a>(&'a self, core: &'a Arc<Core>, after: u64, by: &'a Caller) -> BoxFuture<'a, Result<News, Problem>> {
        Box::pin(async move {
            let rows = core.store.changed(K::NAME, after, 500).await.map_err(silent)?;
            news(self.door.sight.own(by), &rows, |row| self.stored(core, row, by))
        })
    }
}
impl<K: Keeping> Served<K> {
    fn stored(&self, core: &Core, row: &Document, by: &Caller) -> Result<Shape, Problem> {
        let root = serde_json::from_str(&row.body).map_err(silent)?;
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
