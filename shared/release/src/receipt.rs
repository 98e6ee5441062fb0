//! What a release leaves: one JSON object, written when it has ended. `docs/receipts.md` says what each member means.

use crate::course::Held;
use crate::evidence::Sums;
use crate::plan::schedule::since;
use crate::{
    Colour, Commit, DeploymentId, Ledger, Open, Purpose, ReleaseNumber, Revision, RollbackCause, ServiceName,
    Statement, Strategy, Verdict, VerdictWord,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// For how long after its release has ended a receipt is written, if it was not before. Then it is given up: it holds up
/// nothing.
const TRIED_FOR: Duration = Duration::from_secs(300);

/// What CloudWatch is asked for at once: six metrics of two target groups.
const METRICS_A_READ: u32 = 12;
/// The price of a metric in one read, in millionths of a US dollar (CloudWatch pricing, us-east-1: `GetMetricData`, 0.01
/// dollars for a thousand metrics).
const MICRO_USD_A_METRIC: u32 = 10;

/// What a release leaves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The number of its format. It goes up when a member goes or means something else.
    pub schema: u32,
    /// The service.
    pub service: ServiceName,
    /// What the release was for.
    pub purpose: Purpose,
    /// Who brought it about, as far as Greenlight knows.
    pub by: By,
    /// What an operator said with the command that gave it up or, of a rollback, brought it about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Statement>,
    /// Its number.
    pub number: ReleaseNumber,
    /// Its commit.
    pub commit: Commit,
    /// Its bytes.
    pub bundle: Revision,
    /// The colour that it was installed on.
    pub colour: Colour,
    /// How weight was to move.
    pub strategy: Strategy,
    /// How long it was to bake, in seconds.
    pub bake_seconds: u64,
    /// The deployment of its last attempt, if it got one.
    pub deployment: Option<DeploymentId>,
    /// The number of its last attempt.
    pub attempt: u32,
    /// When its first attempt opened.
    pub opened_at: Timestamp,
    /// When it ended.
    pub closed_at: Timestamp,
    /// What it had of the traffic.
    pub steps: Vec<Held>,
    /// The requests of its last attempt, by colour, as far as they were counted.
    pub requests: Sums,
    /// Of a version that was rejected: how many requests it failed at least, in its last attempt.
    pub failed_by_candidate: Option<u64>,
    /// How it ended.
    pub verdict: VerdictWord,
    /// Why, in a sentence.
    pub reason: String,
    /// What its counts have cost.
    pub cloudwatch: Cost,
}

/// Who brought a release about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Whoever uploaded the bundle.
    Upload,
    /// An operator.
    Operator,
    /// An alarm of the live colour.
    Alarm(String),
    /// The live colour's bad minutes.
    Minutes,
}

/// What reading CloudWatch has cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// How often it was asked.
    pub reads: u32,
    /// For how many metrics in all.
    pub metrics: u32,
    /// What that costs, in millionths of a US dollar.
    pub micro_usd: u32,
}

/// What users had of a version that was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Exposure {
    /// How long it had traffic, in seconds.
    pub seconds: u64,
    /// How many requests it failed at least; `None` if nothing was counted.
    pub failed: Option<u64>,
}

impl Receipt {
    /// The number of this format.
    pub const SCHEMA: u32 = 1;

    /// What this release leaves that ends now. A settling leaves nothing: it is no release.
    pub(crate) fn of(service: &ServiceName, open: &Open, verdict: &Verdict, now: Timestamp) -> Option<Self> {
        if open.purpose == Purpose::Settle {
            return None;
        }
        let mut course = open.course.0.clone();
        let counted = open.counted.as_ref().map(|counted| counted.sums());
        course.ended(now, counted);
        let requests = counted.unwrap_or_default();
        let metrics = course.reads.saturating_mul(METRICS_A_READ);
        Some(Self {
            schema: Self::SCHEMA,
            service: service.clone(),
            purpose: open.purpose,
            by: match &open.rolls_back {
                None => By::Upload,
                Some(RollbackCause::Operator) => By::Operator,
                Some(RollbackCause::Past { .. }) => By::Minutes,
                Some(RollbackCause::Alarm { alarm }) => By::Alarm(alarm.clone()),
            },
            said: open.said.clone(),
            number: open.upload.number,
            commit: open.upload.commit.clone(),
            bundle: open.upload.revision.clone(),
            colour: open.colour,
            strategy: open.strategy,
            bake_seconds: open.bake.as_secs(),
            deployment: open.deployment.clone(),
            attempt: open.attempt,
            opened_at: course.opened_at.unwrap_or(open.opened_at),
            closed_at: now,
            steps: course.steps,
            requests,
            failed_by_candidate: match verdict {
                Verdict::Rejected { .. } => requests.failed(open.colour),
                Verdict::Live | Verdict::Superseded { .. } => None,
            },
            verdict: verdict.word(),
            reason: verdict.reason(),
            cloudwatch: Cost {
                reads: course.reads,
                metrics,
                micro_usd: metrics.saturating_mul(MICRO_USD_A_METRIC),
            },
        })
    }

    /// What users had of this version, if it was rejected after it had traffic.
    pub(crate) fn exposure(&self) -> Option<Exposure> {
        let lasted = self.steps.iter().map(|step| since(step.since, step.until.unwrap_or(self.closed_at)));
        let seconds = lasted.sum::<Duration>().as_secs();
        let had_traffic = self.verdict == VerdictWord::Rejected && !self.steps.is_empty();
        had_traffic.then_some(Exposure { seconds, failed: self.failed_by_candidate })
    }

    /// Its place: no two receipts have the same, and those of a service stand in the order of their numbers.
    pub fn key(&self) -> String {
        format!(
            "{}{}.json",
            Self::beginning(&self.service, Some(self.number)),
            self.closed_at.strftime("%Y%m%dT%H%M%SZ")
        )
    }

    /// How the keys of all receipts of a release begin, or of a service.
    pub fn beginning(service: &ServiceName, number: Option<ReleaseNumber>) -> String {
        let number = number.map(|number| format!("{:010}-", number.0)).unwrap_or_default();
        format!("receipts/{service}/{number}")
    }

    /// Whether it is still tried to write it.
    pub fn is_tried(&self, now: Timestamp) -> bool {
        since(self.closed_at, now) <= TRIED_FOR
    }
}

impl Ledger {
    /// The receipts that are to be written now. One that is there already is written no more.
    pub fn receipts(&self, now: Timestamp) -> impl Iterator<Item = &Receipt> {
        let all = self.releases.iter().filter_map(|past| past.receipt.0.as_deref());
        all.filter(move |receipt| receipt.is_tried(now))
    }
}
