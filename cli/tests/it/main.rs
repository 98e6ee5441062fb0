//! The command as a build calls it.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod check;
#[cfg(feature = "aws")]
mod eyes;
#[cfg(feature = "aws")]
mod operator;
mod pack;
#[cfg(feature = "aws")]
mod release;
#[cfg(feature = "aws")]
mod s3;
#[cfg(feature = "aws")]
mod stub_aws;
