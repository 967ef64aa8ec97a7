//! screening as a whole: through its doors, from many seeds, with crashes between any two steps, and as its board shows it.
mod crash_points;
mod exploration;
mod invariants;
mod simulation;
mod visiting;
