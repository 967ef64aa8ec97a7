//! What hospital says, and what it answers.
use jumun_model::Ask;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "eventType", rename_all_fields = "camelCase")]
pub enum Event {
    /// It has `capacity` seats on that date, of which `pcnt` are left.
    HospitalRegistered {
        id: u64,
        hospital_nm: String,
        chk_date: String,
        pcnt: u64,
        capacity: u64,
    },
    HospitalChanged {
        id: u64,
        hospital_nm: String,
        chk_date: String,
        pcnt: u64,
        capacity: u64,
    },
    /// It is closed: nobody is examined there on that date.
    HospitalDeleted {
        id: u64,
        hospital_nm: String,
        chk_date: String,
        pcnt: u64,
    },
    /// A screening has a seat there.
    SeatTaken {
        hospital_id: u64,
        screening_id: u64,
    },
    SeatGivenBack {
        hospital_id: u64,
        screening_id: u64,
    },
    /// The seat was given back before it was taken; from now on it never will be.
    SeatForgone {
        hospital_id: u64,
        screening_id: u64,
    },
}

impl jumun_model::Event for Event {
    const CONTEXT: &'static str = "hospital";
    const NAMES: &'static [&'static str] = Self::VARIANTS;
    fn name(&self) -> &'static str {
        self.into()
    }
    fn is_public(&self) -> bool {
        !matches!(self, Event::SeatTaken { .. } | Event::SeatGivenBack { .. } | Event::SeatForgone { .. })
    }
}

/// A seat for the case that asks, once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TakeSeat {
    pub hospital_id: u64,
    pub chk_date: String,
}
impl Ask for TakeSeat {
    const OF: &'static str = "hospital";
    const NAME: &'static str = "takeSeat";
    type Answer = Answer;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    Taken,
    Refused(NoSeat),
}

/// Why there is no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoSeat {
    Full,
    Closed,
    Unknown,
    /// The hospital's date is another one.
    OtherDate,
    /// It was given back before it was asked for.
    GivenBack,
}
