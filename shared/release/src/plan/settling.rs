//! Settling: the live revision is deployed once more, so that new instances boot what carries traffic.

use super::{Planning, schedule::since};
use crate::{Action, DeploymentStatus, Open, Reason, Request, Verdict, statement};

/// How many attempts settling gets before an operator has to look.
const ATTEMPTS: u32 = 3;

impl Planning<'_> {
    pub(super) fn settling(&mut self, mut open: Open) {
        if let Some(detail) = open.refused.take() {
            return self.settle_again(open, &detail);
        }
        let Some(live) = self.ledger.live.clone() else { return self.keep(open) };
        let drifted = !self.sees_traffic_on(&live);
        if open.deployment.is_none() && (drifted || self.waits_for_drain()) {
            if open.is_requested(Request::Abort) {
                let given_up = statement::with("given up by an operator", open.said.as_ref());
                return self.settle_again(open, &given_up);
            }
            return self.keep(open);
        }
        let Some(deployment) = self.deployment_of(&mut open) else { return self.keep(open) };
        match deployment.status {
            DeploymentStatus::Succeeded => {
                self.because(Reason::Settled);
                self.ledger.unsettled = false;
                self.close(open, Verdict::Live);
            }
            DeploymentStatus::Active => {
                let waiting = "the live revision on the idle colour".to_owned();
                let too_long = since(open.could_begin_at(), self.now) >= self.policy.install_deadline;
                // The colour that it is about to be installed on has the traffic.
                let serves = self.seen.rules.known().is_some() && !self.is_on_live();
                // A newer bundle does better what settling is for.
                let yields = self.ledger.next_upload(self.now).is_some() || open.is_requested(Request::Abort);
                if too_long || serves || yields {
                    self.forward.push(Action::StopDeployment { id: deployment.id });
                }
                self.because(Reason::WaitsForInstallation { waiting });
                self.keep(open);
            }
            DeploymentStatus::Failed | DeploymentStatus::Stopped => {
                let detail = deployment.error.unwrap_or_else(|| "CodeDeploy gave no error".to_owned());
                self.settle_again(open, &detail);
            }
        }
    }

    fn settle_again(&mut self, open: Open, detail: &str) {
        let yields = self.ledger.next_upload(self.now).is_some() || open.is_requested(Request::Abort);
        if open.tries() >= ATTEMPTS || yields {
            self.because(Reason::NotSettled { detail: detail.to_owned() });
            return self
                .close(open, Verdict::Rejected { reason: format!("settling failed: {detail}; push again") });
        }
        self.settle(Some(&open));
    }
}
