//! hospital, supporting: hospitals, each on one date, and their seats.
pub mod asks;
mod door;
#[expect(clippy::module_inception, reason = "an aggregate's file is called as the aggregate is")]
pub mod hospital;
pub mod policies;

use crate::contract::hospital::TakeSeat;
use hospital::Hospital;
use jumun_runtime::{Context, Rank, keep_pool};

pub fn context() -> Context {
    Context::named("hospital", Rank::Supporting, 8082).keeps(
        keep_pool::<Hospital>()
            .answers::<TakeSeat>(asks::take_seat, asks::answer)
            .whenever("IncreaseCapacity", policies::increase_capacity)
            .door(door::hospitals()),
    )
}
