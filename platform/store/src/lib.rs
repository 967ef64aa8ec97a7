#![doc = include_str!("../README.md")]
mod attempt;
mod change;
pub mod group;
mod herald;
mod memory;
mod numbers;
mod port;
pub mod sheet;
pub mod sql;
pub mod suite;

pub use attempt::Attempt;
pub use change::{Aside, Change, Claim, Document, Entry, EntryWrite, Fact, Marks, Position, Write};
pub use herald::Herald;
pub use memory::{MemoryDisk, MemoryStore};
pub use numbers::{Block, Numbers};
pub use port::{Committing, Layout, Page, Query, Store, StoreError, StoreResult, Table, Waiting, done};
