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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_seat_that_is_taken_is_answered_so_and_each_no_with_its_reason() {
        let ask = TakeSeat { hospital_id: 3, chk_date: "20200910".to_owned() };
        assert_eq!(take_seat(&ask), (3, Do::Take { chk_date: "20200910".to_owned() }));
        assert_eq!(answer(Ok(&Seat::Taken)), Answer::Taken);
        for seat in [Seat::Absent, Seat::GivenBack, Seat::Never] {
            assert_eq!(answer(Ok(&seat)), Answer::Refused(NoSeat::GivenBack));
        }
        for why in [NoSeat::Full, NoSeat::Closed, NoSeat::Unknown, NoSeat::OtherDate, NoSeat::GivenBack] {
            assert_eq!(answer(Err(No::NoSeat(why))), Answer::Refused(why));
        }
    }
}
