//! The crate that every Greenlight function shares.
//!
//! [`release`] is the release domain: the ledger, the plan, and the ports through which it reaches AWS.
//! It decides and never acts: no clock, no environment, no AWS types, no I/O of its own.
//! [`settings`] turns environment variables into checked values, [`failure`] says what an error asks of the caller.
//! [`tag_value`] makes text fit for an object's tag.
//! With the feature `aws`, [`aws`] holds one adapter per port and [`lambda`] the wiring of a function.
//! With the feature `testing`, [`testing`] is an AWS in memory, with state and with faults on demand.

#[cfg(feature = "aws")]
pub mod aws;
pub mod decision_log;
pub mod failure;
#[cfg(feature = "aws")]
pub mod lambda;
pub mod release;
pub mod s3_event;
pub mod settings;
pub mod tag_value;
#[cfg(feature = "testing")]
pub mod testing;
