//! A till that hands its takings to a safe. A careful safe takes each once, however often it is asked; a careless one does not, and the
//! simulation finds that out.
use jumun_model::*;
use jumun_runtime::{
    Context, Rank, Surroundings, System, door,
    door::{Reply, Verb},
    keep, show,
};
use jumun_sim::{Outcome, Plan, SITES, Story, Unreachable, When, World, all, call, calls, run};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{cell::RefCell, collections::BTreeSet, convert::Infallible, time::Duration};
use strum::{IntoStaticStr, VariantNames};

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Never(Infallible);
impl Refusal for Never {
    fn code(&self) -> &'static str {
        match self.0 {}
    }
    fn kind(&self) -> Kind {
        match self.0 {}
    }
}

mod safe {
    use super::*;

    /// What a case brought.
    #[derive(Clone, Default, Debug, Serialize, Deserialize, schemars::JsonSchema)]
    pub(crate) struct Bag {
        pub(crate) sum: u64,
        pub(crate) full: bool,
    }
    #[derive(Clone, Debug)]
    pub(crate) enum Do {
        Put(u64),
        /// Without a look at what is there already.
        Throw(u64),
    }
    #[derive(Clone, Debug, Serialize, Deserialize, IntoStaticStr, VariantNames)]
    #[serde(tag = "eventType")]
    pub(crate) enum Fact {
        Locked { sum: u64 },
    }
    impl Event for Fact {
        const CONTEXT: &'static str = "safe";
        const NAMES: &'static [&'static str] = Self::VARIANTS;
        fn name(&self) -> &'static str {
            self.into()
        }
    }
    #[derive(Serialize, Deserialize)]
    pub(crate) struct Lock(pub(crate) u64);
    impl Ask for Lock {
        const OF: &'static str = "safe";
        const NAME: &'static str = "lock";
        type Answer = bool;
    }
    impl Aggregate for Bag {
        const NAME: &'static str = "bag";
        const ROOT: &'static str = "sale";
        type Command = Do;
        type Event = Fact;
        type Refusal = Never;
        type Settings = ();
        fn decide(&self, _: &Occasion, command: Do) -> Result<Vec<Fact>, Never> {
            Ok(match command {
                Do::Put(_) if self.full => vec![],
                Do::Put(sum) | Do::Throw(sum) => vec![Fact::Locked { sum }],
            })
        }
        fn evolve(&mut self, _: &Occasion, Fact::Locked { sum }: &Fact) {
            (self.sum, self.full) = (self.sum + sum, true);
        }
    }
    pub(crate) fn context(careful: bool) -> Context {
        let put: fn(&Lock) -> Do = if careful { |lock| Do::Put(lock.0) } else { |lock| Do::Throw(lock.0) };
        Context::named("safe", Rank::Supporting, 2).keeps(keep::<Bag>(()).answers::<Lock>(put, |bag| bag.full))
    }
}
mod till {
    use super::*;

    #[derive(Clone, Default, Debug, Serialize, Deserialize, schemars::JsonSchema)]
    pub(crate) struct Sale {
        pub(crate) sum: u64,
        pub(crate) locked: bool,
    }
    #[derive(Clone, Debug)]
    pub(crate) enum Do {
        Sell(u64),
        Locked,
    }
    #[derive(Clone, Debug, Serialize, Deserialize, IntoStaticStr, VariantNames)]
    #[serde(tag = "eventType")]
    pub(crate) enum Fact {
        Sold { sum: u64 },
        PutAway {},
    }
    impl Event for Fact {
        const CONTEXT: &'static str = "till";
        const NAMES: &'static [&'static str] = Self::VARIANTS;
        fn name(&self) -> &'static str {
            self.into()
        }
    }
    impl Aggregate for Sale {
        const NAME: &'static str = "sale";
        const ROOT: &'static str = "sale";
        type Command = Do;
        type Event = Fact;
        type Refusal = Never;
        type Settings = ();
        fn decide(&self, _: &Occasion, command: Do) -> Result<Vec<Fact>, Never> {
            Ok(match command {
                Do::Sell(sum) if self.sum == 0 => vec![Fact::Sold { sum }],
                Do::Locked if !self.locked => vec![Fact::PutAway {}],
                Do::Sell(_) | Do::Locked => vec![],
            })
        }
        fn evolve(&mut self, _: &Occasion, fact: &Fact) {
            match fact {
                Fact::Sold { sum } => self.sum = *sum,
                Fact::PutAway {} => self.locked = true,
            }
        }
        fn owes(&self, _: &Case, (): &()) -> Owes<Do> {
            if self.locked || self.sum == 0 {
                Owes::nothing()
            } else {
                Owes::ask(&safe::Lock(self.sum), |full| full.then_some(Do::Locked))
            }
        }
    }
    #[derive(Clone, Default, Debug, Serialize, Deserialize, schemars::JsonSchema)]
    pub(crate) struct Book {
        lines: Vec<String>,
    }
    impl View for Book {
        const NAME: &'static str = "book";
    }
    impl Follows<Fact> for Book {
        fn follow(&mut self, _: &Occasion, event: &Fact) {
            self.lines.push(event.name().to_owned());
        }
    }
    pub(crate) fn context() -> Context {
        #[derive(Deserialize, schemars::JsonSchema)]
        struct Sell {
            sum: u64,
        }
        let door = door::collection::<Sale>("/sales").opens("seller", |body: Sell| Ok(Do::Sell(body.sum)), |_| Ok(()));
        Context::named("till", Rank::Core, 1).keeps(keep::<Sale>(()).asks::<safe::Lock>().door(door))
    }
    pub(crate) fn book() -> Context {
        Context::named("book", Rank::General, 3).shows(show::<Book>("/book").follows::<Fact>())
    }
}

#[derive(Default)]
struct Day {
    careful: bool,
    known: RefCell<BTreeSet<u64>>,
}
impl Story for Day {
    fn system(&mut self, _: &Surroundings<'_>) -> System {
        let contexts = vec![till::context(), safe::context(self.careful), till::book()];
        System { name: "day", topic: "day", contexts, providers: Vec::new() }
    }
    async fn play(&self, world: &World) {
        for _ in 0..3 {
            if let Ok(Ok(Reply::Opened(shape) | Reply::NotYet(shape))) =
                world.call("/sales", Verb::Open, call(None, json!({ "sum": 5 }))).await
            {
                self.known.borrow_mut().insert(shape.number);
            }
            tokio::time::sleep(Duration::from_millis(world.below(500))).await;
        }
    }
    fn always(&self, world: &World) -> Vec<String> {
        let sales = world.bodies("till", "sale");
        self.known
            .borrow()
            .iter()
            .filter(|number| !sales.contains_key(number))
            .map(|number| format!("sale {number} is lost"))
            .collect()
    }
    fn settled(&self, world: &World) -> Vec<String> {
        let (sales, bags) = (world.bodies("till", "sale"), world.bodies("safe", "bag"));
        let of = |number| bags.get(number).map_or(0, |bag| bag["sum"].as_u64().unwrap_or(0));
        sales
            .keys()
            .filter(|number| of(number) != 5)
            .map(|number| format!("of sale {number}, {} is in the safe", of(number)))
            .collect()
    }
    fn rebuilt(&self) -> &'static [&'static str] {
        &["book"]
    }
}
fn storm(seed: u64, careful: bool) -> Outcome {
    run(seed, Plan::storm(seed), Day { careful, ..Day::default() })
}

#[test]
fn a_careful_safe_holds_in_any_storm() {
    assert_eq!(all(0..150, |seed| storm(seed, true)).runs, 150);
}

#[test]
fn a_careless_safe_is_found_out_by_a_storm_and_its_seed_shows_it_again() {
    let found = (0..150).map(|seed| storm(seed, false)).find(|outcome| !outcome.violations.is_empty()).expect("it is found out");
    assert!(found.violations[0].contains("of sale"), "{:?}", found.violations);
    let again = storm(found.seed, false);
    assert_eq!((again.trace_hash, again.violations, again.last), (found.trace_hash, found.violations, found.last));
}

#[test]
fn a_careless_safe_is_found_out_by_a_single_crash_and_a_careful_one_stands_all_of_them() {
    let day = |careful| Day { careful, ..Day::default() };
    let all = calls(3, day(true));
    let hit = |careful| {
        let each = (1..=all).flat_map(|call| [When::Before, When::After].map(|when| Plan::CrashAt(call, when)));
        each.filter(|&plan| !run(3, plan, day(careful)).violations.is_empty()).count()
    };
    assert_eq!(hit(true), 0);
    assert!(hit(false) > 0);
}

#[test]
fn every_call_is_counted_at_a_registered_site() {
    let outcome = storm(1, true);
    assert!(outcome.sites.0.keys().all(|(_, site)| SITES.contains(site)));
    assert_eq!(outcome.sites.0.values().map(|seen| seen.reached).sum::<u64>(), outcome.calls);
    let excused = |site, why, crashed_by| Unreachable { site, why, crashed_by };
    let gaps = outcome.sites.gaps(&[
        excused("store.story", "nobody looks", "a_story_is_told_whole_whoever_dies_over_it"),
        excused("store.commit", "which is not true", "nor_is_this_a_test"),
    ]);
    assert!(gaps.contains(&"no test nor_is_this_a_test of the suite crashes store.commit".to_owned()), "{gaps:?}");
    assert!(gaps.contains(&"store.commit is said to be out of reach, and was reached".to_owned()), "{gaps:?}");
    assert!(
        gaps.contains(&"store.load_entry was never reached".to_owned()) && !gaps.iter().any(|gap| gap.contains("store.story")),
        "{gaps:?}"
    );
}

#[test]
fn in_a_calm_world_a_story_waits_for_conditions_only() {
    jumun_sim::paused(async {
        let world = World::up(1, |around| Day { careful: true, ..Day::default() }.system(around)).await;
        let Ok(Reply::Opened(sale)) = world.post("/sales", json!({ "sum": 5 })).await else { panic!("not sold") };
        world.settle().await;
        assert_eq!(world.story("sale/1"), ["till Sold", "till PutAway", "safe Locked"]);
        assert_eq!(world.get("/book", sale.number).await["lines"], json!(["Sold", "PutAway"]));
        world.stop("safe").await;
        assert!(matches!(world.post("/sales", json!({ "sum": 5 })).await, Ok(Reply::NotYet(_))));
        assert!(world.settled_within(Duration::from_secs(30)).await.is_err(), "it can not settle while the safe is away");
        world.restart("till").await;
        world.start("safe").await;
        world.settle().await;
        assert_eq!(world.bodies("safe", "bag")[&2]["sum"], 5);
    });
}
