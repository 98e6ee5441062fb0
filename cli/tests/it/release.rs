//! `greenlight release`: what a build sees of its release, and how that ends.

use crate::stub_s3::{Answer, StubS3};
use std::fs;
use std::process::Output;

const URI: &str = "s3://artifacts/releases/backend/14201-3f9c2ab41d0e.zip";

fn text(output: &Output) -> (String, String) {
    let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// Waits for a release whose tags are these, one look after another.
fn wait(tags: Vec<Answer>, told: &[&str]) -> Output {
    let summary = Answer::ok(
        r#"{"service":"backend","phase":"shifting","live":null,"waiting":null,"last":null,"open":{"number":14201,
            "commit":"3f9c2ab","purpose":"release","colour":"green","percent":10,"paused":false,
            "openedAt":"2026-11-28T14:00:00Z"}}"#,
    );
    let s3 = StubS3::start(vec![("tagging", tags), ("public/backend.json", vec![summary])]);
    let command = ["release", "wait", URI, "--version-id", "v7", "--interval", "1ms"];
    s3.run(&[&command[..], told].concat())
}

fn verdict(word: &str, reason: &str) -> Answer {
    Answer::tags(&[("team", "shop"), ("greenlight:verdict", word), ("greenlight:reason", reason)])
}

#[test]
fn each_step_is_said_until_the_verdict() {
    let tags = vec![
        Answer::tags(&[]),
        verdict("accepted", "release 14201 opens"),
        Answer::error("503 Slow Down", "SlowDown"),
        verdict("accepted", "release 14201 opens"),
        verdict("live", "carries all traffic"),
    ];
    let output = wait(tags, &[]);
    let (said, _) = text(&output);
    let said: Vec<&str> = said.lines().map(|line| line.split_once(" s  ").unwrap().1).collect();
    let expected = [
        "unseen, shifting at 10 %",
        "accepted, shifting at 10 %: release 14201 opens",
        "live: carries all traffic",
    ];
    assert_eq!((said, output.status.code()), (expected.to_vec(), Some(0)));
}

#[test]
fn the_end_tells_a_script_how_the_release_ended() {
    for (word, code) in [("live", 0), ("rejected", 1), ("superseded", 4)] {
        let output = wait(vec![verdict(word, "because")], &["--output", "json"]);
        let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((line["verdict"].as_str(), line["reason"].as_str()), (Some(word), Some("because")));
        assert_eq!(output.status.code(), Some(code), "{word}");
    }
}

#[test]
fn time_that_is_over_is_no_verdict() {
    let output = wait(vec![verdict("waiting", "behind release 14101")], &["--timeout", "0"]);
    let (_, said) = text(&output);
    assert_eq!(
        said,
        "no verdict within 0s; last seen: waiting, shifting at 10 %: behind release 14101. The release goes on: \
         ask for its status, or wait again\n"
    );
    assert_eq!(output.status.code(), Some(5));
}

#[test]
fn an_upload_that_may_not_be_read_is_no_reason_to_wait_for_hours() {
    for (status, code) in [("403 Forbidden", "AccessDenied"), ("404 Not Found", "NoSuchKey")] {
        let output = wait(vec![Answer::error(status, code)], &[]);
        let (said, error) = text(&output);
        assert_eq!((said.as_str(), output.status.code()), ("", Some(3)), "{error}");
        assert!(error.contains("14201-3f9c2ab41d0e.zip"), "{error}");
    }
}

#[test]
fn a_workflow_gets_an_annotation_that_its_text_cannot_break() {
    let output = wait(vec![verdict("rejected", "5 % of\n::warning::requests")], &["--output", "github"]);
    let (said, _) = text(&output);
    assert!(said.ends_with("::error title=Release::rejected: 5 %25 of ::warning::requests\n"), "{said}");
}

/// A bundle on disk that says what it is.
fn upload(answer: Answer, told: &[&str]) -> (Output, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (program, bundle) = (folder.path().join("program"), folder.path().join("bundle.zip"));
    fs::create_dir(&program).unwrap();
    fs::write(program.join("start.sh"), "#!/bin/sh\n").unwrap();
    let bundle = bundle.to_str().unwrap();
    let s3 = StubS3::start(vec![("PUT", vec![answer])]);
    let mut pack = std::process::Command::new(env!("CARGO_BIN_EXE_greenlight"));
    pack.args(["bundle", "pack", program.to_str().unwrap(), "--output", bundle]);
    pack.args(["--run-number", "142", "--commit", "3f9c2ab41d0e5566"]);
    assert!(pack.output().unwrap().status.success());
    let command = ["release", "upload", bundle, "--bucket", "artifacts", "--service", "backend"];
    (s3.run(&[&command[..], told].concat()), s3.asked())
}

#[test]
fn a_bundle_goes_up_under_its_own_number_if_that_is_free() {
    let (output, asked) = upload(Answer::ok(""), &[]);
    assert_eq!(text(&output), (format!("{URI}\nversion v7\n"), String::new()));
    assert_eq!(
        asked,
        ["PUT /artifacts/releases/backend/14201-3f9c2ab41d0e.zip?x-id=PutObject if-none-match *"]
    );
}

#[test]
fn a_number_that_is_taken_is_not_written_over() {
    let (output, _) = upload(Answer::error("412 Precondition Failed", "PreconditionFailed"), &[]);
    let (said, error) = text(&output);
    assert_eq!((said.as_str(), output.status.code()), ("", Some(3)));
    assert!(error.contains("is there already, and a number means one bundle"), "{error}");
}
