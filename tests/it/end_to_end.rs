//! The whole pipeline under load, on the local cloud: real function binaries, real hooks, real nginx.

use crate::contracts;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Where each story leaves its calls, for what is compared over all of them; see `tests/run`.
const CALLS: &str = "target/calls";

/// Local clouds use the same addresses: one at a time, also where all tests share a process.
pub(crate) static ALONE: Mutex<()> = Mutex::new(());

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The local cloud's binary, of the profile that this test was built with.
pub(crate) fn local() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join("local")
}

/// Runs the local cloud and returns the tally that it leaves, after every call that the product made was held against
/// AWS's service models. `None`: it was not built, or the tools are missing.
fn tally_of(test: &str, arguments: &[&str], tally: &str) -> Option<Value> {
    let (root, local) = (root(), local());
    let calls = root.join(CALLS).join(format!("{}.jsonl", arguments.first().unwrap()));
    for needed in [&local, &root.join(".venv/bin/python")] {
        if !needed.exists() {
            skipped::because(test, format_args!("no {}; `make test` puts it there", needed.display()));
            return None;
        }
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // There is none at first.
    let _gone = std::fs::remove_file(&calls);
    // Ports of its own, so that the message is not about a port when a `local up` runs beside it.
    let ran = Command::new(local)
        .args(arguments)
        .args(["--port", "4577", "--load-balancer-port", "8077", "--calls"])
        .arg(&calls)
        .current_dir(&root)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{told}\n{}", String::from_utf8_lossy(&ran.stderr));
    contracts::aws_takes_every_call(&calls);
    Some(serde_json::from_slice(&std::fs::read(root.join(tally)).unwrap()).unwrap())
}

#[test]
fn the_end_to_end_story_loses_no_request() {
    let test = "end_to_end::the_end_to_end_story_loses_no_request";
    let Some(tally) = tally_of(test, &["demo"], "target/local/tally.json") else { return };
    let ended_as = |verdict: &str| {
        tally["releases"].as_array().unwrap().iter().filter(|release| release["verdict"] == verdict).count()
    };
    assert_eq!(tally["requests"]["lost"], 0);
    assert!(tally["requests"]["per_second"].as_f64().unwrap() >= 500.0, "{tally}");
    assert!(ended_as("live") >= 5, "{tally}");
    assert!(ended_as("rejected") >= 1, "{tally}");
    assert!(tally["aws_calls_per_poll"]["max"].as_u64().unwrap() <= 10, "{tally}");

    let attack = &tally["attack"];
    assert_eq!(
        (&attack["legitimate_blocked"], &attack["legitimate_lost"]),
        (&json!(0), &json!(0)),
        "{attack}"
    );
    assert!(attack["all_blocked_s"].as_f64().unwrap() < 60.0, "{attack}");
    for offender in attack["offenders"].as_array().unwrap() {
        let count = |name: &str| offender[name].as_u64().unwrap();
        assert!(count("got_through") > 0, "was never let in, so nobody had to be cut off: {offender}");
        assert!(count("blocked") >= 10, "{offender}");
        assert!(offender["why"].is_string(), "blocked without a reason: {offender}");
    }
}

/// The most telling scenarios of `make chaos`: a write that happens twice, a way back without a ledger, requests that
/// the data plane loses, an instance that is replaced, a change that would uncover the wrong rule, a stack update, and a
/// rollback after success.
const CHAOS: [&str; 7] = [
    "answer-lost",
    "state-bucket-closed",
    "instance-dies-shifting",
    "instance-ails",
    "weights-reset-shifting",
    "hosts-changed",
    "bad-after-success",
];

#[test]
fn whatever_breaks_end_to_end_comes_to_rest_and_loses_nothing() {
    let only = CHAOS.iter().flat_map(|name| ["--only", name]);
    let arguments: Vec<&str> = std::iter::once("chaos").chain(only).collect();
    let test = "end_to_end::whatever_breaks_end_to_end_comes_to_rest_and_loses_nothing";
    let Some(tally) = tally_of(test, &arguments, "target/chaos/tally.json") else { return };
    let scenarios = tally["scenarios"].as_array().unwrap();
    assert_eq!(scenarios.len(), CHAOS.len());
    for scenario in scenarios {
        assert_eq!(scenario["at_rest"], true, "{scenario}");
        assert_eq!(scenario["lost"], 0, "{scenario}");
        assert!(scenario["requests"].as_u64().unwrap() > 1000, "{scenario}");
    }
}
