//! Returning: the release's rule goes, the deployment stops, the hold passes.

use super::{Pass, schedule::since};
use crate::release::{
    Action, DeploymentStatus, Open, Phase, Purpose, Reason, ReturnCause, Returning, Verdict, Weights,
};

/// How many attempts a release gets when the bundle is not to blame.
const ATTEMPTS: u32 = 2;

impl Pass<'_> {
    pub(super) fn returning(&mut self, mut open: Open) {
        let Phase::Returning(mut back) = open.phase.clone() else { return self.keep(open) };
        let mut waiting = Vec::new();
        if !self.is_weightless(&mut open) {
            waiting.push("all weight to be back on the live colour");
            back.weightless_since = None;
        } else if back.weightless_since.is_none() {
            back.weightless_since = Some(self.now);
        }
        match self.stop_deployment(&mut open) {
            Stopped::No => waiting.push("the deployment to stop"),
            Stopped::Yes => {}
        }
        let held = back.weightless_since.is_some_and(|start| since(start, self.now) >= self.policy.hold);
        if open.had_weight && !held {
            waiting.push("the hold, while the load balancer still sends late requests");
        }
        if waiting.is_empty() {
            return self.close_returned(open, &back);
        }
        self.because(Reason::WaitsForReturn { waiting: waiting.join(", ") });
        open.phase = Phase::Returning(back);
        self.keep(open);
    }

    /// Whether no rule gives the candidate anything; what does is put right, before anything is written.
    fn is_weightless(&mut self, open: &mut Open) -> bool {
        let Some(rules) = self.seen.rules.known().cloned() else { return false };
        let drifted_from = self.live_colour().filter(|live| !rules.base.are_all_on(*live));
        match (&rules.release, drifted_from) {
            (None, None) => return true,
            (Some(rule), None) if open.rule.as_ref() == Some(&rule.arn) => {
                self.back.push(Action::DeleteReleaseRule { rule: rule.arn.clone() });
            }
            (Some(rule), None) => self.delete_after_commit(rule.arn.clone()),
            (rule, Some(live)) => {
                // What the base rule gave the candidate it serves for the hold.
                open.had_weight = true;
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

    fn close_returned(&mut self, open: Open, back: &Returning) {
        let succeeded = self
            .seen
            .deployment
            .known()
            .and_then(Option::as_ref)
            .is_some_and(|deployment| deployment.status == DeploymentStatus::Succeeded);
        self.because(Reason::Closed { cause: back.cause.clone() });
        let tries_again =
            !back.cause.blames_the_bundle() && open.tries() < ATTEMPTS && self.ledger.pending.is_none();
        self.ledger.unsettled |= succeeded;
        if tries_again && !succeeded && open.purpose == Purpose::Release {
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
