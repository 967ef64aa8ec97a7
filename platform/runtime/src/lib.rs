#![doc = include_str!("../README.md")]
mod alarms;
mod asks;
pub mod board;
mod context;
mod core;
mod desk;
mod document;
pub mod door;
mod every;
mod journals;
mod keeping;
mod lifecycle;
mod offer;
mod ports;
mod reactor;
#[cfg(test)]
mod tests;
mod viewer;

pub use crate::core::{Core, Settings};
pub use asks::{Answering, Asked, Hub, Transport, Unanswered};
pub use context::{Arrow, Context, Keeps, Rank, Shows, keep, keep_pool, show};
pub use desk::{Desk, Failure, State, Wish};
pub use journals::Journals;
pub use keeping::{Keeping, Shared, Whole};
pub use lifecycle::{Inconsistent, Neighbourhood, Running, System};
pub use offer::{Built, Dialed, Key, Offer, Set, Step, Surroundings};
pub use ports::{Chance, Clock, SystemClock, Tasks, TokioClock};
pub use reactor::From;
