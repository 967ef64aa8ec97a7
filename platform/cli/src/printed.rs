//! What is printed from the code of a system that does not run: its board, and its documents.
use crate::config::Config;
use jumun_runtime::{Chance, Offer, Surroundings, System, SystemClock};
use serde_json::Value;
use std::sync::Arc;

/// The system, built to be looked at: nothing of it runs, so neither the time nor chance matters.
pub(crate) fn looked_at(offer: &Offer, config: &Config) -> Result<System, String> {
    let around = Surroundings { data: None, clock: Arc::new(SystemClock::start()), chance: Arc::new(Chance::seeded(0)) };
    Ok((offer.build)(&config.of(offer.name), &around)?.system)
}

/// The board as text: Mermaid, or a picture.
///
/// # Errors
/// One sentence on what was set and can not be read.
pub(crate) fn board(offer: &Offer, config: &Config, svg: bool) -> Result<String, String> {
    let board = looked_at(offer, config)?.board();
    Ok(if svg { board.svg() } else { board.mermaid() })
}

/// The OpenAPI document of one context, as the context serves it under `/openapi.json`.
///
/// # Errors
/// One sentence: there is no such context, or what was set can not be read.
pub(crate) fn openapi(offer: &Offer, config: &Config, context: &str) -> Result<Value, String> {
    let system = looked_at(offer, config)?;
    match system.contexts.iter().find(|known| known.name == context) {
        Some(context) => Ok(jumun_http::document(system.name, context.name, context.doors().iter().map(|door| &**door))),
        None => {
            let names: Vec<_> = system.contexts.iter().map(|context| context.name).collect();
            Err(format!("{} has no context {context}; it has {}", system.name, names.join(", ")))
        }
    }
}
