//! AppSpec files and what the agents said of them.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod agent1;
mod agent2;
mod differential;
mod generated;
mod lint;
