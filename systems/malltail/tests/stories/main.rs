//! malltail as a whole: from many seeds, with crashes between any two steps, and as its board shows it.
mod board;
mod crash_points;
mod simulation;
