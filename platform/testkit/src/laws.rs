//! What holds of every rule, whatever happens in whatever order.
use crate::{Given, NOON, Rule, given};
use jumun_model::{Event, Refusal};
use proptest::{
    collection::vec,
    sample::select,
    strategy::Strategy,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestCaseResult, TestError, TestRng, TestRunner},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Debug, time::Duration};

/// The longest run of commands that is tried.
const STEPS: usize = 12;

/// The laws, for one rule.
#[must_use = "nothing is tried before `hold`"]
pub struct Laws<R: Rule> {
    from: R,
    samples: Vec<R::Command>,
    may_be_refused: Box<dyn Fn(&R::Command) -> bool>,
    repeatable: Box<dyn Fn(&R::Command) -> bool>,
}

/// The laws for a rule whose commands these are samples of: at least one of each. Unless it says otherwise, none is ever refused, and
/// each is empty when it is repeated.
pub fn laws<R: Rule>(samples: impl IntoIterator<Item = R::Command>) -> Laws<R> {
    let samples: Vec<_> = samples.into_iter().collect();
    assert!(!samples.is_empty(), "laws need commands to try");
    Laws { from: R::default(), samples, may_be_refused: Box::new(|_| false), repeatable: Box::new(|_| true) }
}

impl<R: Rule + PartialEq + 'static> Laws<R>
where
    R::Event: PartialEq,
{
    /// Every run begins here, rather than at nothing.
    pub fn from(self, state: R) -> Self {
        Laws { from: state, ..self }
    }
    /// These are users' wishes, which may be refused; all others are total.
    pub fn users(self, wishes: impl Fn(&R::Command) -> bool + 'static) -> Self {
        Laws { may_be_refused: Box::new(wishes), ..self }
    }
    /// These, done twice, do a second thing.
    pub fn not_repeatable(self, wishes: impl Fn(&R::Command) -> bool + 'static) -> Self {
        Laws { repeatable: Box::new(move |command| !wishes(command)), ..self }
    }

    /// Tries them on many runs of commands, always the same ones:
    /// - whoever is not a user is never refused, however late the wish comes;
    /// - a refusal and an empty decision change nothing, and the same wish again is empty;
    /// - a fact is named as its JSON says, and is known to its context;
    /// - facts and states survive their JSON.
    ///
    /// # Panics
    /// If one does not hold: with the shortest run that shows it.
    #[track_caller]
    pub fn hold(self) {
        let runs = vec(select(self.samples.clone()), 0..=STEPS);
        if let Some((run, why)) = fails(&runs, |run| self.run(run)) {
            panic!("\n    from {:?}\nafter {run:?}\n{why}", self.from);
        }
    }

    fn run(&self, commands: Vec<R::Command>) -> TestCaseResult {
        let mut stands = given(self.from.clone());
        for (step, command) in (1..).zip(commands) {
            stands = stands.at(NOON + Duration::from_secs(step));
            stands = self.step(stands, command).map_err(TestCaseError::fail)?;
        }
        Ok(())
    }
    fn step(&self, before: Given<R>, command: R::Command) -> Result<Given<R>, String> {
        let facts = match before.clone().when(command.clone()).into_got() {
            Ok(facts) => facts,
            Err(_) if (self.may_be_refused)(&command) => return Ok(before),
            Err(no) => return Err(format!("{command:?} is no user's, and was refused: {no:?} ({})", no.code())),
        };
        for fact in &facts {
            let json = serde_json::to_value(fact).map_err(|why| format!("{fact:?} can not be written: {why}"))?;
            let name = fact.name();
            if json["eventType"] != name {
                return Err(format!("{fact:?} is named {name}, but its JSON says {}", json["eventType"]));
            }
            if !R::Event::NAMES.contains(&name) {
                return Err(format!("{name} is not among the facts of {}", R::Event::CONTEXT));
            }
            survives(fact)?;
        }
        let after = before.clone().after(facts);
        survives(after.state())?;
        if (self.repeatable)(&command) {
            match after.clone().when(command.clone()).into_got() {
                Ok(facts) if facts.is_empty() => {}
                Ok(facts) => return Err(format!("{command:?} repeated says {facts:?}")),
                Err(no) => return Err(format!("{command:?} repeated is refused: {no:?}")),
            }
        }
        Ok(after)
    }
}

fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(what: &T) -> Result<(), String> {
    let json = serde_json::to_string(what).map_err(|why| format!("{what:?} can not be written: {why}"))?;
    match serde_json::from_str::<T>(&json) {
        Ok(read) if read == *what => Ok(()),
        Ok(read) => Err(format!("{what:?} is written as {json}, and read as {read:?}")),
        Err(why) => Err(format!("{what:?} is written as {json}, and not read: {why}")),
    }
}

/// Checks many values, always the same ones.
///
/// # Panics
/// If the check does: with the simplest value for which it does.
#[track_caller]
pub fn for_all<S: Strategy>(values: S, check: impl Fn(S::Value)) {
    if let Some((value, why)) = fails(&values, |value| {
        check(value);
        Ok(())
    }) {
        panic!("\nfor {value:?}\n{why}");
    }
}

/// The simplest value that fails, and why.
pub(crate) fn fails<S: Strategy>(values: &S, check: impl Fn(S::Value) -> TestCaseResult) -> Option<(S::Value, String)> {
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    match runner.run(values, check) {
        Ok(()) => None,
        Err(TestError::Fail(why, value)) => Some((value, why.message().to_owned())),
        Err(TestError::Abort(why)) => panic!("nothing could be tried: {why}"),
    }
}

/// Every order in which these sequences can arrive when each keeps its own.
pub fn interleavings<T: Clone>(sequences: &[Vec<T>]) -> Vec<Vec<T>> {
    if sequences.iter().all(Vec::is_empty) {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (index, sequence) in sequences.iter().enumerate() {
        let Some((first, rest)) = sequence.split_first() else { continue };
        let mut left = sequences.to_vec();
        left[index] = rest.to_vec();
        all.extend(interleavings(&left).into_iter().map(|rest| [vec![first.clone()], rest].concat()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Pooled,
        toys::{Bell, Chest, Do, Take, failure},
    };
    use jumun_model::{Aggregate, Kind, Occasion};
    use serde::Deserialize;

    fn bell() -> Laws<Bell> {
        laws([Do::Hang, Do::Ring(1), Do::Ring(2)])
    }
    fn rings(command: &Do) -> bool {
        matches!(command, Do::Ring(_))
    }

    #[test]
    fn a_rule_that_keeps_the_laws_passes() {
        bell().users(rings).not_repeatable(rings).hold();
        let chest = || laws::<Pooled<Chest>>([Take::One, Take::Refill]).users(|take| *take == Take::One);
        chest().not_repeatable(|take| *take == Take::Refill).from(Pooled { root: Chest { left: 1 }, entry: false }).hold();
    }

    #[test]
    fn the_shortest_run_that_breaks_a_law_is_told() {
        assert_eq!(
            failure(|| bell().not_repeatable(rings).hold()),
            "\n    from Bell { hung: false, rung: 0 }\nafter [Ring(1)]\nRing(1) is no user's, and was refused: NotThere (not-there)"
        );
        let told = failure(|| bell().users(rings).hold());
        assert!(
            told.contains("after [Hang, Ring(1)]\nRing(1) repeated says [Rung { at: 2026-01-01T12:00:02.000Z, times: 1 }]"),
            "{told}"
        );
        assert_eq!(failure(|| laws::<Bell>([])), "laws need commands to try");
    }

    #[test]
    fn what_is_named_otherwise_than_written_or_lost_in_its_json_is_told() {
        let told = |lie: Lie| failure(move || laws::<Liar>([lie]).hold());
        assert!(
            told(Lie::Name).contains("Said(Lost { lie: Name }) is named Truth, but its JSON says \"Said\""),
            "{}",
            told(Lie::Name)
        );
        assert!(told(Lie::Unlisted).contains("Unknown is not among the facts of lies"), "{}", told(Lie::Unlisted));
        assert!(told(Lie::Fact).contains("is written as {\"eventType\":\"Said\"}, and not read"), "{}", told(Lie::Fact));
        assert!(
            told(Lie::State).contains(
                "Liar { told: 1, refuses: false } is written as {\"refuses\":false}, and read as Liar { told: 0, refuses: false }"
            ),
            "{}",
            told(Lie::State)
        );
        assert!(told(Lie::Refused).contains("Refused repeated is refused: Liars"), "{}", told(Lie::Refused));
    }

    #[test]
    fn a_check_of_many_values_tells_the_simplest_that_fails() {
        for_all(0..100_u64, |n| assert!(n < 100));
        assert!(failure(|| for_all(0..100_u64, |n| assert!(n < 10, "too many"))).starts_with("\nfor 10\ntoo many"));
    }

    #[test]
    fn sequences_arrive_in_every_order_that_keeps_their_own() {
        assert_eq!(interleavings::<char>(&[vec![], vec![]]), [vec![]]);
        let all = interleavings(&[vec!['a', 'b'], vec!['1', '2']]);
        let words: Vec<String> = all.iter().map(|order| order.iter().collect()).collect();
        assert_eq!(words, ["ab12", "a1b2", "a12b", "1ab2", "1a2b", "12ab"]);
    }

    /// Breaks one law for each wish.
    #[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize)]
    struct Liar {
        #[serde(skip)]
        told: u64,
        refuses: bool,
    }
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    enum Lie {
        Name,
        Unlisted,
        Fact,
        State,
        Refused,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "eventType")]
    enum Say {
        Said(Lost),
        Nothing,
        Never,
        #[serde(rename = "Unknown")]
        Other,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Lost {
        #[serde(skip_serializing)]
        lie: Lie,
    }
    impl Event for Say {
        const CONTEXT: &'static str = "lies";
        const NAMES: &'static [&'static str] = &["Said", "Nothing", "Never"];
        fn name(&self) -> &'static str {
            match self {
                Say::Said(Lost { lie: Lie::Name }) => "Truth",
                Say::Said(_) => "Said",
                Say::Nothing => "Nothing",
                Say::Never => "Never",
                Say::Other => "Unknown",
            }
        }
    }
    #[derive(Debug, thiserror::Error)]
    #[error("no")]
    struct Liars;
    impl Refusal for Liars {
        fn code(&self) -> &'static str {
            "liar"
        }
        fn kind(&self) -> Kind {
            Kind::Conflict
        }
    }
    impl Aggregate for Liar {
        const NAME: &'static str = "liar";
        const ROOT: &'static str = "liar";
        type Command = Lie;
        type Event = Say;
        type Refusal = Liars;
        type Settings = ();
        fn decide(&self, _: &Occasion, lie: Lie) -> Result<Vec<Say>, Liars> {
            match lie {
                Lie::Unlisted => Ok(vec![Say::Other]),
                Lie::State => Ok(vec![Say::Nothing]),
                Lie::Refused if self.refuses => Err(Liars),
                Lie::Refused => Ok(vec![Say::Never]),
                Lie::Name | Lie::Fact => Ok(vec![Say::Said(Lost { lie })]),
            }
        }
        fn evolve(&mut self, _: &Occasion, fact: &Say) {
            match fact {
                Say::Never => self.refuses = true,
                _ => self.told += 1,
            }
        }
    }
}
