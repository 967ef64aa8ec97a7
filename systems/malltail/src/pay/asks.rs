//! The charge: the provider first, then one commit. Should the process die in between, order asks again under the same key.
use super::{
    errands,
    payment::{Do, Payment, Status},
};
use crate::contract::pay::Charge;
use jumun_model::Case;

/// Only what was never asked for goes to the provider from here; what it was silent about, the payment itself follows up.
pub fn ask_the_provider(payment: &Payment, case: &Case, ask: &Charge) -> Option<errands::Charge> {
    (payment.paystatus == Status::Absent).then(|| errands::Charge { key: errands::charge_key(case), amount: ask.amount })
}
pub fn charge(ask: &Charge, told: Option<errands::Charged>) -> Do {
    Do::Charge { item_no: ask.item_no, amount: ask.amount, told }
}
