//! What comes in: one closed enum of everything that can wake this function.

use greenlight::failure::Excerpt;
use jiff::Timestamp;
use release::evidence::{Report, ReportError};
use release::{Command, DeploymentId, Question, ReleaseNumber, SmokeError, SmokeReport, Statement};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// Bytes of an id or a name at most. AWS's are shorter, deployment groups have up to 100 letters.
const LONGEST_ID: usize = 256;

/// Bytes of a hook execution's id at most. It holds a token of CodeDeploy's and has several hundred.
const LONGEST_TOKEN: usize = 4096;

/// Bytes of a freeze's reason at most. What is longer than a line the freeze itself refuses.
const LONGEST_REASON: usize = 1024;

/// Everything that can wake this function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A hook asks.
    Question {
        /// What.
        question: Question,
        /// What it says that its instance has counted, if it says something.
        reported: Option<Result<Report, ReportError>>,
        /// What it says that its instance has asked of both colours.
        smoked: Option<Result<SmokeReport, SmokeError>>,
    },
    /// An operator commands.
    Command {
        /// The service, as typed. Without one `status` is asked of all.
        service: Option<String>,
        /// The command.
        command: Command,
        /// Why, with a command that takes a reason.
        said: Option<Statement>,
        /// Whether only to say what it would do.
        dry_run: bool,
    },
    /// An operator lets no release open for a time.
    Freeze {
        /// The service, as typed; `None`: all of them.
        service: Option<String>,
        /// When it ends.
        end: End,
        /// Why.
        reason: String,
        /// Whether only to say what it would do.
        dry_run: bool,
    },
    /// An operator ends that.
    Thaw {
        /// The service, as typed; `None`: all of them.
        service: Option<String>,
        /// Whether only to say what it would do.
        dry_run: bool,
    },
    /// An operator wants to ask a candidate before it has traffic.
    Preview {
        /// The service, as typed.
        service: String,
        /// What is wanted.
        wanted: Previewed,
        /// Whether only to say what it would do.
        dry_run: bool,
    },
    /// Somebody wants to know what a release would meet.
    Forecast {
        /// The service, as typed.
        service: String,
        /// The release's number; without one the next.
        number: Option<ReleaseNumber>,
    },
    /// Somebody wants to see the page of all services.
    Page,
    /// EventBridge says that a deployment, or an instance in it, changed.
    DeploymentChanged {
        /// The deployment group's name.
        group: String,
        /// The deployment.
        deployment: DeploymentId,
    },
    /// The schedule.
    Tick,
    /// A hook of CodeDeploy's own for ECS and Lambda deployments.
    HookExecution {
        /// The deployment.
        deployment_id: String,
        /// What the answer must name.
        execution_id: String,
    },
}

/// What is wanted of previews.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Previewed {
    /// One of the open release, for so long; `None`: the one that is there, or else the usual one.
    For(Option<Duration>),
    /// A new secret for those that come.
    NewSecret,
}

/// When a freeze ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// At this time.
    At(Timestamp),
    /// So long after it was asked for.
    After(Duration),
}

impl End {
    /// The time, in whole seconds, because people read it. What lies beyond all times is the last of them.
    pub(crate) fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(until) => until,
            Self::After(time) => {
                let until = now.saturating_add(time).unwrap_or(Timestamp::MAX);
                Timestamp::from_second(until.as_second()).unwrap_or(until)
            }
        }
    }
}

fn of(service: Option<&str>) -> &str {
    service.unwrap_or("all services")
}

/// For the log.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Question { question, .. } => write!(
                f,
                "a hook's question about deployment {} on instance {}",
                question.deployment_id, question.instance_id.0
            ),
            Self::Command { service, command, .. } => {
                write!(f, "the command {command:?} for {}", of(service.as_deref()))
            }
            Self::Freeze { service, .. } => write!(f, "the command freeze for {}", of(service.as_deref())),
            Self::Thaw { service, .. } => write!(f, "the command thaw for {}", of(service.as_deref())),
            Self::Preview { service, .. } => write!(f, "the command preview for {service}"),
            Self::DeploymentChanged { group, deployment } => {
                write!(f, "a change of deployment {deployment} of group {group}")
            }
            Self::Forecast { service, .. } => write!(f, "the command plan for {service}"),
            Self::Page => f.write_str("the command for the page"),
            Self::Tick => f.write_str("the minute's tick"),
            Self::HookExecution { deployment_id, .. } => {
                write!(f, "CodeDeploy's hook execution for deployment {deployment_id}")
            }
        }
    }
}

/// A payload that is none of these.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Its discriminator is known, its content is not.
    #[error("{kind} is malformed at {path}: {detail}; send it as events/lifecycle/{sample} shows")]
    Malformed {
        /// What it claims to be.
        kind: &'static str,
        /// Where it is wrong.
        path: String,
        /// What is wrong there.
        detail: String,
        /// A good one.
        sample: &'static str,
    },
    /// A member that it must have is missing.
    #[error("{kind} is malformed: it has no {member}; send it as events/lifecycle/{sample} shows")]
    Lacks {
        /// What it claims to be.
        kind: &'static str,
        /// What is missing.
        member: &'static str,
        /// A good one.
        sample: &'static str,
    },
    /// Nothing that AWS has by this id or name.
    #[error(
        "{kind} is malformed at {member}: that is no id or name of AWS, its {bytes} bytes are too many or have control characters among them"
    )]
    NoName {
        /// What it claims to be.
        kind: &'static str,
        /// Which member.
        member: &'static str,
        /// How long it is.
        bytes: usize,
    },
    /// Nothing that wakes this function.
    #[error(
        "the payload is no hook question, no command, no CodeDeploy or schedule event: see events/lifecycle for what is"
    )]
    Unrecognised,
}

/// Nothing else is taken: whoever writes `"dry-run": true` must not believe that it is heard.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Commanded {
    service: Option<String>,
    command: Command,
    reason: Option<String>,
    by: Option<String>,
    /// Of a drill alone, for its schedule.
    #[serde(default)]
    all: bool,
    #[serde(default)]
    dry_run: bool,
}

impl Commanded {
    /// What is said with it.
    ///
    /// # Errors
    /// With a command that tells nobody why.
    fn said(&self) -> Result<Option<Statement>, EventError> {
        let Self { command, reason, by, .. } = self;
        if !command.takes_a_reason() && (reason.is_some() || by.is_some()) {
            let path = if reason.is_some() { "reason" } else { "by" };
            return Err(EventError::Malformed {
                kind: COMMAND.name,
                path: path.to_owned(),
                detail: "only pause, abort, rollback and drill take a reason".to_owned(),
                sample: "command-abort-with-a-reason.json",
            });
        }
        Ok(reason.as_ref().and_then(|reason| Statement::new(reason, by.as_deref())))
    }
}

/// It changes nothing, so there is no dry run of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    service: String,
    #[serde(rename = "command")]
    _command: String,
    number: Option<ReleaseNumber>,
}

/// All services are on the page, and nothing is changed that a dry run could leave.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PageWanted {
    #[serde(rename = "command")]
    _command: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Frozen {
    service: Option<String>,
    #[serde(default)]
    all: bool,
    #[serde(rename = "command")]
    _command: String,
    until: Option<Timestamp>,
    time: Option<String>,
    reason: String,
    #[serde(default)]
    dry_run: bool,
}

impl Frozen {
    /// Exactly one of both says when it ends.
    fn end(&self) -> Option<End> {
        match (self.until, &self.time) {
            (Some(until), None) => Some(End::At(until)),
            (None, Some(time)) => duration::parse(time).map(End::After),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Thawed {
    service: Option<String>,
    #[serde(default)]
    all: bool,
    #[serde(rename = "command")]
    _command: String,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PreviewWanted {
    service: String,
    #[serde(rename = "command")]
    _command: String,
    time: Option<String>,
    #[serde(default)]
    rotate: bool,
    #[serde(default)]
    dry_run: bool,
}

impl PreviewWanted {
    /// A time or a new secret, or neither.
    fn wanted(&self) -> Option<Previewed> {
        match (&self.time, self.rotate) {
            (None, true) => Some(Previewed::NewSecret),
            (Some(_), true) => None,
            (None, false) => Some(Previewed::For(None)),
            (Some(time), false) => duration::parse(time).map(|time| Previewed::For(Some(time))),
        }
    }
}

#[derive(Deserialize)]
struct Changed {
    detail: ChangedDetail,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChangedDetail {
    deployment_group: String,
    deployment_id: DeploymentId,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Execution {
    deployment_id: String,
    lifecycle_event_hook_execution_id: String,
}

/// A kind of event: what it is called, a sample of it, and which ids and names it must have, with their longest length.
struct Kind {
    name: &'static str,
    sample: &'static str,
    members: &'static [(&'static str, usize)],
    optional: &'static [&'static str],
}

const EXECUTION: Kind = Kind {
    name: "a CodeDeploy hook execution",
    sample: "codedeploy-lambda-hook.json",
    members: &[("DeploymentId", LONGEST_ID), ("LifecycleEventHookExecutionId", LONGEST_TOKEN)],
    optional: &[],
};

const COMMAND: Kind =
    Kind { name: "a command", sample: "command-status.json", members: &[], optional: &["service"] };

const FREEZE: Kind = Kind {
    name: "a freeze",
    sample: "command-freeze.json",
    members: &[("reason", LONGEST_REASON)],
    optional: &["service", "until", "time"],
};

const THAW: Kind = Kind { name: "a thaw", sample: "command-thaw.json", members: &[], optional: &["service"] };
const PLAN: Kind =
    Kind { name: "a plan", sample: "command-plan.json", members: &[("service", LONGEST_ID)], optional: &[] };
const PAGE: Kind =
    Kind { name: "the command for the page", sample: "command-page.json", members: &[], optional: &[] };

const PREVIEW: Kind = Kind {
    name: "a preview",
    sample: "command-preview.json",
    members: &[("service", LONGEST_ID)],
    optional: &["time"],
};

const QUESTION: Kind = Kind {
    name: "a hook's question",
    sample: "hook-validate-service.json",
    members: &[("deploymentId", LONGEST_ID), ("lifecycleEvent", LONGEST_ID), ("instanceId", LONGEST_ID)],
    optional: &["service", "deploymentGroupId"],
};

const CHANGE: Kind = Kind {
    name: "a CodeDeploy event",
    sample: "deployment-success.json",
    members: &[("deploymentGroup", LONGEST_ID), ("deploymentId", LONGEST_ID)],
    optional: &[],
};

/// Tells what a payload is, by its documented discriminator.
///
/// # Errors
/// A payload that is none of [`Event`], or one that claims to be and is malformed.
pub fn parse(payload: &Value) -> Result<Event, EventError> {
    let text = |name: &str| payload.get(name).and_then(Value::as_str).map(str::to_owned);
    if payload.get("LifecycleEventHookExecutionId").is_some() {
        let execution: Execution = EXECUTION.read(payload, payload)?;
        return Ok(Event::HookExecution {
            deployment_id: execution.deployment_id,
            execution_id: execution.lifecycle_event_hook_execution_id,
        });
    }
    if payload.get("command") == Some(&json!("freeze")) {
        let frozen: Frozen = FREEZE.read(payload, payload)?;
        let end = frozen.end().ok_or_else(|| EventError::Malformed {
            kind: FREEZE.name,
            path: "until".to_owned(),
            detail: "it says when it ends, either as until, a time as 2026-12-27T06:00:00Z, or as time, as long as 90m, 12h or 3d"
                .to_owned(),
            sample: FREEZE.sample,
        })?;
        let Frozen { service, all, reason, dry_run, .. } = frozen;
        let service = FREEZE.one_or_all(service, all)?;
        return Ok(Event::Freeze { service, end, reason, dry_run });
    }
    if payload.get("command") == Some(&json!("thaw")) {
        let Thawed { service, all, dry_run, .. } = THAW.read(payload, payload)?;
        let service = THAW.one_or_all(service, all)?;
        return Ok(Event::Thaw { service, dry_run });
    }
    if payload.get("command") == Some(&json!("preview")) {
        let asked: PreviewWanted = PREVIEW.read(payload, payload)?;
        let wanted = asked.wanted().ok_or_else(|| EventError::Malformed {
            kind: PREVIEW.name,
            path: "time".to_owned(),
            detail: "it says for how long, as 90s or 10m, or rotate, which makes a new secret, and not both"
                .to_owned(),
            sample: PREVIEW.sample,
        })?;
        let PreviewWanted { service, dry_run, .. } = asked;
        return Ok(Event::Preview { service, wanted, dry_run });
    }
    if payload.get("command") == Some(&json!("plan")) {
        let Planned { service, number, .. } = PLAN.read(payload, payload)?;
        return Ok(Event::Forecast { service, number });
    }
    if text("command").as_deref() == Some("page") {
        let PageWanted { .. } = PAGE.read(payload, payload)?;
        return Ok(Event::Page);
    }
    if payload.get("command").is_some() {
        let commanded: Commanded = COMMAND.read(payload, payload).map_err(naming_every_command)?;
        let said = commanded.said()?;
        let Commanded { service, command, all, dry_run, .. } = commanded;
        if command == Command::Drill {
            let service = COMMAND.one_or_all(service, all)?;
            return Ok(Event::Command { service, command, said, dry_run });
        }
        if all {
            return Err(EventError::Malformed {
                kind: COMMAND.name,
                path: "all".to_owned(),
                detail: "of the commands that say no more than a service only drill takes it".to_owned(),
                sample: "command-drill-of-all.json",
            });
        }
        if service.is_none() && command != Command::Status {
            return Err(EventError::Lacks { kind: COMMAND.name, member: "service", sample: COMMAND.sample });
        }
        return Ok(Event::Command { service, command, said, dry_run });
    }
    if payload.get("lifecycleEvent").is_some() {
        let question: Question = QUESTION.read(payload, payload)?;
        let counts = payload.get("counts").filter(|counts| !counts.is_null());
        let reported = counts.map(|counts| Report::read(question.instance_id.clone(), counts));
        let smoke = payload.get("smoke").filter(|smoke| !smoke.is_null());
        let smoked = smoke.map(|smoke| SmokeReport::read(question.instance_id.clone(), smoke));
        return Ok(Event::Question { question, reported, smoked });
    }
    match (text("source").as_deref(), text("detail-type").as_deref()) {
        (Some("aws.events" | "aws.scheduler"), Some("Scheduled Event")) => Ok(Event::Tick),
        (
            Some("aws.codedeploy"),
            Some(
                "CodeDeploy Deployment State-change Notification"
                | "CodeDeploy Instance State-change Notification",
            ),
        ) => {
            let detail = payload.get("detail").unwrap_or(&Value::Null);
            let Changed { detail } = CHANGE.read(detail, payload)?;
            Ok(Event::DeploymentChanged { group: detail.deployment_group, deployment: detail.deployment_id })
        }
        _ => Err(EventError::Unrecognised),
    }
}

/// Commands that say more than a service are kinds of their own, which the list of the others lacks.
fn naming_every_command(error: EventError) -> EventError {
    match error {
        EventError::Malformed { kind, path, detail, sample } if detail.contains("unknown variant") => {
            EventError::Malformed {
                kind,
                path,
                detail: format!("{detail}, `freeze`, `thaw`, `page`"),
                sample,
            }
        }
        other => other,
    }
}

impl Kind {
    /// Reads `payload`, whose ids and names stand in `members`.
    fn read<T: for<'a> Deserialize<'a>>(&self, members: &Value, payload: &Value) -> Result<T, EventError> {
        let Self { name: kind, sample, .. } = *self;
        for (member, longest) in self.members {
            let value = members.get(member).ok_or(EventError::Lacks { kind, member, sample })?;
            self.check(member, value, *longest)?;
        }
        for member in self.optional {
            members.get(member).map_or(Ok(()), |value| self.check(member, value, LONGEST_ID))?;
        }
        serde_path_to_error::deserialize(payload).map_err(|error| EventError::Malformed {
            kind,
            path: error.path().to_string(),
            detail: Excerpt(&error.inner().to_string()).to_string(),
            sample,
        })
    }

    /// All must be asked for: who forgets a service must not stop every one of them.
    fn one_or_all(&self, service: Option<String>, all: bool) -> Result<Option<String>, EventError> {
        let Self { name: kind, sample, .. } = *self;
        match (service, all) {
            (service, true) if service.is_some() => Err(EventError::Malformed {
                kind,
                path: "all".to_owned(),
                detail: "it names a service as well".to_owned(),
                sample,
            }),
            (None, false) => Err(EventError::Lacks { kind, member: "service", sample }),
            (service, _) => Ok(service),
        }
    }

    /// What it names is echoed to the caller, to the log and to AWS.
    fn check(&self, member: &'static str, value: &Value, longest: usize) -> Result<(), EventError> {
        match value.as_str() {
            Some(text) if text.len() > longest || text.contains(char::is_control) => {
                Err(EventError::NoName { kind: self.name, member, bytes: text.len() })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
