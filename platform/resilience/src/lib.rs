#![doc = include_str!("../README.md")]
mod backoff;
mod breaker;
mod bulkhead;

pub use backoff::Backoff;
pub use breaker::{Breaker, BreakerSettings, OpenUntil, Permit, State};
pub use bulkhead::{Bulkhead, Place};
