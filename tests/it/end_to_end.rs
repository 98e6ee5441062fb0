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
    tally_in(&root(), arguments.first().unwrap(), test, arguments, tally)
}

/// The same with the product that lies in a folder, and another name for the record of its calls.
fn tally_in(root: &Path, calls: &str, test: &str, arguments: &[&str], tally: &str) -> Option<Value> {
    let local = local();
    let calls = self::root().join(CALLS).join(format!("{calls}.jsonl"));
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
        .current_dir(root)
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

/// The most telling scenarios of `make chaos`: functions that find no execution free, a write that happens twice, a way
/// back without a ledger, a load balancer that is not of one mind, requests that the data plane loses, an instance that is
/// replaced, a change that would uncover the wrong rule, a stack update, and a rollback after success.
const CHAOS: [&str; 9] = [
    "executions-exhausted",
    "node-moves-late",
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

/// Why the examples cannot run as containers on this machine.
fn no_containers() -> Option<String> {
    let says = |program: &str, words: &[&str]| {
        let output = Command::new(program).args(words).output().ok().filter(|output| output.status.success());
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let node = root().join(".venv/bin/node").display().to_string();
    let needed: [(&str, &[&str], &str); 6] = [
        ("docker", &["info"], "no Docker runs"),
        ("docker", &["compose", "version"], "Docker has no plugin docker-compose"),
        ("dockerd", &["--version"], "there is no dockerd, of which each instance runs one"),
        ("busybox", &["true"], "there is no busybox, which the images' base has"),
        ("git", &["log", "-1"], "this is no repository, whose last commit the workflow asks for"),
        (&node, &["--version"], "no node in .venv; `make prepare` puts it there"),
    ];
    let missing = needed.iter().find(|(program, words, _)| says(program, words).is_none());
    let is_root = || says("id", &["-u"]).is_some_and(|id| id.trim() == "0");
    let why = missing.map(|(_, _, why)| *why);
    why.or_else(|| (!is_root()).then_some("Docker's engine needs root")).map(ToOwned::to_owned)
}

#[test]
fn the_examples_images_are_released_by_their_own_workflow_and_lose_no_request() {
    let test = "end_to_end::the_examples_images_are_released_by_their_own_workflow_and_lose_no_request";
    if let Some(why) = no_containers() {
        return skipped::because(test, why);
    }
    let Some(tally) = tally_of(test, &["examples"], "target/local/examples.json") else { return };
    assert_eq!((&tally["passed"], &tally["lost"]), (&json!(true), &json!(0)), "{tally}");
    let of = |service: &str| -> Vec<bool> {
        let releases = tally["releases"].as_array().unwrap().iter();
        releases.filter(|one| one["service"] == service).map(|one| one["is_live"] == true).collect()
    };
    for service in ["backend", "frontend"] {
        assert_eq!(of(service), [true, true, false], "{tally}");
    }
    assert!(tally["requests"].as_u64().unwrap() > 10_000 && tally["errors"].as_u64().unwrap() > 0, "{tally}");
}

/// The product with the third service that CONTRIBUTING.md adds: what it says is put where it says.
fn with_a_third_service() -> PathBuf {
    let root = root();
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
    let document = read("CONTRIBUTING.md");
    let chapter = document.split("## Add a service\n").nth(1).unwrap();
    let mut code = chapter.split("```yaml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let [stack, item] = [code.next().unwrap(), code.next().unwrap()];
    assert!(stack.lines().count() + item.lines().count() <= 10, "one more service is ten lines");

    let (template, told) = (read("template.yaml"), "              - !GetAtt Backend.Outputs.Settings\n");
    let template = template.replace("\nOutputs:\n", &format!("\n{stack}\nOutputs:\n"));
    let template = template.replace(told, &format!("{told}{item}"));
    let folder = like_the_product("third-service", &["infra", "instance"]);
    std::fs::write(folder.join("template.yaml"), template).unwrap();
    folder
}

/// A folder with what lies in the product's too.
fn like_the_product(name: &str, same: &[&str]) -> PathBuf {
    let (root, folder) = (root(), root().join("target").join(name));
    std::fs::create_dir_all(&folder).unwrap();
    for same in [".venv", "local"].iter().chain(same) {
        // It is there when this ran before.
        let _there = std::os::unix::fs::symlink(root.join(same), folder.join(same));
    }
    folder
}

#[test]
fn a_third_service_is_ten_lines_of_template_and_released_like_the_others() {
    let test = "end_to_end::a_third_service_is_ten_lines_of_template_and_released_like_the_others";
    let arguments = ["chaos", "--service", "search", "--only", "answer-lost"];
    let (folder, tally) = (with_a_third_service(), "target/chaos/tally.json");
    let Some(tally) = tally_in(&folder, "third-service", test, &arguments, tally) else { return };
    let scenario = &tally["scenarios"][0];
    assert_eq!((&scenario["at_rest"], &scenario["lost"]), (&json!(true), &json!(0)), "{scenario}");
    assert!(scenario["requests"].as_u64().unwrap() > 1000, "{scenario}");
}

/// The product, but for the bundles: they hold the kit of version 1, whose hooks report nothing.
fn with_the_first_kit() -> PathBuf {
    let folder = like_the_product("first-kit", &["infra", "template.yaml"]);
    let archive = root().join("tests/kits/1.tar.gz");
    let unpacked = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&folder).status().unwrap();
    assert!(unpacked.success());
    let hooks = std::fs::read_to_string(folder.join("instance/hooks/release.sh")).unwrap();
    assert!(hooks.contains("\nkit_version=1\n"));
    folder
}

#[test]
fn bundles_with_the_first_kit_are_released_by_todays_functions() {
    let test = "end_to_end::bundles_with_the_first_kit_are_released_by_todays_functions";
    let arguments = ["chaos", "--only", "answer-lost"];
    let (folder, tally) = (with_the_first_kit(), "target/chaos/tally.json");
    let Some(tally) = tally_in(&folder, "first-kit", test, &arguments, tally) else { return };
    let scenario = &tally["scenarios"][0];
    assert_eq!((&scenario["verdict"], &scenario["at_rest"]), (&json!("live"), &json!(true)), "{scenario}");
    assert_eq!(scenario["lost"], 0, "{scenario}");
}

/// Fewer requests a minute than the errors alarm needs, and its metrics four minutes late.
#[test]
fn a_bad_release_by_the_templates_strategy_goes_back_by_what_the_instances_count() {
    let test = "end_to_end::a_bad_release_by_the_templates_strategy_goes_back_by_what_the_instances_count";
    // No minute has so many requests: on a slow machine the errors alarm may be the first to fire.
    let arguments = [
        "chaos",
        "--only",
        "metrics-late",
        "--rate",
        "20",
        "--parameter",
        "Strategy=evidence",
        "--parameter",
        "RequestFloor=1000000",
    ];
    let tally = tally_in(&root(), "by-evidence", test, &arguments, "target/chaos/tally.json");
    let Some(tally) = tally else { return };
    let scenario = &tally["scenarios"][0];
    assert_eq!(
        (&scenario["verdict"], &scenario["at_rest"]),
        (&json!("rejected"), &json!(true)),
        "{scenario}"
    );
    let reason = scenario["reason"].as_str().unwrap();
    assert!(reason.starts_with("green failed ") && reason.contains("that green is worse"), "{reason}");
    assert_eq!(scenario["lost"], 0, "{scenario}");
    assert!(scenario["seconds"].as_f64().unwrap() < 60.0, "{scenario}");
}
