//! The book is read at the front desk, and each customer reads their own page of it. Nobody writes.
use super::reservation::Reservation;
use crate::roles::{ADMINISTRATOR, CUSTOMER, FRONT_DESK};
use jumun_runtime::{
    Whole,
    door::{Door, collection},
};

pub(super) fn reservations() -> Door<Whole<Reservation>> {
    collection::<Reservation>("/reservations").owned_by("custNm", CUSTOMER).seen_by(FRONT_DESK).seen_by(ADMINISTRATOR)
}
