//! What every broker must pass. A broker's own tests are one line: `suite::all(async || MemoryBroker::of(6)).await`.
//!
//! Each check is a function of its own, on a log of its own; [`all`] runs them one after the other. A check panics when a broker does not
//! keep what it says.
use crate::*;
use jumun_model::{Case, Timestamp};
use jumun_store::Fact;
use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

/// One log, of [`Place::PARTS`] parts, and what a test does to it.
#[expect(async_fn_in_trait, reason = "only tests have places")]
pub trait Place {
    /// How many parts it has.
    const PARTS: u32;
    /// Connects to it anew.
    async fn broker(&self) -> Arc<dyn Broker>;
    /// Puts something there that is no fact of ours.
    async fn put(&self, key: &str, headers: &[(&str, &str)], body: &str);
    /// Takes the broker away, or brings it back.
    async fn away(&self, away: bool);
}

/// Every check, each on a log of its own. `fresh` makes an empty one.
pub async fn all<P: Place>(mut fresh: impl AsyncFnMut() -> P) {
    facts_arrive_whole_and_those_of_a_case_in_their_order(&fresh().await).await;
    every_group_reads_all(&fresh().await).await;
    a_part_begins_where_its_reader_says(&fresh().await).await;
    a_log_that_is_shorter_than_its_reader_remembers_is_read_from_the_first(&fresh().await).await;
    members_share_the_parts_and_who_leaves_is_followed(&fresh().await).await;
    who_is_dropped_is_missed(&fresh().await).await;
    what_can_not_be_read_is_handed_on_in_its_place(&fresh().await).await;
    handed_over_again_the_first_arrivals_keep_their_order(&fresh().await).await;
    while_it_is_away_nothing_is_lost(&fresh().await).await;
    a_slow_reader_keeps_its_parts(&fresh().await).await;
}

/// How long a check waits for what has to come.
const DEADLINE: Duration = Duration::from_secs(120);

/// A fact of lamp `number`, the `version`th, which is the `version`th of its journal as well.
pub fn said(number: u64, version: u64) -> Fact {
    Fact {
        seq: version,
        context: "lamps".into(),
        source: "lamp".into(),
        number,
        entry: false,
        version,
        case: Case::new("lamp", number),
        name: "Lit".into(),
        public: true,
        at: Timestamp::from_millis(version as i64),
        by: "kim".into(),
        cause: Some("halls/hall/1@1".into()),
        trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        body: format!(r#"{{"eventType":"Lit","number":{number}}}"#).into(),
    }
}
/// So many facts of twelve lamps in turn, numbered in the order of one journal.
fn journal(facts: std::ops::RangeInclusive<u64>) -> Vec<Fact> {
    facts.map(|seq| Fact { seq, ..said(1 + seq % 12, 1 + seq / 12) }).collect()
}

/// Begins where it was last told to.
#[derive(Default)]
struct Saved(Mutex<BTreeMap<u32, u64>>);
impl Saved {
    fn is(&self, part: u32, offset: u64) {
        self.0.lock().unwrap().insert(part, offset);
    }
}
impl Begins for Saved {
    fn at(&self, part: u32) -> Pin<Box<dyn Future<Output = u64> + Send + '_>> {
        let saved = self.0.lock().unwrap().get(&part).copied().unwrap_or(0);
        Box::pin(std::future::ready(saved))
    }
}

/// What a member has met so far.
#[derive(Default)]
struct Met {
    parts: BTreeSet<u32>,
    records: Vec<(u32, Record)>,
}
impl Met {
    fn note(&mut self, event: Event) {
        match event {
            Event::Given(part) => assert!(self.parts.insert(part), "part {part} was given twice"),
            Event::Taken(part) => assert!(self.parts.remove(&part), "part {part} was taken from who had it not"),
            Event::Records(part, records) => {
                assert!(self.parts.contains(&part) && !records.is_empty(), "{records:?} of part {part}");
                self.records.extend(records.into_iter().map(|record| (part, record)));
            }
        }
    }
    fn facts(&self) -> Vec<&Fact> {
        self.records.iter().filter_map(|(_, record)| record.fact.as_ref().ok()).collect()
    }
    /// Lets it read until that holds.
    async fn until(&mut self, what: &str, member: &mut dyn Member, holds: impl Fn(&Met) -> bool) {
        let read = async {
            while !holds(self) {
                self.note(member.next().await.expect("the broker goes on"));
            }
        };
        let done = tokio::time::timeout(DEADLINE, read).await;
        assert!(done.is_ok(), "{what}: in vain; it has {:?} and {} records", self.parts, self.records.len());
    }
}
/// Both read until that holds of them together.
async fn both_until(
    what: &str,
    one: (&mut dyn Member, &mut Met),
    two: (&mut dyn Member, &mut Met),
    holds: impl Fn(&Met, &Met) -> bool,
) {
    let ((member, met), (other, others)) = (one, two);
    let read = async {
        while !holds(met, others) {
            match futures_util::future::select(member.next(), other.next()).await {
                futures_util::future::Either::Left((event, _)) => met.note(event.expect("the broker goes on")),
                futures_util::future::Either::Right((event, _)) => others.note(event.expect("the broker goes on")),
            }
        }
    };
    let done = tokio::time::timeout(DEADLINE, read).await;
    assert!(done.is_ok(), "{what}: in vain; one has {:?}, the other {:?}", met.parts, others.parts);
}
async fn joined(broker: &dyn Broker, group: &str, begins: Arc<dyn Begins>) -> Box<dyn Member> {
    broker.join(group, begins).await.expect("it joins")
}
async fn read_all(broker: &dyn Broker, group: &str, facts: usize) -> (Box<dyn Member>, Met) {
    let (mut member, mut met) = (joined(broker, group, from_the_first()).await, Met::default());
    met.until("all is read", &mut *member, |met| met.records.len() >= facts).await;
    (member, met)
}

/// Nothing of a fact is lost on its way, and one case's facts stay in order.
pub async fn facts_arrive_whole_and_those_of_a_case_in_their_order(place: &impl Place) {
    let broker = place.broker().await;
    let facts = journal(1..=600);
    for some in facts.chunks(50) {
        broker.publish(some).await.expect("it is durable");
    }
    let (_, met) = read_all(&*broker, "readers", facts.len()).await;
    let mut arrived = met.facts();
    let by_case = |facts: &[&Fact]| {
        let mut cases = BTreeMap::<String, Vec<u64>>::new();
        facts.iter().for_each(|fact| cases.entry(fact.case.to_string()).or_default().push(fact.seq));
        cases
    };
    assert_eq!(by_case(&arrived), by_case(&facts.iter().collect::<Vec<_>>()));
    arrived.sort_by_key(|fact| fact.seq);
    assert_eq!(arrived, facts.iter().collect::<Vec<_>>());
    let mut parts = BTreeMap::<String, BTreeSet<u32>>::new();
    for (part, record) in &met.records {
        parts.entry(record.fact.as_ref().unwrap().case.to_string()).or_default().insert(*part);
    }
    assert!(parts.values().all(|parts| parts.len() == 1), "a case has one part: {parts:?}");
    assert!(parts.values().flatten().collect::<BTreeSet<_>>().len() > 1, "all is in one part");
}

/// Groups do not take from each other.
pub async fn every_group_reads_all(place: &impl Place) {
    let broker = place.broker().await;
    broker.publish(&journal(1..=60)).await.unwrap();
    for group in ["shop", "pay"] {
        let (_, met) = read_all(&*broker, group, 60).await;
        assert_eq!(met.facts().len(), 60, "{group}");
    }
}

/// Positions are the reader's own; also one that is older than what the group has read before.
pub async fn a_part_begins_where_its_reader_says(place: &impl Place) {
    let broker = place.broker().await;
    broker.publish(&journal(1..=120)).await.unwrap();
    let (member, met) = read_all(&*broker, "readers", 120).await;
    member.leave().await.unwrap();
    let saved = Arc::new(Saved::default());
    let mut wanted = Vec::new();
    for part in &met.parts {
        let offsets = met.records.iter().filter(|(of, _)| of == part).map(|(_, record)| record.offset).collect::<Vec<_>>();
        if let Some(middle) = offsets.get(offsets.len() / 2) {
            saved.is(*part, *middle);
            wanted.extend(offsets.iter().filter(|offset| *offset >= middle).map(|offset| (*part, *offset)));
        }
    }
    let (mut member, mut again) = (joined(&*broker, "readers", Arc::clone(&saved) as Arc<dyn Begins>).await, Met::default());
    again.until("the second half is read", &mut *member, |met| met.records.len() >= wanted.len()).await;
    broker.publish(&journal(121..=121)).await.unwrap();
    again.until("and what comes next", &mut *member, |met| met.facts().iter().any(|fact| fact.seq == 121)).await;
    let old = again.records.iter().filter(|(_, record)| record.fact.as_ref().is_ok_and(|fact| fact.seq <= 120));
    let mut old = old.map(|(part, record)| (*part, record.offset)).collect::<Vec<_>>();
    old.sort_unstable();
    assert_eq!(old, wanted);
}

/// A log that was made anew, or restored from an older copy, hides nothing.
pub async fn a_log_that_is_shorter_than_its_reader_remembers_is_read_from_the_first<P: Place>(place: &P) {
    let broker = place.broker().await;
    broker.publish(&journal(1..=60)).await.unwrap();
    let saved = Arc::new(Saved::default());
    (0..P::PARTS).for_each(|part| saved.is(part, 1_000_000));
    let (mut member, mut met) = (joined(&*broker, "readers", saved as Arc<dyn Begins>).await, Met::default());
    met.until("all is read", &mut *member, |met| met.records.len() == 60).await;
}

/// Each part is one member's; who joins gets some, and who leaves hands theirs on. Nothing is missed meanwhile.
pub async fn members_share_the_parts_and_who_leaves_is_followed<P: Place>(place: &P) {
    let (broker, other) = (place.broker().await, place.broker().await);
    let (saved, all) = (Arc::new(Saved::default()), (0..P::PARTS).collect::<BTreeSet<_>>());
    let begins = || Arc::clone(&saved) as Arc<dyn Begins>;
    let (mut one, mut met) = (joined(&*broker, "readers", begins()).await, Met::default());
    met.until("one has all", &mut *one, |met| met.parts == all).await;
    let (mut two, mut others) = (joined(&*other, "readers", begins()).await, Met::default());
    both_until("they share", (&mut *one, &mut met), (&mut *two, &mut others), |met, others| {
        met.parts.len().abs_diff(others.parts.len()) <= 1 && met.parts.union(&others.parts).count() == all.len()
    })
    .await;
    assert!(met.parts.is_disjoint(&others.parts), "{:?} and {:?}", met.parts, others.parts);
    broker.publish(&journal(1..=240)).await.unwrap();
    both_until("all is read by one of them", (&mut *one, &mut met), (&mut *two, &mut others), |met, others| {
        met.records.len() + others.records.len() >= 240
    })
    .await;
    let seqs = |met: &Met| met.facts().iter().map(|fact| fact.seq).collect::<BTreeSet<_>>();
    assert!(seqs(&met).is_disjoint(&seqs(&others)) && !met.records.is_empty() && !others.records.is_empty());
    for (part, record) in met.records.iter().chain(&others.records) {
        saved.is(*part, record.offset + 1);
    }
    two.leave().await.unwrap();
    met.until("one has all again", &mut *one, |met| met.parts == all).await;
    broker.publish(&journal(241..=300)).await.unwrap();
    met.until("what came after is read as well", &mut *one, |met| (241..=300).all(|seq| seqs(met).contains(&seq))).await;
}

/// A process that dies says nothing; its parts go to others all the same.
pub async fn who_is_dropped_is_missed<P: Place>(place: &P) {
    let broker = place.broker().await;
    let (mut one, mut met) = (joined(&*broker, "readers", from_the_first()).await, Met::default());
    met.until("one has all", &mut *one, |met| met.parts.len() == P::PARTS as usize).await;
    broker.publish(&journal(1..=24)).await.unwrap();
    drop(one);
    let (mut two, mut others) = (joined(&*broker, "readers", from_the_first()).await, Met::default());
    others.until("the other has all", &mut *two, |met| met.parts.len() == P::PARTS as usize && met.records.len() == 24).await;
}

/// Poison stops nobody.
pub async fn what_can_not_be_read_is_handed_on_in_its_place(place: &impl Place) {
    let broker = place.broker().await;
    broker.publish(&[said(7, 1)]).await.unwrap();
    place.put("lamp/7", &[("ce_specversion", "1.0"), ("ce_type", "Lit")], "{]").await;
    broker.publish(&[said(7, 2)]).await.unwrap();
    let (_, met) = read_all(&*broker, "readers", 3).await;
    let [(first, one), (second, poison), (third, two)] = &met.records[..] else { panic!("{:?}", met.records) };
    assert_eq!((first, third), (second, second));
    assert_eq!((one.fact.as_ref(), two.fact.as_ref()), (Ok(&said(7, 1)), Ok(&said(7, 2))));
    let no = poison.fact.as_ref().unwrap_err();
    assert_eq!((no.body.as_str(), no.why.as_str()), ("{]", "it has no header ce_source"));
    assert!(one.offset < poison.offset && poison.offset < two.offset);
}

/// Two publishers of one journal, the second beginning before where the first came to: each part's first arrivals ascend.
pub async fn handed_over_again_the_first_arrivals_keep_their_order(place: &impl Place) {
    let (broker, other) = (place.broker().await, place.broker().await);
    broker.publish(&journal(1..=60)).await.unwrap();
    other.publish(&journal(37..=90)).await.unwrap();
    broker.publish(&journal(61..=120)).await.unwrap();
    let (_, met) = read_all(&*broker, "readers", 60 + 54 + 60).await;
    let mut newest = BTreeMap::<u32, u64>::new();
    let mut taken = Vec::new();
    for (part, record) in &met.records {
        let (fact, newest) = (record.fact.as_ref().unwrap(), newest.entry(*part).or_default());
        if fact.seq > *newest {
            *newest = fact.seq;
            taken.push(fact.seq);
        }
    }
    taken.sort_unstable();
    assert_eq!(taken, (1..=120).collect::<Vec<_>>(), "who remembers the highest number per part takes each fact once");
}

/// While the broker is away a publisher waits and a reader is silent; then both go on.
pub async fn while_it_is_away_nothing_is_lost(place: &impl Place) {
    let broker = place.broker().await;
    broker.publish(&journal(1..=24)).await.unwrap();
    let (mut member, mut met) = read_all(&*broker, "readers", 24).await;
    place.away(true).await;
    let facts = journal(25..=48);
    let publishing = broker.publish(&facts);
    let back = async {
        tokio::time::sleep(Duration::from_secs(1)).await; // not a wait for something: how long it is away is what is tried
        place.away(false).await;
    };
    let (published, ()) = futures_util::future::join(publishing, back).await;
    published.expect("it got through in the end");
    let has_all = |met: &Met| met.facts().iter().map(|fact| fact.seq).collect::<BTreeSet<_>>().len() == 48;
    met.until("what was published meanwhile is read", &mut *member, has_all).await;
}

/// Who does not read for a while is not taken for dead, and then reads on where it was.
pub async fn a_slow_reader_keeps_its_parts<P: Place>(place: &P) {
    let broker = place.broker().await;
    let (mut member, mut met) = (joined(&*broker, "readers", from_the_first()).await, Met::default());
    met.until("it has all", &mut *member, |met| met.parts.len() == P::PARTS as usize).await;
    let facts = journal(1..=6_000);
    for some in facts.chunks(1_000) {
        broker.publish(some).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(4)).await; // not a wait for something: how slow it is is what is tried
    met.until("it reads on", &mut *member, |met| met.records.len() == 6_000).await;
    assert_eq!(met.facts().iter().map(|fact| fact.seq).collect::<BTreeSet<_>>().len(), 6_000, "each of them once");
}
