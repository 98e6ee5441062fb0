//! The decision: from ledger and observation to the next ledger and the actions.
//!
//! One file for each phase. [`plan()`] is total and pure. It runs again whenever a pass loses the swap, so asking
//! twice must do no harm.

mod drift;
mod drill;
mod effects;
pub(crate) mod evidence;
mod gate;
mod healing;
mod idle;
mod installing;
mod missing;
mod outcome;
mod own_rule;
mod preview;
mod promoting;
mod reads;
mod reinstall;
mod returning;
pub(crate) mod rollback;
mod scaling;
pub(crate) mod schedule;
mod settling;
mod shifting;
mod telling;
mod watch;

pub use effects::{Effect, effects};
pub use outcome::{Outcome, conflict, note, refusal};
pub use reads::{Reads, Window, reads};

use crate::evidence::BadMinutes;
use crate::{
    Aside, Colour, DeploymentId, DeploymentStatus, Description, InstanceId, Ledger, Observation, Open, Past,
    Phase, Policy, Purpose, Reason, Receipt, ReturnCause, Returning, Revision, RuleArn, ScalingProcess,
    UnknownFields, Verdict, Weights,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One change of the world. Every one may be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Create the release's own rule, all weight on the live colour.
    CreateReleaseRule {
        /// The colour that keeps the traffic.
        live: Colour,
        /// Whose rule it is.
        release: Description,
    },
    /// Set the weights of the release's rule.
    SetReleaseWeights {
        /// The rule; a rule that is gone makes this a conflict.
        rule: RuleArn,
        /// The weights.
        weights: Weights,
    },
    /// Delete the release's rule: traffic follows the base rule again.
    DeleteReleaseRule {
        /// The rule.
        rule: RuleArn,
    },
    /// Create the rule of a preview, which leads whoever sends its header to the candidate.
    CreatePreviewRule {
        /// Whose candidate.
        release: Description,
    },
    /// Delete the rule of a preview.
    DeletePreviewRule {
        /// The rule.
        rule: RuleArn,
    },
    /// Set the weights of the base rule.
    SetBaseWeights {
        /// The weights.
        weights: Weights,
    },
    /// Open a deployment.
    CreateDeployment {
        /// What it will be known by.
        description: Description,
        /// What it installs.
        revision: Revision,
    },
    /// Stop a deployment.
    StopDeployment {
        /// The deployment.
        id: DeploymentId,
    },
    /// Set an alarm of a colour that carries nothing, as if it had fired. CloudWatch evaluates it anew within a minute.
    SetAlarm {
        /// The colour.
        colour: Colour,
        /// The alarm's name.
        alarm: String,
    },
    /// Hand an instance to Auto Scaling for replacement.
    ReplaceInstance {
        /// The instance.
        instance: InstanceId,
    },
    /// Resume the processes of Auto Scaling that CodeDeploy left suspended.
    ResumeProcesses {
        /// The processes.
        processes: BTreeSet<ScalingProcess>,
    },
    /// Tell whoever uploaded how it ended.
    TellVerdict {
        /// The uploaded object.
        revision: Revision,
        /// How its release ended.
        verdict: Verdict,
    },
}

impl Action {
    /// The stable word for logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::CreateReleaseRule { .. } => "create_release_rule",
            Self::SetReleaseWeights { .. } => "set_release_weights",
            Self::DeleteReleaseRule { .. } => "delete_release_rule",
            Self::CreatePreviewRule { .. } => "create_preview_rule",
            Self::DeletePreviewRule { .. } => "delete_preview_rule",
            Self::SetBaseWeights { .. } => "set_base_weights",
            Self::CreateDeployment { .. } => "create_deployment",
            Self::StopDeployment { .. } => "stop_deployment",
            Self::SetAlarm { .. } => "set_alarm",
            Self::ReplaceInstance { .. } => "replace_instance",
            Self::ResumeProcesses { .. } => "resume_processes",
            Self::TellVerdict { .. } => "tell_verdict",
        }
    }

    /// Whether it changes a rule, after which the rule is read back.
    pub fn changes_a_rule(&self) -> bool {
        matches!(
            self,
            Self::CreateReleaseRule { .. }
                | Self::SetReleaseWeights { .. }
                | Self::DeleteReleaseRule { .. }
                | Self::CreatePreviewRule { .. }
                | Self::DeletePreviewRule { .. }
                | Self::SetBaseWeights { .. }
        )
    }
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[must_use]
pub struct Plan {
    /// What is remembered next.
    pub ledger: Ledger,
    /// Done before the ledger is written: only ever returns traffic to the live colour.
    pub back: Vec<Action>,
    /// Done after the ledger is written, which it always is before anything goes forward.
    pub forward: Vec<Action>,
    /// Its reasons; never empty.
    pub reasons: Vec<Reason>,
    /// Whether another pass should follow at once instead of at the next poll or tick.
    pub again: bool,
}

/// Decides what to do for one service now.
///
/// Pure: the same ledger, observation, policy and time give the same plan.
pub fn plan(ledger: Ledger, observation: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let before = ledger.clone();
    let mut planning = Planning {
        ledger,
        seen: observation,
        policy,
        now,
        back: Vec::new(),
        forward: Vec::new(),
        reasons: Vec::new(),
        again: false,
        bad_minutes: None,
    };
    planning.count();
    planning.hear_gate();
    planning.times_preview();
    match planning.ledger.open.take() {
        None => planning.idle(),
        Some(open) if open.purpose == Purpose::Drill => planning.drill(open),
        Some(open) if open.purpose == Purpose::Reinstall => planning.reinstall(open),
        Some(open) => match open.phase {
            Phase::Installing => planning.installing(open),
            Phase::Shifting(_) | Phase::Baking(_) => planning.shifting(open),
            Phase::Promoting(_) => planning.promoting(open),
            Phase::Returning(_) => planning.returning(open),
            Phase::Settling => planning.settling(open),
            // Of drills and reinstallations alone, which are none of these.
            Phase::Drilling | Phase::Leaving(_) => planning.take_back(open, ReturnCause::Aborted),
        },
    }
    planning.clears_previews();
    planning.tell_verdicts();
    if !planning.forward.is_empty() && planning.ledger == before {
        planning.ledger.acted_at = Some(now);
    }
    Plan {
        ledger: planning.ledger,
        back: planning.back,
        forward: planning.forward,
        reasons: planning.reasons,
        again: planning.again,
    }
}

/// One run of [`plan()`]: its inputs, and what it has decided so far.
struct Planning<'a> {
    ledger: Ledger,
    seen: &'a Observation,
    policy: &'a Policy,
    now: Timestamp,
    back: Vec<Action>,
    forward: Vec<Action>,
    reasons: Vec<Reason>,
    again: bool,
    /// What speaks against the live version, when no release is open.
    bad_minutes: Option<BadMinutes>,
}

impl Planning<'_> {
    fn because(&mut self, reason: Reason) {
        self.reasons.push(reason);
    }

    fn keep(&mut self, open: Open) {
        self.ledger.open = Some(open);
    }

    fn enter(&mut self, mut open: Open, phase: Phase) {
        open.phase = phase;
        open.since = self.now;
        self.keep(open);
    }

    /// Deletes a rule that this ledger does not name. Only once the swap has proven that the ledger is still the one
    /// that was read: else the rule may be that of a release which has opened since.
    fn delete_after_commit(&mut self, rule: RuleArn) {
        self.ledger.looked_at = Some(self.now);
        self.forward.push(Action::DeleteReleaseRule { rule });
    }

    fn live_colour(&self) -> Option<Colour> {
        self.ledger.live.as_ref().map(|live| live.colour)
    }

    /// Starts the way back; its first steps are taken in this same pass.
    fn take_back(&mut self, mut open: Open, cause: ReturnCause) {
        self.because(Reason::Returns { cause: cause.clone() });
        // The phase may already have asked for actions. They must not follow the way back.
        self.forward.clear();
        let counted = open.counted.as_ref().map(|counted| counted.sums());
        open.course.0.ended(self.now, counted);
        open.phase = Phase::Returning(Returning {
            cause,
            had_weight: open.had_weight(),
            weightless_since: None,
            unknown_fields: UnknownFields::default(),
        });
        open.since = self.now;
        let written_first = self.may_be_overtaken(&open);
        self.returning(open);
        if written_first {
            self.forward.splice(0..0, std::mem::take(&mut self.back));
        }
    }

    /// Whether the commit must come before this way back, because a concurrent pass may have promoted the release
    /// since this pass read the ledger. That leaves the same traces: CodeDeploy has succeeded because "promoting" was
    /// written, and the release's rule is gone because the base rule has moved. Only the swap can tell the two apart.
    /// A candidate alarm needs no such proof: its way back goes first.
    ///
    /// A concurrent pass must also not mistake this way back for an operator deleting the rule, because only our cause
    /// allows another attempt. Waiting for the commit is safe here: the remaining targets are healthy, or it has no weight.
    fn may_be_overtaken(&self, open: &Open) -> bool {
        let Phase::Returning(Returning { cause, had_weight, .. }) = &open.phase else { return false };
        let deployment = self.seen.deployment.known().and_then(Option::as_ref);
        let succeeded = deployment.is_some_and(|deployment| deployment.status == DeploymentStatus::Succeeded);
        match cause {
            ReturnCause::RuleDeleted
            | ReturnCause::InstanceLost { .. }
            | ReturnCause::NotProven { .. }
            | ReturnCause::Joined { .. }
            | ReturnCause::Gate { .. }
            | ReturnCause::Paused { .. } => true,
            ReturnCause::Alarm { .. } | ReturnCause::PartialSuccess { .. } => false,
            _ => succeeded || !had_weight,
        }
    }

    /// Writes the end of a release into the ledger.
    fn close(&mut self, open: Open, verdict: Verdict) {
        let told = open.purpose != Purpose::Release;
        let receipt = Receipt::of(&self.ledger.service, &open, &verdict, self.now);
        self.ledger.remember(Past {
            purpose: open.purpose,
            upload: open.upload,
            colour: open.colour,
            attempt: open.attempt,
            deployment: open.deployment,
            verdict,
            opened_at: open.opened_at,
            closed_at: self.now,
            told,
            tell_tried_at: None,
            untold_for: None,
            exposure: Aside(receipt.as_ref().and_then(Receipt::exposure)),
            receipt: Aside(receipt.map(Box::new)),
            unknown_fields: UnknownFields::default(),
        });
        self.again = true;
    }
}

/// What the log says of a plan.
#[derive(Debug, Serialize)]
pub struct DecisionRecord<'a> {
    /// The service.
    pub service: &'a str,
    /// The phase after the plan.
    pub phase: &'static str,
    /// The open release's number.
    pub release: Option<u64>,
    /// The candidate.
    pub candidate: Option<Colour>,
    /// The candidate's share that is decided, in percent.
    pub weight: Option<u8>,
    /// What is done, in order.
    pub actions: Vec<&'static str>,
    /// Its reasons.
    pub reasons: &'a [Reason],
    /// What the counts say, in a sentence: what is proven, what is missing, and until when.
    pub says: Option<String>,
}

impl Plan {
    /// The actions in the order in which they are done.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.back.iter().chain(&self.forward)
    }

    /// What the log says of this plan.
    pub fn record(&self) -> DecisionRecord<'_> {
        let open = self.ledger.open.as_ref();
        DecisionRecord {
            service: self.ledger.service.as_str(),
            phase: self.ledger.phase(),
            release: open.map(|open| open.upload.number.0),
            candidate: open.map(|open| open.colour),
            weight: open.map(Open::intended_percent),
            actions: self.actions().map(Action::word).collect(),
            reasons: &self.reasons,
            says: self.reasons.iter().find_map(Reason::says),
        }
    }
}
