#![doc = include_str!("../README.md")]
mod ask;
mod case;
mod rule;
mod time;
mod values;
mod view;

pub use ask::{Ask, Asking, Moment, Owes};
pub use case::{Caller, Case, Occasion};
pub use rule::{Aggregate, Event, Kind, Never, Pool, Refusal, hidden};
pub use time::Timestamp;
pub use values::{EXACT, Numeric, Personal, Text, Won};
pub use view::{Every, Follows, Tally, View};

pub use schemars::{JsonSchema, Schema, SchemaGenerator};
