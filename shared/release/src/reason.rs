//! Why: every decision says, "did nothing" too.

pub mod explained;
mod sentence;

use crate::evidence::{BadMinutes, Judgement};
use crate::{Before, Colour, InstanceId, ReleaseNumber, ReturnCause, Routing, RuleArn};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
    /// A reinstallation begins: what the drill has replaced is installed again.
    Reinstalls {
        /// The release's number.
        number: ReleaseNumber,
        /// The idle colour.
        colour: Colour,
    },
    /// What the drill has replaced is to be installed again, and is not yet.
    WaitsToReinstall {
        /// What speaks against it.
        why: String,
    },
    /// The reinstallation is over.
    ReinstallEnded {
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
            Self::Reinstalls { .. } => "reinstalls",
            Self::WaitsToReinstall { .. } => "waits_to_reinstall",
            Self::ReinstallEnded { .. } => "reinstall_ended",
            Self::Settles => "settles",
            Self::Settled => "settled",
            Self::VerdictUntold { .. } => "verdict_untold",
            Self::NotSettled { .. } => "not_settled",
        }
    }
}
