//! What an operator says, with functions whose answers are prepared.

use crate::stub_aws::{Answer, StubAws};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::process::Command;

fn answering(answer: &Value) -> StubAws {
    StubAws::prepared(vec![("/invocations", vec![Answer::with("200 OK", "", answer.to_string())])])
}

/// What was printed, what was said beside it, and the exit code.
fn run(aws: &StubAws, arguments: &[&str]) -> (String, String, Option<i32>) {
    let output = aws.run(arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

/// The function that was asked, and the payload.
fn asked(aws: &StubAws) -> (String, Value) {
    let request = aws.asked().pop().unwrap();
    let name = request.line.split('/').nth(3).unwrap().to_owned();
    (name, serde_json::from_str(&request.body).unwrap())
}

#[test]
fn a_command_is_sent_to_the_stacks_function_and_its_answer_said() {
    let aws = answering(&json!({"changed": true, "refused": false, "says": "release 7 is given up"}));
    let (said, beside, code) = run(&aws, &["abort", "backend", "--stack", "shop"]);
    assert_eq!((said.as_str(), beside.as_str(), code), ("release 7 is given up\n", "", Some(0)));
    assert_eq!(asked(&aws), ("shop-lifecycle".to_owned(), json!({"command": "abort", "service": "backend"})));
}

#[test]
fn a_command_goes_by_the_operators_alias_and_without_it_where_there_is_none_or_none_is_allowed() {
    let done = || {
        let told = json!({"changed": true, "refused": false, "says": "paused"});
        Answer::with("200 OK", "", told.to_string())
    };
    let refused = |status, code: &str| {
        Answer::with(status, format!("x-amzn-errortype: {code}\r\n"), json!({"Message": "no"}).to_string())
    };
    for (first, asks, is_told) in [
        (done(), &[Some("operators")][..], false),
        (refused("404 Not Found", "ResourceNotFoundException"), &[Some("operators"), None][..], false),
        (refused("403 Forbidden", "AccessDeniedException"), &[Some("operators"), None][..], true),
    ] {
        let aws = StubAws::prepared(vec![("/invocations", vec![first, done()])]);
        let (said, beside, code) = run(&aws, &["pause", "backend"]);
        assert_eq!((said.as_str(), code), ("paused\n", Some(0)));
        // Without the alias it may be another version that was asked.
        assert_eq!(!beside.is_empty(), is_told, "{beside}");
        assert!(
            !is_told || beside.contains("lambda:InvokeFunction on greenlight-lifecycle:operators"),
            "{beside}"
        );
        let asked = aws.asked();
        let aliases: Vec<_> = asked.iter().map(|request| request.parameter("Qualifier")).collect();
        assert_eq!(aliases, asks);
    }
    let aws = answering(&json!({"total": 0, "blocked": []}));
    run(&aws, &["blocked"]);
    assert_eq!(aws.asked()[0].parameter("Qualifier"), None, "waf-logs has no alias");
}

#[test]
fn a_dry_run_says_that_it_is_one() {
    let aws = answering(
        &json!({"changed": true, "refused": false, "says": "paused while shifting", "dryRun": true}),
    );
    let (said, _, code) = run(&aws, &["pause", "backend", "--dry-run"]);
    assert_eq!((said.as_str(), code), ("would change: paused while shifting\n", Some(0)));
    assert_eq!(asked(&aws).1["dryRun"], json!(true));
}

#[test]
fn a_reason_goes_with_who_says_so_and_a_name_alone_does_not() {
    let answer = json!({"changed": true, "refused": false, "says": "release 7 is given up"});
    let me = [("AWS_ACCESS_KEY_ID", "me"), ("AWS_SECRET_ACCESS_KEY", "here"), ("USER", "anna")];
    let sent = |arguments: &[&str]| {
        let aws = answering(&answer);
        let output = aws.run_where(arguments, &me);
        assert!(output.status.success(), "{output:?}");
        asked(&aws).1
    };
    let reason = "totals are wrong";
    for command in ["pause", "abort", "rollback"] {
        assert_eq!(sent(&[command, "backend"]), json!({"command": command, "service": "backend"}));
        let said = json!({"command": command, "service": "backend", "reason": reason, "by": "anna"});
        assert_eq!(sent(&[command, "backend", "--reason", reason]), said);
    }
    let said = sent(&["abort", "backend", "--reason", reason, "--by", "the night shift"]);
    assert_eq!(said["by"], "the night shift");
    let nobody = StubAws::prepared(vec![]);
    assert_eq!(run(&nobody, &["promote", "backend", "--reason", reason]).2, Some(2));
}

/// A directory may have put anything there, and an abort must go out.
#[test]
fn a_name_that_is_no_text_or_too_long_holds_no_command_up() {
    use std::os::unix::ffi::OsStringExt as _;
    let answer = json!({"changed": true, "refused": false, "says": "release 7 is given up"});
    let sent_by = |user: Vec<u8>| {
        let aws = answering(&answer);
        let output = aws.run_as(&["abort", "backend", "--reason", "it fails"], OsString::from_vec(user));
        assert!(output.status.success(), "{output:?}");
        asked(&aws).1["by"].clone()
    };
    assert_eq!(sent_by(b"ann\xe9".to_vec()), json!("ann\u{fffd}"));
    assert_eq!(sent_by("é".repeat(4000).into_bytes()), json!("é".repeat(128)));
    assert_eq!(sent_by(Vec::new()), Value::Null);
}

#[test]
fn a_preview_prints_its_header_and_where_to_send_it() {
    let preview =
        json!({"header": "X-Greenlight-Preview", "value": "0a1b", "hosts": ["api.shop.test"], "until": null});
    let answer =
        json!({"changed": true, "refused": false, "says": "release 7 can be asked", "preview": preview});
    let aws = answering(&answer);
    let (said, _, code) = run(&aws, &["preview", "backend", "--for", "15m"]);
    let header = "X-Greenlight-Preview: 0a1b";
    let lines = format!("release 7 can be asked\n{header}\ncurl -H '{header}' https://api.shop.test/\n");
    assert_eq!((said, code), (lines, Some(0)));
    assert_eq!(asked(&aws).1, json!({"command": "preview", "service": "backend", "time": "15m"}));
    let aws = answering(&answer);
    run(&aws, &["preview", "backend", "--rotate", "--dry-run"]);
    let rotates = json!({"command": "preview", "service": "backend", "rotate": true, "dryRun": true});
    assert_eq!(asked(&aws).1, rotates);
    let aws = answering(&answer);
    let (said, ..) = run(&aws, &["preview", "backend", "--output", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), answer);
    let nobody = StubAws::prepared(vec![]);
    assert_eq!(run(&nobody, &["preview", "backend", "--for", "15m", "--rotate"]).2, Some(2));
}

#[test]
fn a_command_that_means_nothing_now_ends_with_one_and_what_is_so_already_with_nothing() {
    let refused = answering(
        &json!({"changed": false, "refused": true, "says": "nothing to promote: no release is open"}),
    );
    let (said, _, code) = run(&refused, &["promote", "backend"]);
    assert_eq!(
        (said.as_str(), code),
        ("nothing was changed: nothing to promote: no release is open\n", Some(1))
    );
    let already = answering(&json!({"changed": false, "refused": false, "says": "already paused"}));
    let (said, _, code) = run(&already, &["pause", "backend"]);
    assert_eq!((said.as_str(), code), ("it is so already: already paused\n", Some(0)));
}

/// A ledger of the newest format, as it is stored.
const IDLE: &str = include_str!("../../../shared/release/tests/ledgers/schema-3/idle.json");
const INSTALLING: &str = include_str!("../../../shared/release/tests/ledgers/schema-3/installing.json");

/// The functions that begin a drill, and the record of it that they show afterwards.
fn drilling(drilled: &Value) -> StubAws {
    let mut begun: Value = serde_json::from_str(INSTALLING).unwrap();
    begun["open"]["purpose"] = json!("drill");
    let mut ended: Value = serde_json::from_str(IDLE).unwrap();
    ended["drilled"] = json!({
        "number": 1, "attempt": 2, "deployment": "d-2", "opened_at": begun["open"]["opened_at"],
        "closed_at": "2026-01-01T09:00:00Z", "alarm": "shop.backend-green-errors",
    });
    for (name, value) in drilled.as_object().unwrap() {
        ended["drilled"][name] = value.clone();
    }
    let told = json!({"changed": true, "refused": false, "says": "a drill: release 1 is installed once more", "ledger": begun});
    let later = json!({"service": "backend", "ledger": ended});
    let answers = [told, later].map(|answer| Answer::with("200 OK", "", answer.to_string()));
    StubAws::prepared(vec![("/invocations", answers.to_vec())])
}

#[test]
fn a_drill_is_followed_to_its_end_and_both_times_are_said() {
    let times = json!({"ended": "passed", "rule_gone_after": "1s 200ms", "as_before_after": "6s"});
    let aws = drilling(&times);
    let (said, beside, code) = run(&aws, &["drill", "backend"]);
    assert_eq!(
        (said.as_str(), beside.as_str(), code),
        (
            "a drill: release 1 is installed once more\nthe drill with release 1 passed; from the setting of alarm \
             shop.backend-green-errors the rule was gone after 1.2 s, and all was as before after 6.0 s\n",
            "installing\n",
            Some(0)
        )
    );
    let sent: Vec<Value> =
        aws.asked().iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect();
    assert_eq!(sent[0], json!({"command": "drill", "service": "backend"}));
    assert_eq!(sent[1], json!({"command": "status", "service": "backend"}));
    let (said, _, code) = run(&drilling(&times), &["drill", "backend", "--output", "json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["drilled"]["ended"], code), (&json!("passed"), Some(0)));
}

/// The drill has ended, and what it has replaced is installed again before anything is said.
#[test]
fn a_drill_is_followed_until_what_it_has_replaced_stands_by_again_or_does_not() {
    let mut begun: Value = serde_json::from_str(INSTALLING).unwrap();
    begun["open"]["purpose"] = json!("drill");
    let drilled = json!({
        "number": 1, "attempt": 2, "deployment": "d-2", "opened_at": begun["open"]["opened_at"],
        "closed_at": "2026-01-01T09:00:00Z", "alarm": "shop.backend-green-errors",
        "ended": "passed", "rule_gone_after": "1s 200ms", "as_before_after": "6s",
    });
    let mut installs = begun.clone();
    (installs["open"]["purpose"], installs["drilled"]) = (json!("reinstall"), drilled.clone());
    installs["open"]["phase"] = json!("leaving");
    installs["open"]["state"] = json!({"ended_at": null});
    for (why_not, words) in [
        (
            Value::Null,
            "release 0 stands by again: a rollback to it takes seconds, while it has as many healthy instances as the live one\n",
        ),
        (
            json!("aborted by an operator"),
            "release 0 does not stand by, and a rollback to it takes an installation: aborted by an operator\n",
        ),
    ] {
        let mut ended: Value = serde_json::from_str(IDLE).unwrap();
        ended["drilled"] = drilled.clone();
        ended["reinstalled"] = json!({
            "number": 0, "attempt": 2, "deployment": "d-3", "opened_at": "2026-01-01T09:00:00Z",
            "closed_at": "2026-01-01T09:01:00Z", "why_not": why_not,
        });
        let told = json!({"changed": true, "refused": false, "says": "a drill", "ledger": begun});
        let later = [&installs, &ended].map(|ledger| json!({"service": "backend", "ledger": ledger}));
        let answers = [told].into_iter().chain(later);
        let answers = answers.map(|answer| Answer::with("200 OK", "", answer.to_string())).collect();
        let aws = StubAws::prepared(vec![("/invocations", answers)]);
        let (said, beside, code) = run(&aws, &["drill", "backend"]);
        assert!(said.ends_with(words), "{said}");
        assert_eq!((beside.as_str(), code), ("installing\nleaving\n", Some(0)), "the drill has passed");
    }
}

#[test]
fn a_drill_that_fails_is_told_by_the_exit_code_and_one_that_is_refused_is_not_followed() {
    let failed = drilling(&json!({"ended": "failed", "why": "its alarm cannot be set: no"}));
    let (said, _, code) = run(&failed, &["drill", "backend"]);
    assert!(said.contains("the drill with release 1 failed: its alarm cannot be set: no"), "{said}");
    assert_eq!(code, Some(1));
    let refused =
        answering(&json!({"changed": false, "refused": true, "says": "no drill: paused: say resume first"}));
    let (said, _, code) = run(&refused, &["drill", "backend"]);
    assert_eq!((said.as_str(), code), ("nothing was changed: no drill: paused: say resume first\n", Some(1)));
    assert_eq!(refused.asked().len(), 1);
}

#[test]
fn what_a_function_cannot_do_is_said_in_its_own_words() {
    let failed = json!({"errorType": "permanent", "errorMessage": "there is no service \"bakcend\": use one of backend"});
    let header = "x-amz-function-error: Unhandled\r\n";
    let aws =
        StubAws::prepared(vec![("/invocations", vec![Answer::with("200 OK", header, failed.to_string())])]);
    let (said, beside, code) = run(&aws, &["status", "bakcend"]);
    assert_eq!((said.as_str(), code), ("", Some(3)));
    assert_eq!(
        beside,
        "greenlight: greenlight-lifecycle could not do it: there is no service \"bakcend\": use one of backend\n"
    );
}

#[test]
fn a_stack_that_is_not_there_is_told_by_its_name() {
    let missing = Answer::with(
        "404 Not Found",
        "x-amzn-errortype: ResourceNotFoundException\r\n",
        json!({"Type": "User", "Message": "Function not found"}).to_string(),
    );
    let aws = StubAws::prepared(vec![("/invocations", vec![missing])]);
    let (_, beside, code) = run(&aws, &["status", "--stack", "shpo"]);
    assert_eq!(code, Some(3));
    assert!(beside.contains("there is no function shpo-lifecycle"), "{beside}");
    assert!(beside.contains("--stack"), "{beside}");
}

#[test]
fn who_may_not_invoke_hears_which_function() {
    let denied = Answer::with(
        "403 Forbidden",
        "x-amzn-errortype: AccessDeniedException\r\n",
        json!({"Message": "User is not authorized to perform: lambda:InvokeFunction"}).to_string(),
    );
    let aws = StubAws::prepared(vec![("/invocations", vec![denied])]);
    let (_, beside, code) = run(&aws, &["abort", "backend"]);
    assert_eq!(code, Some(3));
    assert!(
        beside.contains("invoking greenlight-lifecycle") && beside.contains("lambda:InvokeFunction"),
        "{beside}"
    );
}

#[test]
fn the_status_of_all_services_says_which_cannot_be_read() {
    let answer = json!({"services": [
        {"service": "backend", "error": "reading its ledger failed"},
        {"service": "frontend", "says": "release 3 is live on blue\u{1b}[2J"},
    ]});
    let aws = answering(&answer);
    let (said, _, code) = run(&aws, &["status"]);
    assert_eq!(asked(&aws).1, json!({"command": "status"}));
    assert_eq!(code, Some(3), "a script must not take it for a good answer");
    assert!(said.contains("backend\n  cannot be read: reading its ledger failed\n"), "{said}");
    assert!(said.contains("release 3 is live on blue [2J"), "nothing moves the cursor: {said:?}");
    let (json_said, ..) = run(&aws, &["status", "--output", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&json_said).unwrap(), answer);
}

#[test]
fn the_firewall_is_asked_by_its_own_function() {
    let aws = answering(
        &json!({"total": 1, "blocked": [{"network": "203.0.113.9/32", "summary": "203.0.113.9/32: scan 12 in 10m"}]}),
    );
    let (said, _, code) = run(&aws, &["blocked"]);
    assert_eq!((said.as_str(), code), ("203.0.113.9/32: scan 12 in 10m\n", Some(0)));
    assert_eq!(asked(&aws), ("greenlight-waf-logs".to_owned(), json!({"command": "blocked"})));
    let aws = answering(&json!({"done": "allow", "network": "203.0.113.0/24", "pass": {}}));
    let (said, ..) = run(&aws, &["allow", "203.0.113.0/24", "--for", "2h", "--note", "our office"]);
    assert!(said.starts_with("allow 203.0.113.0/24: done"), "{said}");
    assert_eq!(
        asked(&aws).1,
        json!({"command": "allow", "network": "203.0.113.0/24", "time": "2h", "note": "our office"})
    );
}

#[test]
fn the_page_is_told_by_a_link_and_beside_it_how_long_it_opens() {
    let link = "https://shop-state.s3.amazonaws.com/page/index.html?X-Amz-Signature=5ec2e7";
    let told = json!({"command": "page", "link": link, "lastsSeconds": 3600});
    let aws = answering(&told);
    let (said, beside, code) = run(&aws, &["page", "--stack", "shop"]);
    assert_eq!((said, code), (format!("{link}\n"), Some(0)));
    assert!(beside.contains("for 60 minutes") && !beside.contains(link), "{beside}");
    assert_eq!(asked(&aws), ("shop-lifecycle".to_owned(), json!({"command": "page"})));
    let (said, _, code) = run(&answering(&told), &["page", "--output", "json"]);
    assert_eq!((serde_json::from_str::<Value>(&said).unwrap(), code), (told, Some(0)));
    let (said, beside, code) = run(&answering(&json!({"says": "?"})), &["page"]);
    assert_eq!((said.as_str(), code), ("", Some(3)));
    assert!(beside.contains("holds no link"), "{beside}");
}

#[test]
fn a_reason_and_a_phase_are_explained_without_a_stack() {
    let aws = answering(&json!({}));
    let explain = |word: &[&str]| {
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_greenlight")).arg("explain").args(word).output();
        let output = output.unwrap();
        (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
            output.status.code(),
        )
    };
    let (said, _, code) = explain(&["not_proven"]);
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(said);
    let (said, beside, code) = explain(&["not-proven"]);
    assert_eq!((said.as_str(), code), ("", Some(3)));
    assert_eq!(
        beside,
        "greenlight: there is no reason or phase \"not-proven\": `greenlight explain` lists all\n"
    );
    insta::assert_snapshot!("a_phase", explain(&["baking"]).0);
    let all = explain(&[]).0;
    assert!(all.lines().count() > 50 && all.contains("settling "), "{all}");
    assert!(aws.asked().is_empty());
}

#[test]
fn a_freeze_says_why_and_until_when_or_for_how_long() {
    for (told, member, value) in [("--for", "time", "12h"), ("--until", "until", "2026-12-27T06:00:00Z")] {
        let aws = answering(&json!({"changed": true, "refused": false, "says": "no release opens"}));
        let (said, _, code) = run(&aws, &["freeze", "backend", "--reason", "holidays", told, value]);
        assert_eq!((said.as_str(), code), ("no release opens\n", Some(0)));
        let payload =
            json!({"command": "freeze", "service": "backend", "reason": "holidays", (member): value});
        assert_eq!(asked(&aws).1, payload);
    }
    let nobody = StubAws::prepared(vec![]);
    for arguments in [
        &["freeze", "backend", "--for", "12h"][..],
        &["freeze", "backend", "--reason", "holidays"],
        &["freeze", "backend", "--reason", "holidays", "--for", "1h", "--until", "2026-12-27T06:00:00Z"],
    ] {
        assert_eq!(run(&nobody, arguments).2, Some(2), "{arguments:?}");
    }
}

#[test]
fn all_services_are_frozen_and_thawed_with_a_line_each_and_the_worst_of_them_is_the_exit_code() {
    let done = |service: &str| json!({"service": service, "changed": true, "refused": false, "says": "no release opens"});
    let refused = json!({"service": "search", "changed": false, "refused": true, "says": "no freeze: it is over already"});
    let failed = json!({"service": "frontend", "error": "reading its ledger failed"});
    let freeze = ["freeze", "--all", "--reason", "holidays", "--for", "12h"];
    for (services, code) in [
        (vec![done("backend"), done("frontend")], 0),
        (vec![done("backend"), refused.clone()], 1),
        (vec![refused, failed, done("backend")], 3),
    ] {
        let aws = answering(&json!({ "services": services }));
        let (said, beside, ended) = run(&aws, &freeze);
        assert_eq!((said.lines().count(), beside.as_str(), ended), (services.len(), "", Some(code)));
        assert!(said.contains("backend: no release opens\n"), "{said}");
        if code == 3 {
            assert!(said.contains("frontend: FAILED, ask once more: reading its ledger failed\n"), "{said}");
        }
        let payload = json!({"command": "freeze", "all": true, "reason": "holidays", "time": "12h"});
        assert_eq!(asked(&aws).1, payload);
    }
    let aws = answering(&json!({ "services": [done("backend")] }));
    let (said, ..) = run(&aws, &["thaw", "--all", "--dry-run"]);
    assert_eq!(said, "backend: would change: no release opens\n");
    assert_eq!(asked(&aws).1, json!({"command": "thaw", "all": true, "dryRun": true}));
    let nobody = StubAws::prepared(vec![]);
    for arguments in [&["thaw"][..], &["thaw", "backend", "--all"], &["abort", "--all"]] {
        assert_eq!(run(&nobody, arguments).2, Some(2), "{arguments:?}");
    }
}

#[test]
fn a_shell_learns_every_command() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_greenlight")).args(["completions", "bash"]).output().unwrap();
    assert!(output.status.success());
    let bash = String::from_utf8(output.stdout).unwrap();
    for command in ["status", "logs", "doctor", "rollback", "freeze", "unblock", "bundle", "completions"] {
        assert!(bash.contains(&format!("greenlight,{command})")), "{command}");
    }
}

const LISTING: &str = "<ListBucketResult><IsTruncated>false</IsTruncated>\
    <Contents><Key>receipts/backend/0000000142-20261128T150330Z.json</Key></Contents>\
    <Contents><Key>receipts/backend/0000000142-20261128T160330Z.json</Key></Contents></ListBucketResult>";

#[test]
fn the_last_receipt_of_a_number_is_shown() {
    let receipt = include_str!("../../../shared/release/tests/receipts/rejected.json");
    let status = json!({"service": "backend", "says": "", "stateBucket": "shop-state"});
    let aws = StubAws::prepared(vec![
        ("/invocations", vec![Answer::with("200 OK", "", status.to_string())]),
        ("list-type=2", vec![Answer::ok(LISTING)]),
        ("/receipts/", vec![Answer::ok(receipt)]),
    ]);
    let (said, beside, code) = run(&aws, &["show", "backend", "142"]);
    assert_eq!((beside.as_str(), code), ("", Some(0)));
    assert!(said.starts_with("release 142 (9c01d2e) of backend: rejected\n"), "{said}");
    let [_, listed, read] = aws.asked().try_into().unwrap();
    assert_eq!(listed.parameter("prefix"), Some("receipts%2Fbackend%2F0000000142-"));
    assert!(read.line.starts_with("GET /shop-state/receipts/backend/0000000142-20261128T160330Z.json"));
}

#[test]
fn a_release_without_a_receipt_is_told_where_it_was_looked_for() {
    let status = json!({"service": "backend", "says": "", "stateBucket": "shop-state"});
    let aws = StubAws::prepared(vec![
        ("/invocations", vec![Answer::with("200 OK", "", status.to_string())]),
        (
            "list-type=2",
            vec![Answer::ok("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")],
        ),
    ]);
    let (said, beside, code) = run(&aws, &["show", "backend", "7"]);
    assert_eq!((said.as_str(), code), ("", Some(3)));
    assert_eq!(
        beside,
        "greenlight: there is no receipt of release 7 of backend at s3://shop-state/receipts/backend/0000000007-: \
         a release leaves one within a minute of its end\n"
    );
}

/// A bundle of a program that the kit starts.
fn packed(folder: &std::path::Path) -> String {
    let app = folder.join("app");
    std::fs::create_dir(&app).unwrap();
    std::fs::write(app.join("start.sh"), "#!/bin/sh\nexec sleep 60\n").unwrap();
    let bundle = folder.join("bundle.zip").display().to_string();
    let packed = Command::new(env!("CARGO_BIN_EXE_greenlight"))
        .args([
            "bundle",
            "pack",
            app.to_str().unwrap(),
            "-o",
            &bundle,
            "--number",
            "42",
            "--commit",
            "3f9c2ab",
        ])
        .output()
        .unwrap();
    assert!(packed.status.success(), "{packed:?}");
    bundle
}

#[test]
fn a_plan_says_what_a_release_would_meet_and_ends_as_it_would() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = packed(folder.path());
    let steps = json!([
        {"percent": 10, "seconds": 180, "until": "it is proven not to be worse"},
        {"percent": 90, "seconds": 300, "until": "the bake is over"},
    ]);
    let mut forecast = json!({
        "against": [], "doubts": ["release 41 is open and has traffic: this one waits for its end"], "steps": steps,
        "longestSeconds": 3180, "requestsPerMinute": 350, "proof": "at 350 requests a minute it takes about 4 minutes",
    });
    let answer = |forecast: &Value| {
        answering(
            &json!({"service": "backend", "command": "plan", "strategy": "evidence(30m)", "forecast": forecast}),
        )
    };
    let aws = answer(&forecast);
    let (said, beside, code) = run(&aws, &["plan", &bundle, "--service", "backend"]);
    assert_eq!((beside.as_str(), code), ("", Some(0)));
    assert_eq!(asked(&aws).1, json!({"command": "plan", "service": "backend", "number": 42}));
    insta::assert_snapshot!("plan", said);

    forecast["against"] = json!(["alarm shop.backend-green-errors does not exist"]);
    let (said, _, code) =
        run(&answer(&forecast), &["plan", &bundle, "--service", "backend", "--output", "json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((said["plan"]["forecast"]["against"].as_array().unwrap().len(), code), (1, Some(1)));
    assert_eq!(said["bundle"]["findings"], json!([]));
}

#[test]
fn a_plan_for_a_bundle_that_would_be_refused_says_so_first() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "no program").unwrap();
    let forecast = json!({"against": [], "doubts": [], "steps": [], "longestSeconds": 60});
    let aws = answering(&json!({"service": "backend", "strategy": "AllAtOnce", "forecast": forecast}));
    let (said, _, code) = run(&aws, &["plan", folder.path().to_str().unwrap(), "--service", "backend"]);
    assert_eq!(code, Some(1));
    assert!(said.starts_with("error[") && said.contains("would be refused: mend the bundle"), "{said}");
}
