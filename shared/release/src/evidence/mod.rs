//! What the counts of both colours prove about a candidate.

mod counts;

pub use counts::{Count, MinuteCount, Published, PublishedMinute, Report};
