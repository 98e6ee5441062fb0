//! When an open release is looked at more closely than by its turn: a version that fails everything is known by its second or
//! third failed request, and what it fails while nobody looks is what it costs.

use crate::evidence::Counted;
use crate::plan::evidence::terms;
use crate::plan::schedule::since;
use crate::{InstanceId, Open, Phase, Policy, Purpose};
use jiff::Timestamp;
use std::time::Duration;

/// How soon a hook asks again that may know what takes the release back.
const SOON: Duration = Duration::from_secs(1);

/// From this age on a report is fetched out of turn at any pace: half of what makes it too old to convict.
const LATE: Duration = Duration::from_secs(15);

/// For how long after its first weight a version is new to its users.
const NEW_FOR: Duration = Duration::from_secs(60);

impl Open {
    /// When a hook asks again, and how long after a look the next one may be. Soon while the version is new to its users, and while
    /// it is suspected: what its instances have counted is then worth a question.
    ///
    /// No question comes before its turn for what it tells: reports that are taken because they tell of failures would be
    /// chosen by their outcome, and in an outage of both colours convict the one whose failures came first.
    pub fn looks_again_after(&self, policy: &Policy, now: Timestamp) -> Duration {
        let usual = policy.look_interval;
        let is_close = self.counted_with_weight().is_some_and(|counted| {
            let first = counted.orders.first();
            first.is_some_and(|order| since(order.at, now) < NEW_FOR)
                || counted.is_suspected(&terms(self, policy), now)
        });
        if is_close { usual.min(SOON) } else { usual }
    }

    /// Whether what this instance reports is needed now, however lately another one has asked: of many that ask at one pace the
    /// same one would be first each time. `rests`: what [`Open::looks_again_after`] says.
    pub fn needs_report(&self, instance: &InstanceId, rests: Duration, now: Timestamp) -> bool {
        let askers = u32::try_from(self.targets.len()).unwrap_or(u32::MAX);
        let turns = rests.saturating_mul(askers.saturating_add(1)).min(LATE);
        let is_late = self.counted.as_ref().is_some_and(|counted| counted.is_older(instance, turns, now));
        self.is_counted_on(instance) && is_late
    }

    /// Whether it waits for what this instance has asked of both colours.
    pub fn needs_smoke(&self, instance: &InstanceId) -> bool {
        let is_missing =
            (self.waits_for_smoke() || !self.smoke.is_empty()) && !self.smoke.contains_key(instance);
        self.is_counted_on(instance) && is_missing
    }

    /// Whether its hooks have to tell what its `smoke.txt` names before it gets weight. Whoever brings an older version back waits
    /// for nothing.
    pub(crate) fn waits_for_smoke(&self) -> bool {
        let is_new = self.purpose == Purpose::Release && self.rolls_back.is_none();
        is_new && self.upload.tells_smoke && !self.had_weight()
    }

    fn is_counted_on(&self, instance: &InstanceId) -> bool {
        self.targets.contains(instance) && self.targets.len() <= Counted::INSTANCES
    }

    /// What was counted, while reports may take its weight.
    fn counted_with_weight(&self) -> Option<&Counted> {
        let may_return = matches!(self.phase, Phase::Shifting(_) | Phase::Baking(_)) && self.had_weight();
        self.counted.as_deref().filter(|counted| may_return && !counted.reports.is_empty())
    }
}
