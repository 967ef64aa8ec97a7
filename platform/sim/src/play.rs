//! A story is played from a seed.
use crate::{defects::Defects, pilot::Plan, sites::Sites, world::World};
use jumun_runtime::{Settings, Surroundings, System};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// What is played, and what has to hold.
pub trait Story {
    /// Builds the system.
    fn system(&mut self, around: &Surroundings<'_>) -> System;
    /// What its users do. Faults happen as long as this lasts.
    fn play(&self, world: &World) -> impl Future<Output = ()>;
    /// The faults are over: whatever the story itself broke outside is whole again.
    fn heal(&self, _world: &World) {}
    /// What is wrong at any time.
    fn always(&self, _world: &World) -> Vec<String> {
        Vec::new()
    }
    /// What is wrong once the system has settled.
    fn settled(&self, _world: &World) -> Vec<String> {
        Vec::new()
    }
    /// Contexts of views alone, which are rebuilt at the end and have to be what they were.
    fn rebuilt(&self) -> &'static [&'static str] {
        &[]
    }
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What went wrong, as it was planned.
    pub plan: Plan,
    /// Equal for the same seed, in any process.
    pub trace_hash: u64,
    /// How many port calls were made.
    pub calls: u64,
    /// What did not hold.
    pub violations: Vec<String>,
    /// The sites that were reached.
    pub sites: Sites,
    /// The end of the trace, for whoever looks into a failure.
    pub last: Vec<String>,
}
impl Outcome {
    /// Fails the test if anything did not hold, with the end of the trace.
    ///
    /// # Panics
    /// Then.
    #[track_caller]
    pub fn expect(&self) {
        let (wrong, last) = (self.violations.join("\n- "), self.last.join("\n"));
        assert!(self.violations.is_empty(), "the end of the trace:\n{last}\n\nseed {}, {:?}:\n- {wrong}", self.seed, self.plan);
    }
}

/// How long a system may take to settle once the faults are over.
const TO_SETTLE: Duration = Duration::from_secs(600);
/// How often what always holds is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Plays a story from a seed, in a runtime of its own.
pub fn run<S: Story>(seed: u64, plan: Plan, mut story: S) -> Outcome {
    let defects = Defects::default();
    metrics::with_local_recorder(&defects, || {
        paused(async {
            let world = World::of(seed, plan, Settings::default(), |around| story.system(around));
            let mut violations = Vec::new();
            world.start_all().await;
            {
                let mut playing = std::pin::pin!(story.play(&world));
                // what always holds is looked at again and again while the story goes on
                while tokio::time::timeout(LOOK, playing.as_mut()).await.is_err() {
                    violations.extend(story.always(&world));
                    if !violations.is_empty() {
                        break;
                    }
                }
            }
            world.pilot().calm();
            story.heal(&world);
            world.start_all().await;
            // once as it is; and once more after a restart of everything, which delivers again what was not known to be taken in
            for life in ["", "after a restart: "] {
                let open = world.settled_within(TO_SETTLE).await.err().unwrap_or_default();
                let open = open.into_iter().map(|open| format!("it does not settle: {open}"));
                let wrong = open.chain(story.always(&world)).chain(story.settled(&world)).chain(world.set_aside());
                violations.extend(wrong.map(|wrong| format!("{life}{wrong}")));
                if !violations.is_empty() {
                    break;
                }
                for &name in world.contexts() {
                    world.restart(name).await;
                }
            }
            if violations.is_empty() && world.settled_within(TO_SETTLE).await.is_ok() {
                violations.extend(world.lagging());
            }
            for &context in story.rebuilt() {
                let before = views(&world, context);
                world.rebuild(context).await;
                let settled = world.settled_within(TO_SETTLE).await;
                if settled.is_err() || views(&world, context) != before {
                    violations
                        .push(format!("{context} rebuilt is not what it was: {before:?}, but {:?}", views(&world, context)));
                }
            }
            violations
                .extend(defects.found().into_iter().map(|(what, times)| format!("a defect was alarmed: {what}, {times} times")));
            let pilot = world.pilot();
            let outcome = Outcome {
                seed,
                plan,
                trace_hash: pilot.trace_hash(),
                calls: pilot.calls(),
                violations,
                sites: pilot.sites(),
                last: pilot.last(),
            };
            for &name in world.contexts() {
                world.kill(name);
            }
            outcome
        })
    })
}

/// What clients can see of a context's views; by number where a row has that of its case, else in no order: a sum that is built anew
/// may get another number.
fn views(world: &World, context: &'static str) -> BTreeMap<&'static str, Vec<(u64, String)>> {
    let of_cases = world.of_cases(context);
    let rows = |table| {
        let listed = world.documents(context, table).into_iter().filter(|row| row.listed);
        let number = |number| if of_cases.contains(&table) { number } else { 0 };
        let mut rows: Vec<_> = listed.map(|row| (number(row.number), row.body.to_string())).collect();
        rows.sort_unstable();
        (table, rows)
    };
    world.tables(context).into_iter().map(rows).collect()
}

/// What came of many runs.
#[derive(Clone, Default, Debug)]
pub struct Tally {
    /// How many.
    pub runs: u64,
    /// How many port calls they made.
    pub calls: u64,
    /// The sites that they reached.
    pub sites: Sites,
}

/// Plays each of these, as many at a time as there are processors; every run has a thread, a runtime and a world of its own.
///
/// # Panics
/// With the first outcome in which anything did not hold.
pub fn all<P: Copy + Send + Sync>(of: impl IntoIterator<Item = P>, play: impl Fn(P) -> Outcome + Sync) -> Tally {
    let of: Vec<P> = of.into_iter().collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut tally, mut failed) = (Tally::default(), None);
        while failed.is_none()
            && let at = next.fetch_add(1, Ordering::Relaxed)
            && let Some(&one) = of.get(at)
        {
            let outcome = play(one);
            tally.add(outcome.calls, &outcome.sites);
            failed = (!outcome.violations.is_empty()).then_some((at, outcome));
        }
        (tally, failed)
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let done: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a run does not panic")).collect()
    });
    let mut tally = Tally::default();
    let mut first: Option<(usize, Outcome)> = None;
    for (part, failed) in done {
        tally.runs += part.runs;
        tally.calls += part.calls;
        tally.sites.add(&part.sites);
        first = first.into_iter().chain(failed).min_by_key(|(at, _)| *at);
    }
    if let Some((_, outcome)) = first {
        outcome.expect();
    }
    tally
}
impl Tally {
    fn add(&mut self, calls: u64, sites: &Sites) {
        (self.runs, self.calls) = (self.runs + 1, self.calls + calls);
        self.sites.add(sites);
    }
}

/// How many port calls a story makes when nothing goes wrong.
pub fn calls<S: Story>(seed: u64, story: S) -> u64 {
    let outcome = run(seed, Plan::Calm, story);
    outcome.expect();
    outcome.calls
}

/// The seeds to play: `JUMUN_SEEDS` as `2000` or `17..18`, or else from 0 up to `count`.
///
/// # Panics
/// If `JUMUN_SEEDS` is neither.
pub fn seeds(count: u64) -> std::ops::Range<u64> {
    let Ok(wanted) = std::env::var("JUMUN_SEEDS") else { return 0..count };
    let number =
        |text: &str| text.trim().parse::<u64>().unwrap_or_else(|_| panic!("JUMUN_SEEDS={wanted} is no number and no range"));
    match wanted.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => 0..number(&wanted),
    }
}

/// Runs this in one thread, on a clock that only waiting moves.
///
/// # Panics
/// If there is no thread to be had.
pub fn paused<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime of one thread").block_on(what)
}
