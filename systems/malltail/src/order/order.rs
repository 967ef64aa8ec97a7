//! An order: from the customer's wish to the money, and back if the customer thinks better of it.
use crate::contract::{
    order::{Customer, Event as Fact, Reason, Unpaid},
    pay::{Charge, Charged},
    shipping,
};
use jumun_model::*;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use strum::{EnumIter, IntoStaticStr, VariantNames};

#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Order {
    pub item_no: u64,
    pub qty: u64,
    pub amount: Won,
    pub order_status: Status,
    /// How far its parcel is, as far as that binds the customer.
    pub delivery_status: Option<Delivery>,
    /// Why it is over: `declined`, `expired`, `customer`, `customs`, or in the shop's own words.
    pub reason: Option<String>,
    #[serde(flatten)]
    pub customer: Customer,
    pub create_date: Timestamp,
    pub update_date: Timestamp,
    /// Where the customer can finish paying, while the provider waits for that.
    pub pay_url: Option<String>,
}
#[derive(
    Clone, Copy, Default, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, EnumIter, IntoStaticStr, VariantNames,
)]
pub enum Status {
    #[default]
    Absent,
    PaymentPending,
    Ordered,
    CancelRequested,
    Canceled,
    PaymentFailed,
    Rejected,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Delivery {
    ShippingStarted,
}

/// What is ordered; the price is the system's own.
#[derive(Clone, Default, Debug, PartialEq)]
pub struct Place {
    pub item_no: u64,
    pub qty: u64,
    pub price: Won,
    pub customer: Customer,
}

#[derive(Clone, Debug, PartialEq, IntoStaticStr, VariantNames)]
pub enum Do {
    Place(Place),
    Cancel,
    // outcomes of the charge
    Paid,
    Declined,
    PayAt(String),
    GiveUp,
    // outcomes of the hold
    Held,
    TooLate,
    // what became of it elsewhere
    NoteShipping,
    TurnDown { reason: Option<String> },
    Forfeit,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum No {
    #[error("at least one piece")]
    NothingOrdered,
    #[error("so many pieces at that price can not be reckoned with")]
    TooMuch,
    #[error("the payment was declined")]
    Declined,
    #[error("it was not paid in time")]
    Expired,
    #[error("the order was canceled")]
    Canceled,
    #[error("the parcel is already on its way")]
    AlreadyShipped,
    #[error("the shop could not take the order")]
    TurnedDown,
    #[error("customs did not let the goods into the country")]
    Forfeited,
    #[error("this order is closed")]
    Closed,
    #[error("there is no such order")]
    Unknown,
}
impl Refusal for No {
    fn code(&self) -> &'static str {
        match self {
            No::NothingOrdered => "nothing-ordered",
            No::TooMuch => "too-much",
            No::Declined => "payment-declined",
            No::Expired => "payment-expired",
            No::Canceled => "canceled",
            No::AlreadyShipped => "already-shipped",
            No::TurnedDown => "turned-down",
            No::Forfeited => "forfeited",
            No::Closed => "closed",
            No::Unknown => "unknown",
        }
    }
    fn kind(&self) -> Kind {
        match self {
            No::NothingOrdered | No::TooMuch => Kind::Invalid,
            No::Declined | No::Expired => Kind::Unpaid,
            No::Canceled | No::AlreadyShipped | No::TurnedDown | No::Forfeited | No::Closed => Kind::Conflict,
            No::Unknown => Kind::Missing,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Settings {
    /// How long an order may wait for its payment.
    pub payment_window: Duration,
}

impl Aggregate for Order {
    const NAME: &'static str = "order";
    const ROOT: &'static str = "order";
    const KEYS: &'static [&'static str] = &["customerId"];
    type Command = Do;
    type Event = Fact;
    type Refusal = No;
    type Settings = Settings;

    fn decide(&self, on: &Occasion, command: Do) -> Result<Vec<Fact>, No> {
        use Status::*;
        let order_no = on.number;
        Ok(match (self.order_status, command) {
            (Absent, Do::Place(wish)) => vec![requested(on, wish)?],

            (PaymentPending, Do::Paid) => vec![self.established(order_no)],
            (PaymentPending, Do::Declined) => vec![Fact::OrderPaymentFailed { order_no, why: Unpaid::Declined }],
            (PaymentPending, Do::GiveUp) => vec![Fact::OrderPaymentFailed { order_no, why: Unpaid::Expired }],
            (PaymentPending, Do::PayAt(pay_url)) if self.pay_url.as_ref() != Some(&pay_url) => {
                vec![Fact::PaymentAwaited { order_no, pay_url }]
            }
            (PaymentPending, Do::Cancel) => vec![canceled(order_no)],

            (Ordered, Do::Cancel) if self.delivery_status.is_none() => vec![Fact::CancelRequested { order_no }],
            (CancelRequested, Do::Held) => vec![canceled(order_no)],
            (CancelRequested, Do::TooLate | Do::NoteShipping) => vec![Fact::CancelRefused { order_no }],

            (Ordered, Do::NoteShipping) if self.delivery_status.is_none() => vec![Fact::ShippingNoted { order_no }],
            (Ordered | CancelRequested, Do::TurnDown { reason }) => vec![Fact::OrderTurnedDown { order_no, reason }],
            (Ordered | CancelRequested, Do::Forfeit) => {
                vec![Fact::OrderCanceled { order_no, reason: Reason::Customs, refund_due: false }]
            }

            (CancelRequested, Do::Cancel) => vec![], // a repeat, which waits as the first did
            (Absent, Do::Cancel) => return Err(No::Unknown),
            (_, Do::Cancel) => return self.cancelled().map(|()| vec![]),
            (_, Do::Place(_)) => return Err(No::Closed),

            // what comes late changes nothing
            (_, Do::Paid | Do::Declined | Do::PayAt(_) | Do::GiveUp | Do::Held | Do::TooLate) => vec![],
            (_, Do::NoteShipping | Do::TurnDown { .. } | Do::Forfeit) => vec![],
        })
    }

    fn evolve(&mut self, on: &Occasion, fact: &Fact) {
        self.update_date = on.at;
        match fact {
            Fact::OrderRequested { item_no, qty, amount, customer, create_date, .. } => {
                *self = Order {
                    item_no: *item_no,
                    qty: *qty,
                    amount: *amount,
                    customer: customer.clone(),
                    create_date: *create_date,
                    update_date: on.at,
                    order_status: Status::PaymentPending,
                    ..Order::default()
                }
            }
            Fact::PaymentAwaited { pay_url, .. } => self.pay_url = Some(pay_url.clone()),
            Fact::Ordered { .. } => (self.order_status, self.pay_url) = (Status::Ordered, None),
            Fact::CancelRefused { .. } => {
                (self.order_status, self.delivery_status) = (Status::Ordered, Some(Delivery::ShippingStarted));
            }
            Fact::ShippingNoted { .. } => self.delivery_status = Some(Delivery::ShippingStarted),
            Fact::OrderPaymentFailed { why, .. } => {
                (self.order_status, self.pay_url) = (Status::PaymentFailed, None);
                self.reason = Some(if *why == Unpaid::Declined { "declined" } else { "expired" }.to_owned());
            }
            Fact::CancelRequested { .. } => self.order_status = Status::CancelRequested,
            Fact::OrderCanceled { reason, .. } => {
                (self.order_status, self.pay_url) = (Status::Canceled, None);
                self.reason = Some(if *reason == Reason::Customs { CUSTOMS } else { "customer" }.to_owned());
            }
            Fact::OrderTurnedDown { reason, .. } => {
                (self.order_status, self.reason) = (Status::Rejected, reason.clone());
            }
        }
    }

    fn owes(&self, _: &Case, settings: &Settings) -> Owes<Do> {
        match self.order_status {
            Status::PaymentPending => {
                Owes::ask(&Charge { item_no: self.item_no, amount: self.amount }, |charged| match charged {
                    Charged::Paid => Some(Do::Paid),
                    Charged::Declined => Some(Do::Declined),
                    Charged::NotYet { pay_url } => pay_url.map(Do::PayAt),
                })
                .until(self.create_date + settings.payment_window, Do::GiveUp)
            }
            Status::CancelRequested => Owes::ask(&shipping::Hold {}, |answer| {
                Some(match answer {
                    shipping::Answer::Held => Do::Held,
                    shipping::Answer::TooLate => Do::TooLate,
                })
            }),
            _ => Owes::nothing(),
        }
    }

    fn examples() -> Vec<Do> {
        let wish = Place { item_no: 1001, qty: 1, price: Won(10_000), customer: Customer::default() };
        let paying = [Do::Paid, Do::Declined, Do::PayAt(String::new()), Do::GiveUp];
        let elsewhere = [Do::NoteShipping, Do::TurnDown { reason: None }, Do::Forfeit];
        [Do::Place(wish), Do::Cancel].into_iter().chain(paying).chain([Do::Held, Do::TooLate]).chain(elsewhere).collect()
    }
}

/// The reason of an order that customs did not let in.
const CUSTOMS: &str = "customs";

fn requested(on: &Occasion, wish: Place) -> Result<Fact, No> {
    let Place { item_no, qty, price, customer } = wish;
    if qty == 0 {
        return Err(No::NothingOrdered);
    }
    let amount = price.times(qty).filter(|amount| amount.0 <= EXACT).ok_or(No::TooMuch)?;
    Ok(Fact::OrderRequested { order_no: on.number, item_no, qty, amount, customer, create_date: on.at })
}
fn canceled(order_no: u64) -> Fact {
    Fact::OrderCanceled { order_no, reason: Reason::Customer, refund_due: true }
}

impl Order {
    fn established(&self, order_no: u64) -> Fact {
        let Order { item_no, qty, amount, customer, create_date, .. } = self.clone();
        Fact::Ordered { order_no, item_no, qty, amount, customer, create_date }
    }
    /// How placing it ended, once nothing is owed any more.
    pub fn placed(&self) -> Result<(), No> {
        match (self.order_status, self.reason.as_deref()) {
            (Status::PaymentFailed, Some("expired")) => Err(No::Expired),
            (Status::PaymentFailed, _) => Err(No::Declined),
            (Status::Canceled, Some(CUSTOMS)) => Err(No::Forfeited),
            (Status::Canceled, _) => Err(No::Canceled),
            (Status::Rejected, _) => Err(No::TurnedDown),
            _ => Ok(()),
        }
    }
    /// How cancelling it ended, once nothing is owed any more.
    pub fn cancelled(&self) -> Result<(), No> {
        match (self.order_status, self.reason.as_deref()) {
            (Status::Canceled, Some(CUSTOMS)) => Err(No::Forfeited),
            (Status::Canceled, _) => Ok(()),
            (Status::Ordered, _) => Err(No::AlreadyShipped),
            (Status::Rejected, _) => Err(No::TurnedDown),
            _ => Err(No::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jumun_testkit::{NOON, check_table, given, given_facts, laws, outcome};
    use serde_json::json;
    use strum::VariantNames;

    const WINDOW: Duration = Duration::from_secs(3600);
    const PAGE: &str = "https://pay.example/order/7";

    fn customer() -> Customer {
        let text = |text: &str| Some(Personal(text.to_owned()));
        Customer {
            customer_id: Some("c-1".to_owned()),
            customer_name: text("Kim"),
            customer_address: text("Seoul"),
            phone_number: text("010-1234-5678"),
        }
    }
    fn wish() -> Place {
        Place { item_no: 1001, qty: 3, price: Won(10_000), customer: customer() }
    }
    fn asked_for() -> Fact {
        Fact::OrderRequested { order_no: 7, item_no: 1001, qty: 3, amount: Won(30_000), customer: customer(), create_date: NOON }
    }
    fn ordered() -> Fact {
        Fact::Ordered { order_no: 7, item_no: 1001, qty: 3, amount: Won(30_000), customer: customer(), create_date: NOON }
    }
    fn failed(why: Unpaid) -> Fact {
        Fact::OrderPaymentFailed { order_no: 7, why }
    }
    fn awaited(page: &str) -> Fact {
        Fact::PaymentAwaited { order_no: 7, pay_url: page.to_owned() }
    }
    fn wishes_to_cancel() -> Fact {
        Fact::CancelRequested { order_no: 7 }
    }
    fn turned_down() -> Fact {
        Fact::OrderTurnedDown { order_no: 7, reason: Some("sold out".to_owned()) }
    }
    fn forfeited() -> Fact {
        Fact::OrderCanceled { order_no: 7, reason: Reason::Customs, refund_due: false }
    }
    const SHIPPED: Fact = Fact::ShippingNoted { order_no: 7 };
    fn after(facts: impl IntoIterator<Item = Fact>) -> Order {
        given_facts(facts).into_state()
    }
    fn pending() -> Order {
        after([asked_for()])
    }
    fn canceled_in_time() -> Order {
        after([asked_for(), ordered(), wishes_to_cancel(), canceled(7)])
    }
    fn states() -> Vec<(&'static str, Order)> {
        vec![
            ("Absent", Order::default()),
            ("PaymentPending", pending()),
            ("PaymentPending (page)", after([asked_for(), awaited(PAGE)])),
            ("Ordered", after([asked_for(), ordered()])),
            (
                "Ordered (cancel refused)",
                after([asked_for(), ordered(), wishes_to_cancel(), Fact::CancelRefused { order_no: 7 }]),
            ),
            ("Ordered (shipped)", after([asked_for(), ordered(), SHIPPED])),
            ("CancelRequested", after([asked_for(), ordered(), wishes_to_cancel()])),
            ("Canceled", canceled_in_time()),
            ("Canceled (unpaid)", after([asked_for(), canceled(7)])),
            ("Canceled (customs)", after([asked_for(), ordered(), SHIPPED, forfeited()])),
            ("PaymentFailed", after([asked_for(), failed(Unpaid::Declined)])),
            ("PaymentFailed (expired)", after([asked_for(), failed(Unpaid::Expired)])),
            ("Rejected", after([asked_for(), ordered(), turned_down()])),
        ]
    }
    fn commands() -> Vec<(&'static str, Do)> {
        vec![
            ("Place", Do::Place(wish())),
            ("Place (none)", Do::Place(Place { qty: 0, ..wish() })),
            ("Place (too much)", Do::Place(Place { price: Won(EXACT), ..wish() })),
            ("Cancel", Do::Cancel),
            ("Paid", Do::Paid),
            ("Declined", Do::Declined),
            ("PayAt", Do::PayAt(PAGE.to_owned())),
            ("GiveUp", Do::GiveUp),
            ("Held", Do::Held),
            ("TooLate", Do::TooLate),
            ("NoteShipping", Do::NoteShipping),
            ("TurnDown", Do::TurnDown { reason: Some("sold out".to_owned()) }),
            ("Forfeit", Do::Forfeit),
        ]
    }

    #[test]
    fn the_table_on_the_wall_is_the_rule() {
        let table = "
            | Order                    | Place          | Place (none)     | Place (too much) | Cancel           | Paid    | Declined           | PayAt          | GiveUp             | Held          | TooLate       | NoteShipping  | TurnDown        | Forfeit       |
            |--------------------------|----------------|------------------|------------------|------------------|---------|--------------------|----------------|--------------------|---------------|---------------|---------------|-----------------|---------------|
            | Absent                   | OrderRequested | !nothing-ordered | !too-much        | !unknown         | –       | –                  | –              | –                  | –             | –             | –             | –               | –             |
            | PaymentPending           | !closed        | !closed          | !closed          | OrderCanceled    | Ordered | OrderPaymentFailed | PaymentAwaited | OrderPaymentFailed | –             | –             | –             | –               | –             |
            | PaymentPending (page)    | !closed        | !closed          | !closed          | OrderCanceled    | Ordered | OrderPaymentFailed | ∅              | OrderPaymentFailed | –             | –             | –             | –               | –             |
            | Ordered                  | !closed        | !closed          | !closed          | CancelRequested  | ∅       | ∅                  | ∅              | ∅                  | ∅             | ∅             | ShippingNoted | OrderTurnedDown | OrderCanceled |
            | Ordered (cancel refused) | !closed        | !closed          | !closed          | !already-shipped | ∅       | ∅                  | ∅              | ∅                  | ∅             | ∅             | ∅             | OrderTurnedDown | OrderCanceled |
            | Ordered (shipped)        | !closed        | !closed          | !closed          | !already-shipped | ∅       | ∅                  | ∅              | ∅                  | ∅             | ∅             | ∅             | OrderTurnedDown | OrderCanceled |
            | CancelRequested          | !closed        | !closed          | !closed          | ∅                | ∅       | ∅                  | ∅              | ∅                  | OrderCanceled | CancelRefused | CancelRefused | OrderTurnedDown | OrderCanceled |
            | Canceled                 | !closed        | !closed          | !closed          | ∅                | ∅       | ∅                  | ∅              | ∅                  | ∅             | ∅             | ∅             | ∅               | ∅             |
            | Canceled (unpaid)        | !closed        | !closed          | !closed          | ∅                | ∅       | ∅                  | ∅              | ∅                  | ∅             | ∅             | ∅             | ∅               | ∅             |
            | Canceled (customs)       | !closed        | !closed          | !closed          | !forfeited       | ∅       | ∅                  | ∅              | ∅                  | ∅             | ∅             | ∅             | ∅               | ∅             |
            | PaymentFailed            | !closed        | !closed          | !closed          | !closed          | ∅       | ∅                  | ∅              | ∅                  | ∅             | ∅             | ∅             | ∅               | ∅             |
            | PaymentFailed (expired)  | !closed        | !closed          | !closed          | !closed          | ∅       | ∅                  | ∅              | ∅                  | ∅             | ∅             | ∅             | ∅               | ∅             |
            | Rejected                 | !closed        | !closed          | !closed          | !turned-down     | ∅       | ∅                  | ∅              | ∅                  | ∅             | ∅             | ∅             | ∅               | ∅             |
        ";
        check_table(table, states(), commands())
            .statuses(Status::VARIANTS, |order| order.order_status.into())
            .commands(Do::VARIANTS);
    }

    #[test]
    fn whatever_happens_in_whatever_order_the_laws_hold() {
        laws::<Order>(commands().into_iter().map(|(_, command)| command))
            .users(|command| matches!(command, Do::Place(_) | Do::Cancel))
            .not_repeatable(|command| matches!(command, Do::Place(_)))
            .hold();
    }

    #[test]
    fn an_order_costs_its_pieces_at_the_systems_price_and_says_who_ordered_and_when() {
        let later = NOON + Duration::from_secs(5);
        let placed =
            given(Order::default()).when(Do::Place(wish())).then([asked_for()]).at(later).when(Do::Paid).then([ordered()]);
        let Order { item_no, qty, amount, customer: by, create_date, update_date, .. } = placed.into_state();
        assert_eq!((item_no, qty, amount, by, create_date, update_date), (1001, 3, Won(30_000), customer(), NOON, later));
    }

    #[test]
    fn an_amount_that_json_can_not_hold_exactly_is_too_much() {
        let at_most = |price| given(Order::default()).when(Do::Place(Place { qty: 1, price, ..wish() }));
        assert_eq!(
            at_most(Won(EXACT))
                .then([Fact::OrderRequested {
                    order_no: 7,
                    item_no: 1001,
                    qty: 1,
                    amount: Won(EXACT),
                    customer: customer(),
                    create_date: NOON
                }])
                .state()
                .amount,
            Won(EXACT)
        );
        at_most(Won(EXACT + 1)).refused(No::TooMuch);
        given(Order::default()).when(Do::Place(Place { qty: u64::MAX, ..wish() })).refused(No::TooMuch);
        given(Order::default()).when(Do::Place(Place { qty: 0, ..wish() })).refused(No::NothingOrdered);
    }

    #[test]
    fn what_is_over_says_why_and_is_to_be_given_back() {
        let canceled = Fact::OrderCanceled { order_no: 7, reason: Reason::Customer, refund_due: true };
        for (state, command, fact, reason) in [
            (pending(), Do::Declined, failed(Unpaid::Declined), "declined"),
            (pending(), Do::GiveUp, failed(Unpaid::Expired), "expired"),
            (pending(), Do::Cancel, canceled.clone(), "customer"),
            (after([asked_for(), ordered(), wishes_to_cancel()]), Do::Held, canceled, "customer"),
        ] {
            let over = given(state).when(command).then([fact]).into_state();
            assert_eq!(over.reason.as_deref(), Some(reason));
        }
    }

    #[test]
    fn an_order_asks_for_its_payment_until_its_window_closes_and_then_gives_up() {
        let pending = given(pending()).with(Settings { payment_window: WINDOW });
        let owed = pending.owes("pay.charge").owes_at(NOON + WINDOW, Do::GiveUp).owed();
        assert_eq!(owed.ask.as_ref().unwrap().body, json!({ "itemNo": 1001, "amount": 30_000 }));
        assert_eq!(owed.ask.as_ref().unwrap().not_sent, None, "what could not be sent is asked again");
        assert_eq!(outcome(&owed, Charged::Paid), Some(Do::Paid));
        assert_eq!(outcome(&owed, Charged::Declined), Some(Do::Declined));
        assert_eq!(outcome(&owed, Charged::NotYet { pay_url: None }), None);
        assert_eq!(outcome(&owed, Charged::NotYet { pay_url: Some(PAGE.to_owned()) }), Some(Do::PayAt(PAGE.to_owned())));
        // the window does not move with the order
        let touched = Order { update_date: NOON + WINDOW / 2, ..pending.into_state() };
        given(touched).with(Settings { payment_window: WINDOW }).owes_at(NOON + WINDOW, Do::GiveUp);
    }

    #[test]
    fn the_page_where_the_customer_pays_is_known_as_long_as_it_helps() {
        let page = |order: &Order| order.pay_url.clone();
        let waits = given(pending()).when(Do::PayAt(PAGE.to_owned())).then([awaited(PAGE)]);
        assert_eq!(page(waits.state()).as_deref(), Some(PAGE));
        waits.clone().with(Settings { payment_window: WINDOW }).owes("pay.charge").owes_at(NOON + WINDOW, Do::GiveUp);
        let moved = waits.clone().when(Do::PayAt("https://pay.example/2".to_owned())).then([awaited("https://pay.example/2")]);
        assert_eq!(page(moved.state()).as_deref(), Some("https://pay.example/2"));
        for (command, fact) in [
            (Do::Paid, ordered()),
            (Do::Declined, failed(Unpaid::Declined)),
            (Do::GiveUp, failed(Unpaid::Expired)),
            (Do::Cancel, canceled(7)),
        ] {
            assert_eq!(page(waits.clone().when(command.clone()).then([fact]).state()), None, "{command:?}");
        }
        assert!(!awaited(PAGE).is_public());
    }

    #[test]
    fn a_wish_to_cancel_stands_until_shipping_answers() {
        let asks = given_facts::<Order>([asked_for(), ordered(), wishes_to_cancel()]).with(Settings { payment_window: WINDOW });
        let owed = asks.owes("shipping.hold").without_end().owed();
        assert_eq!(owed.ask.as_ref().unwrap().not_sent, None, "an ask that undoes something is never withdrawn");
        assert_eq!(outcome(&owed, shipping::Answer::Held), Some(Do::Held));
        assert_eq!(outcome(&owed, shipping::Answer::TooLate), Some(Do::TooLate));
    }

    #[test]
    fn a_parcel_that_has_left_is_not_cancelled_and_shipping_is_not_asked_again() {
        let stands = given_facts::<Order>([asked_for(), ordered()]);
        let left = stands.when(Do::NoteShipping).then([SHIPPED]).with(Settings { payment_window: WINDOW });
        assert_eq!((left.state().order_status, left.state().delivery_status), (Status::Ordered, Some(Delivery::ShippingStarted)));
        left.when(Do::Cancel).refused(No::AlreadyShipped).owes_nothing();
        // the fact may well come before the answer of shipping, and decides alike
        for outcome in [Do::NoteShipping, Do::TooLate] {
            let asks = given_facts::<Order>([asked_for(), ordered(), wishes_to_cancel()]);
            let stands = asks.when(outcome).then([Fact::CancelRefused { order_no: 7 }]);
            assert_eq!(stands.state().order_status, Status::Ordered);
            stands.when(Do::NoteShipping).then_nothing().when(Do::Cancel).refused(No::AlreadyShipped);
        }
    }

    #[test]
    fn what_the_shop_turns_down_is_over_in_its_words_even_while_the_customer_waits_for_a_cancel() {
        for facts in [vec![asked_for(), ordered()], vec![asked_for(), ordered(), wishes_to_cancel()]] {
            let over =
                given_facts::<Order>(facts).when(Do::TurnDown { reason: Some("sold out".to_owned()) }).then([turned_down()]);
            assert_eq!((over.state().order_status, over.state().reason.as_deref()), (Status::Rejected, Some("sold out")));
            assert_eq!(over.state().cancelled(), Err(No::TurnedDown));
            over.with(Settings { payment_window: WINDOW }).owes_nothing();
        }
    }

    #[test]
    fn what_customs_does_not_let_in_is_cancelled_and_nothing_of_it_is_given_back() {
        for facts in [vec![asked_for(), ordered(), SHIPPED], vec![asked_for(), ordered(), wishes_to_cancel()]] {
            let over = given_facts::<Order>(facts).when(Do::Forfeit).then([forfeited()]);
            assert_eq!((over.state().order_status, over.state().reason.as_deref()), (Status::Canceled, Some("customs")));
            assert_eq!(over.state().cancelled(), Err(No::Forfeited));
            over.with(Settings { payment_window: WINDOW }).when(Do::Cancel).refused(No::Forfeited).owes_nothing();
        }
    }

    #[test]
    fn only_what_is_under_way_owes_anything() {
        for (name, state) in states() {
            let owes = given(state.clone()).with(Settings { payment_window: WINDOW }).owed();
            let under_way = matches!(state.order_status, Status::PaymentPending | Status::CancelRequested);
            assert_eq!(owes.is_nothing(), !under_way, "{name}");
        }
    }

    #[test]
    fn whoever_placed_it_is_told_how_it_stands() {
        let told: Vec<_> =
            states().into_iter().map(|(name, state)| (name, state.placed().map_err(|no| (no.code(), no.kind())))).collect();
        assert_eq!(
            told,
            [
                ("Absent", Ok(())),
                ("PaymentPending", Ok(())),
                ("PaymentPending (page)", Ok(())),
                ("Ordered", Ok(())),
                ("Ordered (cancel refused)", Ok(())),
                ("Ordered (shipped)", Ok(())),
                ("CancelRequested", Ok(())),
                ("Canceled", Err(("canceled", Kind::Conflict))),
                ("Canceled (unpaid)", Err(("canceled", Kind::Conflict))),
                ("Canceled (customs)", Err(("forfeited", Kind::Conflict))),
                ("PaymentFailed", Err(("payment-declined", Kind::Unpaid))),
                ("PaymentFailed (expired)", Err(("payment-expired", Kind::Unpaid))),
                ("Rejected", Err(("turned-down", Kind::Conflict))),
            ]
        );
    }

    #[test]
    fn whoever_cancelled_it_is_told_whether_it_could_be() {
        let told: Vec<_> =
            states().into_iter().map(|(name, state)| (name, state.cancelled().map_err(|no| (no.code(), no.kind())))).collect();
        assert_eq!(
            told,
            [
                ("Absent", Err(("closed", Kind::Conflict))),
                ("PaymentPending", Err(("closed", Kind::Conflict))),
                ("PaymentPending (page)", Err(("closed", Kind::Conflict))),
                ("Ordered", Err(("already-shipped", Kind::Conflict))),
                ("Ordered (cancel refused)", Err(("already-shipped", Kind::Conflict))),
                ("Ordered (shipped)", Err(("already-shipped", Kind::Conflict))),
                ("CancelRequested", Err(("closed", Kind::Conflict))),
                ("Canceled", Ok(())),
                ("Canceled (unpaid)", Ok(())),
                ("Canceled (customs)", Err(("forfeited", Kind::Conflict))),
                ("PaymentFailed", Err(("closed", Kind::Conflict))),
                ("PaymentFailed (expired)", Err(("closed", Kind::Conflict))),
                ("Rejected", Err(("turned-down", Kind::Conflict))),
            ]
        );
    }

    #[test]
    fn every_refusal_has_a_sentence_in_both_languages() {
        let paying = [No::NothingOrdered, No::TooMuch, No::Declined, No::Expired];
        let cancelling = [No::Canceled, No::AlreadyShipped, No::TurnedDown, No::Forfeited, No::Closed];
        crate::samples::both_languages_know(paying.iter().chain(&cancelling));
    }

    #[test]
    fn a_placed_order_reads_as_clients_know_it() {
        assert_eq!(
            serde_json::to_value(pending()).unwrap(),
            json!({
                "itemNo": 1001, "qty": 3, "amount": 30_000, "orderStatus": "PaymentPending", "deliveryStatus": null, "reason": null,
                "customerId": "c-1", "customerName": "Kim", "customerAddress": "Seoul", "phoneNumber": "010-1234-5678",
                "createDate": "2026-01-01T12:00:00.000Z", "updateDate": "2026-01-01T12:00:00.000Z", "payUrl": null,
            })
        );
    }
}
