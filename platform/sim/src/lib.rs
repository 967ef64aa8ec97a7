#![doc = include_str!("../README.md")]
mod defects;
mod fates;
mod pilot;
mod play;
mod sites;
mod steered;
mod wire;
mod world;

pub use fates::Fates;
pub use pilot::{Faults, Plan, When};
pub use play::{Outcome, Story, Tally, all, calls, paused, run, seeds};
pub use sites::{ONLY_LOOKED_AT, SITES, SUITE, Sites, Unreachable, Visits};
pub use world::{Gone, World, call, shape, someone};
