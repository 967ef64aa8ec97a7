//! Everybody who has to do with a mall: customers who place, repeat and cancel, the shop's owner, the forwarder, customs, the courier, and
//! a provider and an operator with days of their own. All they do comes from the seed.
use crate::invariants;
use futures_util::future::{join, join_all, join4};
use jumun_malltail::{
    Settings,
    provider::{Dial, Entry, MemoryLedger, SimulatedProvider},
    system,
};
use jumun_runtime::{
    Answering, Surroundings, System,
    door::{Call, Problem, Reply, Verb},
};
use jumun_sim::{Fates, Gone, Story, World, call};
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

#[derive(Default)]
pub(crate) struct Shopping {
    /// A fixed sequence, rather than what the seed makes up.
    plain: bool,
    ledger: MemoryLedger,
    provider: Option<Arc<SimulatedProvider>>,
    /// By key, the numbers under which it was ever answered.
    pub(crate) placed: RefCell<BTreeMap<String, BTreeSet<u64>>>,
    /// What somebody was told for good: the order, and the command that was carried out.
    pub(crate) told: RefCell<BTreeSet<(u64, &'static str)>>,
    /// What was seen of orders that are over.
    pub(crate) over: RefCell<BTreeMap<u64, String>>,
    /// How orders ended, over all runs.
    pub(crate) fates: Fates,
}
const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
async fn pause(world: &World, most: u64) {
    tokio::time::sleep(ms(world.below(most))).await;
}
const CONTEXTS: [&str; 6] = ["order", "pay", "shop", "shipping", "delivery", "viewPage"];

impl Shopping {
    /// Two orders, one after the other: cancelled, and turned away by customs.
    pub(crate) fn plain() -> Self {
        Shopping { plain: true, ..Shopping::default() }
    }
    pub(crate) fn counting(fates: &Fates) -> Self {
        Shopping { fates: fates.clone(), ..Shopping::default() }
    }
    async fn place(&self, world: &World, key: &str) -> Option<u64> {
        let body = json!({ "itemNo": 1001, "qty": 1 + world.below(3), "customerId": key });
        for _ in 0..5 {
            let place = || Call { key: Some(key.to_owned()), ..call(None, body.clone()) };
            let one = world.call("/orders", Verb::Open, place());
            // an impatient customer presses twice
            let answers = if world.below(4) == 0 {
                let (one, two) = join(one, world.call("/orders", Verb::Open, place())).await;
                vec![one, two]
            } else {
                vec![one.await]
            };
            let mut number = None;
            for answer in answers {
                number = match answer {
                    Ok(Ok(Reply::Opened(shape))) => {
                        self.tell(shape.number, "place");
                        Some(shape.number)
                    }
                    Ok(Ok(Reply::Done(shape) | Reply::NotYet(shape))) => Some(shape.number),
                    Ok(Err(Problem { left: Some(number), .. })) => Some(number),
                    Ok(Err(_)) | Err(Gone) => number,
                };
                self.placed.borrow_mut().entry(key.to_owned()).or_default().extend(number);
            }
            if number.is_some() {
                return number;
            }
            pause(world, 1_500).await;
        }
        None
    }
    /// A command; whether it was carried out.
    async fn ask(&self, world: &World, path: &str, number: u64, command: &'static str) -> bool {
        let answer = world.call(path, Verb::Command(command), call(Some(number), Value::Null)).await;
        let done = matches!(answer, Ok(Ok(Reply::Done(_))));
        if done {
            self.tell(number, command);
        }
        done
    }
    /// The same, by somebody who does not give up: a process may be dead, or a fact still on its way.
    async fn insist(&self, world: &World, path: &str, number: u64, command: &'static str) {
        for _ in 0..100 {
            if self.ask(world, path, number, command).await {
                return;
            }
            tokio::time::sleep(ms(100)).await;
        }
        panic!("nobody carries out {command} of {path}/{number}");
    }
    async fn cancel(&self, world: &World, number: u64) {
        for _ in 0..1 + world.below(3) {
            self.ask(world, "/orders", number, "cancel").await;
            pause(world, 2_000).await;
        }
    }
    async fn customer(&self, world: &World, index: u64) {
        pause(world, 400).await;
        let key = format!("customer-{index}");
        match world.below(3) {
            0 => drop(self.place(world, &key).await),
            1 => {
                if let Some(number) = self.place(world, &key).await {
                    pause(world, 3_000).await;
                    self.cancel(world, number).await;
                }
            }
            // somebody cancels while it is still being placed
            _ => {
                let early = async {
                    pause(world, 1_500).await;
                    let newest = world.bodies("order", "order").into_keys().next_back();
                    if let Some(number) = newest {
                        self.cancel(world, number).await;
                    }
                };
                join(self.place(world, &key), early).await;
            }
        }
    }
    /// Whoever has parcels before him takes one after the other, and sometimes one that is not his to take.
    async fn hand(&self, world: &World, (context, table): (&'static str, &'static str), path: &str, choices: &[&'static str]) {
        for _ in 0..2 + world.below(6) {
            pause(world, 1_200).await;
            let rows: Vec<u64> = world.bodies(context, table).into_keys().collect();
            if rows.is_empty() {
                continue;
            }
            let number = rows[world.below(rows.len() as u64) as usize];
            let command = choices[world.below(choices.len() as u64) as usize];
            self.ask(world, path, number, command).await;
        }
    }
    async fn hands(&self, world: &World) {
        let owner = ["acceptorder", "acceptorder", "acceptorder", "rejectorder"];
        let officer = ["approvecustoms", "approvecustoms", "rejectcustoms", "completedelivery"];
        join4(
            self.hand(world, ("shop", "shopManagement"), "/shopManagements", &owner),
            self.hand(world, ("shipping", "shipping"), "/shippings", &["completeshipping"]),
            self.hand(world, ("delivery", "delivery"), "/deliveries", &officer),
            self.hand(world, ("delivery", "delivery"), "/deliveries", &["completedelivery"]),
        )
        .await;
    }
    /// The provider and an operator have days of their own.
    async fn outside(&self, world: &World) {
        let provider = self.provider.as_ref().expect("the system was built");
        for _ in 0..world.below(4) {
            provider.turn(Dial {
                latency_ms: world.below(900),
                jitter_ms: world.below(400),
                declined_percent: [0, 0, 50, 100][world.below(4) as usize],
                outage: world.below(4) == 0,
                needs_customer: world.below(6) == 0,
            });
            pause(world, 6_000).await;
            if world.below(3) == 0 {
                let stopped = CONTEXTS[world.below(6) as usize];
                world.stop(stopped).await;
                pause(world, 3_000).await;
                world.start(stopped).await;
            }
        }
        provider.turn(Dial { declined_percent: [0, 30][world.below(2) as usize], ..Dial::default() });
    }
    async fn two_fates(&self, world: &World) {
        let to_customs = [("/shopManagements", "acceptorder"), ("/shippings", "completeshipping")];
        let fates = [vec![("/orders", "cancel")], [&to_customs[..], &[("/deliveries", "rejectcustoms")]].concat()];
        for (index, fate) in fates.into_iter().enumerate() {
            if let Some(number) = self.place(world, &format!("customer-{index}")).await {
                for (path, command) in fate {
                    self.insist(world, path, number, command).await;
                }
            }
        }
    }
    fn tell(&self, number: u64, what: &'static str) {
        self.told.borrow_mut().insert((number, what));
    }
    /// What the provider's own ledger says of an order.
    pub(crate) fn money(&self, number: u64) -> BTreeMap<Entry, u64> {
        let key = format!("order/{number}/charge");
        let lines = self.ledger.lines();
        lines.into_iter().filter(|((of, _), _)| *of == key).map(|((_, entry), amount)| (entry, amount.0)).collect()
    }
}

impl Story for Shopping {
    fn system(&mut self, around: &Surroundings<'_>) -> System {
        let provider = SimulatedProvider::in_memory(self.ledger.clone(), Arc::clone(&around.clock), Arc::clone(&around.chance));
        let provider = Arc::new(provider);
        self.provider = Some(Arc::clone(&provider));
        let settings = Settings { payment_window: Duration::from_secs(15), ..Settings::default() };
        system(&settings, provider as Arc<dyn Answering>)
    }
    async fn play(&self, world: &World) {
        if self.plain {
            return self.two_fates(world).await;
        }
        let customers = (0..1 + world.below(4)).map(|index| self.customer(world, index));
        join(join_all(customers), join(self.hands(world), self.outside(world))).await;
    }
    fn heal(&self, _: &World) {
        self.provider.as_ref().expect("the system was built").turn(Dial::default());
    }
    fn rebuilt(&self) -> &'static [&'static str] {
        &["viewPage"]
    }
    fn always(&self, world: &World) -> Vec<String> {
        invariants::always(self, world)
    }
    fn settled(&self, world: &World) -> Vec<String> {
        invariants::settled(self, world)
    }
}
