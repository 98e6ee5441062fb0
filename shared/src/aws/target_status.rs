//! How far an instance is, from the lifecycle events that CodeDeploy reports for it.

use aws_sdk_codedeploy::types::{InstanceTarget, LifecycleEvent, LifecycleEventStatus, TargetStatus as Sdk};
use release::TargetStatus;

/// The event in which the kit's hook waits for the verdict.
const WAITING_EVENT: &str = "ValidateService";

/// Where the instance stands. Times are not looked at: the agent's clock may differ from CodeDeploy's.
pub(super) fn target_status(target: &InstanceTarget) -> TargetStatus {
    let events = target.lifecycle_events();
    let failed = events.iter().find(|event| event.status == Some(LifecycleEventStatus::Failed));
    match (&target.status, failed) {
        (Some(Sdk::Succeeded), _) => TargetStatus::Succeeded,
        (_, Some(event)) => TargetStatus::Failed(last_words(event)),
        (Some(status @ (Sdk::Failed | Sdk::Skipped)), None) => {
            let what = status.as_str().to_lowercase();
            TargetStatus::Failed(format!(
                "{what} without a failed event: the instance or its CodeDeploy agent may have gone away"
            ))
        }
        _ if events.iter().any(waits) => TargetStatus::Validating,
        _ => TargetStatus::Installing,
    }
}

fn waits(event: &LifecycleEvent) -> bool {
    event.lifecycle_event_name() == Some(WAITING_EVENT)
        && event.status == Some(LifecycleEventStatus::InProgress)
}

/// The event, the script, CodeDeploy's message and the last line that the script wrote.
fn last_words(event: &LifecycleEvent) -> String {
    let diagnostics = event.diagnostics.as_ref();
    let script = diagnostics.and_then(|told| told.script_name());
    let message = diagnostics.and_then(|told| told.message());
    let log = diagnostics.and_then(|told| told.log_tail());
    let last_line = log.and_then(|log| log.lines().rev().map(str::trim).find(|line| !line.is_empty()));
    let parts = [event.lifecycle_event_name(), script, message, last_line];
    let parts: Vec<&str> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_codedeploy::types::{Diagnostics, LifecycleErrorCode};

    fn target(status: &str, events: &[(&str, &str)]) -> InstanceTarget {
        let events = events.iter().map(|(name, status)| {
            LifecycleEvent::builder()
                .lifecycle_event_name(*name)
                .status(LifecycleEventStatus::from(*status))
                .build()
        });
        InstanceTarget::builder()
            .target_id("i-1")
            .status(Sdk::from(status))
            .set_lifecycle_events(Some(events.collect()))
            .build()
    }

    #[test]
    fn an_instance_validates_only_while_its_hook_runs() {
        for (status, event, expected) in [
            ("Pending", "Pending", TargetStatus::Installing),
            ("InProgress", "Pending", TargetStatus::Installing),
            ("InProgress", "InProgress", TargetStatus::Validating),
            ("InProgress", "Succeeded", TargetStatus::Installing),
            ("Unknown", "Unknown", TargetStatus::Installing),
            ("Succeeded", "Succeeded", TargetStatus::Succeeded),
        ] {
            let events = [("ApplicationStart", "Succeeded"), ("ValidateService", event)];
            assert_eq!(target_status(&target(status, &events)), expected, "{status} {event}");
        }
    }

    #[test]
    fn a_failed_hook_is_told_in_its_own_last_words() {
        let diagnostics = Diagnostics::builder()
            .error_code(LifecycleErrorCode::ScriptFailed)
            .script_name("hooks/application-start")
            .message("Script at specified location failed with exit code 1")
            .log_tail("[stdout]starting\n[stderr]port 8081 is taken\n\n")
            .build();
        let mut failed = target("InProgress", &[("ApplicationStart", "Failed")]);
        failed.lifecycle_events.as_mut().unwrap()[0].diagnostics = Some(diagnostics);
        let words = "ApplicationStart: hooks/application-start: Script at specified location failed with exit code 1: [stderr]port 8081 is taken";
        assert_eq!(target_status(&failed), TargetStatus::Failed(words.to_owned()));
    }

    #[test]
    fn an_instance_that_failed_without_an_event_may_have_gone_away() {
        for status in ["Failed", "Skipped"] {
            let TargetStatus::Failed(detail) =
                target_status(&target(status, &[("BeforeInstall", "Pending")]))
            else {
                panic!("{status} is a failure");
            };
            assert!(detail.starts_with(&status.to_lowercase()) && detail.contains("gone away"), "{detail}");
        }
    }
}
