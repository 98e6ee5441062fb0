//! What takes a release back while its candidate may carry traffic, whatever else it waits for.

use super::installing::{ended, is_gone};
use super::{Pass, schedule::since};
use crate::release::{AlarmState, DeploymentStatus, Open, Phase, Reading, Reason, ReturnCause, TargetHealth};
use std::collections::BTreeMap;

/// Whether a pass may go on.
pub(super) enum Watch {
    /// Nothing speaks against it.
    Fine,
    /// The weight stays where it is.
    Hold,
    /// All weight goes back.
    Back(ReturnCause),
}

impl Pass<'_> {
    pub(super) fn watch(&mut self, open: &mut Open) -> Watch {
        if open.abort {
            return Watch::Back(ReturnCause::Aborted);
        }
        if let Some(cause) = self.ended_or_lost(open) {
            return Watch::Back(cause);
        }
        if let Some(alarm) = self.firing(open) {
            return Watch::Back(ReturnCause::Alarm { alarm });
        }
        self.note_fix_forward(open);
        match self.unhealthy(open) {
            Watch::Fine => {}
            verdict @ (Watch::Hold | Watch::Back(_)) => return verdict,
        }
        self.unknown(open)
    }

    fn ended_or_lost(&self, open: &Open) -> Option<ReturnCause> {
        match self.seen.deployment.known() {
            Some(Some(deployment))
                if deployment.status != DeploymentStatus::Succeeded || open.phase != Phase::Promoting =>
            {
                if let Some(cause) = ended(deployment, self.seen, open) {
                    return Some(cause);
                }
            }
            Some(None) => {
                let detail = "it no longer knows the deployment".to_owned();
                return Some(ReturnCause::DeploymentEnded { status: "unknown".to_owned(), detail });
            }
            Some(Some(_)) | None => {}
        }
        if let Some(instance) = open.targets.iter().find(|instance| is_gone(self.seen, open, instance)) {
            return Some(ReturnCause::InstanceLost { instance: instance.to_string() });
        }
        let rules = self.seen.rules.known()?;
        let ours = open.rule.as_ref()?;
        // Once the base rule has moved, it is this release itself that deletes its rule.
        let stands = rules.base.are_all_on(open.colour) || rules.release.as_ref().is_some_and(|rule| rule.arn == *ours);
        (!stands && self.ledger.live.is_some()).then_some(ReturnCause::RuleDeleted)
    }

    /// A firing candidate alarm. On a colour without weight an alarm decides nothing: it may well be down.
    fn firing(&self, open: &Open) -> Option<String> {
        let alarms = self.seen.alarms.of(open.colour).known().filter(|_| open.had_weight)?;
        first_firing(alarms)
    }

    fn note_fix_forward(&mut self, open: &Open) {
        let Some(alarms) = self.seen.alarms.of(open.colour.other()).known() else { return };
        let firing: Vec<String> = alarms
            .iter()
            .filter(|(_, state)| **state == AlarmState::Firing)
            .map(|(name, _)| name.clone())
            .collect();
        if !firing.is_empty() {
            self.because(Reason::FixForward { alarms: firing });
        }
    }

    fn unhealthy(&mut self, open: &mut Open) -> Watch {
        let Some(health) = self.seen.health.of(open.colour).known() else { return Watch::Fine };
        let unhealthy = open.targets.iter().filter(|instance| health.get(*instance) == Some(&TargetHealth::Unhealthy)).count();
        if unhealthy == 0 {
            open.unhealthy_since = None;
            return Watch::Fine;
        }
        let start = *open.unhealthy_since.get_or_insert(self.now);
        if since(start, self.now) >= self.policy.unhealthy_grace {
            return Watch::Back(ReturnCause::Unhealthy { unhealthy, targets: open.targets.len() });
        }
        self.because(Reason::UnhealthyWithinGrace { unhealthy });
        Watch::Hold
    }

    fn unknown(&mut self, open: &mut Open) -> Watch {
        let what = self.unreadable(open);
        if what.is_empty() {
            open.unknown_since = None;
            return Watch::Fine;
        }
        let what = what.join(", ");
        let start = *open.unknown_since.get_or_insert(self.now);
        if open.had_weight && since(start, self.now) >= self.policy.unknown_limit {
            return Watch::Back(ReturnCause::UnknownTooLong { what });
        }
        self.because(Reason::Unknown { what });
        Watch::Hold
    }

    fn unreadable(&self, open: &Open) -> Vec<String> {
        fn why<T>(name: &str, reading: &Reading<T>) -> Option<String> {
            match reading {
                Reading::Unknown(why) => Some(format!("{name}: {why}")),
                Reading::NotRead | Reading::Known(_) => None,
            }
        }
        [
            why("deployment", &self.seen.deployment),
            why("rules", &self.seen.rules),
            why("candidate health", self.seen.health.of(open.colour)),
            why("live health", self.seen.health.of(open.colour.other())),
            why("alarms", self.seen.alarms.of(open.colour)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

pub(super) fn first_firing(alarms: &BTreeMap<String, AlarmState>) -> Option<String> {
    alarms.iter().find(|(_, state)| **state == AlarmState::Firing).map(|(name, _)| name.clone())
}
