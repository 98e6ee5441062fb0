//! From S3's events to verdicts.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod events;
mod handler;
mod verdicts;
