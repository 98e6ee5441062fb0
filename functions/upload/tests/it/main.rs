//! Bundles, from good to hostile, through the inspection.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod agent;
mod bundles;
mod events;
mod faults;
mod handler;
mod limits;
mod properties;
mod verdicts;
