//! malltail as a whole: through its doors, from many seeds, with crashes between any two steps, and as its board shows it.
mod board;
mod cancelling;
mod crash_points;
mod delivering;
mod exploration;
mod invariants;
mod links;
mod looking;
mod mall;
mod placing;
mod predecessors;
mod shopping;
mod simulation;
mod traces;
