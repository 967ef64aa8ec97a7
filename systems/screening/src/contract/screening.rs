//! What screening says.
use jumun_model::Personal;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "eventType", rename_all_fields = "camelCase")]
pub enum Event {
    /// Somebody wishes to be examined; no seat is taken yet.
    Requested {
        id: u64,
        #[serde(flatten)]
        visit: Visit,
    },
    /// The seat is taken.
    RequestCompleted {
        id: u64,
        #[serde(flatten)]
        visit: Visit,
    },
    /// There is no seat for it. Whoever holds one of it gives it back.
    Rejected { id: u64, hospital_id: u64, reason: Reason },
    /// The customer does not come.
    Canceled { id: u64, hospital_id: u64 },
    /// The hospital is closed.
    ForceCanceled { id: u64, hospital_id: u64 },
    /// It is for somebody of another name.
    CustomerRenamed { id: u64, cust_nm: Personal<String> },
}

/// Who wishes to be examined, where and when.
#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, jumun_model::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Visit {
    pub hospital_id: u64,
    /// As the customer wrote it.
    pub hospital_nm: Option<String>,
    pub chk_date: String,
    pub cust_nm: Personal<String>,
}

/// Why there is no seat for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, jumun_model::JsonSchema, IntoStaticStr, VariantNames)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    Full,
    Closed,
    UnknownHospital,
    OtherDate,
    /// The hospital did not answer in time; should it have taken a seat, it is given back.
    NoAnswer,
}

impl jumun_model::Event for Event {
    const CONTEXT: &'static str = "screening";
    const NAMES: &'static [&'static str] = Self::VARIANTS;
    fn name(&self) -> &'static str {
        self.into()
    }
}
