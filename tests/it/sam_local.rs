//! `sam local invoke`, as a person would run it beside `local up`: every sample event, in Docker, on the local cloud.

use crate::end_to_end::{ALONE, local};
use crate::template::root;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

const TEST: &str = "sam_local::every_sample_event_is_answered_in_a_container_on_the_local_cloud";

/// The image that sam looks for before it would pull one.
const IMAGE: &str = "public.ecr.aws/lambda/provided:al2023-rapid-x86_64";

/// Samples of what a function has to refuse on a fresh stack, and what its error says; all others are answered.
fn refused() -> BTreeMap<String, String> {
    let file = root().join("tests/contracts/refused-samples.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// What is missing, if anything.
fn missing(local: &Path) -> Option<String> {
    if !local.exists() {
        return Some(format!("no {}; `make test` puts it there", local.display()));
    }
    if !root().join(".venv/bin/sam").exists() {
        return Some("no sam; `make prepare` puts it there".to_owned());
    }
    if cfg!(not(target_arch = "x86_64")) {
        return Some("the image is made for x86_64".to_owned());
    }
    let docker = Command::new("docker").arg("info").output();
    if !docker.is_ok_and(|ran| ran.status.success()) {
        return Some("no Docker runs".to_owned());
    }
    let bridge = Path::new("/sys/class/net/docker0");
    if bridge.exists() { None } else { Some("Docker has no network docker0 on this machine".to_owned()) }
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// A running `local up`; dropping it ends it.
pub(crate) struct Up {
    process: Child,
    /// Kept open, because it says on its way out what it does.
    _told: Lines<BufReader<ChildStdout>>,
}

impl Up {
    /// Starts it, and answers how it says that it is used, when all runs.
    pub(crate) fn start(local: &Path) -> (Self, Vec<String>) {
        let mut command = Command::new(local);
        command.args(["up", "--port", "4577", "--load-balancer-port", "8077"]).current_dir(root());
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(process.stdout.take().unwrap()).lines();
        // The last line of the instructions is about the control endpoint.
        let instructions =
            told.by_ref().map(Result::unwrap).take_while(|line| !line.contains("/_local/")).collect();
        (Self { process, _told: told }, instructions)
    }
}

/// The environment file that `local up` names where there are containers.
fn environment(instructions: &[String]) -> PathBuf {
    let line = instructions.iter().find_map(|line| line.split("--env-vars ").nth(1));
    PathBuf::from(line.expect("`local up` ended, or names no environment").trim())
}

impl Drop for Up {
    fn drop(&mut self) {
        // It has processes of its own to end, so it is asked to. Both fail only when it has ended already.
        let _asked = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ended = self.process.wait();
    }
}

/// Function and file of every sample, by name.
fn samples() -> BTreeMap<String, (&'static str, PathBuf)> {
    let functions = [
        ("upload", "UploadFunction"),
        ("lifecycle", "LifecycleFunction"),
        ("alarm", "AlarmFunction"),
        ("waf-logs", "WafLogsFunction"),
        ("listener-rule", "ListenerRuleFunction"),
    ];
    let mut found = BTreeMap::new();
    for (folder, function) in functions {
        for file in std::fs::read_dir(root().join("events").join(folder)).unwrap() {
            let path = file.unwrap().path();
            let name = format!("{folder}/{}", path.file_stem().unwrap().to_string_lossy());
            found.insert(name, (function, path));
        }
    }
    found
}

fn invoke(function: &str, event: &Path, environment: &Path) -> Result<Value, String> {
    let root = root();
    let output = Command::new(root.join(".venv/bin/sam"))
        .args([
            "local",
            "invoke",
            function,
            "--skip-pull-image",
            "--parameter-overrides",
            "Architecture=x86_64",
        ])
        .args(["--template", "target/sam/template.yaml", "--region", "eu-west-1"])
        .arg("--event")
        .arg(event)
        .arg("--env-vars")
        .arg(environment)
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:4577")
        .env("AWS_ACCESS_KEY_ID", "me")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("SAM_CLI_TELEMETRY", "0")
        .current_dir(&root)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let log = || String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(format!("{said}{}", log()));
    }
    let answer: Value =
        serde_json::from_str(said.trim()).map_err(|error| format!("{error}: {said}{}", log()))?;
    match answer.get("errorMessage") {
        Some(error) => Err(error.as_str().unwrap_or_default().to_owned()),
        None => Ok(answer),
    }
}

#[test]
fn every_sample_event_is_answered_in_a_container_on_the_local_cloud() {
    let (root, local) = (root(), local());
    if let Some(missing) = missing(&local) {
        skipped::because(TEST, missing);
        return;
    }
    let python = || Command::new(root.join(".venv/bin/python"));
    let out = root.join("target/sam");
    succeed(python().arg(root.join("tests/contracts/sam_build.py")).arg(local.parent().unwrap()).arg(&out));
    succeed(Command::new("docker").args(["build", "--quiet", "--tag", IMAGE]).arg(out.join("image")));

    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_up, instructions) = Up::start(&local);
    let environment = environment(&instructions);
    let (all, refused) = (samples(), refused());
    assert!(all.len() > 50, "only {} samples", all.len());
    assert!(refused.keys().all(|name| all.contains_key(name)), "a sample that is not there is refused");
    let left: Mutex<VecDeque<_>> = Mutex::new(all.iter().collect());
    let wrong = Mutex::new(Vec::new());
    let next = || left.lock().unwrap().pop_front();
    let invoke_all = || {
        while let Some((name, (function, event))) = next() {
            let fault = match (invoke(function, event, &environment), refused.get(name)) {
                (Ok(_), None) => continue,
                (Err(said), Some(why)) if said.contains(why) => continue,
                (Ok(answer), Some(why)) => format!("{name}: {why} was expected, not {answer}"),
                (Err(said), _) => format!("{name}: {said}"),
            };
            wrong.lock().unwrap().push(fault);
        }
    };
    // Two at a time: sam takes as long to start as a container.
    std::thread::scope(|scope| {
        scope.spawn(invoke_all);
        scope.spawn(invoke_all);
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
