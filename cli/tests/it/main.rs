//! The command as a build calls it.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod check;
#[cfg(feature = "aws")]
mod s3;
