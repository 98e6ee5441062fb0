//! Every sample in `events/` is read by its function as the sample's name says, and none is left over.

use crate::template::root;
use greenlight::release::Command;
use lifecycle::event::Event;
use serde_json::Value;
use std::collections::BTreeMap;

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

#[test]
fn every_folder_of_samples_belongs_to_a_function() {
    for folder in std::fs::read_dir(root().join("events")).unwrap() {
        let name = folder.unwrap().file_name().to_string_lossy().into_owned();
        assert!(
            root().join("functions").join(&name).join("src/main.rs").exists(),
            "events/{name}: no such function"
        );
        assert!(!samples(&name).is_empty(), "events/{name} is empty");
    }
}

/// What a sample of the lifecycle function is, in a word.
fn lifecycle_kind(payload: Value) -> String {
    match lifecycle::event::parse(payload) {
        Ok(Event::Question(question)) => format!("question at {}", question.lifecycle_event),
        Ok(Event::Command { service, command }) => format!("{command:?} for {service}"),
        Ok(Event::DeploymentChanged { group, deployment }) => format!("{deployment} of {group} changed"),
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
        Command::Status,
    ];
    for (name, payload) in samples("lifecycle") {
        let expected = match name.split_once('-') {
            _ if name == "codedeploy-lambda-hook" => "hook execution of d-EXAMPLE1X".to_owned(),
            _ if name == "scheduled-tick" => "tick".to_owned(),
            _ if name == "unrecognised" => "the payload is no hook question".to_owned(),
            _ if name == "hook-without-instance" => "a hook's question is malformed".to_owned(),
            _ if name == "command-unknown" => "a command is malformed at command".to_owned(),
            _ if name == "command-unknown-service" => "Status for billing".to_owned(),
            _ if name == "deployment-foreign-group" => "d-A1B2C3D4E of billing changed".to_owned(),
            Some(("hook", event)) => format!("question at {}", capitalised(event)),
            Some(("deployment" | "instance", _)) => "d-A1B2C3D4E of backend changed".to_owned(),
            Some(("command", word)) => {
                let command = commands.iter().find(|command| format!("{command:?}").to_lowercase() == word);
                format!("{:?} for backend", command.unwrap_or_else(|| panic!("{name} is no command")))
            }
            _ => panic!("events/lifecycle/{name}.json: this test does not know what it should be"),
        };
        let read = lifecycle_kind(payload);
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
fn the_alarm_function_finds_the_alarm_in_each_sample() {
    for (name, payload) in samples("alarm") {
        let expected = match name.as_str() {
            "metric" | "insufficient-data" => Some("greenlight-backend-green-5xx"),
            "ok" | "metric-math" | "unknown-state" => Some("greenlight-backend-green-errors"),
            "composite" | "composite-suppressed" => Some("greenlight-backend-green"),
            "long-period" => Some("greenlight-backend-green-5xx-hourly"),
            "live-colour" => Some("greenlight-backend-blue-5xx"),
            "foreign" => Some("billing-estimate"),
            "not-an-event" => None,
            _ => panic!("events/alarm/{name}.json: this test does not know what it should be"),
        };
        assert_eq!(alarm::event::alarm_name(&payload), expected, "{name}");
    }
}
