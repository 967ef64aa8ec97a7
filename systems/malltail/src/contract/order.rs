//! What order says.
use jumun_model::{Personal, Timestamp, Won};
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "eventType", rename_all_fields = "camelCase")]
pub enum Event {
    /// A customer wishes to order; nothing is paid yet.
    OrderRequested {
        order_no: u64,
        item_no: u64,
        qty: u64,
        amount: Won,
        #[serde(flatten)]
        customer: Customer,
        create_date: Timestamp,
    },
    /// The provider waits for the customer there.
    PaymentAwaited { order_no: u64, pay_url: String },
    /// It is paid: the order stands.
    Ordered {
        order_no: u64,
        item_no: u64,
        qty: u64,
        amount: Won,
        #[serde(flatten)]
        customer: Customer,
        create_date: Timestamp,
    },
    /// It was not paid, and is over.
    OrderPaymentFailed { order_no: u64, why: Unpaid },
    /// The customer wishes to cancel; shipping is asked whether that can still be.
    CancelRequested { order_no: u64 },
    /// It could not, for the parcel has left: the order stands as before.
    CancelRefused { order_no: u64 },
    /// The parcel has left: from now on it can not be cancelled.
    ShippingNoted { order_no: u64 },
    /// The shop does not take it: whoever holds money of it gives it back.
    OrderTurnedDown { order_no: u64, reason: Option<String> },
    /// It is over. Whoever holds money of it gives it back if `refund_due`.
    OrderCanceled { order_no: u64, reason: Reason, refund_due: bool },
}

/// Who ordered, and where the goods shall go.
#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    pub customer_id: Option<String>,
    pub customer_name: Option<Personal<String>>,
    pub customer_address: Option<Personal<String>>,
    pub phone_number: Option<Personal<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unpaid {
    Declined,
    Expired,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    Customer,
    /// It may not enter the country, which is the customer's own fault: nothing is given back.
    Customs,
}

impl jumun_model::Event for Event {
    const CONTEXT: &'static str = "order";
    const NAMES: &'static [&'static str] = Self::VARIANTS;
    fn name(&self) -> &'static str {
        self.into()
    }
    fn is_public(&self) -> bool {
        !matches!(self, Event::PaymentAwaited { .. } | Event::ShippingNoted { .. })
    }
}
