//! What the contexts of screening say to each other, and nothing else.
pub mod hospital;
pub mod reservation;
pub mod screening;
