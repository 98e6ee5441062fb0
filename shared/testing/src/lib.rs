//! An AWS in memory, with state and with faults on demand, for the tests of every crate.
//!
//! [`World`] implements every port and the clock. It keeps what AWS would keep, refuses what AWS would refuse, and
//! records every call; tests drive the rest: time, instances, hooks, alarms. [`Faulty`] stands between a caller and
//! any ports and makes chosen calls fail, before or after they were carried out, or never return.

#![expect(
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test that asks for what it never made has to stop there"
)]

mod drive;
mod faulty;
mod hooks;
mod names;
mod ports;
mod world;

pub use faulty::{At, FaultAt, Faulty, Kind};
pub use names::{commit, service, upload};
pub use world::{Call, Listed, START, WeightChange, World};
