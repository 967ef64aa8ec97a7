//! A screening: a customer's wish to be examined, and the seat for it.
use crate::contract::{
    hospital::{Answer, NoSeat, TakeSeat},
    screening::{Event as Fact, Reason, Visit},
};
use jumun_model::*;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use strum::{IntoStaticStr, VariantNames};

#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Screening {
    #[serde(flatten)]
    pub visit: Visit,
    pub status: Status,
    /// Why there is no seat for it.
    pub reason: Option<Reason>,
    pub requested_at: Timestamp,
}
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    #[default]
    Absent,
    Requested,
    RequestCompleted,
    Canceled,
    ForceCanceled,
    Rejected,
}

/// What is to be another way: of all that a client may send, only the name can be.
#[derive(Clone, Default, Debug, PartialEq)]
pub struct Edit {
    pub cust_nm: Option<Personal<String>>,
    pub hospital_id: Option<u64>,
    pub chk_date: Option<String>,
}

#[derive(Clone, Debug, PartialEq, IntoStaticStr, VariantNames)]
pub enum Do {
    Request(Visit),
    Edit(Edit),
    Cancel,
    // outcomes of the ask for a seat
    Complete,
    Reject(Reason),
    GiveUp,
    // what became of the hospital
    ForceCancel,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum No {
    #[error("{field} must not be empty")]
    Empty { field: &'static str },
    #[error("{field} stays as it was requested")]
    Fixed { field: &'static str },
    #[error("the only status that can be wished for is CANCELED")]
    NotAWish,
    #[error("no seat is left")]
    Full,
    #[error("the hospital is closed")]
    HospitalClosed,
    #[error("there is no such hospital")]
    UnknownHospital,
    #[error("the hospital examines on another date")]
    OtherDate,
    #[error("the hospital does not answer; please try again")]
    NoAnswer,
    #[error("the screening was canceled")]
    Canceled,
    #[error("the screening was canceled because the hospital is closed")]
    ForceCanceled,
    #[error("this screening is closed")]
    Closed,
    #[error("there is no such screening")]
    Unknown,
}
impl Refusal for No {
    fn code(&self) -> &'static str {
        match self {
            No::Empty { .. } => "empty",
            No::Fixed { .. } => "fixed",
            No::NotAWish => "not-a-wish",
            No::Full => "full",
            No::HospitalClosed => "hospital-closed",
            No::UnknownHospital => "unknown-hospital",
            No::OtherDate => "other-date",
            No::NoAnswer => "no-answer",
            No::Canceled => "canceled",
            No::ForceCanceled => "force-canceled",
            No::Closed => "closed",
            No::Unknown => "unknown",
        }
    }
    fn kind(&self) -> Kind {
        match self {
            No::Empty { .. } | No::Fixed { .. } | No::NotAWish | No::OtherDate => Kind::Invalid,
            No::UnknownHospital | No::Unknown => Kind::Missing,
            No::Full | No::HospitalClosed | No::Canceled | No::ForceCanceled | No::Closed => Kind::Conflict,
            No::NoAnswer => Kind::Unavailable,
        }
    }
    fn arguments(&self) -> Vec<(&'static str, String)> {
        match self {
            No::Empty { field } | No::Fixed { field } => vec![("field", (*field).to_owned())],
            No::NotAWish => vec![("field", "status".to_owned())],
            _ => Vec::new(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a request waits for its seat.
    pub seat_window: Duration,
}

impl Aggregate for Screening {
    const NAME: &'static str = "screening";
    const ROOT: &'static str = "screening";
    const KEYS: &'static [&'static str] = &["hospitalId", "custNm", "status"];
    type Command = Do;
    type Event = Fact;
    type Refusal = No;
    type Settings = Settings;

    fn decide(&self, on: &Occasion, command: Do) -> Result<Vec<Fact>, No> {
        use Status::*;
        let (id, hospital_id) = (on.number, self.visit.hospital_id);
        Ok(match (self.status, command) {
            (Absent, Do::Request(visit)) => vec![requested(id, visit)?],

            (Requested, Do::Complete) => vec![Fact::RequestCompleted { id, visit: self.visit.clone() }],
            (Requested, Do::Reject(reason)) => vec![Fact::Rejected { id, hospital_id, reason }],
            (Requested, Do::GiveUp) => vec![Fact::Rejected { id, hospital_id, reason: Reason::NoAnswer }],

            (Requested | RequestCompleted, Do::Cancel) => vec![Fact::Canceled { id, hospital_id }],
            (Requested | RequestCompleted, Do::ForceCancel) => vec![Fact::ForceCanceled { id, hospital_id }],
            (Requested | RequestCompleted, Do::Edit(edit)) => self.renamed(id, edit)?,

            (Absent, Do::Cancel | Do::Edit(_)) => return Err(No::Unknown),
            (_, Do::Cancel) => return self.canceled().map(|()| vec![]),
            (_, Do::Edit(_) | Do::Request(_)) => return Err(No::Closed),

            // what comes late changes nothing
            (_, Do::Complete | Do::Reject(_) | Do::GiveUp | Do::ForceCancel) => vec![],
        })
    }

    fn evolve(&mut self, on: &Occasion, fact: &Fact) {
        match fact {
            Fact::Requested { visit, .. } => {
                *self = Screening { visit: visit.clone(), status: Status::Requested, reason: None, requested_at: on.at }
            }
            Fact::RequestCompleted { .. } => self.status = Status::RequestCompleted,
            Fact::Rejected { reason, .. } => (self.status, self.reason) = (Status::Rejected, Some(*reason)),
            Fact::Canceled { .. } => self.status = Status::Canceled,
            Fact::ForceCanceled { .. } => self.status = Status::ForceCanceled,
            Fact::CustomerRenamed { cust_nm, .. } => self.visit.cust_nm = cust_nm.clone(),
        }
    }

    /// The hospital is asked until the door would lose its patience; who gives up gives back what may have been taken.
    fn owes(&self, _: &Case, settings: &Settings) -> Owes<Do> {
        let Screening { visit, status, requested_at, .. } = self;
        if *status != Status::Requested {
            return Owes::nothing();
        }
        let seat = TakeSeat { hospital_id: visit.hospital_id, chk_date: visit.chk_date.clone() };
        Owes::ask(&seat, |answer| {
            Some(match answer {
                Answer::Taken => Do::Complete,
                Answer::Refused(NoSeat::Full) => Do::Reject(Reason::Full),
                Answer::Refused(NoSeat::Closed) => Do::Reject(Reason::Closed),
                Answer::Refused(NoSeat::Unknown) => Do::Reject(Reason::UnknownHospital),
                Answer::Refused(NoSeat::OtherDate) => Do::Reject(Reason::OtherDate),
                Answer::Refused(NoSeat::GivenBack) => Do::GiveUp,
            })
        })
        .if_not_sent(Do::GiveUp)
        .until(*requested_at + settings.seat_window, Do::GiveUp)
    }

    fn examples() -> Vec<Do> {
        let visit = Visit { hospital_id: 1, chk_date: "20200910".to_owned(), cust_nm: name("MOON"), hospital_nm: None };
        let edit = Edit { cust_nm: Some(name("YOU")), ..Edit::default() };
        let outcomes = [Do::Complete, Do::Reject(Reason::Full), Do::GiveUp];
        [Do::Request(visit), Do::Edit(edit), Do::Cancel].into_iter().chain(outcomes).chain([Do::ForceCancel]).collect()
    }
}

fn name(name: &str) -> Personal<String> {
    Personal(name.to_owned())
}
fn requested(id: u64, visit: Visit) -> Result<Fact, No> {
    let empty = [("chkDate", &visit.chk_date), ("custNm", &visit.cust_nm.0)].into_iter().find(|(_, text)| text.trim().is_empty());
    match empty {
        Some((field, _)) => Err(No::Empty { field }),
        None => Ok(Fact::Requested { id, visit }),
    }
}

impl Screening {
    fn renamed(&self, id: u64, edit: Edit) -> Result<Vec<Fact>, No> {
        if edit.hospital_id.is_some_and(|hospital| hospital != self.visit.hospital_id) {
            return Err(No::Fixed { field: "hospitalId" });
        }
        if edit.chk_date.is_some_and(|date| date != self.visit.chk_date) {
            return Err(No::Fixed { field: "chkDate" });
        }
        Ok(match edit.cust_nm {
            Some(cust_nm) if cust_nm.trim().is_empty() => return Err(No::Empty { field: "custNm" }),
            Some(cust_nm) if cust_nm != self.visit.cust_nm => vec![Fact::CustomerRenamed { id, cust_nm }],
            _ => vec![],
        })
    }
    /// How requesting it ended, once nothing is owed any more.
    pub fn placed(&self) -> Result<(), No> {
        match (self.status, self.reason) {
            (Status::Rejected, Some(Reason::Full)) => Err(No::Full),
            (Status::Rejected, Some(Reason::Closed)) => Err(No::HospitalClosed),
            (Status::Rejected, Some(Reason::UnknownHospital)) => Err(No::UnknownHospital),
            (Status::Rejected, Some(Reason::OtherDate)) => Err(No::OtherDate),
            (Status::Rejected, _) => Err(No::NoAnswer),
            (Status::Canceled, _) => Err(No::Canceled),
            (Status::ForceCanceled, _) => Err(No::ForceCanceled),
            _ => Ok(()),
        }
    }
    /// How cancelling it ended.
    pub fn canceled(&self) -> Result<(), No> {
        match self.status {
            Status::Canceled => Ok(()),
            Status::ForceCanceled => Err(No::ForceCanceled),
            _ => Err(No::Closed),
        }
    }
}
