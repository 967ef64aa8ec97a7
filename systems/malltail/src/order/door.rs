//! The customer's door.
use super::order::{Do, No, Order, Place};
use crate::{Prices, contract::order::Customer, roles::CUSTOMER};
use jumun_model::{JsonSchema, Kind, Numeric, Personal, Text};
use jumun_runtime::{
    Whole,
    door::{Door, collection},
};
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PlaceOrder {
    item_no: Numeric,
    #[serde(default)]
    qty: Option<Numeric<1, 1_000_000>>,
    #[serde(default)]
    customer_id: Option<Text>,
    #[serde(default)]
    customer_name: Option<Text>,
    #[serde(default)]
    customer_address: Option<Text>,
    #[serde(default)]
    phone_number: Option<Text>,
}

/// Clients set no state; the one that they may name is the wish to cancel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct EditOrder {
    #[expect(dead_code, reason = "there is only one that can be read")]
    order_status: Wished,
}
#[derive(Debug, Deserialize, JsonSchema)]
enum Wished {
    Canceled,
}

pub(super) fn orders(prices: Prices) -> Door<Whole<Order>> {
    let place = move |body: PlaceOrder| -> Result<Do, No> {
        let item_no = body.item_no.0;
        let personal = |text: Option<Text>| text.map(|text| Personal(text.0));
        Ok(Do::Place(Place {
            item_no,
            qty: body.qty.map_or(1, |qty| qty.0),
            price: prices.of(item_no),
            customer: Customer {
                customer_id: body.customer_id.map(|text| text.0),
                customer_name: personal(body.customer_name),
                customer_address: personal(body.customer_address),
                phone_number: personal(body.phone_number),
            },
        }))
    };
    collection::<Order>("/orders")
        .owned_by("customerId", CUSTOMER)
        .opens(CUSTOMER, place, Order::placed)
        .refusing(&[Kind::Invalid, Kind::Unpaid, Kind::Conflict])
        .waiting()
        .command("cancel", CUSTOMER, || Do::Cancel, Order::cancelled)
        .refusing(&[Kind::Conflict])
        .waiting()
        .edits(CUSTOMER, |_: EditOrder| Ok(Do::Cancel), Order::cancelled)
        .refusing(&[Kind::Invalid, Kind::Conflict])
        .waiting()
}
