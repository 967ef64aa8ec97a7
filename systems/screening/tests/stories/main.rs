//! screening as a whole: through its doors, from many seeds, with crashes between any two steps, and as its board shows it.
mod board;
mod cancelling;
mod closing;
mod counting;
mod crash_points;
mod exploration;
mod hospitals;
mod invariants;
mod links;
mod looking;
mod owning;
mod predecessors;
mod requesting;
mod simulation;
mod visiting;
mod ward;
