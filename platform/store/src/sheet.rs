//! A group of changes as it is worked out: for stores whose writer reads all that a group depends on, decides in memory and then
//! writes the rest.
use crate::{
    Change, Claim, EntryWrite, Fact, Layout, Position, StoreError, StoreResult, Table, Write,
    group::{Job, Standing},
};
use jumun_model::Case;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// A document, as far as it decides whether a write may be made.
#[derive(Clone, Copy, Default)]
struct Known {
    revision: u64,
    listed: bool,
}
type Place = (&'static str, u64);

/// What it finds, and what it shall write. A document that is moved twice is written once.
pub struct Sheet<'g> {
    layout: &'g Layout,
    /// A key as the database keeps it.
    kept: fn(&str) -> Cow<'_, str>,
    /// Where the context stands once it is written.
    pub standing: Standing,
    documents: BTreeMap<Place, Known>,
    entries: BTreeMap<(Place, Case), u64>,
    claims: BTreeMap<String, Claim>,
    writes: BTreeMap<Place, (&'g Write, u64)>,
    entry_writes: BTreeMap<(Place, Case), &'g EntryWrite>,
    /// Facts to append, with their numbers.
    pub facts: Vec<(u64, &'g Fact)>,
    /// Keys that are somebody's now, or nobody's.
    pub claimed: BTreeMap<&'g str, Option<&'g Claim>>,
    /// Positions by reader and publisher.
    pub positions: BTreeMap<(&'g str, &'g str), &'g Position>,
    /// Changes that set aside or take back.
    pub shelf: Vec<&'g Change>,
    /// How many more documents are listed, by table.
    pub listed: BTreeMap<&'static str, i64>,
}

fn changes(group: &[Job]) -> impl Iterator<Item = &Change> {
    group.iter().filter_map(|job| if let Job::Commit(change, _) = job { Some(&**change) } else { None })
}

/// The documents of a table that a group depends on.
pub fn numbers(group: &[Job], table: &Table) -> BTreeSet<u64> {
    let writes = changes(group).flat_map(|change| &change.writes).filter(|write| write.table == table.name);
    writes.map(|write| write.number).collect()
}
/// The entries of a pool that a group depends on.
pub fn cases<'g>(group: &'g [Job], table: &Table) -> BTreeSet<(u64, &'g Case)> {
    let wanted = changes(group).filter_map(|change| change.entry.as_ref());
    wanted.filter(|entry| table.entries && entry.table == table.name).map(|entry| (entry.number, &entry.case)).collect()
}
/// The idempotency keys that a group depends on.
pub fn keys(group: &[Job]) -> BTreeSet<&str> {
    let freed = changes(group).flat_map(|change| &change.frees).map(|(key, _)| &**key);
    changes(group).filter_map(|change| change.claim.as_ref()).map(|claim| &*claim.key).chain(freed).collect()
}

impl<'g> Sheet<'g> {
    /// An empty one, at that standing.
    pub fn new(layout: &'g Layout, standing: Standing, kept: fn(&str) -> Cow<'_, str>) -> Self {
        Sheet {
            layout,
            kept,
            standing,
            documents: BTreeMap::new(),
            entries: BTreeMap::new(),
            claims: BTreeMap::new(),
            writes: BTreeMap::new(),
            entry_writes: BTreeMap::new(),
            facts: Vec::new(),
            claimed: BTreeMap::new(),
            positions: BTreeMap::new(),
            shelf: Vec::new(),
            listed: BTreeMap::new(),
        }
    }
    /// A document is there.
    pub fn found_document(&mut self, table: &'static str, number: u64, revision: u64, listed: bool) {
        self.documents.insert((table, number), Known { revision, listed });
    }
    /// An entry is there.
    pub fn found_entry(&mut self, table: &'static str, number: u64, case: Case, revision: u64) {
        self.entries.insert(((table, number), case), revision);
    }
    /// A key is somebody's.
    pub fn found_claim(&mut self, claim: Claim) {
        self.claims.insert(claim.key.clone(), claim);
    }

    fn table(&self, name: &str) -> Option<&'g Table> {
        self.layout.iter().find(|table| table.name == name)
    }

    /// Makes one change, whole or not at all: what speaks against it is looked for before anything of it is noted.
    ///
    /// # Errors
    /// What speaks against it.
    pub fn make(&mut self, change: &'g Change) -> StoreResult<()> {
        self.fits(change)?;
        let kept = self.kept;
        if let Some(claim) = &change.claim
            && let Some(held) = self.claims.get(&*kept(&claim.key))
        {
            return Err(StoreError::Claimed(held.clone()));
        }
        if let Some(entry) = &change.entry {
            let there = self.entries.get(&((entry.table, entry.number), entry.case.clone()));
            if there.copied().unwrap_or_default() != entry.expected {
                return Err(StoreError::Contended);
            }
        }
        let mut moved = BTreeMap::new();
        for write in &change.writes {
            let place = (write.table, write.number);
            let there = moved.get(&place).or(self.documents.get(&place)).copied().unwrap_or_default();
            if there.revision != write.expected {
                return Err(StoreError::Contended);
            }
            moved.insert(place, Known { revision: write.expected + 1, listed: write.listed });
        }
        for write in &change.writes {
            let place = (write.table, write.number);
            let before = self.documents.get(&place).copied().unwrap_or_default();
            self.standing.write += 1;
            *self.listed.entry(write.table).or_default() += i64::from(write.listed) - i64::from(before.listed);
            self.documents.insert(place, Known { revision: write.expected + 1, listed: write.listed });
            self.writes.insert(place, (write, self.standing.write));
        }
        if let Some(entry) = &change.entry {
            let place = ((entry.table, entry.number), entry.case.clone());
            self.entries.insert(place.clone(), entry.expected + 1);
            self.entry_writes.insert(place, entry);
        }
        for fact in &change.facts {
            self.standing.fact += 1;
            self.facts.push((self.standing.fact, fact));
        }
        for (key, case) in &change.frees {
            if self.claims.get(&*kept(key)).is_some_and(|claim| claim.case == *case) {
                self.claims.remove(&*kept(key));
                self.claimed.insert(key, None);
            }
        }
        if let Some(claim) = &change.claim {
            self.claims.insert(kept(&claim.key).into_owned(), claim.clone());
            self.claimed.insert(&claim.key, Some(claim));
        }
        for (reader, publisher, position) in &change.positions {
            self.positions.insert((reader, publisher), position);
        }
        if !change.asides.is_empty() || !change.taken_back.is_empty() {
            self.shelf.push(change);
        }
        Ok(())
    }

    /// Whether the layout has what the change writes.
    fn fits(&self, change: &Change) -> StoreResult<()> {
        for Write { table, keys, .. } in &change.writes {
            match self.table(table) {
                None => return Err(StoreError::Damaged(format!("its layout has no table {table}"))),
                Some(known) if known.keys.len() != keys.len() => {
                    return Err(StoreError::Damaged(format!("a write to {table} does not have its keys")));
                }
                Some(_) => {}
            }
        }
        match &change.entry {
            Some(EntryWrite { table, .. }) if self.table(table).is_none_or(|table| !table.entries) => {
                Err(StoreError::Damaged(format!("{table} is no pool")))
            }
            _ => Ok(()),
        }
    }

    /// Each table with what is to be written to it: documents with the numbers of their writes, and entries.
    pub fn tables(&self) -> impl Iterator<Item = (&'g Table, Vec<(&'g Write, u64)>, Vec<&'g EntryWrite>)> + '_ {
        self.layout.iter().map(|table| {
            let writes = self.writes.iter().filter(|((name, _), _)| *name == table.name).map(|(_, write)| *write).collect();
            let entries = self.entry_writes.iter().filter(|(((name, _), _), _)| *name == table.name);
            (table, writes, entries.map(|(_, entry)| *entry).collect())
        })
    }

    /// All that was noted is written.
    pub fn written(&mut self) {
        self.writes.clear();
        self.entry_writes.clear();
        self.facts.clear();
        self.claimed.clear();
        self.positions.clear();
        self.shelf.clear();
        self.listed.clear();
    }
}
