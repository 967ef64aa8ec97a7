//! pay, general: charges once, gives back once. `POST /payments` is no client's door.
pub mod asks;
pub mod errands;
pub mod payment;
pub mod policies;

use crate::contract::pay::Charge;
use jumun_runtime::{Context, Rank, door::collection, keep};
use payment::Payment;

pub fn context() -> Context {
    Context::named("pay", Rank::General, 8082).keeps(
        keep::<Payment>(())
            .asks::<errands::Charge>()
            .asks::<errands::Void>()
            .asks::<errands::Refund>()
            .answers_after::<Charge, errands::Charge>(asks::ask_the_provider, asks::charge, Payment::charged)
            .whenever("CancelPayment", policies::cancel_payment)
            .door(collection::<Payment>("/payments")),
    )
}
