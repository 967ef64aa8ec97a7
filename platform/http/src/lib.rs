#![doc = include_str!("../README.md")]
mod access;
mod conditions;
mod hal;
mod health;
#[cfg(feature = "jwt")]
mod jwt;
mod locale;
mod openapi;
mod problem;
mod query;
mod router;
mod serve;
mod socket;
mod sse;
mod wire;

pub use access::{Access, Known, guarded};
pub use health::gauges;
#[cfg(feature = "jwt")]
pub use jwt::{Issuer, Keys};
pub use locale::{NotPhrases, Phrases};
pub use openapi::document;
pub use problem::Refused;
pub use router::{House, router, router_beside};
pub use serve::{Limits, serve};
pub use wire::{BodyLimit, base};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod toy;
