//! What only whole files and whole passes show.

// `cfg(test)` holds anyway; it tells clippy that a test may unwrap.
#![cfg(test)]

mod migrates;
mod pass;
mod policies;
mod receipts;
mod stored_ledgers;
mod words;
