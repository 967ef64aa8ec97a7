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
