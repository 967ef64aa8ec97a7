//! viewPage: what the customer looks at, fed by facts alone.
pub mod views;

use crate::contract::{order, pay, shop};
use jumun_runtime::{Context, Rank, show};
use views::StatusView;

pub fn context() -> Context {
    Context::named("viewPage", Rank::Supporting, 8086)
        .shows(show::<StatusView>("/statusViews").follows::<order::Event>().follows::<pay::Event>().follows::<shop::Event>())
}
