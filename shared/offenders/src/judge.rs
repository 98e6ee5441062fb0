//! One client's activity against the thresholds. Pure.
//!
//! **What is behind an address is not known, but what it does is.** Behind one address may be a person, an office or a
//! carrier. So what goes wrong is set against what goes well in the same window: `excused`.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::BUCKET_SECONDS;
use crate::classify::PathKind;
use crate::configuration::{Configuration, Span, Threshold};
use crate::site::Site;
use crate::tally::{Activity, MINUTE, PathTimes};

/// So many successes excuse one offence. People mistype, follow dead links and trip rules less often than one time in
/// ten; who attacks fails nearly always, and would have to make ten times as many requests to look like them.
const SUCCESSES_FOR_ONE: u32 = 10;

/// With WAF's log alone, brute force needs so many times as many tries: an office or a carrier's address reaches the
/// plain threshold by logging in.
pub const STAND_BACK: u32 = 10;

/// And so many of them for each other request: who logs in goes on to do something.
const TRIES_FOR_OTHER: u32 = 4;

/// Who is part of a campaign has failed in so many different twelfths of the find time: somebody who has forgotten a
/// password is done sooner.
const SITTINGS: usize = 4;

/// Or has failed within the find time of brute force two fifths of what is too much for one who comes alone.
const PART_OF_ALONE: (u32, u32) = (2, 5);

/// Who got in now and then, but failed more often than so, must also have done something with it.
const OFTEN: u32 = 20;

/// So many successes may belong to one try: a form, and what a browser loads with it.
const WITH_A_TRY: u32 = 10;

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
    /// Trying credentials, together with many others.
    Campaign,
    /// Looking for what scanners look for.
    Scan,
    /// Asking for what is not here.
    NotFound,
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
            Self::Campaign => "one of many that try credentials",
            Self::Scan => "scanning",
            Self::NotFound => "paths that are not here",
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
    /// Most offences within one find time, less those that are excused; for paths, distinct ones.
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

impl Finding {
    /// How far it is over its threshold, in percent of it.
    pub fn excess(&self) -> u64 {
        u64::from(self.count) * 100 / u64::from(self.max_retry.max(1))
    }
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
    site: &Site,
    ignore_until: Option<u32>,
) -> Vec<Finding> {
    let detectors = &configuration.detectors;
    // Most clients have done nothing that anybody could judge.
    let has_offences =
        activity.offences.iter().any(|records| !records.is_empty()) || !activity.paths.is_empty();
    if !has_offences && detectors.rate.is_none_or(|rate| activity.requests.len() < rate.max_retry as usize) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut judge =
        |detector, threshold: Option<Threshold>, worst: &dyn Fn(Threshold) -> Option<(u32, u32)>| {
            let Some(threshold) = threshold else { return };
            if let Some((count, last)) = worst(threshold).filter(|&(count, _)| count >= threshold.max_retry) {
                findings.push(Finding {
                    detector,
                    count,
                    max_retry: threshold.max_retry,
                    find_time: threshold.find_time,
                    from: time_of((last + 1).saturating_sub(steps(threshold))),
                    until: time_of(last + 1),
                    ban_time: threshold.ban_time.unwrap_or(configuration.ban.time),
                });
            }
        };
    let since = |records: &[(u32, u16)]| -> Vec<u32> {
        records
            .iter()
            .map(|&(step, _)| step)
            .filter(|&step| ignore_until.is_none_or(|until| step > until))
            .collect()
    };
    let requests = since(&activity.requests);
    let blocked = since(activity.blocked());
    let passed = |from, until| within(&requests, from, until).saturating_sub(within(&blocked, from, until));
    judge(Detector::Blocked, detectors.blocked, &|threshold| {
        busiest(&blocked, threshold, |from, until| passed(from, until) / SUCCESSES_FOR_ONE)
    });
    judge(Detector::Rate, detectors.rate, &|threshold| busiest(&requests, threshold, |_, _| 0));
    if site.sees_answers {
        let refused = site.in_the_light(activity, configuration, ignore_until);
        judge(Detector::BruteForce, detectors.brute_force, &|threshold| {
            busiest(&refused, threshold, |from, until| {
                excused(activity, from, until) + accepted(activity, from, until)
            })
        });
        let campaign = detectors.campaign.filter(|_| site.campaign);
        judge(Detector::Campaign, campaign, &|_| fails_only(activity, configuration, site, ignore_until));
    } else {
        let tries = since(activity.credentials());
        let more = |threshold: Threshold| Threshold {
            max_retry: threshold.max_retry.saturating_mul(STAND_BACK),
            ..threshold
        };
        judge(Detector::BruteForce, detectors.brute_force.map(more), &|threshold| {
            busiest(&tries, threshold, |from, until| {
                let others = within(&requests, from, until).saturating_sub(within(&tries, from, until));
                others.saturating_mul(TRIES_FOR_OTHER)
            })
        });
    }
    let paths = |threshold, wanted: &dyn Fn(&PathTimes) -> bool| {
        let paths: Vec<PathTimes> = activity.paths.iter().filter(|path| wanted(path)).copied().collect();
        most_paths(&paths, threshold, ignore_until, |from, until| excused(activity, from, until))
    };
    judge(Detector::Scan, detectors.scan, &|threshold| {
        paths(threshold, &|(path, ..)| match path.kind() {
            PathKind::Probed => true,
            // Both logs tell of a secret that is not here. So it counts twice: nobody else looks for one.
            PathKind::Asked => !site.sees_answers || activity.has(path.of_kind(PathKind::Probed)),
            PathKind::Missing | PathKind::Challenged => false,
        })
    });
    judge(Detector::NotFound, detectors.not_found, &|threshold| {
        paths(threshold, &|(path, ..)| match path.kind() {
            PathKind::Probed => true,
            PathKind::Missing => !site.is_linked(*path),
            PathKind::Asked | PathKind::Challenged => false,
        })
    });
    // What asks again and again is a page that is open; what goes from path to path is not.
    judge(Detector::Challenge, detectors.challenge, &|threshold| {
        paths(threshold, &|(path, first, last)| path.kind() == PathKind::Challenged && first == last)
    });
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.ban_time), finding.detector));
    findings
}

/// The steps in which credentials of a client were refused within the find time of a campaign; `None` when there are
/// none, or it also does other things.
pub(crate) fn failures(
    activity: &Activity,
    configuration: &Configuration,
    site: &Site,
    ignore_until: Option<u32>,
) -> Option<Vec<u32>> {
    let threshold = configuration.detectors.campaign?;
    let from = (site.latest + 1).saturating_sub(steps(threshold));
    let mut refused = site.in_the_light(activity, configuration, ignore_until);
    refused.retain(|&step| step >= from);
    let count = u32::try_from(refused.len()).unwrap_or(u32::MAX);
    // Stolen passwords fit now and then, and who tries them may have an account of his own to log in to in between.
    let got_in = accepted(activity, from, site.latest);
    let well = successes(activity, from, site.latest);
    let is_at_home = got_in.saturating_mul(5) > count && (count <= OFTEN || well.saturating_mul(2) > count);
    // Where nobody gets in, what a browser loads with each try says nothing.
    let other_things = if got_in == 0 { beside_tries(activity, &refused, from) } else { well };
    let does_little_else = !is_at_home && other_things <= count.saturating_mul(2);
    (count > 0 && does_little_else).then_some(refused)
}

/// Successes since `from` beyond those that may belong to a try in the same minute or the next.
fn beside_tries(activity: &Activity, refused: &[u32], from: u32) -> u32 {
    let minutes = activity.successes.iter().filter(|(minute, _)| minute + MINUTE > from);
    minutes.fold(0, |sum, &(minute, count)| {
        let tries = within(refused, minute, minute + 2 * MINUTE - 1);
        sum.saturating_add(count.saturating_sub(tries.saturating_mul(WITH_A_TRY)))
    })
}

/// Credentials refused of a client that does little else than fail, and goes on: how many within the find time of a
/// campaign, and the last step; `None` when it is somebody who is mistaken, or also does other things.
pub(crate) fn fails_only(
    activity: &Activity,
    configuration: &Configuration,
    site: &Site,
    ignore_until: Option<u32>,
) -> Option<(u32, u32)> {
    let threshold = configuration.detectors.campaign?;
    let refused = failures(activity, configuration, site, ignore_until)?;
    let (last, count) = (*refused.last()?, u32::try_from(refused.len()).unwrap_or(u32::MAX));
    let twelfth = (steps(threshold) / 12).max(1);
    let mut sittings: Vec<u32> = refused.iter().map(|step| step / twelfth).collect();
    sittings.dedup();
    let goes_on = count >= threshold.max_retry && sittings.len() >= SITTINGS;
    let is_quick = configuration.detectors.brute_force.is_some_and(|alone| {
        let (part, whole) = PART_OF_ALONE;
        let most = busiest(&refused, alone, |_, _| 0).map_or(0, |(most, _)| most);
        u64::from(most) * u64::from(whole) >= u64::from(alone.max_retry) * u64::from(part)
    });
    (goes_on || is_quick).then_some((count, last))
}

/// When a blocked client last knocked as often, after `since`, as the threshold on blocked requests allows.
pub fn last_knocking(
    activity: &Activity,
    configuration: &Configuration,
    since: Timestamp,
) -> Option<Timestamp> {
    let threshold = configuration.detectors.blocked?;
    let since = step_at(since);
    let knocks: Vec<u32> =
        activity.knocks().iter().map(|&(step, _)| step).filter(|&step| step > since).collect();
    let (count, _) = busiest(&knocks, threshold, |_, _| 0)?;
    let last = knocks.last()?;
    (count >= threshold.max_retry).then(|| time_of(last + 1))
}

pub(crate) fn steps(threshold: Threshold) -> u32 {
    u32::try_from(threshold.find_time.0.as_secs() / BUCKET_SECONDS).unwrap_or(u32::MAX).max(1)
}

/// How many of `steps`, which are in order, lie within these two.
fn within(steps: &[u32], from: u32, until: u32) -> u32 {
    let count = steps.partition_point(|&step| step <= until) - steps.partition_point(|&step| step < from);
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn successes(activity: &Activity, from: u32, until: u32) -> u32 {
    let begin = activity.successes.partition_point(|&(minute, _)| minute + MINUTE <= from);
    let end = activity.successes.partition_point(|&(minute, _)| minute <= until);
    activity.successes[begin..end.max(begin)].iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
}

/// Offences that the successes of the same time excuse.
fn excused(activity: &Activity, from: u32, until: u32) -> u32 {
    successes(activity, from, until) / SUCCESSES_FOR_ONE
}

fn accepted(activity: &Activity, from: u32, until: u32) -> u32 {
    let records = activity.accepted();
    let count = records.partition_point(|&(step, _)| step <= until)
        - records.partition_point(|&(step, _)| step < from);
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The most that happened in one find time, less what `excused` takes off it, and the last step of that time. `records`
/// are in order.
fn busiest(records: &[u32], threshold: Threshold, excused: impl Fn(u32, u32) -> u32) -> Option<(u32, u32)> {
    let steps = steps(threshold);
    let mut worst = None;
    let mut start = 0;
    for (at, &step) in records.iter().enumerate() {
        while records[start].saturating_add(steps) <= step {
            start += 1;
        }
        // Of a step, only what stands at its end counts.
        if records.get(at + 1) == Some(&step) {
            continue;
        }
        let count = u32::try_from(at + 1 - start).unwrap_or(u32::MAX);
        worst = worse(worst, count, step, steps, &excused);
    }
    worst
}

/// Keeps the worse of two; asks what is excused only when it matters.
fn worse(
    worst: Option<(u32, u32)>,
    count: u32,
    last: u32,
    steps: u32,
    excused: &impl Fn(u32, u32) -> u32,
) -> Option<(u32, u32)> {
    if worst.is_some_and(|(most, _)| count <= most) {
        return worst;
    }
    let count = count.saturating_sub(excused((last + 1).saturating_sub(steps), last));
    if worst.is_none_or(|(most, _)| count > most) { Some((count, last)) } else { worst }
}

/// The most distinct paths within one find time, less what is excused, and the last step of that time. Of a path asked
/// for more than twice only the first and the last time are known, so this is rather too low than too high.
fn most_paths(
    paths: &[PathTimes],
    threshold: Threshold,
    ignore_until: Option<u32>,
    excused: impl Fn(u32, u32) -> u32,
) -> Option<(u32, u32)> {
    let steps = steps(threshold);
    let mut seen: Vec<(u32, u32)> = Vec::with_capacity(paths.len() * 2);
    for &(path, first, last) in paths {
        for step in [first, last] {
            if ignore_until.is_none_or(|until| step > until) {
                seen.push((step, path.bits()));
            }
        }
    }
    seen.sort_unstable();
    seen.dedup();
    let mut worst = None;
    let mut inside: std::collections::BTreeMap<u32, u32> = std::collections::BTreeMap::new();
    let mut start = 0;
    for &(step, path) in &seen {
        *inside.entry(path).or_default() += 1;
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
        worst = worse(worst, count, step, steps, &excused);
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::KeptPath;

    fn in_steps(steps: u64) -> Threshold {
        Threshold { max_retry: 1, find_time: Span::of_seconds(steps * BUCKET_SECONDS), ban_time: None }
    }

    fn nothing(_: u32, _: u32) -> u32 {
        0
    }

    #[test]
    fn a_window_slides_and_never_holds_more_than_its_length() {
        let counts = [(100, 40), (105, 30), (111, 30), (112, 1)];
        let records: Vec<u32> =
            counts.iter().flat_map(|&(step, count)| (0..count).map(move |_| step)).collect();
        assert_eq!(busiest(&records, in_steps(12), nothing), Some((100, 111)));
        assert_eq!(busiest(&records, in_steps(11), nothing), Some((70, 105)));
        assert_eq!(busiest(&records, in_steps(1), nothing), Some((40, 100)));
        assert_eq!(busiest(&records[40..], in_steps(12), nothing), Some((61, 112)));
        assert_eq!(busiest(&[], in_steps(12), nothing), None);
    }

    #[test]
    fn what_is_excused_is_taken_off_the_window_that_it_belongs_to() {
        let records: Vec<u32> = [vec![100; 30], vec![200; 20]].concat();
        let excused = |from, until| if (from..=until).contains(&100) { 25 } else { 0 };
        assert_eq!(busiest(&records, in_steps(12), excused), Some((20, 200)));
    }

    #[test]
    fn distinct_paths_are_counted_once_in_a_window() {
        let path = |n: u32| KeptPath::new(n << 2, PathKind::Probed);
        let paths = [(path(1), 10, 20), (path(2), 10, 10), (path(3), 20, 20)];
        assert_eq!(most_paths(&paths, in_steps(100), None, nothing), Some((3, 20)));
        assert_eq!(most_paths(&paths, in_steps(5), None, nothing), Some((2, 10)));
        assert_eq!(most_paths(&paths, in_steps(100), Some(10), nothing), Some((2, 20)));
    }
}
