//! `jumun board`: the event-storming board of a system, printed.
use crate::config::Config;
use jumun_runtime::{Chance, Offer, Surroundings, SystemClock};
use std::sync::Arc;

/// The board as text: Mermaid, or a picture.
///
/// # Errors
/// One sentence on what was set and can not be read.
pub(crate) fn board(offer: &Offer, config: &Config, svg: bool) -> Result<String, String> {
    // nothing of it runs, so neither the time nor chance matters
    let around = Surroundings { data: None, clock: Arc::new(SystemClock::start()), chance: Arc::new(Chance::seeded(0)) };
    let board = (offer.build)(&config.of(offer.name), &around)?.system.board();
    Ok(if svg { board.svg() } else { board.mermaid() })
}
