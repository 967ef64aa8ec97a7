#![doc = include_str!("../README.md")]
mod envelope;
mod memory;
mod port;
pub mod suite;

pub use envelope::{Envelope, Unreadable};
pub use memory::MemoryBroker;
pub use port::{Begins, Broker, BrokerError, Event, Member, Record, Waiting, from_the_first};
