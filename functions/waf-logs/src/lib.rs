#![doc = include_str!("../README.md")]
//!
//! # Reading order
//!
//! [`event`] tells what an invocation asks for, [`handler`] does it: [`ingest`] reads logs into partial results,
//! [`pass`] merges, decides and writes, [`announce`] tells, [`command`] answers an operator. [`ports`] are the traits to the outside,
//! [`aws`] the only module that names AWS's SDK. Reading and deciding themselves are in the crate `offenders`.

pub mod announce;
pub mod aws;
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
