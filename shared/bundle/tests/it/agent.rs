//! The CodeDeploy agent's own verdicts (1.8.1) on AppSpec files, against ours.

use crate::bundles::{Object, Zip, look};
use appspec::finding::{Agent, Code, Findings, Severity};
use std::path::{Path, PathBuf};

/// Where we refuse what the agent's parser accepts.
const STRICTER: [(&str, &str); 5] = [
    ("loc_list.yml", "the parser makes a path with quotes of it, which a shell then takes off"),
    ("timeout_big.yml", "CodeDeploy itself ends an event after 3600 seconds"),
    ("timeout_sexag.yml", "1:30 is 5400 seconds to the agent, again above 3600"),
    ("files_dup.yml", "the parser accepts it, and Install then refuses two sources for one place"),
    ("de76ba88", "the parser accepts it, and Install then refuses an event of its own making"),
];

fn accepted_by_us(file: &str, by_the_agent: bool) -> bool {
    by_the_agent && !STRICTER.iter().any(|(name, _)| *name == file)
}

/// AppSpec files and the agents' verdicts on them.
fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/appspec/corpus")
}

/// A bundle in which everything is that the files of the collection refer to.
fn bundle(appspec: &[u8]) -> Findings {
    let files = ["a.sh", "b.sh", "12", "[\"a.sh\"]", "a/b"];
    let zip =
        files.iter().fold(Zip::new().file("appspec.yml", appspec), |zip, name| zip.file(name, "#!/bin/sh\n"));
    look(&Object::new(zip.bytes())).findings
}

#[test]
fn the_agents_verdict_is_ours() {
    let folder = corpus();
    let verdicts = std::fs::read_to_string(folder.join("agent1.jsonl")).unwrap();
    let mut wrong = Vec::new();
    let mut n_cases = 0;
    for line in verdicts.lines() {
        let verdict: serde_json::Value = serde_json::from_str(line).unwrap();
        let file = verdict["file"].as_str().unwrap();
        let accepted = verdict["ok"].as_bool().unwrap();
        let findings = bundle(&std::fs::read(folder.join(file)).unwrap());
        if findings.refuse(Agent::One) == accepted_by_us(file, accepted) {
            wrong.push(format!("{file}: agent {accepted}, {findings:?}"));
        }
        n_cases += 1;
    }
    assert_eq!(n_cases, 86);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn modes_that_the_agents_read_differently_are_said() {
    let folder = corpus();
    let mut said = Vec::new();
    for file in
        ["m_0400", "m_0600", "m_0640", "m_0644", "m_0664", "m_0700", "m_0777", "mode_0755", "mode_04755"]
    {
        let findings = bundle(&std::fs::read(folder.join(format!("{file}.yml"))).unwrap());
        for finding in findings.listed().iter().filter(|finding| finding.what.contains("mode ")) {
            said.push(format!("{}: {finding}", finding.severity(Agent::One).as_str()));
        }
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn files_from_public_repositories_are_judged_as_the_agent_does() {
    let cases = std::fs::read_to_string(corpus().join("public.jsonl")).unwrap();
    let mut wrong = Vec::new();
    let mut n_cases = 0;
    for line in cases.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let (name, verdict) = (case["name"].as_str().unwrap(), case["agent1"].as_str().unwrap());
        let findings = bundle(case["text"].as_str().unwrap().as_bytes());
        // The scripts and sources are not in the bundle made here.
        let missing = [Code::ScriptMissing, Code::SourceMissing];
        let faults: Vec<String> = findings
            .of_severity(Severity::Error, Agent::One)
            .filter(|finding| !missing.contains(&finding.code))
            .map(ToString::to_string)
            .collect();
        if faults.is_empty() != accepted_by_us(name, verdict == "accept") {
            wrong.push(format!("{name}: agent {verdict}, {faults:?}"));
        }
        n_cases += 1;
    }
    assert!(n_cases > 100, "only {n_cases} files");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
