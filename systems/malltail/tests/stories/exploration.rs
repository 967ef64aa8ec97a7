//! One order of the mall, explored to the end: every way in which a customer, an owner, customs and a moment can come between what is asked,
//! answered, charged and heard. What was ever sent may come at any time and as often as it likes, or never; each process may die between
//! asking the provider and noting what it said. The rules are the production's own: `decide`, `evolve`, `owes` and the policies.
use jumun_malltail::{
    contract::{self, order::Customer, pay::Charge},
    delivery::{self, delivery::Delivery},
    order::{self, order::Order},
    pay::{self, errands, payment::Payment},
    provider::Entry,
    shipping::{self, shipping::Shipping},
    shop::{self, shop_management::ShopManagement},
};
use jumun_model::{Aggregate, Caller, Case, Event, Occasion, Won};
use jumun_testkit::NOON;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use stateright::{Checker, Model, Property};
use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
    time::Duration,
};

static CASE: Case = Case::new("order", 7);
const CHARGE: Charge = Charge { item_no: 1001, amount: Won(10_000) };
const WINDOW: order::order::Settings = order::order::Settings { payment_window: Duration::from_secs(3600) };

/// What is turned round, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Twist {
    Nothing,
    /// The shop lists what is paid, established or not.
    RowOnPaidAlone,
    /// Shipping starts what it held.
    HoldForgotten,
    /// What was charged unheard is not given back by a void.
    YesIgnoredAfterVoid,
    /// What was never noted as charged is taken for never charged, and the provider is not told.
    NoVoid,
    /// Whatever shipping says, the order is cancelled.
    CancelAnyway,
    /// Customs' no is given back too.
    CustomsRefunds,
}

/// Something that was sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Sent {
    Fact {
        from: &'static str,
        json: String,
    },
    Ask {
        of: &'static str,
        name: &'static str,
    },
    Reply {
        of: &'static str,
        name: &'static str,
        json: String,
    },
    /// What the provider says to pay, before pay has noted it; or that it is silent.
    Told {
        json: String,
    },
}
#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Wish(&'static str),
    Take(Sent),
    /// A policy, by name.
    Follow(Sent, &'static str),
    /// The provider charges, and says so or does not; or declines.
    Provider {
        name: &'static str,
        yes: bool,
    },
}

#[derive(Clone, Default, Debug, PartialEq)]
struct Mall {
    order: Order,
    payment: Payment,
    shop: ShopManagement,
    shipping: Shipping,
    delivery: Delivery,
    ledger: BTreeSet<Entry>,
    sent: BTreeSet<Sent>,
}
impl Hash for Mall {
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Mall { order, payment, shop, shipping, delivery, ledger, sent } = self;
        [json(order), json(payment), json(shop), json(shipping), json(delivery)].hash(to);
        ledger.iter().for_each(|entry| entry.as_str().hash(to));
        sent.hash(to);
    }
}
fn json(what: &impl Serialize) -> String {
    serde_json::to_string(what).unwrap()
}
fn read<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap()
}

/// What a command leads to: the state after it, and what is said. A refusal and an empty decision lead nowhere.
fn carry_out<A: Aggregate>(of: &mut A, sent: &mut BTreeSet<Sent>, command: A::Command) {
    let by = Caller::system();
    let on = Occasion::new(&CASE, NOON, &by);
    for fact in of.decide(&on, command).unwrap_or_default() {
        of.evolve(&on, &fact);
        if fact.is_public() {
            sent.insert(Sent::Fact { from: A::Event::CONTEXT, json: json(&fact) });
        }
    }
}
/// What a state asks, and the command that an answer leads to.
fn outcome<A: Aggregate>(asking: &A, settings: &A::Settings, answer: &str) -> Option<A::Command> {
    let ask = asking.owes(&CASE, settings).ask.expect("it asks");
    (ask.then)(read::<Value>(answer)).unwrap()
}
fn after<A: Aggregate>(commands: impl IntoIterator<Item = A::Command>) -> A {
    let mut state = A::default();
    commands.into_iter().for_each(|command| carry_out(&mut state, &mut BTreeSet::new(), command));
    state
}

impl Mall {
    fn of_order(&mut self, command: order::order::Do) {
        carry_out(&mut self.order, &mut self.sent, command);
        let ask = self.order.owes(&CASE, &WINDOW).ask;
        self.sent.extend(ask.map(|ask| Sent::Ask { of: ask.of, name: ask.name }));
    }
    fn of_payment(&mut self, command: pay::payment::Do) {
        carry_out(&mut self.payment, &mut self.sent, command);
        let ask = self.payment.owes(&CASE, &()).ask;
        self.sent.extend(ask.map(|ask| Sent::Ask { of: ask.of, name: ask.name }));
    }
    fn of_shop(&mut self, command: shop::shop_management::Do) {
        carry_out(&mut self.shop, &mut self.sent, command);
    }
    fn of_shipping(&mut self, command: shipping::shipping::Do) {
        carry_out(&mut self.shipping, &mut self.sent, command);
    }
    fn of_delivery(&mut self, command: delivery::delivery::Do) {
        carry_out(&mut self.delivery, &mut self.sent, command);
    }
    fn reply(&mut self, of: &'static str, name: &'static str, answer: &impl Serialize) {
        self.sent.insert(Sent::Reply { of, name, json: json(answer) });
    }

    fn wish(&mut self, what: &str) {
        match what {
            "cancel" => self.of_order(order::order::Do::Cancel),
            "give up" => self.of_order(order::order::Do::GiveUp),
            "accept" => {
                self.of_shop(shop::shop_management::Do::Accept { shipping_address: String::new(), shop_name: String::new() });
            }
            "reject" => self.of_shop(shop::shop_management::Do::Reject { reason: None }),
            "complete shipping" => self.of_shipping(shipping::shipping::Do::Complete),
            "approve customs" => self.of_delivery(delivery::delivery::Do::Approve),
            "reject customs" => self.of_delivery(delivery::delivery::Do::Reject),
            _ => self.of_delivery(delivery::delivery::Do::Complete),
        }
    }
    /// The provider is asked under the one key of the case.
    fn provider(&mut self, name: &str, yes: bool, twist: Twist) {
        let charged = self.ledger.contains(&Entry::Charge);
        match name {
            "charge" => {
                let barred = self.ledger.contains(&Entry::Void) || self.ledger.contains(&Entry::Decline);
                let yes = charged || yes && !barred;
                if !charged && !barred {
                    self.ledger.insert(if yes { Entry::Charge } else { Entry::Decline });
                }
                let says = if yes { errands::Charged::Yes } else { errands::Charged::No };
                self.sent.insert(Sent::Told { json: json(&Some(&says)) });
                self.reply("provider", "charge", &says);
            }
            "void" if charged && twist != Twist::YesIgnoredAfterVoid => {
                self.ledger.insert(Entry::Refund);
                self.reply("provider", "void", &errands::Voided::Refunded(CHARGE.amount));
            }
            "void" => {
                self.ledger.insert(Entry::Void);
                self.reply("provider", "void", &errands::Voided::NeverCharged);
            }
            _ => {
                self.ledger.insert(Entry::Refund);
                self.reply("provider", "refund", &errands::Refunded { amount: CHARGE.amount });
            }
        }
    }
    fn take(&mut self, sent: &Sent, twist: Twist) {
        use pay::payment::Do;
        match sent {
            Sent::Ask { of: "pay", .. } => match pay::asks::ask_the_provider(&self.payment, &CASE, &CHARGE) {
                // the provider may be silent at once; what it says comes when it says it
                Some(_) => drop(self.sent.insert(Sent::Told { json: "null".to_owned() })),
                None => {
                    self.of_payment(pay::asks::charge(&CHARGE, None));
                    self.reply("pay", "charge", &self.payment.charged());
                }
            },
            Sent::Told { json } => {
                self.of_payment(pay::asks::charge(&CHARGE, read(json)));
                self.reply("pay", "charge", &self.payment.charged());
            }
            Sent::Ask { of: "shipping", .. } => {
                self.of_shipping(shipping::shipping::Do::Hold);
                self.reply("shipping", "hold", &self.shipping.held());
            }
            Sent::Reply { of: "pay", json, .. } => {
                let pending = after::<Order>([place()]);
                outcome(&pending, &WINDOW, json).into_iter().for_each(|command| self.of_order(command));
            }
            Sent::Reply { of: "shipping", json, .. } => {
                let asking = after::<Order>([place(), order::order::Do::Paid, order::order::Do::Cancel]);
                let told = outcome(&asking, &WINDOW, json);
                let told = if twist == Twist::CancelAnyway { Some(order::order::Do::Held) } else { told };
                told.into_iter().for_each(|command| self.of_order(command));
            }
            Sent::Reply { name, json, .. } => {
                let asking = match *name {
                    "charge" => after::<Payment>([pay::asks::charge(&CHARGE, None)]),
                    "void" => after::<Payment>([Do::GiveBack]),
                    _ => after::<Payment>([pay::asks::charge(&CHARGE, Some(errands::Charged::Yes)), Do::GiveBack]),
                };
                outcome(&asking, &(), json).into_iter().for_each(|command| self.of_payment(command));
            }
            Sent::Ask { .. } | Sent::Fact { .. } => {}
        }
    }
    fn follow(&mut self, fact: &str, policy: &str, twist: Twist) {
        match policy {
            "CancelPayment" => {
                let fact: contract::order::Event = read(fact);
                let customs = matches!(fact, contract::order::Event::OrderCanceled { .. }) && twist == Twist::CustomsRefunds;
                let wanted = if customs { Some(pay::payment::Do::GiveBack) } else { pay::policies::cancel_payment(&fact) };
                let unheard = self.payment.paystatus == pay::payment::Status::Absent;
                let silently = twist == Twist::NoVoid && unheard && wanted.is_some();
                wanted.into_iter().for_each(|command| self.of_payment(command));
                if silently {
                    self.sent.remove(&Sent::Ask { of: "provider", name: "void" });
                    self.of_payment(pay::payment::Do::Voided(errands::Voided::NeverCharged));
                }
            }
            "OrderInfoUpdate" => {
                let wanted = shop::policies::order_info_update(&read(fact));
                if twist == Twist::RowOnPaidAlone && wanted.is_some() {
                    self.of_shop(shop::shop_management::Do::NoteEstablished(shop::shop_management::Established::default()));
                }
                wanted.into_iter().for_each(|command| self.of_shop(command));
            }
            "ListedWhenEstablished" => {
                shop::policies::listed_when_established(&read(fact)).into_iter().for_each(|command| self.of_shop(command));
            }
            "StartShipping" => {
                if twist == Twist::HoldForgotten && self.shipping.held() == contract::shipping::Answer::Held {
                    self.shipping = Shipping::default();
                }
                shipping::policies::start_shipping(&read(fact)).into_iter().for_each(|command| self.of_shipping(command));
            }
            "AddToCustomsList" => {
                delivery::policies::add_to_customs_list(&read(fact)).into_iter().for_each(|command| self.of_delivery(command));
            }
            "TurnedDown" => order::policies::turned_down(&read(fact)).into_iter().for_each(|command| self.of_order(command)),
            "NoteShipping" => order::policies::note_shipping(&read(fact)).into_iter().for_each(|command| self.of_order(command)),
            _ => order::policies::forfeited(&read(fact)).into_iter().for_each(|command| self.of_order(command)),
        }
    }

    fn has_left(&self) -> bool {
        !matches!(self.shipping.shipping_status, shipping::shipping::Status::Absent | shipping::shipping::Status::Held)
    }
    fn given_back(&self) -> bool {
        use pay::payment::Status::*;
        self.ledger.contains(&Entry::Refund) || matches!(self.payment.paystatus, Refunded | Voided)
    }
    /// Whether all contexts agree, once they have heard of each other.
    fn agrees(&self) -> bool {
        use order::order::Status::*;
        use shop::shop_management::Status as Shop;
        let kept = self.ledger.contains(&Entry::Charge) && !self.ledger.contains(&Entry::Refund);
        let (row, left) = (self.shop.delivery_status, self.has_left());
        let shipped = (row == Shop::Accepted) == left;
        match (self.order.order_status, self.order.reason.as_deref()) {
            (Ordered, _) => kept && shipped && left == self.order.delivery_status.is_some(),
            (Canceled, Some("customs")) => {
                kept && left && self.delivery.delivery_status == Some(delivery::delivery::Leg::Discarded)
            }
            (Canceled, _) => !kept && !left && matches!(row, Shop::Canceled | Shop::Rejected),
            (Rejected, _) => !kept && !left && row == Shop::Rejected,
            (PaymentFailed, _) => !kept && !left && row == Shop::Awaited,
            (Absent | PaymentPending | CancelRequested, _) => false,
        }
    }
}
fn place() -> order::order::Do {
    let (item_no, price, customer) = (CHARGE.item_no, CHARGE.amount, Customer::default());
    order::order::Do::Place(order::order::Place { item_no, qty: 1, price, customer })
}

const WISHES: [&str; 8] =
    ["cancel", "give up", "accept", "reject", "complete shipping", "approve customs", "reject customs", "complete delivery"];
const FOLLOWERS: [(&str, &str); 8] = [
    ("order", "CancelPayment"),
    ("order", "ListedWhenEstablished"),
    ("pay", "OrderInfoUpdate"),
    ("shop", "StartShipping"),
    ("shop", "TurnedDown"),
    ("shipping", "AddToCustomsList"),
    ("shipping", "NoteShipping"),
    ("delivery", "Forfeited"),
];

struct Saga(Twist);
impl Saga {
    /// What happens by itself, sooner or later.
    fn by_itself(state: &Mall) -> Vec<Action> {
        let mut actions = Vec::new();
        let asked = |name| state.sent.contains(&Sent::Ask { of: "provider", name });
        for sent in &state.sent {
            match sent {
                Sent::Fact { from, .. } => {
                    let followers = FOLLOWERS.iter().filter(|(publisher, _)| publisher == from);
                    actions.extend(followers.map(|(_, policy)| Action::Follow(sent.clone(), policy)));
                }
                Sent::Ask { of: "provider", .. } => {}
                _ => actions.push(Action::Take(sent.clone())),
            }
        }
        // whoever asked pay to charge has asked the provider too
        if asked("charge") || state.sent.contains(&Sent::Told { json: "null".to_owned() }) {
            actions.extend([true, false].map(|yes| Action::Provider { name: "charge", yes }));
        }
        actions
            .extend(["void", "refund"].into_iter().filter(|name| asked(name)).map(|name| Action::Provider { name, yes: true }));
        actions
    }
    fn do_it(&self, mut state: Mall, action: &Action) -> Mall {
        match action {
            Action::Wish(what) => state.wish(what),
            Action::Take(sent) => state.take(sent, self.0),
            Action::Follow(Sent::Fact { json, .. }, policy) => state.follow(json, policy, self.0),
            Action::Follow(..) => {}
            Action::Provider { name, yes } => state.provider(name, *yes, self.0),
        }
        state
    }
}
impl Model for Saga {
    type State = Mall;
    type Action = Action;
    fn init_states(&self) -> Vec<Mall> {
        let mut mall = Mall::default();
        mall.of_order(place());
        vec![mall]
    }
    fn actions(&self, state: &Mall, actions: &mut Vec<Action>) {
        actions.extend(WISHES.map(Action::Wish));
        actions.extend(Saga::by_itself(state));
    }
    fn next_state(&self, state: &Mall, action: Action) -> Option<Mall> {
        let next = self.do_it(state.clone(), &action);
        (next != *state).then_some(next)
    }
    fn properties(&self) -> Vec<Property<Self>> {
        use order::order::Status as Order;
        vec![
            Property::always("nobody has both money back and a parcel", |_, mall: &Mall| !(mall.given_back() && mall.has_left())),
            Property::always("what is settled agrees", |saga: &Saga, mall: &Mall| {
                mall.agrees() || Saga::by_itself(mall).iter().any(|action| saga.do_it(mall.clone(), action) != *mall)
            }),
            Property::sometimes("an order is delivered", |_, mall: &Mall| {
                mall.delivery.delivery_status == Some(delivery::delivery::Leg::DeliveryCompleted)
            }),
            Property::sometimes("a cancel is refused", |_, mall: &Mall| {
                mall.sent.iter().any(|sent| matches!(sent, Sent::Fact { json, .. } if json.contains("CancelRefused")))
            }),
            Property::sometimes("customs cancels an order whose cancel waits", |_, mall: &Mall| {
                mall.order.reason.as_deref() == Some("customs")
                    && mall.sent.iter().any(|sent| matches!(sent, Sent::Fact { json, .. } if json.contains("CancelRequested")))
            }),
            Property::sometimes("an order is turned down", |_, mall: &Mall| {
                mall.order.order_status == Order::Rejected && mall.given_back()
            }),
            Property::sometimes("a charge that nobody heard of is given back", |_, mall: &Mall| {
                let heard =
                    |name: &str| mall.sent.iter().any(|sent| matches!(sent, Sent::Fact { json, .. } if json.contains(name)));
                mall.ledger.contains(&Entry::Refund) && heard("PaymentCanceled") && !heard("OrderPaid")
            }),
        ]
    }
}

/// The properties for which something was found, and the number of states.
fn explored(twist: Twist) -> (Vec<&'static str>, usize) {
    let checker = Saga(twist).checker().threads(2).spawn_bfs().join();
    let mut found: Vec<_> =
        checker.discoveries().into_keys().filter(|name| name.starts_with("nobody") || name.starts_with("what")).collect();
    found.sort_unstable();
    if twist == Twist::Nothing {
        checker.assert_properties();
    }
    (found, checker.unique_state_count())
}

#[test]
fn whatever_comes_whenever_and_however_often_one_order_ends_as_everybody_agrees() {
    let (found, states) = explored(Twist::Nothing);
    println!("{states} states");
    assert!(found.is_empty() && states > 500, "{states} states: {found:?}");
}

#[test]
fn each_rule_that_is_turned_round_is_found() {
    for (twist, wanted) in [
        (Twist::RowOnPaidAlone, "what is settled agrees"),
        (Twist::HoldForgotten, "nobody has both money back and a parcel"),
        (Twist::YesIgnoredAfterVoid, "what is settled agrees"),
        (Twist::NoVoid, "what is settled agrees"),
        (Twist::CancelAnyway, "nobody has both money back and a parcel"),
        (Twist::CustomsRefunds, "nobody has both money back and a parcel"),
    ] {
        let (found, _) = explored(twist);
        assert!(found.contains(&wanted), "{twist:?} is not found: {found:?}");
    }
}
