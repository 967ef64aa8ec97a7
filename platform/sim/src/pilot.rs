//! Who steers: from the seed, what happens at each port call; and the trace of all of them.
use crate::sites::Sites;
use jumun_runtime::Clock;
use std::{
    collections::VecDeque,
    fmt::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Before a port call, or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The call is not made.
    Before,
    /// The call is made (a commit: is durable), and its answer reaches nobody.
    After,
}

/// How likely each fault is, in 100,000 calls.
#[derive(Clone, Copy, Default, Debug)]
pub struct Faults {
    /// The context dies before a call.
    pub crash_before: u32,
    /// The context dies after a call.
    pub crash_after: u32,
    /// A call takes up to 20 ms.
    pub slow: u32,
    /// A group of changes is refused by the store.
    pub refused: u32,
    /// Nobody takes the ask.
    pub not_sent: u32,
    /// The ask gets lost.
    pub ask_lost: u32,
    /// The reply gets lost.
    pub reply_lost: u32,
    /// The ask arrives twice.
    pub doubled: u32,
    /// The ask, or its copy, arrives up to 30 s late.
    pub late: u32,
    /// The reply arrives up to 900 ms late.
    pub reply_late: u32,
}

/// What shall go wrong.
#[derive(Clone, Copy, Debug)]
pub enum Plan {
    /// Nothing.
    Calm,
    /// These faults, as the seed has it, until the story has been played.
    Storm(Faults),
    /// The context that makes the call of that number (from 1) dies there.
    CrashAt(u64, When),
    /// The context that makes the call of that number (from 1) at that site dies there.
    CrashIn(&'static str, u64, When),
}
impl Plan {
    /// A storm whose weather is the seed's own: each kind of fault is absent, rare or frequent.
    pub fn storm(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5707_12c0_ffee);
        let mut of = |rare: u32, often: u32| [0, rare, often][rng.usize(..3)];
        Plan::Storm(Faults {
            crash_before: of(100, 1_000),
            crash_after: of(100, 1_000),
            slow: of(2_000, 30_000),
            refused: of(500, 5_000),
            not_sent: of(2_000, 20_000),
            ask_lost: of(2_000, 20_000),
            reply_lost: of(2_000, 20_000),
            doubled: of(5_000, 30_000),
            late: of(2_000, 20_000),
            reply_late: of(2_000, 40_000),
        })
    }
}

/// What happens around one call.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Passage {
    pub(crate) dies: Option<When>,
    pub(crate) takes: Option<Duration>,
    pub(crate) refused: bool,
}
/// What becomes of an ask.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fate {
    pub(crate) not_sent: bool,
    /// How long each copy is under way; an empty list: it is lost.
    pub(crate) copies: Vec<Duration>,
    pub(crate) reply_lost: bool,
    pub(crate) reply_takes: Duration,
}

pub(crate) struct Pilot {
    pub(crate) clock: Arc<dyn Clock>,
    state: Mutex<State>,
}
struct State {
    rng: fastrand::Rng,
    plan: Plan,
    calls: u64,
    hash: Fnv,
    last: VecDeque<String>,
    sites: Sites,
    line: String,
    /// Whether every line is kept: `JUMUN_TRACE=1`.
    whole: bool,
}
/// How many calls are kept for whoever looks into a failure.
const LAST: usize = 400;

impl Pilot {
    pub(crate) fn new(seed: u64, plan: Plan, clock: Arc<dyn Clock>) -> Self {
        let (hash, sites) = (Fnv::default(), Sites::default());
        let rng = fastrand::Rng::with_seed(seed);
        let whole = std::env::var_os("JUMUN_TRACE").is_some();
        let (last, line) = (VecDeque::new(), String::new());
        Pilot { clock, state: Mutex::new(State { rng, plan, calls: 0, hash, last, sites, line, whole }) }
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// From now on nothing goes wrong.
    pub(crate) fn calm(&self) {
        self.state().plan = Plan::Calm;
    }
    /// A number from 0 up to but without `end`.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.state().rng.u64(..end.max(1))
    }
    /// How long a dead context stays dead.
    pub(crate) fn pause(&self) -> Duration {
        let mut on = self.state();
        match on.plan {
            Plan::Storm(_) => Duration::from_millis(on.rng.u64(1..3_000)),
            Plan::Calm | Plan::CrashAt(..) | Plan::CrashIn(..) => Duration::from_millis(100),
        }
    }
    /// How long a store takes to make a group durable.
    pub(crate) fn sync(&self) -> Duration {
        let mut on = self.state();
        match on.plan {
            Plan::Storm(_) => Duration::from_millis(on.rng.u64(..6)),
            Plan::Calm | Plan::CrashAt(..) | Plan::CrashIn(..) => Duration::from_millis(1),
        }
    }
    /// A call is made: part of the trace, and perhaps the last one of its context.
    pub(crate) fn enter(&self, context: &'static str, site: &'static str, what: fmt::Arguments<'_>) -> Passage {
        let now = self.clock.elapsed().as_millis();
        let mut on = self.state();
        on.calls += 1;
        on.sites.at(context, site).reached += 1;
        let mut passage = Passage::default();
        match on.plan {
            Plan::Calm => {}
            Plan::CrashAt(call, when) => passage.dies = (call == on.calls).then_some(when),
            Plan::CrashIn(there, call, when) => {
                passage.dies = (there == site && call == on.sites.of(site).reached).then_some(when);
            }
            Plan::Storm(faults) => {
                // a stop is rare in a storm, so death comes likelier there: else some storms' worth of seeds never see it
                let chance = on.rng.u32(..100_000) / if site == "store.close" { 16 } else { 1 };
                passage.dies = match chance {
                    n if n < faults.crash_before => Some(When::Before),
                    n if n < faults.crash_before + faults.crash_after => Some(When::After),
                    _ => None,
                };
                if on.rng.u32(..100_000) < faults.slow {
                    passage.takes = Some(Duration::from_millis(on.rng.u64(1..20)));
                }
                passage.refused = site == "store.commit" && on.rng.u32(..100_000) < faults.refused;
            }
        }
        match passage.dies {
            Some(When::Before) => on.sites.at(context, site).crashed_before += 1,
            Some(When::After) => on.sites.at(context, site).crashed_after += 1,
            None => {}
        }
        // reads are part of the hash, and of the last lines only where somebody dies
        let keep = !site.starts_with("store.") || site == "store.commit" || passage.dies.is_some();
        on.trace(keep, format_args!("{now} {context} {site} {what}{}", Dies(passage.dies)));
        passage
    }
    /// What becomes of an ask.
    pub(crate) fn fate(&self) -> Fate {
        let mut on = self.state();
        let Plan::Storm(faults) = on.plan else { return Fate { copies: vec![Duration::ZERO], ..Fate::default() } };
        let mut hit = |likely: u32| on.rng.u32(..100_000) < likely;
        let (not_sent, lost, reply_lost) = (hit(faults.not_sent), hit(faults.ask_lost), hit(faults.reply_lost));
        let copies = usize::from(!lost) + usize::from(hit(faults.doubled));
        let late: Vec<bool> = (0..copies).map(|_| hit(faults.late)).collect();
        let reply_late = hit(faults.reply_late);
        let mut takes = |late: bool, most: u64| Duration::from_millis(on.rng.u64(..if late { most } else { 30 }));
        let copies = late.into_iter().map(|late| takes(late, 30_000)).collect();
        Fate { not_sent, copies, reply_lost, reply_takes: takes(reply_late, 900) }
    }
    /// Anything else worth a line in the trace.
    pub(crate) fn note(&self, what: fmt::Arguments<'_>) {
        let now = self.clock.elapsed().as_millis();
        self.state().trace(true, format_args!("{now} {what}"));
    }
    pub(crate) fn trace_hash(&self) -> u64 {
        self.state().hash.0
    }
    pub(crate) fn calls(&self) -> u64 {
        self.state().calls
    }
    pub(crate) fn sites(&self) -> Sites {
        self.state().sites.clone()
    }
    pub(crate) fn last(&self) -> Vec<String> {
        self.state().last.iter().cloned().collect()
    }
}
impl State {
    fn trace(&mut self, keep: bool, what: fmt::Arguments<'_>) {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let _ = line.write_fmt(what);
        self.hash.take(line.as_bytes());
        if !keep && !self.whole {
            self.line = line;
            return;
        }
        if self.last.len() >= LAST && !self.whole {
            self.line = self.last.pop_front().unwrap_or_default();
        }
        self.last.push_back(line);
    }
}

struct Dies(Option<When>);
impl fmt::Display for Dies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some(When::Before) => f.write_str(" † before"),
            Some(When::After) => f.write_str(" † after"),
        }
    }
}

/// FNV-1a of 64 bits: the same in every process and version. After Fowler, Noll and Vo.
struct Fnv(u64);
impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}
impl Fnv {
    fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes.iter().chain(b"\n") {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        let of = |text: &str| {
            let mut hash = Fnv::default();
            for &byte in text.as_bytes() {
                hash.0 = (hash.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
            hash.0
        };
        assert_eq!((of(""), of("a"), of("foobar")), (0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c, 0x8594_4171_f739_67e8));
        let mut hash = Fnv::default();
        hash.take(b"a");
        assert_eq!(hash.0, of("a\n"));
    }
}
