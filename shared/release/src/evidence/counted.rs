//! What is remembered of the counts while a release is open. Its size is bounded by time and by [`Counted::INSTANCES`].

use super::{Count, Minute, MinuteCount, Pairs, PublishedMinute, Report, Share, Week};
use crate::plan::schedule::since;
use crate::{InstanceId, PerColour};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long an instance's nginx counts on when its hook does not go on, at least (instance/nginx/counts.sh).
const COUNTED_FOR: Duration = Duration::from_secs(100);

/// A share, and when it was ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Order {
    /// When.
    pub at: Timestamp,
    /// The candidate's share from then on.
    pub share: Share,
}

/// The latest that one instance has reported.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reported {
    /// When.
    pub at: Timestamp,
    /// Its newest minutes, oldest first.
    pub minutes: Vec<MinuteCount>,
    /// Minutes of which it may not have told all: it was silent for longer than its nginx counts when nobody asks.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub holes: BTreeSet<i64>,
    /// What it had counted of the minute in which the warm-up ended. That and all before does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<MinuteCount>,
}

/// What all instances have counted of a colour in a minute, as far as it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Sum {
    /// Requests that came in.
    pub arrived: u64,
    /// Failures, those of requests that came in during the warm-up perhaps among them.
    pub failed: u64,
    /// Requests without an answer.
    pub open: u64,
    /// Requests without an answer when the warm-up ended.
    #[serde(default)]
    pub doubtful: u64,
    /// Requests that came in, whoever sent them, the warm-up included.
    pub total: u64,
}

/// A minute of all instances.
pub type MinuteSum = Minute<Sum>;

/// All that was counted for an open release.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Counted {
    /// Every share that was ordered, oldest first.
    #[serde(default)]
    pub orders: Vec<Order>,
    /// How much of the first share's time does not count, in seconds.
    #[serde(default)]
    pub warm_up_seconds: u64,
    /// The latest reports.
    #[serde(default)]
    pub reports: BTreeMap<InstanceId, Reported>,
    /// Sums over all instances of the minutes that no report changes any more, oldest first.
    #[serde(default)]
    pub closed: Vec<MinuteSum>,
    /// What CloudWatch published, oldest first.
    #[serde(default)]
    pub published: Vec<PublishedMinute>,
    /// When that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
    /// When CloudWatch was asked for anything, be it in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// The service's week before the release, once it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub week: Option<Week>,
    /// Whether every instance's candidate answered all that the bundle's `smoke.txt` names, and not its health check alone,
    /// before it had weight.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub smoke_is_fine: bool,
    /// What the kit asked of both colours by coin since the first weight.
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub pairs: Pairs,
    /// Whether it went on because little was at stake.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub little_at_stake: bool,
}

/// The minute of a time, in minutes since 1970.
pub fn minute_of(time: Timestamp) -> i64 {
    time.as_second().div_euclid(60)
}

impl Counted {
    /// With more instances than this, reports are not kept: the evidence then comes from CloudWatch alone.
    pub const INSTANCES: usize = 10;
    /// How many minutes are kept: as long as CodeDeploy lets a hook wait.
    pub const MINUTES: usize = 60;
    /// How long after its end a minute of CloudWatch's is whole, in minutes.
    pub(crate) const WHOLE_AFTER: i64 = 2;
    /// The minutes of a week.
    pub(crate) const WEEK: i64 = 7 * 24 * 60;
    /// How many orders are kept: as many as `linear:1%` gives.
    const ORDERS: usize = 100;

    /// Remembers that the candidate has this share from now on. The warm-up counts from the first one.
    pub fn order(&mut self, share: Share, warm_up: Duration, now: Timestamp) {
        if self.orders.is_empty() {
            self.warm_up_seconds = warm_up.as_secs();
        }
        if self.share() != share && self.orders.len() < Self::ORDERS {
            self.orders.push(Order { at: now, share });
        }
    }

    /// The share that was ordered last did not arrive, and is ordered once more: it holds from now on. Had the candidate no other
    /// share before, nothing that was counted until now was its own.
    pub fn order_anew(&mut self, now: Timestamp) {
        if self.orders.len() == 1 {
            let Self { orders, warm_up_seconds, asked_at, week, smoke_is_fine, .. } = std::mem::take(self);
            *self = Self { orders, warm_up_seconds, asked_at, week, smoke_is_fine, ..Self::default() };
        }
        if let Some(last) = self.orders.last_mut() {
            last.at = last.at.max(now);
        }
    }

    /// The share that was ordered last.
    pub fn share(&self) -> Share {
        self.orders.last().map_or(Share::NONE, |order| order.share)
    }

    /// When the first minute begins to count: never before a share was ordered.
    pub fn counts_from(&self) -> Option<Timestamp> {
        let warm_up = SignedDuration::try_from(Duration::from_secs(self.warm_up_seconds.min(3_600))).ok()?;
        self.orders.first()?.at.checked_add(warm_up).ok()
    }

    /// The smallest and the largest share that may have held in a minute. A change is followed late by the load balancer,
    /// and clocks differ: it holds for the minute that it was made in, and the two before and after.
    pub(super) fn shares(&self, minute: i64) -> (f64, f64) {
        let mut all: Vec<f64> = Vec::with_capacity(2);
        let mut before = Share::NONE;
        for order in &self.orders {
            let made = minute_of(order.at);
            if made > minute + 2 {
                break;
            }
            if made < minute - 2 {
                all.clear();
            } else if all.is_empty() {
                all.push(before.fraction());
            }
            all.push(order.share.fraction());
            before = order.share;
        }
        if all.is_empty() {
            // Nothing is known, so both sides are held against the decision.
            return (0.0, 1.0);
        }
        (all.iter().copied().fold(1.0, f64::min), all.into_iter().fold(0.0, f64::max))
    }

    /// Takes what an instance reports. Totals only grow: one that shrinks changes nothing.
    pub fn take_report(&mut self, report: &Report, now: Timestamp) {
        if !self.reports.contains_key(&report.instance) && self.reports.len() >= Self::INSTANCES {
            return;
        }
        let counts_from = self.counts_from();
        let reported = self.reports.entry(report.instance.clone()).or_insert_with(|| Reported {
            at: now,
            minutes: Vec::new(),
            holes: BTreeSet::new(),
            base: None,
        });
        if since(reported.at, now) > COUNTED_FOR {
            let oldest = minute_of(now) - i64::try_from(Self::MINUTES).unwrap_or(i64::MAX);
            reported.holes.extend(minute_of(reported.at).max(oldest)..=minute_of(now));
            reported.holes.retain(|minute| *minute >= oldest);
        }
        reported.at = reported.at.max(now);
        let newest = minute_of(now) + 1;
        for new in report.minutes.iter().filter(|new| new.minute <= newest) {
            match reported.minutes.binary_search_by_key(&new.minute, |kept| kept.minute) {
                Ok(at) => {
                    if let Some(kept) = reported.minutes.get_mut(at) {
                        kept.blue = kept.blue.grown(new.blue);
                        kept.green = kept.green.grown(new.green);
                    }
                }
                Err(at) => reported.minutes.insert(at, *new),
            }
        }
        if reported.base.is_none() && counts_from.is_some_and(|from| now >= from) {
            let newest = reported.minutes.last().copied().filter(|newest| newest.minute >= minute_of(now));
            reported.base = Some(newest.unwrap_or(MinuteCount::empty(minute_of(now))));
        }
        self.close_minutes(now);
    }

    /// Forgets who is none of the release's instances. Before it was installed nobody knows them.
    pub fn keep_reports_of(&mut self, targets: &[InstanceId]) {
        self.reports.retain(|instance, _| targets.contains(instance));
    }

    /// Whether the latest report of this instance is as old as this, or it has told nothing.
    pub(crate) fn is_older(&self, instance: &InstanceId, than: Duration, now: Timestamp) -> bool {
        self.reports.get(instance).is_none_or(|reported| since(reported.at, now) >= than)
    }

    /// Adds up the minutes that no report changes any more.
    fn close_minutes(&mut self, now: Timestamp) {
        let until = minute_of(now) - i64::from(Report::MINUTES);
        for reported in self.reports.values_mut() {
            let open = reported.minutes.partition_point(|minute| minute.minute < until);
            for old in reported.minutes.drain(..open) {
                let Some(counted) = after(reported.base.as_ref(), old) else { continue };
                match self.closed.binary_search_by_key(&old.minute, |kept| kept.minute) {
                    Ok(at) => {
                        if let Some(sum) = self.closed.get_mut(at) {
                            *sum = sum.and(counted);
                        }
                    }
                    Err(at) => self.closed.insert(at, counted),
                }
            }
        }
        forget_oldest(&mut self.closed);
    }

    /// Takes what CloudWatch has published: it corrects what it said before.
    pub fn take_published(&mut self, minutes: &[PublishedMinute], now: Timestamp) {
        for new in minutes {
            match self.published.binary_search_by_key(&new.minute, |kept| kept.minute) {
                Ok(at) => {
                    if let Some(kept) = self.published.get_mut(at) {
                        *kept = *new;
                    }
                }
                Err(at) => self.published.insert(at, *new),
            }
        }
        forget_oldest(&mut self.published);
        self.read_at = Some(now);
    }

    /// The newest minute that was whole when CloudWatch was read: numbers come for two minutes and more after its end.
    pub(super) fn newest_whole(&self) -> Option<i64> {
        Some(minute_of(self.read_at?) - Self::WHOLE_AFTER - 1)
    }

    /// Requests that came by each colour, whether they count or not, by minute.
    pub(super) fn totals(&self) -> BTreeMap<i64, PerColour<u64>> {
        let mut totals: BTreeMap<i64, PerColour<u64>> = BTreeMap::new();
        let mut add = |minute, blue: u64, green: u64| {
            let sum = totals.entry(minute).or_default();
            *sum = PerColour { blue: sum.blue.saturating_add(blue), green: sum.green.saturating_add(green) };
        };
        for closed in &self.closed {
            add(closed.minute, closed.blue.total, closed.green.total);
        }
        for MinuteCount { minute, blue, green } in
            self.reports.values().flat_map(|reported| &reported.minutes)
        {
            add(*minute, blue.came(), green.came());
        }
        totals
    }

    /// What all instances have reported that counts, by minute.
    pub(super) fn reported(&self) -> BTreeMap<i64, MinuteSum> {
        let mut sums: BTreeMap<i64, MinuteSum> =
            self.closed.iter().map(|closed| (closed.minute, *closed)).collect();
        for reported in self.reports.values() {
            for minute in reported.minutes.iter().filter_map(|minute| after(reported.base.as_ref(), *minute))
            {
                sums.entry(minute.minute).and_modify(|sum| *sum = sum.and(minute)).or_insert(minute);
            }
        }
        sums
    }
}

/// What of an instance's minute counts.
fn after(base: Option<&MinuteCount>, minute: MinuteCount) -> Option<MinuteSum> {
    let base = base?;
    let until = match minute.minute.cmp(&base.minute) {
        Ordering::Less => return None,
        Ordering::Equal => *base,
        Ordering::Greater => MinuteCount::empty(minute.minute),
    };
    Some(MinuteSum {
        minute: minute.minute,
        blue: minute.blue.since(until.blue),
        green: minute.green.since(until.green),
    })
}

fn forget_oldest<T>(minutes: &mut Vec<T>) {
    let too_many = minutes.len().saturating_sub(Counted::MINUTES);
    minutes.drain(..too_many);
}

impl Count {
    /// What is open is no total: the newer one holds, if the rest did not shrink.
    fn grown(self, newer: Self) -> Self {
        if newer.arrived < self.arrived || newer.failed < self.failed {
            return self;
        }
        Self { total: self.total.max(newer.total), ..newer }
    }

    pub(super) fn came(self) -> u64 {
        self.total.max(self.arrived)
    }

    fn since(self, base: Self) -> Sum {
        Sum {
            arrived: self.arrived.saturating_sub(base.arrived),
            failed: self.failed.saturating_sub(base.failed),
            open: self.open,
            doubtful: base.open,
            total: self.came(),
        }
    }
}

impl MinuteCount {
    fn empty(minute: i64) -> Self {
        Self { minute, blue: Count::default(), green: Count::default() }
    }
}

impl Sum {
    /// Failures at least: those that were under way when the warm-up ended may be the ones that failed.
    pub(super) fn surely_failed(self) -> u64 {
        self.failed.saturating_sub(self.doubtful)
    }

    /// Failures at most: who has no answer yet may fail.
    pub(super) fn possibly_failed(self) -> u64 {
        self.failed.saturating_add(self.open)
    }

    fn and(self, other: Self) -> Self {
        Self {
            arrived: self.arrived.saturating_add(other.arrived),
            failed: self.failed.saturating_add(other.failed),
            open: self.open.saturating_add(other.open),
            doubtful: self.doubtful.saturating_add(other.doubtful),
            total: self.total.saturating_add(other.total),
        }
    }
}

impl MinuteSum {
    fn and(self, other: Self) -> Self {
        Self { minute: self.minute, blue: self.blue.and(other.blue), green: self.green.and(other.green) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    mod kept;

    #[test]
    fn every_step_of_the_longest_strategy_is_remembered() {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut counted = Counted::default();
        for percent in 1..=100_u8 {
            let at = start.checked_add(SignedDuration::from_secs(i64::from(percent) * 30)).unwrap();
            counted.order(Share::plain(percent), Duration::ZERO, at);
        }
        assert_eq!(counted.share(), Share::plain(100));
        assert_eq!(counted.shares(minute_of(start) + 60), (1.0, 1.0));
    }

    #[test]
    fn what_was_counted_before_the_first_share_arrived_does_not_count() {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let later = start.checked_add(SignedDuration::from_mins(10)).unwrap();
        let mut counted = Counted { week: Some(Week::default()), ..Counted::default() };
        counted.order(Share::plain(10), Duration::from_secs(10), start);
        counted
            .take_published(&[PublishedMinute { minute: minute_of(start) + 1, ..Default::default() }], later);
        counted.order_anew(later);
        assert_eq!(counted.orders, [Order { at: later, share: Share::plain(10) }]);
        assert!(counted.published.is_empty() && counted.week.is_some() && counted.warm_up_seconds == 10);
    }

    #[test]
    fn a_later_share_that_did_not_arrive_leaves_what_was_counted_under_the_one_before() {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let [raised, later] =
            [5, 10].map(|minutes| start.checked_add(SignedDuration::from_mins(minutes)).unwrap());
        let mut counted = Counted::default();
        counted.order(Share::plain(10), Duration::ZERO, start);
        counted
            .take_published(&[PublishedMinute { minute: minute_of(start) + 1, ..Default::default() }], later);
        counted.order(Share::ALL, Duration::ZERO, raised);
        counted.order_anew(later);
        assert_eq!((counted.orders[0].at, counted.orders[1].at), (start, later));
        assert_eq!(counted.published.len(), 1);
        assert_eq!(counted.shares(minute_of(raised)), (0.1, 0.1), "it never held");
        assert_eq!(counted.shares(minute_of(later)), (0.1, 1.0));
    }

    #[test]
    fn made_up_instances_keep_no_real_one_out() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let report = |name: String| Report { instance: InstanceId(name), minutes: Vec::new() };
        let mut counted = Counted::default();
        for number in 0..Counted::INSTANCES {
            counted.take_report(&report(format!("made-up-{number}")), now);
        }
        let real = [InstanceId("i-1".to_owned())];
        counted.keep_reports_of(&real);
        counted.take_report(&report("i-1".to_owned()), now);
        assert_eq!(counted.reports.keys().collect::<Vec<_>>(), real.iter().collect::<Vec<_>>());
    }
}
