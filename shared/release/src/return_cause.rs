//! What takes an open release back.

use crate::evidence::{AtMax, BadMinutes, Compared, Judgement, TimeIsOver};
use crate::{Before, InstanceId, ReleaseNumber};
use serde::{Deserialize, Serialize};

/// What takes an open release back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum ReturnCause {
    /// A candidate alarm.
    #[error("alarm {alarm} fired on the candidate colour: see its metric, mend the bundle, push again")]
    Alarm {
        /// The alarm's name.
        alarm: String,
    },
    /// The candidate fails more of its requests than live does.
    #[error("{}: see the application log on {}", Judgement::Worse(*compared), compared.candidate)]
    Worse {
        /// The counts, and the odds.
        compared: Compared,
    },
    /// More minutes are bad than the service's own week explains, on both colours together. The bundle is not to blame.
    #[error("{}: see the applications' logs, and what both colours use", Judgement::Past(*past))]
    Past {
        /// The minutes.
        past: BadMinutes,
    },
    /// The time of the evidence step is over, and nothing is proven.
    #[error("its time ended with nothing proven ({}): retry when more requests come, or change AtMax", Judgement::AtMax(*over))]
    Unproven {
        /// What was counted, and what was to follow.
        over: TimeIsOver,
    },
    /// Targets of the candidate failed their health checks for longer than the grace.
    #[error(
        "{unhealthy} of {targets} candidate targets failed health checks longer than the grace: see the application log on them"
    )]
    Unhealthy {
        /// How many targets are unhealthy.
        unhealthy: usize,
        /// How many targets there are.
        targets: usize,
    },
    /// Facts could not be read for too long.
    #[error(
        "facts could not be read for too long ({what}): see the function's log for throttling or missing permissions, then retry"
    )]
    UnknownTooLong {
        /// What could not be read.
        what: String,
    },
    /// The same alarms fire on both colours for too long, and the counts blame neither. The bundle is not to blame.
    #[error(
        "the same alarms fire on both colours for too long ({}), and what was counted blames neither: see what both use, and whether the candidate leaves the live version memory and connections enough",
        alarms.join(", ")
    )]
    FireOnBoth {
        /// The alarms' names, the candidate's before its counterpart.
        alarms: Vec<String>,
    },
    /// A hook failed on an instance, or the candidate answers otherwise than its `smoke.txt` says.
    #[error("installation failed on {instance}: {detail}")]
    TargetFailed {
        /// The instance.
        instance: InstanceId,
        /// The event, the script and its last words.
        detail: String,
    },
    /// CodeDeploy ended the deployment.
    #[error("CodeDeploy ended the deployment as {status}: {detail}")]
    DeploymentEnded {
        /// CodeDeploy's status.
        status: String,
        /// CodeDeploy's error.
        detail: String,
    },
    /// CodeDeploy would not open the deployment.
    #[error("CodeDeploy refused the deployment: {detail}")]
    Refused {
        /// CodeDeploy's words.
        detail: String,
    },
    /// The installation took too long.
    #[error(
        "not every target was installed and healthy within the deadline ({waiting}): see CodeDeploy's log on the instances"
    )]
    InstallDeadline {
        /// What was waited for.
        waiting: String,
    },
    /// Proof for a raise did not come for too long.
    #[error(
        "the next raise could not be proven safe for too long ({waiting}): see the candidate's health and alarms"
    )]
    NotProven {
        /// What was waited for.
        waiting: String,
    },
    /// An instance went away under the deployment, or serves neither colour; the bundle is not to blame.
    #[error("instance {instance} went away during the release, or serves neither version any more")]
    InstanceLost {
        /// The instance.
        instance: InstanceId,
    },
    /// No hook asked for too long: the instances are gone, or the function that answers them is broken.
    #[error(
        "no hook has asked for {seconds} s: see the log of the lifecycle function and the instances, then retry"
    )]
    Silent {
        /// For how long, in seconds.
        seconds: u64,
    },
    /// The load balancer would not create the release's rule.
    #[error(
        "the release's rule could not be created ({detail}): no traffic was moved by it; mend that, then retry"
    )]
    NoRule {
        /// The load balancer's words, or what stands in the way.
        detail: String,
    },
    /// CodeDeploy did not open the deployment in time.
    #[error("CodeDeploy did not open the deployment in time ({waiting}): retry when it can")]
    NoDeployment {
        /// What was waited for.
        waiting: String,
    },
    /// The deployment group has no instances, so that nothing was installed.
    #[error("the deployment group has no instances, so nothing was installed: start one, then retry")]
    NoInstances,
    /// An operator paused it for so long that the rest does not fit into CodeDeploy's hour any more.
    #[error(
        "paused by an operator until {seconds} s after it opened: what remains does not fit into CodeDeploy's hour for a hook; send resume, then retry"
    )]
    Paused {
        /// Since it opened, in seconds.
        seconds: u64,
    },
    /// The service grew under the release: the newcomers have no candidate.
    #[error(
        "{instances} instances joined during the release and have no candidate, which then has less capacity than the live colour: retry"
    )]
    Joined {
        /// How many.
        instances: usize,
    },
    /// The gate said no, or not yes in time.
    #[error("the gate gave no yes before {before}: {said}; see the gate's log, then retry")]
    Gate {
        /// What needs its yes.
        before: Before,
        /// What it said, or why it said nothing.
        said: String,
    },
    /// The alarm that a drill has set was obeyed.
    #[error("a drill: alarm {alarm} was set to see that it is obeyed")]
    Drilled {
        /// The alarm's name.
        alarm: String,
    },
    /// The alarm of a drill was not set, or not heard.
    #[error("the drill failed: {detail}")]
    DrillFailed {
        /// What went wrong.
        detail: String,
    },
    /// A reinstallation has done what it is for.
    #[error("it stands by again, installed and left running")]
    StandsBy,
    /// A reinstallation was installed, and was not seen to run on.
    #[error("it does not stand by: {why}")]
    DoesNotStandBy {
        /// What was seen, or was not.
        why: String,
    },
    /// An operator gave it up.
    #[error("aborted by an operator")]
    Aborted,
    /// A newer upload took its place before it had weight.
    #[error("superseded by {by}")]
    Superseded {
        /// The newer one.
        by: ReleaseNumber,
    },
    /// The release's rule was deleted from outside this pass, which returned all traffic.
    #[error(
        "the release's rule was deleted, which returned all traffic: by hand, or by the alarm function while the ledger could not be reached; see its log, then push again or retry"
    )]
    RuleDeleted,
    /// CodeDeploy called it a success though instances failed.
    #[error("CodeDeploy reports success, but {failed} instances failed: see the deployment's targets")]
    PartialSuccess {
        /// How many instances failed.
        failed: u32,
    },
}

impl ReturnCause {
    /// Whether the same bundle would fail again. Where not, the release is tried once more by itself.
    pub fn blames_the_bundle(&self) -> bool {
        !matches!(
            self,
            Self::Past { .. }
                | Self::FireOnBoth { .. }
                | Self::Unproven { over: TimeIsOver { what: AtMax::Wait, .. } }
                | Self::InstanceLost { .. }
                | Self::NotProven { .. }
                | Self::NoRule { .. }
                | Self::NoDeployment { .. }
                | Self::NoInstances
                | Self::Paused { .. }
                | Self::Joined { .. }
        )
    }

    /// Whether a dying instance can first show up as this cause: failed requests, failed checks, a silent hook, or a
    /// rule that another pass already deleted because of those.
    pub fn may_be_a_lost_instance(&self) -> bool {
        matches!(
            self,
            Self::Alarm { .. }
                | Self::Worse { .. }
                | Self::Past { .. }
                | Self::FireOnBoth { .. }
                | Self::Unhealthy { .. }
                | Self::Silent { .. }
                | Self::RuleDeleted
        )
    }
}
