//! The crate that every Greenlight function shares.
//!
//! [`reconcile`] carries out what the package `release` decides: observe, plan, commit, act, look again. [`ports`] are
//! what it needs of the world.
//! [`settings`] turns environment variables into checked values, [`failure`] says what an error asks of the caller.
//! [`s3_event`] reads what S3 says happened. [`tag_value`] makes text fit for an object's tag.
//! With the feature `aws`, [`aws`] holds one adapter per port and [`lambda`] the wiring of a function.

#[cfg(feature = "aws")]
pub mod aws;
pub mod decision_log;
pub mod failure;
#[cfg(feature = "aws")]
pub mod lambda;
pub mod ports;
pub mod reconcile;
pub mod s3_event;
pub mod secret;
pub mod settings;
pub mod tag_value;
