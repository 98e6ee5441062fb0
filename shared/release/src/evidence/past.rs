//! A version against its service's own week, where no coin is tossed: all traffic is on one colour.
//!
//! Requests are the wrong unit there, because one client makes hundreds of them: minutes are counted. If each minute is
//! bad with a probability of at most `p`, given the past, [`Slots::ln_past`] is the logarithm of a supermartingale: it ever
//! reaches 1000 in 0.1 % of cases. Where minutes hang together, as in an outage, the same number replayed over the
//! service's own week says what is usual.

use super::odds::{ln_sum, real};
use super::said::BadMinutes;
use super::{Minutes, PublishedMinute};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A minute is bad when this part of its requests failed, and at least one. Three degrees.
const DEGREES: [f64; 3] = [0.05, 0.20, 0.50];
/// The parts of all minutes that a bad version may spoil, and how much is put on each.
const SPOILT: [(f64, f64); 3] = [(0.2, 0.3), (0.5, 0.3), (0.9, 0.4)];
/// The least odds that make a version guilty.
const GUILTY: f64 = 1000.0;
/// So many minutes are bad at least, by the first degree.
const LEAST_BAD: u64 = 3;
/// With fewer days of history nobody is guilty.
const LEAST_DAYS: i64 = 4;
/// The length of the windows in which the week is replayed, in minutes.
const WINDOW: i64 = 60;
/// Of so many windows one may reach the odds that make guilty.
const WINDOWS_FOR_ONE: usize = 400;
/// The minutes that count as recent.
const RECENT: i64 = 30;
const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;
/// Days of history from which on the hours of a week ago are known: the oldest of them may have been a night without requests.
const LEAST_FOR_HOURS: i64 = 6;
/// The odds from which on nothing goes on.
pub(super) const DOUBTFUL: f64 = 20.0;

/// Minutes in which requests came, and how many of them were bad by each degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Slots {
    /// Minutes with requests.
    pub minutes: u64,
    /// Of these, those in which at least 5, 20 and 50 % of the requests failed.
    pub bad: [u64; 3],
}

impl Slots {
    /// Of one minute, with what both colours answered.
    pub fn of(requests: u64, failed: u64) -> Self {
        let is_bad = |degree: f64| failed >= 1 && real(failed) >= degree * real(requests);
        Self {
            minutes: u64::from(requests > 0),
            bad: DEGREES.map(|degree| u64::from(requests > 0 && is_bad(degree))),
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut sum = self;
        sum.minutes += other.minutes;
        for (bad, more) in sum.bad.iter_mut().zip(other.bad) {
            *bad += more;
        }
        sum
    }

    /// The logarithm of the odds that more minutes are bad now than the week explains.
    pub fn ln_past(self, week: &Week) -> f64 {
        let terms = self.bad.iter().zip(week.usual()).flat_map(|(bad, usual)| {
            let (bad, good) = (real(*bad), real(self.minutes.saturating_sub(*bad)));
            SPOILT.map(|(part, prior)| {
                let part = if part < 2.0 * usual {
                    (2.0 * usual).max(f64::midpoint(1.0, usual)).min(0.98)
                } else {
                    part
                };
                (prior / real(DEGREES.len() as u64)).ln()
                    + bad * (part / usual).ln()
                    + good * ((1.0 - part) / (1.0 - usual)).ln()
            })
        });
        ln_sum(terms)
    }

    /// Of minutes, oldest first, those before this one together.
    pub(super) fn sum(minutes: &[(i64, Self)], until: i64) -> Self {
        let before = minutes.iter().take_while(|(minute, _)| *minute < until);
        before.fold(Self::default(), |sum, (_, slot)| sum.and(*slot))
    }

    /// Whether minutes, oldest first, were bad that the week does not explain, and most still are when the patience is over: an
    /// outage that ends by itself, silence after it, and one client's broken link take nothing back. Of an hour of minutes with
    /// requests: what was good long ago buys no bad ones.
    pub(super) fn stay_bad(minutes: &[(i64, Self)], patience: Duration, week: &Week) -> Option<BadMinutes> {
        let patience = i64::try_from(patience.as_secs().div_ceil(60)).unwrap_or(i64::MAX);
        let asked: Vec<(i64, Self)> = minutes.iter().filter(|(_, slot)| slot.minutes > 0).copied().collect();
        let newest = asked.len().saturating_sub(usize::try_from(WINDOW).unwrap_or(usize::MAX));
        let asked = asked.get(newest..).unwrap_or_default();
        let (newest, last) = asked.last()?;
        let until = newest.saturating_add(1).saturating_sub(patience);
        let (before, all) = (Self::sum(asked, until), Self::sum(asked, i64::MAX));
        let still = 2 * (all.bad[0] - before.bad[0]) >= all.minutes - before.minutes;
        let stays = last.bad[0] > 0 && still && before.are_guilty(week);
        stays.then_some(BadMinutes {
            bad: all.bad[0],
            minutes: all.minutes,
            week_bad: week.all.bad[0],
            week: week.all.minutes,
        })
    }

    /// Whether these minutes are worse than what the week has seen by itself.
    pub fn are_guilty(self, week: &Week) -> bool {
        week.has_history() && self.bad[0] >= LEAST_BAD && self.ln_past(week) >= week.threshold()
    }
}

/// What a service's own week was like, in both groups together, when a release opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Week {
    /// How long ago the oldest minute with requests was, in minutes.
    pub history: i64,
    /// The whole week.
    pub all: Slots,
    /// The last half an hour.
    pub recent: Slots,
    /// What one window of an hour in 400 reached: the logarithm of the odds, in thousandths.
    pub reached: i64,
    /// Requests a minute in the last half an hour, or since the oldest minute where that is not so long ago, rounded up.
    pub rate: u64,
    /// Requests in the busiest of five hours: the one before the release, and the two that began with it yesterday and a week ago.
    /// `None`: there are less than six days of history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<u64>,
}

impl Week {
    /// From the week's minutes, of which those without requests may be absent; `now`: the minute in which the release
    /// opens.
    #[must_use]
    pub fn of(minutes: &[PublishedMinute], now: i64) -> Self {
        let minutes = Minutes::new(minutes);
        let numbers: Vec<i64> =
            minutes.all().filter(|minute| (now - 7 * DAY..now).contains(minute)).collect();
        let seen: Vec<(i64, u64, u64)> = minutes.slots(&numbers).collect();
        let slots = |from: i64| {
            seen.iter()
                .filter(|(minute, ..)| *minute >= from)
                .fold(Slots::default(), |sum, (_, requests, failed)| sum.and(Slots::of(*requests, *failed)))
        };
        let oldest = seen.iter().find(|(_, requests, _)| *requests > 0);
        let recent: u64 =
            seen.iter().filter(|(minute, ..)| *minute >= now - RECENT).map(|(_, requests, _)| requests).sum();
        let history = oldest.map_or(0, |(minute, ..)| now - minute);
        let counted = history.clamp(1, RECENT);
        let mut week = Self {
            history,
            all: slots(i64::MIN),
            recent: slots(now - RECENT),
            reached: 0,
            rate: recent.div_ceil(counted.unsigned_abs()),
            hour: None,
        };
        week.reached = week.replayed(&seen);
        let hour = |from: i64| -> u64 {
            let within = seen.iter().filter(|(minute, ..)| (from..from + HOUR).contains(minute));
            within.map(|(_, requests, _)| *requests).fold(0, u64::saturating_add)
        };
        let alike = [HOUR, DAY, DAY - HOUR, 7 * DAY, 7 * DAY - HOUR];
        week.hour =
            alike.iter().map(|ago| hour(now - ago)).max().filter(|_| history >= LEAST_FOR_HOURS * DAY);
        week
    }

    /// Whether there is enough of it to compare with.
    pub fn has_history(&self) -> bool {
        self.history >= LEAST_DAYS * DAY
    }

    /// With which probability a minute is bad by itself at most, by each degree.
    fn usual(&self) -> [f64; 3] {
        [0, 1, 2].map(|degree| {
            let week = real(self.all.bad[degree] + 1) / real(self.all.minutes + 1);
            let recent = real(self.recent.bad[degree]) / real(self.recent.minutes.max(20));
            (0.005 + 2.0 * week.max(recent)).min(0.5)
        })
    }

    /// The logarithm of the odds that make guilty.
    #[expect(clippy::cast_precision_loss, reason = "thousandths of a logarithm")]
    fn threshold(&self) -> f64 {
        GUILTY.ln().max(self.reached as f64 / 1000.0)
    }

    /// What the highest odds within a window were, in all windows but one in 400; in thousandths, rounded up.
    #[expect(clippy::cast_possible_truncation, reason = "at most a thousand times the logarithm of a float")]
    fn replayed(&self, seen: &[(i64, u64, u64)]) -> i64 {
        let mut highest: Vec<f64> = Vec::with_capacity(seen.len());
        for (start, (begin, ..)) in seen.iter().enumerate() {
            let (mut slots, mut most) = (Slots::default(), 0.0_f64);
            for (_, requests, failed) in
                seen.iter().skip(start).take_while(|(minute, ..)| minute - begin < WINDOW)
            {
                let slot = Slots::of(*requests, *failed);
                slots = slots.and(slot);
                // Only a bad minute raises the odds.
                if slot.bad[0] > 0 {
                    most = most.max(slots.ln_past(self));
                }
            }
            highest.push(most);
        }
        highest.sort_by(|one, other| other.total_cmp(one));
        highest.get(highest.len() / WINDOWS_FOR_ONE).map_or(0, |ln| (ln * 1000.0).ceil() as i64)
    }
}

#[cfg(test)]
mod tests;
