//! The state of the AWS in memory.

use super::names::service;
use jiff::Timestamp;
use release::evidence::PublishedMinute;
use release::{
    AlarmState, Announcement, Colour, Creator, Deployment, DeploymentId, DeploymentStatus, Description,
    InstanceId, PerColour, Receipt, ReleaseRule, Revision, Routing, RuleArn, RuleOwner, Rules,
    ScalingProcess, ServiceName, Summary, Target, TargetHealth, TargetStatus, Weights,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// When every world begins: 2026-01-01T00:00:00Z.
pub const START: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// An AWS in memory.
#[derive(Debug)]
pub struct World {
    state: Mutex<State>,
}

/// A call of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Call {
    /// The port's method.
    pub name: &'static str,
    /// How many calls of AWS its adapter makes.
    pub aws_calls: usize,
}

/// The traffic of a service was divided anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightChange {
    /// The time of the change.
    pub at: Timestamp,
    /// How it is divided from then on: by the release's rule if there is one, else by the base rule.
    pub weights: Routing,
    /// How many targets of each colour were healthy at that time.
    pub healthy: PerColour<usize>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) now: Timestamp,
    pub(super) services: BTreeMap<ServiceName, Service>,
    pub(super) tags: BTreeMap<Revision, BTreeMap<String, String>>,
    pub(super) summaries: BTreeMap<ServiceName, Summary>,
    pub(super) receipts: BTreeMap<String, Receipt>,
    pub(super) page: Option<String>,
    pub(super) blocked: Option<Vec<u8>>,
    pub(super) announced: Vec<Announcement>,
    pub(super) secrets: BTreeMap<ServiceName, u8>,
    pub(super) rule_owners: BTreeMap<RuleArn, RuleOwner>,
    pub(super) calls: Vec<Call>,
    made: u32,
}

#[derive(Debug)]
pub(super) struct Service {
    pub(super) ledger: Option<String>,
    pub(super) base: Routing,
    pub(super) release: Option<ReleaseRule>,
    pub(super) preview: Option<RuleArn>,
    /// How many looks at the rules find which older ones.
    pub(super) lag: (usize, Option<Rules>),
    pub(super) instances: BTreeMap<InstanceId, PerColour<TargetHealth>>,
    pub(super) alarms: PerColour<BTreeMap<String, AlarmState>>,
    pub(super) ok_since: BTreeMap<String, Timestamp>,
    pub(super) deployments: Vec<StoredDeployment>,
    pub(super) weight_changes: Vec<WeightChange>,
    pub(super) replaced: Vec<InstanceId>,
    pub(super) suspended: BTreeSet<ScalingProcess>,
    pub(super) published: Vec<PublishedMinute>,
}

/// A deployment and what CodeDeploy knows of it beside its description.
#[derive(Debug)]
pub(super) struct StoredDeployment {
    pub(super) deployment: Deployment,
    pub(super) revision: Revision,
    pub(super) targets: Vec<Target>,
    pub(super) listed: Listed,
}

/// Which of CodeDeploy's answers show a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// All that it belongs in.
    Everywhere,
    /// Only the one that asks for what is active: too many others came after it.
    AsActive,
    /// None, as for a while after its creation.
    Nowhere,
}

impl World {
    /// Services with two instances each, `i-<service>-1` and `i-<service>-2`, on which nothing is installed. Each
    /// colour has one alarm, `<service>-<colour>-errors`, which is `Ok`. All weight is on blue, nothing was released.
    pub fn new(services: &[&str]) -> Self {
        let services = services.iter().map(|name| (service(name), Service::new(name))).collect();
        let state = State {
            now: START,
            services,
            tags: BTreeMap::new(),
            summaries: BTreeMap::new(),
            receipts: BTreeMap::new(),
            page: None,
            blocked: None,
            announced: Vec::new(),
            secrets: BTreeMap::new(),
            rule_owners: BTreeMap::new(),
            calls: Vec::new(),
            made: 0,
        };
        Self { state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change<T>(&self, service: &ServiceName, change: impl FnOnce(&mut Service) -> T) -> T {
        let mut state = self.state();
        let Some(found) = state.services.get_mut(service) else {
            panic!("the world has no service {service}")
        };
        change(found)
    }
}

impl State {
    pub(super) fn new_rule(&mut self, service: &ServiceName, weights: Weights) -> ReleaseRule {
        self.made += 1;
        ReleaseRule {
            arn: RuleArn(format!(
                "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/{service}/{}",
                self.made
            )),
            weights: weights.into(),
        }
    }

    pub(super) fn new_deployment(
        &mut self,
        service: &ServiceName,
        creator: Creator,
        description: Option<Description>,
        revision: Revision,
    ) -> DeploymentId {
        self.made += 1;
        let id = DeploymentId(format!("d-{:09}", self.made));
        let Some(found) = self.services.get_mut(service) else {
            panic!("the world has no service {service}")
        };
        let present = found.instances.iter().filter(|(_, health)| {
            Colour::BOTH.iter().any(|colour| *health.of(*colour) != TargetHealth::Gone)
        });
        let targets = present
            .map(|(instance, _)| Target { instance: instance.clone(), status: TargetStatus::Installing })
            .collect();
        let deployment = Deployment {
            id: id.clone(),
            group: format!("shop-{service}"),
            status: DeploymentStatus::Active,
            creator,
            description,
            error: None,
            failed: 0,
        };
        found.deployments.push(StoredDeployment {
            deployment,
            revision,
            targets,
            listed: Listed::Everywhere,
        });
        id
    }
}

impl Service {
    fn new(name: &str) -> Self {
        let nothing = PerColour { blue: TargetHealth::Unhealthy, green: TargetHealth::Unhealthy };
        let alarm = |colour| BTreeMap::from([(format!("{name}-{colour}-errors"), AlarmState::Ok)]);
        Self {
            ledger: None,
            base: Weights::all_on(Colour::Blue).into(),
            release: None,
            preview: None,
            lag: (0, None),
            instances: (1..=2).map(|index| (InstanceId(format!("i-{name}-{index}")), nothing)).collect(),
            alarms: PerColour { blue: alarm(Colour::Blue), green: alarm(Colour::Green) },
            ok_since: BTreeMap::new(),
            deployments: Vec::new(),
            weight_changes: Vec::new(),
            replaced: Vec::new(),
            suspended: BTreeSet::new(),
            published: Vec::new(),
        }
    }

    pub(super) fn rules(&self) -> Rules {
        Rules { base: self.base.clone(), release: self.release.clone(), preview: self.preview.clone() }
    }

    pub(super) fn traffic(&self) -> Routing {
        self.release.as_ref().map_or(&self.base, |rule| &rule.weights).clone()
    }

    /// Changes rules, and records the moment if traffic is divided anew by that.
    pub(super) fn reweigh<T>(&mut self, at: Timestamp, change: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.traffic();
        let result = change(self);
        let weights = self.traffic();
        if weights != before {
            let healthy = |colour| {
                self.instances.values().filter(|health| *health.of(colour) == TargetHealth::Healthy).count()
            };
            let healthy = PerColour { blue: healthy(Colour::Blue), green: healthy(Colour::Green) };
            self.weight_changes.push(WeightChange { at, weights, healthy });
        }
        result
    }

    /// Sets the health of these instances in the group of the colour that a deployment installs on; what is gone stays gone.
    pub(super) fn set_health(
        &mut self,
        instances: &[InstanceId],
        colour: Option<Colour>,
        health: TargetHealth,
    ) {
        let Some(colour) = colour else { return };
        let chosen = self.instances.iter_mut().filter(|(instance, _)| instances.contains(instance));
        let known =
            chosen.map(|(_, health)| health.of_mut(colour)).filter(|known| **known != TargetHealth::Gone);
        known.for_each(|known| *known = health);
    }

    pub(super) fn active(&self) -> Option<&StoredDeployment> {
        self.deployments.iter().find(|record| record.deployment.status == DeploymentStatus::Active)
    }

    pub(super) fn active_mut(&mut self) -> Option<&mut StoredDeployment> {
        self.deployments.iter_mut().find(|record| record.deployment.status == DeploymentStatus::Active)
    }
}

impl StoredDeployment {
    /// The colour that it installs on, where it is one of ours.
    pub(super) fn colour(&self) -> Option<Colour> {
        self.deployment.description.as_ref().map(|description| description.colour)
    }

    /// Moves every instance with one status to another, and says which those were.
    pub(super) fn move_on(&mut self, from: &TargetStatus, to: &TargetStatus) -> Vec<InstanceId> {
        let moved = self.targets.iter_mut().filter(|target| target.status == *from);
        moved
            .map(|target| {
                target.status = to.clone();
                target.instance.clone()
            })
            .collect()
    }

    /// `AllAtOnce`: a success when one instance succeeded (CodeDeploy user guide, deployment configurations).
    pub(super) fn end_when_done(&mut self) {
        let under_way =
            |target: &Target| matches!(target.status, TargetStatus::Installing | TargetStatus::Validating);
        if self.deployment.status == DeploymentStatus::Active && !self.targets.iter().any(under_way) {
            let succeeded = self.targets.iter().any(|target| target.status == TargetStatus::Succeeded);
            let status = if succeeded { DeploymentStatus::Succeeded } else { DeploymentStatus::Failed };
            self.end(status, &TargetStatus::Succeeded);
        }
    }

    /// As CodeDeploy's overview counts them, while the deployment goes on too.
    pub(super) fn count_failures(&mut self) {
        let failed =
            self.targets.iter().filter(|target| matches!(target.status, TargetStatus::Failed(_))).count();
        self.deployment.failed = u32::try_from(failed).unwrap_or(u32::MAX);
    }

    pub(super) fn end(&mut self, status: DeploymentStatus, rest: &TargetStatus) {
        self.move_on(&TargetStatus::Installing, rest);
        self.move_on(&TargetStatus::Validating, rest);
        self.count_failures();
        self.deployment.status = status;
        self.deployment.error = match status {
            DeploymentStatus::Failed => Some("HEALTH_CONSTRAINTS: The overall deployment failed because too many individual instances failed deployment.".to_owned()),
            DeploymentStatus::Stopped => Some("MANUAL_STOP: The deployment was stopped by request.".to_owned()),
            DeploymentStatus::Active | DeploymentStatus::Succeeded => None,
        };
    }
}
