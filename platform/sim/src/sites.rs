//! The registry of port sites, and how far a run came in it.
use std::{collections::BTreeMap, fmt};

/// Every port site: each method of the store, the sending of an ask, and the answer of a provider.
pub const SITES: &[&str] = &[
    "store.commit",
    "store.load",
    "store.load_entry",
    "store.find",
    "store.changed",
    "store.due",
    "store.moments",
    "store.next_due",
    "store.owing",
    "store.overdue",
    "store.tail",
    "store.story",
    "store.position",
    "store.claimed",
    "store.forget_claims",
    "store.asides",
    "store.set_aside",
    "store.reserve",
    "store.newest_fact",
    "store.newest_write",
    "store.release_leases",
    "store.close",
    "transport.send",
    "provider.answer",
];

/// The suite of crashes: for each site that a system's own flow may never reach, the test in this crate's `tests/suite.rs` in which a
/// context dies before and after every call there, in a system that does make them.
pub const SUITE: &[(&str, &str)] = &[
    ("store.load_entry", "a_seat_is_taken_once_whoever_dies_over_its_entry"),
    ("store.find", "everybody_is_told_once_whoever_dies_over_whom_to_tell"),
    ("store.changed", "a_reader_misses_no_row_whoever_dies_over_what_was_changed"),
    ("store.newest_write", "a_reader_misses_no_row_whoever_dies_over_the_newest_write"),
    ("store.next_due", "what_is_owed_is_done_whoever_dies_over_when_it_is_due"),
    ("store.owing", "what_is_owed_is_done_whoever_dies_over_how_much_it_is"),
    ("store.overdue", "what_is_owed_is_done_whoever_dies_over_how_much_is_overdue"),
    ("store.set_aside", "what_is_owed_is_done_whoever_dies_over_what_is_set_aside"),
    ("store.story", "a_story_is_told_whole_whoever_dies_over_it"),
    ("provider.answer", "a_letter_is_answered_whoever_dies_over_it"),
];

/// A site that a system's own flow does not reach, why, and which test of the [`SUITE`] sees contexts die there instead.
#[derive(Clone, Copy, Debug)]
pub struct Unreachable {
    /// The site.
    pub site: &'static str,
    /// Why this flow never comes there.
    pub why: &'static str,
    /// The test.
    pub crashed_by: &'static str,
}

impl Unreachable {
    /// See the fields.
    pub const fn new(site: &'static str, why: &'static str, crashed_by: &'static str) -> Self {
        Unreachable { site, why, crashed_by }
    }
}

/// What a flow of wishes alone never comes to, in whatever system.
pub const ONLY_LOOKED_AT: &[Unreachable] = &[
    Unreachable::new(
        "store.changed",
        "nobody follows a stream here",
        "a_reader_misses_no_row_whoever_dies_over_what_was_changed",
    ),
    Unreachable::new(
        "store.newest_write",
        "nobody follows a stream here",
        "a_reader_misses_no_row_whoever_dies_over_the_newest_write",
    ),
    Unreachable::new(
        "store.next_due",
        "the runtime asks for what is due by target",
        "what_is_owed_is_done_whoever_dies_over_when_it_is_due",
    ),
    Unreachable::new("store.owing", "for operators' metrics", "what_is_owed_is_done_whoever_dies_over_how_much_it_is"),
    Unreachable::new("store.overdue", "for operators' metrics", "what_is_owed_is_done_whoever_dies_over_how_much_is_overdue"),
    Unreachable::new("store.set_aside", "for operators' metrics", "what_is_owed_is_done_whoever_dies_over_what_is_set_aside"),
    Unreachable::new("store.story", "for operators who look at a case", "a_story_is_told_whole_whoever_dies_over_it"),
];

/// What happened at one site.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Visits {
    /// How often it was called.
    pub reached: u64,
    /// How often the context died right before it.
    pub crashed_before: u64,
    /// How often the context died right after it.
    pub crashed_after: u64,
}

/// The sites of one run or of many, by context and name.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Sites(pub BTreeMap<(&'static str, &'static str), Visits>);
impl Sites {
    pub(crate) fn at(&mut self, context: &'static str, site: &'static str) -> &mut Visits {
        self.0.entry((context, site)).or_default()
    }
    /// Adds what another run visited.
    pub fn add(&mut self, other: &Sites) {
        for (&(context, site), seen) in &other.0 {
            let all = self.at(context, site);
            all.reached += seen.reached;
            all.crashed_before += seen.crashed_before;
            all.crashed_after += seen.crashed_after;
        }
    }
    /// One site in all contexts.
    pub fn of(&self, site: &str) -> Visits {
        self.0.iter().filter(|((_, name), _)| *name == site).fold(Visits::default(), |all, (_, seen)| Visits {
            reached: all.reached + seen.reached,
            crashed_before: all.crashed_before + seen.crashed_before,
            crashed_after: all.crashed_after + seen.crashed_after,
        })
    }
    /// What is not as it should be: a site that was never reached, or that no context ever died at on either side, though nobody said
    /// why; and one that somebody said can not be reached, and was, or whose test is not that of the [`SUITE`].
    pub fn gaps(&self, unreachable: &[Unreachable]) -> Vec<String> {
        let excused = |site: &str| unreachable.iter().any(|excused| excused.site == site);
        let tested = |excused: &&Unreachable| SUITE.contains(&(excused.site, excused.crashed_by));
        let untested = unreachable.iter().filter(|excused| !tested(excused));
        let mut gaps: Vec<_> = untested
            .map(|Unreachable { site, crashed_by, .. }| format!("no test {crashed_by} of the suite crashes {site}"))
            .collect();
        for site in SITES {
            let seen = self.of(site);
            match (excused(site), seen.reached) {
                (true, 0) => {}
                (true, _) => gaps.push(format!("{site} is said to be out of reach, and was reached")),
                (false, 0) => gaps.push(format!("{site} was never reached")),
                (false, _) if seen.crashed_before == 0 => gaps.push(format!("nobody ever died before {site}")),
                (false, _) if seen.crashed_after == 0 => gaps.push(format!("nobody ever died after {site}")),
                (false, _) => {}
            }
        }
        gaps
    }
}
impl fmt::Display for Sites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reached = SITES.iter().filter(|site| self.of(site).reached > 0).count();
        writeln!(f, "sites reached / registered: {reached} / {}", SITES.len())?;
        for site in SITES {
            let Visits { reached, crashed_before, crashed_after } = self.of(site);
            writeln!(f, "{site:22} {reached:9} calls, died {crashed_before:6} before, {crashed_after:6} after")?;
        }
        Ok(())
    }
}
