//! A system as it is offered to the command line: what can be set, and how it is built.
use crate::{
    lifecycle::System,
    ports::{Chance, Clock},
};
use serde_json::Value;
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// One thing that can be set.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// `malltail.payment_window`; one that ends in `.*` stands for a table.
    pub name: &'static str,
    /// Its value if nobody sets it, as it would be written.
    pub default: &'static str,
    /// A sentence.
    pub meaning: &'static str,
}

/// What was set, by key; a key that nobody set is not there.
pub type Set = BTreeMap<String, String>;

/// What surrounds a system that is built.
pub struct Surroundings<'a> {
    /// Where it may keep files of its own; none for a system in memory.
    pub data: Option<&'a Path>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<Chance>,
}

/// Something that an operator can turn while the system runs.
pub trait Dialed: Send + Sync {
    /// As it is now.
    fn show(&self) -> Value;
    /// As it shall be.
    ///
    /// # Errors
    /// One sentence on what can not be read.
    fn turn(&self, to: Value) -> Result<(), String>;
}

/// A system that was built.
pub struct Built {
    /// The system.
    pub system: System,
    /// What an operator can turn, by name.
    pub dials: Vec<(&'static str, Arc<dyn Dialed>)>,
}

/// One step of the story that `jumun demo` tells.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A sentence to the reader.
    Say(&'static str),
    /// A new case through the door of that path, with that body.
    Open(&'static str, &'static str),
    /// That command on that number through the door of that path.
    Command(&'static str, u64, &'static str),
    /// A dial is turned: the fields that are named, as JSON.
    Turn(&'static str, &'static str),
    /// A row is looked at, once everything has settled.
    See(&'static str, u64),
}

/// What `jumun bench` does to a system: so many times the same wish, from many clients at once.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// What has to be there first: the path of its door, and a body. Its number stands for `{id}` in what follows.
    pub first: Option<(&'static str, &'static str)>,
    /// The wish: the path of its door, and a body.
    pub wish: (&'static str, &'static str),
    /// The rows in which a wish has come to its end: their path and their filters. Their total says how many have.
    pub ends: (&'static str, &'static str),
}

/// A system as it is offered.
#[derive(Clone, Copy)]
pub struct Offer {
    /// Its name.
    pub name: &'static str,
    /// A sentence about it.
    pub about: &'static str,
    /// What can be set.
    pub keys: &'static [Key],
    /// Sentences for refusals: language and TOML.
    pub phrases: &'static [(&'static str, &'static str)],
    /// What to try first, as commands; `{port+N}` stands for a port with the offset.
    pub tries: &'static [&'static str],
    /// Its story.
    pub story: &'static [Step],
    /// What it is measured by.
    pub load: Load,
    /// Builds it.
    pub build: fn(&Set, &Surroundings<'_>) -> Result<Built, String>,
}
