//! Why: every decision says, "did nothing" too.

pub mod explained;
mod sentence;

use crate::evidence::{AtMax, BadMinutes, Compared, Judgement, TimeIsOver};
use crate::{Before, Colour, InstanceId, ReleaseNumber, Routing, RuleArn};
use jiff::Timestamp;
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
    #[error("{}: see the application's log on {}", Judgement::Worse(*compared), compared.candidate)]
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
        "{unhealthy} of {targets} candidate targets failed health checks longer than the grace: see the application's log on them"
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

/// Why a pass did what it did.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// The ledger was written by a newer version of Greenlight: nothing is decided on it and nothing is written.
    NewerLedger {
        /// Its schema.
        found: u64,
        /// The newest schema that this version reads.
        known: u64,
    },
    /// Nothing is open and nothing waits.
    NothingToDo,
    /// The base rule does not put all traffic on the live colour.
    BaseRuleDrifted {
        /// What was seen.
        weights: Routing,
    },
    /// While traffic is where no release has put it nothing opens. What waits is not lost.
    WaitsForBaseRule {
        /// What an operator can do.
        todo: String,
    },
    /// An operator has moved the traffic to the previous colour, and it stays there: a rollback by hand.
    AdoptsRollback {
        /// The release that is live again.
        number: ReleaseNumber,
    },
    /// A rule that is not ours stands at the priority that is reserved for a release.
    StrangersRule {
        /// The rule.
        rule: RuleArn,
    },
    /// Something of the release is missing from AWS's answers. One answer may be incomplete.
    Missing {
        /// What it would mean.
        what: String,
    },
    /// The base rule is set to the live colour again, which is proven healthy.
    RepairsBaseRule,
    /// A rule stands at the priority reserved for a release, with no release open.
    StrayReleaseRule,
    /// Processes of Auto Scaling stay suspended though no deployment is open.
    ScalingSuspended {
        /// Auto Scaling's names of them.
        processes: Vec<String>,
    },
    /// An instance is unhealthy on the live colour.
    Ailing {
        /// The instance.
        instance: InstanceId,
        /// For how long, in seconds.
        seconds: u64,
    },
    /// The instance is handed to Auto Scaling for replacement.
    Replaces {
        /// The instance.
        instance: InstanceId,
    },
    /// An instance is due for replacement and stays, because it is all there is or another one was just replaced.
    NotReplaced {
        /// The instance.
        instance: InstanceId,
        /// What is waited for.
        waiting: String,
    },
    /// An alarm of the live colour fires within the rollback window.
    LiveAlarm {
        /// The alarm's name.
        alarm: String,
    },
    /// More minutes were bad since the live colour took all traffic than the week before explains.
    LiveMinutes {
        /// The minutes.
        past: BadMinutes,
    },
    /// That alarm may have seen an instance die, which serves neither colour now: nothing is rolled back for it.
    MayBeTheInstance {
        /// The instance.
        instance: InstanceId,
    },
    /// A release opens.
    Opens {
        /// Its number.
        number: ReleaseNumber,
        /// Its attempt.
        attempt: u32,
    },
    /// A release can never fit into a hook's time-out.
    TooLong {
        /// What it would take at most, in seconds.
        seconds: u64,
    },
    /// A setting of the functions is wrong: no release opens, and what is open goes on, or back.
    WrongSettings,
    /// A rollback starts.
    RollsBack {
        /// To this release.
        number: ReleaseNumber,
    },
    /// The previous colour cannot carry the traffic: its revision is released again.
    PreviousNotRunning,
    /// A deployment whose reply was lost was found again.
    Adopted,
    /// The release's rule, whose creation was not written down, was found again.
    AdoptsRule,
    /// The release's rule, whose creation was lost, is created.
    CreatesRule,
    /// CodeDeploy is asked for the deployment.
    CreatesDeployment,
    /// Installation goes on.
    WaitsForInstallation {
        /// The missing condition, such as "i-1 to be healthy".
        waiting: String,
    },
    /// Every target stands in `ValidateService` and is healthy.
    Installed,
    /// The weight goes up.
    Raises {
        /// The candidate's share, in percent.
        percent: u8,
    },
    /// The step's or the bake's time is not over.
    WaitsForTime {
        /// What remains, in seconds.
        seconds: u64,
    },
    /// What was counted of both colours says so: it goes on, gets a larger share, or waits.
    Judged {
        /// What the counts say.
        judgement: Judgement,
    },
    /// CloudWatch's counts could not be read: they speak neither for the candidate nor against it.
    CountsUnreadable {
        /// Why not.
        why: String,
    },
    /// The idle colour still serves late requests: nothing is installed on it before the drain is over.
    #[serde(alias = "waits_for_hold")]
    WaitsForDrain {
        /// What remains, in seconds.
        seconds: u64,
    },
    /// An operator lets no release open for a time: what was uploaded waits.
    Frozen {
        /// Until when.
        until: Timestamp,
        /// Why, in the operator's words.
        why: String,
    },
    /// An operator holds the release.
    Paused,
    /// A raise is due but not proven safe.
    NotProven {
        /// The missing condition, such as "i-1 to be healthy".
        waiting: String,
    },
    /// All else is proven, and the gate has not said yes yet: the weight stays.
    WaitsForGate {
        /// What needs its yes.
        before: Before,
        /// Since when it is waited for.
        since: Timestamp,
        /// From then on silence is no.
        until: Timestamp,
        /// Why its last answer was neither yes nor no; `None` where it gave none.
        so_far: Option<String>,
    },
    /// A preview: the weight stays.
    Previews {
        /// When it is over.
        until: Timestamp,
        /// Whether its rule was seen. Until then nobody is led to the candidate.
        stands: bool,
    },
    /// There is no rule for a preview, and the release goes on without one.
    NoPreview {
        /// Why, in the load balancer's words.
        why: String,
    },
    /// A preview's rule is deleted, because none is wanted any more.
    DeletesPreview {
        /// The rule.
        rule: RuleArn,
    },
    /// Facts could not be read: the weight stays.
    Unknown {
        /// The facts, and why each could not be read.
        what: String,
    },
    /// Candidate targets are unhealthy, within the grace.
    UnhealthyWithinGrace {
        /// How many targets are unhealthy.
        unhealthy: usize,
    },
    /// Candidate alarms that do not exist: unknown, never OK.
    AlarmsMissing {
        /// The alarms' names.
        alarms: Vec<String>,
    },
    /// Candidate alarms that have no data: unknown, never OK.
    AlarmsWithoutData {
        /// The alarms' names.
        alarms: Vec<String>,
    },
    /// Live alarms fire as the release opens or while it is open; only the candidate's judge the candidate, which
    /// must not be worse: no alarm of its own fires, and no target is missing.
    FixForward {
        /// The firing alarms.
        alarms: Vec<String>,
    },
    /// The same alarms fire on both colours, and the counts blame neither: the weight stays.
    FireOnBoth {
        /// The alarms' names, the candidate's before its counterpart.
        alarms: Vec<String>,
    },
    /// No request of this step counts: it is no longer than the warm-up, and alarms alone have judged it.
    NotCounted {
        /// How long requests do not count after the first raise, in seconds.
        seconds: u64,
    },
    /// The rule gives the candidate more than was decided.
    LowersDrift {
        /// What was seen.
        weights: Routing,
    },
    /// The bake time is over: success is written before a hook hears it.
    Promotes,
    /// CodeDeploy has not agreed yet.
    WaitsForCodeDeploy,
    /// The base rule moves to the new live colour.
    MovesBaseRule,
    /// The release's rule is no longer needed.
    DeletesReleaseRule,
    /// The candidate is live.
    WentLive,
    /// The way back is taken.
    Returns {
        /// What made it go back.
        #[serde(flatten)]
        cause: ReturnCause,
    },
    /// The way back goes on.
    WaitsForReturn {
        /// The missing condition, such as "i-1 to be healthy".
        waiting: String,
    },
    /// The release ended without going live.
    Closed {
        /// What ended it.
        #[serde(flatten)]
        cause: ReturnCause,
    },
    /// The attempt ended without blame: once more.
    TriesAgain {
        /// The next attempt.
        attempt: u32,
    },
    /// A drill begins: the live release is installed once more, on the idle colour.
    Drills {
        /// The release's number.
        number: ReleaseNumber,
        /// The idle colour.
        colour: Colour,
    },
    /// A drill was asked for and is not begun.
    DrillNotHeld {
        /// What speaks against it.
        why: String,
    },
    /// An alarm of the drill's colour is set, and has to be obeyed.
    AlarmSet {
        /// The alarm's name.
        alarm: String,
        /// Since when.
        at: Timestamp,
    },
    /// The drill is over.
    DrillEnded {
        /// How it went, in a sentence.
        says: String,
    },
    /// CodeDeploy's last successful revision is not the live one: the live one is deployed once more.
    Settles,
    /// CodeDeploy's last successful revision is the live one again.
    Settled,
    /// The uploaded object can carry no verdict: whoever uploaded it is not told how its release ended.
    VerdictUntold {
        /// The release's number.
        number: ReleaseNumber,
        /// Why not, in S3's words.
        why: String,
    },
    /// Settling failed for good: new instances boot another revision than the one that carries traffic.
    NotSettled {
        /// CodeDeploy's error, or what went wrong.
        detail: String,
    },
}

impl Reason {
    /// What the counts say, in a sentence, where they are the reason.
    pub fn says(&self) -> Option<String> {
        match self {
            Self::Judged { judgement } => Some(judgement.to_string()),
            Self::Returns { cause: ReturnCause::Worse { compared } } => {
                Some(Judgement::Worse(*compared).to_string())
            }
            Self::Returns { cause: ReturnCause::Past { past } } => Some(Judgement::Past(*past).to_string()),
            Self::Returns { cause: ReturnCause::Unproven { over } } => {
                Some(Judgement::AtMax(*over).to_string())
            }
            _ => None,
        }
    }

    /// The stable word for logs and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NewerLedger { .. } => "newer_ledger",
            Self::NothingToDo => "nothing_to_do",
            Self::BaseRuleDrifted { .. } => "base_rule_drifted",
            Self::WaitsForBaseRule { .. } => "waits_for_base_rule",
            Self::AdoptsRollback { .. } => "adopts_rollback",
            Self::StrangersRule { .. } => "strangers_rule",
            Self::Missing { .. } => "missing",
            Self::RepairsBaseRule => "repairs_base_rule",
            Self::StrayReleaseRule => "stray_release_rule",
            Self::ScalingSuspended { .. } => "scaling_suspended",
            Self::Ailing { .. } => "ailing",
            Self::Replaces { .. } => "replaces",
            Self::NotReplaced { .. } => "not_replaced",
            Self::LiveAlarm { .. } => "live_alarm",
            Self::LiveMinutes { .. } => "live_minutes",
            Self::MayBeTheInstance { .. } => "may_be_the_instance",
            Self::Opens { .. } => "opens",
            Self::TooLong { .. } => "too_long",
            Self::WrongSettings => "wrong_settings",
            Self::RollsBack { .. } => "rolls_back",
            Self::PreviousNotRunning => "previous_not_running",
            Self::Adopted => "adopted",
            Self::AdoptsRule => "adopts_rule",
            Self::CreatesRule => "creates_rule",
            Self::CreatesDeployment => "creates_deployment",
            Self::WaitsForInstallation { .. } => "waits_for_installation",
            Self::Installed => "installed",
            Self::Raises { .. } => "raises",
            Self::WaitsForTime { .. } => "waits_for_time",
            Self::Judged { .. } => "judged",
            Self::CountsUnreadable { .. } => "counts_unreadable",
            Self::WaitsForDrain { .. } => "waits_for_drain",
            Self::Frozen { .. } => "frozen",
            Self::Paused => "paused",
            Self::NotProven { .. } => "not_proven",
            Self::WaitsForGate { .. } => "waits_for_gate",
            Self::Previews { .. } => "previews",
            Self::NoPreview { .. } => "no_preview",
            Self::DeletesPreview { .. } => "deletes_preview",
            Self::Unknown { .. } => "unknown",
            Self::UnhealthyWithinGrace { .. } => "unhealthy_within_grace",
            Self::AlarmsMissing { .. } => "alarms_missing",
            Self::AlarmsWithoutData { .. } => "alarms_without_data",
            Self::FixForward { .. } => "fix_forward",
            Self::FireOnBoth { .. } => "fire_on_both",
            Self::NotCounted { .. } => "not_counted",
            Self::LowersDrift { .. } => "lowers_drift",
            Self::Promotes => "promotes",
            Self::WaitsForCodeDeploy => "waits_for_code_deploy",
            Self::MovesBaseRule => "moves_base_rule",
            Self::DeletesReleaseRule => "deletes_release_rule",
            Self::WentLive => "went_live",
            Self::Returns { .. } => "returns",
            Self::WaitsForReturn { .. } => "waits_for_return",
            Self::Closed { .. } => "closed",
            Self::TriesAgain { .. } => "tries_again",
            Self::Drills { .. } => "drills",
            Self::DrillNotHeld { .. } => "drill_not_held",
            Self::AlarmSet { .. } => "alarm_set",
            Self::DrillEnded { .. } => "drill_ended",
            Self::Settles => "settles",
            Self::Settled => "settled",
            Self::VerdictUntold { .. } => "verdict_untold",
            Self::NotSettled { .. } => "not_settled",
        }
    }
}
