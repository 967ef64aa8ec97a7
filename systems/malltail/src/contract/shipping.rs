//! What shipping says, and what it answers.
use jumun_model::Ask;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "eventType", rename_all_fields = "camelCase")]
pub enum Event {
    /// It never left, and from now on it never will.
    ShippingHeld { order_no: u64 },
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
