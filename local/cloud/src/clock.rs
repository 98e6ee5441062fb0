//! The clock, read here and nowhere else.

use jiff::Timestamp;

/// The time now.
#[expect(
    clippy::disallowed_methods,
    reason = "the local cloud is an edge: it plays the world that has a clock"
)]
pub fn now() -> Timestamp {
    Timestamp::now()
}
