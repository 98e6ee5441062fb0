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
        /// The service, as typed.
        service: String,
        /// When it ends.
        end: End,
        /// Why.
        reason: String,
        /// Whether only to say what it would do.
        dry_run: bool,
    },
    /// An operator ends that.
    Thaw {
        /// The service, as typed.
        service: String,
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

/// When a freeze ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// At this time.
    At(Timestamp),
    /// So long after it was asked for.
    After(Duration),
}

impl End {
    /// The time. What lies beyond all times is the last of them.
    pub(crate) fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(until) => until,
            Self::After(time) => now.saturating_add(time).unwrap_or(Timestamp::MAX),
        }
    }
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
                write!(f, "the command {command:?} for {}", service.as_deref().unwrap_or("all services"))
            }
            Self::Freeze { service, .. } => write!(f, "the command freeze for {service}"),
            Self::Thaw { service, .. } => write!(f, "the command thaw for {service}"),
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
                detail: "only pause, abort and rollback take a reason".to_owned(),
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
    service: String,
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
    service: String,
    #[serde(rename = "command")]
    _command: String,
    #[serde(default)]
    dry_run: bool,
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
    members: &[("service", LONGEST_ID), ("reason", LONGEST_REASON)],
    optional: &["until", "time"],
};

const THAW: Kind =
    Kind { name: "a thaw", sample: "command-thaw.json", members: &[("service", LONGEST_ID)], optional: &[] };
const PLAN: Kind =
    Kind { name: "a plan", sample: "command-plan.json", members: &[("service", LONGEST_ID)], optional: &[] };
const PAGE: Kind =
    Kind { name: "the command for the page", sample: "command-page.json", members: &[], optional: &[] };

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
        let Frozen { service, reason, dry_run, .. } = frozen;
        return Ok(Event::Freeze { service, end, reason, dry_run });
    }
    if payload.get("command") == Some(&json!("thaw")) {
        let Thawed { service, dry_run, .. } = THAW.read(payload, payload)?;
        return Ok(Event::Thaw { service, dry_run });
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
        let Commanded { service, command, dry_run, .. } = commanded;
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
mod tests {
    use super::*;

    #[test]
    fn a_malformed_question_is_told_where_it_is_wrong() {
        let error =
            parse(&json!({"lifecycleEvent": "ValidateService", "deploymentId": 5, "instanceId": "i-1"}))
                .unwrap_err();
        assert!(error.to_string().contains("deploymentId"), "{error}");
    }

    #[test]
    fn an_unknown_command_is_refused_by_name() {
        let error = parse(&json!({"command": "explode", "service": "backend"})).unwrap_err();
        let said = greenlight::failure::chain(&error);
        for word in ["explode", "`status`", "`retry`", "`freeze`", "`thaw`", "`page`"] {
            assert!(said.contains(word), "{word}: {said}");
        }
    }

    #[test]
    fn anything_else_is_unrecognised() {
        for payload in [
            json!(null),
            json!([]),
            json!("x"),
            json!({"source": "aws.s3"}),
            json!({"source": "aws.events"}),
            json!({"source": "aws.events", "detail-type": 5}),
        ] {
            assert!(matches!(parse(&payload), Err(EventError::Unrecognised)));
        }
    }
    #[test]
    fn what_a_command_lacks_or_has_too_much_of_is_said() {
        let said = |payload: Value| parse(&payload).unwrap_err().to_string();
        assert_eq!(
            said(json!({"command": "abort"})),
            "a command is malformed: it has no service; send it as events/lifecycle/command-status.json shows"
        );
        assert_eq!(
            said(json!({"command": "abort", "service": "backend", "dry_run": true})),
            "a command is malformed at dry_run: unknown field `dry_run`, expected one of `service`, `command`, `reason`, `by`, `dryRun`; send it as \
             events/lifecycle/command-status.json shows"
        );
    }

    #[test]
    fn what_takes_traffic_away_takes_a_reason_of_any_length_and_nothing_else_does() {
        let payload = |command: &str| json!({"command": command, "service": "backend", "reason": "x".repeat(100_000), "by": "anna\n"});
        for command in ["pause", "abort", "rollback"] {
            let Ok(Event::Command { said: Some(said), .. }) = parse(&payload(command)) else {
                panic!("{command}")
            };
            assert!(said.to_string().starts_with("anna: xxx") && said.to_string().len() < 300, "{said}");
        }
        for command in ["resume", "promote", "retry", "status"] {
            let said = parse(&payload(command)).unwrap_err().to_string();
            assert!(said.contains("at reason: only pause, abort and rollback take a reason"), "{said}");
        }
        for (member, value) in [("reason", json!(["why"])), ("by", json!(7))] {
            let mut payload = payload("abort");
            payload[member] = value;
            assert!(parse(&payload).unwrap_err().to_string().contains(&format!("malformed at {member}")));
        }
    }

    #[test]
    fn a_freeze_ends_at_a_time_or_after_one_and_at_nothing_else() {
        let freeze = |end: Value| {
            let mut payload = json!({"command": "freeze", "service": "backend", "reason": "holidays"});
            payload.as_object_mut().unwrap().extend(end.as_object().unwrap().clone());
            parse(&payload)
        };
        let now: Timestamp = "2026-12-23T18:00:00Z".parse().unwrap();
        for (end, until) in [
            (json!({"until": "2026-12-27T06:00:00Z"}), "2026-12-27T06:00:00Z"),
            (json!({"time": "12h"}), "2026-12-24T06:00:00Z"),
        ] {
            let Ok(Event::Freeze { end, .. }) = freeze(end) else { panic!("not taken") };
            assert_eq!(end.from(now).to_string(), until);
        }
        for end in [
            json!({}),
            json!({"time": "soon"}),
            json!({"time": "12h", "until": "2026-12-27T06:00:00Z"}),
            json!({"until": "Christmas"}),
            json!({"until": "2026-12-27T06:00:00Z", "why": "?"}),
        ] {
            assert!(matches!(freeze(end), Err(EventError::Malformed { kind: "a freeze", .. })));
        }
    }

    #[test]
    fn no_message_repeats_more_than_the_beginning_of_what_came_in() {
        let long = "x".repeat(1_000_000);
        let question =
            json!({"lifecycleEvent": "ValidateService", "deploymentId": "d-1", "instanceId": "i-1"});
        let change = json!({
            "source": "aws.codedeploy", "detail-type": "CodeDeploy Deployment State-change Notification",
            "detail": {"deploymentGroup": "backend", "deploymentId": "d-1"},
        });
        let execution = json!({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "exec"});
        let command = json!({"command": "status", "service": "backend"});
        let freeze = json!({
            "command": "freeze", "service": "backend", "until": "2026-12-27T00:00:00Z", "reason": "holidays",
        });
        let thaw = json!({"command": "thaw", "service": "backend"});
        let plan = json!({"command": "plan", "service": "backend", "number": 7});
        for (good, at) in [
            (&question, "/lifecycleEvent"),
            (&question, "/deploymentId"),
            (&question, "/instanceId"),
            (&change, "/detail/deploymentGroup"),
            (&change, "/detail/deploymentId"),
            (&execution, "/DeploymentId"),
            (&execution, "/LifecycleEventHookExecutionId"),
            (&command, "/command"),
            (&command, "/service"),
            (&freeze, "/service"),
            (&freeze, "/until"),
            (&freeze, "/reason"),
            (&thaw, "/service"),
            (&plan, "/service"),
            (&plan, "/number"),
        ] {
            assert!(parse(good).is_ok(), "{good}");
            for bad in [json!(long), json!([long]), json!({ "of": long })] {
                let mut payload = good.clone();
                *payload.pointer_mut(at).unwrap() = bad;
                let said = parse(&payload).unwrap_err().to_string();
                assert!(said.len() < 600, "{at}: {} bytes", said.len());
            }
        }
        let mut optional = question;
        optional["service"] = json!("back\nend");
        assert!(matches!(parse(&optional), Err(EventError::NoName { member: "service", .. })));
    }
}
