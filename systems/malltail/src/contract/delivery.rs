//! What delivery says: of customs, and of the way to the customer.
use super::shipping::Label;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "eventType", rename_all_fields = "camelCase")]
pub enum Event {
    /// The parcel is on the customs officer's list.
    CustomsAwaited {
        order_no: u64,
        #[serde(flatten)]
        label: Label,
    },
    /// It may not enter: the goods are discarded.
    CustomsRejected {
        order_no: u64,
    },
    /// It may enter, and is on its way to the customer.
    DeliveryStarted {
        order_no: u64,
        invoice_no: String,
        #[serde(flatten)]
        label: Label,
    },
    DeliveryCompleted {
        order_no: u64,
        invoice_no: String,
    },
}

impl jumun_model::Event for Event {
    const CONTEXT: &'static str = "delivery";
    const NAMES: &'static [&'static str] = Self::VARIANTS;
    fn name(&self) -> &'static str {
        self.into()
    }
}
