//! Which case, when, on whose behalf: all that a rule gets from outside.
use crate::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{borrow::Cow, fmt, str::FromStr};

/// The one key of a case, `<root>/<number>` (`order/7`): every aggregate of the case is identified by its number, every fact
/// carries the key, and facts are ordered by it alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Case {
    /// What kind of case it is: the name of the aggregate that opened it.
    pub root: Cow<'static, str>,
    /// From 1 upward, unique under its root, never used again.
    pub number: u64,
}

impl Case {
    /// The case `root/number`.
    pub const fn new(root: &'static str, number: u64) -> Self {
        Case { root: Cow::Borrowed(root), number }
    }
}
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.root, self.number)
    }
}
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
/// Not of the form `root/number`.
#[derive(Debug, thiserror::Error)]
#[error("a case is written as root/number, such as order/7")]
pub struct NotACase;
impl FromStr for Case {
    type Err = NotACase;
    fn from_str(text: &str) -> Result<Self, NotACase> {
        let (root, number) = text.split_once('/').filter(|(root, _)| !root.is_empty()).ok_or(NotACase)?;
        Ok(Case { root: Cow::Owned(root.to_owned()), number: number.parse().map_err(|_| NotACase)? })
    }
}
impl Serialize for Case {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Case {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        <Cow<'de, str>>::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// On whose behalf something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name by which rules and journals know this caller.
    pub name: Cow<'static, str>,
    /// What the caller may do; the door checks it.
    pub roles: Vec<Cow<'static, str>>,
}
impl Caller {
    /// The platform itself: a policy, an outcome, a moment that came.
    pub const fn system() -> Self {
        Caller { name: Cow::Borrowed("system"), roles: Vec::new() }
    }
    /// Whether the caller has that role.
    pub fn has(&self, role: &str) -> bool {
        self.roles.iter().any(|has| has == role)
    }
}

/// Which case, when, on whose behalf, and because of what.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// The case in which this happens. For a pool, the case that takes or gives back.
    pub case: &'a Case,
    /// The aggregate's own number; it differs from the case's number only for a pool.
    pub number: u64,
    /// Now; never before the aggregate's last fact.
    pub at: Timestamp,
    /// The caller, or [`Caller::system`].
    pub by: &'a Caller,
    /// The id of the fact that led here, if one did.
    pub cause: Option<&'a str>,
}
impl<'a> Occasion<'a> {
    /// An occasion without a cause, of the case's own aggregate.
    pub const fn new(case: &'a Case, at: Timestamp, by: &'a Caller) -> Self {
        Occasion { case, number: case.number, at, by, cause: None }
    }
}
