//! shipping, supporting: the overseas leg.
#[expect(clippy::module_inception, reason = "an aggregate's file is called as the aggregate is")]
pub mod shipping;

use crate::contract::shipping::Hold;
use jumun_runtime::{Context, Rank, door::collection, keep};
use shipping::{Do, Shipping};

pub fn context() -> Context {
    Context::named("shipping", Rank::Supporting, 8084).keeps(
        keep::<Shipping>(()).answers::<Hold>(|Hold {}| Do::Hold, Shipping::held).door(collection::<Shipping>("/shippings")),
    )
}
