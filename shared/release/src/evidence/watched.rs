//! What went live, as long as it may be taken back by itself: all traffic is on one colour and no coin is tossed any more, so that
//! its minutes are compared with the service's own week.

use super::past::{Slots, Week};
use super::published::Minutes;
use super::said::BadMinutes;
use super::{Counted, PublishedMinute, minute_of};
use crate::plan::Window;
use crate::plan::schedule::since;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Of what went on because little was at stake so many minutes with requests must be seen.
const LEAST_MINUTES: u64 = 10;
/// Whoever has so few requests is watched no longer than this.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// For so long CloudWatch is asked every two minutes: it takes money for it. After that every fifteen.
const CLOSELY: Duration = Duration::from_secs(60 * 60);

/// With what the minutes of a live version are compared, and how far they were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Watched {
    /// The service's week before its release.
    pub week: Week,
    /// The first minute that it had whole, by its number since 1970.
    pub from: i64,
    /// Whether it went on because little was at stake.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub little: bool,
    /// Minutes with requests that were seen since.
    #[serde(default)]
    pub minutes: u64,
    /// When CloudWatch was asked, be it in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
}

impl Watched {
    /// What takes all traffic now. `None`: with less than four days of history nobody is guilty, and CloudWatch is not asked.
    #[must_use]
    pub fn from(counted: &Counted, now: Timestamp) -> Option<Self> {
        let week = counted.week.filter(Week::has_history)?;
        let little = counted.little_at_stake;
        Some(Self { week, from: minute_of(now) + 1, little, minutes: 0, asked_at: None })
    }

    /// Whether it is watched although the rollback window is over: too little came to judge by.
    pub fn lacks_requests(&self, age: Duration) -> bool {
        self.little && self.minutes < LEAST_MINUTES && age < LONGEST
    }

    /// The minutes that CloudWatch is asked for now, if it is.
    pub fn window(&self, live_since: Timestamp, now: Timestamp) -> Option<Window> {
        let until = minute_of(now) - Counted::WHOLE_AFTER;
        let pause = if since(live_since, now) < CLOSELY { 2 } else { 15 };
        let is_due = self.asked_at.is_none_or(|asked| minute_of(now) - minute_of(asked) >= pause);
        (is_due && until > self.from + 1).then_some(Window { from: self.from, until })
    }

    /// Takes what CloudWatch says of that window now. What speaks against the version, if it is still so when the patience is over.
    pub fn take(
        &mut self,
        published: &[PublishedMinute],
        patience: Duration,
        now: Timestamp,
    ) -> Option<BadMinutes> {
        let newest = minute_of(now) - Counted::WHOLE_AFTER - 1;
        let minutes = Minutes::new(published);
        let whole: Vec<i64> = minutes.all().filter(|minute| (self.from..=newest).contains(minute)).collect();
        let slots = minutes.judged(&whole, Some(newest));
        self.minutes = Slots::sum(&slots, i64::MAX).minutes;
        Slots::stay_bad(&slots, patience, &self.week)
    }
}
