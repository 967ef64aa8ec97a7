//! marketing: who comes again. Added when all else had long been running; it asks nobody, and nobody needs it.
pub mod views;

use crate::{contract::screening, roles::MARKETER};
use jumun_runtime::{Context, Rank, per, show};
use views::{Booking, Customer, Inflow};

pub fn context() -> Context {
    Context::named("marketing", Rank::Supporting, 8085).shows(
        show::<Booking>("/marketings")
            .seen_by(MARKETER)
            .follows::<screening::Event>()
            .summed_up(per::<Customer>().in_all::<Inflow>()),
    )
}
