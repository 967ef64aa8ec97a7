#![doc = include_str!("../README.md")]
mod access;
mod conditions;
mod hal;
mod health;
mod locale;
mod openapi;
mod problem;
mod query;
mod router;
mod serve;
mod sse;
mod wire;

pub use access::Access;
pub use locale::{NotPhrases, Phrases};
pub use openapi::document;
pub use problem::Refused;
pub use router::{House, router, router_beside};
pub use serve::serve;
pub use wire::base;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod toy;
