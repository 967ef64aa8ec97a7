//! delivery, supporting: customs, and the domestic leg.
#[expect(clippy::module_inception, reason = "an aggregate's file is called as the aggregate is")]
pub mod delivery;
mod door;
pub mod policies;

use delivery::Delivery;
use jumun_runtime::{Context, Rank, keep};

pub fn context() -> Context {
    Context::named("delivery", Rank::Supporting, 8085)
        .keeps(keep::<Delivery>(()).whenever("AddToCustomsList", policies::add_to_customs_list).door(door::deliveries()))
}
