//! The function as a whole, in a world in memory: invocations come in, IP sets and messages come out.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod blocked;
mod commands;
mod events;
mod passes;
mod probes;
mod shop;
