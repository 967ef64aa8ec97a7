//! Stories of screening.
