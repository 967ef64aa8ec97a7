//! A seat is taken, or there is a reason why not; a *no* is not stored.
use super::hospital::{Do, No, Seat};
use crate::contract::hospital::{Answer, NoSeat, TakeSeat};

pub fn take_seat(ask: &TakeSeat) -> (u64, Do) {
    (ask.hospital_id, Do::Take { chk_date: ask.chk_date.clone() })
}
pub fn answer(seat: Result<&Seat, No>) -> Answer {
    match seat {
        Ok(Seat::Taken) => Answer::Taken,
        Err(No::NoSeat(why)) => Answer::Refused(why),
        Ok(_) | Err(_) => Answer::Refused(NoSeat::GivenBack),
    }
}
