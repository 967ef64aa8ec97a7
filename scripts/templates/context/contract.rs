//! What __name__ says.
use jumun_model::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "eventType", rename_all_fields = "camelCase")]
pub enum Event {
    __Name__Opened { id: u64, text: String, opened_at: Timestamp },
    __Name__Closed { id: u64 },
}

impl jumun_model::Event for Event {
    const CONTEXT: &'static str = "__name__";
    const NAMES: &'static [&'static str] = Self::VARIANTS;
    fn name(&self) -> &'static str {
        self.into()
    }
}
