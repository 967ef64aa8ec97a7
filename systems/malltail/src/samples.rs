//! What the tests of several contexts share: at least one of each fact, all of order 7, and the languages.
use crate::contract::{
    delivery,
    order::{self, Customer, Reason, Unpaid},
    pay,
    shipping::{self, Label},
    shop,
};
use jumun_model::{Personal, Refusal, Won};
use jumun_testkit::NOON;

pub(crate) fn customer() -> Customer {
    let text = |text: &str| Some(Personal(text.to_owned()));
    Customer {
        customer_id: Some("c-1".to_owned()),
        customer_name: text("Kim"),
        customer_address: text("Seoul"),
        phone_number: text("010-1234-5678"),
    }
}
pub(crate) fn label() -> Label {
    let Customer { customer_name, customer_address, phone_number, .. } = customer();
    Label { sender: Some("Malltail".to_owned()), receiver: customer_name, phone_number, delivery_address: customer_address }
}

pub(crate) fn order() -> Vec<order::Event> {
    use order::Event::*;
    let (order_no, item_no, qty, amount, create_date) = (7, 1001, 3, Won(30_000), NOON);
    vec![
        OrderRequested { order_no, item_no, qty, amount, customer: customer(), create_date },
        PaymentAwaited { order_no, pay_url: "https://pay.example/order/7".to_owned() },
        Ordered { order_no, item_no, qty, amount, customer: customer(), create_date },
        OrderPaymentFailed { order_no, why: Unpaid::Declined },
        OrderPaymentFailed { order_no, why: Unpaid::Expired },
        CancelRequested { order_no },
        CancelRefused { order_no },
        ShippingNoted { order_no },
        OrderTurnedDown { order_no, reason: Some("sold out".to_owned()) },
        OrderCanceled { order_no, reason: Reason::Customer, refund_due: true },
        OrderCanceled { order_no, reason: Reason::Customs, refund_due: false },
    ]
}
pub(crate) fn pay() -> Vec<pay::Event> {
    use pay::Event::*;
    let (order_no, item_no, amount) = (7, 1001, Won(30_000));
    vec![
        PaymentRequested { order_no, item_no, amount, pay_url: None },
        OrderPaid { pay_id: 7, order_no, item_no, amount },
        PaymentDeclined { order_no, item_no, amount },
        VoidStarted { order_no },
        RefundStarted { order_no },
        PaymentVoided { order_no },
        PaymentCanceled { order_no, amount },
    ]
}
pub(crate) fn shop() -> Vec<shop::Event> {
    use shop::Event::*;
    let (order_no, pay_id, item_no, qty, create_date) = (7, 7, 1001, 3, NOON);
    let (shipping_address, shop_name) = ("Delaware".to_owned(), "Malltail".to_owned());
    vec![
        PaidSeen { order_no, pay_id },
        EstablishedSeen { order_no, item_no, qty, amount: Won(30_000), customer: customer(), create_date },
        OrderListed { order_no },
        OrderDeliveryStarted { order_no, pay_id, item_no, qty, create_date, customer: customer(), shipping_address, shop_name },
        OrderRejected { order_no, reason: Some("sold out".to_owned()) },
        OrderRejected { order_no, reason: None },
        OrderWithdrawn { order_no },
    ]
}
pub(crate) fn shipping() -> Vec<shipping::Event> {
    use shipping::Event::*;
    let (order_no, transport_no, shipping_address) = (7, "T-7".to_owned(), "Delaware".to_owned());
    vec![
        ShippingStarted {
            order_no,
            transport_no: transport_no.clone(),
            shipping_address: shipping_address.clone(),
            label: label(),
        },
        ShippingCompleted { order_no, transport_no, shipping_address, label: label() },
        ShippingHeld { order_no },
    ]
}
pub(crate) fn delivery() -> Vec<delivery::Event> {
    use delivery::Event::*;
    let (order_no, invoice_no) = (7, "I-7".to_owned());
    vec![
        CustomsAwaited { order_no, label: label() },
        CustomsRejected { order_no },
        DeliveryStarted { order_no, invoice_no: invoice_no.clone(), label: label() },
        DeliveryCompleted { order_no, invoice_no },
    ]
}

/// Every refusal has a sentence in Korean and in English.
#[track_caller]
pub(crate) fn both_languages_know<'r, R: Refusal>(refusals: impl IntoIterator<Item = &'r R>) {
    let files = [("ko", include_str!("../locales/ko.toml")), ("en", include_str!("../locales/en.toml"))];
    for code in refusals.into_iter().map(Refusal::code) {
        for (language, file) in files {
            assert!(file.lines().any(|line| line.starts_with(&format!("{code} = "))), "{code} has no sentence in {language}");
        }
    }
}
