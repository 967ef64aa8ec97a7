//! Who sees what of a collection, and whose rows are whose.
use jumun_model::Caller;
use serde_json::{Map, Value};

/// The role that sees every row of every collection.
pub const OPERATOR: &str = "operator";

/// Who looks at a collection: some see all of it, its owners their own rows alone.
#[derive(Clone, Debug)]
pub struct Sight {
    all: Vec<&'static str>,
    owner: Option<(&'static str, &'static str)>,
}

/// What one caller sees of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees<'a> {
    /// Every row.
    All,
    /// The rows that name this caller as their owner.
    Own(Own<'a>),
    /// It is not for this caller.
    Nothing,
}
/// The rows of an owner: those with this name under that key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Own<'a> {
    pub(crate) key: &'static str,
    pub(crate) name: &'a str,
}
impl Own<'_> {
    pub(crate) fn has(&self, body: &Map<String, Value>) -> bool {
        reads(body.get(self.key), self.name)
    }
}

impl Default for Sight {
    fn default() -> Self {
        Sight { all: vec![OPERATOR], owner: None }
    }
}
impl Sight {
    pub(crate) fn owned_by(self, key: &'static str, role: &'static str) -> Self {
        Sight { owner: Some((key, role)), ..self }
    }
    /// Whoever acts on it sees it whole, its owner excepted.
    pub(crate) fn seen_by(mut self, roles: impl IntoIterator<Item = &'static str>) -> Self {
        let owner = self.owner.map(|(_, role)| role);
        self.all.extend(roles.into_iter().filter(|role| Some(*role) != owner));
        self
    }
    /// The roles that it tells apart.
    pub fn roles(&self) -> impl Iterator<Item = &'static str> {
        self.all.iter().copied().chain(self.owner.map(|(_, role)| role))
    }
    /// The key that names a row's owner, and the role that reaches its own rows alone.
    pub fn owner(&self) -> Option<(&'static str, &'static str)> {
        self.owner
    }
    /// What this caller sees. A protocol lets nobody in who sees nothing.
    pub fn of<'a>(&self, by: &'a Caller) -> Sees<'a> {
        match self.owner {
            _ if self.all.iter().any(|role| by.has(role)) => Sees::All,
            Some((key, role)) if by.has(role) => Sees::Own(Own { key, name: &by.name }),
            _ => Sees::Nothing,
        }
    }
    /// The rows to which this caller is held. What comes from inside has no role, and is held to none.
    pub(crate) fn own<'a>(&self, by: &'a Caller) -> Option<Own<'a>> {
        match self.of(by) {
            Sees::Own(own) => Some(own),
            Sees::All | Sees::Nothing => None,
        }
    }
}

/// Whether a field reads so, as an index key does: text, or a number or truth as text.
pub fn reads(field: Option<&Value>, text: &str) -> bool {
    match field {
        Some(Value::String(field)) => field == text,
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => false,
        Some(other) => serde_json::to_string(other).is_ok_and(|other| other == text),
    }
}
