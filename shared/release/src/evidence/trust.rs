//! Which reports are believed.

use super::counted::{Counted, Reported, minute_of};
use super::judge::Terms;
use super::odds::real;
use super::published::Minutes;
use crate::plan::schedule::since;
use crate::{Colour, InstanceId, PerColour};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;

/// How old a report may be.
const YOUNG: Duration = Duration::from_secs(30);
/// By how much a minute's arrivals may differ from CloudWatch's.
const TOLERANCE: f64 = 0.2;
/// And so many beside that.
const TOLERATED: f64 = 5.0;

/// What reports are good for at this moment.
#[derive(Debug)]
pub(super) struct Trust {
    /// Every instance has reported lately, and nothing that CloudWatch says contradicts.
    pub(super) convicts: bool,
    /// The instances whose reports contradict CloudWatch; all of them where it cannot be told whose do.
    pub(super) left_out: Vec<InstanceId>,
    /// The minutes of which every instance has told, where nothing contradicts them.
    reported: BTreeSet<i64>,
}

impl Trust {
    pub(super) fn of(counted: &Counted, minutes: &Minutes, terms: &Terms<'_>, now: Timestamp) -> Self {
        let young = |instance: &InstanceId| {
            let reported = counted.reports.get(instance);
            reported.is_some_and(|reported| since(reported.at, now) < YOUNG)
        };
        let few = !terms.targets.is_empty() && terms.targets.len() <= Counted::INSTANCES;
        let complete = few && terms.targets.iter().all(young);
        let newest = counted.newest_whole().unwrap_or(i64::MIN);
        let from = counted.counts_from().map_or(i64::MAX, minute_of);
        let differs = |minute: i64, total: &PerColour<u64>| {
            Colour::BOTH
                .into_iter()
                .find(|colour| !is_near(*total.of(*colour), minutes.of(*colour, minute).requests))
        };
        // Totals: what an instance tells covers all minutes before, but for holes. Of one that fell silent nobody knows what came since.
        let covers = |minute: i64| {
            let all = terms.targets.iter().map(|target| counted.reports.get(target));
            few && all.into_iter().all(|told| told.is_some_and(|told| minute_of(told.at) > minute))
        };
        let has_hole = |minute: i64| counted.reports.values().any(|told| told.holes.contains(&minute));
        let (mut reported, mut left_out, mut contradicted) = (BTreeSet::new(), BTreeSet::new(), false);
        for (minute, total) in counted.totals().range(from..).filter(|(minute, _)| !has_hole(**minute)) {
            // The newest one may have been read before CloudWatch had all of it.
            let compares = (from + 1..newest).contains(minute) && minutes.has(*minute);
            match differs(*minute, total).filter(|_| compares) {
                None if covers(*minute) => drop(reported.insert(*minute)),
                None => {}
                Some(colour) => {
                    contradicted = true;
                    left_out.extend(liars(counted, *minute, colour, minutes));
                }
            }
        }
        if contradicted && left_out.is_empty() {
            left_out.extend(counted.reports.keys().cloned());
        }
        let convicts = complete && !contradicted;
        if contradicted {
            // Whoever told something else of one minute is believed in none, and CloudWatch alone judges.
            reported.clear();
        }
        Self { convicts, left_out: left_out.into_iter().collect(), reported }
    }

    pub(super) fn has_report(&self, minute: i64) -> bool {
        self.reported.contains(&minute)
    }
}

fn is_near(reported: u64, published: u64) -> bool {
    (real(reported) - real(published)).abs() <= TOLERANCE * real(published) + TOLERATED
}

/// Who reports more of a minute than came to all instances together. Of a minute that is closed only the sum is kept.
fn liars(counted: &Counted, minute: i64, colour: Colour, minutes: &Minutes) -> Vec<InstanceId> {
    let published = real(minutes.of(colour, minute).requests);
    let reports = |instance: &Reported| {
        let of_minute = instance.minutes.iter().find(|counted| counted.minute == minute);
        of_minute.map_or(0, |counted| counted.of(colour).came())
    };
    let exceeds = |instance: &Reported| real(reports(instance)) > (1.0 + TOLERANCE) * published + TOLERATED;
    let exceeding = counted.reports.iter().filter(|(_, instance)| exceeds(instance));
    exceeding.map(|(instance, _)| instance.clone()).collect()
}
