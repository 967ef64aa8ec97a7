//! malltail: overseas purchase. A case is an order.
pub mod contract;
pub mod delivery;
pub mod order;
pub mod pay;
pub mod provider;
#[cfg(test)]
mod samples;
pub mod shipping;
pub mod shop;
pub mod view_page;

use jumun_model::Won;
use jumun_runtime::{Answering, Built, Key, Load, Offer, Set, Step, Surroundings, System};
use provider::{FileLedger, MemoryLedger, SimulatedProvider};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Who may do what.
pub mod roles {
    pub const CUSTOMER: &str = "customer";
    pub const SHOP_OWNER: &str = "shop-owner";
    pub const FORWARDER: &str = "forwarder";
    pub const CUSTOMS_OFFICER: &str = "customs-officer";
    pub const COURIER: &str = "courier";
}

/// The system, with its payment provider behind a port.
pub fn system(settings: &Settings, provider: Arc<dyn Answering>) -> System {
    System {
        name: "malltail",
        topic: "malltail",
        contexts: vec![
            order::context(settings),
            pay::context(),
            shop::context(settings),
            shipping::context(),
            delivery::context(),
            view_page::context(),
        ],
        providers: vec![("provider", provider)],
    }
}

/// What the system's owner can set; each key begins with `malltail.`.
#[derive(Clone, Debug)]
pub struct Settings {
    pub payment_window: Duration,
    pub prices: Prices,
    pub forwarding_address: String,
    pub shop_name: String,
}
const KEYS: &[Key] = &[
    Key { name: "malltail.payment_window", default: "24h", meaning: "how long an order may wait for its payment" },
    Key { name: "malltail.prices.*", default: "10000", meaning: "what a piece of that item costs, in won" },
    Key { name: "malltail.forwarding_address", default: FORWARDER_AT, meaning: "where the forwarder takes parcels in" },
    Key { name: "malltail.shop_name", default: SHOP, meaning: "who sends the parcels" },
];
const FORWARDER_AT: &str = "Jumun Forwarding, 19801 Wilmington, Delaware, USA";
const SHOP: &str = "Malltail";
impl Default for Settings {
    fn default() -> Self {
        Settings {
            payment_window: Duration::from_secs(24 * 60 * 60),
            prices: Prices::default(),
            forwarding_address: FORWARDER_AT.to_owned(),
            shop_name: SHOP.to_owned(),
        }
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
            } else if key == "malltail.forwarding_address" {
                settings.forwarding_address.clone_from(value);
            } else if key == "malltail.shop_name" {
                settings.shop_name.clone_from(value);
            }
        }
        Ok(settings)
    }
}

/// The system as it is offered to the command line.
pub const OFFER: Offer = Offer {
    name: "malltail",
    about: "overseas purchase: order, pay, shop, shipping, customs and delivery, and the page that shows it all",
    keys: KEYS,
    phrases: &[
        ("ko", include_str!("../locales/ko.toml")),
        ("en", include_str!("../locales/en.toml")),
        ("ko", include_str!("../locales/words.ko.toml")),
        ("en", include_str!("../locales/words.en.toml")),
    ],
    tries: &[
        "http localhost:{8081}/orders itemNo=1001",
        "http localhost:{8081}/orders/1",
        "http PUT :{8083}/shopManagements/1/acceptorder",
        "http PUT :{8084}/shippings/1/completeshipping",
        "http PUT :{8085}/deliveries/1/approvecustoms",
        "http PUT :{8085}/deliveries/1/completedelivery",
        "http localhost:{8086}/statusViews",
        "http PUT :{8081}/orders/1/cancel",
    ],
    story: &[
        Step::Say("Kim orders two pieces of item 1001. Order commits the wish, pay charges it, and only then the order stands."),
        Step::Open(
            "/orders",
            r#"{"itemNo": "1001", "qty": 2, "customerId": "kim", "customerName": "Kim", "customerAddress": "Seoul"}"#,
        ),
        Step::See("/statusViews", 1),
        Step::Say("The shop's owner takes the order: the parcel leaves for the forwarder overseas."),
        Step::Command("/shopManagements", 1, "acceptorder"),
        Step::See("/shippings", 1),
        Step::Say("Kim thinks better of it. Too late: the parcel is on its way, and the order stays as it is."),
        Step::Command("/orders", 1, "cancel"),
        Step::Say("The forwarder has it. Customs lets it in, and the courier brings it to the door."),
        Step::Command("/shippings", 1, "completeshipping"),
        Step::See("/deliveries", 1),
        Step::Command("/deliveries", 1, "approvecustoms"),
        Step::Command("/deliveries", 1, "completedelivery"),
        Step::See("/statusViews", 1),
        Step::Say("Lee's goods come as far as customs, and may not enter. They are discarded; that is no reason for a refund."),
        Step::Open("/orders", r#"{"itemNo": "2001", "customerId": "lee"}"#),
        Step::See("/shopManagements", 2),
        Step::Command("/shopManagements", 2, "acceptorder"),
        Step::See("/shippings", 2),
        Step::Command("/shippings", 2, "completeshipping"),
        Step::See("/deliveries", 2),
        Step::Command("/deliveries", 2, "rejectcustoms"),
        Step::See("/statusViews", 2),
        Step::Say("Park cancels in time. Shipping is asked to hold the parcel, which has not left; then the money goes back."),
        Step::Open("/orders", r#"{"itemNo": "3001", "customerId": "park"}"#),
        Step::Command("/orders", 3, "cancel"),
        Step::See("/statusViews", 3),
        Step::Say("What Choi orders is sold out. The owner turns it down, and the money goes back."),
        Step::Open("/orders", r#"{"itemNo": "4001", "customerId": "choi"}"#),
        Step::See("/shopManagements", 4),
        Step::Command("/shopManagements", 4, "rejectorder"),
        Step::See("/statusViews", 4),
        Step::Say("Now the provider is silent. Jung's order is taken all the same, and charged when the provider is back."),
        Step::Turn("provider", r#"{"outage": true}"#),
        Step::Open("/orders", r#"{"itemNo": "5001", "customerId": "jung"}"#),
        Step::Turn("provider", r#"{"outage": false}"#),
        Step::See("/statusViews", 5),
    ],
    load: Load { first: None, wish: ("/orders", r#"{"itemNo": "1001"}"#), ends: ("/statusViews", "deliveryStatus=Ready") },
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str, value: &str) -> Result<Settings, String> {
        Settings::read(&Set::from([(key.to_owned(), value.to_owned())]))
    }

    #[test]
    fn every_key_that_can_be_set_is_read() {
        assert_eq!(read("malltail.payment_window", "30m").unwrap().payment_window, Duration::from_secs(1_800));
        assert_eq!(read("malltail.prices.7", "2500").unwrap().prices.of(7), Won(2_500));
        assert_eq!(read("malltail.forwarding_address", "Dock 4").unwrap().forwarding_address, "Dock 4");
        assert_eq!(read("malltail.shop_name", "Mall 2").unwrap().shop_name, "Mall 2");
        assert_eq!(KEYS.len(), 4, "a new key has a line here");
    }

    #[test]
    fn what_is_not_set_is_as_the_manual_says() {
        let (said, settings) = (|name: &str| KEYS.iter().find(|key| key.name == name).unwrap().default, Settings::default());
        let window: jiff::SignedDuration = said("malltail.payment_window").parse().unwrap();
        assert_eq!(settings.payment_window, Duration::try_from(window).unwrap());
        assert_eq!(settings.prices.of(1).0.to_string(), said("malltail.prices.*"));
        assert_eq!(settings.forwarding_address, said("malltail.forwarding_address"));
        assert_eq!(settings.shop_name, said("malltail.shop_name"));
    }

    #[test]
    fn what_can_not_be_read_is_said_with_its_key() {
        for (key, value) in [("malltail.payment_window", "soon"), ("malltail.prices.x", "1"), ("malltail.prices.7", "cheap")] {
            let why = read(key, value).unwrap_err();
            assert!(why.starts_with(key) && why.contains(value), "{why}");
        }
    }
}
