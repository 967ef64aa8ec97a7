//! What pay has done by the payment provider: by merchant key, and idempotent by it.
use jumun_model::{Ask, Case, Won};
use serde::{Deserialize, Serialize};

/// The merchant key of a case's one charge.
pub fn charge_key(case: &Case) -> String {
    format!("{case}/charge")
}

/// Take the money. Asked again with the same key, the provider answers what was done: this is also how an outcome is learned.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Charge {
    pub key: String,
    pub amount: Won,
}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Charged {
    Yes,
    No,
    /// The customer has to do something there first.
    NeedsCustomer(String),
}
impl Ask for Charge {
    const OF: &'static str = "provider";
    const NAME: &'static str = "charge";
    type Answer = Charged;
}

/// Give the money of that charge back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refund {
    pub key: String,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refunded {
    pub amount: Won,
}
impl Ask for Refund {
    const OF: &'static str = "provider";
    const NAME: &'static str = "refund";
    type Answer = Refunded;
}

/// Undo it: given back if it was charged, else the key is barred for ever.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Void {
    pub key: String,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Voided {
    NeverCharged,
    Refunded(Won),
}
impl Ask for Void {
    const OF: &'static str = "provider";
    const NAME: &'static str = "void";
    type Answer = Voided;
}
