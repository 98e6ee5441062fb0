//! What comes in: one closed enum of everything that can wake this function.

use release::{Command, DeploymentId, Question};
use serde::Deserialize;
use serde_json::Value;

/// Everything that can wake this function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A hook asks.
    Question(Question),
    /// An operator commands.
    Command {
        /// The service, as typed.
        service: String,
        /// The command.
        command: Command,
    },
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

/// A payload that is none of these.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Its discriminator is known, its content is not.
    #[error("{kind} is malformed at {path}: send it as the sample in events/lifecycle shows")]
    Malformed {
        /// What it claims to be.
        kind: &'static str,
        /// Where it is wrong.
        path: String,
        /// How.
        #[source]
        source: serde_json::Error,
    },
    /// Nothing that wakes this function.
    #[error(
        "the payload is no hook question, no command, no CodeDeploy or schedule event: see events/lifecycle for what is"
    )]
    Unrecognised,
}

#[derive(Deserialize)]
struct Commanded {
    service: String,
    command: Command,
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

/// Tells what a payload is, by its documented discriminator.
///
/// # Errors
/// A payload that is none of [`Event`], or one that claims to be and is malformed.
pub fn parse(payload: Value) -> Result<Event, EventError> {
    let text = |name: &str| payload.get(name).and_then(Value::as_str).map(str::to_owned);
    if payload.get("LifecycleEventHookExecutionId").is_some() {
        let execution: Execution = read("a CodeDeploy hook execution", payload)?;
        return Ok(Event::HookExecution {
            deployment_id: execution.deployment_id,
            execution_id: execution.lifecycle_event_hook_execution_id,
        });
    }
    if payload.get("command").is_some() {
        let Commanded { service, command } = read("a command", payload)?;
        return Ok(Event::Command { service, command });
    }
    if payload.get("lifecycleEvent").is_some() {
        return Ok(Event::Question(read("a hook's question", payload)?));
    }
    match (text("source").as_deref(), text("detail-type").as_deref()) {
        (Some("aws.events" | "aws.scheduler"), _) => Ok(Event::Tick),
        (
            Some("aws.codedeploy"),
            Some(
                "CodeDeploy Deployment State-change Notification"
                | "CodeDeploy Instance State-change Notification",
            ),
        ) => {
            let Changed { detail } = read("a CodeDeploy event", payload)?;
            Ok(Event::DeploymentChanged { group: detail.deployment_group, deployment: detail.deployment_id })
        }
        _ => Err(EventError::Unrecognised),
    }
}

fn read<T: for<'a> Deserialize<'a>>(kind: &'static str, payload: Value) -> Result<T, EventError> {
    serde_path_to_error::deserialize(payload).map_err(|error| EventError::Malformed {
        kind,
        path: error.path().to_string(),
        source: error.into_inner(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_malformed_question_is_told_where_it_is_wrong() {
        let error =
            parse(json!({"lifecycleEvent": "ValidateService", "deploymentId": 5, "instanceId": "i-1"}))
                .unwrap_err();
        assert!(error.to_string().contains("deploymentId"), "{error}");
    }

    #[test]
    fn an_unknown_command_is_refused_by_name() {
        let error = parse(json!({"command": "explode", "service": "backend"})).unwrap_err();
        assert!(greenlight::failure::chain(&error).contains("explode"), "{error}");
    }

    #[test]
    fn anything_else_is_unrecognised() {
        for payload in [json!(null), json!([]), json!("x"), json!({"source": "aws.s3"})] {
            assert!(matches!(parse(payload), Err(EventError::Unrecognised)));
        }
    }
}
