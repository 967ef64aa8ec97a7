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
    "store.tail",
    "store.story",
    "store.position",
    "store.claimed",
    "store.forget_claims",
    "store.asides",
    "store.reserve",
    "store.newest_fact",
    "store.newest_write",
    "store.release_leases",
    "store.close",
    "transport.send",
    "provider.answer",
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
    /// why (`unreachable`: site and reason); and a site that somebody said can not be reached, and was.
    pub fn gaps(&self, unreachable: &[(&str, &str)]) -> Vec<String> {
        let excused = |site: &str| unreachable.iter().any(|(name, _)| *name == site);
        let mut gaps = Vec::new();
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
