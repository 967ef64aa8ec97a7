//! Leaves alone what is down, and finds out carefully when it is back.
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// When a [`Breaker`] opens, for how long, and what it takes to close it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerSettings {
    /// How many of the last calls are looked at, and how many it takes before the breaker opens at all; 0 is read as 1.
    pub window: u32,
    /// The share of them, from 0 to 1, that must have failed or been slow; above 1 it never opens.
    pub share: f64,
    /// A good answer that took longer than this counts as a bad one.
    pub slow: Duration,
    /// How long it stays open before it tries again.
    pub open_for: Duration,
    /// How many trial calls must be good before it closes, and how many may be under way at once; 0 is read as 1.
    pub trials: u32,
}
impl Default for BreakerSettings {
    /// Half of the last 20 calls failed or slower than 500 ms: open for 5 s, then 3 trials.
    fn default() -> Self {
        BreakerSettings { window: 20, share: 0.5, slow: Duration::from_millis(500), open_for: Duration::from_secs(5), trials: 3 }
    }
}

/// What a [`Breaker`] lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Every call.
    Closed,
    /// A few trial calls.
    HalfOpen,
    /// None.
    Open,
}
impl State {
    /// `closed`, `half_open` or `open`: for metrics and health.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::HalfOpen => "half_open",
            State::Open => "open",
        }
    }
}

/// Not admitted, nothing was sent. It makes sense to ask again at this moment, on the caller's own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenUntil(pub Duration);
impl fmt::Display for OpenUntil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the circuit breaker lets no call through now")
    }
}
impl std::error::Error for OpenUntil {}

/// A circuit breaker (Nygard, *Release It!*, "Circuit Breaker") over a window of the last calls. Clones share one breaker.
///
/// It has no clock: `now` is the time since any origin, as long as the caller keeps to one. It never waits, but for a lock that
/// is held for the few steps of one method. Looking and taking a trial are one step: however many threads ask at once, no more
/// are admitted than there are trials.
#[derive(Clone, Debug)]
pub struct Breaker(Arc<Mutex<Core>>);

impl Breaker {
    /// Closed, with an empty window.
    pub fn new(settings: BreakerSettings) -> Self {
        let settings = BreakerSettings { window: settings.window.max(1), trials: settings.trials.max(1), ..settings };
        Breaker(Arc::new(Mutex::new(Core { settings, phase: Phase::closed(), entered: [0; 3] })))
    }
    /// Asks whether a call may be made now. A permit is for one call, and wants a verdict.
    ///
    /// # Errors
    /// [`OpenUntil`] the moment that [`opens_at`](Breaker::opens_at) names, while it is open or all trials are under way.
    pub fn admit(&self, now: Duration) -> Result<Permit, OpenUntil> {
        let mut core = self.lock();
        if let Some(later) = core.opens_at(now) {
            return Err(OpenUntil(later));
        }
        if let Phase::HalfOpen { out, .. } = &mut core.phase {
            *out += 1;
        }
        Ok(Permit { breaker: self.clone(), stay: core.stay(), settled: false })
    }
    /// None if a call would be admitted now, else the moment at which asking makes sense again: the end of the open time, or 100 ms
    /// from now if all trials are under way. Takes nothing.
    pub fn opens_at(&self, now: Duration) -> Option<Duration> {
        self.lock().opens_at(now)
    }
    /// The state now. Open turns into half-open by time alone.
    pub fn state(&self, now: Duration) -> State {
        let mut core = self.lock();
        core.pass(now);
        core.phase.state()
    }
    /// How often each state was entered since the breaker was made; being made closed is not counted. Half-open is entered when
    /// `admit`, `opens_at` or `state` is first called after the open time, not at its end.
    pub fn transitions(&self) -> [(State, u64); 3] {
        let core = self.lock();
        [State::Closed, State::HalfOpen, State::Open].map(|state| (state, core.entered[state as usize]))
    }
    fn lock(&self) -> MutexGuard<'_, Core> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to make one call. Dropped without a verdict, as when the call is cancelled, it gives its trial back and counts
/// nothing.
///
/// A verdict counts only if the breaker has not changed its state since the permit was given.
#[derive(Debug)]
#[must_use = "a permit that is dropped says that the call was never made"]
pub struct Permit {
    breaker: Breaker,
    stay: u64,
    settled: bool,
}
impl Permit {
    /// The other side answered, after this long: a bad verdict if that is longer than [`BreakerSettings::slow`]. A refusal by
    /// the other side's rules is an answer too.
    pub fn good(self, now: Duration, took: Duration) {
        self.settle(now, Some(took));
    }
    /// The other side failed, or did not answer in time.
    pub fn bad(self, now: Duration) {
        self.settle(now, None);
    }
    fn settle(mut self, now: Duration, took: Option<Duration>) {
        self.settled = true;
        let mut core = self.breaker.lock();
        if core.stay() == self.stay {
            let good = took.is_some_and(|took| took <= core.settings.slow);
            core.count(now, good);
        }
    }
}
impl Drop for Permit {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let mut core = self.breaker.lock();
        if core.stay() == self.stay
            && let Phase::HalfOpen { out, .. } = &mut core.phase
        {
            *out -= 1;
        }
    }
}

#[derive(Debug)]
struct Core {
    settings: BreakerSettings,
    phase: Phase,
    entered: [u64; 3], // by State
}
#[derive(Debug)]
enum Phase {
    Closed { last: VecDeque<bool> },
    HalfOpen { out: u32, good: u32 }, // together never more than the trials
    Open { until: Duration },
}
impl Phase {
    fn closed() -> Self {
        Phase::Closed { last: VecDeque::new() }
    }
    fn state(&self) -> State {
        match self {
            Phase::Closed { .. } => State::Closed,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Open { .. } => State::Open,
        }
    }
}
impl Core {
    /// Half-open without a free trial: an answer may be there this much later.
    const SOON: Duration = Duration::from_millis(100);

    /// Which stay in a state this is; permits carry it.
    fn stay(&self) -> u64 {
        self.entered.iter().sum()
    }
    fn enter(&mut self, phase: Phase) {
        self.entered[phase.state() as usize] += 1;
        self.phase = phase;
    }
    /// All that time does by itself.
    fn pass(&mut self, now: Duration) {
        if matches!(self.phase, Phase::Open { until } if now >= until) {
            self.enter(Phase::HalfOpen { out: 0, good: 0 });
        }
    }
    fn opens_at(&mut self, now: Duration) -> Option<Duration> {
        self.pass(now);
        match self.phase {
            Phase::Closed { .. } => None,
            Phase::HalfOpen { out, good } if out + good < self.settings.trials => None,
            Phase::HalfOpen { .. } => Some(now.saturating_add(Self::SOON)),
            Phase::Open { until } => Some(until),
        }
    }
    /// A verdict on a call of this stay.
    fn count(&mut self, now: Duration, good: bool) {
        let BreakerSettings { window, share, open_for, trials, .. } = self.settings;
        let open = Phase::Open { until: now.saturating_add(open_for) };
        match &mut self.phase {
            Phase::Closed { last } => {
                last.push_back(good);
                if last.len() > window as usize {
                    last.pop_front();
                }
                let full = last.len() == window as usize;
                let bad = last.iter().filter(|good| !**good).count();
                if full && bad > 0 && bad as f64 / f64::from(window) >= share {
                    self.enter(open);
                }
            }
            Phase::HalfOpen { .. } if !good => self.enter(open),
            Phase::HalfOpen { out, good } => {
                (*out, *good) = (*out - 1, *good + 1);
                if *good == trials {
                    self.enter(Phase::closed());
                }
            }
            Phase::Open { .. } => {} // no permit is of such a stay
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Closed, HalfOpen, Open};
    use std::thread;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }
    fn fresh() -> Breaker {
        Breaker::new(BreakerSettings::default())
    }
    fn good(breaker: &Breaker, times: u32, now: Duration) {
        (0..times).for_each(|_| breaker.admit(now).unwrap().good(now, ms(40)));
    }
    fn bad(breaker: &Breaker, times: u32, now: Duration) {
        (0..times).for_each(|_| breaker.admit(now).unwrap().bad(now));
    }
    /// Open from 0 to 5 s.
    fn opened() -> Breaker {
        let breaker = fresh();
        bad(&breaker, 20, ms(0));
        breaker
    }

    #[test]
    fn it_does_not_open_before_the_window_is_full() {
        let breaker = fresh();
        bad(&breaker, 19, ms(0));
        assert_eq!(breaker.state(ms(0)), Closed);
        bad(&breaker, 1, ms(0));
        assert_eq!(breaker.state(ms(0)), Open);
    }

    #[test]
    fn half_of_the_window_opens_it_and_one_less_does_not() {
        let breaker = fresh();
        bad(&breaker, 9, ms(0));
        good(&breaker, 11, ms(0));
        assert_eq!(breaker.state(ms(0)), Closed);
        let breaker = fresh();
        bad(&breaker, 10, ms(0));
        good(&breaker, 10, ms(0));
        assert_eq!(breaker.state(ms(0)), Open);
    }

    #[test]
    fn calls_before_the_window_are_forgotten() {
        let breaker = fresh();
        good(&breaker, 11, ms(0));
        bad(&breaker, 9, ms(0));
        good(&breaker, 20, ms(0));
        bad(&breaker, 9, ms(0));
        assert_eq!(breaker.state(ms(0)), Closed);
        bad(&breaker, 1, ms(0));
        assert_eq!(breaker.state(ms(0)), Open);
    }

    #[test]
    fn an_answer_counts_as_bad_if_it_took_longer_than_the_limit() {
        for (took, state) in [(500, Closed), (501, Open)] {
            let breaker = fresh();
            (0..20).for_each(|_| breaker.admit(ms(0)).unwrap().good(ms(took), ms(took)));
            assert_eq!(breaker.state(ms(took)), state, "{took} ms");
        }
    }

    #[test]
    fn a_share_that_no_binary_fraction_holds_opens_at_just_that_share() {
        let breaker = Breaker::new(BreakerSettings { window: 100, share: 0.07, ..Default::default() });
        good(&breaker, 93, ms(0));
        bad(&breaker, 7, ms(0));
        assert_eq!(breaker.state(ms(0)), Open);
    }

    #[test]
    fn good_calls_alone_never_open_it_whatever_the_share() {
        let breaker = Breaker::new(BreakerSettings { share: 0.0, ..Default::default() });
        good(&breaker, 40, ms(0));
        assert_eq!(breaker.state(ms(0)), Closed);
        let breaker = Breaker::new(BreakerSettings { share: 1.1, ..Default::default() });
        bad(&breaker, 40, ms(0));
        assert_eq!(breaker.state(ms(0)), Closed);
    }

    #[test]
    fn an_open_one_admits_nobody_before_its_time_is_up_and_says_when_that_is() {
        let breaker = fresh();
        bad(&breaker, 19, ms(0));
        assert_eq!(breaker.opens_at(ms(0)), None);
        bad(&breaker, 1, ms(1_000)); // the open time begins with the verdict
        assert_eq!(breaker.opens_at(ms(5_999)), Some(ms(6_000)));
        assert_eq!(breaker.admit(ms(5_999)).unwrap_err(), OpenUntil(ms(6_000)));
        assert_eq!(breaker.opens_at(ms(6_000)), None);
        assert_eq!(breaker.state(ms(6_000)), HalfOpen);
        assert!(breaker.admit(ms(6_000)).is_ok());
    }

    #[test]
    fn no_more_calls_are_out_than_there_are_trials_left_to_pass() {
        let breaker = opened();
        let [one, _two, _three] = [(); 3].map(|()| breaker.admit(ms(5_000)).unwrap());
        assert_eq!(breaker.admit(ms(5_000)).unwrap_err(), OpenUntil(ms(5_100)));
        one.good(ms(5_040), ms(40)); // two out, one passed: nobody else is needed
        assert_eq!(breaker.opens_at(ms(5_040)), Some(ms(5_140)));
        assert_eq!(breaker.state(ms(5_040)), HalfOpen);
    }

    #[test]
    fn trials_that_are_all_good_close_it_with_an_empty_window() {
        let breaker = opened();
        good(&breaker, 2, ms(5_000));
        assert_eq!(breaker.state(ms(5_000)), HalfOpen);
        good(&breaker, 1, ms(5_000));
        assert_eq!(breaker.state(ms(5_000)), Closed);
        bad(&breaker, 19, ms(5_000));
        assert_eq!(breaker.state(ms(5_000)), Closed);
    }

    #[test]
    fn one_bad_or_slow_trial_opens_it_again_for_the_whole_time() {
        for took in [None, Some(ms(501))] {
            let breaker = opened();
            good(&breaker, 2, ms(5_000));
            let trial = breaker.admit(ms(5_000)).unwrap();
            match took {
                None => trial.bad(ms(7_000)),
                Some(took) => trial.good(ms(7_000), took),
            }
            assert_eq!(breaker.opens_at(ms(7_000)), Some(ms(12_000)));
        }
    }

    #[test]
    fn a_trial_that_is_dropped_gives_its_place_back_and_proves_nothing() {
        let breaker = opened();
        let trials = [(); 3].map(|()| breaker.admit(ms(5_000)).unwrap());
        drop(trials);
        assert_eq!(breaker.state(ms(5_000)), HalfOpen);
        good(&breaker, 2, ms(5_000));
        assert_eq!(breaker.state(ms(5_000)), HalfOpen);
        good(&breaker, 1, ms(5_000));
        assert_eq!(breaker.state(ms(5_000)), Closed);
    }

    #[test]
    fn a_call_that_is_dropped_while_it_is_closed_is_not_in_the_window() {
        let breaker = fresh();
        bad(&breaker, 19, ms(0));
        (0..20).for_each(|_| drop(breaker.admit(ms(0))));
        assert_eq!(breaker.state(ms(0)), Closed);
        bad(&breaker, 1, ms(0));
        assert_eq!(breaker.state(ms(0)), Open);
    }

    #[test]
    fn late_verdicts_of_an_earlier_stay_move_nothing() {
        let breaker = fresh();
        let mut late: Vec<_> = (0..60).map(|_| breaker.admit(ms(0)).unwrap()).collect();
        bad(&breaker, 20, ms(0));
        late.pop().unwrap().bad(ms(4_000)); // while open: the time is not drawn out
        assert_eq!(breaker.opens_at(ms(4_000)), Some(ms(5_000)));
        assert_eq!(breaker.state(ms(5_000)), HalfOpen);
        (0..3).for_each(|_| late.pop().unwrap().good(ms(5_000), ms(40)));
        assert_eq!(breaker.state(ms(5_000)), HalfOpen);
        late.pop().unwrap().bad(ms(5_000));
        assert_eq!(breaker.state(ms(5_000)), HalfOpen);
        good(&breaker, 3, ms(5_000));
        late.into_iter().for_each(|permit| permit.bad(ms(6_000)));
        assert_eq!(breaker.state(ms(6_000)), Closed);
    }

    #[test]
    fn a_trial_of_an_earlier_stay_that_is_dropped_late_frees_no_place() {
        let breaker = opened();
        let [one, two] = [(); 2].map(|()| breaker.admit(ms(5_000)).unwrap());
        one.bad(ms(5_000));
        let _out = [(); 3].map(|()| breaker.admit(ms(10_000)).unwrap());
        drop(two);
        assert!(breaker.admit(ms(10_000)).is_err());
    }

    #[test]
    fn however_many_threads_ask_at_once_only_the_trials_are_admitted() {
        let breaker = opened();
        let asked: Vec<_> = thread::scope(|s| {
            let threads: Vec<_> = (0..16).map(|_| s.spawn(|| breaker.admit(ms(5_000)))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(asked.iter().filter(|permit| permit.is_ok()).count(), 3);
    }

    #[test]
    fn each_entry_of_a_state_is_counted_once_however_often_one_looks() {
        let breaker = fresh();
        assert_eq!(breaker.transitions(), [(Closed, 0), (HalfOpen, 0), (Open, 0)]);
        bad(&breaker, 20, ms(0));
        for _ in 0..3 {
            assert_eq!(breaker.state(ms(5_000)), HalfOpen);
        }
        bad(&breaker, 1, ms(5_000));
        good(&breaker, 3, ms(10_000));
        assert_eq!(breaker.transitions(), [(Closed, 1), (HalfOpen, 2), (Open, 2)]);
    }

    #[test]
    fn the_ends_of_time_and_zeros_in_the_settings_do_no_harm() {
        let breaker = Breaker::new(BreakerSettings { window: 0, trials: 0, open_for: Duration::MAX, ..Default::default() });
        bad(&breaker, 1, ms(1));
        assert_eq!(breaker.opens_at(ms(1)), Some(Duration::MAX));
        let _trial = breaker.admit(Duration::MAX).unwrap();
        assert_eq!(breaker.opens_at(Duration::MAX), Some(Duration::MAX));
    }

    #[test]
    fn states_are_named_as_in_metrics() {
        assert_eq!([Closed, HalfOpen, Open].map(State::as_str), ["closed", "half_open", "open"]);
    }

    /// The same breaker told as a history: every call ever admitted with its fate, and when each stay began. Nothing is counted on
    /// the way; each question is answered by going through it all.
    mod history {
        use super::*;
        use proptest::{collection::vec, prelude::*, sample::Index};

        #[derive(Clone, Copy, Debug)]
        enum Step {
            Admit,
            Good(Index, u64),
            Bad(Index),
            Drop(Index),
            Wait(u64),
        }
        fn step() -> impl Strategy<Value = Step> {
            prop_oneof![
                5 => Just(Step::Admit),
                3 => (any::<Index>(), 8..12_u64).prop_map(|(which, took)| Step::Good(which, took)),
                2 => any::<Index>().prop_map(Step::Bad),
                1 => any::<Index>().prop_map(Step::Drop),
                2 => (0..40_u64).prop_map(Step::Wait),
            ]
        }
        fn settings() -> impl Strategy<Value = BreakerSettings> {
            (1..6_u32, 0..5_u32, 0..60_u64, 1..5_u32).prop_map(|(window, quarters, open_for, trials)| BreakerSettings {
                window,
                share: f64::from(quarters) / 4.0,
                slow: ms(10),
                open_for: ms(open_for),
                trials,
            })
        }

        #[derive(Clone, Copy, PartialEq)]
        enum Fate {
            Out,
            Good,
            Bad,
            Dropped,
        }
        struct History {
            settings: BreakerSettings,
            stays: Vec<(State, u64)>,     // state, since
            calls: Vec<(usize, Fate)>,    // in the order of admission: its stay
            verdicts: Vec<(usize, Fate)>, // in the order of verdicts
        }
        impl History {
            fn state(&mut self, now: u64) -> State {
                let (state, since) = *self.stays.last().unwrap();
                if state == Open && ms(now - since) >= self.settings.open_for {
                    self.stays.push((HalfOpen, now));
                    return HalfOpen;
                }
                state
            }
            fn of_this_stay(&self, calls: &[(usize, Fate)], fate: Fate) -> usize {
                calls.iter().filter(|call| **call == (self.stays.len() - 1, fate)).count()
            }
            fn out(&self) -> usize {
                self.of_this_stay(&self.calls, Fate::Out)
            }
            fn admits(&mut self, now: u64) -> bool {
                match self.state(now) {
                    Closed => true,
                    HalfOpen => self.out() + self.of_this_stay(&self.verdicts, Fate::Good) < self.settings.trials as usize,
                    Open => false,
                }
            }
            fn settle(&mut self, call: usize, fate: Fate, now: u64) {
                self.calls[call].1 = fate;
                let stay = self.stays.len() - 1;
                if self.calls[call].0 != stay || fate == Fate::Dropped {
                    return;
                }
                self.verdicts.push((stay, fate));
                let (state, window) = (self.stays[stay].0, self.settings.window as usize);
                let last: Vec<_> = self.verdicts.iter().rev().filter(|v| v.0 == stay).take(window).collect();
                let bad = last.iter().filter(|v| v.1 == Fate::Bad).count();
                let quarters = (self.settings.share * 4.0) as usize;
                if state == HalfOpen && bad == 0 && self.of_this_stay(&self.verdicts, Fate::Good) == self.settings.trials as usize
                {
                    self.stays.push((Closed, now));
                } else if bad > 0 && (state == HalfOpen || last.len() == window && bad * 4 >= quarters * window) {
                    self.stays.push((Open, now));
                }
            }
        }

        proptest! {
            #![proptest_config(ProptestConfig::with_cases(1_000))]
            #[test]
            fn whatever_happens_it_does_as_its_history_says(settings in settings(), steps in vec(step(), 0..200)) {
                let (breaker, mut now) = (Breaker::new(settings), 0);
                let mut told = History { settings, stays: vec![(Closed, 0)], calls: vec![], verdicts: vec![] };
                let mut permits: Vec<(usize, Permit)> = vec![];
                for step in steps {
                    let (before, which) = (told.state(now), match step {
                        Step::Good(which, _) | Step::Bad(which) | Step::Drop(which) if !permits.is_empty() => {
                            Some(permits.swap_remove(which.index(permits.len())))
                        }
                        _ => None,
                    });
                    match (step, which) {
                        (Step::Admit, _) => {
                            prop_assert_eq!(breaker.opens_at(ms(now)).is_none(), told.admits(now));
                            if let Ok(permit) = breaker.admit(ms(now)) {
                                prop_assert!(told.admits(now));
                                prop_assert_ne!(before, Open);
                                permits.push((told.calls.len(), permit));
                                told.calls.push((told.stays.len() - 1, Fate::Out));
                                prop_assert!(before != HalfOpen || told.out() <= settings.trials as usize);
                            } else {
                                prop_assert!(!told.admits(now));
                            }
                        }
                        (Step::Good(_, took), Some((call, permit))) => {
                            permit.good(ms(now), ms(took));
                            told.settle(call, if ms(took) > settings.slow { Fate::Bad } else { Fate::Good }, now);
                        }
                        (Step::Bad(_), Some((call, permit))) => {
                            permit.bad(ms(now));
                            told.settle(call, Fate::Bad, now);
                        }
                        (Step::Drop(_), Some((call, permit))) => {
                            drop(permit);
                            told.settle(call, Fate::Dropped, now);
                        }
                        (Step::Wait(millis), _) => now += millis,
                        _ => {}
                    }
                    prop_assert_eq!(breaker.state(ms(now)), told.state(now));
                    for (state, times) in breaker.transitions() {
                        prop_assert_eq!(times as usize, told.stays[1..].iter().filter(|stay| stay.0 == state).count());
                    }
                }
            }
        }
    }
}
