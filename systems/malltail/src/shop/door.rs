//! The owner's door.
use super::shop_management::{Do, ShopManagement};
use crate::{Settings, roles::SHOP_OWNER};
use jumun_model::{JsonSchema, Kind, Text};
use jumun_runtime::{
    Whole,
    door::{Door, collection},
};
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
struct RejectOrder {
    #[serde(default)]
    reason: Option<Text>,
}

pub(super) fn shop_managements(settings: &Settings) -> Door<Whole<ShopManagement>> {
    let (shipping_address, shop_name) = (settings.forwarding_address.clone(), settings.shop_name.clone());
    let accept = move || Do::Accept { shipping_address: shipping_address.clone(), shop_name: shop_name.clone() };
    let reject = |said: Option<RejectOrder>| {
        let reason = said.and_then(|said| said.reason).map(|reason| reason.0);
        Ok(Do::Reject { reason })
    };
    collection::<ShopManagement>("/shopManagements")
        .command("acceptorder", SHOP_OWNER, accept, ShopManagement::taken)
        .refusing(&[Kind::Conflict])
        .command_saying("rejectorder", SHOP_OWNER, reject, ShopManagement::turned_down)
        .refusing(&[Kind::Conflict])
}
