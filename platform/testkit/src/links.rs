//! A link is shown exactly when the rule would do something, and looking changes nothing.
use crate::{NOON, laws::fails};
use jumun_model::{Aggregate, Caller, Case, Occasion, Timestamp};
use jumun_runtime::{
    Chance, Clock, Context, Neighbourhood, Running, Settings, System, TokioClock,
    door::{Collection, OPERATOR, Shape, Verb},
};
use jumun_store::{Change, Document, Marks, MemoryDisk, MemoryStore, Query, Store, Write};
use proptest::{collection::vec, sample::select, test_runner::TestCaseError};
use std::{cell::RefCell, collections::BTreeSet, sync::Arc, time::Duration};

/// The longest run of commands that is tried.
const STEPS: usize = 12;

/// The links of one aggregate's door.
#[must_use = "nothing is tried before `hold`"]
pub struct Links<A: Aggregate> {
    context: Arc<Context>,
    door: Arc<dyn Collection>,
    commands: Vec<(&'static str, A::Command)>,
    samples: Vec<A::Command>,
    /// Which links were ever seen shown, and which not.
    seen: RefCell<BTreeSet<(&'static str, bool)>>,
}

/// The links at the door of that path, where `commands` says what each of them wishes. They are looked at in all states to which runs of
/// the aggregate's examples lead.
///
/// # Panics
/// If the context has no such door, or the door's commands are not these.
#[track_caller]
pub fn links<A: Aggregate>(
    context: Context,
    path: &str,
    commands: impl IntoIterator<Item = (&'static str, A::Command)>,
) -> Links<A> {
    let door = context.doors().iter().find(|door| door.path() == path);
    let door = Arc::clone(door.unwrap_or_else(|| panic!("{} has no door {path}", context.name)));
    let commands: Vec<_> = commands.into_iter().collect();
    let offered = door.lines().iter().zip(door.commands()).filter_map(|(line, (_, wish))| match line.verb {
        Verb::Command(name) => Some((name, wish.unwrap_or_default())),
        Verb::Open | Verb::Edit => None,
    });
    let (offered, said): (BTreeSet<_>, BTreeSet<_>) =
        (offered.collect(), commands.iter().map(|(name, wish)| (*name, variant(wish))).collect());
    assert_eq!(offered, said, "the commands of {path}, and what they are said to be");
    Links { context: Arc::new(context), door, commands, samples: A::examples(), seen: RefCell::default() }
}
fn variant(wish: &impl std::fmt::Debug) -> String {
    format!("{wish:?}").chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

/// A case to which some wishes led.
struct Stands<A> {
    case: Case,
    state: A,
    version: u64,
    at: Timestamp,
}
impl<A: Aggregate> Stands<A> {
    fn after(number: u64, wishes: &[A::Command]) -> Self {
        let by = Caller::system();
        let mut stands = Stands { case: Case::new(A::ROOT, number), state: A::default(), version: 0, at: NOON };
        for (second, wish) in (1..).zip(wishes) {
            let case = stands.case.clone();
            let on = Occasion { case: &case, number, at: NOON + Duration::from_secs(second), by: &by, cause: None };
            for fact in stands.state.decide(&on, wish.clone()).unwrap_or_default() {
                stands.state.evolve(&on, &fact);
                (stands.version, stands.at) = (stands.version + 1, on.at);
            }
        }
        stands
    }
    fn is_seen(&self) -> bool {
        self.version > 0 && self.state.listed()
    }
    fn write(&self) -> Write {
        Write {
            table: A::NAME,
            number: self.case.number,
            expected: 0,
            version: self.version,
            listed: self.is_seen(),
            body: serde_json::to_string(&self.state).expect("a state is data").into(),
            at: self.at,
            keys: vec![None; A::KEYS.len()],
            attempt: None, // what it owes is nobody's business here: nothing but looking may happen
            moment: None,
            marks: Marks::new(),
        }
    }
}

impl<A: Aggregate> Links<A> {
    /// Looks at many runs, always the same ones, through the door of the running context, one by one and as a list:
    /// - a link is shown exactly when the rule, asked by itself, has facts to say to that wish of a caller who may;
    /// - looking commits nothing: no document and no journal moves;
    /// - each link is shown in some state, and not in another.
    ///
    /// # Panics
    /// If that does not hold: with the shortest run that shows it.
    #[track_caller]
    pub fn hold(self) {
        let runs = vec(select(self.samples.clone()), 0..=STEPS);
        let tried = |run: Vec<A::Command>| paused(self.look(&run)).map_err(TestCaseError::fail);
        if let Some((run, why)) = fails(&runs, tried) {
            panic!("\nafter {run:?}\n{why}");
        }
        for (name, _) in &self.commands {
            for shown in [true, false] {
                let word = if shown { "shown" } else { "left out" };
                assert!(self.seen.borrow().contains(&(name, shown)), "no run came to where the link {name} is {word}");
            }
        }
    }

    /// Every state on the way is a case of its own.
    async fn look(&self, run: &[A::Command]) -> Result<(), String> {
        let store = MemoryStore::open(&MemoryDisk::new(), self.context.layout()).map_err(|why| why.to_string())?;
        let cases: Vec<_> = (1..=run.len()).map(|steps| Stands::<A>::after(steps as u64, &run[..steps])).collect();
        let writes = cases.iter().filter(|case| case.version > 0).map(Stands::write).collect();
        store.commit(Change { writes, ..Change::default() }).durably().await.map_err(|why| why.to_string())?;
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::at(NOON + Duration::from_secs(60)));
        let alone = System { name: "links", topic: "links", contexts: Vec::new(), providers: Vec::new() };
        let around = Neighbourhood::of(&alone, Arc::clone(&clock), Arc::new(Chance::seeded(7)), Settings::default());
        let running = Running::start(Arc::clone(&self.context), Arc::new(store.clone()), &around).await;
        let running = running.map_err(|why| why.to_string())?;

        // an operator sees every row, also what has no owner
        let roles =
            self.door.lines().iter().flat_map(|line| line.roles.iter().copied()).chain([OPERATOR]).map(Into::into).collect();
        let by = Caller { name: "someone".into(), roles };
        let before = documents::<A>(&store).await;
        let all = Query { limit: u64::MAX, ..Query::default() };
        let listed = self.door.list(&running.core, &all, &by).await.map_err(|no| no.detail)?.rows;
        for case in &cases {
            let wanted = case.is_seen().then(|| self.wanted(case, &by, clock.now()));
            let one = self.door.item(&running.core, case.case.number, &by).await.ok();
            let in_list = listed.iter().find(|row| row.number == case.case.number);
            for (where_, shape) in [("by itself", one.as_ref()), ("in the list", in_list)] {
                let shown = shape.map(|Shape { links, .. }| links.clone());
                if shown != wanted {
                    return Err(format!("{:?}\nshows {where_} {shown:?}, and its rule would do {wanted:?}", case.state));
                }
            }
        }
        let (after, facts) = (documents::<A>(&store).await, *store.newest_fact().borrow());
        running.kill();
        if after != before || facts > 0 {
            return Err(format!("looking left {facts} facts, and {after:?} of {before:?}"));
        }
        Ok(())
    }
    /// What the rule itself says.
    fn wanted(&self, Stands { case, state, at, .. }: &Stands<A>, by: &Caller, now: Timestamp) -> Vec<&'static str> {
        let on = Occasion { case, number: case.number, at: now.max(*at), by, cause: None };
        let would = |wish: &A::Command| state.decide(&on, wish.clone()).is_ok_and(|facts| !facts.is_empty());
        let wanted = |(name, wish): &(&'static str, A::Command)| (*name, would(wish));
        let all: Vec<_> = self.commands.iter().map(wanted).collect();
        self.seen.borrow_mut().extend(all.iter().copied());
        all.into_iter().filter_map(|(name, would)| would.then_some(name)).collect()
    }
}

async fn documents<A: Aggregate>(store: &MemoryStore) -> Vec<Document> {
    let all = Query { limit: u64::MAX, unlisted: true, ..Query::default() };
    store.find(A::NAME, &all).await.expect("memory answers").rows
}
fn paused<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime of one thread").block_on(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toys::{Bell, Do, failure};
    use jumun_runtime::{Rank, door::collection, keep};

    fn tower() -> Context {
        let door = collection::<Bell>("/bells").command("hang", "sexton", || Do::Hang, |_| Ok(())).command(
            "ring",
            "ringer",
            || Do::Ring(1),
            |_| Ok(()),
        );
        Context::named("tower", Rank::Core, 1).keeps(keep::<Bell>(5).door(door))
    }

    #[test]
    fn a_link_that_is_never_seen_shown_is_told() {
        // what hangs is never taken down, and what does not hang is not seen
        let told = failure(|| links::<Bell>(tower(), "/bells", [("hang", Do::Hang), ("ring", Do::Ring(1))]).hold());
        assert_eq!(told, "no run came to where the link hang is shown");
    }

    #[test]
    fn a_door_that_is_described_otherwise_than_it_is_is_told() {
        let told = failure(|| drop(links::<Bell>(tower(), "/bells", [("hang", Do::Hang), ("ring", Do::Hang)])));
        assert!(told.contains("the commands of /bells") && told.contains("(\"ring\", \"Ring\")"), "{told}");
        assert!(failure(|| drop(links::<Bell>(tower(), "/gongs", []))).contains("tower has no door /gongs"));
    }

    #[test]
    fn a_rule_that_says_otherwise_when_it_is_only_looked_at_is_told() {
        // the door's ring is not the one that is said here, and a bell rings any other number of times but none
        let told = failure(|| links::<Bell>(tower(), "/bells", [("hang", Do::Hang), ("ring", Do::Ring(0))]).hold());
        assert!(told.contains("shows by itself Some([\"ring\"]), and its rule would do Some([])"), "{told}");
    }
}
