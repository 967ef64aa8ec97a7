//! Tests that read as sentences, from one rule to a whole table of them.
//!
//! - [`given`] a state, [`when`](Given::when) a command, [`then`](When::then) these facts; [`policy`] and [`outcome`] likewise.
//! - [`check_table`] holds a rule to the table on the wall, cell by cell, and the table to the types.
//! - [`links`] holds a door to it: a link is shown exactly when the rule would do something.
//! - [`boards`] holds a system's board to its code.
//! - [`unspoken`] is what readers of a language would see in the wire's words.
//! - [`Town`] is a whole system behind its doors, whose contexts are started, stopped and killed, and whose lines can be bad.
//! - [`laws`] are what holds of every rule, whatever happens in whatever order; [`interleavings`] is that order.
//!
//! How it fails: it panics where the test calls it, and says what was given, what was expected, and what came instead.
mod boards;
mod laws;
mod links;
mod rules;
mod table;
mod town;
#[cfg(test)]
mod toys;
mod words;

pub use boards::{Boards, boards};
pub use laws::{Laws, for_all, interleavings, laws};
pub use links::{Links, links};
pub use rules::{Given, NOON, Policy, Pooled, Rule, Wanted, When, given, given_facts, given_pool, outcome, policy};
pub use table::{Table, check_table, covers};
pub use town::{Answer, Line, NEW_YEARS_EVE, Town};
pub use words::unspoken;
