//! When an open release is looked at more closely than by its turn: a version that fails everything is known by its second or
//! third failed request, and what it fails while nobody looks is what it costs.

use crate::evidence::{Counted, Report};
use crate::plan::evidence::terms;
use crate::plan::schedule::since;
use crate::{InstanceId, Open, Phase, Policy, Purpose};
use jiff::Timestamp;
use std::time::Duration;

/// How soon a hook asks again that may know what takes the release back.
const SOON: Duration = Duration::from_secs(1);

/// For how long after its first weight a version is new to its users.
const NEW_FOR: Duration = Duration::from_secs(60);

impl Open {
    /// When a hook asks again. Soon while the version is new to its users, and while it is suspected: what its instances have
    /// counted is then worth a question.
    pub(crate) fn asks_again_after(&self, policy: &Policy, now: Timestamp) -> Duration {
        let usual = policy.look_interval;
        let is_close = self.counted_with_weight().is_some_and(|counted| {
            let first = counted.orders.first();
            first.is_some_and(|order| since(order.at, now) < NEW_FOR)
                || counted.is_suspected(&terms(self, policy), now)
        });
        if is_close { usual.min(SOON) } else { usual }
    }

    /// Whether what this instance reports is needed now, however lately another one has asked.
    pub fn needs_report(&self, instance: &InstanceId, now: Timestamp) -> bool {
        let is_late = self.counted.as_ref().is_some_and(|counted| counted.is_late(instance, now));
        let lacks_base = self.counted_with_weight().is_some_and(|counted| counted.lacks_base(instance, now));
        let lacks_smoke =
            (self.waits_for_smoke() || !self.smoke.is_empty()) && !self.smoke.contains_key(instance);
        self.is_counted_on(instance) && (is_late || lacks_base || lacks_smoke)
    }

    /// Whether its hooks have to tell what its `smoke.txt` names before it gets weight. Whoever brings an older version back waits
    /// for nothing.
    pub(crate) fn waits_for_smoke(&self) -> bool {
        self.purpose == Purpose::Release && self.upload.tells_smoke && !self.had_weight()
    }

    /// Whether this report tells of failures that no other has, and makes the candidate suspected. Then it is taken before its
    /// turn. `looked_at`: when the last pass for a hook's question was.
    pub fn is_news(
        &self,
        report: &Report,
        policy: &Policy,
        looked_at: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        // Of many instances that fail at one time not each has a pass of its own.
        let is_rested = looked_at.is_none_or(|looked| since(looked, now) >= SOON);
        is_rested
            && self.is_counted_on(&report.instance)
            && self
                .counted_with_weight()
                .is_some_and(|counted| counted.is_made_suspected_by(report, &terms(self, policy), now))
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
