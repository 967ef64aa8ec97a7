//! The runtime as a whole, on toys: no real time passes.
mod asks;
mod commands;
mod lives;
mod policies;
mod pools;
mod rig;
mod toys;
mod views;
