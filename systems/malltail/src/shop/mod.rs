//! shop, core: the owner's list.
mod door;
pub mod policies;
pub mod shop_management;

use crate::Settings;
use jumun_runtime::{Context, Rank, keep};
use shop_management::ShopManagement;

pub fn context(settings: &Settings) -> Context {
    Context::named("shop", Rank::Core, 8083).keeps(
        keep::<ShopManagement>(())
            .whenever("OrderInfoUpdate", policies::order_info_update)
            .whenever("ListedWhenEstablished", policies::listed_when_established)
            .door(door::shop_managements(settings)),
    )
}
