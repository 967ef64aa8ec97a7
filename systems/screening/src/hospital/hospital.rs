//! A hospital on one date: so many seats, and no screening has more than one of them.
use crate::contract::hospital::{Event as Fact, NoSeat};
use jumun_model::*;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Hospital {
    pub hospital_nm: String,
    pub chk_date: String,
    /// Seats that are left.
    pub pcnt: u64,
    pub capacity: u64,
    pub closed: bool,
    rule: Rule,
}
/// What only the rule needs.
#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Rule {
    /// As it was registered, so that a repeat is known from another wish.
    registered: Option<Registration>,
}

#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Registration {
    pub hospital_nm: String,
    pub chk_date: String,
    pub capacity: u64,
}
/// What is to be another way; the rest stays.
#[derive(Clone, Default, Debug, PartialEq)]
pub struct Edit {
    pub hospital_nm: Option<String>,
    pub chk_date: Option<String>,
    pub capacity: Option<u64>,
}

/// What one screening holds of it.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
pub enum Seat {
    #[default]
    Absent,
    Taken,
    GivenBack,
    /// Given back before it was taken: it never will be.
    Never,
}

#[derive(Clone, Debug, PartialEq, IntoStaticStr, VariantNames)]
pub enum Do {
    Register(Registration),
    Edit(Edit),
    Close,
    // of a screening
    Take { chk_date: String },
    GiveBack,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum No {
    #[error("{field} must not be empty")]
    Empty { field: &'static str },
    #[error("there is another hospital under this id")]
    Registered,
    #[error("the hospital is closed")]
    Closed,
    #[error("more seats than that are taken: {taken}")]
    SeatsTaken { taken: u64 },
    #[error("the date stays as it is while seats are taken")]
    DateFixed,
    #[error("there is no such hospital")]
    Unknown,
    #[error("there is no seat")]
    NoSeat(NoSeat),
}
impl Refusal for No {
    fn code(&self) -> &'static str {
        match self {
            No::Empty { .. } => "empty",
            No::Registered => "registered",
            No::Closed => "hospital-closed",
            No::SeatsTaken { .. } => "seats-taken",
            No::DateFixed => "date-fixed",
            No::Unknown => "unknown",
            No::NoSeat(_) => "no-seat",
        }
    }
    fn kind(&self) -> Kind {
        match self {
            No::Empty { .. } => Kind::Invalid,
            No::Unknown => Kind::Missing,
            No::Registered | No::Closed | No::SeatsTaken { .. } | No::DateFixed | No::NoSeat(_) => Kind::Conflict,
        }
    }
    fn arguments(&self) -> Vec<(&'static str, String)> {
        match self {
            No::Empty { field } => vec![("field", (*field).to_owned())],
            No::SeatsTaken { taken } => vec![("taken", taken.to_string())],
            _ => Vec::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantNames)]
pub enum Standing {
    Absent,
    Open,
    Closed,
}

impl Pool for Hospital {
    const NAME: &'static str = "hospital";
    const KEYS: &'static [&'static str] = &["hospitalNm", "chkDate"];
    type Entry = Seat;
    type Command = Do;
    type Event = Fact;
    type Refusal = No;

    fn decide(&self, seat: &Seat, on: &Occasion, command: Do) -> Result<Vec<Fact>, No> {
        use Standing::*;
        let (hospital_id, screening_id) = (on.number, on.case.number);
        Ok(match (self.standing(), seat, command) {
            (Absent, _, Do::Register(wish)) => vec![registered(on.number, wish)?],
            (_, _, Do::Register(wish)) if self.rule.registered.as_ref() == Some(&wish) => vec![],
            (_, _, Do::Register(_)) => return Err(No::Registered),
            (Open, _, Do::Edit(wish)) => self.changed(on.number, wish)?,
            (Open, _, Do::Close) => vec![self.deleted(on.number)],
            (Closed, _, Do::Close) => vec![],
            (Closed, _, Do::Edit(_)) => return Err(No::Closed),
            (Absent, _, Do::Edit(_) | Do::Close) => return Err(No::Unknown),

            (_, Seat::Absent, Do::Take { chk_date }) => {
                self.has_a_seat_on(&chk_date).map_err(No::NoSeat)?;
                vec![Fact::SeatTaken { hospital_id, screening_id }]
            }
            (_, Seat::Taken, Do::Take { .. }) => vec![],
            (_, Seat::GivenBack | Seat::Never, Do::Take { .. }) => return Err(No::NoSeat(NoSeat::GivenBack)),
            (_, Seat::Taken, Do::GiveBack) => vec![Fact::SeatGivenBack { hospital_id, screening_id }],
            (_, Seat::Absent, Do::GiveBack) => vec![Fact::SeatForgone { hospital_id, screening_id }],
            (_, Seat::GivenBack | Seat::Never, Do::GiveBack) => vec![],
        })
    }

    fn evolve(&mut self, seat: &mut Seat, _: &Occasion, fact: &Fact) {
        match fact {
            Fact::HospitalRegistered { hospital_nm, chk_date, pcnt, capacity, .. } => {
                let (hospital_nm, chk_date, capacity) = (hospital_nm.clone(), chk_date.clone(), *capacity);
                let rule = Rule {
                    registered: Some(Registration { hospital_nm: hospital_nm.clone(), chk_date: chk_date.clone(), capacity }),
                };
                *self = Hospital { hospital_nm, chk_date, pcnt: *pcnt, capacity, closed: false, rule };
            }
            Fact::HospitalChanged { hospital_nm, chk_date, pcnt, capacity, .. } => {
                (self.hospital_nm, self.chk_date) = (hospital_nm.clone(), chk_date.clone());
                (self.pcnt, self.capacity) = (*pcnt, *capacity);
            }
            Fact::HospitalDeleted { .. } => self.closed = true,
            Fact::SeatTaken { .. } => (*seat, self.pcnt) = (Seat::Taken, self.pcnt - 1),
            Fact::SeatGivenBack { .. } => (*seat, self.pcnt) = (Seat::GivenBack, self.pcnt + 1),
            Fact::SeatForgone { .. } => *seat = Seat::Never,
        }
    }

    /// One of which only seats were given back is not there yet.
    fn listed(&self) -> bool {
        self.rule.registered.is_some()
    }

    fn examples() -> Vec<Do> {
        let chk_date = "20200910".to_owned();
        let wish = Registration { hospital_nm: "Samsung".to_owned(), chk_date: chk_date.clone(), capacity: 2 };
        let edit = Edit { capacity: Some(3), ..Edit::default() };
        vec![Do::Register(wish), Do::Edit(edit), Do::Close, Do::Take { chk_date }, Do::GiveBack]
    }
}

fn registered(id: u64, wish: Registration) -> Result<Fact, No> {
    let Registration { hospital_nm, chk_date, capacity } = wish;
    let (hospital_nm, chk_date) = (text("hospitalNm", hospital_nm)?, text("chkDate", chk_date)?);
    Ok(Fact::HospitalRegistered { id, hospital_nm, chk_date, pcnt: capacity, capacity })
}
fn text(field: &'static str, text: String) -> Result<String, No> {
    if text.trim().is_empty() { Err(No::Empty { field }) } else { Ok(text) }
}

impl Hospital {
    pub fn standing(&self) -> Standing {
        match self.rule.registered {
            None => Standing::Absent,
            Some(_) if self.closed => Standing::Closed,
            Some(_) => Standing::Open,
        }
    }
    fn taken(&self) -> u64 {
        self.capacity - self.pcnt
    }
    fn changed(&self, id: u64, wish: Edit) -> Result<Vec<Fact>, No> {
        let hospital_nm = text("hospitalNm", wish.hospital_nm.unwrap_or_else(|| self.hospital_nm.clone()))?;
        let chk_date = text("chkDate", wish.chk_date.unwrap_or_else(|| self.chk_date.clone()))?;
        let (capacity, taken) = (wish.capacity.unwrap_or(self.capacity), self.taken());
        if chk_date != self.chk_date && taken > 0 {
            return Err(No::DateFixed);
        }
        let pcnt = capacity.checked_sub(taken).ok_or(No::SeatsTaken { taken })?;
        if (&hospital_nm, &chk_date, capacity) == (&self.hospital_nm, &self.chk_date, self.capacity) {
            return Ok(vec![]);
        }
        Ok(vec![Fact::HospitalChanged { id, hospital_nm, chk_date, pcnt, capacity }])
    }
    fn deleted(&self, id: u64) -> Fact {
        let Hospital { hospital_nm, chk_date, pcnt, .. } = self.clone();
        Fact::HospitalDeleted { id, hospital_nm, chk_date, pcnt }
    }
    fn has_a_seat_on(&self, date: &str) -> Result<(), NoSeat> {
        match self.standing() {
            Standing::Absent => Err(NoSeat::Unknown),
            Standing::Closed => Err(NoSeat::Closed),
            Standing::Open if self.chk_date != date => Err(NoSeat::OtherDate),
            Standing::Open if self.pcnt == 0 => Err(NoSeat::Full),
            Standing::Open => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::both_languages_know;
    use jumun_testkit::{Given, NOON, Pooled, check_table, given_facts, given_pool, interleavings, laws};
    use serde_json::json;
    use std::collections::BTreeMap;
    use strum::VariantNames;

    const TAKEN: Fact = Fact::SeatTaken { hospital_id: 1, screening_id: 7 };
    const GIVEN_BACK: Fact = Fact::SeatGivenBack { hospital_id: 1, screening_id: 7 };
    const FORGONE: Fact = Fact::SeatForgone { hospital_id: 1, screening_id: 7 };

    fn wish(capacity: u64) -> Registration {
        Registration { hospital_nm: "Samsung".to_owned(), chk_date: "20200910".to_owned(), capacity }
    }
    fn register(capacity: u64) -> Fact {
        registered(1, wish(capacity)).unwrap()
    }
    fn closing(pcnt: u64) -> Fact {
        Fact::HospitalDeleted { id: 1, hospital_nm: "Samsung".to_owned(), chk_date: "20200910".to_owned(), pcnt }
    }
    fn changing(pcnt: u64, capacity: u64) -> Fact {
        Fact::HospitalChanged { id: 1, hospital_nm: "Samsung".to_owned(), chk_date: "20200910".to_owned(), pcnt, capacity }
    }
    fn take(date: &str) -> Do {
        Do::Take { chk_date: date.to_owned() }
    }
    fn edit(capacity: Option<u64>, date: Option<&str>, name: Option<&str>) -> Do {
        let own = |text: Option<&str>| text.map(ToOwned::to_owned);
        Do::Edit(Edit { hospital_nm: own(name), chk_date: own(date), capacity })
    }
    /// After these facts, in case 7.
    fn after(facts: impl IntoIterator<Item = Fact>) -> Given<Pooled<Hospital>> {
        given_facts::<Pooled<Hospital>>(facts)
    }
    fn states() -> Vec<(&'static str, Pooled<Hospital>)> {
        let with = |facts: Vec<Fact>| after(facts).into_state();
        let of = |facts: &[Fact], seat: &[Fact]| with(facts.iter().chain(seat).cloned().collect());
        let (open, closed, full) = ([register(2)], [register(2), closing(2)], [register(0)]);
        vec![
            ("AbsentAbsent", of(&[], &[])),
            ("AbsentNever", of(&[], &[FORGONE])),
            ("OpenAbsent", of(&open, &[])),
            ("OpenAbsent (full)", of(&full, &[])),
            ("OpenTaken", of(&open, &[TAKEN])),
            ("OpenTaken (the last)", of(&[register(1)], &[TAKEN])),
            ("OpenGivenBack", of(&open, &[TAKEN, GIVEN_BACK])),
            ("OpenNever", of(&open, &[FORGONE])),
            ("ClosedAbsent", of(&closed, &[])),
            ("ClosedTaken", of(&[register(2), TAKEN, closing(1)], &[])),
            ("ClosedGivenBack", of(&[register(2), TAKEN, closing(1), GIVEN_BACK], &[])),
            ("ClosedNever", of(&closed, &[FORGONE])),
        ]
    }
    /// How the hospital stands, and the screening's seat there.
    fn stands(pool: &Pooled<Hospital>) -> &'static str {
        match (pool.root.standing(), pool.entry) {
            (Standing::Absent, Seat::Absent) => "AbsentAbsent",
            (Standing::Absent, Seat::Taken | Seat::GivenBack) => "taken of nothing",
            (Standing::Absent, Seat::Never) => "AbsentNever",
            (Standing::Open, Seat::Absent) => "OpenAbsent",
            (Standing::Open, Seat::Taken) => "OpenTaken",
            (Standing::Open, Seat::GivenBack) => "OpenGivenBack",
            (Standing::Open, Seat::Never) => "OpenNever",
            (Standing::Closed, Seat::Absent) => "ClosedAbsent",
            (Standing::Closed, Seat::Taken) => "ClosedTaken",
            (Standing::Closed, Seat::GivenBack) => "ClosedGivenBack",
            (Standing::Closed, Seat::Never) => "ClosedNever",
        }
    }
    const STANDS: &[&str] = &[
        "AbsentAbsent",
        "AbsentNever",
        "OpenAbsent",
        "OpenTaken",
        "OpenGivenBack",
        "OpenNever",
        "ClosedAbsent",
        "ClosedTaken",
        "ClosedGivenBack",
        "ClosedNever",
    ];
    fn commands() -> Vec<(&'static str, Do)> {
        vec![
            ("Register", Do::Register(wish(2))),
            ("Register (another)", Do::Register(wish(9))),
            ("Edit", edit(Some(3), None, None)),
            ("Close", Do::Close),
            ("Take", take("20200910")),
            ("Take (another day)", take("20200911")),
            ("GiveBack", Do::GiveBack),
        ]
    }

    #[test]
    fn the_table_on_the_wall_is_the_rule() {
        let table = "
            |                      | Register           | Register (another) | Edit             | Close           | Take      | Take (another day) | GiveBack      |
            |----------------------|--------------------|--------------------|------------------|-----------------|-----------|--------------------|---------------|
            | AbsentAbsent         | HospitalRegistered | HospitalRegistered | !unknown         | !unknown        | !no-seat  | !no-seat           | SeatForgone   |
            | AbsentNever          | HospitalRegistered | HospitalRegistered | !unknown         | !unknown        | !no-seat  | !no-seat           | ∅             |
            | OpenAbsent           | ∅                  | !registered        | HospitalChanged  | HospitalDeleted | SeatTaken | !no-seat           | SeatForgone   |
            | OpenAbsent (full)    | !registered        | !registered        | HospitalChanged  | HospitalDeleted | !no-seat  | !no-seat           | SeatForgone   |
            | OpenTaken            | ∅                  | !registered        | HospitalChanged  | HospitalDeleted | ∅         | ∅                  | SeatGivenBack |
            | OpenTaken (the last) | !registered        | !registered        | HospitalChanged  | HospitalDeleted | ∅         | ∅                  | SeatGivenBack |
            | OpenGivenBack        | ∅                  | !registered        | HospitalChanged  | HospitalDeleted | !no-seat  | !no-seat           | ∅             |
            | OpenNever            | ∅                  | !registered        | HospitalChanged  | HospitalDeleted | !no-seat  | !no-seat           | ∅             |
            | ClosedAbsent         | ∅                  | !registered        | !hospital-closed | ∅               | !no-seat  | !no-seat           | SeatForgone   |
            | ClosedTaken          | ∅                  | !registered        | !hospital-closed | ∅               | ∅         | ∅                  | SeatGivenBack |
            | ClosedGivenBack      | ∅                  | !registered        | !hospital-closed | ∅               | !no-seat  | !no-seat           | ∅             |
            | ClosedNever          | ∅                  | !registered        | !hospital-closed | ∅               | !no-seat  | !no-seat           | ∅             |
        ";
        check_table(table, states(), commands()).statuses(STANDS, stands).commands(Do::VARIANTS);
    }

    #[test]
    fn whatever_happens_in_whatever_order_the_laws_hold() {
        laws::<Pooled<Hospital>>(commands().into_iter().map(|(_, command)| command))
            .users(|command| !matches!(command, Do::GiveBack))
            .hold();
    }

    #[test]
    fn a_no_says_why_there_is_no_seat() {
        let refused = |facts: Vec<Fact>, date: &str, why| drop(after(facts).when(take(date)).refused(No::NoSeat(why)));
        refused(vec![], "20200910", NoSeat::Unknown);
        refused(vec![register(2)], "20200911", NoSeat::OtherDate);
        refused(vec![register(0)], "20200911", NoSeat::OtherDate);
        refused(vec![register(0)], "20200910", NoSeat::Full);
        refused(vec![register(2), closing(2)], "20200910", NoSeat::Closed);
        refused(vec![register(2), FORGONE], "20200910", NoSeat::GivenBack);
        refused(vec![register(2), TAKEN, GIVEN_BACK], "20200910", NoSeat::GivenBack);
    }

    #[test]
    fn a_seat_is_counted_once_however_often_it_is_taken_or_given_back() {
        let left = |pool: &Given<Pooled<Hospital>>| (pool.state().root.pcnt, pool.state().root.capacity);
        let two = after([register(2)]);
        assert_eq!(left(&two), (2, 2));
        let one = two.when(take("20200910")).then([TAKEN]).when(take("20200910")).then_nothing();
        assert_eq!(left(&one), (1, 2));
        let two = one.when(Do::GiveBack).then([GIVEN_BACK]).when(Do::GiveBack).then_nothing();
        assert_eq!(left(&two), (2, 2));
        let never = after([register(2)]).when(Do::GiveBack).then([FORGONE]);
        assert_eq!(left(&never), (2, 2), "what was never taken is not given back");
    }

    #[test]
    fn whatever_screenings_and_the_administrator_do_in_whatever_order_no_seat_is_sold_twice_and_none_is_lost() {
        type Wish = (u64, Do);
        let seat = |case: u64, wishes: &[Do]| wishes.iter().map(|wish| (case, wish.clone())).collect::<Vec<Wish>>();
        let administrator = [edit(Some(1), None, None), edit(Some(3), None, None), Do::Close];
        let all = [
            seat(7, &[take("20200910"), Do::GiveBack, take("20200910")]),
            seat(8, &[take("20200910"), take("20200910")]),
            seat(9, &[Do::GiveBack, take("20200910")]),
            seat(1, &administrator),
        ];
        for order in interleavings(&all) {
            let (mut root, mut seats) = (after([register(2)]).into_state().root, BTreeMap::<u64, Seat>::new());
            for (case, wish) in &order {
                let entry = seats.get(case).copied().unwrap_or_default();
                let (case_of, by) = (Case::new("screening", *case), Caller::system());
                let on = Occasion { case: &case_of, number: 1, at: NOON, by: &by, cause: None };
                let facts = root.decide(&entry, &on, wish.clone()).unwrap_or_default();
                let stands = given_pool(root, entry).of(case_of).after(facts).into_state();
                (root, _) = (stands.root, seats.insert(*case, stands.entry));
                let taken = seats.values().filter(|seat| **seat == Seat::Taken).count() as u64;
                assert_eq!(root.pcnt + taken, root.capacity, "after {wish:?} of {case} in {order:?}");
            }
        }
    }

    #[test]
    fn what_is_edited_keeps_the_seats_that_are_taken() {
        let taken = || after([register(2), TAKEN]);
        taken().when(edit(Some(5), None, None)).then([changing(4, 5)]);
        taken().when(edit(Some(1), None, None)).then([changing(0, 1)]);
        taken().when(edit(Some(0), None, None)).refused(No::SeatsTaken { taken: 1 });
        taken().when(edit(None, None, None)).then_nothing();
        taken().when(edit(Some(2), Some("20200910"), Some("Samsung"))).then_nothing();
        let renamed =
            Fact::HospitalChanged { id: 1, hospital_nm: "SK".to_owned(), chk_date: "20200910".to_owned(), pcnt: 1, capacity: 2 };
        taken().when(edit(None, None, Some("SK"))).then([renamed]);
    }

    #[test]
    fn its_date_is_moved_only_while_nobody_holds_a_seat() {
        let moved = Fact::HospitalChanged {
            id: 1,
            hospital_nm: "Samsung".to_owned(),
            chk_date: "20200911".to_owned(),
            pcnt: 2,
            capacity: 2,
        };
        let other_day = || edit(None, Some("20200911"), None);
        after([register(2)]).when(other_day()).then([moved.clone()]);
        after([register(2), TAKEN, GIVEN_BACK]).when(other_day()).then([moved]);
        after([register(2), TAKEN]).when(other_day()).refused(No::DateFixed);
    }

    #[test]
    fn what_says_nothing_is_refused_with_its_field() {
        for (name, date, field) in [("", "20200910", "hospitalNm"), ("Samsung", "  ", "chkDate")] {
            let wish = Registration { hospital_nm: name.to_owned(), chk_date: date.to_owned(), capacity: 1 };
            after([]).when(Do::Register(wish)).refused(No::Empty { field });
            after([register(2)]).when(edit(None, Some(date), Some(name))).refused(No::Empty { field });
        }
    }

    #[test]
    fn a_repeat_is_known_from_another_wish_even_after_the_hospital_was_edited_or_closed() {
        for later in [vec![changing(9, 9)], vec![closing(2)], vec![TAKEN]] {
            let stands = after([register(2)]).after(later);
            stands.when(Do::Register(wish(2))).then_nothing().when(Do::Register(wish(9))).refused(No::Registered);
        }
    }

    #[test]
    fn a_hospital_is_seen_once_it_is_registered_and_also_when_it_is_closed() {
        for (name, state) in states() {
            assert_eq!(state.root.listed(), !name.starts_with("Absent"), "{name}");
        }
    }

    #[test]
    fn a_hospital_reads_as_clients_know_it() {
        let mut body = serde_json::to_value(after([register(2), TAKEN]).into_state().root).unwrap();
        body.as_object_mut().unwrap().remove("rule");
        let known = json!({ "hospitalNm": "Samsung", "chkDate": "20200910", "pcnt": 1, "capacity": 2, "closed": false });
        assert_eq!(body, known);
    }

    #[test]
    fn every_refusal_has_a_sentence_in_both_languages() {
        let of_the_administrator = [No::Empty { field: "chkDate" }, No::Registered, No::Closed, No::DateFixed];
        let of_numbers = [No::SeatsTaken { taken: 1 }, No::NoSeat(NoSeat::Full)];
        both_languages_know(of_the_administrator.iter().chain(&of_numbers));
    }
}
