//! What only whole files and whole passes show.

// `cfg(test)` holds anyway; it tells clippy that a test may unwrap.
#![cfg(test)]

mod announced;
mod commands;
mod holds;
mod limits;
mod migrates;
mod offers;
mod pass;
mod plans;
mod policies;
mod receipts;
mod status;
mod stored_ledgers;
mod words;
mod written_first;
