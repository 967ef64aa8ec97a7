//! What reservation says.
use super::screening::Visit;
use jumun_model::Personal;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "eventType", rename_all_fields = "camelCase")]
pub enum Event {
    /// It is in the book.
    ReservationCompleted {
        screening_id: u64,
        #[serde(flatten)]
        visit: Visit,
    },
    /// Its customer has another name, or it is off.
    ReservationChanged { screening_id: u64, cust_nm: Personal<String>, status: Status },
}

#[derive(
    Clone, Copy, Default, Debug, PartialEq, Eq, Serialize, Deserialize, jumun_model::JsonSchema, IntoStaticStr, VariantNames,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    #[default]
    Absent,
    RequestCompleted,
    Canceled,
    ForceCanceled,
}

impl jumun_model::Event for Event {
    const CONTEXT: &'static str = "reservation";
    const NAMES: &'static [&'static str] = Self::VARIANTS;
    fn name(&self) -> &'static str {
        self.into()
    }
}
