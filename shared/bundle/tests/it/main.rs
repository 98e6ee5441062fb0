//! Bundles, from good to hostile, through the inspection.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod agent;
mod bundles;
mod documented;
mod faults;
mod kit;
mod limits;
mod listed;
mod one_reading;
mod properties;
mod raw;
mod reference;
