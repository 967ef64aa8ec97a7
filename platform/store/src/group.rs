//! For stores on a server, which many processes share: what their one writer is asked, and how what waits becomes one
//! transaction.
use crate::{Block, Change, StoreError, StoreResult};
use jumun_model::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

/// The most that one transaction takes.
const GROUP: usize = 512;
const GROUP_BYTES: usize = 4 << 20;

/// How whoever asked is told.
pub type Tell<T> = oneshot::Sender<StoreResult<T>>;

/// What a writer is asked to do, in this order.
pub enum Job {
    /// [`Store::commit`](crate::Store::commit).
    Commit(Box<Change>, Tell<()>),
    /// [`Store::forget_claims`](crate::Store::forget_claims).
    Forget(Timestamp, Tell<()>),
    /// [`Store::release_leases`](crate::Store::release_leases).
    Release(Timestamp, Tell<()>),
    /// The next block of a table's numbers.
    Numbers(&'static str, Tell<Block>),
    /// Give back what was reserved and given to nobody, and end.
    Close(Vec<(&'static str, Block)>, Tell<()>),
}
/// What a job comes to.
pub enum Answer {
    /// Of all but one.
    Done(StoreResult<()>),
    /// Of [`Job::Numbers`].
    Numbers(Block),
}

impl Job {
    /// How much of it goes to the server, about.
    pub fn bytes(&self) -> usize {
        let Job::Commit(change, _) = self else { return 0 };
        let facts = change.facts.iter().map(|fact| fact.body.len());
        let entry = change.entry.iter().map(|entry| entry.body.len());
        change.writes.iter().map(|write| write.body.len()).chain(facts).chain(entry).sum()
    }
    /// Tells whoever asked.
    pub fn tell(self, answer: Answer) {
        match (self, answer) {
            (Job::Commit(_, tell) | Job::Forget(_, tell) | Job::Release(_, tell) | Job::Close(_, tell), Answer::Done(answer)) => {
                drop(tell.send(answer));
            }
            (Job::Numbers(_, tell), Answer::Numbers(block)) => drop(tell.send(Ok(block))),
            (job, _) => job.fail(&StoreError::Damaged("it was answered what it did not ask".into())),
        }
    }
    /// Tells whoever asked that it was not done.
    pub fn fail(self, error: &StoreError) {
        match self {
            Job::Commit(_, tell) | Job::Forget(_, tell) | Job::Release(_, tell) | Job::Close(_, tell) => {
                drop(tell.send(Err(error.clone())));
            }
            Job::Numbers(_, tell) => drop(tell.send(Err(error.clone()))),
        }
    }
}

/// What a writer does next.
pub enum Work {
    /// These, in one transaction.
    Group(Vec<Job>),
    /// The last thing: see [`Job::Close`].
    Close(Vec<(&'static str, Block)>, Tell<()>),
}

/// The jobs that wait for a writer.
pub struct Jobs {
    waiting: mpsc::UnboundedReceiver<Job>,
    next: Option<Job>,
}
impl Jobs {
    /// As they come.
    pub const fn new(waiting: mpsc::UnboundedReceiver<Job>) -> Self {
        Jobs { waiting, next: None }
    }
    /// All that waits, as far as it fits into one transaction; none when nobody can ask any more.
    pub async fn next(&mut self) -> Option<Work> {
        let job = match self.next.take() {
            Some(job) => job,
            None => self.waiting.recv().await?,
        };
        if let Job::Close(unused, tell) = job {
            return Some(Work::Close(unused, tell));
        }
        let (mut bytes, mut group) = (job.bytes(), vec![job]);
        while group.len() < GROUP && bytes < GROUP_BYTES {
            match self.waiting.try_recv() {
                Ok(job @ Job::Close(..)) => {
                    self.next = Some(job);
                    break;
                }
                Ok(job) => {
                    bytes += job.bytes();
                    group.push(job);
                }
                Err(_) => break,
            }
        }
        Some(Work::Group(group))
    }
}

/// Where a context stands: the numbers of its newest fact and write.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Standing {
    /// See [`Store::newest_fact`](crate::Store::newest_fact).
    pub fact: u64,
    /// See [`Store::newest_write`](crate::Store::newest_write).
    pub write: u64,
}

/// What a process knows of it. Numbers are given in the order of commits, so whoever knows of one may read all below it.
pub struct Newest {
    /// The newest fact.
    pub fact: watch::Sender<u64>,
    /// The newest write.
    pub write: watch::Sender<u64>,
}
impl Newest {
    /// As it is found.
    pub fn new(Standing { fact, write }: Standing) -> Self {
        Newest { fact: watch::Sender::new(fact), write: watch::Sender::new(write) }
    }
    /// It stands there, or further on already.
    pub fn moved(&self, Standing { fact, write }: Standing) {
        let later = |newest: &mut u64, to: u64| to > std::mem::replace(newest, to.max(*newest));
        self.fact.send_if_modified(|newest| later(newest, fact));
        self.write.send_if_modified(|newest| later(newest, write));
    }
    /// Where it is known to stand.
    pub fn standing(&self) -> Standing {
        Standing { fact: *self.fact.borrow(), write: *self.write.borrow() }
    }
}
