//! shipping, supporting: the overseas leg.
pub mod policies;
#[expect(clippy::module_inception, reason = "an aggregate's file is called as the aggregate is")]
pub mod shipping;

use crate::{contract::shipping::Hold, roles::FORWARDER};
use jumun_model::Kind;
use jumun_runtime::{Context, Rank, door::collection, keep};
use shipping::{Do, Shipping};

pub fn context() -> Context {
    Context::named("shipping", Rank::Supporting, 8084).keeps(
        keep::<Shipping>(())
            .answers::<Hold>(|Hold {}| Do::Hold, Shipping::held)
            .whenever("StartShipping", policies::start_shipping)
            .door(
                collection::<Shipping>("/shippings")
                    .command("completeshipping", FORWARDER, || Do::Complete, Shipping::arrived)
                    .refusing(&[Kind::Conflict]),
            ),
    )
}
