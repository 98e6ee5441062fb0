//! The release that is under way: what belongs to the whole attempt, and what belongs to the phase that it is in.

use crate::course::Course;
use crate::drill::AlarmSet;
use crate::evidence::{BadMinutes, Counted, Share};
use crate::reinstall::Leaving;
use crate::stored::{Aside, UnknownFields};
use crate::{
    Colour, DeploymentId, Description, Gate, InstanceId, Preview, Purpose, ReleaseNumber, ReturnCause,
    RuleArn, ServiceName, Smoke, Statement, Strategy, Upload,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The release that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Open {
    /// What its deployment is for.
    pub purpose: Purpose,
    /// What is to go live.
    pub upload: Upload,
    /// The candidate: the colour it is installed on.
    pub colour: Colour,
    /// How weight moves, fixed when the release opened.
    pub strategy: Strategy,
    /// The bake time, fixed when the release opened.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub bake: Duration,
    /// The number of this attempt, from 1. No two attempts of a release share one, because a deployment is found again
    /// by it.
    pub attempt: u32,
    /// The number of the first attempt that counts since the release opened. When an attempt ends without blame, because
    /// an instance went away, another one follows; one that ended because instances joined does not count.
    pub first_attempt: u32,
    /// Its deployment, once CodeDeploy's answer is known.
    pub deployment: Option<DeploymentId>,
    /// CodeDeploy refused to open the deployment, with its words.
    pub refused: Option<String>,
    /// Its own rule, once the load balancer's answer is known.
    pub rule: Option<RuleArn>,
    /// The load balancer refused to create that rule, with its words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_refused: Option<String>,
    /// Since when something of this release is missing from AWS's answers: an instance, its rule, its deployment. One
    /// answer may be incomplete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<Timestamp>,
    /// The instances that stood in `ValidateService` when the shift began.
    pub targets: Vec<InstanceId>,
    /// Its phase.
    #[serde(flatten)]
    pub phase: Phase,
    /// Since when in this phase and step.
    pub since: Timestamp,
    /// Since when open, this attempt.
    pub opened_at: Timestamp,
    /// When the last deployment of somebody else was seen that kept its own from being created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delayed_until: Option<Timestamp>,
    /// What instances and CloudWatch have counted of its requests and of live's, once anything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Box<Counted>>,
    /// What each instance has asked of both colours, until the candidate has weight.
    #[serde(default, skip_serializing_if = "Smoke::is_empty")]
    pub smoke: Smoke,
    /// The instance that was told to run the bundle's `migrate`. It is told again when it asks again, and no other one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrates: Option<InstanceId>,
    /// The gate that it needs a yes of, twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// Of a drill: the alarm that it has set, once that is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm_set: Option<AlarmSet>,
    /// The preview that an operator has asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
    /// How it went so far.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub course: Aside<Course>,
    /// What an operator wants of it.
    pub request: Option<Request>,
    /// Of a rollback: why what was live is put aside.
    pub rolls_back: Option<RollbackCause>,
    /// What an operator said with the command that gives it up; of a rollback or a drill until then, with the one that asked
    /// for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Statement>,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

fn is_empty(course: &Aside<Course>) -> bool {
    course.0.is_empty()
}

/// What an operator wants of the open release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    /// The remaining steps and the bake are skipped.
    Hurry,
    /// It is given up. No hurry lifts this.
    Abort,
}

/// Why a release is taken back after its success.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum RollbackCause {
    /// An operator said so.
    #[error("rolled back by an operator: mend the bundle, push again")]
    Operator,
    /// More minutes were bad since its success than the service's own week explains.
    #[error(
        "rolled back after its success, because {past}: nobody can say whose fault it is; see the application's log, then retry, or mend the bundle"
    )]
    Past {
        /// The minutes.
        past: BadMinutes,
    },
    /// An alarm of the live colour, within the rollback window.
    #[error(
        "rolled back after its success, because alarm {alarm} fired: see its metric, mend the bundle, push again"
    )]
    Alarm {
        /// The alarm's name.
        alarm: String,
    },
}

/// Where an open release stands. Times are in [`Open::since`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "phase", content = "state", rename_all = "lowercase")]
pub enum Phase {
    /// The bundle is being installed on the candidate colour.
    Installing,
    /// The candidate has a part of the traffic.
    Shifting(Shift),
    /// The candidate has all the traffic and must prove itself for the bake time.
    Baking(Trial),
    /// Success is written; CodeDeploy has to agree before the base rule moves.
    Promoting(Promotion),
    /// All weight goes back to the live colour.
    Returning(Returning),
    /// The live revision is deployed once more on the idle colour, without shift.
    Settling,
    /// A drill is installed: an alarm of its colour is set, and has to be obeyed. It has no weight, and no way to any.
    Drilling,
    /// What a drill has replaced is installed again and healthy: the hooks hear that it failed, and leave it running.
    Leaving(Leaving),
}

/// One step of the strategy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Shift {
    /// Index into the strategy's steps, from 0.
    pub step: u32,
    /// How the candidate does.
    pub trial: Trial,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

/// How a candidate does that has traffic, or is about to get it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Trial {
    /// What became of its last raise.
    pub raised: Raised,
    /// Since when candidate targets are unhealthy.
    pub unhealthy_since: Option<Timestamp>,
    /// Since when facts cannot be read.
    pub unknown_since: Option<Timestamp>,
    /// Since when a raise is due that is not proven safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unproven_since: Option<Timestamp>,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

/// What became of the last raise of the candidate's weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Raised {
    /// None was decided in this attempt: the candidate never had weight.
    #[default]
    NotYet,
    /// It was decided, and nothing says that it did not arrive.
    Decided,
    /// It was decided and did not arrive: the next pass reads what a raise must prove.
    Missing,
}

/// A release whose success is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Promotion {
    /// CodeDeploy has called it a success: it goes live whatever else happens.
    pub agreed: bool,
    /// How the candidate does, until CodeDeploy has agreed.
    pub trial: Trial,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

/// Why a release is being taken back, and how far that is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Returning {
    /// What made it go back.
    pub cause: ReturnCause,
    /// The candidate may have had weight in this attempt, so that it drains before it goes down.
    pub had_weight: bool,
    /// When the candidate was first seen without weight; the drain counts from here.
    pub weightless_since: Option<Timestamp>,
    /// What another version wrote beside these.
    #[serde(flatten)]
    pub unknown_fields: UnknownFields,
}

impl Phase {
    /// The phase's word, as in the logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Installing => "installing",
            Self::Shifting(_) => "shifting",
            Self::Baking(_) => "baking",
            Self::Promoting(_) => "promoting",
            Self::Returning(_) => "returning",
            Self::Settling => "settling",
            Self::Drilling => "drilling",
            Self::Leaving(_) => "leaving",
        }
    }

    /// How the candidate does, in the phases that give it traffic.
    pub fn trial(&self) -> Option<&Trial> {
        match self {
            Self::Shifting(shift) => Some(&shift.trial),
            Self::Baking(trial) => Some(trial),
            Self::Promoting(promotion) => Some(&promotion.trial),
            Self::Installing | Self::Returning(_) | Self::Settling | Self::Drilling | Self::Leaving(_) => {
                None
            }
        }
    }

    /// [`Phase::trial`], to change it.
    pub(crate) fn trial_mut(&mut self) -> Option<&mut Trial> {
        match self {
            Self::Shifting(shift) => Some(&mut shift.trial),
            Self::Baking(trial) => Some(trial),
            Self::Promoting(promotion) => Some(&mut promotion.trial),
            Self::Installing | Self::Returning(_) | Self::Settling | Self::Drilling | Self::Leaving(_) => {
                None
            }
        }
    }

    /// No raise is due, or the one that was is proven.
    pub(crate) fn awaits_no_proof(&mut self) {
        if let Some(trial) = self.trial_mut() {
            trial.unproven_since = None;
        }
    }

    /// A raise that was decided is not there.
    pub(crate) fn misses_its_raise(&mut self) {
        if let Some(trial) = self.trial_mut().filter(|trial| trial.raised == Raised::Decided) {
            trial.raised = Raised::Missing;
        }
    }

    /// A raise that was not there has arrived after all.
    pub(crate) fn has_its_raise(&mut self) {
        if let Some(trial) = self.trial_mut().filter(|trial| trial.raised == Raised::Missing) {
            trial.raised = Raised::Decided;
        }
    }
}

impl Open {
    /// How many attempts were made since the release opened, this one included.
    pub fn tries(&self) -> u32 {
        self.attempt.saturating_sub(self.first_attempt) + 1
    }

    /// Since when it could be installed: the times that an installation and its hooks have count from here.
    pub fn could_begin_at(&self) -> Timestamp {
        self.delayed_until.unwrap_or(self.opened_at)
    }

    /// Whether an operator wants this.
    pub fn is_requested(&self, request: Request) -> bool {
        self.request == Some(request)
    }

    /// Whether an upload takes its place: it is newer, this one has no weight yet, and no operator asked for it. A drill and
    /// the reinstallation after it make room for any.
    pub fn yields_to(&self, newer: ReleaseNumber) -> bool {
        if self.purpose.never_has_weight() {
            return !matches!(self.phase, Phase::Returning(_));
        }
        let waits_for_weight = match &self.phase {
            Phase::Installing | Phase::Shifting(_) | Phase::Baking(_) => !self.had_weight(),
            Phase::Promoting(_)
            | Phase::Returning(_)
            | Phase::Settling
            | Phase::Drilling
            | Phase::Leaving(_) => false,
        };
        self.purpose == Purpose::Release
            && self.rolls_back.is_none()
            && waits_for_weight
            && newer > self.upload.number
    }

    /// Whether the candidate was ever given weight in this attempt.
    pub fn had_weight(&self) -> bool {
        match &self.phase {
            Phase::Returning(back) => back.had_weight,
            phase => phase.trial().is_some_and(|trial| trial.raised != Raised::NotYet),
        }
    }

    /// The description that its deployment carries.
    pub fn description(&self, service: &ServiceName) -> Description {
        Description {
            purpose: self.purpose,
            number: self.upload.number,
            commit: self.upload.commit.clone(),
            service: service.clone(),
            colour: self.colour,
            strategy: self.strategy,
            attempt: self.attempt,
        }
    }

    /// The candidate's share of the traffic that this phase asks for. Whatever is stored of a drill or a
    /// reinstallation, it asks for none.
    pub fn intended_share(&self) -> Share {
        if self.purpose.never_has_weight() {
            return Share::NONE;
        }
        let Phase::Shifting(shift) = &self.phase else {
            return match &self.phase {
                Phase::Installing
                | Phase::Returning(_)
                | Phase::Settling
                | Phase::Drilling
                | Phase::Leaving(_) => Share::NONE,
                Phase::Shifting(_) | Phase::Baking(_) | Phase::Promoting(_) => Share::ALL,
            };
        };
        let Some(step) = self.strategy.step(shift.step) else { return Share::ALL };
        let ordered = self.counted.as_ref().filter(|_| shift.step == 0).map(|counted| counted.share());
        match self.strategy.by_evidence() {
            None => Share::plain(step.percent),
            // It grows by what is proven, and never shrinks.
            Some(_) => {
                ordered.filter(|ordered| *ordered != Share::NONE).unwrap_or(Share::of_percent(step.percent))
            }
        }
    }

    /// [`Open::intended_share`] in percent, rounded.
    pub fn intended_percent(&self) -> u8 {
        self.intended_share().percent()
    }

    /// The longest time of the step that the counts decide, while the release is in it.
    pub fn evidence_step(&self) -> Option<Duration> {
        let by = self.strategy.by_evidence()?;
        matches!(&self.phase, Phase::Shifting(shift) if shift.step == 0).then_some(by.latest)
    }

    /// How long the weight that this phase asks for is held at least.
    pub fn hold(&self) -> Duration {
        let by_evidence = self.strategy.by_evidence().is_some();
        match &self.phase {
            // With a tenth of the traffic still on live.
            Phase::Shifting(shift) if by_evidence && shift.step > 0 => self.bake,
            Phase::Shifting(shift) => self.strategy.step(shift.step).map_or(Duration::ZERO, |step| step.hold),
            Phase::Baking(_) if by_evidence => Duration::ZERO,
            Phase::Baking(_) => self.bake,
            Phase::Installing
            | Phase::Promoting(_)
            | Phase::Returning(_)
            | Phase::Settling
            | Phase::Drilling
            | Phase::Leaving(_) => Duration::ZERO,
        }
    }
}
