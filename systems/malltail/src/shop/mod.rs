//! shop, core: the owner's list.
mod policies;
pub mod shop_management;

use jumun_runtime::{Context, Rank, door::collection, keep};
use shop_management::ShopManagement;

pub fn context() -> Context {
    Context::named("shop", Rank::Core, 8083).keeps(
        keep::<ShopManagement>(())
            .whenever("OrderInfoUpdate", policies::order_info_update)
            .whenever("ListedWhenEstablished", policies::listed_when_established)
            .door(collection::<ShopManagement>("/shopManagements")),
    )
}
