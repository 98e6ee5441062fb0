//! What a hook asks and hears.

use crate::{
    Colour, Creator, Deployment, DeploymentId, InstanceId, Ledger, Open, Phase, Policy, Verdict,
    plan::schedule::since,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A hook's question. What it claims is a hint; the deployment is looked up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// The service the instance believes to belong to. Saves a look-up; checked all the same.
    #[serde(default)]
    pub service: Option<String>,
    /// The deployment the hook runs for.
    pub deployment_id: DeploymentId,
    /// Its group's id.
    #[serde(default)]
    pub deployment_group_id: String,
    /// The lifecycle event whose hook asks.
    pub lifecycle_event: LifecycleEvent,
    /// The instance the hook runs on.
    pub instance_id: InstanceId,
}

impl Question {
    /// Whether the hook waits to hear how its release ends. Every other one asks where to install.
    pub fn validates(&self) -> bool {
        self.lifecycle_event == LifecycleEvent::ValidateService
    }
}

/// A lifecycle event of CodeDeploy's (user guide, appspec hooks).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum LifecycleEvent {
    /// `BeforeInstall`.
    BeforeInstall,
    /// `ValidateService`, the last one.
    ValidateService,
    /// One that the kit does not ask in.
    Other(String),
}

impl LifecycleEvent {
    /// CodeDeploy's name of it.
    pub fn name(&self) -> &str {
        match self {
            Self::BeforeInstall => "BeforeInstall",
            Self::ValidateService => "ValidateService",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for LifecycleEvent {
    fn from(name: String) -> Self {
        match name.as_str() {
            "BeforeInstall" => Self::BeforeInstall,
            "ValidateService" => Self::ValidateService,
            _ => Self::Other(name),
        }
    }
}

impl fmt::Display for LifecycleEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a hook hears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Answer {
    /// Ask again.
    Wait {
        /// When, in seconds.
        #[serde(rename = "retryAfterSeconds")]
        retry_after_seconds: u64,
        /// The phase.
        phase: &'static str,
        /// The candidate's share, in percent.
        weight: u8,
    },
    /// The hook may exit with 0.
    Succeeded,
    /// The hook takes the candidate down and exits with 1.
    Failed {
        /// The cause, in a sentence for the hook's log.
        reason: String,
    },
    /// Where to install: a colour instead of a status.
    #[serde(untagged)]
    Install {
        /// The colour.
        colour: Colour,
        /// Its port.
        port: u16,
        /// The release's number; 0 when no release of ours is behind the deployment.
        release: u64,
    },
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// The open release's deployment.
    Open,
    /// A deployment whose release has ended.
    Past(Verdict),
    /// A deployment that AWS started by itself, to bring an instance to the live revision.
    Service,
    /// A deployment that none of this explains.
    Stranger(String),
}

impl Asker {
    /// Known from the ledger alone.
    pub fn in_ledger(ledger: &Ledger, id: &DeploymentId) -> Option<Self> {
        if ledger.open.as_ref().is_some_and(|open| open.deployment.as_ref() == Some(id)) {
            return Some(Self::Open);
        }
        ledger.past_of(id).map(|past| Self::Past(past.verdict.clone()))
    }

    /// Known from what CodeDeploy says of a deployment that the ledger does not name.
    pub fn from_codedeploy(ledger: &Ledger, id: &DeploymentId, deployment: Option<&Deployment>) -> Self {
        let Some(deployment) = deployment else {
            return Self::Stranger(format!("CodeDeploy does not know deployment {id}"));
        };
        match (&deployment.creator, &deployment.description) {
            (Creator::Service(_), _) => Self::Service,
            (Creator::User, Some(description)) => match &ledger.open {
                Some(open) if open.description(&ledger.service) == *description => match &open.deployment {
                    // A pass that was long delayed asked for a deployment once more.
                    Some(other) => {
                        Self::Stranger(format!("this release is deployed by {other}, and {id} came after it"))
                    }
                    None => Self::Open,
                },
                _ => Self::Stranger(format!(
                    "{} {} of {} is not open",
                    description.purpose.word(),
                    description.number,
                    description.service
                )),
            },
            (Creator::User, None) => Self::Stranger(format!(
                "deployment {id} was not opened by Greenlight: upload a bundle to release it"
            )),
        }
    }

    /// The colour whose health on the asking instance decides the answer, if health decides it.
    pub fn needs_health(&self, ledger: &Ledger) -> Option<Colour> {
        match self {
            Self::Open => {
                ledger.open.as_ref().filter(|open| open.phase == Phase::Settling).map(|open| open.colour)
            }
            Self::Service => ledger.live.as_ref().map(|live| live.colour),
            Self::Past(_) | Self::Stranger(_) => None,
        }
    }
}

/// Answers a hook from the ledger. `healthy`: whether the asking instance is healthy in the colour that
/// [`Asker::needs_health`] named; `None` where unknown.
pub fn answer(
    ledger: &Ledger,
    policy: &Policy,
    now: Timestamp,
    question: &Question,
    asker: &Asker,
    healthy: Option<bool>,
) -> Answer {
    let installs = !question.validates();
    match (asker, &ledger.open, &ledger.live) {
        (Asker::Open, Some(open), _) if installs => match &open.phase {
            Phase::Installing | Phase::Settling => install(open.colour, open.upload.number.0),
            Phase::Returning(back) => failed(back.cause.to_string()),
            // Every instance has installed when the shift begins. An installation now would take down an app that has
            // traffic.
            Phase::Shifting(_) | Phase::Baking(_) | Phase::Promoting(_) => {
                failed(format!("release {} is {} already", open.upload.number, open.phase.word()))
            }
        },
        (Asker::Open, Some(open), _) => validate(open, policy, now, healthy),
        (Asker::Service, _, Some(live)) if installs => install(live.colour, live.upload.number.0),
        (Asker::Service, _, Some(_)) if healthy == Some(true) => Answer::Succeeded,
        (Asker::Service, _, Some(_)) => wait(policy, "idle", 0),
        (Asker::Service, _, None) => {
            failed("no release is live yet, so there is nothing to install: upload a bundle".to_owned())
        }
        (Asker::Past(Verdict::Live), _, _) if !installs => Answer::Succeeded,
        (Asker::Past(Verdict::Live), _, _) => failed("this release has ended".to_owned()),
        (Asker::Past(verdict @ (Verdict::Rejected { .. } | Verdict::Superseded { .. })), _, _) => {
            failed(verdict.reason())
        }
        (Asker::Stranger(reason), _, _) => failed(reason.clone()),
        (Asker::Open, None, _) => failed("no release is open".to_owned()),
    }
}

fn failed(reason: String) -> Answer {
    Answer::Failed { reason }
}

fn install(colour: Colour, release: u64) -> Answer {
    Answer::Install { colour, port: colour.port(), release }
}

fn wait(policy: &Policy, phase: &'static str, weight: u8) -> Answer {
    let seconds = policy.look_interval.as_secs().max(1);
    Answer::Wait { retry_after_seconds: seconds, phase, weight }
}

/// What a hook hears while the ledger is one that only a newer version of Greenlight reads.
///
/// Nobody can say what weight the candidate has. So it is told to have all of it: a hook that is ended while it believes
/// in no weight takes its colour down.
pub fn wait_for_newer(policy: &Policy) -> Answer {
    wait(policy, "unknown", 100)
}

fn validate(open: &Open, policy: &Policy, now: Timestamp, healthy: Option<bool>) -> Answer {
    match &open.phase {
        Phase::Promoting(_) => Answer::Succeeded,
        Phase::Settling if healthy == Some(true) => Answer::Succeeded,
        Phase::Returning(back) => {
            // The candidate is taken down by the hook that hears this: only after the load balancer let go of it.
            let let_go = back.weightless_since.is_some_and(|start| since(start, now) >= policy.drain);
            if let_go || !back.had_weight {
                failed(back.cause.to_string())
            } else {
                wait(policy, open.phase.word(), 0)
            }
        }
        Phase::Installing | Phase::Shifting(_) | Phase::Baking(_) | Phase::Settling => {
            wait(policy, open.phase.word(), open.intended_percent())
        }
    }
}
