//! What a pass sees of AWS, and which of it a phase needs to see.

use super::{
    Colour, DeploymentId, Description, InstanceId, Ledger, PerColour, Phase, Policy, Purpose, ReleaseNumber,
    RuleArn, Weights,
    plan::{rollback, scaling, schedule},
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
    /// Where it stands.
    pub status: DeploymentStatus,
    /// Who started it.
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
    /// Its weights.
    pub weights: Weights,
}

/// Whose a release's rule is, as its tags say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RuleOwner {
    /// The release's number.
    pub number: ReleaseNumber,
    /// The release's attempt.
    pub attempt: u32,
}

/// The rules of a service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rules {
    /// The base rule's weights.
    pub base: Weights,
    /// The rule at the priority reserved for a release, if there is one.
    pub release: Option<ReleaseRule>,
}

/// Everything that one pass saw.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Observation {
    /// The open release's deployment. `Known(None)`: CodeDeploy has none with its id or description.
    pub deployment: Reading<Option<Deployment>>,
    /// That deployment's instances.
    pub targets: Reading<Vec<Target>>,
    /// The service's rules.
    pub rules: Reading<Rules>,
    /// Whose the release's rule is. `Known(None)`: it carries no tags of ours, or there is none.
    pub rule_owner: Reading<Option<RuleOwner>>,
    /// The targets of each colour's group.
    pub health: PerColour<Reading<BTreeMap<InstanceId, TargetHealth>>>,
    /// The alarms of each colour.
    pub alarms: PerColour<Reading<BTreeMap<String, AlarmState>>>,
    /// Which of the processes that a deployment suspends are suspended.
    #[serde(default)]
    pub suspended: Reading<BTreeSet<ScalingProcess>>,
}

/// What a pass has to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Reads {
    /// The open release's deployment, by id or else by description.
    pub deployment: bool,
    /// That deployment's instances.
    pub targets: bool,
    /// The service's rules.
    pub rules: bool,
    /// Whose the release's rule is, if there is one: one more call, only where the ledger does not know.
    pub rule_owner: bool,
    /// The targets of these groups.
    pub health: PerColour<bool>,
    /// The alarms of both colours; one call reads them all.
    pub alarms: bool,
    /// The suspended processes of the Auto Scaling group.
    pub suspended: bool,
}

/// What this ledger needs to see before anything can be decided.
///
/// Kept as small as the phase allows: a poll that changes nothing costs six calls, one that raises ten.
pub fn reads(ledger: &Ledger, policy: &Policy, now: Timestamp) -> Reads {
    let Some(open) = &ledger.open else {
        return idle_reads(ledger, policy, now);
    };
    let mut reads = Reads { deployment: open.purpose != Purpose::Rollback, ..Reads::default() };
    match &open.phase {
        Phase::Installing => {
            reads.targets = open.deployment.is_some();
            *reads.health.of_mut(open.colour) = open.deployment.is_some();
            reads.rules = ledger.live.is_some() && open.rule.is_none();
            reads.rule_owner = reads.rules;
        }
        Phase::Shifting { .. } | Phase::Baking | Phase::Promoting => {
            reads.rules = true;
            reads.rule_owner = ledger.live.is_some() && open.rule.is_none();
            reads.alarms = true;
            *reads.health.of_mut(open.colour) = true;
            // Only a raise is compared with the live colour's capacity.
            *reads.health.of_mut(open.colour.other()) = schedule::raise_may_be_due(ledger, open, policy, now);
        }
        Phase::Returning(_) => {
            reads.rules = true;
            // Whether it was the bundle or an instance, and whether there are enough for the next try.
            let had_targets = !open.targets.is_empty();
            reads.health = PerColour { blue: had_targets, green: had_targets };
        }
        Phase::Settling => {}
    }
    reads
}

/// Two calls a tick, three with healing; more only within the rollback window, after drift, and after a release.
fn idle_reads(ledger: &Ledger, policy: &Policy, now: Timestamp) -> Reads {
    let Some(live) = &ledger.live else { return Reads::default() };
    let may_roll_back = rollback::is_armed(ledger, policy, now);
    let compares = ledger.rollback || may_roll_back || ledger.drifted_at.is_some();
    let mut reads = Reads {
        rules: true,
        alarms: may_roll_back || ledger.pending.is_some(),
        suspended: scaling::is_looked_at(ledger, now),
        ..Reads::default()
    };
    *reads.health.of_mut(live.colour) = compares || !policy.heal_after.is_zero();
    *reads.health.of_mut(live.colour.other()) = compares;
    reads
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
