//! What shipping says, and what it answers.
use jumun_model::{Ask, JsonSchema, Personal};
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "eventType", rename_all_fields = "camelCase")]
pub enum Event {
    /// It has left the shop for the forwarder.
    ShippingStarted {
        order_no: u64,
        transport_no: String,
        shipping_address: String,
        #[serde(flatten)]
        label: Label,
    },
    /// The forwarder has it.
    ShippingCompleted {
        order_no: u64,
        transport_no: String,
        shipping_address: String,
        #[serde(flatten)]
        label: Label,
    },
    /// It never left, and from now on it never will.
    ShippingHeld { order_no: u64 },
}

/// What is written on a parcel all the way: from whom, to whom, and where to in the end.
#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Label {
    pub sender: Option<String>,
    pub receiver: Option<Personal<String>>,
    pub phone_number: Option<Personal<String>>,
    pub delivery_address: Option<Personal<String>>,
}

impl jumun_model::Event for Event {
    const CONTEXT: &'static str = "shipping";
    const NAMES: &'static [&'static str] = Self::VARIANTS;
    fn name(&self) -> &'static str {
        self.into()
    }
}

/// Never ship this order, if it has not left yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hold {}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    Held,
    TooLate,
}
impl Ask for Hold {
    const OF: &'static str = "shipping";
    const NAME: &'static str = "hold";
    type Answer = Answer;
}
