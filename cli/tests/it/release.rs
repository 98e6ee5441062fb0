//! `greenlight release`: what a build sees of its release, and how that ends.

use crate::stub_aws::{Answer, StubAws};
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
    let s3 = StubAws::prepared(vec![("tagging", tags), ("public/backend.json", vec![summary])]);
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
fn a_release_that_waits_for_the_end_of_a_freeze_says_until_when() {
    let summary = Answer::ok(
        r#"{"service":"backend","phase":"idle","live":null,"waiting":14201,"frozenUntil":"2026-12-27T06:00:00Z",
            "last":null,"open":null}"#,
    );
    let s3 = StubAws::prepared(vec![
        ("tagging", vec![verdict("waiting", "release 14201 waits")]),
        ("public/backend.json", vec![summary]),
    ]);
    let (said, _) = text(&s3.run(&["release", "wait", URI, "--version-id", "v7", "--timeout", "0"]));
    assert!(
        said.ends_with(
            "waiting: release 14201 waits; an operator lets no release open until 2026-12-27T06:00:00Z\n"
        ),
        "{said}"
    );
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

#[test]
fn without_a_version_the_newest_one_is_asked_for() {
    for told in [&[][..], &["--version-id", ""]] {
        let s3 = StubAws::prepared(vec![("tagging", vec![verdict("live", "carries all traffic")])]);
        let output = s3.run(&[&["release", "wait", URI], told].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(s3.asked()[0].parameter("versionId"), None, "{:?}", s3.asked());
    }
}

#[test]
fn credentials_that_have_ended_are_not_waited_for() {
    let seen =
        vec![verdict("accepted", "release 14201 opens"), Answer::error("400 Bad Request", "ExpiredToken")];
    let output = wait(seen, &["--output", "github"]);
    let (said, error) = text(&output);
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(
        error.contains(
            "last seen: accepted, shifting at 10 %: release 14201 opens. What is under way goes on"
        )
    );
    assert!(error.contains("the credentials have expired, get new ones and repeat it"), "{error}");
    assert!(said.contains("::error title=Release::no verdict, "), "{said}");

    let s3 = StubAws::prepared(Vec::new());
    let output = s3.run_where(&["release", "wait", URI], &[("AWS_EC2_METADATA_DISABLED", "true")]);
    let (_, error) = text(&output);
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(error.contains("no credentials that it could be signed with"), "{error}");
}

/// A bundle on disk that says what it is, uploaded to an S3.
fn upload(s3: &StubAws, told: &[&str], variables: &[(&str, &str)]) -> (String, String, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    let (program, bundle) = (folder.path().join("program"), folder.path().join("bundle.zip"));
    fs::create_dir(&program).unwrap();
    fs::write(program.join("start.sh"), "#!/bin/sh\n").unwrap();
    let bundle = bundle.to_str().unwrap();
    let mut pack = std::process::Command::new(env!("CARGO_BIN_EXE_greenlight"));
    pack.env_clear().args(["bundle", "pack", program.to_str().unwrap(), "--output", bundle]);
    pack.args(["--run-number", "142", "--commit", "3f9c2ab41d0e5566"]);
    assert!(pack.output().unwrap().status.success());
    let command = ["release", "upload", bundle, "--bucket", "artifacts", "--service", "backend"];
    let signed = [("AWS_ACCESS_KEY_ID", "me"), ("AWS_SECRET_ACCESS_KEY", "here")];
    let output = s3.run_where(&[&command[..], told].concat(), &[&signed[..], variables].concat());
    let (said, error) = text(&output);
    (said, error, output.status.code())
}

fn uploaded() -> (String, String, Option<i32>) {
    (format!("{URI}\nversion v7\n"), String::new(), Some(0))
}

#[test]
fn a_bundle_goes_up_under_its_own_number_if_that_is_free() {
    let s3 = StubAws::prepared(vec![("PUT", vec![Answer::ok("")])]);
    assert_eq!(upload(&s3, &[], &[]), uploaded());
    let [put] = s3.asked().try_into().unwrap();
    assert_eq!(put.line, "PUT /artifacts/releases/backend/14201-3f9c2ab41d0e.zip?x-id=PutObject");
    assert_eq!(put.header("if-none-match"), Some("*"));
}

#[test]
fn another_workflow_may_upload_what_one_has_packed() {
    let other = [
        ("GITHUB_RUN_NUMBER", "9"),
        ("GITHUB_RUN_ATTEMPT", "1"),
        ("GITHUB_SHA", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ];
    let s3 = StubAws::prepared(vec![("PUT", vec![Answer::ok("")])]);
    assert_eq!(upload(&s3, &[], &other), uploaded());
    assert_eq!(upload(&s3, &["--number", "14201", "--commit", "3f9c2ab"], &other), uploaded());
}

/// An S3 that keeps what is put there once, and loses the answer to it.
fn forgetful(keeps: impl Fn(&str) -> String + Send + 'static) -> StubAws {
    let mut kept: Option<String> = None;
    StubAws::start(move |request| match (request.line.split(' ').next(), &kept) {
        (Some("PUT"), None) => {
            kept = Some(keeps(request.header("x-amz-meta-greenlight-upload").unwrap()));
            Answer::lost()
        }
        (Some("PUT"), Some(_)) => Answer::error("412 Precondition Failed", "PreconditionFailed"),
        (_, kept) => {
            let token = kept.clone().unwrap();
            let headers = format!("x-amz-version-id: v7\r\nx-amz-meta-greenlight-upload: {token}\r\n");
            Answer::with("200 OK", headers, "")
        }
    })
}

#[test]
fn an_upload_whose_answer_was_lost_is_recognised_when_it_is_sent_again() {
    let s3 = forgetful(str::to_owned);
    assert_eq!(upload(&s3, &[], &[]), uploaded());
    assert!(s3.asked().iter().filter(|request| request.line.starts_with("PUT")).count() > 1);
    let s3 = forgetful(|_| "of another upload".to_owned());
    let (said, error, code) = upload(&s3, &[], &[]);
    assert_eq!((said.as_str(), code), ("", Some(3)));
    assert!(error.contains("is there already, and a number means one bundle"), "{error}");
}

#[test]
fn what_cannot_be_read_back_is_not_called_somebody_elses() {
    let denied = Answer::error("403 Forbidden", "AccessDenied");
    let taken = Answer::error("412 Precondition Failed", "PreconditionFailed");
    let s3 = StubAws::prepared(vec![("PUT", vec![taken]), ("HEAD", vec![denied])]);
    let (said, error, code) = upload(&s3, &[], &[]);
    assert_eq!((said.as_str(), code), ("", Some(3)));
    assert!(
        error.contains(
            "may be there, by this very upload, whose answer was lost, or by another one: see what becomes"
        ),
        "{error}"
    );
}

#[test]
fn after_a_failure_of_s3_it_is_looked_up_what_became_of_the_upload() {
    let failed = || Answer::error("500 Internal Server Error", "InternalError");
    let gone = Answer::error("404 Not Found", "NoSuchKey");
    let s3 = StubAws::prepared(vec![("PUT", vec![failed(), failed(), failed()]), ("HEAD", vec![gone])]);
    let (said, error, code) = upload(&s3, &[], &[]);
    assert_eq!((said.as_str(), code), ("", Some(3)));
    assert!(error.contains("a repeat may succeed"), "{error}");
    assert!(s3.asked().iter().any(|request| request.line.starts_with("HEAD")));
}

#[test]
fn an_upload_that_meets_another_one_is_sent_again() {
    let conflict = Answer::error("409 Conflict", "ConditionalRequestConflict");
    let s3 = StubAws::prepared(vec![("PUT", vec![conflict, Answer::ok("")])]);
    assert_eq!(upload(&s3, &[], &[]), uploaded());
}

#[test]
fn an_upload_that_is_refused_says_what_a_person_can_do() {
    let s3 = StubAws::prepared(vec![("PUT", vec![Answer::error("403 Forbidden", "AccessDenied")])]);
    let (_, error, code) = upload(&s3, &[], &[]);
    assert_eq!(code, Some(3));
    assert!(
        error.contains("failed, these credentials may not do it") && !error.contains("function"),
        "{error}"
    );
}
