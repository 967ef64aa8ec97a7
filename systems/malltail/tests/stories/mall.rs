//! malltail as a town, with its provider and the provider's ledger at hand.
use jumun_malltail::{
    OFFER, Settings,
    provider::{Dial, Entry, MemoryLedger, SimulatedProvider},
    system,
};
use jumun_model::Case;
use jumun_runtime::{Answering, Chance, TokioClock, traces::Spans};
use jumun_testkit::{Answer, NEW_YEARS_EVE, Town};
use serde_json::{Value, json};
use std::{ops::Deref, sync::Arc};

pub(crate) struct Mall {
    town: Town,
    provider: Arc<SimulatedProvider>,
    ledger: MemoryLedger,
}
impl Deref for Mall {
    type Target = Town;
    fn deref(&self) -> &Town {
        &self.town
    }
}

impl Mall {
    pub(crate) async fn new() -> Self {
        Mall::with(Settings::default()).await
    }
    pub(crate) async fn with(settings: Settings) -> Self {
        Mall::open(settings, |town| town).await
    }
    /// Whose spans go there.
    pub(crate) async fn traced(settings: Settings, spans: Arc<dyn Spans>) -> Self {
        Mall::open(settings, |town| town.traced(spans)).await
    }
    async fn open(settings: Settings, so: impl FnOnce(Town) -> Town) -> Self {
        let (clock, chance) = (Arc::new(TokioClock::at(NEW_YEARS_EVE)), Arc::new(Chance::seeded(7)));
        let ledger = MemoryLedger::default();
        let provider = Arc::new(SimulatedProvider::in_memory(ledger.clone(), clock.clone(), Arc::clone(&chance)));
        let system = system(&settings, Arc::clone(&provider) as Arc<dyn Answering>);
        Mall { town: so(Town::of(system, OFFER.phrases, clock, chance)).up().await, provider, ledger }
    }
    #[track_caller]
    pub(crate) fn shows(row: &Value, wanted: &Value) {
        Town::shows(row, wanted);
    }

    /// The provider behaves like this from now on.
    pub(crate) fn dial(&self, dial: Dial) {
        self.provider.turn(dial);
    }
    pub(crate) fn outage(&self) {
        self.dial(Dial { outage: true, ..Dial::default() });
    }
    pub(crate) fn well(&self) {
        self.dial(Dial::default());
    }

    pub(crate) async fn post(&self, body: Value) -> Answer {
        self.write("POST", "/orders", body).await
    }
    /// An order that stands, and is on the owner's list.
    pub(crate) async fn order(&self) -> u64 {
        let placed = self.post(json!({ "itemNo": 1001, "qty": 2, "customerId": "kim", "customerName": "Kim" })).await;
        assert_eq!((placed.status, placed.text("orderStatus")), (201, "Ordered"), "{placed:?}");
        self.settle().await;
        placed.number()
    }
    pub(crate) async fn accept(&self, number: u64) -> Answer {
        self.go("/shopManagements", number, "acceptorder").await
    }
    /// On its way until customs has it before them.
    pub(crate) async fn to_customs(&self, number: u64) {
        self.accept(number).await;
        self.go("/shippings", number, "completeshipping").await;
    }
    pub(crate) async fn cancel(&self, number: u64) -> Answer {
        self.put(&format!("/orders/{number}/cancel")).await
    }
    /// What the customer sees of it.
    pub(crate) async fn view(&self, number: u64) -> Value {
        self.get(&format!("/statusViews/{number}")).await.body
    }
    /// What a context said of an order, private facts too.
    pub(crate) async fn said(&self, context: &str, number: u64) -> Vec<String> {
        self.town.said(context, &Case::new("order", number)).await
    }
    /// What the provider's own ledger says of an order.
    pub(crate) fn money(&self, number: u64) -> Vec<(Entry, u64)> {
        let key = format!("order/{number}/charge");
        let lines = self.ledger.lines();
        lines.into_iter().filter(|((of, _), _)| *of == key).map(|((_, entry), amount)| (entry, amount.0)).collect()
    }
}
