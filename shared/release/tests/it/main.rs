//! What only whole files show.

// `cfg(test)` holds anyway; it tells clippy that a test may unwrap.
#![cfg(test)]

mod stored_ledgers;
