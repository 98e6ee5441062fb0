//! Installing: the deployment is asked for, found again, and waited for.

use super::{Planning, schedule::since};
use crate::{
    Action, Deployment, DeploymentStatus, InstanceId, Leaving, Observation, Open, Phase, Policy, Promotion,
    Purpose, Reading, Reason, Request, ReturnCause, Shift, TargetHealth, TargetStatus, Trial,
};

impl Planning<'_> {
    pub(super) fn installing(&mut self, mut open: Open) {
        if let Some(cause) = self.give_up_before_weight(&open) {
            return self.take_back(open, cause);
        }
        self.repair_rule(&mut open);
        if open.deployment.is_none() && self.rule_is_gone(&open) {
            return self.lose_the_rule(open);
        }
        let makes_it = self.forward.iter().any(|action| matches!(action, Action::CreateReleaseRule { .. }));
        if open.deployment.is_none() && self.lacks_its_rule(&open) && !makes_it {
            // Only behind the release's rule is the colour that is installed on, and so taken down, sure to have no traffic.
            let waiting = format!("the release's rule: {}", self.why_no_rule(&open));
            self.because(Reason::WaitsForInstallation { waiting });
            return self.keep(open);
        }
        if open.deployment.is_none() && matches!(self.seen.rules, Reading::Unknown(_)) {
            let what = "rules: nothing is installed before they were read".to_owned();
            self.because(Reason::Unknown { what });
            return self.keep(open);
        }
        let Some(deployment) = self.deployment_of(&mut open) else { return self.keep(open) };
        if let Some(cause) = ended(&deployment, self.seen, &open) {
            return self.take_back(open, cause);
        }
        let readiness = self.readiness(&open);
        if !matches!(readiness, Readiness::Lost(_)) {
            open.missing_since = None;
        }
        match readiness {
            Readiness::Failed(cause) => self.take_back(open, cause),
            Readiness::Lost(instance) => {
                let cause = ReturnCause::InstanceLost { instance };
                if self.is_gone_for_good(&mut open, &cause) {
                    return self.take_back(open, cause);
                }
                self.keep(open);
            }
            Readiness::Waiting(waiting) => {
                self.because(Reason::WaitsForInstallation { waiting });
                self.keep(open);
            }
            Readiness::Ready(_) if self.lacks_its_rule(&open) => {
                let waiting = format!("the release's rule: {}", self.why_no_rule(&open));
                self.because(Reason::WaitsForInstallation { waiting });
                self.keep(open);
            }
            Readiness::Ready(instances) => {
                self.because(Reason::Installed);
                if let Some(counted) = &mut open.counted {
                    counted.keep_reports_of(&instances);
                }
                open.targets = instances;
                // They stand in `ValidateService` and ask: their silence counts from here.
                self.ledger.looked_at = Some(self.now);
                let next = match (open.purpose, &self.ledger.live, open.strategy.first()) {
                    (Purpose::Drill, ..) => Phase::Drilling,
                    (Purpose::Reinstall, ..) => Phase::Leaving(Leaving::default()),
                    // Nothing is protected by a step when nothing carries traffic yet.
                    (_, None, _) => Phase::Promoting(Promotion::default()),
                    (_, Some(_), Some(_)) => Phase::Shifting(Shift::default()),
                    (_, Some(_), None) => Phase::Baking(Trial::default()),
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
        if let Some(superseded) = self.superseded(open) {
            return Some(superseded);
        }
        if let Some(waiting) = self.others(open) {
            // Not ours to end. It may take as long as one of its hooks may.
            return (since(open.opened_at, self.now) >= Policy::HOOK_TIMEOUT)
                .then_some(ReturnCause::NoDeployment { waiting });
        }
        (since(open.could_begin_at(), self.now) >= self.policy.install_deadline)
            .then(|| self.deadline_cause(open))
    }

    /// A bundle that takes its place.
    pub(super) fn superseded(&self, open: &Open) -> Option<ReturnCause> {
        let ledger = &self.ledger;
        let newer = ledger.next_upload(self.now).filter(|newer| ledger.makes_room(open, newer.number))?;
        Some(ReturnCause::Superseded { by: newer.number })
    }

    fn deadline_cause(&self, open: &Open) -> ReturnCause {
        if self.lacks_its_rule(open) && (open.deployment.is_none() || self.is_installed(open)) {
            return ReturnCause::NoRule { detail: self.why_no_rule(open) };
        }
        if open.deployment.is_none() {
            let waiting = "the deployment to be created: see the function's log".to_owned();
            return ReturnCause::NoDeployment { waiting };
        }
        let waiting = match self.readiness(open) {
            Readiness::Waiting(waiting) => waiting,
            Readiness::Failed(_) | Readiness::Lost(_) | Readiness::Ready(_) => {
                "the last look came too late".to_owned()
            }
        };
        ReturnCause::InstallDeadline { waiting }
    }

    fn is_installed(&self, open: &Open) -> bool {
        matches!(self.readiness(open), Readiness::Ready(_))
    }

    fn lacks_its_rule(&self, open: &Open) -> bool {
        self.ledger.live.is_some() && open.rule.is_none()
    }

    /// The deployment of somebody else that keeps ours from being created: whose it is, and its id.
    fn others(&self, open: &Open) -> Option<String> {
        let active = self.seen.active.known().and_then(Option::as_ref)?;
        let is_ours = active.description.as_ref().is_some_and(|text| text.service == self.ledger.service);
        (open.deployment.is_none() && !is_ours)
            .then(|| format!("deployment {}, created by {}, to end", active.id, active.creator))
    }

    /// The deployment as this pass saw it. If there is none yet, asks CodeDeploy for one, as soon as the group has no
    /// other: it has one active deployment at most (CodeDeploy user guide, limits).
    pub(super) fn deployment_of(&mut self, open: &mut Open) -> Option<Deployment> {
        let description = open.description(&self.ledger.service);
        let active = self.seen.active.known().and_then(Option::as_ref);
        // The list by description lags, and holds no more than a page: what is active is known all the same.
        let ours = active.filter(|active| active.description.as_ref() == Some(&description));
        match self.seen.deployment.known().map(|found| found.as_ref().or(ours)) {
            Some(Some(deployment)) => {
                if open.deployment.is_none() {
                    self.because(Reason::Adopted);
                    open.deployment = Some(deployment.id.clone());
                    self.again = true;
                }
                Some(deployment.clone())
            }
            Some(None) if open.deployment.is_none() => {
                if let Some(waiting) = self.others(open) {
                    // The time of the installation counts from when it can begin.
                    open.delayed_until = Some(self.now);
                    self.because(Reason::WaitsForInstallation { waiting });
                } else if let Some(left_over) = active {
                    // A late pass has created it for a release that has ended since.
                    self.ledger.looked_at = Some(self.now);
                    self.forward.push(Action::StopDeployment { id: left_over.id.clone() });
                    let waiting = format!("deployment {}, which was left over, to stop", left_over.id);
                    self.because(Reason::WaitsForInstallation { waiting });
                } else {
                    self.because(Reason::CreatesDeployment);
                    let revision = open.upload.revision.clone();
                    self.forward.push(Action::CreateDeployment { description, revision });
                }
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
                return Readiness::Lost(instance.clone());
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
    Lost(InstanceId),
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
    let is_empty = seen.targets.known().is_some_and(Vec::is_empty);
    if deployment.status == DeploymentStatus::Succeeded && is_empty {
        return Some(ReturnCause::NoInstances);
    }
    let detail = deployment.error.clone().unwrap_or_else(|| "no error was given".to_owned());
    Some(ReturnCause::DeploymentEnded { status: status.to_owned(), detail })
}
