//! malltail: overseas purchase. A case is an order.
pub mod contract;
pub mod order;
pub mod pay;
pub mod provider;
pub mod shipping;
pub mod shop;
pub mod view_page;

use jumun_model::Won;
use jumun_runtime::{Answering, Built, Key, Offer, Set, Step, Surroundings, System};
use provider::{FileLedger, MemoryLedger, SimulatedProvider};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Who may do what.
pub mod roles {
    pub const CUSTOMER: &str = "customer";
}

/// The system, with its payment provider behind a port.
pub fn system(settings: &Settings, provider: Arc<dyn Answering>) -> System {
    System {
        name: "malltail",
        topic: "malltail",
        contexts: vec![order::context(settings), pay::context(), shop::context(), shipping::context(), view_page::context()],
        providers: vec![("provider", provider)],
    }
}

/// What the system's owner can set; each key begins with `malltail.`.
#[derive(Clone, Debug)]
pub struct Settings {
    pub payment_window: Duration,
    pub prices: Prices,
}
const KEYS: &[Key] = &[
    Key { name: "malltail.payment_window", default: "24h", meaning: "how long an order may wait for its payment" },
    Key { name: "malltail.prices.*", default: "10000", meaning: "what a piece of that item costs, in won" },
];
impl Default for Settings {
    fn default() -> Self {
        Settings { payment_window: Duration::from_secs(24 * 60 * 60), prices: Prices::default() }
    }
}
impl Settings {
    /// # Errors
    /// One sentence on what can not be read.
    pub fn read(set: &Set) -> Result<Self, String> {
        let mut settings = Settings::default();
        for (key, value) in set {
            let bad = |what: &str| format!("{key} = {value:?} is no {what}");
            if key == "malltail.payment_window" {
                let window: jiff::SignedDuration = value.parse().map_err(|_| bad("duration, such as 24h or 30m"))?;
                settings.payment_window = window.try_into().map_err(|_| bad("duration from now on"))?;
            } else if let Some(item) = key.strip_prefix("malltail.prices.") {
                let item = item.parse().map_err(|_| bad("price of an item's number"))?;
                settings.prices.0.insert(item, Won(value.parse().map_err(|_| bad("price in whole won"))?));
            }
        }
        Ok(settings)
    }
}

/// The system as it is offered to the command line.
pub const OFFER: Offer = Offer {
    name: "malltail",
    about: "overseas purchase: order, pay, shop, shipping, and the page that shows it all",
    keys: KEYS,
    phrases: &[("ko", include_str!("../locales/ko.toml")), ("en", include_str!("../locales/en.toml"))],
    tries: &[
        "http localhost:{8081}/orders itemNo=1001",
        "http localhost:{8081}/orders/1",
        "http PUT :{8081}/orders/1/cancel",
        "http localhost:{8086}/statusViews",
    ],
    story: &[
        Step::Say("A customer orders item 1001. Order commits the wish, pay charges it, and only then the order stands."),
        Step::Open("/orders", r#"{"itemNo": "1001", "customerId": "kim"}"#),
        Step::See("/statusViews", 1),
        Step::Say("The customer thinks better of it. Shipping is asked to hold the parcel; then the money goes back."),
        Step::Command("/orders", 1, "cancel"),
        Step::See("/statusViews", 1),
        Step::Say("The provider declines the next one: nothing is charged, and the shop never sees it."),
        Step::Turn("provider", r#"{"declinedPercent": 100}"#),
        Step::Open("/orders", r#"{"itemNo": "2001", "customerId": "lee"}"#),
        Step::See("/statusViews", 2),
        Step::Say("Now the provider is silent. The order is taken all the same, and charged when the provider is back."),
        Step::Turn("provider", r#"{"declinedPercent": 0, "outage": true}"#),
        Step::Open("/orders", r#"{"itemNo": "3001", "customerId": "park"}"#),
        Step::Turn("provider", r#"{"outage": false}"#),
        Step::See("/statusViews", 3),
    ],
    build,
};

fn build(set: &Set, around: &Surroundings<'_>) -> Result<Built, String> {
    let settings = Settings::read(set)?;
    let (clock, chance) = (Arc::clone(&around.clock), Arc::clone(&around.chance));
    let provider = Arc::new(match around.data {
        None => SimulatedProvider::in_memory(MemoryLedger::default(), clock, chance),
        Some(folder) => {
            let file = folder.join("provider.db");
            let ledger = FileLedger::open(&file)
                .map_err(|why| format!("the provider's ledger {} can not be opened: {why}", file.display()))?;
            SimulatedProvider::with_file(ledger, clock, chance)
        }
    });
    let system = system(&settings, Arc::clone(&provider) as Arc<dyn Answering>);
    Ok(Built { system, dials: vec![("provider", provider)] })
}

/// The price list. Where it is silent, a piece costs 10,000.
#[derive(Clone, Debug, Default)]
pub struct Prices(pub BTreeMap<u64, Won>);
impl Prices {
    pub fn of(&self, item_no: u64) -> Won {
        self.0.get(&item_no).copied().unwrap_or(Won(10_000))
    }
}
