//! The doors of the customs officer and of the courier.
use super::delivery::{Delivery, Do};
use crate::roles::{COURIER, CUSTOMS_OFFICER};
use jumun_model::Kind;
use jumun_runtime::{
    Whole,
    door::{Door, collection},
};

pub(super) fn deliveries() -> Door<Whole<Delivery>> {
    collection::<Delivery>("/deliveries")
        .command("approvecustoms", CUSTOMS_OFFICER, || Do::Approve, Delivery::approved)
        .refusing(&[Kind::Conflict])
        .command("rejectcustoms", CUSTOMS_OFFICER, || Do::Reject, Delivery::rejected)
        .refusing(&[Kind::Conflict])
        .command("completedelivery", COURIER, || Do::Complete, Delivery::completed)
        .refusing(&[Kind::Conflict])
}
