//! order, core: takes orders, whatever becomes of the others.
mod door;
#[expect(clippy::module_inception, reason = "an aggregate's file is called as the aggregate is")]
pub mod order;
pub mod policies;

use crate::{
    Settings,
    contract::{pay::Charge, shipping::Hold},
};
use jumun_runtime::{Context, Rank, keep};
use order::Order;

pub fn context(settings: &Settings) -> Context {
    Context::named("order", Rank::Core, 8081).keeps(
        keep::<Order>(order::Settings { payment_window: settings.payment_window })
            .asks::<Charge>()
            .asks::<Hold>()
            .whenever("TurnedDown", policies::turned_down)
            .whenever("NoteShipping", policies::note_shipping)
            .whenever("Forfeited", policies::forfeited)
            .door(door::orders(settings.prices.clone())),
    )
}
