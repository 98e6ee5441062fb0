//! Healing: an instance that stays unhealthy on the live colour is handed to Auto Scaling for replacement.
//!
//! The Auto Scaling group does not use ELB checks. With them it would replace every instance whose idle colour is
//! down, because each target group must report healthy (Auto Scaling user guide, health checks).

use super::{Planning, schedule::since};
use crate::{Action, Ailing, InstanceId, Reason, TargetHealth, UnknownFields};
use std::collections::BTreeMap;
use std::time::Duration;

impl Planning<'_> {
    /// One at a time, with a pause between two. While no other instance serves the live colour it waits once more as long:
    /// then there is nothing left to lose. Written before it is done: an instance is handed over at most once a pause, and a
    /// lost hand-over is made up for.
    pub(super) fn heal(&mut self) {
        let Some(live) = self.live_colour() else { return };
        let Some(targets) = self.seen.health.of(live).known() else { return };
        self.ledger.ailing = self.ailing(targets);
        let limit = self.policy.heal_after;
        let Some(Ailing { instance, since: start, .. }) =
            self.ledger.ailing.clone().filter(|_| !limit.is_zero())
        else {
            return;
        };
        let ill_for = since(start, self.now);
        self.because(Reason::Ailing { instance: instance.clone(), seconds: ill_for.as_secs() });
        if ill_for < limit {
            return;
        }
        if let Some(waiting) = self.keeps_from_replacing(targets, ill_for) {
            return self.because(Reason::NotReplaced { instance, waiting });
        }
        self.because(Reason::Replaces { instance: instance.clone() });
        self.ledger.ailing = None;
        self.ledger.healed_at = Some(self.now);
        self.forward.push(Action::ReplaceInstance { instance });
    }

    /// The instance that is remembered while it stays unhealthy, else the first that is.
    fn ailing(&self, targets: &BTreeMap<InstanceId, TargetHealth>) -> Option<Ailing> {
        let is_ill = |instance: &InstanceId| targets.get(instance) == Some(&TargetHealth::Unhealthy);
        let known = self.ledger.ailing.clone().filter(|ailing| is_ill(&ailing.instance));
        known.or_else(|| {
            let instance = targets.keys().find(|instance| is_ill(instance))?.clone();
            Some(Ailing { instance, since: self.now, unknown_fields: UnknownFields::default() })
        })
    }

    fn keeps_from_replacing(
        &self,
        targets: &BTreeMap<InstanceId, TargetHealth>,
        ill_for: Duration,
    ) -> Option<String> {
        let pause = self.policy.heal_after;
        if self.ledger.healed_at.is_some_and(|healed| since(healed, self.now) < pause) {
            return Some("the pause after the last replacement".to_owned());
        }
        let none_is_healthy = !targets.values().any(|health| *health == TargetHealth::Healthy);
        let left = (2 * pause).saturating_sub(ill_for);
        (none_is_healthy && !left.is_zero()).then(|| {
            format!("another instance to be healthy, for {} s at most: this would leave none", left.as_secs())
        })
    }
}
