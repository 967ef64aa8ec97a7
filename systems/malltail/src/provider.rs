//! A simulated payment provider: answers as a real one would, sometimes late, sometimes no, sometimes not at all. Its ledger
//! is its own: checkers count there.
use crate::pay::errands::{Charge, Charged, Refund, Refunded, Void, Voided};
use futures_util::future::BoxFuture;
use jumun_model::{Ask, Timestamp, Won};
use jumun_runtime::{Answering, Asked, Chance, Clock, Dialed, Unanswered};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};
use tokio::sync::oneshot;

/// How the provider behaves; an operator changes it while it runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Dial {
    /// How long each answer takes at the least, in milliseconds.
    #[schemars(range(max = 60_000))]
    pub latency_ms: u64,
    /// How much longer at the most, in milliseconds, evenly spread.
    #[schemars(range(max = 60_000))]
    pub jitter_ms: u64,
    /// How many of a hundred charges are declined.
    #[schemars(range(max = 100))]
    pub declined_percent: u64,
    /// Nothing is answered, and nothing done.
    pub outage: bool,
    /// Charges wait for the customer to do something at the provider's page.
    pub needs_customer: bool,
}
/// One line of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    Charge,
    Decline,
    Refund,
    Void,
}
impl Entry {
    const ALL: [Entry; 4] = [Entry::Charge, Entry::Decline, Entry::Refund, Entry::Void];
    pub const fn as_str(self) -> &'static str {
        match self {
            Entry::Charge => "charge",
            Entry::Decline => "decline",
            Entry::Refund => "refund",
            Entry::Void => "void",
        }
    }
}

/// What is written there: `(key, kind)` once, with its amount.
pub trait Ledger: Send {
    /// The lines under a key, with their amounts.
    fn of(&mut self, key: &str) -> BTreeMap<Entry, Won>;
    fn write(&mut self, key: &str, kind: Entry, amount: Won, at: Timestamp);
    /// Makes everything written so far durable; nothing is answered before.
    fn settle(&mut self) {}
}

/// A ledger in memory, for tests and simulations: it is the provider's, so it survives whatever happens to us.
#[derive(Clone, Default)]
pub struct MemoryLedger(Arc<Mutex<BTreeMap<(String, Entry), Won>>>);
impl MemoryLedger {
    /// All lines.
    pub fn lines(&self) -> BTreeMap<(String, Entry), Won> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
impl Ledger for MemoryLedger {
    fn of(&mut self, key: &str) -> BTreeMap<Entry, Won> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = (key.to_owned(), Entry::ALL[0]);
        lines.range(first..).take_while(|((of, _), _)| of == key).map(|((_, kind), amount)| (*kind, *amount)).collect()
    }
    fn write(&mut self, key: &str, kind: Entry, amount: Won, _: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((key.to_owned(), kind), amount);
    }
}

/// A ledger in a file of its own (`provider.db`), which survives `kill -9`.
pub struct FileLedger(rusqlite::Connection, bool);
impl FileLedger {
    /// # Errors
    /// The file can not be opened or is no ledger.
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        let file = rusqlite::Connection::open(path)?;
        // it stands for another company's machine, which outlives our processes but shares our disk here: no waiting for that disk
        file.execute_batch(
            "pragma journal_mode = wal; pragma synchronous = normal; pragma wal_autocheckpoint = 16000;
             create table if not exists ledger (key text not null, kind text not null, amount integer not null, at integer not null,
                                                primary key (key, kind)) without rowid;",
        )?;
        Ok(FileLedger(file, false))
    }
}
impl Ledger for FileLedger {
    fn of(&mut self, key: &str) -> BTreeMap<Entry, Won> {
        let mut find = self.0.prepare_cached("select kind, amount from ledger where key = ?").expect("the ledger is there");
        let line = |row: &rusqlite::Row| {
            let (kind, amount) = (row.get_ref(0)?.as_str()?, row.get::<_, i64>(1)?);
            let kind = Entry::ALL.into_iter().find(|entry| entry.as_str() == kind);
            Ok(kind.map(|kind| (kind, Won(amount.unsigned_abs()))))
        };
        let lines = find.query_map([key], line).and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>);
        lines.expect("the provider's ledger can be read").into_iter().flatten().collect()
    }
    fn write(&mut self, key: &str, kind: Entry, amount: Won, at: Timestamp) {
        if !self.1 {
            self.0.execute_batch("begin immediate").expect("the provider's ledger can be written");
            self.1 = true;
        }
        let mut write = self.0.prepare_cached("insert into ledger values (?, ?, ?, ?)").expect("the ledger is there");
        write.execute((key, kind.as_str(), amount.0.cast_signed(), at.millis())).expect("the provider's ledger can be written");
    }
    fn settle(&mut self) {
        if std::mem::take(&mut self.1) {
            self.0.execute_batch("commit").expect("the provider's ledger can be written");
        }
    }
}

/// What the provider does for a key: the same for the same key, whenever and however often it is asked.
fn charge(ledger: &mut dyn Ledger, ask: &Charge, declined: bool, at: Timestamp) -> Charged {
    let key = &ask.key;
    let there = ledger.of(key);
    if there.contains_key(&Entry::Void) || there.contains_key(&Entry::Decline) {
        return Charged::No;
    }
    if there.contains_key(&Entry::Charge) {
        return Charged::Yes;
    }
    let (entry, answer) = if declined { (Entry::Decline, Charged::No) } else { (Entry::Charge, Charged::Yes) };
    ledger.write(key, entry, ask.amount, at);
    answer
}
fn refund(ledger: &mut dyn Ledger, key: &str, at: Timestamp) -> Option<Refunded> {
    let there = ledger.of(key);
    let amount = *there.get(&Entry::Charge)?;
    if !there.contains_key(&Entry::Refund) {
        ledger.write(key, Entry::Refund, amount, at);
    }
    Some(Refunded { amount })
}
fn void(ledger: &mut dyn Ledger, key: &str, at: Timestamp) -> Voided {
    if let Some(Refunded { amount }) = refund(ledger, key, at) {
        return Voided::Refunded(amount);
    }
    if !ledger.of(key).contains_key(&Entry::Void) {
        ledger.write(key, Entry::Void, Won(0), at);
    }
    Voided::NeverCharged
}

struct Order {
    asked: Asked,
    declined: bool,
    tell: oneshot::Sender<Result<Value, Unanswered>>,
}

/// The provider: its dial, and its ledger kept by somebody of its own.
pub struct SimulatedProvider {
    dial: Mutex<Dial>,
    chance: Arc<Chance>,
    desk: Keeper,
}
enum Keeper {
    /// A thread that writes what has come in together.
    Thread(mpsc::Sender<Order>),
    /// On the spot.
    Here(Mutex<Box<dyn Ledger>>, Arc<dyn Clock>),
}

impl SimulatedProvider {
    /// With its ledger in a file, kept by a thread of its own.
    pub fn with_file(ledger: FileLedger, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Self {
        let (send, orders) = mpsc::channel::<Order>();
        std::thread::spawn(move || keep(ledger, &*clock, &orders));
        SimulatedProvider { dial: Mutex::default(), chance, desk: Keeper::Thread(send) }
    }
    /// With its ledger in memory.
    pub fn in_memory(ledger: MemoryLedger, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Self {
        SimulatedProvider { dial: Mutex::default(), chance, desk: Keeper::Here(Mutex::new(Box::new(ledger)), clock) }
    }
    /// How it behaves now.
    pub fn dial(&self) -> Dial {
        self.dial.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// From now on it behaves like this.
    pub fn turn(&self, dial: Dial) {
        *self.dial.lock().unwrap_or_else(PoisonError::into_inner) = dial;
    }
}

impl Dialed for SimulatedProvider {
    fn show(&self) -> Value {
        serde_json::to_value(self.dial()).expect("a dial is data")
    }
    fn turn(&self, to: Value) -> Result<(), String> {
        let dial: Dial = serde_json::from_value(to).map_err(|why| why.to_string())?;
        if dial.latency_ms > 60_000 || dial.jitter_ms > 60_000 || dial.declined_percent > 100 {
            return Err("latencyMs and jitterMs go up to 60000, declinedPercent up to 100".to_owned());
        }
        SimulatedProvider::turn(self, dial);
        Ok(())
    }
}

fn keep(mut ledger: FileLedger, clock: &dyn Clock, orders: &mpsc::Receiver<Order>) {
    while let Ok(first) = orders.recv() {
        let now = clock.now();
        let waiting = std::iter::once(first).chain(orders.try_iter().take(255));
        let answers: Vec<_> =
            waiting.map(|order| (carry_out(&mut ledger, &order.asked, order.declined, now), order.tell)).collect();
        ledger.settle();
        for (answer, tell) in answers {
            let _ = tell.send(answer); // whoever asked may have given up
        }
    }
}

fn carry_out(ledger: &mut dyn Ledger, asked: &Asked, declined: bool, now: Timestamp) -> Result<Value, Unanswered> {
    let not_read = |why: serde_json::Error| Unanswered::NotSent(format!("the provider does not understand it: {why}"));
    let body = asked.body.clone();
    let answer = match asked.name {
        Charge::NAME => serde_json::to_value(charge(ledger, &serde_json::from_value(body).map_err(not_read)?, declined, now)),
        Void::NAME => serde_json::to_value(void(ledger, &serde_json::from_value::<Void>(body).map_err(not_read)?.key, now)),
        Refund::NAME => {
            let Refund { key } = serde_json::from_value(body).map_err(not_read)?;
            match refund(ledger, &key, now) {
                Some(refunded) => serde_json::to_value(refunded),
                None => return Err(Unanswered::NotSent(format!("nothing was ever charged under {key}"))),
            }
        }
        other => return Err(Unanswered::NotSent(format!("the provider has no {other}"))),
    };
    answer.map_err(|why| Unanswered::Unknown(why.to_string()))
}

impl Answering for SimulatedProvider {
    fn answer(&self, asked: Asked) -> BoxFuture<'static, Result<Value, Unanswered>> {
        let dial = self.dial();
        let pause = Duration::from_millis(dial.latency_ms + self.chance.below(dial.jitter_ms + 1));
        let declined = self.chance.below(100) < dial.declined_percent;
        if dial.outage {
            return Box::pin(async move {
                tokio::time::sleep(pause).await;
                Err(Unanswered::Unknown("the provider does not answer".to_owned()))
            });
        }
        if dial.needs_customer && asked.name == Charge::NAME {
            let url = format!("https://pay.example/{}", asked.case);
            let answer = serde_json::to_value(Charged::NeedsCustomer(url)).map_err(|why| Unanswered::Unknown(why.to_string()));
            return Box::pin(async move {
                tokio::time::sleep(pause).await;
                answer
            });
        }
        let (tell, told) = oneshot::channel();
        let gone = || Unanswered::Unknown("the provider is gone".to_owned());
        match &self.desk {
            Keeper::Thread(send) => {
                let (send, order) = (send.clone(), Order { asked, declined, tell });
                if pause.is_zero() {
                    let _ = send.send(order);
                } else {
                    // in a task of its own: it is done even if whoever asked has given up by then
                    tokio::spawn(async move {
                        tokio::time::sleep(pause).await;
                        let _ = send.send(order);
                    });
                }
            }
            Keeper::Here(ledger, clock) => {
                let answer =
                    carry_out(&mut **ledger.lock().unwrap_or_else(PoisonError::into_inner), &asked, declined, clock.now());
                tokio::spawn(async move {
                    tokio::time::sleep(pause).await;
                    let _ = tell.send(answer);
                });
            }
        }
        Box::pin(async move { told.await.unwrap_or_else(|_| Err(gone())) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jumun_model::Case;
    use jumun_runtime::TokioClock;
    use jumun_testkit::{NOON, for_all};
    use proptest::{collection::vec, sample::select};
    use serde::de::DeserializeOwned;

    const KEY: &str = "order/7/charge";
    const AMOUNT: Won = Won(30_000);

    /// A provider with its ledger in memory, on the clock that the test pauses.
    struct Desk {
        provider: SimulatedProvider,
        ledger: MemoryLedger,
        clock: Arc<dyn Clock>,
    }
    impl Desk {
        fn new(dial: Dial) -> Self {
            let (ledger, clock): (_, Arc<dyn Clock>) = (MemoryLedger::default(), Arc::new(TokioClock::at(NOON)));
            let provider = SimulatedProvider::in_memory(ledger.clone(), Arc::clone(&clock), Arc::new(Chance::seeded(7)));
            provider.turn(dial);
            Desk { provider, ledger, clock }
        }
        async fn ask<Q: Ask>(&self, question: Q) -> Result<Q::Answer, Unanswered> {
            self.provider.answer(asked(&question)).await.map(read)
        }
        async fn charge(&self, key: &str) -> Result<Charged, Unanswered> {
            self.ask(Charge { key: key.to_owned(), amount: AMOUNT }).await
        }
        async fn refund(&self) -> Result<Refunded, Unanswered> {
            self.ask(Refund { key: KEY.to_owned() }).await
        }
        async fn void(&self) -> Result<Voided, Unanswered> {
            self.ask(Void { key: KEY.to_owned() }).await
        }
        fn lines(&self) -> Vec<(String, Entry, Won)> {
            self.ledger.lines().into_iter().map(|((key, entry), amount)| (key, entry, amount)).collect()
        }
    }
    fn asked<Q: Ask>(question: &Q) -> Asked {
        let body = serde_json::to_value(question).unwrap();
        Asked { of: Q::OF, name: Q::NAME, case: Case::new("order", 7), key: format!("order/7/{}@1", Q::NAME), body, trace: None }
    }
    fn read<T: DeserializeOwned>(answer: Value) -> T {
        serde_json::from_value(answer).unwrap()
    }
    fn line(entry: Entry, amount: Won) -> (String, Entry, Won) {
        (KEY.to_owned(), entry, amount)
    }
    fn declining() -> Dial {
        Dial { declined_percent: 100, ..Dial::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_charge_is_taken_once_however_often_it_is_asked_for() {
        let desk = Desk::new(Dial::default());
        for _ in 0..3 {
            assert_eq!(desk.charge(KEY).await, Ok(Charged::Yes));
        }
        assert_eq!(desk.lines(), [line(Entry::Charge, AMOUNT)]);
        desk.provider.turn(declining());
        assert_eq!(desk.charge(KEY).await, Ok(Charged::Yes), "what was taken is not declined later");
        assert_eq!(desk.charge("order/8/charge").await, Ok(Charged::No), "another key is another charge");
    }

    #[tokio::test(start_paused = true)]
    async fn a_decline_stays_declined() {
        let desk = Desk::new(declining());
        assert_eq!(desk.charge(KEY).await, Ok(Charged::No));
        desk.provider.turn(Dial::default());
        assert_eq!(desk.charge(KEY).await, Ok(Charged::No));
        assert_eq!(desk.lines(), [line(Entry::Decline, AMOUNT)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_charged_is_given_back_once_however_often_it_is_asked_for() {
        let desk = Desk::new(Dial::default());
        assert_eq!(desk.charge(KEY).await, Ok(Charged::Yes));
        for _ in 0..3 {
            assert_eq!(desk.refund().await, Ok(Refunded { amount: AMOUNT }));
            assert_eq!(desk.void().await, Ok(Voided::Refunded(AMOUNT)));
        }
        assert_eq!(desk.lines(), [line(Entry::Charge, AMOUNT), line(Entry::Refund, AMOUNT)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_never_charged_can_not_be_refunded() {
        let desk = Desk::new(declining());
        assert_eq!(desk.charge(KEY).await, Ok(Charged::No));
        assert!(matches!(desk.refund().await, Err(Unanswered::NotSent(_))));
        assert_eq!(desk.lines(), [line(Entry::Decline, AMOUNT)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_void_bars_the_charge_that_comes_later() {
        let desk = Desk::new(Dial::default());
        for _ in 0..2 {
            assert_eq!(desk.void().await, Ok(Voided::NeverCharged));
            assert_eq!(desk.charge(KEY).await, Ok(Charged::No));
        }
        assert_eq!(desk.lines(), [line(Entry::Void, Won(0))]);
    }

    #[tokio::test(start_paused = true)]
    async fn while_it_is_out_nothing_is_answered_and_nothing_is_done() {
        let desk = Desk::new(Dial { outage: true, ..Dial::default() });
        assert!(matches!(desk.charge(KEY).await, Err(Unanswered::Unknown(_))));
        assert!(matches!(desk.void().await, Err(Unanswered::Unknown(_))));
        assert_eq!(desk.lines(), []);
        desk.provider.turn(Dial::default());
        assert_eq!(desk.charge(KEY).await, Ok(Charged::Yes));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_charged_while_the_customer_has_something_to_do() {
        let desk = Desk::new(Dial { needs_customer: true, ..Dial::default() });
        assert_eq!(desk.charge(KEY).await, Ok(Charged::NeedsCustomer("https://pay.example/order/7".to_owned())));
        assert_eq!(desk.lines(), []);
        assert_eq!(desk.void().await, Ok(Voided::NeverCharged), "to undo it needs no customer");
        desk.provider.turn(Dial::default());
        assert_eq!(desk.charge(KEY).await, Ok(Charged::No));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_takes_as_long_as_the_dial_says() {
        let desk = Desk::new(Dial { latency_ms: 400, jitter_ms: 220, ..Dial::default() });
        let mut took = Vec::new();
        for number in 0..200 {
            let began = desk.clock.elapsed();
            assert_eq!(desk.charge(&format!("order/{number}/charge")).await, Ok(Charged::Yes));
            took.push((desk.clock.elapsed() - began).as_millis());
        }
        took.sort_unstable();
        assert!(took[0] >= 400 && took[199] <= 620 + 1, "{took:?}");
        assert!(took[199] - took[0] > 150, "it is spread: {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_asked_is_done_even_if_whoever_asked_has_given_up() {
        let desk = Desk::new(Dial { latency_ms: 400, ..Dial::default() });
        assert!(tokio::time::timeout(Duration::from_millis(100), desk.charge(KEY)).await.is_err());
        assert_eq!(desk.lines(), [line(Entry::Charge, AMOUNT)]);
        assert_eq!(desk.void().await, Ok(Voided::Refunded(AMOUNT)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_it_does_not_understand_has_no_effect() {
        let desk = Desk::new(Dial::default());
        let charge = asked(&Charge { key: KEY.to_owned(), amount: AMOUNT });
        for nonsense in [Asked { name: "borrow", ..charge.clone() }, Asked { body: Value::Null, ..charge }] {
            assert!(matches!(desk.provider.answer(nonsense).await, Err(Unanswered::NotSent(_))));
        }
        assert_eq!(desk.lines(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dial_out_of_range_is_refused_and_the_old_one_stays() {
        let Desk { provider, .. } = Desk::new(declining());
        let shown = Dialed::show(&provider);
        assert_eq!(shown["declinedPercent"], 100);
        for bad in [
            r#"{"declinedPercent":101}"#,
            r#"{"latencyMs":60001}"#,
            r#"{"jitterMs":60001}"#,
            r#"{"latency":1}"#,
            r#"{"outage":1}"#,
        ] {
            assert!(Dialed::turn(&provider, serde_json::from_str(bad).unwrap()).is_err(), "{bad}");
        }
        assert_eq!(Dialed::show(&provider), shown);
        assert_eq!(Dialed::turn(&provider, shown), Ok(()));
    }

    /// What can be asked under one key; a charge with whether it would be declined.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Charge(bool),
        Refund,
        Void,
    }
    fn carry_out_step(ledger: &mut dyn Ledger, step: Step) -> Result<Value, Unanswered> {
        let key = KEY.to_owned();
        match step {
            Step::Charge(declined) => carry_out(ledger, &asked(&Charge { key, amount: AMOUNT }), declined, NOON),
            Step::Refund => carry_out(ledger, &asked(&Refund { key }), false, NOON),
            Step::Void => carry_out(ledger, &asked(&Void { key }), false, NOON),
        }
    }
    fn steps() -> impl proptest::strategy::Strategy<Value = Vec<Step>> {
        vec(select(vec![Step::Charge(false), Step::Charge(true), Step::Refund, Step::Void]), 0..10)
    }

    #[test]
    fn whatever_is_asked_in_whatever_order_the_ledger_adds_up() {
        for_all(steps(), |steps| {
            let mut ledger = MemoryLedger::default();
            for step in steps {
                let answer = carry_out_step(&mut ledger, step);
                let lines = ledger.lines();
                assert_eq!(carry_out_step(&mut ledger, step), answer, "asked again it is answered the same");
                assert_eq!(ledger.lines(), lines, "asked again nothing is done");
                let has = |entry| lines.contains_key(&(KEY.to_owned(), entry));
                assert!(!has(Entry::Refund) || has(Entry::Charge), "only what was taken is given back");
                assert!(!(has(Entry::Charge) && (has(Entry::Void) || has(Entry::Decline))), "barred or declined is never taken");
                if matches!(step, Step::Void) {
                    assert_eq!(has(Entry::Charge), has(Entry::Refund), "undone, nothing is kept");
                }
            }
        });
    }

    #[test]
    fn a_ledger_in_a_file_answers_as_one_in_memory() {
        for_all(steps(), |steps| {
            let (mut file, mut memory) = (FileLedger::open(Path::new(":memory:")).unwrap(), MemoryLedger::default());
            for ledger in [&mut file as &mut dyn Ledger, &mut memory] {
                ledger.write("order/8/charge", Entry::Charge, AMOUNT, NOON); // another's, which is none of ours
            }
            for (index, step) in steps.into_iter().enumerate() {
                assert_eq!(carry_out_step(&mut file, step), carry_out_step(&mut memory, step));
                if index % 2 == 0 {
                    file.settle();
                }
            }
            assert_eq!(file.of(KEY), memory.of(KEY));
        });
    }
}
