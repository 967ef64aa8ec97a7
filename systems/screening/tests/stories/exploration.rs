//! Two screenings and a hospital with one seat, explored to the end: every way in which asks, answers, patience, cancels, a hospital that closes and the
//! telling of everybody, one by one, can come between each other. What was ever sent may come at any time and as often as it likes, or never. The
//! rules are the production's own: `decide`, `evolve`, `owes`, the answers and the policies.
use jumun_model::{Aggregate, Caller, Case, Event, Occasion, Personal, Pool};
use jumun_screening::{
    contract::{self, hospital::Answer, screening::Visit},
    hospital::{
        self,
        hospital::{Hospital, No, Registration, Seat},
    },
    reservation::{self, reservation::Reservation},
    screening::{
        self,
        screening::{Screening, Settings, Status},
    },
};
use jumun_testkit::NOON;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use stateright::{Checker, HasDiscoveries, Model, Property};
use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
    time::Duration,
};

const DATE: &str = "20200910";
const HOSPITAL: u64 = 1;
const BOTH: [u64; 2] = [1, 2];
const WINDOW: Settings = Settings { seat_window: Duration::from_secs(1) };

/// What is turned round, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Twist {
    Nothing,
    /// What is given back before it is asked for is not remembered.
    NoNever,
    /// Who gives up gives nothing back.
    GivenUpAndKept,
    /// Whom to tell of a closed hospital is read from the book, which may not have heard of everybody.
    ClosedByTheBook,
    /// A yes that comes late revives what was over.
    LateYesRevives,
    /// What is given back again is counted again.
    GivenBackTwice,
}

/// Something that was sent: in which case, and what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Sent {
    Fact { from: &'static str, case: u64, json: String },
    Ask { case: u64 },
    Reply { case: u64, json: String },
}
#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Wish(u64, &'static str),
    Close,
    Take(Sent),
    /// A policy, by name.
    Follow(Sent, &'static str),
    /// The next one is told that the hospital is closed.
    TellTheNext,
}

#[derive(Clone, Default, Debug, PartialEq)]
struct Clinic {
    hospital: Hospital,
    seats: [Seat; 2],
    screenings: [Screening; 2],
    book: [Reservation; 2],
    /// Up to whom everybody was told; none before anybody is to be.
    told: Option<u64>,
    /// Whose seat was given back without anything being made of it.
    unheard: [bool; 2],
    sent: BTreeSet<Sent>,
}
impl Hash for Clinic {
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Clinic { hospital, seats, screenings, book, told, unheard, sent } = self;
        [json(hospital), json(seats), json(screenings), json(book)].hash(to);
        (told, unheard, sent).hash(to);
    }
}
fn json(what: &impl Serialize) -> String {
    serde_json::to_string(what).unwrap()
}
fn read<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap()
}
const fn place(case: u64) -> usize {
    case as usize - 1
}
fn visit() -> Visit {
    Visit { hospital_id: HOSPITAL, hospital_nm: None, chk_date: DATE.to_owned(), cust_nm: Personal("MOON".to_owned()) }
}

/// What a command leads to: the state after it, and what is said. A refusal and an empty decision lead nowhere.
fn carry_out<A: Aggregate>(of: &mut A, case: u64, sent: &mut BTreeSet<Sent>, command: A::Command) {
    let (case_, by) = (Case::new("screening", case), Caller::system());
    let on = Occasion::new(&case_, NOON, &by);
    for fact in of.decide(&on, command).unwrap_or_default() {
        of.evolve(&on, &fact);
        sent.insert(Sent::Fact { from: A::Event::CONTEXT, case, json: json(&fact) });
    }
}

impl Clinic {
    fn of_screening(&mut self, case: u64, command: screening::screening::Do) {
        carry_out(&mut self.screenings[place(case)], case, &mut self.sent, command);
        let owes = self.screenings[place(case)].owes(&Case::new("screening", case), &WINDOW);
        self.sent.extend(owes.ask.map(|_| Sent::Ask { case }));
    }
    /// In the case of a screening, or in the hospital's own.
    fn of_hospital(&mut self, case: &Case, command: hospital::hospital::Do) -> Result<Seat, No> {
        let by = Caller::system();
        let on = Occasion { case, number: HOSPITAL, at: NOON, by: &by, cause: None };
        let mut own = Seat::default();
        let seat = if case.root == "screening" { &mut self.seats[place(case.number)] } else { &mut own };
        for fact in self.hospital.decide(seat, &on, command)? {
            self.hospital.evolve(seat, &on, &fact);
            if fact.is_public() {
                self.sent.insert(Sent::Fact { from: "hospital", case: HOSPITAL, json: json(&fact) });
            }
        }
        Ok(*seat)
    }

    fn wish(&mut self, case: u64, what: &str) {
        use screening::screening::Do;
        self.of_screening(
            case,
            match what {
                "request" => Do::Request(visit()),
                "cancel" => Do::Cancel,
                _ => Do::GiveUp,
            },
        );
    }
    fn take(&mut self, sent: &Sent, twist: Twist) {
        match sent {
            Sent::Ask { case } => {
                let ask = contract::hospital::TakeSeat { hospital_id: HOSPITAL, chk_date: DATE.to_owned() };
                let (_, command) = hospital::asks::take_seat(&ask);
                let seat = self.of_hospital(&Case::new("screening", *case), command);
                let answer = hospital::asks::answer(seat.as_ref().map_err(|no| match no {
                    No::NoSeat(why) => No::NoSeat(*why),
                    _ => No::Unknown,
                }));
                self.sent.insert(Sent::Reply { case: *case, json: json(&answer) });
            }
            Sent::Reply { case, json: said } => {
                let mut asking = Screening::default();
                carry_out(&mut asking, *case, &mut BTreeSet::new(), screening::screening::Do::Request(visit()));
                let ask = asking.owes(&Case::new("screening", *case), &WINDOW).ask.expect("it asks");
                if twist == Twist::LateYesRevives && read::<Answer>(said) == Answer::Taken {
                    let screening = &mut self.screenings[place(*case)];
                    if screening.status == Status::Rejected {
                        screening.status = Status::Requested;
                    }
                }
                let command = (ask.then)(read::<Value>(said)).unwrap();
                command.into_iter().for_each(|command| self.of_screening(*case, command));
            }
            Sent::Fact { .. } => {}
        }
    }
    fn follow(&mut self, case: u64, fact: &str, policy: &str, twist: Twist) {
        match policy {
            "IncreaseCapacity" => {
                let fact: contract::screening::Event = read(fact);
                let Some((_, command)) = hospital::policies::increase_capacity(&fact) else { return };
                let seat = self.seats[place(case)];
                let kept = matches!(fact, contract::screening::Event::Rejected { .. }) && twist == Twist::GivenUpAndKept;
                // a fact is taken in once: what was made nothing of then is not heard again
                self.unheard[place(case)] |= twist == Twist::NoNever && seat == Seat::Absent;
                if kept || self.unheard[place(case)] {
                    return;
                }
                if twist == Twist::GivenBackTwice && seat == Seat::GivenBack && self.hospital.pcnt < 2 {
                    self.hospital.pcnt += 1;
                }
                let _ = self.of_hospital(&Case::new("screening", case), command);
            }
            "ForceCancel" => {
                if screening::policies::force_cancel(&read(fact)).is_some() && self.told.is_none() {
                    self.told = Some(0);
                }
            }
            _ => {
                if let Some(command) = reservation::policies::keep_the_book(&read(fact)) {
                    carry_out(&mut self.book[place(case)], case, &mut BTreeSet::new(), command);
                }
            }
        }
    }
    /// As the policy towards many does it, with pages of one: by the aggregate's own key, in the order of numbers.
    fn tell_the_next(&mut self, twist: Twist) {
        let Some(after) = self.told else { return };
        let known = |case: u64| match twist {
            Twist::ClosedByTheBook => self.book[place(case)].visit.hospital_id == HOSPITAL,
            _ => self.screenings[place(case)].visit.hospital_id == HOSPITAL,
        };
        match BOTH.into_iter().find(|&case| case > after && known(case)) {
            Some(case) => {
                self.told = Some(case);
                self.of_screening(case, screening::screening::Do::ForceCancel);
            }
            None => self.told = Some(u64::MAX),
        }
    }

    fn taken(&self) -> u64 {
        self.seats.iter().filter(|seat| **seat == Seat::Taken).count() as u64
    }
    /// Whether all contexts agree, once they have heard of each other.
    fn agrees(&self) -> bool {
        BOTH.into_iter().all(|case| {
            use contract::reservation::Status as Entered;
            let (status, seat) = (self.screenings[place(case)].status, self.seats[place(case)]);
            let entered = match self.book[place(case)].status {
                Entered::Absent => matches!(status, Status::Absent | Status::Rejected),
                Entered::RequestCompleted => status == Status::RequestCompleted,
                Entered::Canceled => status == Status::Canceled,
                Entered::ForceCanceled => status == Status::ForceCanceled,
            };
            let open = status == Status::RequestCompleted;
            entered && status != Status::Requested && open == (seat == Seat::Taken) && !(open && self.hospital.closed)
        })
    }
}

struct Seats(Twist);
impl Seats {
    /// What happens by itself, sooner or later.
    fn by_itself(state: &Clinic) -> Vec<Action> {
        let mut actions = Vec::new();
        for sent in &state.sent {
            match sent {
                Sent::Fact { from: "screening", .. } => {
                    actions.extend(["IncreaseCapacity", "KeepTheBook"].map(|policy| Action::Follow(sent.clone(), policy)));
                }
                Sent::Fact { .. } => actions.push(Action::Follow(sent.clone(), "ForceCancel")),
                _ => actions.push(Action::Take(sent.clone())),
            }
        }
        // nobody waits for ever
        actions.extend(BOTH.map(|case| Action::Wish(case, "give up")));
        actions.push(Action::TellTheNext);
        actions
    }
    fn do_it(&self, mut state: Clinic, action: &Action) -> Clinic {
        match action {
            Action::Wish(case, what) => state.wish(*case, what),
            Action::Close => drop(state.of_hospital(&Case::new("hospital", HOSPITAL), hospital::hospital::Do::Close)),
            Action::Take(sent) => state.take(sent, self.0),
            Action::Follow(Sent::Fact { case, json, .. }, policy) => state.follow(*case, json, policy, self.0),
            Action::Follow(..) => {}
            Action::TellTheNext => state.tell_the_next(self.0),
        }
        state
    }
}
impl Model for Seats {
    type State = Clinic;
    type Action = Action;
    fn init_states(&self) -> Vec<Clinic> {
        let mut clinic = Clinic::default();
        let wish = Registration { hospital_nm: "Samsung".to_owned(), chk_date: DATE.to_owned(), capacity: 1 };
        clinic.of_hospital(&Case::new("hospital", HOSPITAL), hospital::hospital::Do::Register(wish)).unwrap();
        clinic.sent.clear();
        vec![clinic]
    }
    fn actions(&self, state: &Clinic, actions: &mut Vec<Action>) {
        actions.extend(BOTH.into_iter().flat_map(|case| ["request", "cancel"].map(|what| Action::Wish(case, what))));
        actions.push(Action::Close);
        actions.extend(Seats::by_itself(state));
    }
    fn next_state(&self, state: &Clinic, action: Action) -> Option<Clinic> {
        let next = self.do_it(state.clone(), &action);
        (next != *state).then_some(next)
    }
    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("what is left and what is taken are what there is", |_, clinic: &Clinic| {
                clinic.hospital.capacity == clinic.hospital.pcnt + clinic.taken()
            }),
            Property::always("what is booked has its seat", |_, clinic: &Clinic| {
                BOTH.into_iter().all(|case| {
                    clinic.screenings[place(case)].status != Status::RequestCompleted || clinic.seats[place(case)] == Seat::Taken
                })
            }),
            Property::always("what is settled agrees", |seats: &Seats, clinic: &Clinic| {
                clinic.agrees() || Seats::by_itself(clinic).iter().any(|action| seats.do_it(clinic.clone(), action) != *clinic)
            }),
            Property::sometimes("a seat is taken by one after the other", |_, clinic: &Clinic| {
                clinic.seats[0] == Seat::GivenBack && clinic.screenings[1].status == Status::RequestCompleted
            }),
            Property::sometimes("a seat is taken for one who has given up, and comes back", |_, clinic: &Clinic| {
                clinic.seats[0] == Seat::GivenBack && clinic.screenings[0].status == Status::Rejected
            }),
            Property::sometimes("a seat is given back before it is asked for", |_, clinic: &Clinic| {
                clinic.seats[0] == Seat::Never && clinic.screenings[0].status == Status::Canceled
            }),
            Property::sometimes("both are told that the hospital is closed", |_, clinic: &Clinic| {
                clinic.screenings.iter().all(|screening| screening.status == Status::ForceCanceled)
            }),
        ]
    }
}

/// The properties for which something was found, and the number of states.
fn explored(twist: Twist, wanted: &'static str) -> (Vec<&'static str>, usize) {
    // what is turned round is looked for until it is found
    let until = if wanted.is_empty() { HasDiscoveries::AnyFailures } else { HasDiscoveries::AnyOf([wanted].into()) };
    let checker = Seats(twist).checker().threads(2).finish_when(until).spawn_bfs().join();
    let found = checker.discoveries().into_keys().filter(|name| name.starts_with("what")).collect();
    if twist == Twist::Nothing {
        checker.assert_properties();
    }
    (found, checker.unique_state_count())
}

#[test]
fn whatever_comes_whenever_and_however_often_seats_add_up_and_everybody_agrees() {
    let (found, states) = explored(Twist::Nothing, "");
    println!("{states} states");
    assert!(found.is_empty() && states > 500, "{states} states: {found:?}");
}

#[test]
fn each_rule_that_is_turned_round_is_found() {
    for (twist, wanted) in [
        (Twist::NoNever, "what is settled agrees"),
        (Twist::GivenUpAndKept, "what is settled agrees"),
        (Twist::ClosedByTheBook, "what is settled agrees"),
        (Twist::LateYesRevives, "what is booked has its seat"),
        (Twist::GivenBackTwice, "what is left and what is taken are what there is"),
    ] {
        let (found, _) = explored(twist, wanted);
        assert!(found.contains(&wanted), "{twist:?} is not found: {found:?}");
    }
}
