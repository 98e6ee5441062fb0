//! What AWS does not list: one answer may be incomplete or older than the last write, so absence needs time.

use super::installing::is_gone;
use super::{Planning, schedule::since};
use crate::{Open, Phase, Reason, ReturnCause};
use std::time::Duration;

/// How long something may be missing from AWS's answers before it counts as gone: two looks of the hooks, which ask
/// every five seconds. Nothing is raised meanwhile.
pub(super) const GRACE: Duration = Duration::from_secs(10);

impl Planning<'_> {
    /// Whether what is missing counts as gone: it was missing before, for longer than one incomplete answer explains.
    pub(super) fn is_gone_for_good(&mut self, open: &mut Open, what: &ReturnCause) -> bool {
        let start = *open.missing_since.get_or_insert(self.now);
        let gone = since(start, self.now) >= GRACE;
        if !gone {
            self.because(Reason::Missing { what: what.to_string() });
        }
        gone
    }

    /// What belongs to a release with weight and is not listed, as the cause that it would be.
    pub(super) fn missing(&self, open: &Open) -> Option<ReturnCause> {
        if matches!(self.seen.deployment.known(), Some(None)) {
            let detail = "it no longer knows the deployment".to_owned();
            return Some(ReturnCause::DeploymentEnded { status: "unknown".to_owned(), detail });
        }
        if let Some(lost) = open.targets.iter().find(|instance| is_gone(self.seen, open, instance)) {
            return Some(ReturnCause::InstanceLost { instance: lost.clone() });
        }
        self.rule_is_gone(open).then(|| self.why_the_rule_is_gone(open))
    }

    /// Where the ledger cannot be reached, the alarm function deletes the rule without it, and only under a firing alarm of the
    /// candidate. At its last raise each of these was OK: one that has become OK since has fired in between.
    pub(super) fn why_the_rule_is_gone(&self, open: &Open) -> ReturnCause {
        let alarms = self.seen.alarms.of(open.colour).known().filter(|_| open.had_weight());
        let has_fired = |alarm: &&String| self.seen.ok_since.get(*alarm).is_some_and(|at| *at > open.since);
        match alarms.and_then(|alarms| alarms.keys().find(has_fired)) {
            Some(alarm) => ReturnCause::Alarm { alarm: alarm.clone() },
            None => ReturnCause::RuleDeleted,
        }
    }

    pub(super) fn rule_is_gone(&self, open: &Open) -> bool {
        let (Some(rules), Some(ours), Some(_)) = (self.seen.rules.known(), &open.rule, &self.ledger.live)
        else {
            return false;
        };
        // Once the base rule has moved, it is this release itself that deletes its rule.
        let moved = matches!(open.phase, Phase::Promoting(_)) && rules.base.are_all_on(open.colour);
        let stands = moved || rules.release.as_ref().is_some_and(|rule| rule.arn == *ours);
        !stands
    }
}
