//! What a pass sees of AWS.

use crate::evidence::{PublishedMinute, Report, Week};
use crate::{
    Colour, DeploymentId, Description, GateReport, InstanceId, PerColour, ReleaseNumber, Routing, RuleArn,
    SmokeReport,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A fact, or why there is none.
///
/// Unknown is neither healthy nor unhealthy: the weight stays.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading<T> {
    /// This pass did not need it.
    #[default]
    NotRead,
    /// It could not be read: throttled, failed, timed out.
    Unknown(String),
    /// As AWS said.
    Known(T),
}

impl<T> Reading<T> {
    /// The fact, if there is one.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(fact) => Some(fact),
            Self::NotRead | Self::Unknown(_) => None,
        }
    }
}

/// Who started a deployment (CodeDeploy API, `DeploymentInfo.creator`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Creator {
    /// An API call: ours, if the description is ours.
    User,
    /// CodeDeploy or Auto Scaling by themselves: `autoscaling`, `CodeDeployAutoUpdate`, `codeDeployRollback`, …
    Service(String),
}

impl std::fmt::Display for Creator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User => f.write_str("a person"),
            Self::Service(name) => f.write_str(name),
        }
    }
}

/// A deployment's status (CodeDeploy API, `DeploymentStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DeploymentStatus {
    /// `Created`, `Queued`, `InProgress`, `Baking` or `Ready`: it may still change instances.
    Active,
    /// `Succeeded`.
    Succeeded,
    /// `Failed`.
    Failed,
    /// `Stopped`.
    Stopped,
}

/// A deployment as CodeDeploy describes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// The name of its deployment group.
    pub group: String,
    /// Its status.
    pub status: DeploymentStatus,
    /// The one who created it.
    pub creator: Creator,
    /// Its description, if it is one of ours.
    pub description: Option<Description>,
    /// CodeDeploy's error code and message, if it gave one.
    pub error: Option<String>,
    /// How many of its instances failed or were skipped (`deploymentOverview`).
    pub failed: u32,
}

/// One instance of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The instance.
    pub instance: InstanceId,
    /// How far it is.
    pub status: TargetStatus,
}

/// How far an instance is with its deployment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TargetStatus {
    /// Before `ValidateService`.
    Installing,
    /// In `ValidateService`: it asks, and waits for the answer.
    Validating,
    /// Through all events.
    Succeeded,
    /// An event failed; the event, the script and its last words.
    Failed(String),
}

/// The state of a target in a target group (load balancing API, `TargetHealthStateEnum`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TargetHealth {
    /// `healthy`.
    Healthy,
    /// `unhealthy` and `unhealthy.draining`.
    Unhealthy,
    /// `initial`, `draining`, `unavailable`: not proven either way.
    Unproven,
    /// `unused`: the instance is gone, stopped or not registered.
    Gone,
}

/// The state of an alarm (CloudWatch API, `StateValue`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AlarmState {
    /// `OK`.
    Ok,
    /// `ALARM`.
    Firing,
    /// `INSUFFICIENT_DATA`: not judged yet. An alarm that treats missing data as not breaching leaves this state
    /// within minutes of its creation.
    NoData,
    /// There is no alarm of that name.
    Missing,
}

/// What CloudWatch says of a service's alarms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Alarms {
    /// The state of each alarm of a colour.
    pub states: PerColour<BTreeMap<String, AlarmState>>,
    /// Since when those that are `OK` are so, where it is known (CloudWatch API, `StateTransitionedTimestamp`).
    pub ok_since: BTreeMap<String, Timestamp>,
}

/// A process of Auto Scaling that `CreateDeployment` suspends while a deployment is open
/// (`ec2DeploymentOptions`), and that CodeDeploy can fail to resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ScalingProcess {
    /// `AZRebalance`.
    AzRebalance,
    /// `InstanceRefresh`.
    InstanceRefresh,
    /// `ScheduledActions`.
    ScheduledActions,
    /// `Terminate`.
    Terminate,
}

impl ScalingProcess {
    /// All four.
    pub const ALL: [Self; 4] =
        [Self::AzRebalance, Self::InstanceRefresh, Self::ScheduledActions, Self::Terminate];

    /// Auto Scaling's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AzRebalance => "AZRebalance",
            Self::InstanceRefresh => "InstanceRefresh",
            Self::ScheduledActions => "ScheduledActions",
            Self::Terminate => "Terminate",
        }
    }
}

/// A release's own rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ReleaseRule {
    /// Its ARN.
    pub arn: RuleArn,
    /// How it divides traffic.
    pub weights: Routing,
}

/// Whose a release's rule is, as its tags say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RuleOwner {
    /// The release's number.
    pub number: ReleaseNumber,
    /// The release's attempt.
    pub attempt: u32,
    /// The colour that the rule may give traffic instead of the live one. `None`: an older version made the rule.
    #[serde(default)]
    pub candidate: Option<Colour>,
}

impl RuleOwner {
    /// Whose rule it is that is made for this release.
    pub fn of(release: &Description) -> Self {
        Self { number: release.number, attempt: release.attempt, candidate: Some(release.colour) }
    }
}

/// The rules of a service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rules {
    /// How the base rule divides traffic.
    pub base: Routing,
    /// The rule at the priority reserved for a release, if there is one.
    pub release: Option<ReleaseRule>,
    /// The rule of a preview at the priority reserved for one: it has the preview's header among its conditions, and leads to a
    /// group of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<RuleArn>,
}

/// Everything that one pass saw.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Observation {
    /// The open release's deployment. `Known(None)`: CodeDeploy has none with its id or description.
    pub deployment: Reading<Option<Deployment>>,
    /// That deployment's instances.
    pub targets: Reading<Vec<Target>>,
    /// The deployment of the service's group that may still change instances, whoever created it.
    #[serde(default)]
    pub active: Reading<Option<Deployment>>,
    /// The service's rules.
    pub rules: Reading<Rules>,
    /// The release that owns the release's rule. `Known(None)`: the rule carries no tags of ours, or there is no rule.
    pub rule_owner: Reading<Option<RuleOwner>>,
    /// The targets of each colour's group.
    pub health: PerColour<Reading<BTreeMap<InstanceId, TargetHealth>>>,
    /// The alarms of each colour.
    pub alarms: PerColour<Reading<BTreeMap<String, AlarmState>>>,
    /// Since when those alarms are `OK` that are, where it is known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ok_since: BTreeMap<String, Timestamp>,
    /// Which of the processes that a deployment suspends are suspended.
    #[serde(default)]
    pub suspended: Reading<BTreeSet<ScalingProcess>>,
    /// What CloudWatch published of both colours, oldest minute first.
    #[serde(default)]
    pub published: Reading<Vec<PublishedMinute>>,
    /// What the service's week was like, by what CloudWatch published of it.
    #[serde(default)]
    pub week: Reading<Week>,
    /// What the hook that woke this pass has reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// What that hook has asked of both colours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoke: Option<SmokeReport>,
    /// What the gate has answered since the pass before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateReport>,
}

impl Observation {
    /// Whether this instance was seen healthy in this colour's group.
    pub fn is_healthy(&self, colour: Colour, instance: &InstanceId) -> bool {
        self.health
            .of(colour)
            .known()
            .is_some_and(|targets| targets.get(instance) == Some(&TargetHealth::Healthy))
    }

    /// Whether this instance is unhealthy on both colours: it would fail whatever is installed on one of them.
    pub fn serves_neither(&self, instance: &InstanceId) -> bool {
        Colour::BOTH.iter().all(|colour| {
            let targets = self.health.of(*colour).known();
            targets.is_some_and(|targets| targets.get(instance) == Some(&TargetHealth::Unhealthy))
        })
    }

    /// How many targets of this colour were seen healthy.
    pub fn healthy_count(&self, colour: Colour) -> Option<usize> {
        let healthy = |targets: &BTreeMap<_, _>| {
            targets.values().filter(|health| **health == TargetHealth::Healthy).count()
        };
        self.health.of(colour).known().map(healthy)
    }

    /// The id of the deployment that was seen.
    pub fn deployment_id(&self) -> Option<&DeploymentId> {
        self.deployment.known().and_then(Option::as_ref).map(|deployment| &deployment.id)
    }
}
