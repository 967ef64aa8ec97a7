//! reservation, general: the book of those who come. It starts from what screening says; nobody waits for it.
mod door;
pub mod policies;
#[expect(clippy::module_inception, reason = "an aggregate's file is called as the aggregate is")]
pub mod reservation;

use jumun_runtime::{Context, Rank, keep};
use reservation::Reservation;

pub fn context() -> Context {
    Context::named("reservation", Rank::General, 8083)
        .keeps(keep::<Reservation>(()).whenever("KeepTheBook", policies::keep_the_book).door(door::reservations()))
}
