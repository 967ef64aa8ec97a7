//! What the contexts of malltail say to each other, and nothing else.
pub mod delivery;
pub mod order;
pub mod pay;
pub mod shipping;
pub mod shop;
