//! What pay says, and what it answers.
use jumun_model::{Ask, Won};
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "eventType", rename_all_fields = "camelCase")]
pub enum Event {
    /// The provider was asked and is silent, or waits for the customer at `payUrl`.
    PaymentRequested {
        order_no: u64,
        item_no: u64,
        amount: Won,
        pay_url: Option<String>,
    },
    OrderPaid {
        pay_id: u64,
        order_no: u64,
        item_no: u64,
        amount: Won,
    },
    PaymentDeclined {
        order_no: u64,
        item_no: u64,
        amount: Won,
    },
    /// It is to be undone, whether it was charged or not; the provider is told until it confirms.
    VoidStarted {
        order_no: u64,
    },
    /// What was paid is to be given back; the provider is told until it confirms.
    RefundStarted {
        order_no: u64,
    },
    /// Nothing was charged, and nothing ever will be.
    PaymentVoided {
        order_no: u64,
    },
    /// What was charged is given back.
    PaymentCanceled {
        order_no: u64,
        amount: Won,
    },
}

impl jumun_model::Event for Event {
    const CONTEXT: &'static str = "pay";
    const NAMES: &'static [&'static str] = Self::VARIANTS;
    fn name(&self) -> &'static str {
        self.into()
    }
    fn is_public(&self) -> bool {
        !matches!(self, Event::VoidStarted { .. } | Event::RefundStarted { .. })
    }
}

/// Charge this order. Asked again, it is answered from what was done.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Charge {
    pub item_no: u64,
    pub amount: Won,
}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Charged {
    Paid,
    Declined,
    NotYet { pay_url: Option<String> },
}
impl Ask for Charge {
    const OF: &'static str = "pay";
    const NAME: &'static str = "charge";
    type Answer = Charged;
}
