//! What the counts of both colours prove about a candidate.

mod counts;
mod report;

pub use counts::{Count, MinuteCount, Published, PublishedMinute, Report};
pub use report::ReportError;
