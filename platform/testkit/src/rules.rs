//! Given a state, when a command, then facts.
use jumun_model::{Aggregate, Caller, Case, Event, Moment, Occasion, Owes, Pool, Refusal, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{any::type_name, fmt::Debug};

/// 2026-01-01T12:00:00Z: when everything in a test happens, unless it says otherwise.
pub const NOON: Timestamp = Timestamp::from_millis(1_767_268_800_000);

/// Whatever decides: an aggregate, or a pool with the entry of a case.
pub trait Rule: Default + Clone + Debug + Serialize + DeserializeOwned {
    /// A wish.
    type Command: Clone + Debug;
    /// What it says.
    type Event: Event;
    /// Why not.
    type Refusal: Refusal;
    /// The case in which a test happens, unless it says otherwise: number 7.
    fn usual_case() -> Case;
    /// The number of whatever decides in that case.
    fn usual_number(case: &Case) -> u64;
    /// `decide` of the rule.
    ///
    /// # Errors
    /// Those of the rule.
    fn judge(&self, on: &Occasion, command: Self::Command) -> Result<Vec<Self::Event>, Self::Refusal>;
    /// `evolve` of the rule.
    fn fold(&mut self, on: &Occasion, event: &Self::Event);
}

impl<A: Aggregate> Rule for A {
    type Command = A::Command;
    type Event = A::Event;
    type Refusal = A::Refusal;
    fn usual_case() -> Case {
        Case::new(A::ROOT, 7)
    }
    fn usual_number(case: &Case) -> u64 {
        case.number
    }
    fn judge(&self, on: &Occasion, command: A::Command) -> Result<Vec<A::Event>, A::Refusal> {
        self.decide(on, command)
    }
    fn fold(&mut self, on: &Occasion, event: &A::Event) {
        self.evolve(on, event);
    }
}

/// A pool's root, and the entry of the case at hand.
#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "P: Pool")]
pub struct Pooled<P: Pool> {
    /// What is left, and the like.
    pub root: P,
    /// What the case holds of it.
    pub entry: P::Entry,
}
impl<P: Pool> Rule for Pooled<P> {
    type Command = P::Command;
    type Event = P::Event;
    type Refusal = P::Refusal;
    fn usual_case() -> Case {
        Case::new("case", 7)
    }
    /// 1, unless the case is the root's own.
    fn usual_number(case: &Case) -> u64 {
        if case.root == P::NAME { case.number } else { 1 }
    }
    fn judge(&self, on: &Occasion, command: P::Command) -> Result<Vec<P::Event>, P::Refusal> {
        self.root.decide(&self.entry, on, command)
    }
    fn fold(&mut self, on: &Occasion, event: &P::Event) {
        self.root.evolve(&mut self.entry, on, event);
    }
}

/// A state in its case, and when and by whom it is moved.
#[derive(Clone, Debug)]
pub struct Given<R, S = ()> {
    state: R,
    case: Case,
    number: u64,
    at: Timestamp,
    by: Caller,
    settings: S,
}

/// This state, in case 7, at [`NOON`].
pub fn given<R: Rule>(state: R) -> Given<R> {
    let case = R::usual_case();
    Given { state, number: R::usual_number(&case), case, at: NOON, by: Caller::system(), settings: () }
}
/// The state to which these facts lead from nothing.
pub fn given_facts<R: Rule>(facts: impl IntoIterator<Item = R::Event>) -> Given<R> {
    given(R::default()).after(facts)
}
/// This pool number 1, in which case 7 has this entry.
pub fn given_pool<P: Pool>(root: P, entry: P::Entry) -> Given<Pooled<P>> {
    given(Pooled { root, entry })
}

impl<R: Rule, S> Given<R, S> {
    /// From here on it is `at`.
    #[must_use]
    pub fn at(self, at: Timestamp) -> Self {
        Given { at, ..self }
    }
    /// From here on this one acts.
    #[must_use]
    pub fn by(self, by: Caller) -> Self {
        Given { by, ..self }
    }
    /// In this case; for a pool, its root's own case makes an operator of whoever acts.
    #[must_use]
    pub fn of(self, case: Case) -> Self {
        Given { number: R::usual_number(&case), case, ..self }
    }
    /// With what `owes` needs to know of the configuration.
    pub fn with<T>(self, settings: T) -> Given<R, T> {
        let Given { state, case, number, at, by, settings: _ } = self;
        Given { state, case, number, at, by, settings }
    }
    /// And then these facts, whether the rule would say them or not.
    #[must_use]
    pub fn after(mut self, facts: impl IntoIterator<Item = R::Event>) -> Self {
        for fact in facts {
            let on = Occasion { case: &self.case, number: self.number, at: self.at, by: &self.by, cause: None };
            self.state.fold(&on, &fact);
        }
        self
    }
    /// How it stands.
    pub fn state(&self) -> &R {
        &self.state
    }
    /// How it stands, for further use.
    pub fn into_state(self) -> R {
        self.state
    }
    /// What the rule says to this wish.
    pub fn when(self, command: R::Command) -> When<R, S> {
        let on = Occasion { case: &self.case, number: self.number, at: self.at, by: &self.by, cause: None };
        let got = self.state.judge(&on, command.clone());
        When { given: self, command, got }
    }
}

impl<A: Aggregate<Settings = S>, S> Given<A, S> {
    /// What it owes now.
    pub fn owed(&self) -> Owes<A::Command> {
        self.state.owes(&self.case, &self.settings)
    }
    /// It owes no ask and no moment.
    #[track_caller]
    pub fn owes_nothing(&self) -> &Self {
        let owes = self.owed();
        assert!(owes.is_nothing(), "\n   given {:?}\nexpected to owe nothing\n     got {owes:?}", self.state);
        self
    }
    /// It owes this ask, named with whom it asks: `pay.charge`.
    #[track_caller]
    pub fn owes(&self, ask: &str) -> &Self {
        let owes = self.owed();
        let got = owes.ask.as_ref().map(|ask| format!("{}.{}", ask.of, ask.name));
        assert!(got.as_deref() == Some(ask), "\n   given {:?}\nexpected to owe {ask}\n     got {owes:?}", self.state);
        self
    }
    /// It owes this wish at that moment.
    #[track_caller]
    pub fn owes_at(&self, at: Timestamp, command: A::Command) -> &Self
    where
        A::Command: PartialEq,
    {
        let owes = self.owed();
        let expected = Moment { at, command };
        assert!(owes.moment.as_ref() == Some(&expected), "\n   given {:?}\nexpected {expected:?}\n     got {owes:?}", self.state);
        self
    }
    /// It owes nothing at any moment: what it asks, it asks for as long as it takes.
    #[track_caller]
    pub fn without_end(&self) -> &Self {
        let owes = self.owed();
        assert!(owes.moment.is_none(), "\n   given {:?}\nexpected no moment\n     got {owes:?}", self.state);
        self
    }
}

/// What a rule said to a wish.
#[derive(Debug)]
#[must_use = "say what is expected"]
pub struct When<R: Rule, S = ()> {
    given: Given<R, S>,
    command: R::Command,
    got: Result<Vec<R::Event>, R::Refusal>,
}
impl<R: Rule, S> When<R, S> {
    /// Exactly these facts; gives the state after them.
    #[track_caller]
    pub fn then(self, facts: impl IntoIterator<Item = R::Event>) -> Given<R, S>
    where
        R::Event: PartialEq,
    {
        let facts: Vec<_> = facts.into_iter().collect();
        if !self.got.as_ref().is_ok_and(|got| *got == facts) {
            self.fail(&format!("{facts:?}"));
        }
        self.given.after(facts)
    }
    /// No fact and no refusal.
    #[track_caller]
    pub fn then_nothing(self) -> Given<R, S> {
        if !self.got.as_ref().is_ok_and(Vec::is_empty) {
            self.fail("nothing");
        }
        self.given
    }
    /// Refused, for this reason.
    #[track_caller]
    pub fn refused(self, no: R::Refusal) -> Given<R, S>
    where
        R::Refusal: PartialEq,
    {
        if !self.got.as_ref().is_err_and(|got| *got == no) {
            self.fail(&format!("refused: {no:?}"));
        }
        self.given
    }
    /// Refused, with this code.
    #[track_caller]
    pub fn refused_with(self, code: &str) -> Given<R, S> {
        if !self.got.as_ref().is_err_and(|got| got.code() == code) {
            self.fail(&format!("refused with {code}"));
        }
        self.given
    }
    pub(crate) fn into_got(self) -> Result<Vec<R::Event>, R::Refusal> {
        self.got
    }
    #[track_caller]
    fn fail(&self, expected: &str) -> ! {
        let Given { state, case, at, .. } = &self.given;
        let got = match &self.got {
            Ok(facts) => format!("{facts:?}"),
            Err(no) => format!("refused: {no:?} ({}): {no}", no.code()),
        };
        panic!("\n   given {state:?}\n      in {case} at {at}\n    when {:?}\nexpected {expected}\n     got {got}", self.command)
    }
}

/// A policy under test.
#[derive(Clone, Copy, Debug)]
pub struct Policy<F>(F);
/// This policy.
pub fn policy<F>(policy: F) -> Policy<F> {
    Policy(policy)
}
impl<F> Policy<F> {
    /// What it wants, given this fact.
    pub fn on<'e, E: Event, W>(&self, fact: &'e E) -> Wanted<'e, E, W>
    where
        F: Fn(&E) -> Option<W>,
    {
        Wanted { policy: type_name::<F>(), fact, got: (self.0)(fact) }
    }
}
/// What a policy wants on a fact.
#[derive(Debug)]
#[must_use = "say what is expected"]
pub struct Wanted<'e, E, W> {
    policy: &'static str,
    fact: &'e E,
    got: Option<W>,
}
impl<E: Debug, W: Debug> Wanted<'_, E, W> {
    /// Exactly this.
    #[track_caller]
    pub fn wants(self, command: W)
    where
        W: PartialEq,
    {
        let Wanted { policy, fact, got } = self;
        assert!(got.as_ref() == Some(&command), "\n  policy {policy}\n      on {fact:?}\nexpected {command:?}\n     got {got:?}");
    }
    /// Nothing.
    #[track_caller]
    pub fn wants_nothing(self) {
        let Wanted { policy, fact, got } = self;
        assert!(got.is_none(), "\n  policy {policy}\n      on {fact:?}\nexpected nothing\n     got {got:?}");
    }
}

/// The wish to which this answer to what is asked leads; none if it was *not yet*. The answer goes through its JSON, as from afar.
#[track_caller]
pub fn outcome<C: Debug>(owes: &Owes<C>, answer: impl Serialize) -> Option<C> {
    let answer = serde_json::to_value(answer).expect("an answer is data");
    let Some(ask) = &owes.ask else { panic!("nothing is asked, so {answer} answers nothing: {owes:?}") };
    (ask.then)(answer.clone()).unwrap_or_else(|why| panic!("{answer} does not answer {}.{}: {why}", ask.of, ask.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toys::{Answer, Bell, Chest, Do, Fact, Fetch, Found, No, Take, failure};
    use serde_json::json;
    use std::time::Duration;

    fn bell() -> Given<Bell> {
        given(Bell::default())
    }
    fn hung() -> Given<Bell, u64> {
        given(Bell { hung: true, rung: 0 }).with(5)
    }

    #[test]
    fn a_rule_is_told_of_case_and_time_and_its_facts_lead_on() {
        bell().when(Do::Hang).then([Fact::Hung { number: 7 }]).when(Do::Hang).then_nothing();
        let rung = given_facts::<Bell>([Fact::Hung { number: 7 }]).when(Do::Ring(1)).then([Fact::Rung { at: NOON, times: 1 }]);
        assert_eq!(rung.state().rung, 1);
        let later = NOON + Duration::from_secs(1);
        rung.at(later).when(Do::Ring(2)).then([Fact::Rung { at: later, times: 2 }]);
        bell().when(Do::Ring(1)).refused(No::NotThere).when(Do::Ring(2)).refused_with("not-there");
        bell().of(Case::new("bell", 9)).when(Do::Hang).then([Fact::Hung { number: 9 }]);
        assert_eq!(NOON.to_string(), "2026-01-01T12:00:00.000Z");
    }

    #[test]
    fn what_does_not_come_as_expected_is_told_with_all_that_was_given() {
        let tests: [(&str, fn()); 12] = [
            ("expected [Hung { number: 8 }]\n     got [Hung { number: 7 }]", || {
                drop(bell().when(Do::Hang).then([Fact::Hung { number: 8 }]))
            }),
            ("expected nothing\n     got [Hung { number: 7 }]", || drop(bell().when(Do::Hang).then_nothing())),
            ("expected []\n     got refused: NotThere (not-there): there is no bell", || drop(bell().when(Do::Ring(1)).then([]))),
            ("expected nothing\n     got refused: NotThere", || drop(bell().when(Do::Ring(1)).then_nothing())),
            ("expected refused: NotThere\n     got [Hung", || drop(bell().when(Do::Hang).refused(No::NotThere))),
            ("expected refused: Worn\n     got refused: NotThere", || drop(bell().when(Do::Ring(1)).refused(No::Worn))),
            ("expected refused with worn\n     got refused: NotThere", || drop(bell().when(Do::Ring(1)).refused_with("worn"))),
            ("   given Bell { hung: false, rung: 0 }\n      in bell/7 at 2026-01-01T12:00:00.000Z\n    when Hang\n", || {
                drop(bell().when(Do::Hang).then([]))
            }),
            ("expected to owe nothing\n     got Owes", || drop(hung().owes_nothing().clone())),
            ("expected to owe tower.climb\n     got Owes { ask: Some(\"tower.fetch", || drop(hung().owes("tower.climb").clone())),
            ("expected Moment", || drop(hung().owes_at(NOON, Do::Hang).clone())),
            ("expected no moment", || drop(hung().without_end().clone())),
        ];
        for (what, test) in tests {
            let said = failure(test);
            assert!(said.contains(what), "{what}\nis not in{said}");
        }
    }

    #[test]
    fn what_is_owed_is_read_with_the_settings_and_answered_through_json() {
        let owed = hung().owes("tower.fetch").owes_at(NOON + Duration::from_secs(5), Do::Hang).owed();
        assert_eq!(outcome(&owed, Found::Rope(3)), Some(Do::Ring(3)));
        assert_eq!(outcome(&owed, json!("nothing")), None);
        assert_eq!(owed.ask.as_ref().unwrap().body, json!(Fetch { bell: 7 }));
        bell().with(5).owes_nothing().without_end();
        assert!(failure(|| outcome(&hung().owed(), 7)).contains("7 does not answer tower.fetch"));
        assert!(failure(|| outcome(&bell().with(5).owed(), 7)).contains("nothing is asked"));
    }

    #[test]
    fn a_policy_wants_something_or_nothing() {
        fn ring_when_hung(fact: &Fact) -> Option<Do> {
            matches!(fact, Fact::Hung { .. }).then_some(Do::Ring(1))
        }
        const HUNG: Fact = Fact::Hung { number: 7 };
        const RUNG: Fact = Fact::Rung { at: NOON, times: 1 };
        policy(ring_when_hung).on(&HUNG).wants(Do::Ring(1));
        policy(ring_when_hung).on(&RUNG).wants_nothing();
        let said = failure(|| policy(ring_when_hung).on(&HUNG).wants(Do::Hang));
        assert!(said.contains("ring_when_hung\n      on Hung { number: 7 }\nexpected Hang\n     got Some(Ring(1))"), "{said}");
        assert!(failure(|| policy(ring_when_hung).on(&HUNG).wants_nothing()).contains("expected nothing\n     got Some"));
        assert!(failure(|| policy(ring_when_hung).on(&RUNG).wants(Do::Hang)).contains("got None"));
    }

    #[test]
    fn a_pool_is_given_with_the_entry_of_the_case() {
        let took = given_pool(Chest { left: 1 }, false).when(Take::One).then([Answer::Taken { root: 1, case: 7 }]);
        let again = took.when(Take::One).then_nothing();
        assert_eq!(again.into_state(), Pooled { root: Chest { left: 0 }, entry: true });
        given_pool(Chest { left: 0 }, false).when(Take::One).refused_with("worn");
        // an operator's wish on the root
        given_pool(Chest { left: 0 }, false).of(Case::new("chest", 4)).when(Take::Refill).then([Answer::Refilled { root: 4 }]);
    }
}
