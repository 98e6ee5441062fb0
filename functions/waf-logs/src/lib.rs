#![doc = include_str!("../README.md")]
//!
//! # Reading order
//!
//! [`event`] says what an invocation asks for, and [`handler`] does it: [`ingest`] reads logs into partial results,
//! [`pass`] merges, decides and writes, [`announce`] tells people, `blocked` the page of all services, [`command`] answers an operator. [`ports`] are the
//! traits to the outside, and [`aws`] is the only module that names AWS's SDK. The crate `offenders` reads and decides.

pub mod announce;
pub mod aws;
mod blocked;
pub mod command;
pub mod event;
pub mod handler;
pub mod ingest;
pub mod keys;
pub mod pass;
pub mod ports;
pub mod report;
pub mod settings;
pub mod stored;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
