//! Installing: the deployment is asked for, found again, and waited for.

use super::{Planning, schedule::since};
use crate::{
    Action, Deployment, DeploymentStatus, InstanceId, Observation, Open, Phase, Promotion, Reason, Request,
    ReturnCause, RuleOwner, Shift, TargetHealth, TargetStatus, Trial,
};

impl Planning<'_> {
    pub(super) fn installing(&mut self, mut open: Open) {
        if let Some(cause) = self.give_up_before_weight(&open) {
            return self.take_back(open, cause);
        }
        self.repair_rule(&mut open);
        let Some(deployment) = self.deployment_of(&mut open) else { return self.keep(open) };
        if let Some(cause) = ended(&deployment, self.seen, &open) {
            return self.take_back(open, cause);
        }
        match self.readiness(&open) {
            Readiness::Failed(cause) => self.take_back(open, cause),
            Readiness::Waiting(waiting) => {
                self.because(Reason::WaitsForInstallation { waiting });
                self.keep(open);
            }
            Readiness::Ready(instances) => {
                self.because(Reason::Installed);
                open.targets = instances;
                // They stand in `ValidateService` and ask: their silence counts from here.
                self.ledger.looked_at = Some(self.now);
                let next = match (&self.ledger.live, open.strategy.first()) {
                    // Nothing is protected by a step when nothing carries traffic yet.
                    (None, _) => Phase::Promoting(Promotion::default()),
                    (Some(_), Some(_)) => Phase::Shifting(Shift::default()),
                    (Some(_), None) => Phase::Baking(Trial::default()),
                };
                self.enter(open, next);
            }
        }
    }

    /// What ends a release that has no weight yet.
    fn give_up_before_weight(&self, open: &Open) -> Option<ReturnCause> {
        if open.is_requested(Request::Abort) {
            return Some(ReturnCause::Aborted);
        }
        if let Some(detail) = &open.refused {
            return Some(ReturnCause::Refused { detail: detail.clone() });
        }
        if let Some(newer) = self.ledger.pending.as_ref().filter(|newer| open.yields_to(newer.number)) {
            return Some(ReturnCause::Superseded { by: newer.number });
        }
        (since(open.opened_at, self.now) >= self.policy.install_deadline).then(|| {
            let waiting = match self.readiness(open) {
                Readiness::Waiting(waiting) => waiting,
                Readiness::Failed(_) | Readiness::Ready(_) => "the last look came too late".to_owned(),
            };
            ReturnCause::InstallDeadline { waiting }
        })
    }

    /// Makes the release's rule if its creation was lost, and clears a rule that an earlier release left.
    pub(super) fn repair_rule(&mut self, open: &mut Open) {
        let Some(live) = self.live_colour() else { return };
        if open.rule.is_some() {
            return;
        }
        let Some(rules) = self.seen.rules.known() else { return };
        if let Some(found) = &rules.release {
            let Some(owner) = self.seen.rule_owner.known() else { return };
            if *owner == Some(RuleOwner { number: open.upload.number, attempt: open.attempt }) {
                // Its creator was interrupted, or has not come to write it down yet.
                open.rule = Some(found.arn.clone());
                self.because(Reason::AdoptsRule);
                return;
            }
            // A rule of an earlier attempt must not be taken over: a late writer may still hold its ARN.
            self.delete_after_commit(found.arn.clone());
        }
        // Written first: a pass that was overtaken by the end of the release would put all traffic back with a new rule.
        self.ledger.looked_at = Some(self.now);
        self.because(Reason::CreatesRule);
        self.forward
            .push(Action::CreateReleaseRule { live, release: open.description(&self.ledger.service) });
    }

    /// The deployment as this pass saw it. If there is none yet, asks CodeDeploy for one.
    pub(super) fn deployment_of(&mut self, open: &mut Open) -> Option<Deployment> {
        match self.seen.deployment.known() {
            Some(Some(deployment)) => {
                if open.deployment.is_none() {
                    self.because(Reason::Adopted);
                    open.deployment = Some(deployment.id.clone());
                    self.again = true;
                }
                Some(deployment.clone())
            }
            Some(None) if open.deployment.is_none() => {
                self.because(Reason::CreatesDeployment);
                self.forward.push(Action::CreateDeployment {
                    description: open.description(&self.ledger.service),
                    revision: open.upload.revision.clone(),
                });
                None
            }
            Some(None) | None => {
                self.because(Reason::Unknown { what: "the deployment".to_owned() });
                None
            }
        }
    }

    fn readiness(&self, open: &Open) -> Readiness {
        let Some(targets) = self.seen.targets.known() else {
            return Readiness::Waiting("the deployment's instances".to_owned());
        };
        if targets.is_empty() {
            return Readiness::Waiting("CodeDeploy to start the deployment".to_owned());
        }
        let health = self.seen.health.of(open.colour).known();
        let mut waiting = Vec::new();
        for target in targets {
            let instance = &target.instance;
            if health.is_some() && is_gone(self.seen, open, instance) {
                return Readiness::Failed(ReturnCause::InstanceLost { instance: instance.clone() });
            }
            match &target.status {
                TargetStatus::Failed(detail) => {
                    return Readiness::Failed(ReturnCause::TargetFailed {
                        instance: instance.clone(),
                        detail: detail.clone(),
                    });
                }
                TargetStatus::Installing => waiting.push(format!("{instance} to reach ValidateService")),
                TargetStatus::Validating | TargetStatus::Succeeded
                    if self.seen.is_healthy(open.colour, instance) => {}
                TargetStatus::Validating | TargetStatus::Succeeded => {
                    waiting.push(format!("{instance} to be healthy in the {} group", open.colour));
                }
            }
        }
        if waiting.is_empty() {
            Readiness::Ready(targets.iter().map(|target| target.instance.clone()).collect())
        } else {
            Readiness::Waiting(waiting.join(", "))
        }
    }
}

enum Readiness {
    Waiting(String),
    Failed(ReturnCause),
    Ready(Vec<InstanceId>),
}

/// Whether the load balancer no longer knows this instance.
pub(super) fn is_gone(seen: &Observation, open: &Open, instance: &InstanceId) -> bool {
    let Some(targets) = seen.health.of(open.colour).known() else { return false };
    targets.get(instance).is_none_or(|health| *health == TargetHealth::Gone)
}

/// Why a deployment that has ended takes the release back.
pub(super) fn ended(deployment: &Deployment, seen: &Observation, open: &Open) -> Option<ReturnCause> {
    let status = match deployment.status {
        DeploymentStatus::Active => return None,
        DeploymentStatus::Succeeded => "Succeeded",
        DeploymentStatus::Failed => "Failed",
        DeploymentStatus::Stopped => "Stopped",
    };
    let known: Vec<&InstanceId> = match seen.targets.known() {
        Some(targets) => targets.iter().map(|target| &target.instance).collect(),
        None => open.targets.iter().collect(),
    };
    if let Some(instance) = known.into_iter().find(|instance| is_gone(seen, open, instance)) {
        return Some(ReturnCause::InstanceLost { instance: instance.clone() });
    }
    if let Some(failed) = seen.targets.known().and_then(|targets| {
        targets.iter().find_map(|target| match &target.status {
            TargetStatus::Failed(detail) => Some((target.instance.clone(), detail.clone())),
            TargetStatus::Installing | TargetStatus::Validating | TargetStatus::Succeeded => None,
        })
    }) {
        return Some(ReturnCause::TargetFailed { instance: failed.0, detail: failed.1 });
    }
    let detail = deployment.error.clone().unwrap_or_else(|| "no error was given".to_owned());
    Some(ReturnCause::DeploymentEnded { status: status.to_owned(), detail })
}
