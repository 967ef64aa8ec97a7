//! The broker that lives in memory: for tests, and for whole systems run from a seed.
use crate::*;
use jumun_store::{Fact, Herald};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// How many records are given in one go.
const BATCH: usize = 512;

/// A log in memory. Clones are the same log; everything about it is deterministic.
#[derive(Clone)]
pub struct MemoryBroker(Arc<Shared>);
struct Shared {
    log: Mutex<Log>,
    /// Says that something has changed.
    news: Herald<u64>,
}
struct Log {
    parts: Vec<Vec<Sent>>,
    groups: BTreeMap<String, Group>,
    changes: u64,
    away: bool,
}
type Sent = (Vec<(String, String)>, Arc<str>);
#[derive(Default)]
struct Group {
    joined: u64,
    /// Those who read, in the order in which they came.
    members: Vec<u64>,
    /// Who has which part, until they let it go.
    holders: BTreeMap<u32, u64>,
}
impl Group {
    /// Whose a part shall be: as evenly as can be, in turns.
    fn wanted(&self, part: u32) -> Option<u64> {
        (!self.members.is_empty()).then(|| self.members[part as usize % self.members.len()])
    }
}

impl MemoryBroker {
    /// An empty log of so many parts.
    ///
    /// # Panics
    /// If there is to be no part at all.
    pub fn of(parts: u32) -> Self {
        assert!(parts > 0, "a log has a part");
        let log = Log { parts: vec![Vec::new(); parts as usize], groups: BTreeMap::new(), changes: 0, away: false };
        MemoryBroker(Arc::new(Shared { log: Mutex::new(log), news: Herald::default() }))
    }
    /// As long as it is away nothing gets through, and nothing is lost.
    pub fn away(&self, away: bool) {
        self.0.change(|log| log.away = away);
    }
    /// Something that is no fact of ours, behind whatever has that key.
    pub fn put(&self, key: &str, headers: &[(&str, &str)], body: &str) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.0.change(|log| log.part(key).push((headers, body.into())));
    }
}
impl Shared {
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn change<T>(&self, change: impl FnOnce(&mut Log) -> T) -> T {
        let mut log = self.lock();
        let changed = change(&mut log);
        log.changes += 1;
        self.news.say(log.changes);
        changed
    }
}
impl Log {
    fn part(&mut self, key: &str) -> &mut Vec<Sent> {
        // FNV-1a: the same in every run
        let hash =
            key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let place = hash % self.parts.len() as u64;
        &mut self.parts[place as usize]
    }
}

impl Broker for MemoryBroker {
    fn publish<'a>(&'a self, facts: &'a [Fact]) -> Waiting<'a, ()> {
        Box::pin(async move {
            let mut news = self.0.news.listen();
            loop {
                if !self.0.lock().away {
                    break;
                }
                let _ = news.changed().await;
            }
            self.0.change(|log| {
                for Envelope { key, headers, body } in facts.iter().map(Envelope::of) {
                    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                    log.part(&key).push((headers, body));
                }
            });
            Ok(())
        })
    }
    fn join<'a>(&'a self, group: &'a str, begins: Arc<dyn Begins>) -> Waiting<'a, Box<dyn Member>> {
        let id = self.0.change(|log| {
            let group = log.groups.entry(group.to_owned()).or_default();
            group.joined += 1;
            group.members.push(group.joined);
            group.joined
        });
        let (shared, news) = (Arc::clone(&self.0), self.0.news.listen());
        let reader = Reader { shared, news, begins, group: group.to_owned(), id, at: BTreeMap::new() };
        Box::pin(std::future::ready(Ok(Box::new(reader) as Box<dyn Member>)))
    }
}

struct Reader {
    shared: Arc<Shared>,
    news: watch::Receiver<u64>,
    begins: Arc<dyn Begins>,
    group: String,
    id: u64,
    /// The parts that it has, and the next offset of each.
    at: BTreeMap<u32, u64>,
}
enum Step {
    Tell(Event),
    /// A part that nobody has any more.
    Free(u32),
    Nothing,
}
impl Reader {
    fn step(&mut self) -> Step {
        let shared = Arc::clone(&self.shared);
        let mut log = shared.lock();
        let Log { parts, groups, away, .. } = &mut *log;
        if *away {
            return Step::Nothing;
        }
        let group = groups.entry(self.group.clone()).or_default();
        for part in 0..parts.len() as u32 {
            let (wanted, holder) = (group.wanted(part), group.holders.get(&part).copied());
            if self.at.contains_key(&part) && wanted != Some(self.id) {
                self.at.remove(&part);
                group.holders.remove(&part);
                drop(log);
                self.shared.change(|_| ());
                return Step::Tell(Event::Taken(part));
            }
            if wanted == Some(self.id) && holder.is_none() {
                group.holders.insert(part, self.id);
                return Step::Free(part);
            }
        }
        for (&part, next) in &mut self.at {
            let there = &parts[part as usize];
            let first = (*next as usize).min(there.len());
            let records = there[first..].iter().take(BATCH).enumerate().map(|(index, (headers, body))| {
                let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                Record { offset: (first + index) as u64, fact: Envelope::read(headers, body) }
            });
            let records = records.collect::<Vec<_>>();
            if !records.is_empty() {
                *next = (first + records.len()) as u64;
                return Step::Tell(Event::Records(part, records));
            }
        }
        Step::Nothing
    }
    fn gone(&mut self) {
        self.at.clear();
        self.shared.change(|log| {
            let group = log.groups.entry(self.group.clone()).or_default();
            group.members.retain(|member| *member != self.id);
            group.holders.retain(|_, holder| *holder != self.id);
        });
    }
}
impl Member for Reader {
    fn next(&mut self) -> Waiting<'_, Event> {
        Box::pin(async move {
            loop {
                self.news.borrow_and_update();
                match self.step() {
                    Step::Tell(event) => return Ok(event),
                    Step::Free(part) => {
                        let (at, there) = (self.begins.at(part).await, self.shared.lock().parts[part as usize].len() as u64);
                        self.at.insert(part, if at <= there { at } else { 0 });
                        return Ok(Event::Given(part));
                    }
                    Step::Nothing => drop(self.news.changed().await),
                }
            }
        })
    }
    fn leave(self: Box<Self>) -> Waiting<'static, ()> {
        drop(self);
        Box::pin(std::future::ready(Ok(())))
    }
}
impl Drop for Reader {
    fn drop(&mut self) {
        self.gone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{self, Place};

    impl Place for MemoryBroker {
        const PARTS: u32 = 6;
        async fn broker(&self) -> Arc<dyn Broker> {
            Arc::new(self.clone())
        }
        async fn put(&self, key: &str, headers: &[(&str, &str)], body: &str) {
            MemoryBroker::put(self, key, headers, body);
        }
        async fn away(&self, away: bool) {
            MemoryBroker::away(self, away);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_passes_the_suite() {
        suite::all(async || MemoryBroker::of(6)).await;
    }
}
