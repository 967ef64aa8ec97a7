//! What shop says.
use super::order::Customer;
use jumun_model::{Timestamp, Won};
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "eventType", rename_all_fields = "camelCase")]
pub enum Event {
    /// One half of what a row needs.
    PaidSeen { order_no: u64, pay_id: u64 },
    /// The other half.
    EstablishedSeen {
        order_no: u64,
        item_no: u64,
        qty: u64,
        amount: Won,
        #[serde(flatten)]
        customer: Customer,
        create_date: Timestamp,
    },
    /// Both were seen: the owner finds the order on the list.
    OrderListed { order_no: u64 },
    /// The owner takes it: it is to be shipped to the forwarder, and from there to the customer.
    OrderDeliveryStarted {
        order_no: u64,
        pay_id: u64,
        item_no: u64,
        qty: u64,
        create_date: Timestamp,
        #[serde(flatten)]
        customer: Customer,
        shipping_address: String,
        shop_name: String,
    },
    /// The owner does not take it.
    OrderRejected { order_no: u64, reason: Option<String> },
    /// The customer cancelled it: the owner sees that.
    OrderWithdrawn { order_no: u64 },
}

impl jumun_model::Event for Event {
    const CONTEXT: &'static str = "shop";
    const NAMES: &'static [&'static str] = Self::VARIANTS;
    fn name(&self) -> &'static str {
        self.into()
    }
    fn is_public(&self) -> bool {
        !matches!(self, Event::PaidSeen { .. } | Event::EstablishedSeen { .. })
    }
}
