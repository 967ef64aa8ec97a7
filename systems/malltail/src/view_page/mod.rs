//! viewPage: what the customer looks at, fed by facts alone.
pub mod views;

use crate::{
    contract::{delivery, order, pay, shipping, shop},
    roles::CUSTOMER,
};
use jumun_runtime::{Context, Rank, show};
use views::StatusView;

pub fn context() -> Context {
    Context::named("viewPage", Rank::Supporting, 8086).shows(
        show::<StatusView>("/statusViews")
            .owned_by("customerId", CUSTOMER)
            .follows::<order::Event>()
            .follows::<pay::Event>()
            .follows::<shop::Event>()
            .follows::<shipping::Event>()
            .follows::<delivery::Event>(),
    )
}
