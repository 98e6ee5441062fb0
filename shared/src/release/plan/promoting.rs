//! Promoting: success is written; CodeDeploy agrees, the base rule moves, the release's rule goes.

use super::Pass;
use super::watch::Watch;
use crate::release::{Action, DeploymentStatus, Live, Open, Phase, Purpose, Reason, ReturnCause, Verdict, Weights};

impl Pass<'_> {
    pub(super) fn promoting(&mut self, mut open: Open) {
        let agreed = open.purpose == Purpose::Rollback
            || self.seen.deployment.known().and_then(Option::as_ref).is_some_and(|deployment| {
                deployment.status == DeploymentStatus::Succeeded && open.deployment.as_ref() == Some(&deployment.id)
            });
        if !agreed {
            match self.watch(&mut open) {
                Watch::Back(cause) => return self.take_back(open, cause),
                Watch::Hold => {}
                Watch::Fine => self.because(Reason::WaitsForCodeDeploy),
            }
            return self.keep(open);
        }
        let failed = self.seen.deployment.known().and_then(Option::as_ref).map_or(0, |deployment| deployment.failed);
        if failed > 0 && self.ledger.live.is_some() {
            return self.take_back(open, ReturnCause::PartialSuccess { failed });
        }
        let Some(rules) = self.seen.rules.known() else {
            self.because(Reason::Unknown { what: "rules".to_owned() });
            return self.keep(open);
        };
        if !rules.base.are_all_on(open.colour) {
            self.because(Reason::MovesBaseRule);
            self.forward.push(Action::SetBaseWeights { weights: Weights::all_on(open.colour) });
            self.again = true;
            return self.keep(open);
        }
        if let Some(rule) = &rules.release {
            self.because(Reason::DeletesReleaseRule);
            self.forward.push(Action::DeleteReleaseRule { rule: rule.arn.clone() });
            self.again = true;
            return self.keep(open);
        }
        self.go_live(open);
    }

    fn go_live(&mut self, open: Open) {
        self.because(Reason::WentLive);
        let live = Live { colour: open.colour, upload: open.upload.clone(), since: self.now };
        self.ledger.previous = self.ledger.live.replace(live);
        let purpose = open.purpose;
        self.close(open, Verdict::Live);
        if purpose == Purpose::Rollback {
            self.settle(1);
        }
    }

    /// Opens the deployment that makes the live revision CodeDeploy's last successful one again.
    pub(super) fn settle(&mut self, attempt: u32) {
        let Some(live) = self.ledger.live.clone() else { return };
        self.because(Reason::Settles);
        let mut open = self.new_open(
            Purpose::Settle,
            live.upload,
            live.colour.other(),
            crate::release::Strategy::AllAtOnce,
            std::time::Duration::ZERO,
        );
        open.phase = Phase::Settling;
        open.attempt = attempt;
        // What ran on the idle colour is about to be replaced by the live revision.
        self.ledger.previous = None;
        self.forward.push(Action::CreateDeployment {
            description: open.description(&self.ledger.service),
            revision: open.upload.revision.clone(),
        });
        self.keep(open);
    }
}
