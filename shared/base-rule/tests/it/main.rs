//! The base rule through the life of a stack.

// `cfg(test)` holds anyway; it tells clippy that a test may unwrap.
#![cfg(test)]

mod any_order;
mod keeping;
mod listener;
mod removing;
