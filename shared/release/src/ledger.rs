//! What is remembered of a service between two passes: one JSON object, replaced only by compare-and-swap.

use crate::{Colour, Commit, Description, Purpose, ReleaseNumber, ReturnCause, Revision, Strategy};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// CodeDeploy's id of a deployment (`d-` and nine characters).
    DeploymentId
);
text_id!(
    /// EC2's id of an instance.
    InstanceId
);
text_id!(
    /// The ARN of a listener rule. A rule made anew has another one, which is what makes late writers harmless.
    RuleArn
);

/// A service's name: a lower-case letter, then letters, digits and dashes, 32 characters at most
/// (it becomes part of target group names, which AWS limits to 32).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceName(String);

/// A text that is no service name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "service name {0:?} is not a lower-case letter followed by at most 31 lower-case letters, digits or dashes"
)]
pub struct ServiceNameError(pub String);

impl ServiceName {
    /// Checks the text.
    ///
    /// # Errors
    /// Anything but a lower-case letter followed by at most 31 lower-case letters, digits or dashes.
    pub fn new(text: impl Into<String>) -> Result<Self, ServiceNameError> {
        let text = text.into();
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.len() <= 32
            && text.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
            && text.bytes().all(legal)
        {
            Ok(Self(text))
        } else {
            Err(ServiceNameError(text))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ServiceName {
    type Error = ServiceNameError;
    fn try_from(text: String) -> Result<Self, ServiceNameError> {
        Self::new(text)
    }
}

impl From<ServiceName> for String {
    fn from(name: ServiceName) -> Self {
        name.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A bundle that somebody wants live.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Upload {
    /// Its number.
    pub number: ReleaseNumber,
    /// Its commit.
    pub commit: Commit,
    /// Its bytes.
    pub revision: Revision,
}

/// A release that carries traffic, or did until the one after it went live.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Live {
    /// The colour it runs on.
    pub colour: Colour,
    /// What it is.
    #[serde(flatten)]
    pub upload: Upload,
    /// When it took all traffic.
    pub since: Timestamp,
}

/// Where an open release stands. Times are in [`Open::since`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "lowercase")]
pub enum Phase {
    /// The bundle is being installed on the candidate colour.
    Installing,
    /// The candidate has a part of the traffic.
    Shifting {
        /// Index into the strategy's steps, from 0.
        step: u32,
    },
    /// The candidate has all the traffic and must prove itself for the bake time.
    Baking,
    /// Success is written; CodeDeploy has to agree before the base rule moves.
    Promoting,
    /// All weight goes back to the live colour.
    Returning(Returning),
    /// The live revision is deployed once more on the idle colour, without shift.
    Settling,
}

impl Phase {
    /// The phase's word, as in the logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Installing => "installing",
            Self::Shifting { .. } => "shifting",
            Self::Baking => "baking",
            Self::Promoting => "promoting",
            Self::Returning(_) => "returning",
            Self::Settling => "settling",
        }
    }
}

/// Why a release is being taken back, and how far that is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Returning {
    /// What made it go back.
    pub cause: ReturnCause,
    /// When the candidate was first seen without weight; the hold counts from here.
    pub weightless_since: Option<Timestamp>,
}

/// The release that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Open {
    /// What its deployment is for.
    pub purpose: Purpose,
    /// What is to go live.
    #[serde(flatten)]
    pub upload: Upload,
    /// The candidate: the colour it is installed on.
    pub colour: Colour,
    /// How weight moves, fixed when the release opened.
    pub strategy: Strategy,
    /// The bake time, fixed when the release opened.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub bake: Duration,
    /// Which try of this number this is. No two have the same one, for a deployment is found again by it.
    pub attempt: u32,
    /// Which try it began with. A try ends without blame when an instance went away under it, and another follows.
    #[serde(default = "first_attempt")]
    pub first_attempt: u32,
    /// Its deployment, once CodeDeploy's answer is known.
    pub deployment: Option<DeploymentId>,
    /// Its own rule, once the load balancer's answer is known.
    pub rule: Option<RuleArn>,
    /// The instances that stood in `ValidateService` when the shift began.
    pub targets: Vec<InstanceId>,
    /// Where it stands.
    #[serde(flatten)]
    pub phase: Phase,
    /// Since when in this phase and step.
    pub since: Timestamp,
    /// Since when open, this attempt.
    pub opened_at: Timestamp,
    /// Whether the candidate was ever given weight in this attempt.
    pub had_weight: bool,
    /// Since when candidate targets are unhealthy.
    pub unhealthy_since: Option<Timestamp>,
    /// Since when facts cannot be read.
    pub unknown_since: Option<Timestamp>,
    /// The last raise was not seen to arrive: the next pass reads what a raise must prove.
    #[serde(default)]
    pub raise_lost: bool,
    /// CodeDeploy has called it a success: it goes live whatever else happens.
    #[serde(default)]
    pub agreed: bool,
    /// An operator wants the remaining steps and the bake skipped.
    pub hurry: bool,
    /// An operator wants it given up.
    pub abort: bool,
    /// CodeDeploy refused to open the deployment, with its words.
    pub refused: Option<String>,
    /// Of a rollback: why what was live is put aside.
    #[serde(default)]
    pub rolls_back: Option<RollbackCause>,
}

/// Why a release is taken back after its success.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum RollbackCause {
    /// An operator said so.
    #[error("rolled back by an operator: mend the bundle, push again")]
    Operator,
    /// An alarm of the live colour, within the rollback window.
    #[error(
        "rolled back after its success, because alarm {alarm} fired: see its metric, mend the bundle, push again"
    )]
    Alarm {
        /// The alarm's name.
        alarm: String,
    },
}

/// What ledgers hold that were written before tries were counted across openings.
fn first_attempt() -> u32 {
    1
}

impl Open {
    /// How often this opening was tried, this try included.
    pub fn tries(&self) -> u32 {
        self.attempt.saturating_sub(self.first_attempt) + 1
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

    /// The candidate's share of the traffic that this phase asks for, in percent.
    pub fn intended_percent(&self) -> u8 {
        match &self.phase {
            Phase::Installing | Phase::Returning(_) | Phase::Settling => 0,
            Phase::Shifting { step } => self.strategy.step(*step).map_or(100, |step| step.percent),
            Phase::Baking | Phase::Promoting => 100,
        }
    }
}

/// How a release ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Verdict {
    /// It carries traffic, or did until the next one.
    Live,
    /// It was taken back or never got so far.
    Rejected {
        /// Why, in a sentence.
        reason: String,
    },
    /// A newer one took its place before it had weight.
    Superseded {
        /// The newer one.
        by: ReleaseNumber,
    },
}

impl Verdict {
    /// The word on the uploaded object's tag.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Rejected { .. } => "rejected",
            Self::Superseded { .. } => "superseded",
        }
    }

    /// The sentence on the uploaded object's tag.
    pub fn reason(&self) -> String {
        match self {
            Self::Live => "carries all traffic".to_owned(),
            Self::Rejected { reason } => reason.clone(),
            Self::Superseded { by } => format!("superseded by {by}"),
        }
    }
}

/// A release that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Past {
    /// What it was for.
    pub purpose: Purpose,
    /// What it was.
    #[serde(flatten)]
    pub upload: Upload,
    /// Where it was installed.
    pub colour: Colour,
    /// Its last try.
    #[serde(default = "first_attempt")]
    pub attempt: u32,
    /// Its deployment, if it got one.
    pub deployment: Option<DeploymentId>,
    /// How it ended.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When it ended.
    pub closed_at: Timestamp,
    /// Whether the uploaded object carries the verdict as its tags.
    pub told: bool,
}

/// Everything that is remembered of one service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ledger {
    /// The service.
    pub service: ServiceName,
    /// What carries traffic. `None` until the first release has succeeded.
    pub live: Option<Live>,
    /// What ran before it, on the other colour.
    pub previous: Option<Live>,
    /// Whether something else was installed on that colour since: its targets then prove nothing for `previous`.
    #[serde(default)]
    pub previous_overwritten: bool,
    /// When the colour that is idle now lost its weight to the live one. It serves late requests for the hold, and
    /// nothing is installed on it before.
    #[serde(default)]
    pub emptied_at: Option<Timestamp>,
    /// CodeDeploy's last successful revision is not the live one, and new instances would boot it.
    #[serde(default)]
    pub unsettled: bool,
    /// The release that is under way.
    pub open: Option<Open>,
    /// The newest bundle that waits.
    pub pending: Option<Upload>,
    /// Whether an operator holds the weights where they are.
    pub paused: bool,
    /// Whether an operator asked for the previous colour back.
    pub rollback: bool,
    /// The last releases that ended, oldest first, at most [`Ledger::REMEMBERED`].
    pub releases: Vec<Past>,
    /// When a hook's question last made a pass look at AWS for the open release; polls within the look interval are
    /// answered from here. Also set when the shift begins: the silence of the hooks counts from here.
    pub looked_at: Option<Timestamp>,
    /// The instance that is unhealthy on the live colour while no release is open.
    #[serde(default)]
    pub ailing: Option<Ailing>,
    /// When an instance was last handed over for replacement.
    #[serde(default)]
    pub healed_at: Option<Timestamp>,
    /// When the base rule was last found, or put, not as `live` says, with no release open.
    #[serde(default)]
    pub drifted_at: Option<Timestamp>,
}

/// An instance that may have to be replaced.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ailing {
    /// The instance.
    pub instance: InstanceId,
    /// Since when it is seen unhealthy.
    pub since: Timestamp,
}

impl Ledger {
    /// How many ended releases are remembered. More than can arrive twice through S3 within a day of pushes.
    pub const REMEMBERED: usize = 20;

    /// A service that never had a release.
    pub fn new(service: ServiceName) -> Self {
        Self {
            service,
            live: None,
            previous: None,
            emptied_at: None,
            unsettled: false,
            open: None,
            pending: None,
            paused: false,
            rollback: false,
            releases: Vec::new(),
            looked_at: None,
            previous_overwritten: false,
            ailing: None,
            healed_at: None,
            drifted_at: None,
        }
    }

    /// The phase's word; `idle` when no release is open.
    pub fn phase(&self) -> &'static str {
        self.open.as_ref().map_or("idle", |open| open.phase.word())
    }

    /// A try of this number that no deployment and no rule was made for yet.
    pub(super) fn next_attempt(&self, number: ReleaseNumber) -> u32 {
        let tried = self.releases.iter().filter(|past| past.upload.number == number).map(|past| past.attempt);
        tried.max().unwrap_or(0) + 1
    }

    /// Whether this release was taken back when it was tried last: it gets weight again only when somebody asks.
    pub(super) fn is_rejected(&self, release: &Live) -> bool {
        let tried = |past: &&Past| past.purpose == Purpose::Release && past.upload == release.upload;
        let last = self.releases.iter().rev().find(tried);
        last.is_some_and(|past| matches!(past.verdict, Verdict::Rejected { .. }))
    }

    /// Remembers an ended release and forgets the oldest.
    pub(super) fn remember(&mut self, past: Past) {
        self.releases.push(past);
        if self.releases.len() > Self::REMEMBERED {
            self.releases.remove(0);
        }
    }

    /// The end of the release with this deployment, if it is remembered.
    pub fn past_of(&self, deployment: &DeploymentId) -> Option<&Past> {
        self.releases.iter().rev().find(|past| past.deployment.as_ref() == Some(deployment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_reads_back_from_its_json() {
        let text = include_str!("../tests/ledgers/schema-0/shifting.json");
        let ledger: Ledger = serde_json::from_str(text).unwrap();
        assert_eq!(ledger.phase(), "shifting");
        let again: Ledger = serde_json::from_str(&serde_json::to_string(&ledger).unwrap()).unwrap();
        assert_eq!(again, ledger);
    }

    #[test]
    fn a_service_name_becomes_part_of_other_names_and_is_narrow() {
        for bad in ["", "Backend", "9lives", "a_b", &"a".repeat(33)] {
            assert!(ServiceName::new(bad).is_err(), "{bad}");
        }
        assert!(ServiceName::new("backend-2").is_ok());
    }
}
