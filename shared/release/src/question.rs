//! What a hook asks and hears.

use crate::{
    Colour, Creator, Deployment, DeploymentId, InstanceId, Ledger, Open, Phase, Policy, Purpose,
    ReleaseNumber, ReturnCause, Returning, Rules, Verdict, plan::schedule::since, reinstall::left_running,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

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
    /// Whether the hook waits to hear how its release ends.
    pub fn validates(&self) -> bool {
        self.lifecycle_event == LifecycleEvent::ValidateService
    }

    /// Whether the hook asks if its instance is the one that runs the bundle's `migrate`. Every other one that does not
    /// wait asks where to install.
    pub fn migrates(&self) -> bool {
        self.lifecycle_event == LifecycleEvent::ApplicationStart
    }
}

/// A lifecycle event of CodeDeploy's (user guide, appspec hooks).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum LifecycleEvent {
    /// `BeforeInstall`.
    BeforeInstall,
    /// `ApplicationStart`.
    ApplicationStart,
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
            Self::ApplicationStart => "ApplicationStart",
            Self::ValidateService => "ValidateService",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for LifecycleEvent {
    fn from(name: String) -> Self {
        match name.as_str() {
            "BeforeInstall" => Self::BeforeInstall,
            "ApplicationStart" => Self::ApplicationStart,
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
        /// What it waits for, where somebody has to do something about it. For the hook's log.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The hook may exit with 0.
    Succeeded,
    /// The hook takes the candidate down and exits with 1.
    Failed {
        /// The cause, in a sentence for the hook's log.
        reason: String,
        /// It leaves the candidate running all the same. An older kit does not know this, and takes it down.
        #[serde(rename = "leaveRunning", skip_serializing_if = "std::ops::Not::not")]
        leave_running: bool,
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
        /// Whether it is installed to stand by and for nothing else: what the live version runs with stays as it is.
        #[serde(rename = "standsBy", skip_serializing_if = "std::ops::Not::not")]
        stands_by: bool,
    },
    /// Whether to run the bundle's `migrate`.
    #[serde(untagged)]
    Migrate {
        /// On this instance.
        migrate: bool,
    },
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// The open release's deployment.
    Open,
    /// A deployment whose release has ended.
    Past(Verdict),
    /// A reinstallation that has ended well: this release stands by, and is left running.
    Left(ReleaseNumber),
    /// A deployment that AWS started by itself, to bring an instance to the live revision.
    Service,
    /// A deployment that none of this explains: of another hand, or of a release that the ledger does not know because
    /// it is lost or was restored from before.
    Stranger(Stranger),
}

/// What is known of a deployment that the ledger does not explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// Why it is none of ours, in a sentence.
    pub reason: String,
    /// The colour that it installs on, if its description is one of ours.
    pub colour: Option<Colour>,
    /// How much of the traffic the rules give that colour at most, in percent. `None` until [`Asker::seen`], or where it
    /// could not be told.
    pub share: Option<u8>,
}

impl From<String> for Stranger {
    fn from(reason: String) -> Self {
        Self { reason, colour: None, share: None }
    }
}

impl Asker {
    /// Known from the ledger alone.
    pub fn in_ledger(ledger: &Ledger, id: &DeploymentId) -> Option<Self> {
        if ledger.open.as_ref().is_some_and(|open| open.deployment.as_ref() == Some(id)) {
            return Some(Self::Open);
        }
        let reinstalled = ledger.reinstalled.as_ref().filter(|last| last.deployment.as_ref() == Some(id));
        if let Some(last) = reinstalled {
            let number = last.number;
            let ended = |why: &String| Self::Past(Verdict::Rejected { reason: why.clone() });
            return Some(last.why_not.as_ref().map_or(Self::Left(number), ended));
        }
        let drilled = ledger.drilled.as_ref().filter(|drilled| drilled.deployment.as_ref() == Some(id));
        let drilled = drilled.map(|drilled| Verdict::Rejected { reason: drilled.to_string() });
        ledger.past_of(id).map(|past| past.verdict.clone()).or(drilled).map(Self::Past)
    }

    /// Known from what CodeDeploy says of a deployment that the ledger does not name.
    pub fn from_codedeploy(ledger: &Ledger, id: &DeploymentId, deployment: Option<&Deployment>) -> Self {
        let Some(deployment) = deployment else {
            return Self::Stranger(format!("CodeDeploy does not know deployment {id}").into());
        };
        let stranger = |reason| {
            Self::Stranger(Stranger {
                reason,
                colour: deployment.description.as_ref().map(|description| description.colour),
                share: None,
            })
        };
        match (&deployment.creator, &deployment.description) {
            (Creator::Service(_), _) => Self::Service,
            (Creator::User, Some(description)) => match &ledger.open {
                Some(open) if open.description(&ledger.service) == *description => match &open.deployment {
                    // A pass that was long delayed asked for a deployment once more.
                    Some(other) => {
                        stranger(format!("this release is deployed by {other}, and {id} came after it"))
                    }
                    None => Self::Open,
                },
                _ => stranger(format!(
                    "{} {} of {} is not open",
                    description.purpose.word(),
                    description.number,
                    description.service
                )),
            },
            (Creator::User, None) => stranger(format!(
                "deployment {id} was not opened by Greenlight: upload a bundle to release it"
            )),
        }
    }

    /// The colour whose share of the traffic decides what a stranger hears. See [`Asker::seen`].
    pub fn needs_rules(&self) -> Option<Colour> {
        match self {
            Self::Stranger(stranger) => stranger.colour,
            Self::Open | Self::Past(_) | Self::Left(_) | Self::Service => None,
        }
    }

    /// With the rules as they are now: only they can prove that a stranger's colour carries nothing.
    #[must_use]
    pub fn seen(self, rules: &Rules) -> Self {
        match self {
            Self::Stranger(Stranger { reason, colour: Some(colour), .. }) => {
                let release = rules.release.as_ref().map_or(0, |rule| rule.weights.per_mille(colour));
                let most = release.max(rules.base.per_mille(colour)).div_ceil(10);
                let share = Some(u8::try_from(most).unwrap_or(100));
                Self::Stranger(Stranger { reason, colour: Some(colour), share })
            }
            other => other,
        }
    }

    /// The colour whose health on the asking instance decides the answer, if health decides it.
    pub fn needs_health(&self, ledger: &Ledger) -> Option<Colour> {
        match self {
            Self::Open => {
                ledger.open.as_ref().filter(|open| open.phase == Phase::Settling).map(|open| open.colour)
            }
            Self::Service => ledger.live.as_ref().map(|live| live.colour),
            Self::Past(_) | Self::Left(_) | Self::Stranger(_) => None,
        }
    }
}

/// The ledger with the asking instance as the one that runs the bundle's `migrate`, if the release is being installed and
/// nobody was told before. Written before the hook hears it, so that no second one is told; and no weight comes before it is
/// done, because until then its instance does not stand in `ValidateService`. What goes back to an older version, or repeats
/// one, migrates nothing.
#[must_use]
pub fn choose_migrator(mut ledger: Ledger, question: &Question) -> Ledger {
    let is_asked_for = |open: &&mut Open| {
        open.deployment.as_ref() == Some(&question.deployment_id)
            && open.phase == Phase::Installing
            && open.migrates.is_none()
            && migrates(open)
    };
    if let Some(open) = ledger.open.as_mut().filter(is_asked_for) {
        open.migrates = Some(question.instance_id.clone());
    }
    ledger
}

/// Whether this release brings its schema along.
fn migrates(open: &Open) -> bool {
    open.purpose == Purpose::Release && open.rolls_back.is_none()
}

/// What a hook hears that asks who migrates before anybody can be chosen.
pub fn wait_for_migrator(policy: &Policy) -> Answer {
    wait(policy, "installing", 0)
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
        (Asker::Open, Some(open), _) if question.migrates() && open.phase == Phase::Installing => {
            match &open.migrates {
                Some(instance) => Answer::Migrate { migrate: *instance == question.instance_id },
                None if migrates(open) => wait_for_migrator(policy),
                None => NOTHING_TO_MIGRATE,
            }
        }
        (Asker::Open, Some(open), _) if question.migrates() && open.phase == Phase::Settling => {
            NOTHING_TO_MIGRATE
        }
        (Asker::Service, _, Some(_)) if question.migrates() => NOTHING_TO_MIGRATE,
        (Asker::Open, Some(open), _) if installs => match &open.phase {
            // The hook takes the colour down that it is told.
            Phase::Settling if ledger.drifted_at.is_some() || still_drains(ledger, policy, now) => {
                failed(format!(
                    "the traffic is or was a moment ago not where the ledger says, perhaps on {}: settling begins anew when it is on the live colour",
                    open.colour
                ))
            }
            Phase::Installing if open.purpose == Purpose::Reinstall => Answer::Install {
                colour: open.colour,
                port: open.colour.port(),
                release: open.upload.number.0,
                stands_by: true,
            },
            Phase::Installing | Phase::Settling => install(open.colour, open.upload.number.0),
            Phase::Drilling | Phase::Leaving(_) => {
                failed(format!("{} is {} already", crate::command::named(open), open.phase.word()))
            }
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
        (Asker::Left(number), _, _) => leave(*number),
        (Asker::Past(Verdict::Live), _, _) if !installs => Answer::Succeeded,
        (Asker::Past(Verdict::Live), _, _) => failed("this release has ended".to_owned()),
        (Asker::Past(verdict @ (Verdict::Rejected { .. } | Verdict::Superseded { .. })), _, _) => {
            if (ledger.drifted_at.is_some() || still_drains(ledger, policy, now)) && !installs {
                return wait_for_base_rule(policy, &verdict.reason());
            }
            failed(verdict.reason())
        }
        (Asker::Stranger(stranger), _, _) if installs => failed(stranger.reason.clone()),
        (Asker::Stranger(stranger), _, _) => validate_stranger(ledger, policy, now, stranger),
        (Asker::Open, None, _) => failed("no release is open".to_owned()),
    }
}

/// The version ran before, and its schema is there.
const NOTHING_TO_MIGRATE: Answer = Answer::Migrate { migrate: false };

fn failed(reason: String) -> Answer {
    Answer::Failed { reason, leave_running: false }
}

/// The hook ends as failed, and what it has installed runs on.
fn leave(number: ReleaseNumber) -> Answer {
    Answer::Failed { reason: left_running(number), leave_running: true }
}

fn install(colour: Colour, release: u64) -> Answer {
    Answer::Install { colour, port: colour.port(), release, stands_by: false }
}

fn wait(policy: &Policy, phase: &'static str, weight: u8) -> Answer {
    wait_for(policy.look_interval, phase, weight)
}

fn wait_for(time: Duration, phase: &'static str, weight: u8) -> Answer {
    Answer::Wait { retry_after_seconds: time.as_secs().max(1), phase, weight, reason: None }
}

/// A hook that hears "failed" takes its colour down. So a stranger hears it only when the rules prove that the colour
/// carries nothing, and the drain is over. Until then it waits, at most as long as CodeDeploy lets it: then it ends
/// without taking down a colour that had weight when it last heard.
fn validate_stranger(ledger: &Ledger, policy: &Policy, now: Timestamp, stranger: &Stranger) -> Answer {
    let Stranger { reason, colour, share } = stranger;
    if *share == Some(0) && colour.is_some_and(|colour| has_drained(ledger, policy, now, colour)) {
        return failed(reason.clone());
    }
    let why = match (colour, share) {
        (Some(colour), Some(share @ 1..)) => format!(
            "{colour} has {share} % of the traffic: restore the newest ledger, or take the traffic from {colour}"
        ),
        (Some(colour), Some(0)) => format!("{colour} still drains"),
        (Some(colour), None) => format!("it cannot be told whether {colour} has traffic"),
        (None, _) => "it cannot be told which colour it is on".to_owned(),
    };
    Answer::Wait {
        retry_after_seconds: policy.look_interval.as_secs().max(1),
        phase: "unknown",
        weight: share.unwrap_or(100),
        reason: Some(format!("{reason}, but it is not taken down: {why}")),
    }
}

/// Another hand has moved the base rule, or did so a moment ago, perhaps onto the colour that a late hook would take down.
/// As much weight is told as it may have.
fn wait_for_base_rule(policy: &Policy, reason: &str) -> Answer {
    Answer::Wait {
        retry_after_seconds: policy.look_interval.as_secs().max(1),
        phase: "idle",
        weight: 100,
        reason: Some(format!(
            "{reason}, but it is not taken down: the traffic is or was a moment ago not where the ledger says; if it stays so, set all weight of the base rule on the live colour"
        )),
    }
}

/// Whether a colour without weight has served its last late request, as far as the ledger remembers.
fn has_drained(ledger: &Ledger, policy: &Policy, now: Timestamp, colour: Colour) -> bool {
    match ledger.open.as_ref().filter(|open| open.colour == colour) {
        Some(open) => match &open.phase {
            Phase::Installing | Phase::Settling | Phase::Drilling | Phase::Leaving(_) => {
                !still_drains(ledger, policy, now)
            }
            Phase::Returning(back) => has_let_go(back, policy, now),
            Phase::Shifting(_) | Phase::Baking(_) | Phase::Promoting(_) => false,
        },
        None => !still_drains(ledger, policy, now),
    }
}

/// Whether the colour that is idle lost its weight so recently that late requests may still reach it.
fn still_drains(ledger: &Ledger, policy: &Policy, now: Timestamp) -> bool {
    ledger.emptied_at.is_some_and(|emptied| since(emptied, now) < policy.drain)
}

/// Whether the load balancer has let go of a candidate that is taken back.
fn has_let_go(back: &Returning, policy: &Policy, now: Timestamp) -> bool {
    !back.had_weight || back.weightless_since.is_some_and(|start| since(start, now) >= policy.drain)
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
        // Written before anybody hears it, and the same for all of them.
        Phase::Leaving(_) | Phase::Returning(Returning { cause: ReturnCause::StandsBy, .. }) => {
            leave(open.upload.number)
        }
        Phase::Returning(back) => {
            // The candidate is taken down by the hook that hears this.
            if has_let_go(back, policy, now) {
                failed(back.cause.to_string())
            } else {
                wait(policy, open.phase.word(), 0)
            }
        }
        Phase::Installing | Phase::Shifting(_) | Phase::Baking(_) | Phase::Settling | Phase::Drilling => {
            wait_for(open.looks_again_after(policy, now), open.phase.word(), open.intended_percent())
        }
    }
}
