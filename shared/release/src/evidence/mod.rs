//! What the counts of both colours prove about a candidate: worse, fine, or not yet.
//!
//! Reading order: what is [counted](Report), the [bets](odds) on it, [`Share`] and [`Stake`], the decision
//! ([`Counted::judge`]), what is [said](Judgement). Reports of the instances may take a release back; only CloudWatch lets it
//! go on. What is bad on both colours at once is compared with the service's own [`Week`], and so is what went live ([`Watched`]). `plan/evidence.rs` acts on it.

mod counted;
mod counts;
mod judge;
pub mod odds;
mod pairs;
mod past;
mod published;
mod report;
mod requests;
mod said;
mod share;
mod trust;
mod watched;

pub use counted::{Counted, MinuteSum, Order, Reported, Sum, minute_of};
pub use counts::{Count, Minute, MinuteCount, Published, PublishedMinute, Report};
pub use judge::{AtMax, AtMaxError, Terms};
pub use pairs::Pairs;
pub use past::{Slots, Week};
pub use report::ReportError;
pub use requests::{Requests, Sums};
pub use said::{BadMinutes, Compared, Judgement, LittleAtStake, Points, TimeIsOver, Unsure};
pub use share::{Share, Stake};
pub use watched::Watched;

use published::Minutes;
