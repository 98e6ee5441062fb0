//! Returning: the release's rule goes, the deployment stops, the drain passes.

use super::installing::is_gone;
use super::{Planning, schedule::since};
use crate::{
    Action, DeploymentStatus, InstanceId, Open, Phase, Purpose, Reason, ReturnCause, Returning, Verdict,
    Weights,
};
use std::time::Duration;

/// How many attempts a release gets when the bundle is not to blame.
const ATTEMPTS: u32 = 2;

impl Planning<'_> {
    pub(super) fn returning(&mut self, mut open: Open) {
        let Phase::Returning(mut back) = open.phase.clone() else { return self.keep(open) };
        if back.cause.may_be_a_lost_instance()
            && let Some(instance) = self.dead_instance(&open)
        {
            back.cause = ReturnCause::InstanceLost { instance };
        }
        let mut waiting = Vec::new();
        if !self.is_weightless(&open, &mut back) {
            waiting.push("all weight to be back on the live colour");
            back.weightless_since = None;
        } else if back.weightless_since.is_none() {
            back.weightless_since = Some(self.now);
        }
        match self.stop_deployment(&mut open) {
            Stopped::No => waiting.push("the deployment to stop"),
            Stopped::Yes => {}
        }
        let drained = back.weightless_since.is_some_and(|start| since(start, self.now) >= self.policy.drain);
        if back.had_weight && !drained {
            waiting.push("the drain, while the load balancer still sends late requests");
        }
        let tries_again = self.tries_again(&open, &back.cause);
        if tries_again && self.lacks_instances(&open, &back) {
            waiting.push("the instances that went away to be replaced, for the next try");
        }
        if waiting.is_empty() {
            return self.close_returned(open, &back, tries_again);
        }
        self.because(Reason::WaitsForReturn { waiting: waiting.join(", ") });
        open.phase = Phase::Returning(back);
        self.keep(open);
    }

    /// Whether no rule gives the candidate anything; what does is put right, before anything is written.
    fn is_weightless(&mut self, open: &Open, back: &mut Returning) -> bool {
        let Some(rules) = self.seen.rules.known().cloned() else { return false };
        let drifted_from = self.live_colour().filter(|live| !rules.base.are_all_on(*live));
        match (&rules.release, drifted_from) {
            (None, None) => return true,
            (Some(rule), None) if open.rule.as_ref() == Some(&rule.arn) => {
                self.back.push(Action::DeleteReleaseRule { rule: rule.arn.clone() });
            }
            (Some(rule), None) => self.delete_after_commit(rule.arn.clone()),
            (rule, Some(live)) => {
                // What the base rule gave the candidate it serves for the drain.
                back.had_weight = true;
                // Deleting the release's rule would uncover the base rule: it goes when that one was seen right.
                let weights = Weights::all_on(live);
                if let Some(rule) = rule {
                    self.back.push(Action::SetReleaseWeights { rule: rule.arn.clone(), weights });
                }
                self.back.push(Action::SetBaseWeights { weights });
            }
        }
        self.again = true;
        false
    }

    fn stop_deployment(&mut self, open: &mut Open) -> Stopped {
        if open.purpose == Purpose::Rollback {
            return Stopped::Yes;
        }
        match self.seen.deployment.known() {
            None => Stopped::No,
            Some(None) => Stopped::Yes,
            Some(Some(deployment)) => {
                open.deployment.get_or_insert_with(|| deployment.id.clone());
                if deployment.status == DeploymentStatus::Active {
                    self.forward.push(Action::StopDeployment { id: deployment.id.clone() });
                    return Stopped::No;
                }
                Stopped::Yes
            }
        }
    }

    /// An instance of the deployment that is gone, or that serves neither colour: it would have failed without the
    /// release.
    fn dead_instance(&self, open: &Open) -> Option<InstanceId> {
        let is_dead =
            |instance: &&InstanceId| is_gone(self.seen, open, instance) || self.seen.serves_neither(instance);
        open.targets.iter().find(is_dead).cloned()
    }

    fn tries_again(&self, open: &Open, cause: &ReturnCause) -> bool {
        !cause.blames_the_bundle()
            && open.purpose == Purpose::Release
            && open.tries() < ATTEMPTS
            && self.ledger.pending.is_none()
            && !self.has_succeeded()
    }

    /// Whether another attempt would find fewer instances than this one did, or a dead one. Auto Scaling replaces it
    /// now that no deployment suspends it. After the time of an installation the release waits no longer.
    fn lacks_instances(&self, open: &Open, back: &Returning) -> bool {
        let healthy = self.live_colour().map(|live| self.seen.healthy_count(live).unwrap_or(0));
        let waited = back.weightless_since.map_or(Duration::ZERO, |start| since(start, self.now));
        healthy.is_some_and(|healthy| healthy < open.targets.len()) && waited < self.policy.install_deadline
    }

    fn has_succeeded(&self) -> bool {
        let deployment = self.seen.deployment.known().and_then(Option::as_ref);
        deployment.is_some_and(|deployment| deployment.status == DeploymentStatus::Succeeded)
    }

    fn close_returned(&mut self, open: Open, back: &Returning, tries_again: bool) {
        self.because(Reason::Closed { cause: back.cause.clone() });
        self.ledger.unsettled |= self.has_succeeded();
        if tries_again {
            return self.try_again(open);
        }
        let verdict = match &back.cause {
            ReturnCause::Superseded { by } => Verdict::Superseded { by: *by },
            cause => Verdict::Rejected { reason: cause.to_string() },
        };
        self.close(open, verdict);
        if self.ledger.unsettled && self.ledger.pending.is_none() {
            self.settle(None);
        }
    }

    fn try_again(&mut self, open: Open) {
        let attempt = open.attempt + 1;
        self.because(Reason::TriesAgain { attempt });
        let mut next = self.new_open(Purpose::Release, open.upload, open.colour, open.strategy, open.bake);
        (next.attempt, next.first_attempt) = (attempt, open.first_attempt);
        next.rolls_back = open.rolls_back;
        self.ask_for(&next);
        self.keep(next);
    }
}

enum Stopped {
    Yes,
    No,
}
