//! What every store must pass. A store's own tests are one line: `suite::all(MemoryDisk::new).await`.
//!
//! Each check is a function of its own, on data of its own; [`all`] runs them one after the other. A check panics when a store does
//! not keep what it says.
use crate::*;
use futures_util::future::{join, join_all};
use jumun_model::{Case, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// Where one store's data is; it can be opened again and again, after the store before it was closed or dropped.
pub trait Place: Send + Sync {
    /// Opens what is there.
    fn open(&self, layout: Layout) -> Waiting<'_, Arc<dyn Store>>;
}
impl Place for MemoryDisk {
    fn open(&self, layout: Layout) -> Waiting<'_, Arc<dyn Store>> {
        done(MemoryStore::open(self, layout).map(|store| Arc::new(store) as Arc<dyn Store>))
    }
}

/// Every check, each in a place of its own. `fresh` makes an empty one.
pub async fn all<P: Place>(fresh: impl Fn() -> P) {
    a_document_is_read_as_it_was_written(&fresh()).await;
    a_write_names_the_revision_that_it_replaces(&fresh()).await;
    a_change_is_made_whole_or_not_at_all(&fresh()).await;
    what_can_not_be_written_harms_nobody_else(&fresh()).await;
    changes_are_made_in_the_order_of_their_calls(&fresh()).await;
    a_commit_that_nobody_awaits_is_made(&fresh()).await;
    the_log_never_yields_late_what_belongs_early(&fresh()).await;
    a_case_has_a_story(&fresh()).await;
    newest_fact_and_newest_write_move(&fresh()).await;
    what_is_due_is_found_and_claimed_by_one_alone(&fresh()).await;
    leases_of_a_process_that_is_gone_are_released(&fresh()).await;
    an_idempotency_key_is_claimed_once_until_it_is_free(&fresh()).await;
    positions_are_kept_per_reader_and_publisher(&fresh()).await;
    a_pool_writes_its_root_and_one_entry_together(&fresh()).await;
    documents_are_found_by_keys_and_pages(&fresh()).await;
    changed_rows_come_once_in_their_newest_state(&fresh()).await;
    a_number_is_given_once(&fresh()).await;
    what_is_set_aside_stays_until_it_is_taken_back(&fresh()).await;
    everything_survives_reopening(&fresh()).await;
    a_closed_store_finishes_and_answers_no_more(&fresh()).await;
}

const LAMP: &str = "lamp";
const HALL: &str = "hall";

/// The tables that the checks use: documents, and a pool.
pub fn layout() -> Layout {
    vec![
        Table { name: LAMP, keys: &["room", "colour"], entries: false, fields: &["room", "colour"] },
        Table { name: HALL, keys: &[], entries: true, fields: &["left"] },
    ]
}

async fn open(place: &dyn Place) -> Arc<dyn Store> {
    place.open(layout()).await.expect("the store opens")
}
/// Opens the same data again, after nothing but a drop.
async fn again(place: &dyn Place, store: Arc<dyn Store>) -> Arc<dyn Store> {
    drop(store);
    open(place).await
}
async fn made(store: &dyn Store, change: Change) {
    store.commit(change).durably().await.expect("the change is made");
}
async fn answer(store: &dyn Store, change: Change) -> StoreResult<()> {
    store.commit(change).durably().await
}

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}
fn write(table: &'static str, number: u64, expected: u64) -> Write {
    let version = expected + 1;
    let body = Arc::from(format!(r#"{{"id":{number},"version":{version}}}"#));
    let keys = if table == LAMP { vec![None, None] } else { vec![] };
    Write {
        table,
        number,
        expected,
        version,
        listed: true,
        body,
        at: at(1),
        keys,
        attempt: None,
        moment: None,
        marks: Marks::new(),
    }
}
fn lamp(number: u64, expected: u64) -> Write {
    write(LAMP, number, expected)
}
fn keyed(number: u64, expected: u64, room: &str, colour: Option<&str>) -> Write {
    Write { keys: vec![Some(room.into()), colour.map(Into::into)], ..lamp(number, expected) }
}
fn entry(number: u64, case: Case, expected: u64) -> EntryWrite {
    let body = Arc::from(format!(r#"{{"taken":{}}}"#, expected + 1));
    EntryWrite {
        table: HALL,
        number,
        case,
        expected,
        version: expected + 1,
        body,
        marks: Marks::from([("a<b".into(), expected)]),
    }
}
fn said(number: u64, version: u64) -> Fact {
    Fact {
        seq: 0,
        context: "lamps".into(),
        source: LAMP.into(),
        number,
        entry: false,
        version,
        case: Case::new(LAMP, number),
        name: "Switched".into(),
        public: true,
        at: at(1),
        by: "someone".into(),
        cause: None,
        trace: None,
        body: format!(r#"{{"eventType":"Switched","version":{version}}}"#).into(),
    }
}
fn one(write: Write) -> Change {
    Change { writes: vec![write], ..Change::default() }
}
/// A lamp's next write, and the fact that led to it.
fn step(number: u64, expected: u64) -> Change {
    Change { facts: vec![said(number, expected + 1)], ..one(lamp(number, expected)) }
}
fn claim(key: &str, number: u64) -> Claim {
    Claim {
        key: key.into(),
        fingerprint: format!("wish {number}"),
        case: Case::new(LAMP, number),
        at: at(i64::try_from(number).unwrap()),
    }
}
fn attempt(of: &str, due: Timestamp) -> Attempt {
    Attempt { step: "ask@1".into(), of: of.into(), due, tries: 1, sent: false, leased: false }
}
fn owing(number: u64, expected: u64, of: &str, due: i64) -> Write {
    Write { attempt: Some(attempt(of, at(due))), ..lamp(number, expected) }
}
fn aside(reader: &str, number: u64, why: &str) -> Aside {
    Aside { number: 0, reader: reader.into(), fact: Fact { seq: 40 + number, ..said(number, 1) }, why: why.into(), since: at(9) }
}
fn numbers(rows: &[Document]) -> Vec<u64> {
    rows.iter().map(|row| row.number).collect()
}
async fn found(store: &dyn Store, query: Query) -> (Vec<u64>, u64) {
    let page = store.find(LAMP, &Query { limit: if query.limit == 0 { 100 } else { query.limit }, ..query }).await.unwrap();
    (numbers(&page.rows), page.total)
}
/// What is set aside, but for its numbers.
async fn asides(store: &dyn Store) -> Vec<Aside> {
    store.asides().await.unwrap().into_iter().map(|aside| Aside { number: 0, ..aside }).collect()
}
async fn whole_log(store: &dyn Store) -> Vec<Fact> {
    store.tail(0, usize::MAX).await.unwrap()
}

/// Every field of a document comes back, and its store-wide number.
pub async fn a_document_is_read_as_it_was_written(place: &dyn Place) {
    let store = open(place).await;
    assert_eq!(store.load(LAMP, 1).await, Ok(None));
    let moment = Some(Timestamp::from_millis(-5));
    let marks = Marks::from([("Follow<pay/payment".into(), 7), ("조명".into(), u64::from(u32::MAX))]);
    let attempt = Attempt { step: "charge@3".into(), of: "pay".into(), due: at(7), tries: 3, sent: true, leased: true };
    let full = Write { listed: false, body: r#"{"name":"조명 'x' \"y\""}"#.into(), version: 9, ..lamp(1, 0) };
    let full = Write { attempt: Some(attempt.clone()), moment, marks: marks.clone(), ..full };
    made(&*store, one(full.clone())).await;
    let read = store.load(LAMP, 1).await.unwrap().expect("it is there");
    let Write { number, version, listed, body, at, .. } = full;
    let written =
        Document { number, version, revision: 1, seq: read.seq, listed, body, at, attempt: Some(attempt), moment, marks };
    assert_eq!(read, written);
    made(&*store, one(lamp(1, 1))).await;
    let read = store.load(LAMP, 1).await.unwrap().expect("it is there");
    assert_eq!(
        (read.attempt, read.moment, read.marks, read.listed),
        (None, None, Marks::new(), true),
        "nothing of it stays behind"
    );
    assert_eq!((read.version, read.revision), (2, 2));
    assert!(read.seq > written.seq);
    assert_eq!(store.load(HALL, 1).await, Ok(None), "another table");
}

/// Compare and set: whoever decided on an older state is told so.
pub async fn a_write_names_the_revision_that_it_replaces(place: &dyn Place) {
    let store = open(place).await;
    let contended = Err(StoreError::Contended);
    assert_eq!(answer(&*store, one(lamp(1, 1))).await, contended, "there is none yet");
    assert_eq!(answer(&*store, one(lamp(1, 0))).await, Ok(()));
    assert_eq!(answer(&*store, one(lamp(1, 0))).await, contended, "there is one");
    // keys, listing and version move or stay, and only the revision counts
    let moves = [
        Write { version: 1, ..lamp(1, 1) },
        Write { version: 1, ..keyed(1, 2, "kitchen", Some("red")) },
        Write { version: 1, listed: false, ..keyed(1, 3, "kitchen", None) },
        Write { version: 5, listed: false, ..keyed(1, 4, "kitchen", None) },
    ];
    for (write, revision) in moves.into_iter().zip(2..) {
        for stale in [0, revision - 2, revision, revision + 5].into_iter().filter(|stale| *stale != write.expected) {
            assert_eq!(answer(&*store, one(Write { expected: stale, ..write.clone() })).await, contended);
        }
        assert_eq!(answer(&*store, one(write.clone())).await, Ok(()));
        let read = store.load(LAMP, 1).await.unwrap().expect("it is there");
        assert_eq!((read.revision, read.version, read.listed), (revision, write.version, write.listed));
    }
    let twice = Change { writes: vec![lamp(1, 5), lamp(1, 6)], ..Change::default() };
    assert_eq!(answer(&*store, twice).await, Ok(()), "one change may move a document twice");
    let twice = Change { writes: vec![lamp(1, 7), lamp(1, 7)], ..Change::default() };
    assert_eq!(answer(&*store, twice).await, contended);
    assert_eq!(store.load(LAMP, 1).await.unwrap().map(|read| read.revision), Some(7));
}

/// Everything that [`a_change_is_made_whole_or_not_at_all`] writes.
#[derive(Clone, Debug, PartialEq)]
struct Look {
    documents: Vec<Option<Document>>,
    entry: Option<Entry>,
    story: Vec<Fact>,
    claims: Vec<Option<Claim>>,
    position: Option<Position>,
    asides: Vec<Aside>,
    owing: u64,
    listed: u64,
}
impl Look {
    async fn at(store: &dyn Store) -> Look {
        let case = Case::new(LAMP, 1);
        let mut documents = Vec::new();
        for number in 1..=3 {
            documents.push(store.load(LAMP, number).await.unwrap());
        }
        documents.push(store.load(HALL, 1).await.unwrap());
        let mut claims = Vec::new();
        for key in ["held", "new"] {
            claims.push(store.claimed(key).await.unwrap());
        }
        Look {
            documents,
            entry: store.load_entry(HALL, 1, &case).await.unwrap(),
            story: store.story(&case).await.unwrap().into_iter().map(|fact| Fact { seq: 0, ..fact }).collect(),
            claims,
            position: store.position("reader", "lamps").await.unwrap(),
            asides: asides(store).await,
            owing: store.owing(LAMP).await.unwrap(),
            listed: found(store, Query { after: 1_000, ..Query::default() }).await.1,
        }
    }
}
/// What [`whole`] builds upon.
async fn begin(store: &dyn Store) {
    let begun = Change {
        writes: vec![lamp(3, 0), write(HALL, 1, 0)],
        entry: Some(entry(1, Case::new(LAMP, 1), 0)),
        claim: Some(claim("held", 3)),
        asides: vec![aside("reader", 1, "it does not parse")],
        ..Change::default()
    };
    made(store, begun).await;
    made(store, Change { claim: Some(claim("taken", 3)), ..Change::default() }).await;
}
/// A change with everything in it.
fn whole() -> Change {
    let position = Position { seq: 4, id: "lamps/lamp/1@4".into() };
    Change {
        writes: vec![owing(1, 0, "pay", 5), lamp(2, 0), lamp(3, 1), write(HALL, 1, 1)],
        entry: Some(entry(1, Case::new(LAMP, 1), 1)),
        facts: vec![said(1, 1), said(1, 2)],
        claim: Some(claim("new", 1)),
        frees: vec![("held".into(), Case::new(LAMP, 3))],
        positions: vec![("reader".into(), "lamps".into(), position)],
        asides: vec![aside("reader", 2, "it waits")],
        taken_back: vec![("reader".into(), aside("reader", 1, "").fact.id())],
    }
}

/// Whatever speaks against a change, nothing of it is seen, and its neighbours in the group are made.
pub async fn a_change_is_made_whole_or_not_at_all(place: &dyn Place) {
    let store = open(place).await;
    begin(&*store).await;
    let mut spoiled = Vec::new();
    for part in 0..whole().writes.len() {
        let mut change = whole();
        change.writes[part].expected += 1;
        spoiled.push((format!("write {part}"), change, StoreError::Contended));
    }
    let there = Change { writes: vec![lamp(1, 0), lamp(2, 0), lamp(3, 0)], ..whole() };
    spoiled.push(("a document that is there".into(), there, StoreError::Contended));
    for expected in [0, 2] {
        let change = Change { entry: Some(entry(1, Case::new(LAMP, 1), expected)), ..whole() };
        spoiled.push((format!("the entry at {expected}"), change, StoreError::Contended));
    }
    let alone = Change { writes: vec![write(HALL, 1, 1)], entry: Some(entry(1, Case::new(LAMP, 1), 0)), ..whole() };
    spoiled.push(("the entry of one root".into(), alone, StoreError::Contended));
    let alone = Change { writes: vec![write(HALL, 1, 7)], ..whole() };
    spoiled.push(("the root of an entry".into(), alone, StoreError::Contended));
    let taken = Change { claim: Some(claim("taken", 1)), ..whole() };
    spoiled.push(("the claim".into(), taken, StoreError::Claimed(claim("taken", 3))));
    let alone = Change { writes: vec![lamp(1, 0)], claim: Some(claim("taken", 1)), ..whole() };
    spoiled.push(("the claim of one document".into(), alone, StoreError::Claimed(claim("taken", 3))));

    for ((what, change, why), n) in spoiled.into_iter().zip(10..) {
        let before = Look::at(&*store).await;
        let (first, next) = (step(n, 0), step(n, 1));
        let group = [first, change, next].map(|change| store.commit(change));
        let [first, change, next] = group.map(Committing::durably);
        let ((first, next), change) = join(join(first, next), change).await;
        assert_eq!((first, change, next), (Ok(()), Err(why), Ok(())), "{what}");
        let after = Look { listed: before.listed, ..Look::at(&*store).await };
        assert_eq!(after, before, "{what}");
        let lamps = found(&*store, Query::default()).await;
        assert_eq!(lamps.0.len() as u64, lamps.1, "what is listed is counted: {what}");
        assert_eq!(store.story(&Case::new(LAMP, n)).await.unwrap().len(), 2, "the others of the group: {what}");
    }
    let before = Look::at(&*store).await;
    made(&*store, whole()).await;
    let after = Look::at(&*store).await;
    for (number, (before, after)) in before.documents.iter().zip(&after.documents).enumerate() {
        assert_ne!(before, after, "document {number}");
    }
    assert_ne!(before.entry, after.entry);
    assert_eq!((before.story.len(), after.story.len()), (0, 2));
    assert_eq!(before.claims, [Some(claim("held", 3)), None]);
    assert_eq!(after.claims, [None, Some(claim("new", 1))]);
    assert_ne!(before.position, after.position);
    assert_eq!(after.asides, [aside("reader", 2, "it waits")]);
    assert_eq!((after.owing, after.listed), (before.owing + 1, before.listed + 2));
}

/// A change that no store can make (a table that the layout does not have) is refused alone.
pub async fn what_can_not_be_written_harms_nobody_else(place: &dyn Place) {
    let store = open(place).await;
    let unknown = Change { writes: vec![lamp(2, 0), write("nowhere", 1, 0)], facts: vec![said(2, 1)], ..Change::default() };
    let keyless = Change { facts: vec![said(2, 1)], ..one(Write { keys: vec![], ..lamp(2, 0) }) };
    let no_pool = Change { entry: Some(EntryWrite { table: LAMP, ..entry(1, Case::new(LAMP, 1), 0) }), ..step(2, 0) };
    let group = [step(1, 0), unknown, keyless, no_pool, step(1, 1)].map(|change| store.commit(change).durably());
    let answers = join_all(group).await;
    assert_eq!((&answers[0], &answers[4]), (&Ok(()), &Ok(())));
    assert!(answers[1..4].iter().all(|answer| matches!(answer, Err(StoreError::Damaged(_)))), "{answers:?}");
    assert_eq!(whole_log(&*store).await.len(), 2);
    assert_eq!(store.load(LAMP, 2).await, Ok(None));
    assert!(matches!(store.load("nowhere", 1).await, Err(StoreError::Damaged(_))));
    assert!(matches!(store.reserve("nowhere").await, Err(StoreError::Damaged(_))));
    let query = Query { by: Some("height"), limit: 1, ..Query::default() };
    assert!(matches!(store.find(LAMP, &query).await, Err(StoreError::Damaged(_))), "not one of its keys");
}

/// Each of a chain of changes that were handed over without waiting finds the one before it.
pub async fn changes_are_made_in_the_order_of_their_calls(place: &dyn Place) {
    let store = open(place).await;
    let calls = (0..1_500).map(|n| step(1 + n % 3, n / 3)).collect::<Vec<_>>();
    let order = calls.iter().map(|call| call.facts[0].id()).collect::<Vec<_>>();
    let answers = join_all(calls.into_iter().map(|call| store.commit(call)).map(Committing::durably)).await;
    assert!(answers.iter().all(Result::is_ok));
    let log = whole_log(&*store).await;
    assert_eq!(log.iter().map(Fact::id).collect::<Vec<_>>(), order);
    assert_eq!(store.load(LAMP, 2).await.unwrap().map(|lamp| (lamp.revision, lamp.version)), Some((500, 500)));
}

/// To drop a [`Committing`] withdraws nothing.
pub async fn a_commit_that_nobody_awaits_is_made(place: &dyn Place) {
    let store = open(place).await;
    drop(store.commit(step(1, 0)));
    let same = store.commit(step(1, 1));
    let (one, other) = join(same.clone().durably(), same.clone().durably()).await;
    assert_eq!((one, other, same.durably().await), (Ok(()), Ok(()), Ok(())), "many wait for the same");
    assert_eq!(store.load(LAMP, 1).await.unwrap().map(|lamp| lamp.revision), Some(2));
}

/// A reader that follows many committers sees every fact once, in the order in which the journal stays.
pub async fn the_log_never_yields_late_what_belongs_early(place: &dyn Place) {
    const COMMITTERS: u64 = 12;
    const CHANGES: u64 = 60;
    let store = open(place).await;
    let committer = |number: u64, store: Arc<dyn Store>| async move {
        for n in 0..CHANGES {
            let facts = (0..=n % 3).map(|_| said(number, n + 1)).collect::<Vec<_>>();
            made(&*store, Change { facts, ..step(number, n) }).await;
            if n % 5 == 0 {
                assert_eq!(answer(&*store, step(number, n)).await, Err(StoreError::Contended));
            }
            tokio::task::yield_now().await;
        }
    };
    let committers = (1..=COMMITTERS).map(|number| tokio::spawn(committer(number, store.clone()))).collect::<Vec<_>>();
    let all = usize::try_from(COMMITTERS * (0..CHANGES).map(|n| n % 3 + 1).sum::<u64>()).unwrap();
    let follow = async {
        let (mut newest, mut seen, mut after) = (store.newest_fact(), Vec::<Fact>::new(), 0);
        while seen.len() < all {
            let facts = store.tail(after, 7).await.unwrap();
            for fact in &facts {
                assert!(fact.seq > after, "{} after {after}", fact.seq);
                after = fact.seq;
            }
            if facts.is_empty() {
                tokio::time::timeout(Duration::from_secs(60), newest.wait_for(|newest| *newest > after)).await.unwrap().unwrap();
            }
            seen.extend(facts);
        }
        seen
    };
    let seen = follow.await;
    for committer in committers {
        committer.await.unwrap();
    }
    assert_eq!(whole_log(&*store).await, seen, "what came later does not stand before what was seen");
    assert_eq!(store.tail(seen[9].seq, 5).await.unwrap(), seen[10..15], "from the middle");
    for number in 1..=COMMITTERS {
        let versions = seen.iter().filter(|fact| fact.number == number).map(|fact| fact.version).collect::<Vec<_>>();
        let expected = (0..CHANGES).flat_map(|n| (0..=n % 3).map(move |_| n + 1)).collect::<Vec<_>>();
        assert_eq!(versions, expected, "each commit's facts once, in their order");
    }
    assert_eq!(*store.newest_fact().borrow(), seen.last().unwrap().seq);
    assert_eq!(store.tail(u64::MAX, 5).await, Ok(vec![]));
    let store = again(place, store).await;
    assert_eq!(whole_log(&*store).await, seen, "the same from the disk");
    made(&*store, step(1, CHANGES)).await;
    let newer = store.tail(seen.last().unwrap().seq, 5).await.unwrap();
    assert_eq!(newer.iter().map(Fact::id).collect::<Vec<_>>(), [said(1, CHANGES + 1).id()]);
    let across = store.tail(seen[seen.len() - 3].seq, 9).await.unwrap();
    assert_eq!(across, [&seen[seen.len() - 2..], &newer].concat());
}

/// All facts of a case, whoever of the context said them, with every field.
pub async fn a_case_has_a_story(place: &dyn Place) {
    let store = open(place).await;
    let full = Fact {
        entry: true,
        source: HALL.into(),
        number: 2,
        public: false,
        cause: Some("pay/payment/1@2".into()),
        trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        body: r#"{"name":"조명"}"#.into(),
        ..said(1, 3)
    };
    made(&*store, Change { facts: vec![said(1, 1), said(2, 1), full.clone()], ..Change::default() }).await;
    let other_root = Fact { case: Case::new(HALL, 1), ..said(1, 2) };
    made(&*store, Change { facts: vec![other_root, said(1, 4)], ..Change::default() }).await;
    let story = store.story(&Case::new(LAMP, 1)).await.unwrap();
    let expected = [said(1, 1), full, said(1, 4)].into_iter().zip(&story).map(|(fact, there)| Fact { seq: there.seq, ..fact });
    assert_eq!(story, expected.collect::<Vec<_>>());
    assert!(story.is_sorted_by_key(|fact| fact.seq));
    assert_eq!(story, whole_log(&*store).await.into_iter().filter(|fact| fact.case == Case::new(LAMP, 1)).collect::<Vec<_>>());
    assert_eq!(store.story(&Case::new(LAMP, 9)).await, Ok(vec![]));
    let again = again(place, store).await;
    assert_eq!(again.story(&Case::new(LAMP, 1)).await, Ok(story));
}

/// Who waits for more is woken, and finds it.
pub async fn newest_fact_and_newest_write_move(place: &dyn Place) {
    let store = open(place).await;
    let (mut fact, mut moved) = (store.newest_fact(), store.newest_write());
    assert_eq!((*fact.borrow_and_update(), *moved.borrow_and_update()), (0, 0));
    made(&*store, one(lamp(1, 0))).await;
    assert!(moved.has_changed().unwrap(), "a write");
    made(&*store, step(1, 1)).await;
    assert!(fact.has_changed().unwrap(), "a fact");
    let (newest, row) = (*fact.borrow_and_update(), *moved.borrow_and_update());
    assert_eq!(whole_log(&*store).await.last().map(|fact| fact.seq), Some(newest));
    assert_eq!(store.load(LAMP, 1).await.unwrap().map(|row| row.seq), Some(row));
    made(&*store, one(write(HALL, 1, 0))).await;
    assert!(*moved.borrow() > row, "one numbering for all tables");
    let again = again(place, store).await;
    assert_eq!(*again.newest_fact().borrow(), newest, "known at once after reopening");
    assert_eq!(again.load(HALL, 1).await.unwrap().map(|row| row.seq), Some(*again.newest_write().borrow()));
    made(&*again, step(1, 2)).await;
    assert!(*again.newest_fact().borrow() > newest);
    assert!(again.load(LAMP, 1).await.unwrap().is_some_and(|lamp| lamp.seq > row + 1), "and goes on from there");
}

/// Sweepers find what is due in its order, and only one of two that saw the same may have it.
pub async fn what_is_due_is_found_and_claimed_by_one_alone(place: &dyn Place) {
    let store = open(place).await;
    assert_eq!(store.next_due(LAMP).await, Ok(None));
    let moment = |number, seconds| Write { moment: Some(at(seconds)), ..lamp(number, 0) };
    let writes = vec![
        owing(1, 0, "pay", 30),
        owing(2, 0, "pay", 10),
        owing(3, 0, "ship", 5),
        owing(4, 0, "pay", 20),
        owing(5, 0, "pay", 10),
    ];
    let both = Write { moment: Some(at(2)), listed: false, ..owing(6, 0, "ship", 50) };
    made(&*store, Change { writes: [writes, vec![moment(7, 8), moment(8, 4), lamp(9, 0), both]].concat(), ..Change::default() })
        .await;
    assert_eq!(store.due(LAMP, "pay", at(20), 9).await.unwrap(), [2, 5, 4], "most overdue first, then by number");
    assert_eq!(store.due(LAMP, "pay", at(9), 9).await.unwrap(), [0; 0]);
    assert_eq!(store.due(LAMP, "pay", at(100), 2).await.unwrap(), [2, 5]);
    assert_eq!(store.due(LAMP, "ship", at(100), 9).await.unwrap(), [3, 6], "also what is not listed");
    assert_eq!(store.due(LAMP, "nobody", at(100), 9).await.unwrap(), [0; 0]);
    assert_eq!(store.moments(LAMP, at(8), 9).await.unwrap(), [6, 8, 7]);
    assert_eq!(store.moments(LAMP, at(100), 1).await.unwrap(), [6]);
    assert_eq!(store.moments(LAMP, at(1), 9).await.unwrap(), [0; 0]);
    assert_eq!(store.next_due(LAMP).await, Ok(Some(at(2))), "a moment");
    assert_eq!(store.owing(LAMP).await, Ok(6));
    assert_eq!(store.overdue(LAMP, at(1)).await, Ok(0));
    assert_eq!(store.overdue(LAMP, at(10)).await, Ok(6), "asks 2, 3, 5 and moments 6, 7, 8");
    assert_eq!((store.next_due(HALL).await, store.owing(HALL).await), (Ok(None), Ok(0)));

    let seen = store.load(LAMP, 2).await.unwrap().expect("it is there");
    let lease = |tries| Attempt { tries, leased: true, ..attempt("pay", at(60)) };
    let try_to = |tries| one(Write { version: seen.version, attempt: Some(lease(tries)), ..lamp(2, seen.revision) });
    let [one_, other] = [2, 3].map(|tries| store.commit(try_to(tries)).durably());
    assert_eq!(join(one_, other).await, (Ok(()), Err(StoreError::Contended)));
    let claimed = store.load(LAMP, 2).await.unwrap().expect("it is there");
    assert_eq!((claimed.attempt, claimed.version), (Some(lease(2)), seen.version), "a claim is no fact");
    assert_eq!(store.due(LAMP, "pay", at(20), 9).await.unwrap(), [5, 4], "nobody else until the lease ends");
    assert_eq!(store.due(LAMP, "pay", at(60), 9).await.unwrap(), [5, 4, 1, 2], "then somebody");

    for number in [6, 8, 7, 3] {
        made(&*store, one(lamp(number, 1))).await;
    }
    assert_eq!(store.next_due(LAMP).await, Ok(Some(at(10))), "an ask");
    assert_eq!(
        (store.owing(LAMP).await, store.moments(LAMP, at(100), 9).await),
        (Ok(4), Ok(vec![])),
        "what is not owed any more"
    );
}

/// At start nobody else can be at it; what may have been sent is known to be that.
pub async fn leases_of_a_process_that_is_gone_are_released(place: &dyn Place) {
    let store = open(place).await;
    let leased = Attempt { leased: true, tries: 4, ..attempt("pay", at(900)) };
    let waiting = Attempt { tries: 2, ..attempt("pay", at(300)) };
    let of = |number, attempt: &Attempt| Write { attempt: Some(attempt.clone()), moment: Some(at(950)), ..lamp(number, 0) };
    let writes = vec![of(1, &leased), of(2, &waiting), lamp(3, 0)];
    made(&*store, Change { writes, ..Change::default() }).await;
    let store = again(place, store).await;
    store.release_leases(at(100)).await.unwrap();
    let read = join_all((1..=3).map(|number| store.load(LAMP, number))).await;
    let [one_, two, three] =
        read.try_into().map(|read: [StoreResult<Option<Document>>; 3]| read.map(|d| d.unwrap().unwrap())).unwrap();
    assert_eq!(one_.attempt, Some(Attempt { due: at(100), leased: false, sent: true, ..leased }));
    assert_eq!((one_.moment, one_.version), (Some(at(950)), 1), "nothing else moves");
    assert_eq!((two.attempt, three.attempt), (Some(waiting), None));
    assert_eq!(store.due(LAMP, "pay", at(100), 9).await.unwrap(), [1]);
    assert_eq!(answer(&*store, one(lamp(1, 1))).await, Err(StoreError::Contended), "it was written");
    assert_eq!(answer(&*store, one(lamp(1, one_.revision))).await, Ok(()));
    assert_eq!(answer(&*store, one(lamp(2, 1))).await, Ok(()), "it was not");
}

/// The second who comes with a key is told whose it is, until it is given free or forgotten.
pub async fn an_idempotency_key_is_claimed_once_until_it_is_free(place: &dyn Place) {
    let store = open(place).await;
    let claiming = |claim: &Claim, number, expected| Change { claim: Some(claim.clone()), ..step(number, expected) };
    let (first, second) = (claim("k", 1), claim("k", 2));
    assert_eq!(store.claimed("k").await, Ok(None));
    let [one_, other] = [claiming(&first, 1, 0), claiming(&second, 2, 0)].map(|change| store.commit(change).durably());
    assert_eq!(join(one_, other).await, (Ok(()), Err(StoreError::Claimed(first.clone()))));
    assert_eq!(store.claimed("k").await, Ok(Some(first.clone())));
    assert_eq!(store.load(LAMP, 2).await, Ok(None));
    assert_eq!(answer(&*store, claiming(&first, 1, 1)).await, Err(StoreError::Claimed(first.clone())), "also by the same case");
    assert_eq!(answer(&*store, claiming(&first, 1, 0)).await, Err(StoreError::Claimed(first)), "which says more than contention");
    let frees = |number| vec![("k".into(), Case::new(LAMP, number)), ("unknown".into(), Case::new(LAMP, 1))];
    made(&*store, Change { frees: frees(2), ..step(1, 1) }).await;
    assert!(store.claimed("k").await.unwrap().is_some(), "what is another's is not given free");
    made(&*store, Change { frees: frees(1), ..step(1, 2) }).await;
    assert_eq!(store.claimed("k").await, Ok(None));
    made(&*store, claiming(&second, 2, 0)).await;
    made(&*store, claiming(&claim("younger", 3), 3, 0)).await;
    store.forget_claims(at(2)).await.unwrap();
    assert_eq!(store.claimed("k").await, Ok(Some(second)), "not before that time");
    let store = again(place, store).await;
    store.forget_claims(at(3)).await.unwrap();
    assert_eq!(store.claimed("k").await, Ok(None));
    assert_eq!(store.claimed("younger").await, Ok(Some(claim("younger", 3))));
    made(&*store, claiming(&claim("k", 4), 4, 0)).await;
}

/// Each reader has its own place in each publisher's journal, and knows the fact that it read last.
pub async fn positions_are_kept_per_reader_and_publisher(place: &dyn Place) {
    let store = open(place).await;
    let to = |seq: u64| Position { seq, id: format!("pay/payment/{seq}@1") };
    let moving = |reader: &str, publisher: &str, seq| (reader.to_owned(), publisher.to_owned(), to(seq));
    assert_eq!(store.position("a", "pay").await, Ok(None));
    let positions = vec![moving("a", "pay", 1), moving("a", "shop", 2), moving("b", "pay", 3)];
    made(&*store, Change { positions, ..Change::default() }).await;
    made(&*store, Change { positions: vec![moving("a", "pay", 9)], ..one(lamp(1, 0)) }).await;
    let store = again(place, store).await;
    for (reader, publisher, seq) in [("a", "pay", Some(9)), ("a", "shop", Some(2)), ("b", "pay", Some(3)), ("b", "shop", None)] {
        assert_eq!(store.position(reader, publisher).await, Ok(seq.map(to)), "{reader} in {publisher}");
    }
    made(&*store, Change { positions: vec![moving("b", "pay", 1)], ..Change::default() }).await;
    assert_eq!(store.position("b", "pay").await, Ok(Some(to(1))), "also backwards: a view that is rebuilt");
}

/// A case's entry and what is left move together; other cases and other roots are not touched.
pub async fn a_pool_writes_its_root_and_one_entry_together(place: &dyn Place) {
    let store = open(place).await;
    let (mine, yours, theirs) = (Case::new("order", 1), Case::new("order", 2), Case::new("refund", 1));
    let take = |number, revision, case: &Case, expected| Change {
        entry: Some(entry(number, case.clone(), expected)),
        facts: vec![Fact { case: case.clone(), entry: true, source: HALL.into(), ..said(number, expected + 1) }],
        ..one(write(HALL, number, revision))
    };
    assert_eq!(store.load_entry(HALL, 1, &mine).await, Ok(None));
    for (change, n) in
        [take(1, 0, &mine, 0), take(1, 1, &yours, 0), take(1, 2, &theirs, 0), take(2, 0, &mine, 0)].into_iter().zip(1..)
    {
        assert_eq!(answer(&*store, change).await, Ok(()), "{n}");
    }
    made(&*store, take(1, 3, &mine, 1)).await;
    let stored = |case: &Case, expected| {
        let EntryWrite { case, version, body, marks, .. } = entry(1, case.clone(), expected);
        Some(Entry { case, version, revision: expected + 1, body, marks })
    };
    let store = again(place, store).await;
    assert_eq!(store.load_entry(HALL, 1, &mine).await.unwrap(), stored(&mine, 1));
    assert_eq!(store.load_entry(HALL, 1, &yours).await.unwrap(), stored(&yours, 0));
    assert_eq!(store.load_entry(HALL, 1, &theirs).await.unwrap(), stored(&theirs, 0));
    assert_eq!(store.load_entry(HALL, 2, &mine).await.unwrap(), stored(&mine, 0));
    assert_eq!(store.load_entry(HALL, 2, &yours).await, Ok(None));
    for (stale, why) in [
        (take(1, 4, &mine, 1), "the entry moved"),
        (take(1, 3, &mine, 2), "the root moved"),
        (take(1, 4, &yours, 0), "it is there"),
    ] {
        assert_eq!(answer(&*store, stale).await, Err(StoreError::Contended), "{why}");
    }
    assert_eq!(store.load(HALL, 1).await.unwrap().map(|root| root.revision), Some(4));
    assert_eq!(store.load_entry(HALL, 1, &mine).await.unwrap(), stored(&mine, 1));
    assert_eq!(store.load_entry(HALL, 1, &yours).await.unwrap(), stored(&yours, 0));
}

/// By number, by each key and by both; page by page, both ways; the total is that of what is listed.
pub async fn documents_are_found_by_keys_and_pages(place: &dyn Place) {
    let store = open(place).await;
    let everything = Query::default;
    assert_eq!(found(&*store, everything()).await, (vec![], 0));
    let rows = [
        keyed(1, 0, "kitchen", Some("red")),
        keyed(2, 0, "attic", Some("blue")),
        keyed(3, 0, "kitchen", None),
        keyed(4, 0, "attic", Some("red")),
        Write { listed: false, ..keyed(5, 0, "kitchen", Some("red")) },
        keyed(70, 0, "kitchen", Some("red")),
    ];
    made(&*store, Change { writes: rows.to_vec(), ..Change::default() }).await;
    let by = |key: &'static str, value: &str| vec![(key, value.to_owned())];
    let red = || by("colour", "red");
    assert_eq!(found(&*store, everything()).await, (vec![1, 2, 3, 4, 70], 5));
    assert_eq!(found(&*store, Query { newest_first: true, ..everything() }).await, (vec![70, 4, 3, 2, 1], 5));
    assert_eq!(found(&*store, Query { offset: 1, limit: 2, ..everything() }).await, (vec![2, 3], 5));
    assert_eq!(found(&*store, Query { offset: 4, limit: 2, ..everything() }).await, (vec![70], 5));
    assert_eq!(found(&*store, Query { offset: 9, ..everything() }).await, (vec![], 5));
    assert_eq!(found(&*store, Query { after: 2, limit: 2, ..everything() }).await, (vec![3, 4], 5));
    assert_eq!(found(&*store, Query { matching: red(), ..everything() }).await, (vec![1, 4, 70], 3));
    assert_eq!(found(&*store, Query { matching: red(), newest_first: true, limit: 2, ..everything() }).await, (vec![70, 4], 3));
    assert_eq!(found(&*store, Query { matching: red(), after: 1, limit: 1, ..everything() }).await, (vec![4], 3));
    let kitchen_and_red = [by("room", "kitchen"), red()].concat();
    assert_eq!(found(&*store, Query { matching: kitchen_and_red.clone(), ..everything() }).await, (vec![1, 70], 2));
    let also_hidden = Query { matching: kitchen_and_red, unlisted: true, ..everything() };
    assert_eq!(found(&*store, also_hidden).await, (vec![1, 5, 70], 2), "the total is what clients see");
    assert_eq!(found(&*store, Query { unlisted: true, after: 4, ..everything() }).await, (vec![5, 70], 5));
    assert_eq!(found(&*store, Query { matching: by("room", "cellar"), ..everything() }).await, (vec![], 0));
    assert_eq!(found(&*store, Query { by: Some("room"), ..everything() }).await, (vec![2, 4, 1, 3, 70], 5));
    assert_eq!(found(&*store, Query { by: Some("room"), newest_first: true, ..everything() }).await, (vec![70, 3, 1, 4, 2], 5));
    assert_eq!(found(&*store, Query { by: Some("room"), offset: 1, limit: 3, ..everything() }).await, (vec![4, 1, 3], 5));
    assert_eq!(
        found(&*store, Query { by: Some("colour"), ..everything() }).await,
        (vec![3, 2, 1, 4, 70], 5),
        "without one first"
    );
    let odd = r#"o'clock "x" 조명"#;
    made(&*store, one(keyed(80, 0, odd, None))).await;
    assert_eq!(found(&*store, Query { matching: by("room", odd), ..everything() }).await, (vec![80], 1));

    made(&*store, one(keyed(1, 1, "attic", None))).await;
    assert_eq!(found(&*store, Query { matching: by("room", "attic"), ..everything() }).await, (vec![1, 2, 4], 3), "keys move");
    made(&*store, one(keyed(5, 1, "kitchen", Some("red")))).await;
    made(&*store, one(Write { listed: false, ..keyed(2, 1, "attic", Some("blue")) })).await;
    made(&*store, one(Write { listed: false, ..keyed(3, 1, "kitchen", None) })).await;
    assert_eq!(found(&*store, everything()).await, (vec![1, 4, 5, 70, 80], 5), "shown, hidden");
    let store = again(place, store).await;
    assert_eq!(found(&*store, everything()).await, (vec![1, 4, 5, 70, 80], 5));
    assert_eq!(store.find(HALL, &Query { limit: 9, ..everything() }).await.unwrap().total, 0, "each table counts its own");
    let page = store.find(LAMP, &Query { limit: 1, ..everything() }).await.unwrap();
    assert_eq!(page.rows.first().cloned(), store.load(LAMP, 1).await.unwrap(), "a row is the whole document");
}

/// Who comes back gets every row that moved since, once, as it is now.
pub async fn changed_rows_come_once_in_their_newest_state(place: &dyn Place) {
    let store = open(place).await;
    for (number, expected) in [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (1, 2)] {
        made(&*store, one(lamp(number, expected))).await;
    }
    made(&*store, one(Write { listed: false, ..lamp(4, 0) })).await;
    made(&*store, one(write(HALL, 1, 0))).await;
    let rows = store.changed(LAMP, 0, 9).await.unwrap();
    assert_eq!(numbers(&rows), [3, 2, 1], "in the order of their newest writes");
    assert_eq!(rows.iter().map(|row| row.revision).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(rows.is_sorted_by_key(|row| row.seq));
    assert_eq!(numbers(&store.changed(LAMP, 0, 2).await.unwrap()), [3, 2]);
    assert_eq!(numbers(&store.changed(LAMP, rows[0].seq, 9).await.unwrap()), [2, 1]);
    assert_eq!(numbers(&store.changed(LAMP, rows[2].seq, 9).await.unwrap()), [0; 0]);
    made(&*store, Change { writes: vec![lamp(4, 1), lamp(3, 1)], ..Change::default() }).await;
    made(&*store, one(Write { listed: false, ..lamp(2, 2) })).await;
    let newer = store.changed(LAMP, rows[2].seq, 9).await.unwrap();
    assert_eq!(numbers(&newer), [4, 3], "in one change too each has a number of its own, and what is hidden does not come");
    let store = again(place, store).await;
    assert_eq!(store.changed(LAMP, rows[2].seq, 9).await.unwrap(), newer);
    made(&*store, one(lamp(1, 3))).await;
    assert_eq!(numbers(&store.changed(LAMP, newer[1].seq, 9).await.unwrap()), [1]);
}

/// Never twice, and never one that a document has: not by many at once, not after reopening, not beside client-chosen ones.
pub async fn a_number_is_given_once(place: &dyn Place) {
    let mut store = open(place).await;
    let mut given = BTreeSet::new();
    assert_eq!(store.reserve(LAMP).await, Ok(1), "from 1 upward");
    assert_eq!(store.reserve(HALL).await, Ok(1), "each table has its own");
    given.insert(1);
    for round in 0..4 {
        let newest = *given.last().unwrap();
        let chosen = [newest + 1, newest + 2, newest + 5, newest + 64, newest + 128, newest + 129, newest + 257, newest + 300];
        let later = newest + 400;
        let chosen = chosen.map(|number| store.commit(one(lamp(number, 0))).durably()); // and nobody waits for them yet
        let takers = (0..8).map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                for _ in 0..40 {
                    numbers.push(store.reserve(LAMP).await.unwrap());
                    tokio::task::yield_now().await;
                }
                numbers
            })
        });
        for taker in takers.collect::<Vec<_>>() {
            for number in taker.await.unwrap() {
                assert!(given.insert(number), "{number} twice in round {round}");
            }
        }
        assert!(join_all(chosen).await.iter().all(Result::is_ok));
        made(&*store, one(lamp(later, 0))).await;
        for number in &given {
            assert_eq!(store.load(LAMP, *number).await, Ok(None), "{number} is a document's");
        }
        if round % 2 == 0 {
            store.close().await.unwrap();
        }
        store = again(place, store).await;
    }
}

/// In the order in which it was set aside, once per reader and fact.
pub async fn what_is_set_aside_stays_until_it_is_taken_back(place: &dyn Place) {
    let store = open(place).await;
    assert_eq!(store.asides().await, Ok(vec![]));
    let all = [aside("a", 3, "it does not parse"), aside("a", 1, "it waits"), aside("b", 3, "it panics")];
    made(&*store, Change { asides: all[..2].to_vec(), ..Change::default() }).await;
    made(&*store, Change { asides: all[2..].to_vec(), ..Change::default() }).await;
    assert_eq!(asides(&*store).await, all, "oldest first, with the fact as it was");
    let again_ = aside("a", 3, "it still does not parse");
    made(&*store, Change { asides: vec![again_.clone()], ..Change::default() }).await;
    let store = again(place, store).await;
    assert_eq!(asides(&*store).await, [&again_, &all[1], &all[2]].map(Clone::clone), "it keeps its place");
    let back = |reader: &str, fact: &Fact| (reader.to_owned(), fact.id());
    let taken_back = vec![back("a", &all[0].fact), back("b", &all[1].fact)];
    made(&*store, Change { taken_back, ..Change::default() }).await;
    assert_eq!((asides(&*store).await, store.set_aside().await), (all[1..].to_vec(), Ok(2)), "of that reader alone");
    let numbers = |asides: Vec<Aside>| asides.into_iter().map(|aside| aside.number).collect::<Vec<_>>();
    let two = numbers(store.asides().await.unwrap());
    let taken_back = all[1..].iter().map(|aside| back(&aside.reader, &aside.fact)).collect();
    made(&*store, Change { taken_back, ..Change::default() }).await;
    let store = again(place, store).await;
    made(&*store, Change { asides: all[..1].to_vec(), ..Change::default() }).await;
    let next = numbers(store.asides().await.unwrap());
    assert!(two[0] < two[1] && two[1] < next[0], "a number is given once: {two:?}, then {next:?}");
}

/// After an orderly close, and after none.
pub async fn everything_survives_reopening(place: &dyn Place) {
    let mut store = open(place).await;
    begin(&*store).await;
    made(&*store, whole()).await;
    let (look, log) = (Look::at(&*store).await, whole_log(&*store).await);
    for _ in 0..2 {
        store = again(place, store).await;
        assert_eq!((Look::at(&*store).await, whole_log(&*store).await), (look.clone(), log.clone()));
        store.close().await.unwrap();
    }
    store = again(place, store).await;
    let last = store.commit(step(30, 0)); // acknowledged, and dropped at once
    last.durably().await.unwrap();
    store = again(place, store).await;
    assert_eq!(whole_log(&*store).await.len(), log.len() + 1);
}
/// What it took in is finished; whatever comes later is told that it does not answer.
pub async fn a_closed_store_finishes_and_answers_no_more(place: &dyn Place) {
    let store = open(place).await;
    let taken_in = (0..50).map(|n| store.commit(step(1, n))).collect::<Vec<_>>();
    store.close().await.unwrap();
    assert!(join_all(taken_in.into_iter().map(Committing::durably)).await.iter().all(Result::is_ok));
    let case = Case::new(LAMP, 1);
    let unavailable = |answer: Result<(), StoreError>| assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    unavailable(answer(&*store, step(1, 50)).await);
    unavailable(answer(&*store, one(lamp(2, 0))).await);
    unavailable(store.load(LAMP, 1).await.map(drop));
    unavailable(store.load_entry(HALL, 1, &case).await.map(drop));
    unavailable(store.find(LAMP, &Query::default()).await.map(drop));
    unavailable(store.changed(LAMP, 0, 1).await.map(drop));
    unavailable(store.due(LAMP, "pay", at(1), 1).await.map(drop));
    unavailable(store.moments(LAMP, at(1), 1).await.map(drop));
    unavailable(store.next_due(LAMP).await.map(drop));
    unavailable(store.owing(LAMP).await.map(drop));
    unavailable(store.tail(0, 1).await.map(drop));
    unavailable(store.story(&case).await.map(drop));
    unavailable(store.position("a", "b").await.map(drop));
    unavailable(store.claimed("k").await.map(drop));
    unavailable(store.forget_claims(at(1)).await);
    unavailable(store.asides().await.map(drop));
    unavailable(store.reserve(LAMP).await.map(drop));
    unavailable(store.release_leases(at(1)).await);
    assert_eq!(store.close().await, Ok(()), "closing twice is closing");
    let store = again(place, store).await;
    assert_eq!(store.load(LAMP, 1).await.unwrap().map(|lamp| lamp.revision), Some(50));
}

/// A backlog as after a long night: `rows` documents (at least a thousand) that all owe an ask, found and claimed page by page, then read page by page by
/// a view that starts at the first fact. Says which part is done, for who measures.
pub async fn a_million_rows_of_backlog(place: &dyn Place, rows: u64, done: &mut (dyn FnMut(&str) + Send)) {
    const AT_ONCE: usize = 512;
    let store = open(place).await;
    let due = |number: u64| i64::try_from(number % 1_000).unwrap();
    let mut committing = Vec::with_capacity(AT_ONCE);
    for number in 1..=rows {
        let room = Some(format!("room {}", number % 100));
        let write = Write { keys: vec![room, None], ..owing(number, 0, "pay", due(number)) };
        committing.push(store.commit(Change { facts: vec![said(number, 1)], ..one(write) }));
        if committing.len() == AT_ONCE || number == rows {
            for committing in committing.drain(..) {
                committing.durably().await.unwrap();
            }
        }
    }
    done("written");

    assert_eq!(store.owing(LAMP).await, Ok(rows));
    assert_eq!(store.next_due(LAMP).await, Ok(Some(at(0))));
    let kitchen = Query { matching: vec![("room", "room 7".into())], limit: 20, ..Query::default() };
    let page = store.find(LAMP, &kitchen).await.unwrap();
    assert_eq!((page.rows.len() as u64, page.total), ((rows / 100).min(20), rows / 100));
    let last = store.find(LAMP, &Query { offset: rows - 5, limit: 20, ..Query::default() }).await.unwrap();
    assert_eq!((numbers(&last.rows), last.total), ((rows - 4..=rows).collect(), rows));
    done("looked at");

    let (mut worked, mut latest) = (BTreeMap::new(), i64::MIN);
    loop {
        let page = store.due(LAMP, "pay", at(1_000), AT_ONCE).await.unwrap();
        if page.is_empty() {
            break;
        }
        let settled = page.iter().map(|number| {
            assert!(due(*number) >= latest, "the most overdue come first");
            latest = due(*number);
            *worked.entry(*number).or_insert(0) += 1;
            let keys = vec![Some(format!("room {}", number % 100)), None];
            let write = Write { keys, ..lamp(*number, 1) };
            store.commit(Change { facts: vec![said(*number, 2)], ..one(write) }).durably()
        });
        for settled in join_all(settled.collect::<Vec<_>>()).await {
            settled.unwrap();
        }
    }
    assert_eq!((worked.len() as u64, worked.values().max()), (rows, Some(&1)), "each once");
    assert_eq!((store.owing(LAMP).await, store.next_due(LAMP).await), (Ok(0), Ok(None)));
    done("worked off");

    let (mut after, mut facts) = (0, 0);
    loop {
        let page = store.tail(after, AT_ONCE).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.is_sorted_by_key(|fact| fact.seq) && page[0].seq > after);
        (after, facts) = (last.seq, facts + page.len() as u64);
    }
    assert_eq!(facts, 2 * rows);
    done("log read");

    let (mut moved, mut seen) = (0, BTreeSet::new());
    loop {
        let page = store.changed(LAMP, moved, AT_ONCE).await.unwrap();
        let Some(last) = page.last() else { break };
        moved = last.seq;
        seen.extend(page.iter().map(|row| row.number));
    }
    assert_eq!(seen.len() as u64, rows);
    done("rows read");

    store.close().await.unwrap();
    let store = again(place, store).await;
    let newest = *store.newest_fact().borrow();
    let last = store.tail(newest - 1, 9).await.unwrap();
    assert_eq!((newest, last.len()), (after, 1));
    done("reopened");
}
