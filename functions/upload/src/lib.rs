//! Judges uploaded bundles and opens their releases.
//!
//! Trigger: S3 notifications, straight or through EventBridge. Each new object version goes through
//! [`event`] (what happened), [`key`] (whose bundle, which number), the package [`bundle`] (would CodeDeploy fail on it),
//! and is then offered to the release domain; the [`verdict`] is written onto the object as the tags
//! `greenlight:verdict` and `greenlight:reason`. [`handler`] says what is an error and what is not.

pub mod aws;
pub mod bundles;
pub mod event;
pub mod handler;
pub mod key;
pub mod verdict;
