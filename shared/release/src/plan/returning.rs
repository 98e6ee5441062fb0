//! Returning: the release's rule goes, the deployment stops, the drain passes.

use super::installing::is_gone;
use super::missing::GRACE;
use super::own_rule::Whose;
use super::{Planning, schedule::since};
use crate::times::LATE_CREATION;
use crate::{
    Action, Colour, DeploymentStatus, Gate, InstanceId, Open, Phase, Preview, Purpose, Reading, Reason,
    ReturnCause, Returning, Rules, Verdict, Weights, statement,
};
use std::time::Duration;

/// How many attempts a release gets when the bundle is not to blame.
const ATTEMPTS: u32 = 2;

impl Planning<'_> {
    pub(super) fn returning(&mut self, mut open: Open) {
        let Phase::Returning(mut back) = open.phase.clone() else { return self.keep(open) };
        if let Some(instance) = self.instance_to_blame(&open, &back.cause) {
            back.cause = ReturnCause::InstanceLost { instance };
        }
        let mut waiting = Vec::new();
        if !self.is_weightless(&mut open, &mut back) {
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
        let waited = back.weightless_since.map_or(Duration::ZERO, |start| since(start, self.now));
        let may_open = self.is_on_live() || waited < self.policy.install_deadline;
        let tries_again = may_open && self.tries_again(&open, &back.cause);
        if tries_again && self.lacks_instances(&open, &back) {
            waiting.push("the instances that went away to be replaced, for the next try");
        }
        if tries_again && !self.is_on_live() {
            waiting.push("the base rule to be on the live colour, for the next try");
        }
        if waiting.is_empty() {
            return self.close_returned(open, &back, tries_again);
        }
        self.because(Reason::WaitsForReturn { waiting: waiting.join(", ") });
        open.phase = Phase::Returning(back);
        self.keep(open);
    }

    /// Whether no rule gives the candidate anything; what does is put right, before anything is written.
    fn is_weightless(&mut self, open: &mut Open, back: &mut Returning) -> bool {
        let is_first = back.weightless_since.is_none();
        let Some(rules) = self.seen.rules.known().cloned() else {
            // The way back needs no look. That it was enough is seen when the rules can be read again. A rule that
            // never gave the candidate anything can wait for that: deleting it could only uncover a base rule that does.
            // One behind which the base rule was seen to do so is not deleted: it gives the live colour everything.
            if matches!(self.seen.rules, Reading::Unknown(_)) && back.had_weight {
                match (self.live_colour(), self.ledger.drifted_at) {
                    (Some(live), Some(_)) => self.covers_by_arn(open, live),
                    _ => self.delete_by_arn(open),
                }
            }
            self.again |= self.seen.rules == Reading::NotRead;
            return false;
        };
        if let Some(live) = self.live_colour().filter(|_| rules.base.is_gone()) {
            return self.keeps_the_only_rule(open, &rules, live);
        }
        let is_wrong = |live: &Colour| {
            rules.base.gives(live.other()) || rules.base.is_plain() && !rules.base.are_all_on(*live)
        };
        let uncovers = self.live_colour().filter(is_wrong);
        if let Some(live) = uncovers {
            // What the base rule gave the candidate it serves for the drain.
            back.had_weight = true;
            self.covers_base_rule(open, &rules, live);
            return false;
        }
        self.ledger.drifted_at = None;
        let Some(found) = &rules.release else {
            return !is_first || self.is_deleted(open);
        };
        match self.whose(found, Some(open)) {
            Whose::Ours => {
                open.rule = Some(found.arn.clone());
                open.missing_since = Some(self.now);
                self.delete_by_arn(open);
                self.again = true;
                false
            }
            Whose::LeftOver => {
                self.delete_after_commit(found.arn.clone());
                self.again = true;
                false
            }
            // Whosesoever it is, it is not in the way of a candidate that it gives nothing.
            Whose::Stranger | Whose::Unknown(_) => {
                let gives = found.weights.gives(open.colour);
                if gives {
                    self.because(Reason::StrangersRule { rule: found.arn.clone() });
                }
                (!is_first || self.is_deleted(open)) && !gives
            }
        }
    }

    /// Somebody has deleted the base rule: without the release's rule nobody would reach the service. It stays, with all
    /// weight on the live colour, until the base rule is made anew. It keeps its ARN, so a raise that was decided before
    /// this way back was written may still come: only when none can any more does the candidate count as weightless.
    fn keeps_the_only_rule(&mut self, open: &mut Open, rules: &Rules, live: Colour) -> bool {
        self.because(Reason::BaseRuleDrifted { weights: rules.base.clone() });
        let Some(rule) = open.rule.clone() else { return true };
        let found = rules.release.as_ref().filter(|found| found.arn == rule);
        // One list may be incomplete.
        if found.is_none_or(|found| !found.weights.are_all_on(live)) {
            self.back.push(Action::SetReleaseWeights { rule, weights: Weights::all_on(live) });
        }
        if found.is_some_and(|found| !found.weights.are_all_on(live)) {
            open.missing_since = None;
            self.again = true;
            return false;
        }
        // The pass that decides the way back has not written it yet, and what was missing before it says nothing.
        let counted = open.missing_since.filter(|start| open.since < self.now && *start > open.since);
        let start = counted.unwrap_or(self.now);
        open.missing_since = Some(start);
        since(start, self.now) >= LATE_CREATION
    }

    /// Going back may act before the commit, by the ARN alone: a rule that is gone is no failure.
    fn delete_by_arn(&mut self, open: &Open) {
        if let Some(rule) = open.rule.clone() {
            self.back.push(Action::DeleteReleaseRule { rule });
        }
    }

    /// The release's rule gives the live colour everything, and so takes it from whom the base rule gives it. By the ARN
    /// alone, like its deletion.
    fn covers_by_arn(&mut self, open: &Open, live: Colour) {
        if let Some(rule) = open.rule.clone() {
            self.back.push(Action::SetReleaseWeights { rule, weights: Weights::all_on(live) });
        }
    }

    /// Whether the rule that is not listed is gone: only after its deletion was asked for, because one list may be
    /// incomplete.
    fn is_deleted(&mut self, open: &mut Open) -> bool {
        self.delete_by_arn(open);
        let asked = open.rule.is_none() || open.missing_since.is_some();
        open.missing_since = Some(self.now);
        self.again |= !asked;
        asked
    }

    /// Deleting the release's rule would uncover the base rule, which gives the candidate traffic: it goes when the base
    /// rule was seen right.
    ///
    /// The base rule is moved after the commit. A pass that moved it and then lost the swap would leave a candidate
    /// without weight of which the ledger does not say that it has to drain.
    fn covers_base_rule(&mut self, open: &Open, rules: &Rules, live: Colour) {
        self.ledger.drifted_at = Some(self.now);
        let weights = Weights::all_on(live);
        let ours = rules.release.as_ref().filter(|rule| matches!(self.whose(rule, Some(open)), Whose::Ours));
        if let Some(rule) = ours {
            self.back.push(Action::SetReleaseWeights { rule: rule.arn.clone(), weights });
        }
        if rules.base.is_plain() {
            self.forward.push(Action::SetBaseWeights { weights });
            self.again = true;
        } else {
            self.because(Reason::BaseRuleDrifted { weights: rules.base.clone() });
        }
    }

    fn stop_deployment(&mut self, open: &mut Open) -> Stopped {
        if open.purpose == Purpose::Rollback {
            return Stopped::Yes;
        }
        match self.seen.deployment.known() {
            None => Stopped::No,
            // The list may lag behind the call that created it.
            Some(None) if open.refused.is_none() && since(open.since, self.now) < GRACE => Stopped::No,
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

    /// An instance of the deployment that is gone, or that serves neither colour, where that explains the cause: it
    /// would have failed without the release.
    fn instance_to_blame(&self, open: &Open, cause: &ReturnCause) -> Option<InstanceId> {
        let is_dead =
            |instance: &&InstanceId| is_gone(self.seen, open, instance) || self.seen.serves_neither(instance);
        let mut dead = open.targets.iter().filter(is_dead);
        match cause {
            // Each failure must be explained: one that is left is the bundle's.
            ReturnCause::PartialSuccess { failed } => {
                dead.nth(usize::try_from(*failed).ok()?.checked_sub(1)?).cloned()
            }
            cause => dead.next().filter(|_| cause.may_be_a_lost_instance()).cloned(),
        }
    }

    fn tries_again(&self, open: &Open, cause: &ReturnCause) -> bool {
        !cause.blames_the_bundle()
            && open.purpose == Purpose::Release
            && open.tries() < ATTEMPTS
            && self.ledger.next_upload(self.now).is_none()
    }

    /// Whether another attempt would find fewer instances than this one did, or a dead one. Auto Scaling replaces it
    /// now that no deployment suspends it. After the time of an installation the release waits no longer.
    fn lacks_instances(&self, open: &Open, back: &Returning) -> bool {
        let healthy = self.live_colour().map(|live| self.seen.healthy_count(live).unwrap_or(0));
        let enough = open.targets.len().max(usize::from(back.cause == ReturnCause::NoInstances));
        let waited = back.weightless_since.map_or(Duration::ZERO, |start| since(start, self.now));
        healthy.is_some_and(|healthy| healthy < enough) && waited < self.policy.install_deadline
    }

    pub(super) fn has_succeeded(&self) -> bool {
        let deployment = self.seen.deployment.known().and_then(Option::as_ref);
        deployment.is_some_and(|deployment| deployment.status == DeploymentStatus::Succeeded)
    }

    fn close_returned(&mut self, open: Open, back: &Returning, tries_again: bool) {
        if open.purpose == Purpose::Drill {
            return self.close_drill(&open, back);
        }
        if open.purpose == Purpose::Reinstall {
            return self.close_reinstallation(&open, back);
        }
        self.because(Reason::Closed { cause: back.cause.clone() });
        self.ledger.unsettled |= self.has_succeeded() && self.ledger.live.is_some();
        if tries_again {
            return self.try_again(open, back);
        }
        let newer = self.ledger.next_upload(self.now).map(|newer| newer.number);
        let said = match &back.cause {
            ReturnCause::Aborted => open.said.as_ref(),
            ReturnCause::Paused { .. } => self.ledger.pause_said.as_ref(),
            _ => None,
        };
        let verdict = match (&back.cause, newer) {
            (ReturnCause::Superseded { by }, _) => Verdict::Superseded { by: *by },
            // It would have been tried again.
            (cause, Some(by)) if !cause.blames_the_bundle() && open.purpose == Purpose::Release => {
                Verdict::Superseded { by }
            }
            (cause, _) => Verdict::Rejected { reason: statement::with(cause, said) },
        };
        self.close(open, verdict);
        if self.ledger.unsettled && self.ledger.next_upload(self.now).is_none() && self.is_on_live() {
            self.settle(None);
        }
    }

    /// Whether this pass saw the base rule give the live colour everything.
    pub(super) fn is_on_live(&self) -> bool {
        let rules = self.seen.rules.known();
        self.live_colour().is_none_or(|live| rules.is_some_and(|rules| rules.base.are_all_on(live)))
    }

    fn try_again(&mut self, open: Open, back: &Returning) {
        let attempt = open.attempt + 1;
        // A service that grows is no fault of an attempt.
        let grown = u32::from(matches!(back.cause, ReturnCause::Joined { .. }));
        self.because(Reason::TriesAgain { attempt });
        let mut next = self.new_open(Purpose::Release, open.upload, open.colour, open.strategy, open.bake);
        (next.attempt, next.first_attempt) = (attempt, open.first_attempt + grown);
        (next.rolls_back, next.said) = (open.rolls_back, open.said);
        next.gate = open.gate.and_then(|gate| Gate::with(gate.deadline));
        next.preview = open.preview.as_ref().and_then(Preview::once_more);
        next.course = open.course;
        self.ask_for(&next);
        self.keep(next);
    }
}

enum Stopped {
    Yes,
    No,
}
