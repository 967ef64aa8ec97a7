//! Wiring: what one context is made of, and what a system is made of, as lists that can be read aloud.
use crate::{
    asks::{Asked, Unanswered},
    board::{self, Explored},
    core::Core,
    desk::{Desk, Failure, Wish},
    door::{Collection, Door, Seen, Sight},
    every::{Sweeping, WheneverEvery},
    keeping::{Keeping, Shared, Whole},
    reactor::{From, Reaction, Whenever, WheneverPool},
    shelf::Again,
    tally::Per,
    viewer::{Shown, Viewer},
};
use futures_util::future::BoxFuture;
use jumun_model::{Aggregate, Ask, Case, Event, Every, Follows, JsonSchema, Pool, Tally, View};
use jumun_store::Table;
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::Notify;

/// How much of the business hangs on a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// What the business is about.
    Core,
    /// What it needs for that.
    Supporting,
    /// What could be bought.
    General,
}
impl Rank {
    /// In lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Rank::Core => "core",
            Rank::Supporting => "supporting",
            Rank::General => "general",
        }
    }
}

/// What a policy is, for the board and the check: whenever this context says so, then that.
#[derive(Clone, Debug)]
pub struct Arrow {
    /// The policy's or view's name.
    pub name: &'static str,
    /// Who publishes.
    pub from: &'static str,
    /// What is reached.
    pub to: &'static str,
}

/// One bounded context.
pub struct Context {
    /// Its name.
    pub name: &'static str,
    /// Its rank.
    pub rank: Rank,
    /// Its local port, before any offset.
    pub port: u16,
    pub(crate) kept: Vec<Arc<dyn Kept>>,
    pub(crate) shown: Vec<Arc<dyn Shown>>,
    pub(crate) parts: Parts,
}

/// What hangs on something kept.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) reactions: Vec<Arc<dyn Reaction>>,
    pub(crate) sweeping: Vec<Arc<dyn Sweeping>>,
    pub(crate) answers: Vec<Arc<dyn Answers>>,
    pub(crate) doors: Vec<Arc<dyn Collection>>,
    pub(crate) publishes: BTreeSet<&'static str>,
}

impl Context {
    /// A context with nothing in it yet.
    pub fn named(name: &'static str, rank: Rank, port: u16) -> Self {
        Context { name, rank, port, kept: Vec::new(), shown: Vec::new(), parts: Parts::default() }
    }
    /// It keeps this aggregate or pool, with everything that reaches it.
    #[must_use]
    pub fn keeps<K: Keeping>(mut self, keeps: Keeps<K>) -> Self {
        let mut desk = Desk::<K>::new(keeps.settings);
        desk.asked = keeps.asks.iter().map(|(of, _)| *of).collect::<BTreeSet<_>>().into_iter().collect();
        let desk = Arc::new(desk);
        for part in keeps.parts {
            part(&desk, &mut self.parts);
        }
        self.parts.publishes.extend(K::Event::NAMES);
        self.kept.push(Arc::new(Keeper { desk, asks: keeps.asks }));
        self
    }
    /// It shows this view.
    #[must_use]
    pub fn shows<V: View>(mut self, shows: Shows<V>) -> Self {
        self.parts.doors.push((shows.door)(shows.path, shows.sight));
        self.shown.push(Arc::new(shows.viewer));
        self
    }
    /// Its collections, as the door shows them.
    pub fn doors(&self) -> &[Arc<dyn Collection>] {
        &self.parts.doors
    }
    /// What it follows: its policies and views.
    pub fn arrows(&self) -> Vec<Arrow> {
        let policies = self.parts.reactions.iter().map(|r| Arrow { name: r.name(), from: r.publisher(), to: r.target() });
        let views = self.shown.iter().flat_map(|view| {
            let name = view.table().name;
            view.publishers().into_iter().map(move |from| Arrow { name, from, to: name })
        });
        policies.chain(views).collect()
    }
    /// Who of it takes in, again, what that reader set aside of that publisher's facts.
    pub(crate) fn who_takes(&self, reader: &str, publisher: &str) -> Option<Arc<dyn Again>> {
        let policy = self.parts.reactions.iter().find(|policy| policy.name() == reader && policy.publisher() == publisher);
        let view = || self.shown.iter().find(|shown| shown.table().name == reader && shown.publishers().contains(&publisher));
        let again = |policy: &Arc<dyn Reaction>| Arc::new(Arc::clone(policy)) as Arc<dyn Again>;
        policy.map(again).or_else(|| view().map(|shown| Arc::new(Arc::clone(shown)) as Arc<dyn Again>))
    }
    /// What it asks: of whom, and what.
    pub fn asks(&self) -> Vec<(&'static str, &'static str)> {
        self.kept.iter().flat_map(|kept| kept.asks()).collect()
    }
    /// What it answers.
    pub fn answers(&self) -> Vec<&'static str> {
        self.parts.answers.iter().map(|answers| answers.name()).collect()
    }
    /// Whether it keeps nothing but views, so that all it has can be built anew.
    pub fn only_shows(&self) -> bool {
        self.kept.is_empty()
    }
    /// The tables of its store.
    pub fn layout(&self) -> Vec<Table> {
        let kept = self.kept.iter().map(|kept| kept.table());
        let shown = self.shown.iter().flat_map(|shown| std::iter::once(shown.table()).chain(shown.tallies()));
        kept.chain(shown).chain(self.parts.sweeping.iter().map(|s| s.table())).collect()
    }
}

type Part<K> = Box<dyn FnOnce(&Arc<Desk<K>>, &mut Parts)>;

/// One aggregate or pool, and everything that reaches it: read it aloud.
pub struct Keeps<K: Keeping> {
    settings: K::Settings,
    asks: Vec<(&'static str, &'static str)>,
    parts: Vec<Part<K>>,
}

/// Keeps this aggregate; `settings` is what its `owes` is given.
pub fn keep<A: Aggregate>(settings: A::Settings) -> Keeps<Whole<A>> {
    Keeps { settings, asks: Vec::new(), parts: Vec::new() }
}
/// Keeps this pool.
pub fn keep_pool<P: Pool>() -> Keeps<Shared<P>> {
    Keeps { settings: (), asks: Vec::new(), parts: Vec::new() }
}

impl<K: Keeping> Keeps<K> {
    fn part(mut self, part: impl FnOnce(&Arc<Desk<K>>, &mut Parts) + 'static) -> Self {
        self.parts.push(Box::new(part));
        self
    }
    /// Its `owes`, or its answers, ask this.
    #[must_use]
    pub fn asks<Q: Ask>(mut self) -> Self {
        self.asks.push((Q::OF, Q::NAME));
        self
    }
    /// It is seen and reached through this door.
    #[must_use]
    pub fn door(self, door: Door<K>) -> Self {
        self.part(|desk, parts| parts.doors.push(door.with(Arc::clone(desk))))
    }
    /// Whenever this fact, then this command to every one with that value under that key; page by page, each once.
    #[must_use]
    pub fn whenever_every<E: Event>(self, name: &'static str, wish: fn(&E) -> Option<Every<K::Command>>) -> Self {
        self.part(move |desk, parts| {
            // a table's name lives as long as the process, as all the others do
            let table: &'static str = format!("every{name}").leak();
            let every = Arc::new(WheneverEvery { name, table, desk: Arc::clone(desk), wish, bell: Notify::new() });
            parts.sweeping.push(Arc::clone(&every) as Arc<dyn Sweeping>);
            parts.reactions.push(every);
        })
    }
}

impl<A: Aggregate> Keeps<Whole<A>> {
    /// Whenever this fact, then that command to the aggregate of the same case. The name is the policy's identity in the store.
    #[must_use]
    pub fn whenever<E: Event>(self, name: &'static str, wish: fn(&E) -> Option<A::Command>) -> Self {
        self.follows(name, wish, From::TheFirst)
    }
    /// As [`Keeps::whenever`], of what is said from the policy's first start on: for one that is added later.
    #[must_use]
    pub fn whenever_from_now<E: Event>(self, name: &'static str, wish: fn(&E) -> Option<A::Command>) -> Self {
        self.follows(name, wish, From::Now)
    }
    fn follows<E: Event>(self, name: &'static str, wish: fn(&E) -> Option<A::Command>, from: From) -> Self {
        self.part(move |desk, parts| parts.reactions.push(Arc::new(Whenever { name, desk: Arc::clone(desk), wish, from })))
    }
    /// Answers this ask with a command, and with what is then the state.
    #[must_use]
    pub fn answers<Q: Ask>(self, wish: fn(&Q) -> A::Command, answer: fn(&A) -> Q::Answer) -> Self {
        self.part(move |desk, parts| parts.answers.push(Arc::new(Simply { desk: Arc::clone(desk), wish, answer })))
    }
    /// Answers this ask with an errand first, where the state calls for one: its outcome rides in the command. One commit; should the
    /// process die in between, whoever asked asks again, and the errand's key makes the repeat harmless.
    #[must_use]
    pub fn answers_after<Q: Ask, E: Ask>(
        mut self,
        errand: fn(&A, &Case, &Q) -> Option<E>,
        wish: fn(&Q, Option<E::Answer>) -> A::Command,
        answer: fn(&A) -> Q::Answer,
    ) -> Self {
        self.asks.push((E::OF, E::NAME));
        self.part(move |desk, parts| parts.answers.push(Arc::new(After { desk: Arc::clone(desk), errand, wish, answer })))
    }
}
impl<P: Pool> Keeps<Shared<P>> {
    /// Whenever this fact, then that command to the pool of that number, on the entry of the fact's case.
    #[must_use]
    pub fn whenever<E: Event>(self, name: &'static str, wish: fn(&E) -> Option<(u64, P::Command)>) -> Self {
        self.part(move |desk, parts| parts.reactions.push(Arc::new(WheneverPool { name, desk: Arc::clone(desk), wish })))
    }
    /// Answers this ask from the entry that its command leaves, or from the refusal: a *no* is not stored.
    #[must_use]
    pub fn answers<Q: Ask>(
        self,
        wish: fn(&Q) -> (u64, P::Command),
        answer: fn(Result<&P::Entry, P::Refusal>) -> Q::Answer,
    ) -> Self {
        self.part(move |desk, parts| parts.answers.push(Arc::new(FromPool { desk: Arc::clone(desk), wish, answer })))
    }
}

/// A view and whom it follows.
pub struct Shows<V> {
    path: &'static str,
    sight: Sight,
    viewer: Viewer<V>,
    door: Box<dyn FnOnce(&'static str, Sight) -> Arc<dyn Collection>>,
}
/// Shows this view under that path.
pub fn show<V: View + JsonSchema>(path: &'static str) -> Shows<V> {
    let door = Box::new(|path, sight| Seen::<V>::at(path, sight, None));
    Shows { path, sight: Sight::default(), viewer: Viewer::new(fields_of::<V>()), door }
}
impl<V: View> Shows<V> {
    /// Not its rows are seen, but what they sum up to.
    #[must_use]
    pub fn summed_up<T: Tally<V> + JsonSchema>(mut self, per: Per<T>) -> Self {
        let totals = per.totals;
        self.viewer.tallies.push(Box::new(per));
        Shows { door: Box::new(move |path, sight| Seen::<T>::at(path, sight, totals)), ..self }
    }
    /// Callers of that role see their own rows alone: those with their name under that key.
    #[must_use]
    pub fn owned_by(self, key: &'static str, role: &'static str) -> Self {
        Shows { sight: self.sight.owned_by(key, role), ..self }
    }
    /// Callers of that role see all of it.
    #[must_use]
    pub fn seen_by(self, role: &'static str) -> Self {
        Shows { sight: self.sight.seen_by([role]), ..self }
    }
    /// It follows this context's facts.
    #[must_use]
    pub fn follows<E: Event>(mut self) -> Self
    where
        V: Follows<E>,
    {
        self.viewer.follows::<E>();
        self
    }
}

/// The wire's fields of a document, for the plain SQL view. They live as long as the process, as all names do.
pub(crate) fn fields_of<T: Default + serde::Serialize>() -> &'static [&'static str] {
    let fields = match serde_json::to_value(T::default()) {
        Ok(Value::Object(fields)) => {
            fields.into_iter().map(|(name, _)| name).filter(|name| name != jumun_model::hidden()).collect()
        }
        _ => Vec::new(),
    };
    fields.into_iter().map(|name: String| &*name.leak()).collect::<Vec<_>>().leak()
}

/// Something kept, erased.
pub(crate) trait Kept: Send + Sync {
    fn table(&self) -> Table;
    /// The root of its cases.
    fn root(&self) -> &'static str;
    /// What the command is called that such a state owes at its moment.
    fn at_its_moment(&self, body: &str, case: &Case) -> Option<String>;
    fn asks(&self) -> Vec<(&'static str, &'static str)>;
    /// What its rule does, found by trying it.
    fn explore(&self) -> Explored;
    fn keep_promises(&self, core: Arc<Core>) -> BoxFuture<'static, ()>;
    /// Forgets what it has in memory: it may be of another life.
    fn forget(&self);
}
struct Keeper<K: Keeping> {
    desk: Arc<Desk<K>>,
    asks: Vec<(&'static str, &'static str)>,
}
impl<K: Keeping> Kept for Keeper<K> {
    fn table(&self) -> Table {
        Table { name: K::NAME, keys: K::KEYS, entries: K::POOL, fields: fields_of::<K::Root>() }
    }
    fn root(&self) -> &'static str {
        K::ROOT
    }
    fn at_its_moment(&self, body: &str, case: &Case) -> Option<String> {
        let root = serde_json::from_str(body).ok()?;
        K::owes(&root, case, &self.desk.settings).moment.map(|moment| board::named(&moment.command))
    }
    fn asks(&self) -> Vec<(&'static str, &'static str)> {
        self.asks.clone()
    }
    fn explore(&self) -> Explored {
        board::explore::<K>(&self.desk.settings)
    }
    fn keep_promises(&self, core: Arc<Core>) -> BoxFuture<'static, ()> {
        Box::pin(Arc::clone(&self.desk).keep_promises(core))
    }
    fn forget(&self) {
        self.desk.forget();
    }
}

/// Something that answers, erased.
pub(crate) trait Answers: Send + Sync {
    fn name(&self) -> &'static str;
    /// Of what the command is with which it answers.
    fn target(&self) -> &'static str;
    /// How that is called for such a question.
    fn probe(&self, question: &Value) -> Option<String>;
    fn answer<'a>(&'a self, core: &'a Arc<Core>, asked: &'a Asked) -> BoxFuture<'a, Result<Value, Unanswered>>;
}
struct Simply<A: Aggregate, Q: Ask> {
    desk: Arc<Desk<Whole<A>>>,
    wish: fn(&Q) -> A::Command,
    answer: fn(&A) -> Q::Answer,
}
struct After<A: Aggregate, Q: Ask, E: Ask> {
    desk: Arc<Desk<Whole<A>>>,
    errand: fn(&A, &Case, &Q) -> Option<E>,
    wish: fn(&Q, Option<E::Answer>) -> A::Command,
    answer: fn(&A) -> Q::Answer,
}
struct FromPool<P: Pool, Q: Ask> {
    desk: Arc<Desk<Shared<P>>>,
    wish: fn(&Q) -> (u64, P::Command),
    answer: fn(Result<&P::Entry, P::Refusal>) -> Q::Answer,
}

fn question<Q: Ask>(asked: &Asked) -> Result<Q, Unanswered> {
    serde_json::from_value(asked.body.clone()).map_err(|why| Unanswered::NotSent(format!("{} can not be read: {why}", Q::NAME)))
}
fn told(answer: &impl serde::Serialize) -> Result<Value, Unanswered> {
    serde_json::to_value(answer).map_err(|why| Unanswered::Unknown(why.to_string()))
}
fn wish<'a, K: Keeping>(asked: &'a Asked, number: u64, command: K::Command) -> Wish<'a, K> {
    Wish { number, trace: asked.trace.as_deref(), cause: Some(&asked.key), ..Wish::of_system(&asked.case, command) }
}
fn unanswered<R: jumun_model::Refusal>(core: &Core, asked: &Asked, why: Failure<R>) -> Unanswered {
    if let Failure::Refused(no) = &why {
        core.defect("ask", &format!("{}: {} was refused: {no}", asked.case, asked.name));
    }
    Unanswered::Unknown(format!("{why:?}"))
}

impl<A: Aggregate, Q: Ask> Answers for Simply<A, Q> {
    fn name(&self) -> &'static str {
        Q::NAME
    }
    fn target(&self) -> &'static str {
        A::NAME
    }
    fn probe(&self, question: &Value) -> Option<String> {
        Some(board::named(&(self.wish)(&Q::deserialize(question).ok()?)))
    }
    fn answer<'a>(&'a self, core: &'a Arc<Core>, asked: &'a Asked) -> BoxFuture<'a, Result<Value, Unanswered>> {
        Box::pin(async move {
            let command = (self.wish)(&question::<Q>(asked)?);
            let state = self
                .desk
                .handle(core, wish(asked, asked.case.number, command))
                .await
                .map_err(|why| unanswered(core, asked, why))?;
            told(&(self.answer)(&state.root))
        })
    }
}
impl<A: Aggregate, Q: Ask, E: Ask> Answers for After<A, Q, E> {
    fn name(&self) -> &'static str {
        Q::NAME
    }
    fn target(&self) -> &'static str {
        A::NAME
    }
    fn probe(&self, question: &Value) -> Option<String> {
        Some(board::named(&(self.wish)(&Q::deserialize(question).ok()?, None)))
    }
    fn answer<'a>(&'a self, core: &'a Arc<Core>, asked: &'a Asked) -> BoxFuture<'a, Result<Value, Unanswered>> {
        Box::pin(async move {
            let question = question::<Q>(asked)?;
            let number = asked.case.number;
            let before = self.desk.state(core, number).await.map_err(|why| unanswered(core, asked, why))?;
            let outcome = match (self.errand)(&before.root, &asked.case, &question) {
                None => None,
                Some(errand) => {
                    let body = told(&errand)?;
                    let errand = Asked { of: E::OF, name: E::NAME, body, ..asked.clone() };
                    core.ask(errand).await.ok().and_then(|answer| serde_json::from_value(answer).ok())
                }
            };
            let command = (self.wish)(&question, outcome);
            let state = self.desk.handle(core, wish(asked, number, command)).await.map_err(|why| unanswered(core, asked, why))?;
            told(&(self.answer)(&state.root))
        })
    }
}
impl<P: Pool, Q: Ask> Answers for FromPool<P, Q> {
    fn name(&self) -> &'static str {
        Q::NAME
    }
    fn target(&self) -> &'static str {
        P::NAME
    }
    fn probe(&self, question: &Value) -> Option<String> {
        Some(board::named(&(self.wish)(&Q::deserialize(question).ok()?).1))
    }
    fn answer<'a>(&'a self, core: &'a Arc<Core>, asked: &'a Asked) -> BoxFuture<'a, Result<Value, Unanswered>> {
        Box::pin(async move {
            let (number, command) = (self.wish)(&question::<Q>(asked)?);
            match self.desk.handle(core, wish(asked, number, command)).await {
                Ok(state) => told(&(self.answer)(Ok(&state.entry))),
                Err(Failure::Refused(no)) => told(&(self.answer)(Err(no))),
                Err(why) => Err(unanswered(core, asked, why)),
            }
        })
    }
}
