//! Agent 1.8.1's own verdicts on generated files, against ours.
//!
//! `corpus/generated.txt` holds them as the agent gave them, a letter each. One test asks the agent again, and about other
//! files besides, for half a minute, where there is Ruby and `GREENLIGHT_AGENT_SOURCE` names a checkout of the agent. With
//! `UPDATE=1` it writes the answers down.
#![expect(clippy::disallowed_methods, reason = "a test is told by its environment whom to ask")]

use crate::generated;
use appspec::agent1::AppSpec;
use appspec::finding::Agent;
use appspec::{agent2, lint};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How many damaged files have a recorded verdict, from the first seed.
const RECORDED: usize = 4000;
const SEED: u64 = 14;

fn recorded_files() -> Vec<Vec<u8>> {
    let mut files = generated::odd_values();
    files.extend(generated::damaged(SEED, RECORDED));
    files
}

fn record() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/generated.txt")
}

/// One letter for a verdict.
fn letter(verdict: &str) -> char {
    match verdict {
        "accept" => '.',
        "AppSpecValidationException" => 'V',
        "NoMethodError" => 'N',
        "TypeError" => 'T',
        "ArgumentError" => 'A',
        "FloatDomainError" => 'F',
        "BadAlias" => 'B',
        "DisallowedClass" => 'D',
        "SyntaxError" => 'S',
        other => unreachable!("{other}"),
    }
}

fn ours(bytes: &[u8]) -> char {
    match AppSpec::parse(bytes) {
        Ok(_) => '.',
        Err(refusal) => letter(&format!("{:?}", refusal.class)),
    }
}

/// Asks the agent.
fn theirs(source: &str, files: &[Vec<u8>]) -> Vec<char> {
    let folder = tempfile::tempdir().unwrap();
    for (index, bytes) in files.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{index:06}")), bytes).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agent1.rb");
    let output = Command::new("ruby").arg(script).arg(source).arg(folder.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let verdicts: Vec<char> = text.lines().map(|line| letter(line.split_once(' ').unwrap().1)).collect();
    assert_eq!(verdicts.len(), files.len(), "{}", String::from_utf8_lossy(&output.stderr));
    verdicts
}

/// Compares verdicts; `.` is accepted, and which error it is that refuses a file counts less.
fn compare(files: &[Vec<u8>], verdicts: &[char]) -> (usize, usize, String) {
    let (mut wrong, mut other_error, mut report) = (0, 0, String::new());
    for (index, (bytes, theirs)) in files.iter().zip(verdicts).enumerate() {
        let ours = ours(bytes);
        if (ours == '.') != (*theirs == '.') {
            wrong += 1;
        } else if ours != *theirs {
            other_error += 1;
        } else {
            continue;
        }
        let text = String::from_utf8_lossy(bytes);
        writeln!(
            report,
            "{index}: the agent {theirs}, we {ours}: {:?}\n{text:?}",
            AppSpec::parse(bytes).err()
        )
        .unwrap();
    }
    (wrong, other_error, report)
}

fn assert_agreement(files: &[Vec<u8>], verdicts: &[char]) {
    let (wrong, other_error, report) = compare(files, verdicts);
    // 99.9 of 100 are judged alike, and of those that are refused, all but a few for the same error.
    assert!(wrong * 1000 <= files.len(), "{wrong} of {} are judged otherwise\n{report}", files.len());
    assert!(other_error * 200 <= files.len(), "{other_error} are refused for another error\n{report}");
}

#[test]
fn generated_files_get_the_recorded_verdict_of_agent_1() {
    let files = recorded_files();
    let text = std::fs::read_to_string(record()).unwrap();
    let verdicts: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    assert_eq!(verdicts.len(), files.len(), "the generator has changed: record again with UPDATE=1");
    assert_agreement(&files, &verdicts);
}

#[test]
fn generated_files_get_the_verdict_of_agent_1() {
    let Ok(source) = std::env::var("GREENLIGHT_AGENT_SOURCE") else {
        return skipped::unless_asked_for(
            "differential::generated_files_get_the_verdict_of_agent_1",
            "GREENLIGHT_AGENT_SOURCE names no checkout of agent 1.8.1",
        );
    };
    let recorded = recorded_files();
    let verdicts = theirs(&source, &recorded);
    if std::env::var("UPDATE").is_ok() {
        let lines: Vec<String> = verdicts.chunks(100).map(|line| line.iter().collect()).collect();
        std::fs::write(record(), lines.join("\n") + "\n").unwrap();
    }
    assert_agreement(&recorded, &verdicts);
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(99);
    let others = generated::damaged(seed, 12_000);
    assert_agreement(&others, &theirs(&source, &others));
}

/// What a stand-in for agent 2.x said: its types and checks, as its source has them, around the library that it reads
/// with (`serde_yaml` 0.9).
#[test]
fn generated_files_get_the_recorded_verdict_of_agent_2() {
    let files = recorded_files();
    let text = std::fs::read_to_string(record().with_file_name("generated.agent2.txt")).unwrap();
    let verdicts: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    assert_eq!(verdicts.len(), files.len());
    let wrong: Vec<_> = files
        .iter()
        .zip(&verdicts)
        .filter(|(bytes, theirs)| agent2::judge(bytes).is_ok() != (**theirs == '.'))
        .map(|(bytes, theirs)| {
            format!("the agent {theirs}, we {:?}: {:?}", agent2::judge(bytes), String::from_utf8_lossy(bytes))
        })
        .collect();
    assert!(wrong.len() * 1000 <= files.len(), "{} are judged otherwise:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_an_agent_refuses_is_said_of_that_agent() {
    for bytes in recorded_files() {
        let findings = lint(&bytes).findings;
        let text = String::from_utf8_lossy(&bytes);
        if AppSpec::parse(&bytes).is_err() {
            assert!(findings.refuse(Agent::One), "nothing is said of agent 1.x\n{text}");
        }
        if agent2::judge(&bytes).is_err() {
            assert!(findings.refuse(Agent::Two), "nothing is said of agent 2.x\n{text}");
        }
    }
}
