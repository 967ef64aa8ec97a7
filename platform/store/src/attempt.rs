//! The trying of an owed ask: who is at it, until when, and whether any try may have reached whoever is asked. Each step of it is a pure
//! function, and `tests/trying.rs` explores them all together.
use jumun_model::{Case, Timestamp};
use serde::{Deserialize, Serialize};

/// How far the trying of an owed ask has come. Kept beside the document, not in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt {
    /// The ask's name and the version at which it began (`charge@1`): with the case, the key by which it is asked.
    pub step: String,
    /// Who is asked.
    pub of: String,
    /// When it is to be tried (again), or when the running try's lease ends.
    pub due: Timestamp,
    /// How many tries were begun.
    pub tries: u32,
    /// Whether an earlier try may have been sent.
    pub sent: bool,
    /// Whether somebody is at it until `due`.
    pub leased: bool,
}

impl Attempt {
    /// Notes what is owed after a commit: whom, and what by name. A new ask's first try is whoever's who commits, until `until`; it is
    /// given back. A commit that leaves the same ask owed leaves the running try alone.
    pub fn owe(owed: &mut Option<Attempt>, ask: Option<(&str, &str)>, version: u64, until: Timestamp) -> Option<Attempt> {
        let Some((of, name)) = ask else {
            *owed = None;
            return None;
        };
        if owed.as_ref().is_some_and(|attempt| attempt.name() == name) {
            return None;
        }
        let step = format!("{name}@{version}");
        *owed = Some(Attempt { step, of: of.to_owned(), due: until, tries: 1, sent: false, leased: true });
        owed.clone()
    }

    /// The name of what is asked: `charge` of `charge@1`.
    pub fn name(&self) -> &str {
        self.step.split_once('@').map_or(&self.step, |(name, _)| name)
    }
    /// The version at which the step began: 1 of `charge@1`.
    pub fn began_at(&self) -> u64 {
        self.step.split_once('@').and_then(|(_, version)| version.parse().ok()).unwrap_or_default()
    }

    /// The key under which every try of it asks.
    pub fn key(&self, case: &Case) -> String {
        format!("{case}/{}", self.step)
    }

    /// Begins another try if it is due at `now`, for whoever claims it, until `until`; whether it was due.
    pub fn claim(&mut self, now: Timestamp, until: Timestamp) -> bool {
        if self.due > now {
            return false;
        }
        self.sent |= self.leased; // whoever had it did not come back to say
        self.leased = true;
        self.tries = self.tries.saturating_add(1);
        self.due = until;
        true
    }

    /// Whether that try is the one that has the lease. Another try of the same ask may have claimed it since, or the ask is another.
    pub fn is_with(&self, tried: &Attempt) -> bool {
        self.leased && self.step == tried.step && self.tries == tried.tries
    }

    /// Ends the try that has the lease: it was sent, or surely was not, and the next one is due at `due`.
    pub fn fail(&mut self, sent: bool, due: Timestamp) {
        self.sent |= sent;
        self.leased = false;
        self.due = due;
    }

    /// Takes the lease from a process that is gone: due at once, and it may have been sent.
    pub fn release(&mut self, now: Timestamp) {
        if self.leased {
            (self.due, self.leased, self.sent) = (now, false, true);
        }
    }
}
