//! Every sample in `events/` is read by its function as the sample's name says, and none is left over.

use crate::template::root;
use lifecycle::event::Event;
use release::Command;
use serde_json::Value;
use std::collections::BTreeMap;
use upload::event::UploadNotice;

/// The samples of one function by name, without the ending.
fn samples(function: &str) -> BTreeMap<String, Value> {
    let folder = root().join("events").join(function);
    let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    files
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            let name =
                name.strip_suffix(".json").unwrap_or_else(|| panic!("{} is no JSON file", path.display()));
            let text = std::fs::read_to_string(&path).unwrap();
            (
                name.to_owned(),
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            )
        })
        .collect()
}

/// What `sam local invoke` is told in place of the ARNs of a deployed stack; samconfig.toml names it.
const ENVIRONMENT: &str = "environment.json";

#[test]
fn every_folder_of_samples_belongs_to_a_function() {
    for folder in std::fs::read_dir(root().join("events")).unwrap().map(Result::unwrap) {
        let name = folder.file_name().to_string_lossy().into_owned();
        if name == ENVIRONMENT {
            continue;
        }
        assert!(
            root().join("functions").join(&name).join("src/main.rs").exists(),
            "events/{name}: no such function"
        );
        assert!(!samples(&name).is_empty(), "events/{name} is empty");
    }
}

const BACKEND_142: &str = "upload of releases/backend/142-3f9c2ab1d4e5.zip";

/// What the upload function should make of each record of a sample; the start of it suffices.
fn expected_of_upload(name: &str) -> Vec<&'static str> {
    match name {
        "s3-put" | "s3-slashes-encoded" | "s3-extra-fields" | "eventbridge-object-created" => {
            vec![BACKEND_142]
        }
        "s3-multipart-complete" => vec!["upload of releases/frontend/87-b7c1d2e3f405.zip"],
        "s3-copy" => vec!["upload of releases/backend/143-9d8c7b6a5f4e.zip"],
        "s3-key-encoded" => vec!["upload of releases/backend/142-3f9c2ab1d4e5 (2)+fix über.zip"],
        "s3-many-records" => vec![
            BACKEND_142,
            "upload of releases/backend/143-9d8c7b6a5f4e.zip",
            "upload of releases/frontend/88-0a1b2c3d4e5f.zip",
            BACKEND_142,
        ],
        "s3-test-event" => vec!["ignored: S3's test of the notifications"],
        "s3-delete" | "eventbridge-object-deleted" => {
            vec!["ignored: releases/backend/142-3f9c2ab1d4e5.zip was deleted"]
        }
        "s3-unversioned" => vec!["unusable: object releases/backend/142-3f9c2ab1d4e5.zip"],
        // What a key or a bucket means is not the parser's to say.
        "foreign-key" => vec!["upload of releases/backend/readme.txt"],
        "unknown-service" => vec!["upload of releases/billing/12-aabbccddeeff.zip"],
        "foreign-bucket" => vec!["upload of releases/backend/142-3f9c2ab1d4e5.zip to somebody-else"],
        "unknown-major-version" => vec!["unusable: event version 3.0"],
        "no-records" => vec!["ignored: a notification without records"],
        "not-an-event" => vec!["unusable: not an S3 notification"],
        _ => panic!("events/upload/{name}.json: this test does not know what it should be"),
    }
}

#[test]
fn the_upload_function_reads_each_record_of_each_sample() {
    for (name, payload) in samples("upload") {
        let read: Vec<String> = upload::event::read(&payload)
            .into_iter()
            .map(|record| match record {
                UploadNotice::Uploaded(uploaded) => {
                    format!("upload of {} to {}", uploaded.key, uploaded.bucket)
                }
                UploadNotice::Ignored(ignored) => format!("ignored: {ignored}"),
                UploadNotice::Unusable(unusable) => format!("unusable: {unusable}"),
            })
            .collect();
        let expected = expected_of_upload(&name);
        assert_eq!(read.len(), expected.len(), "{name}: {read:?}");
        for (read, expected) in read.iter().zip(expected) {
            assert!(read.starts_with(expected), "{name}: {expected} was expected, not {read}");
        }
    }
}

/// What a sample of the lifecycle function is, in a word.
fn lifecycle_kind(payload: &Value) -> String {
    match lifecycle::event::parse(payload) {
        Ok(Event::Question { question, reported, smoked }) => {
            let told = match (reported.map(|told| told.is_ok()), smoked.map(|told| told.is_ok())) {
                (None, None) => "",
                (Some(true), _) => " with counts",
                (Some(false), _) => " with counts that cannot be",
                (None, Some(true)) => " with smoke",
                (None, Some(false)) => " with smoke that cannot be",
            };
            format!("question at {}{told}", question.lifecycle_event)
        }
        Ok(Event::Command { service, command, said, dry_run }) => {
            let dry_run = if dry_run { ", a dry run" } else { "" };
            let said = said.map(|said| format!(", {said}")).unwrap_or_default();
            format!("{command:?} for {}{said}{dry_run}", service.as_deref().unwrap_or("all"))
        }
        Ok(Event::DeploymentChanged { group, deployment }) => format!("{deployment} of {group} changed"),
        Ok(Event::Page) => "page".to_owned(),
        Ok(Event::Freeze { service, .. }) => format!("freeze of {}", service.as_deref().unwrap_or("all")),
        Ok(Event::Thaw { service, .. }) => format!("thaw of {}", service.as_deref().unwrap_or("all")),
        Ok(Event::Preview { service, .. }) => format!("preview of {service}"),
        Ok(Event::Forecast { service, .. }) => format!("plan of {service}"),
        Ok(Event::Tick) => "tick".to_owned(),
        Ok(Event::HookExecution { deployment_id, .. }) => format!("hook execution of {deployment_id}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_lifecycle_function_reads_each_sample_as_its_name_says() {
    let commands = [
        Command::Pause,
        Command::Resume,
        Command::Promote,
        Command::Abort,
        Command::Rollback,
        Command::Retry,
        Command::Drill,
        Command::Status,
    ];
    for (name, payload) in samples("lifecycle") {
        let expected = match name.split_once('-') {
            _ if name == "codedeploy-lambda-hook" => "hook execution of d-EXAMPLE1X".to_owned(),
            _ if name == "scheduled-tick" => "tick".to_owned(),
            _ if name == "command-page" => "page".to_owned(),
            Some(("command", word @ ("freeze" | "thaw" | "plan" | "preview"))) => {
                format!("{word} of backend")
            }
            _ if name == "unrecognised" => "the payload is no hook question".to_owned(),
            _ if name == "hook-without-instance" => "a hook's question is malformed".to_owned(),
            _ if name == "command-unknown" => "a command is malformed at command".to_owned(),
            _ if name == "command-unknown-service" => "Status for billing".to_owned(),
            _ if name == "command-freeze-of-all" => "freeze of all".to_owned(),
            _ if name == "command-drill-of-all" => "Drill for all, DrillSchedule".to_owned(),
            _ if name == "command-thaw-of-all" => "thaw of all".to_owned(),
            _ if name == "command-status-of-all" => "Status for all".to_owned(),
            _ if name == "command-abort-with-a-reason" => {
                "Abort for backend, anna: totals at checkout are wrong".to_owned()
            }
            _ if name == "command-abort-dry-run" => "Abort for backend, a dry run".to_owned(),
            _ if name == "deployment-foreign-group" => "d-A1B2C3D4E of billing changed".to_owned(),
            _ if name.starts_with("hook-with-") => {
                format!("question at ValidateService {}", name.replace("hook-", "").replace('-', " "))
            }
            Some(("hook", event)) => format!("question at {}", capitalised(event)),
            Some(("deployment" | "instance", _)) => "d-A1B2C3D4E of backend changed".to_owned(),
            Some(("command", word)) => {
                let command = commands.iter().find(|command| format!("{command:?}").to_lowercase() == word);
                format!("{:?} for backend", command.unwrap_or_else(|| panic!("{name} is no command")))
            }
            _ => panic!("events/lifecycle/{name}.json: this test does not know what it should be"),
        };
        let read = lifecycle_kind(&payload);
        assert!(read.starts_with(&expected), "{name}: {expected} was expected, not {read}");
    }
    for command in commands {
        let name = format!("command-{command:?}").to_lowercase();
        assert!(samples("lifecycle").contains_key(&name), "events/lifecycle/{name}.json is missing");
    }
}

/// `before-install` as CodeDeploy writes it: `BeforeInstall`.
fn capitalised(words: &str) -> String {
    words
        .split('-')
        .map(|word| word.get(..1).unwrap_or("").to_uppercase() + word.get(1..).unwrap_or(""))
        .collect()
}

#[test]
fn the_alarm_function_finds_the_alarms_in_each_sample() {
    for (name, payload) in samples("alarm") {
        let (expected, unread): (&[&str], usize) = match name.as_str() {
            "metric" | "insufficient-data" | "stray-blanks" | "eventbridge-metric" | "sns-metric"
            | "sns-eventbridge" => (&["greenlight-backend-green-5xx"], 0),
            "ok" | "metric-math" | "unknown-state" | "eventbridge-metric-math" | "sns-metric-math" => {
                (&["greenlight-backend-green-errors"], 0)
            }
            "composite" | "composite-suppressed" | "eventbridge-composite" | "sns-composite" => {
                (&["greenlight-backend-green"], 0)
            }
            "anomaly" => (&["greenlight-backend-green-anomaly"], 0),
            "long-period" => (&["greenlight-backend-green-5xx-hourly"], 0),
            "live-colour" => (&["greenlight-backend-blue-5xx"], 0),
            "foreign" => (&["billing-estimate"], 0),
            "sns-many-records" => (&["greenlight-backend-green-5xx", "greenlight-frontend-blue-errors"], 0),
            "sns-one-unread" => (&["greenlight-backend-green-5xx"], 1),
            "not-an-event" => (&[], 1),
            _ => panic!("events/alarm/{name}.json: this test does not know what it should be"),
        };
        let told = alarm::event::read(&payload);
        assert_eq!(
            (told.alarms.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), told.unread),
            (expected, unread),
            "{name}"
        );
    }
}

/// What the function is asked, or why the answer is no, before AWS is looked at.
fn asked_of_listener_rule(payload: Value) -> String {
    let request = match listener_rule::event::read(payload) {
        Ok(request) => request,
        Err(failure) => return failure.to_string(),
    };
    if request.resource_type == listener_rule::configuration::KIND {
        let digest = listener_rule::configuration::digest(&request.resource_properties);
        return format!("{} as {digest}", request.request_type);
    }
    let known = request.rule().map_or("", |_| " of a rule");
    let described = match request.described() {
        Ok(described) => described,
        Err(failure) => return failure.to_string(),
    };
    match listener_rule::policy::faults(&described.policy) {
        Some(faults) => faults,
        None => format!("{}{known} at {}", request.request_type, described.wanted.priority),
    }
}

#[test]
fn the_listener_rule_function_reads_each_sample_as_its_name_says() {
    for (name, payload) in samples("listener-rule") {
        let expected = match name.as_str() {
            "create" => "Create at 20",
            "update-hosts" => "Update of a rule at 20",
            "update-priority" => "Update of a rule at 30",
            "delete" => "Delete of a rule at 20",
            "delete-never-made" => "Delete at 20",
            "configuration-create" => "Create as ",
            "configuration-update" => "Update as ",
            "create-bad-policy" => "the release policy cannot be used",
            "create-unreadable" => "the resource's properties cannot be read",
            "not-an-event" => "the payload is no request of CloudFormation",
            _ => panic!("events/listener-rule/{name}.json: this test does not know what it should be"),
        };
        let read = asked_of_listener_rule(payload);
        assert!(read.starts_with(expected), "{name}: {expected} was expected, not {read}");
    }
}
