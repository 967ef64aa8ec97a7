//! The trying of one document's asks, explored to the end: the first try and two sweepers, each of which may be late, silent or gone; crashes;
//! facts that leave the ask owed, and that do not. What was sent is answered at any time and as often as it likes, or never. The steps are
//! the production's own, those of [`Attempt`].
use jumun_model::{Case, Timestamp};
use jumun_store::Attempt;
use stateright::{Checker, HasDiscoveries, Model, Property};
use std::{collections::BTreeSet, time::Duration};

static CASE: Case = Case::new("order", 7);
/// It is always now: as time passes, what is to come comes nearer.
const NOW: Timestamp = Timestamp::EPOCH;
const LEASE: Duration = Duration::from_millis(1);
const PAUSE: Duration = Duration::ZERO; // all that matters is that it is over before a lease
const NEVER: Duration = Duration::from_secs(1);
/// The versions at which something is owed; after them nothing is.
const VERSIONS: u64 = 2;
/// No more tries than these are begun.
const TRIES: u32 = 3;

/// What is turned round, to see that it is found.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Hash)]
enum Twist {
    #[default]
    Nothing,
    /// A claim does not ask what became of the try before.
    ClaimForgetsTheLease,
    /// A claim is written upon whatever is there.
    ClaimWithoutCompare,
    /// What is not due is claimed.
    ClaimAtAnyTime,
    /// What a crash left behind is taken for never sent.
    ReleasedAsNotSent,
    /// A crash leaves the leases, and a lease is never over.
    NotReleased,
    /// A try that failed without an answer is taken for never sent.
    SilenceIsNotSent,
    /// A try that failed is not due again.
    FailedForGood,
    /// A failure moves the attempt of another step.
    FailsAnotherStep,
    /// A failure ends the lease of another try.
    FailsAnotherTry,
    /// *Not sent* is believed of a try that has lost its lease.
    NotSentThoughLate,
    /// A fact that leaves the ask owed begins it anew.
    BegunAgain,
    /// Each try asks under a key of its own.
    KeyOfItsOwn,
}

/// Somebody who tries.
#[derive(Clone, Default, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Hand {
    #[default]
    Idle,
    /// Has read what is due, and will claim it; nothing, if somebody has written since.
    Read(Option<Attempt>),
    /// Has begun that try, of what is owed at that version, has a lease; has sent it.
    Tries(Attempt, u64, bool, bool),
}
/// How a try ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Answered,
    /// Surely not, and that is an outcome.
    NotSent,
    /// Surely not, and it is tried again.
    Refused,
    Silent,
    /// Without a word: a panic, a store that does not answer.
    Gone,
}
#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Read(usize),
    Claim(usize),
    Send(usize),
    End(usize, End),
    /// A fact that leaves the same ask owed.
    Fact,
    /// A fact that moves on to the next ask, or to none.
    MoveOn,
    Crash,
    TimePasses,
}

#[derive(Clone, Default, Debug, PartialEq, Eq, Hash)]
struct Desk {
    twist: Twist,
    version: u64,
    attempt: Option<Attempt>,
    /// Two sweepers, and the first try at each version.
    hands: [Hand; 4],
    /// What was asked: of what is owed at which version, under which key.
    sent: BTreeSet<(u64, String)>,
    /// What was said to be surely without effect.
    without: BTreeSet<u64>,
    /// A try of what was owed before has moved the attempt of what is owed now.
    moved_by_the_past: bool,
}

/// Tries that are under way are told apart by nothing else.
fn begun(attempt: Attempt) -> Attempt {
    Attempt { due: NOW, ..attempt }
}

impl Desk {
    /// Somebody writes it: what was read before is stale.
    fn written(&mut self) {
        for hand in &mut self.hands {
            if let Hand::Read(read) = hand {
                read.take_if(|_| self.twist != Twist::ClaimWithoutCompare);
            }
        }
    }
    fn owe(&mut self, name: Option<&str>, version: u64) {
        if let Some(begun) = Attempt::owe(&mut self.attempt, name.map(|name| ("pay", name)), version, NOW + LEASE) {
            let first = 1 + usize::try_from(self.version).unwrap();
            self.hands[first] = Hand::Tries(self::begun(begun), self.version, true, false);
        }
        self.written();
    }
    fn move_on(&mut self) {
        self.owe(None, 0);
        self.version += 1;
        if self.version <= VERSIONS {
            self.owe(Some("charge"), self.version);
        }
    }
    fn claim(&mut self, hand: usize) {
        let Hand::Read(Some(mut attempt)) = std::mem::take(&mut self.hands[hand]) else { return }; // contended
        let before = attempt.clone();
        if self.twist == Twist::ClaimAtAnyTime {
            attempt.due = NOW;
        }
        if !attempt.claim(NOW, NOW + LEASE) {
            return;
        }
        if self.twist == Twist::ClaimForgetsTheLease {
            attempt.sent = before.sent;
        }
        self.hands[hand] = Hand::Tries(begun(attempt.clone()), self.version, true, false);
        self.attempt = Some(attempt);
        self.written();
    }
    fn send(&mut self, hand: usize) {
        if let Hand::Tries(tried, of, _, sent) = &mut self.hands[hand] {
            let own = if self.twist == Twist::KeyOfItsOwn { format!("/{}", tried.tries) } else { String::new() };
            self.sent.insert((*of, tried.key(&CASE) + &own));
            *sent = true;
        }
    }
    fn end(&mut self, hand: usize, end: End) {
        let twist = self.twist;
        let Hand::Tries(tried, of, ..) = std::mem::take(&mut self.hands[hand]) else { return };
        let with = |attempt: &Attempt| match twist {
            Twist::FailsAnotherStep => attempt.leased && attempt.tries == tried.tries,
            Twist::FailsAnotherTry => attempt.leased && attempt.step == tried.step,
            _ => attempt.is_with(&tried),
        };
        let at_it = self.attempt.as_ref().is_some_and(|attempt| attempt.is_with(&tried));
        match end {
            End::Gone => return,
            End::Answered if of == self.version => return self.move_on(),
            End::NotSent if !tried.sent && (at_it || twist == Twist::NotSentThoughLate) => {
                self.without.insert(of);
                return self.move_on();
            }
            _ => {}
        }
        let sent = matches!(end, End::Answered | End::Silent) && twist != Twist::SilenceIsNotSent;
        let pause = if twist == Twist::FailedForGood { NEVER } else { PAUSE };
        if let Some(attempt) = self.attempt.as_mut().filter(|attempt| with(attempt)) {
            attempt.fail(sent, NOW + pause);
            self.moved_by_the_past |= of != self.version;
            self.written();
        }
    }
    fn crash(&mut self) {
        self.hands = Default::default();
        if let Some(attempt) = &mut self.attempt {
            let before = attempt.clone();
            attempt.release(NOW);
            match self.twist {
                Twist::ReleasedAsNotSent => attempt.sent = before.sent,
                Twist::NotReleased if before.leased => *attempt = Attempt { due: NOW + NEVER, ..before },
                _ => {}
            }
        }
    }
    fn time_passes(&mut self) {
        if let Some(attempt) = &mut self.attempt {
            attempt.due = if attempt.due >= NOW + NEVER { attempt.due } else { NOW };
        }
        for hand in &mut self.hands {
            if let Hand::Tries(_, _, lease, _) = hand {
                *lease = false;
            }
        }
    }
    /// Whether what is owed is tried again, if everybody who is at it is gone.
    fn is_tried_again(&self) -> bool {
        let mut alone = Desk { hands: Default::default(), ..self.clone() };
        alone.time_passes();
        alone.attempt.is_some_and(|mut attempt| attempt.claim(NOW, NOW + LEASE))
    }
    fn tries(&self, with_lease: bool) -> impl Iterator<Item = u64> {
        self.hands.iter().filter_map(move |hand| match hand {
            Hand::Tries(_, of, lease, _) if *lease || !with_lease => Some(*of),
            _ => None,
        })
    }
}

struct Trying(Twist);
impl Model for Trying {
    type State = Desk;
    type Action = Action;
    fn init_states(&self) -> Vec<Desk> {
        let mut desk = Desk { twist: self.0, ..Desk::default() };
        desk.move_on();
        vec![desk]
    }
    fn actions(&self, desk: &Desk, actions: &mut Vec<Action>) {
        if desk.version > VERSIONS {
            return;
        }
        for (number, hand) in desk.hands.iter().enumerate() {
            match hand {
                Hand::Idle if number < 2 => actions.push(Action::Read(number)),
                Hand::Idle => {}
                Hand::Read(..) => actions.push(Action::Claim(number)),
                Hand::Tries(_, of, _, sent) => {
                    // by this try, or by one before: the answer is the same, and each may come late
                    let answered = desk.sent.iter().any(|(asked, _)| asked == of);
                    actions.extend(answered.then_some(Action::End(number, End::Answered)));
                    actions.extend([End::Silent, End::Gone].map(|end| Action::End(number, end)));
                    if !sent {
                        actions.extend([End::NotSent, End::Refused].map(|end| Action::End(number, end)));
                        actions.push(Action::Send(number));
                    }
                }
            }
        }
        actions.extend([Action::Crash, Action::TimePasses, Action::Fact, Action::MoveOn]);
    }
    fn next_state(&self, before: &Desk, action: Action) -> Option<Desk> {
        let mut desk = before.clone();
        match action {
            Action::Read(hand) => {
                let due = |attempt: &&Attempt| Attempt::clone(attempt).claim(NOW, NOW) || self.0 == Twist::ClaimAtAnyTime;
                let attempt = desk.attempt.as_ref().filter(due).filter(|attempt| attempt.tries < TRIES)?;
                desk.hands[hand] = Hand::Read(Some(attempt.clone()));
            }
            Action::Claim(hand) => desk.claim(hand),
            Action::Send(hand) => desk.send(hand),
            Action::End(hand, end) => desk.end(hand, end),
            Action::Fact => {
                if self.0 == Twist::BegunAgain {
                    desk.attempt = None;
                }
                desk.owe(Some("charge"), desk.version + VERSIONS);
            }
            Action::MoveOn => desk.move_on(),
            Action::Crash => desk.crash(),
            Action::TimePasses => desk.time_passes(),
        }
        let (sweepers, _) = desk.hands.split_at_mut(2);
        sweepers.sort(); // it is all the same which is which
        (desk != *before).then_some(desk)
    }
    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONE_LEASE, |_, desk: &Desk| {
                (1..=VERSIONS).all(|version| desk.tries(true).filter(|of| *of == version).count() <= 1)
            }),
            Property::always(SURE, |_, desk: &Desk| desk.sent.iter().all(|(of, _)| !desk.without.contains(of))),
            Property::always(ONE_KEY, |_, desk: &Desk| {
                (1..=VERSIONS).all(|version| desk.sent.iter().filter(|(of, _)| *of == version).count() <= 1)
            }),
            Property::always(NOT_FORGOTTEN, |_, desk: &Desk| desk.is_tried_again() == (desk.version <= VERSIONS)),
            Property::always(PAST, |_, desk: &Desk| !desk.moved_by_the_past),
            Property::sometimes("a sweeper comes too late", |_, desk: &Desk| {
                desk.hands.iter().any(|hand| matches!(hand, Hand::Read(None)))
            }),
            Property::sometimes("three are at it, two of them too long", |_, desk: &Desk| {
                desk.tries(false).filter(|of| *of == 1).count() == 3
            }),
            Property::sometimes("a second try is surely without effect", |_, desk: &Desk| {
                desk.hands.iter().any(|hand| matches!(hand, Hand::Tries(Attempt { tries: 2, sent: false, .. }, ..)))
            }),
            Property::sometimes("what is asked next was sent, what was asked before is under way", |_, desk: &Desk| {
                desk.sent.len() == 2 && desk.tries(false).any(|of| of == 1)
            }),
        ]
    }
}

const ONE_LEASE: &str = "nobody has a lease while another has it";
const SURE: &str = "surely without effect is said only of what was never sent";
const ONE_KEY: &str = "every try of a step asks under the same key";
const NOT_FORGOTTEN: &str = "what is owed is tried again, and nothing else";
const PAST: &str = "what was owed before does not move what is owed now";
const ALWAYS: [&str; 5] = [ONE_LEASE, SURE, ONE_KEY, NOT_FORGOTTEN, PAST];

/// The properties that do not hold, and the number of states.
fn explored(twist: Twist, until: HasDiscoveries) -> (BTreeSet<&'static str>, usize) {
    let checker = Trying(twist).checker().threads(2).finish_when(until).spawn_bfs().join();
    if twist == Twist::Nothing {
        checker.assert_properties();
    }
    let found = checker.discoveries().into_keys().filter(|name| ALWAYS.contains(name)).collect();
    (found, checker.unique_state_count())
}

#[test]
fn whoever_is_late_silent_or_gone_an_ask_is_tried_by_one_at_a_time_until_it_is_answered() {
    let (found, states) = explored(Twist::Nothing, HasDiscoveries::AnyFailures);
    println!("{states} states");
    assert!(found.is_empty() && states > 5_000, "{states} states: {found:?}");
}

#[test]
fn each_step_that_is_turned_round_is_found() {
    for (twist, wanted) in [
        (Twist::ClaimForgetsTheLease, SURE),
        (Twist::ClaimWithoutCompare, ONE_LEASE),
        (Twist::ClaimAtAnyTime, ONE_LEASE),
        (Twist::ReleasedAsNotSent, SURE),
        (Twist::NotReleased, NOT_FORGOTTEN),
        (Twist::SilenceIsNotSent, SURE),
        (Twist::FailedForGood, NOT_FORGOTTEN),
        (Twist::FailsAnotherStep, PAST),
        (Twist::FailsAnotherTry, ONE_LEASE),
        (Twist::NotSentThoughLate, SURE),
        (Twist::BegunAgain, ONE_KEY),
        (Twist::KeyOfItsOwn, ONE_KEY),
    ] {
        let (found, _) = explored(twist, HasDiscoveries::AllOf([wanted].into()));
        assert!(found.contains(wanted), "{twist:?} is not found: {found:?}");
    }
}
