//! screening, core: takes requests, and asks the hospital for a seat for each.
mod door;
pub mod policies;
#[expect(clippy::module_inception, reason = "an aggregate's file is called as the aggregate is")]
pub mod screening;

use crate::{Settings, contract::hospital::TakeSeat};
use jumun_runtime::{Context, Rank, keep};
use screening::Screening;

pub fn context(settings: &Settings) -> Context {
    Context::named("screening", Rank::Core, 8081).keeps(
        keep::<Screening>(screening::Settings { seat_window: settings.seat_window })
            .asks::<TakeSeat>()
            .whenever_every("ForceCancel", policies::force_cancel)
            .door(door::screenings()),
    )
}
