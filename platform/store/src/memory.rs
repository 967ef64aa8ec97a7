//! The store that lives in memory: for tests, for whole systems run from a seed, and for the URL `memory:`.
use crate::*;
use jumun_model::{Case, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{oneshot, watch};

/// What is durable of a [`MemoryStore`]. It outlives the store, as a disk outlives a process. Clones are the same disk.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Disk>>);

#[derive(Default)]
struct Disk {
    durable: Durable,
    /// How often it was opened: a handle that is not the newest is dead.
    opened: u64,
    /// On their way to the durable state, all at once.
    syncing: Vec<Queued>,
    /// The next group.
    waiting: Vec<Queued>,
    /// How many groups are still to be refused.
    refusals: usize,
    /// The number that is given away next, whoever has it.
    outdated: Option<u64>,
}
type Queued = (Change, oneshot::Sender<StoreResult<()>>);
type Delay = Arc<dyn Fn() -> Duration + Send + Sync>;

#[derive(Default)]
struct Durable {
    documents: BTreeMap<&'static str, BTreeMap<u64, Row>>,
    entries: BTreeMap<(&'static str, u64, Case), Entry>,
    journal: Vec<Fact>,
    claims: BTreeMap<String, Claim>,
    positions: BTreeMap<(String, String), Position>,
    asides: Vec<Aside>,
    /// How many were ever set aside.
    aside: u64,
    reserved: BTreeMap<&'static str, u64>,
    writes: u64,
}
struct Row {
    document: Document,
    keys: BTreeMap<&'static str, Option<String>>,
}

impl MemoryDisk {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }
    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A store on a [`MemoryDisk`]. Everything about it is deterministic, and tests steer how slow it is and when it fails.
#[derive(Clone)]
pub struct MemoryStore {
    disk: MemoryDisk,
    opened: u64,
    layout: Arc<Layout>,
    delay: Option<Delay>,
    newest_fact: Arc<Herald<u64>>,
    newest_write: Arc<Herald<u64>>,
}

impl MemoryStore {
    /// Goes on from what is durable on `disk`. Stores that were opened on it before are dead from now on, as if their process were.
    ///
    /// # Errors
    /// None in memory; it answers as a store on a real disk does.
    pub fn open(disk: &MemoryDisk, layout: Layout) -> StoreResult<Self> {
        let mut on = disk.lock();
        on.power_off();
        let (newest_fact, newest_write) = on.durable.newest();
        Ok(MemoryStore {
            disk: disk.clone(),
            opened: on.opened,
            layout: Arc::new(layout),
            delay: None,
            newest_fact: Arc::new(Herald::new(newest_fact)),
            newest_write: Arc::new(Herald::new(newest_write)),
        })
    }
    /// Changes become durable only after this long, measured on tokio's clock: what waits when a sync begins becomes durable together
    /// when it ends. Without this a change is durable at once. A commit then needs a tokio runtime to be called in.
    #[must_use]
    pub fn syncing_after(mut self, delay: Arc<dyn Fn() -> Duration + Send + Sync>) -> Self {
        self.delay = Some(delay);
        self
    }
    /// The process dies: what was not durable is lost, and this store never answers again.
    pub fn crash(&self) {
        let mut on = self.disk.lock();
        if on.opened == self.opened {
            on.power_off();
        }
    }
    /// The next number that is reserved is this one, as from a block that was reserved before somebody chose it.
    pub fn reserves(&self, number: u64) {
        self.disk.lock().outdated = Some(number);
    }
    /// The next `groups` groups of changes fail as a whole.
    pub fn refuse(&self, groups: usize) {
        self.disk.lock().refusals = groups;
    }

    fn live(&self) -> StoreResult<MutexGuard<'_, Disk>> {
        let on = self.disk.lock();
        if on.opened == self.opened { Ok(on) } else { Err(StoreError::Unavailable("it was stopped".into())) }
    }
    fn read<'a, T: Send + 'a>(&self, read: impl FnOnce(&Durable) -> T) -> Waiting<'a, T> {
        done(self.live().map(|on| read(&on.durable)))
    }
    fn read_table<'a, T: Send + 'a>(&self, table: &'static str, read: impl FnOnce(&Durable) -> T) -> Waiting<'a, T> {
        done(self.table(table).and_then(|_| self.live()).map(|on| read(&on.durable)))
    }
    fn table(&self, name: &'static str) -> StoreResult<&Table> {
        let unknown = || StoreError::Damaged(format!("its layout has no table {name}"));
        self.layout.iter().find(|table| table.name == name).ok_or_else(unknown)
    }
    /// Whether the layout has what the change writes.
    fn fits(&self, change: &Change) -> StoreResult<()> {
        for Write { table, keys, .. } in &change.writes {
            if self.table(table)?.keys.len() != keys.len() {
                return Err(StoreError::Damaged(format!("a write to {table} does not have its keys")));
            }
        }
        if let Some(EntryWrite { table, .. }) = &change.entry
            && !self.table(table)?.entries
        {
            return Err(StoreError::Damaged(format!("{table} is no pool")));
        }
        Ok(())
    }
    /// Makes a group durable and tells everybody who waits for one of its changes.
    fn settle(&self, on: &mut Disk, group: Vec<Queued>) {
        if group.is_empty() {
            return;
        }
        let (before, refused) = (on.durable.newest(), on.refusals > 0);
        on.refusals = on.refusals.saturating_sub(1);
        let made = group.into_iter().map(|(change, tell)| {
            let answer = match refused {
                true => Err(StoreError::Unavailable("refused by the test".into())),
                false => self.fits(&change).and_then(|()| on.durable.make(change, &self.layout)),
            };
            (answer, tell)
        });
        let made = made.collect::<Vec<_>>();
        let now = on.durable.newest();
        if now.0 != before.0 {
            self.newest_fact.say(now.0);
        }
        if now.1 != before.1 {
            self.newest_write.say(now.1);
        }
        for (answer, tell) in made {
            let _ = tell.send(answer);
        }
    }
    fn settle_all(&self, on: &mut Disk) {
        for group in [std::mem::take(&mut on.syncing), std::mem::take(&mut on.waiting)] {
            self.settle(on, group);
        }
    }
    /// One sync after the other, as long as anything waits.
    async fn sync(self, delay: Delay) {
        loop {
            tokio::time::sleep(delay()).await;
            let Ok(mut on) = self.live() else { return };
            let group = std::mem::take(&mut on.syncing);
            self.settle(&mut on, group);
            if on.waiting.is_empty() {
                return;
            }
            on.syncing = std::mem::take(&mut on.waiting);
        }
    }
}

impl Disk {
    fn power_off(&mut self) {
        self.opened += 1;
        self.refusals = 0;
        self.syncing.clear();
        self.waiting.clear();
    }
}

impl Durable {
    /// The newest fact, and the newest write.
    const fn newest(&self) -> (u64, u64) {
        (self.journal.len() as u64, self.writes)
    }
    fn rows<'a>(&'a self, table: &'static str) -> impl Iterator<Item = &'a Row> {
        self.documents.get(table).into_iter().flat_map(BTreeMap::values)
    }
    fn documents<'a>(&'a self, table: &'static str) -> impl Iterator<Item = &'a Document> {
        self.rows(table).map(|row| &row.document)
    }
    fn row(&self, table: &'static str, number: u64) -> Option<&Row> {
        self.documents.get(table)?.get(&number)
    }
    fn may(&self, change: &Change) -> StoreResult<()> {
        if let Some(held) = change.claim.as_ref().and_then(|claim| self.claims.get(&claim.key)) {
            return Err(StoreError::Claimed(held.clone()));
        }
        let mut revisions = BTreeMap::new();
        for Write { table, number, expected, .. } in &change.writes {
            let stored = || self.row(table, *number).map_or(0, |row| row.document.revision);
            let revision = revisions.entry((*table, *number)).or_insert_with(stored);
            if revision != expected {
                return Err(StoreError::Contended);
            }
            *revision += 1;
        }
        match &change.entry {
            Some(EntryWrite { table, number, case, expected, .. })
                if *expected != self.entries.get(&(*table, *number, case.clone())).map_or(0, |entry| entry.revision) =>
            {
                Err(StoreError::Contended)
            }
            _ => Ok(()),
        }
    }
    fn make(&mut self, change: Change, layout: &Layout) -> StoreResult<()> {
        self.may(&change)?;
        for write in change.writes {
            self.writes += 1;
            let Write { table, number, expected, version, listed, body, at, keys, attempt, moment, marks } = write;
            let (revision, seq) = (expected + 1, self.writes);
            let names = layout.iter().find(|t| t.name == table).map_or(&[][..], |t| t.keys);
            let document = Document { number, version, revision, seq, listed, body, at, attempt, moment, marks };
            let row = Row { document, keys: names.iter().copied().zip(keys).collect() };
            self.documents.entry(table).or_default().insert(number, row);
        }
        if let Some(EntryWrite { table, number, case, expected, version, body, marks }) = change.entry {
            self.entries.insert((table, number, case.clone()), Entry { case, version, revision: expected + 1, body, marks });
        }
        for fact in change.facts {
            let seq = self.journal.len() as u64 + 1;
            self.journal.push(Fact { seq, ..fact });
        }
        for (key, case) in change.frees {
            if self.claims.get(&key).is_some_and(|claim| claim.case == case) {
                self.claims.remove(&key);
            }
        }
        self.claims.extend(change.claim.map(|claim| (claim.key.clone(), claim)));
        for (reader, publisher, position) in change.positions {
            self.positions.insert((reader, publisher), position);
        }
        for (reader, id) in change.taken_back {
            self.asides.retain(|aside| aside.reader != reader || aside.fact.id() != id);
        }
        for aside in change.asides {
            match self.asides.iter_mut().find(|a| a.reader == aside.reader && a.fact.id() == aside.fact.id()) {
                Some(there) => *there = Aside { number: there.number, ..aside },
                None => {
                    self.aside += 1;
                    self.asides.push(Aside { number: self.aside, ..aside });
                }
            }
        }
        Ok(())
    }
    fn find(&self, table: &'static str, query: &Query) -> Page {
        let Query { matching, newest_first, by, offset, limit, after, unlisted } = query;
        let key = |row: &Row, name| row.keys.get(name).cloned().flatten();
        let matches = |row: &&Row| matching.iter().all(|(name, value)| key(row, name).as_deref() == Some(value));
        let total = self.rows(table).filter(matches).filter(|row| row.document.listed).count() as u64;
        let wanted = |row: &&Row| (*unlisted || row.document.listed) && row.document.number > *after;
        let mut rows = self.rows(table).filter(matches).filter(wanted).collect::<Vec<_>>();
        if let Some(by) = by {
            rows.sort_by_cached_key(|row| key(row, by)); // stable: by number among equals
        }
        if *newest_first {
            rows.reverse();
        }
        let (offset, limit) = (usize::try_from(*offset).unwrap_or(usize::MAX), usize::try_from(*limit).unwrap_or(usize::MAX));
        Page { rows: rows.into_iter().skip(offset).take(limit).map(|row| row.document.clone()).collect(), total }
    }
}

impl Store for MemoryStore {
    fn commit(&self, change: Change) -> Committing {
        let (tell, committing) = Committing::pair();
        let Ok(mut on) = self.live() else { return committing };
        match &self.delay {
            None => self.settle(&mut on, vec![(change, tell)]),
            Some(_) if !on.syncing.is_empty() => on.waiting.push((change, tell)),
            Some(delay) => {
                on.syncing.push((change, tell));
                drop(tokio::spawn(self.clone().sync(delay.clone())));
            }
        }
        committing
    }
    fn load<'a>(&'a self, table: &'static str, number: u64) -> Waiting<'a, Option<Document>> {
        self.read_table(table, |on| on.row(table, number).map(|row| row.document.clone()))
    }
    fn load_entry<'a>(&'a self, table: &'static str, number: u64, case: &'a Case) -> Waiting<'a, Option<Entry>> {
        self.read_table(table, |on| on.entries.get(&(table, number, case.clone())).cloned())
    }
    fn find<'a>(&'a self, table: &'static str, query: &'a Query) -> Waiting<'a, Page> {
        let unknown =
            |table: &Table| query.matching.iter().map(|(key, _)| *key).chain(query.by).find(|key| !table.keys.contains(key));
        match self.table(table).map(unknown) {
            Ok(Some(key)) => done(Err(StoreError::Damaged(format!("{table} has no key {key}")))),
            _ => self.read_table(table, |on| on.find(table, query)),
        }
    }
    fn changed<'a>(&'a self, table: &'static str, after: u64, limit: usize) -> Waiting<'a, Vec<Document>> {
        self.read_table(table, |on| {
            let moved = on.documents(table).filter(|d| d.listed && d.seq > after).map(|d| (d.seq, d)).collect::<BTreeMap<_, _>>();
            moved.into_values().take(limit).cloned().collect()
        })
    }
    fn due<'a>(&'a self, table: &'static str, of: &'a str, until: Timestamp, limit: usize) -> Waiting<'a, Vec<u64>> {
        self.read_table(table, |on| {
            let owed = |d: &Document| d.attempt.as_ref().filter(|a| a.of == of && a.due <= until).map(|a| (a.due, d.number));
            on.documents(table).filter_map(owed).collect::<BTreeSet<_>>().into_iter().map(|(_, n)| n).take(limit).collect()
        })
    }
    fn moments<'a>(&'a self, table: &'static str, until: Timestamp, limit: usize) -> Waiting<'a, Vec<u64>> {
        self.read_table(table, |on| {
            let come = |d: &Document| d.moment.filter(|moment| *moment <= until).map(|moment| (moment, d.number));
            on.documents(table).filter_map(come).collect::<BTreeSet<_>>().into_iter().map(|(_, n)| n).take(limit).collect()
        })
    }
    fn next_due<'a>(&'a self, table: &'static str) -> Waiting<'a, Option<Timestamp>> {
        self.read_table(table, |on| {
            on.documents(table).flat_map(|d| d.attempt.as_ref().map(|a| a.due).into_iter().chain(d.moment)).min()
        })
    }
    fn owing<'a>(&'a self, table: &'static str) -> Waiting<'a, u64> {
        self.read_table(table, |on| on.documents(table).filter(|d| d.attempt.is_some()).count() as u64)
    }
    fn overdue<'a>(&'a self, table: &'static str, until: Timestamp) -> Waiting<'a, u64> {
        self.read_table(table, |on| {
            let times = |d: &Document| d.attempt.as_ref().map(|a| a.due).into_iter().chain(d.moment);
            on.documents(table).flat_map(times).filter(|at| *at <= until).count() as u64
        })
    }
    fn tail<'a>(&'a self, after: u64, limit: usize) -> Waiting<'a, Vec<Fact>> {
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        self.read(|on| on.journal.iter().skip(after).take(limit).cloned().collect())
    }
    fn story<'a>(&'a self, case: &'a Case) -> Waiting<'a, Vec<Fact>> {
        self.read(|on| on.journal.iter().filter(|fact| fact.case == *case).cloned().collect())
    }
    fn position<'a>(&'a self, reader: &'a str, publisher: &'a str) -> Waiting<'a, Option<Position>> {
        self.read(|on| on.positions.get(&(reader.to_owned(), publisher.to_owned())).cloned())
    }
    fn claimed<'a>(&'a self, key: &'a str) -> Waiting<'a, Option<Claim>> {
        self.read(|on| on.claims.get(key).cloned())
    }
    fn forget_claims<'a>(&'a self, before: Timestamp) -> Waiting<'a, ()> {
        done(self.live().map(|mut on| {
            on.durable.claims.retain(|_, claim| claim.at >= before);
        }))
    }
    fn asides<'a>(&'a self) -> Waiting<'a, Vec<Aside>> {
        self.read(|on| on.asides.clone())
    }
    fn set_aside<'a>(&'a self) -> Waiting<'a, u64> {
        self.read(|on| on.asides.len() as u64)
    }
    fn reserve<'a>(&'a self, table: &'static str) -> Waiting<'a, u64> {
        done(self.table(table).and_then(|_| self.live()).map(|mut on| {
            if let Some(number) = on.outdated.take() {
                return number;
            }
            let Disk { durable, syncing, waiting, .. } = &mut *on;
            let queued = |number| {
                syncing.iter().chain(&*waiting).flat_map(|(c, _)| &c.writes).any(|w| w.table == table && w.number == number)
            };
            let mut number = durable.reserved.get(table).map_or(1, |last| last + 1);
            while queued(number) || durable.row(table, number).is_some() {
                number += 1;
            }
            durable.reserved.insert(table, number);
            number
        }))
    }
    fn newest_fact(&self) -> watch::Receiver<u64> {
        self.newest_fact.listen()
    }
    fn newest_write(&self) -> watch::Receiver<u64> {
        self.newest_write.listen()
    }
    fn release_leases<'a>(&'a self, now: Timestamp) -> Waiting<'a, ()> {
        done(self.live().map(|mut on| {
            for Document { attempt, revision, .. } in
                on.durable.documents.values_mut().flat_map(|rows| rows.values_mut()).map(|row| &mut row.document)
            {
                if let Some(attempt) = attempt.as_mut().filter(|attempt| attempt.leased) {
                    attempt.release(now);
                    *revision += 1;
                }
            }
        }))
    }
    fn close<'a>(&'a self) -> Waiting<'a, ()> {
        if let Ok(mut on) = self.live() {
            self.settle_all(&mut on);
            on.power_off();
        }
        done(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite;

    #[tokio::test]
    async fn the_memory_store_passes_the_suite() {
        suite::all(MemoryDisk::new).await;
    }

    #[tokio::test]
    async fn a_slow_one_passes_the_suite_too() {
        struct Slow(MemoryDisk);
        impl suite::Place for Slow {
            fn open(&self, layout: Layout) -> Waiting<'_, Arc<dyn Store>> {
                let slow = |store: MemoryStore| store.syncing_after(Arc::new(|| Duration::from_micros(50)));
                done(MemoryStore::open(&self.0, layout).map(|store| Arc::new(slow(store)) as Arc<dyn Store>))
            }
        }
        suite::all(|| Slow(MemoryDisk::new())).await;
    }

    #[tokio::test]
    async fn it_works_a_backlog_off() {
        suite::a_million_rows_of_backlog(&MemoryDisk::new(), 20_000, &mut |_| {}).await;
    }

    fn said(n: u64) -> Change {
        let fact = Fact {
            seq: 0,
            context: "lamps".into(),
            source: "lamp".into(),
            number: n,
            entry: false,
            version: 1,
            case: Case::new("lamp", n),
            name: "Switched".into(),
            public: true,
            at: Timestamp::EPOCH,
            by: "someone".into(),
            cause: None,
            trace: None,
            body: "{}".into(),
        };
        Change { facts: vec![fact], ..Change::default() }
    }
    fn never() -> Delay {
        Arc::new(|| Duration::from_secs(1 << 30))
    }
    async fn log(store: &MemoryStore) -> Vec<u64> {
        store.tail(0, 9).await.unwrap().iter().map(|fact| fact.number).collect()
    }

    #[tokio::test]
    async fn what_is_not_durable_is_not_seen_and_a_crash_loses_it() {
        let disk = MemoryDisk::new();
        let store = MemoryStore::open(&disk, vec![]).unwrap();
        store.commit(said(1)).durably().await.unwrap();
        let store = store.syncing_after(never());
        let lost = [store.commit(said(2)), store.commit(said(3))];
        tokio::task::yield_now().await;
        assert_eq!((log(&store).await, *store.newest_fact().borrow()), (vec![1], 1));
        store.crash();
        for lost in lost {
            assert!(matches!(lost.durably().await, Err(StoreError::Unavailable(_))));
        }
        assert!(matches!(store.commit(said(4)).durably().await, Err(StoreError::Unavailable(_))));
        assert!(matches!(store.tail(0, 9).await, Err(StoreError::Unavailable(_))));
        let reopened = MemoryStore::open(&disk, vec![]).unwrap();
        store.crash(); // of a process that is gone: it harms nobody
        assert_eq!(log(&reopened).await, [1]);
        reopened.commit(said(5)).durably().await.unwrap();
        assert_eq!(log(&reopened).await, [1, 5]);
    }

    #[tokio::test]
    async fn to_open_a_disk_again_kills_who_had_it() {
        let disk = MemoryDisk::new();
        let old = MemoryStore::open(&disk, vec![]).unwrap().syncing_after(never());
        let lost = old.commit(said(1));
        let new = MemoryStore::open(&disk, vec![]).unwrap();
        assert!(matches!(lost.durably().await, Err(StoreError::Unavailable(_))));
        assert!(matches!(old.commit(said(2)).durably().await, Err(StoreError::Unavailable(_))));
        new.commit(said(3)).durably().await.unwrap();
        assert_eq!(log(&new).await, [3]);
    }

    #[tokio::test]
    async fn a_refused_group_fails_as_a_whole_and_the_next_is_made() {
        let store = MemoryStore::open(&MemoryDisk::new(), vec![]).unwrap().syncing_after(Arc::new(|| Duration::from_millis(1)));
        store.refuse(1);
        let refused = [store.commit(said(1)), store.commit(said(2))];
        let first = refused.map(Committing::durably);
        let [first, second] = first;
        assert!(matches!(first.await, Err(StoreError::Unavailable(_))));
        let next = store.commit(said(3)); // the group of the second one, or the one after
        let (second, next) = (second.await, next.durably().await);
        assert_eq!((second, next), (Ok(()), Ok(())), "the first began a group of its own");
        assert_eq!(log(&store).await, [2, 3]);
    }
}
