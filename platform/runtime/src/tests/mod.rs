//! The runtime as a whole, on toys: no real time passes.
mod asides;
mod asks;
mod commands;
mod lives;
mod policies;
mod pools;
mod rebuild;
mod rig;
mod stories;
mod tallies;
mod toys;
mod views;
