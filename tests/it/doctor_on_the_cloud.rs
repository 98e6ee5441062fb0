//! `greenlight doctor` and `greenlight logs` on the local cloud: a stack that people have broken.

use crate::end_to_end::{ALONE, local};
use crate::sam_local::Up;
use crate::template::root;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::PoisonError;

const TEST: &str = "doctor_on_the_cloud::what_people_have_broken_is_named_thing_by_thing";

const ENDPOINT: &str = "http://127.0.0.1:4577";

/// What it prints, and its exit code.
fn greenlight(arguments: &[&str]) -> (String, Option<i32>) {
    let program = local().with_file_name("greenlight");
    let output = Command::new(program)
        .args(arguments)
        .args(["--endpoint-url", ENDPOINT, "--region", "eu-west-1"])
        .envs([("AWS_ACCESS_KEY_ID", "me"), ("AWS_SECRET_ACCESS_KEY", "local")])
        .output()
        .unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

/// Kind and object of each finding.
fn findings() -> BTreeSet<(String, String)> {
    let (said, code) = greenlight(&["doctor", "--output", "json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    let findings = said["findings"].as_array().unwrap();
    assert_eq!(code, Some(i32::from(!findings.is_empty())), "{said}");
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    findings.iter().map(|finding| (text(finding, "kind"), text(finding, "object"))).collect()
}

#[test]
fn what_people_have_broken_is_named_thing_by_thing() {
    let (root, local) = (root(), local());
    for needed in [local.clone(), local.with_file_name("greenlight"), root.join(".venv/bin/python")] {
        if !needed.exists() {
            skipped::because(TEST, format_args!("no {}; `make test` puts it there", needed.display()));
            return;
        }
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_up, _instructions) = Up::start(&local);
    let before = findings();
    // Nobody has subscribed to the topic here, and alarms are evaluated for the first time within minutes.
    let known = ["nobody_is_told", "alarm_without_data"];
    assert!(before.iter().all(|(kind, _)| known.contains(&kind.as_str())), "{before:?}");

    // It watches a quarter of a minute, and changes nothing: nothing more is wrong afterwards.
    let (measured, code) = greenlight(&["doctor", "--measure", "--for", "10s", "--output", "json"]);
    let said: Value = serde_json::from_str(&measured).unwrap();
    let kinds = |verdict: &str| -> BTreeSet<&str> {
        let all = said["measurements"].as_array().unwrap().iter().filter(|one| one["verdict"] == verdict);
        all.map(|one| one["kind"].as_str().unwrap()).collect()
    };
    assert_eq!((code, kinds("otherwise")), (Some(0), BTreeSet::new()), "{said:#}");
    for kind in ["condition_members", "without_revision", "version_follows"] {
        assert!(kinds("as_assumed").contains(kind), "{kind}: {said:#}");
    }
    assert!(findings().iter().all(|(kind, _)| known.contains(&kind.as_str())), "{before:?}");

    let mut python = Command::new(root.join(".venv/bin/python"));
    python.env("PYTHONDONTWRITEBYTECODE", "1").env("AWS_REGION", "eu-west-1");
    let broken =
        python.arg(root.join("tests/doctor/break.py")).args([ENDPOINT, "greenlight"]).output().unwrap();
    assert!(broken.status.success(), "{}", String::from_utf8_lossy(&broken.stderr));
    let broken: Vec<(String, String)> = serde_json::from_slice(&broken.stdout).unwrap();
    assert!(broken.len() >= 10, "{broken:?}");
    let after = findings();
    for (kind, object) in &broken {
        let is_named = |found: &&(String, String)| found.0 == *kind && found.1.contains(object.as_str());
        assert!(after.iter().any(|found| is_named(&found)), "{kind} of {object} is not among {after:?}");
        assert!(!before.iter().any(|found| is_named(&found)), "{kind} of {object} was there before");
    }

    let (_, code) = greenlight(&["abort", "bakcend"]);
    assert_eq!(code, Some(3));
    let (told, code) = greenlight(&["logs", "--since", "1h"]);
    assert_eq!(code, Some(0));
    assert!(told.contains("there is no service \"bakcend\""), "{told}");
}
