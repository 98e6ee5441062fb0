//! One client's activity against the thresholds. Pure.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::BUCKET_SECONDS;
use crate::configuration::{Configuration, Span, Threshold};
use crate::tally::{Activity, OddPath};

/// What a client was found to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// Again and again blocked by rules of the web ACL.
    Blocked,
    /// Too many requests.
    Rate,
    /// Trying credentials.
    BruteForce,
    /// Looking for what is not there.
    Scan,
    /// Failing CAPTCHAs and challenges.
    Challenge,
    /// Put in by an operator.
    Manual,
}

impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocked => "blocked by rules",
            Self::Rate => "request rate",
            Self::BruteForce => "brute force",
            Self::Scan => "scanning",
            Self::Challenge => "failed challenges",
            Self::Manual => "blocked by hand",
        })
    }
}

/// A threshold that was reached.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Finding {
    /// The detector that found it.
    pub detector: Detector,
    /// Most offences within one find time; for scanning, distinct paths.
    pub count: u32,
    /// How many are too many.
    pub max_retry: u32,
    /// Within how long.
    pub find_time: Span,
    /// Start of the window with the most.
    pub from: Timestamp,
    /// When the ban ends.
    pub until: Timestamp,
    /// The first ban for this offence.
    pub ban_time: Span,
}

/// Start of a step.
pub fn time_of(step: u32) -> Timestamp {
    let seconds = i64::from(step) * i64::try_from(BUCKET_SECONDS).unwrap_or(1);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

/// The step that a time falls into.
pub fn step_at(time: Timestamp) -> u32 {
    crate::tally::step_of(time.as_millisecond()).unwrap_or(0)
}

/// Everything that `activity` after step `ignore_until` amounts to, the longest first ban first. `None` counts from
/// the beginning.
pub fn findings(
    activity: &Activity,
    configuration: &Configuration,
    ignore_until: Option<u32>,
) -> Vec<Finding> {
    let detectors = &configuration.detectors;
    let [blocked, credentials, challenged, _] = &activity.offences;
    let mut findings = Vec::new();
    let mut judge = |detector, threshold: Option<Threshold>, worst: &dyn Fn(u32) -> Option<(u32, u32)>| {
        let Some(threshold) = threshold else { return };
        let steps = steps(threshold);
        if let Some((count, last)) = worst(steps).filter(|&(count, _)| count >= threshold.max_retry) {
            findings.push(Finding {
                detector,
                count,
                max_retry: threshold.max_retry,
                find_time: threshold.find_time,
                from: time_of((last + 1).saturating_sub(steps)),
                until: time_of(last + 1),
                ban_time: threshold.ban_time.unwrap_or(configuration.ban.time),
            });
        }
    };
    let requests = &activity.requests;
    judge(Detector::Blocked, detectors.blocked, &|steps| busiest(blocked, steps, ignore_until));
    judge(Detector::Rate, detectors.rate, &|steps| busiest(requests, steps, ignore_until));
    judge(Detector::BruteForce, detectors.brute_force, &|steps| busiest(credentials, steps, ignore_until));
    judge(Detector::Scan, detectors.scan, &|steps| most_paths(&activity.paths, steps, ignore_until));
    judge(Detector::Challenge, detectors.challenge, &|steps| busiest(challenged, steps, ignore_until));
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.ban_time), finding.detector));
    findings
}

/// When a blocked client last knocked as often, after `since`, as the threshold on blocked requests allows.
pub fn last_knocking(
    activity: &Activity,
    configuration: &Configuration,
    since: Timestamp,
) -> Option<Timestamp> {
    let threshold = configuration.detectors.blocked?;
    let steps = steps(threshold);
    let knocks = activity.offences.last()?;
    let (count, _) = busiest(knocks, steps, Some(step_at(since)))?;
    let (last, _) = knocks.last()?;
    (count >= threshold.max_retry).then(|| time_of(last + 1))
}

fn steps(threshold: Threshold) -> u32 {
    u32::try_from(threshold.find_time.0.as_secs() / BUCKET_SECONDS).unwrap_or(u32::MAX).max(1)
}

/// The most that happened in `steps` steps in a row, and the last of those steps. `records` is in order.
fn busiest(records: &[(u32, u16)], steps: u32, ignore_until: Option<u32>) -> Option<(u32, u32)> {
    let records =
        &records[records.partition_point(|&(step, _)| ignore_until.is_some_and(|until| step <= until))..];
    let mut worst = None;
    let mut start = 0;
    for (at, &(step, _)) in records.iter().enumerate() {
        while records[start].0.saturating_add(steps) <= step {
            start += 1;
        }
        let count = u32::try_from(at + 1 - start).unwrap_or(u32::MAX);
        if worst.is_none_or(|(most, _)| count > most) {
            worst = Some((count, step));
        }
    }
    worst
}

/// The most distinct paths within `steps` steps in a row, and the last of those steps. Of a path asked for more than
/// twice only the first and the last time are known, so this is rather too low than too high.
fn most_paths(paths: &[OddPath], steps: u32, ignore_until: Option<u32>) -> Option<(u32, u32)> {
    let mut seen: Vec<(u32, u32)> = Vec::with_capacity(paths.len() * 2);
    for &(hash, first, last) in paths {
        for step in [first, last] {
            if ignore_until.is_none_or(|until| step > until) {
                seen.push((step, hash));
            }
        }
    }
    seen.sort_unstable();
    seen.dedup();
    let mut worst = None;
    let mut inside: std::collections::BTreeMap<u32, u32> = std::collections::BTreeMap::new();
    let mut start = 0;
    for &(step, hash) in &seen {
        *inside.entry(hash).or_default() += 1;
        while seen[start].0.saturating_add(steps) <= step {
            if let Some(times) = inside.get_mut(&seen[start].1) {
                *times -= 1;
                if *times == 0 {
                    inside.remove(&seen[start].1);
                }
            }
            start += 1;
        }
        let count = u32::try_from(inside.len()).unwrap_or(u32::MAX);
        if worst.is_none_or(|(most, _)| count > most) {
            worst = Some((count, step));
        }
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_slides_and_never_holds_more_than_its_length() {
        let counts = [(100, 40), (105, 30), (111, 30), (112, 1)];
        let counts: Vec<_> =
            counts.iter().flat_map(|&(step, count)| (0..count).map(move |n| (step, n))).collect();
        assert_eq!(busiest(&counts, 12, None), Some((100, 111)));
        assert_eq!(busiest(&counts, 11, None), Some((70, 105)));
        assert_eq!(busiest(&counts, 1, None), Some((40, 100)));
        assert_eq!(busiest(&counts, 12, Some(100)), Some((61, 112)));
        assert_eq!(busiest(&[], 12, None), None);
    }

    #[test]
    fn distinct_paths_are_counted_once_in_a_window() {
        let paths = [(1, 10, 20), (2, 10, 10), (3, 20, 20)];
        assert_eq!(most_paths(&paths, 100, None), Some((3, 20)));
        assert_eq!(most_paths(&paths, 5, None), Some((2, 10)));
        assert_eq!(most_paths(&paths, 100, Some(10)), Some((2, 20)));
    }
}
