//! What all clients together show of the site: whether its answers are seen, when nobody got in, which dead links are its
//! own, and whether many try credentials at once. No single client can be judged without it.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::classify::{KeptPath, PathKind};
use crate::configuration::Configuration;
use crate::judge::{fails_only, failures, steps};
use crate::state::{Hour, State};
use crate::tally::{Activity, Tally};

/// Steps in the five minutes that AWS puts into one log.
const SLOT: u32 = 60;

/// A path that so many clients miss is one that something links to: a release without its assets, an old page.
const LINKED: u32 = 5;

/// With fewer than so many who get in within five minutes, no lack of them can be seen.
const ENOUGH: u32 = 5;

/// Five minutes in which less than this part of the usual number got in prove nothing against those who were refused.
const LACK: u32 = 4;

/// So often beyond the threshold, refusals count even while nobody gets in: no person waits that eagerly.
const FLAGRANT: usize = 10;

/// So many that keep failing are more than coincidence: one alone is somebody with an old password.
const MANY: u32 = 10;

/// And so many times as many as usual.
const TIMES_USUAL: u32 = 3;

/// Of a thousand who use credentials, so many are taken to keep failing before this site's own past says more.
const USUAL: u32 = 1;

/// So many that were refused and did little else can be a campaign of few tries each.
const CROWD: u32 = 50;

/// Of a thousand who use credentials, so many are taken to go away refused before this site's own past says more.
const USUALLY_REFUSED: u32 = 150;

/// An hour in which fewer used credentials says nothing about what is usual.
const ENOUGH_IN_AN_HOUR: u32 = 20;

/// The site, as far as a window shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    /// Whether a load balancer's log tells what was answered.
    pub sees_answers: bool,
    /// Many try credentials at once.
    pub campaign: bool,
    /// Clients that used credentials within the find time of a campaign, and those of them that only fail.
    pub hour: Hour,
    /// The last step that the load balancer's log tells of.
    pub(crate) latest: u32,
    dark: Vec<u32>,
    linked: HashSet<KeptPath>,
}

impl Site {
    /// From everything that is known of the clients, and of the hours before.
    pub fn new(window: &Tally, state: &State, configuration: &Configuration, hour: i64) -> Self {
        let mut site = Self::default();
        let mut got_in: BTreeMap<u32, u32> = BTreeMap::new();
        let mut missed: HashMap<KeptPath, u32> = HashMap::new();
        let mut used: Vec<Activity> = Vec::new();
        window.each(|_, activity| {
            if !activity.is_answered() {
                return;
            }
            site.sees_answers = true;
            let records = activity.refused().iter().chain(activity.accepted()).map(|&(step, _)| step);
            let last = records.chain(activity.successes.last().map(|&(minute, _)| minute)).max();
            site.latest = site.latest.max(last.unwrap_or(0));
            let mut slots: Vec<u32> = activity.accepted().iter().map(|&(step, _)| step / SLOT).collect();
            slots.dedup();
            for slot in slots {
                *got_in.entry(slot).or_default() += 1;
            }
            for (path, ..) in activity.paths.iter().filter(|(path, ..)| path.kind() == PathKind::Missing) {
                *missed.entry(*path).or_default() += 1;
            }
            if !activity.refused().is_empty() || !activity.accepted().is_empty() {
                used.push(without_requests(activity));
            }
        });
        site.linked =
            missed.into_iter().filter(|&(_, clients)| clients >= LINKED).map(|(path, _)| path).collect();
        site.dark = dark(&got_in, &used);
        site.count_campaign(&used, configuration);
        let Hour { trying, failing, refused } = site.hour;
        let is_unusual = |count: u32, usual: u32| {
            u64::from(count) * 1000 >= u64::from(TIMES_USUAL * usual) * u64::from(trying)
        };
        site.campaign = (failing >= MANY
            && is_unusual(failing, usual(state, hour, USUAL, |seen| seen.failing)))
            || (refused >= CROWD
                && is_unusual(refused, usual(state, hour, USUALLY_REFUSED, |seen| seen.refused)));
        site
    }

    fn count_campaign(&mut self, used: &[Activity], configuration: &Configuration) {
        let Some(threshold) = configuration.detectors.campaign else { return };
        let from = (self.latest + 1).saturating_sub(steps(threshold));
        let is_recent = |activity: &Activity| {
            let records = activity.refused().iter().chain(activity.accepted());
            records.map(|&(step, _)| step).any(|step| step >= from)
        };
        for activity in used.iter().filter(|activity| is_recent(activity)) {
            self.hour.trying += 1;
            self.hour.failing += u32::from(fails_only(activity, configuration, self, None).is_some());
            self.hour.refused += u32::from(failures(activity, configuration, self, None).is_some());
        }
    }

    /// The steps in which credentials were refused after `ignore_until`, but for times in which hardly anybody got in.
    pub(crate) fn in_the_light(
        &self,
        activity: &Activity,
        configuration: &Configuration,
        ignore_until: Option<u32>,
    ) -> Vec<u32> {
        let refused = activity.refused();
        let alone = configuration.detectors.brute_force.map_or(usize::MAX, |alone| alone.max_retry as usize);
        let is_flagrant = refused.len() >= alone.saturating_mul(FLAGRANT);
        let counts = |step: &u32| {
            ignore_until.is_none_or(|until| *step > until)
                && (is_flagrant || self.dark.binary_search(&(step / SLOT)).is_err())
        };
        refused.iter().map(|&(step, _)| step).filter(counts).collect()
    }

    /// Whether so many clients miss this path that something must link to it.
    pub(crate) fn is_linked(&self, path: KeptPath) -> bool {
        self.linked.contains(&path)
    }
}

/// What credentials and successes say; requests are most of an activity, and not needed.
fn without_requests(activity: &Activity) -> Activity {
    Activity {
        offences: activity.offences.clone(),
        successes: activity.successes.clone(),
        ..Activity::default()
    }
}

/// Slots in which hardly anybody got in, in order. The usual number is that of the better quarter of all slots, so that
/// an hour's outage cannot pass for usual.
fn dark(got_in: &BTreeMap<u32, u32>, used: &[Activity]) -> Vec<u32> {
    let slots = || used.iter().flat_map(|activity| activity.refused().iter().chain(activity.accepted()));
    let (Some(first), Some(last)) =
        (slots().map(|&(step, _)| step / SLOT).min(), slots().map(|&(step, _)| step / SLOT).max())
    else {
        return Vec::new();
    };
    let of = |slot: u32| got_in.get(&slot).copied().unwrap_or(0);
    let mut counts: Vec<u32> = (first..=last).map(of).collect();
    counts.sort_unstable();
    let usual = counts[counts.len() * 3 / 4];
    if usual < ENOUGH {
        return Vec::new();
    }
    (first..=last).filter(|&slot| of(slot) * LACK < usual).collect()
}

/// Of a thousand clients that use credentials, how many are such: the median of the hours before, and at least `least`.
fn usual(state: &State, hour: i64, least: u32, such: fn(&Hour) -> u32) -> u32 {
    let hours =
        state.hours.iter().filter(|&(&before, seen)| before < hour && seen.trying >= ENOUGH_IN_AN_HOUR);
    let mut shares: Vec<u32> = hours.map(|(_, seen)| such(seen).saturating_mul(1000) / seen.trying).collect();
    shares.sort_unstable();
    shares.get(shares.len() / 2).copied().unwrap_or(0).max(least)
}
