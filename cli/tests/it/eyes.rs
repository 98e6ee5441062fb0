//! What an operator sees with credentials of their own: the functions' logs, and what is wrong with a stack.

use crate::stub_aws::{Answer, Request, StubAws};
use serde_json::{Value, json};

const DECIDED: &str = include_str!("../../../shared/decisions/records/story.jsonl");

/// What was printed, what was said beside it, and the exit code.
fn run(aws: &StubAws, arguments: &[&str]) -> (String, String, Option<i32>) {
    let output = aws.run(arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

/// The operation of a request, whatever its protocol.
fn operation(request: &Request) -> String {
    let target = request.header("x-amz-target").and_then(|target| target.rsplit_once('.'));
    let path = request.line.rsplit_once("/operation/").map(|(_, operation)| operation);
    let action = request.body.split('&').find_map(|pair| pair.strip_prefix("Action="));
    let known = target.map(|(_, operation)| operation).or(path).or(action);
    known.unwrap_or(&request.line).to_owned()
}

fn json_answer(body: &Value) -> Answer {
    Answer::with("200 OK", "content-type: application/x-amz-json-1.1\r\n", body.to_string())
}

fn refused(status: &'static str, code: &str) -> Answer {
    Answer::with(
        status,
        format!("x-amzn-errortype: {code}\r\n"),
        json!({ "__type": code, "message": "so it is" }).to_string(),
    )
}

const PAUSED: &str = r#"{"level":"INFO","message":"took a command","service":"frontend","command":"pause","changed":true,"dry_run":false,"said":"sara: to look","says":"paused while idle"}"#;

/// The logs of a stack of which only the lifecycle function has decided something, a thousand milliseconds ago and more. As
/// CloudWatch's, they have only the lines in which a term of the pattern stands.
fn logs(request: &Request) -> Answer {
    let asked: Value = serde_json::from_str(&request.body).unwrap();
    if asked["logGroupName"] == "/aws/lambda/shop-waf-logs" {
        return refused("400 Bad Request", "ResourceNotFoundException");
    }
    let mut events = Vec::new();
    if asked["logGroupName"] == "/aws/lambda/shop-lifecycle" {
        let terms =
            asked["filterPattern"].as_str().unwrap().split('?').map(|term| term.trim().trim_matches('"'));
        let terms: Vec<&str> = terms.filter(|term| !term.is_empty()).collect();
        let is_found = |line: &&str| terms.iter().any(|term| line.contains(term));
        for (number, line) in DECIDED.lines().chain([PAUSED]).filter(is_found).enumerate() {
            let at = asked["endTime"].as_i64().unwrap() - 100_000;
            events.push(json!({ "timestamp": at, "message": line, "eventId": number.to_string() }));
        }
    }
    json_answer(&json!({ "events": events }))
}

#[test]
fn the_logs_of_all_functions_are_told_in_sentences() {
    let aws = StubAws::start(logs);
    let (said, beside, code) = run(&aws, &["logs", "--stack", "shop", "--since", "2h"]);
    assert_eq!((beside.as_str(), code), ("", Some(0)));
    assert!(said.contains("frontend   release 3 opens on green"), "{said}");
    assert!(said.contains("frontend   an operator said pause (sara: to look): paused while idle"), "{said}");
    assert!(!said.contains('\u{1b}'), "no colour behind a pipe");
    let asked = aws.asked();
    assert!(asked.iter().all(|request| operation(request) == "FilterLogEvents"), "{asked:?}");
    let bodies: Vec<Value> =
        asked.iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect();
    let mut groups: Vec<&str> = bodies.iter().map(|body| body["logGroupName"].as_str().unwrap()).collect();
    groups.sort_unstable();
    groups.dedup();
    assert_eq!(
        groups,
        ["alarm", "lifecycle", "listener-rule", "upload", "waf-logs"]
            .map(|name| format!("/aws/lambda/shop-{name}"))
    );
    let span = bodies[0]["endTime"].as_i64().unwrap() - bodies[0]["startTime"].as_i64().unwrap();
    assert_eq!(span + 1, 2 * 3_600_000);
    let lines = said.lines().count();
    let (said, beside, _) = run(&aws, &["logs", "--stack", "shop", "--lines", "2"]);
    assert_eq!(said.lines().count(), 2);
    assert_eq!(beside, format!("{} lines before these are left out: --lines gives more\n", lines - 2));
    let (said, ..) = run(&aws, &["logs", "--stack", "shop", "--output", "json"]);
    let first: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["reason"], &first["release"], &first["function"]),
        (&json!("opens"), &json!(3), &json!("lifecycle"))
    );
}

#[test]
fn a_stack_without_logs_is_told_by_its_name_and_nonsense_is_not_asked_for() {
    let aws = StubAws::start(|_| refused("400 Bad Request", "ResourceNotFoundException"));
    let (said, beside, code) = run(&aws, &["logs", "--stack", "shpo"]);
    assert_eq!((said.as_str(), code), ("", Some(3)));
    assert!(
        beside.contains("no log group /aws/lambda/shpo-lifecycle") && beside.contains("--stack"),
        "{beside}"
    );
    let nobody = StubAws::prepared(vec![]);
    for arguments in
        [&["logs", "--since", "30d"][..], &["logs", "--lines", "0"], &["logs", "--since", "soon"]]
    {
        assert_eq!(run(&nobody, arguments).2, Some(2), "{arguments:?}");
    }
    let denied = StubAws::start(|_| refused("400 Bad Request", "AccessDeniedException"));
    let (_, beside, code) = run(&denied, &["logs"]);
    assert_eq!(code, Some(3));
    assert!(beside.contains("reading log group /aws/lambda/greenlight-lifecycle"), "{beside}");
}

#[test]
fn a_doctor_who_may_look_at_nothing_says_so_of_each_thing_and_gives_up_on_none() {
    let aws = StubAws::start(|_| refused("403 Forbidden", "AccessDeniedException"));
    let (said, beside, code) = run(&aws, &["doctor", "--output", "json"]);
    assert_eq!((beside.as_str(), code), ("", Some(1)));
    let said: Value = serde_json::from_str(&said).unwrap();
    let findings = said["findings"].as_array().unwrap();
    assert!(findings.len() > 8, "{said:#}");
    assert!(findings.iter().all(|finding| finding["kind"] == "could_not_look"), "{said:#}");
    let asked = aws.asked();
    for needed in ["ListStackResources", "FilterLogEvents", "DescribeLogGroups", "DescribeAlarms"] {
        let is_asked = asked.iter().any(|request| operation(request) == needed);
        assert_eq!(is_asked, needed != "FilterLogEvents", "{needed}");
    }
}

#[test]
fn whoever_may_look_at_nothing_measures_nothing_and_hears_of_each_belief_which_right_is_missing() {
    let aws = StubAws::start(|_| refused("403 Forbidden", "AccessDeniedException"));
    let (said, beside, code) = run(&aws, &["doctor", "--measure", "--for", "10s", "--output", "json"]);
    assert!(beside.starts_with("2 looks at the services, one every 10 s"), "{beside}");
    assert_eq!(code, Some(0), "what was not seen is not otherwise");
    let said: Value = serde_json::from_str(&said).unwrap();
    let all = said["measurements"].as_array().unwrap();
    assert_eq!(all.len(), 18);
    for one in all {
        assert_eq!((&one["verdict"], &one["samples"]), (&json!("not_seen"), &json!(0)), "{one}");
        assert!(one["seen"].as_str().unwrap().contains("AccessDenied"), "{one}");
    }
}

#[test]
fn measuring_reads_and_nothing_else_and_a_time_without_it_means_nothing() {
    let aws = StubAws::start(broken);
    let (text, beside, code) = run(&aws, &["doctor", "--measure", "--for", "10s"]);
    assert!(matches!(code, Some(0 | 1)) && !beside.contains("error"), "{code:?}: {beside}");
    assert!(text.contains("  assumed  within 20 s\n  seen     "), "{text}");
    for request in aws.asked() {
        let operation = operation(&request);
        let reads = ["Get", "List", "Describe", "Filter", "Batch", "GET ", "HEAD "];
        assert!(reads.iter().any(|word| operation.starts_with(word)), "{operation}");
    }
    let nobody = StubAws::prepared(vec![]);
    for arguments in [&["doctor", "--for", "20s"][..], &["doctor", "--measure", "--for", "2h"]] {
        assert_eq!(run(&nobody, arguments).2, Some(2), "{arguments:?}");
    }
}

/// The answers of a stack with one service, with everything broken that these answers can break.
fn broken(request: &Request) -> Answer {
    let place = "eu-west-1:123456789012";
    let xml = |operation: &str, result: &str| {
        let body = format!(
            "<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>"
        );
        Answer::with("200 OK", "content-type: text/xml\r\n", body)
    };
    let operation = operation(request);
    match operation.as_str() {
        "ListStackResources" => {
            let resource = |logical: &str, physical: &str| {
                format!(
                    "<member><LogicalResourceId>{logical}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>\
                     <ResourceType>AWS::X</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus>\
                     <LastUpdatedTimestamp>2026-11-28T03:00:00Z</LastUpdatedTimestamp></member>"
                )
            };
            let resources = [
                resource("UploadFailures", "http://sqs/upload"),
                resource("LifecycleFailures", "http://sqs/lifecycle"),
                resource("AlarmFailures", "http://sqs/alarm"),
                resource("LifecycleFunctionTick", "greenlight-tick"),
                resource("LifecycleFunctionDeployment", "greenlight-deployment"),
            ];
            let resources = resources.concat();
            xml(&operation, &format!("<StackResourceSummaries>{resources}</StackResourceSummaries>"))
        }
        "DescribeStacks" => xml(
            &operation,
            &format!(
                "<Stacks><member><StackName>greenlight</StackName><StackId>arn:aws:cloudformation:{place}:stack/greenlight/1</StackId>\
                 <StackStatus>UPDATE_ROLLBACK_COMPLETE</StackStatus><CreationTime>2026-11-28T03:00:00Z</CreationTime></member></Stacks>"
            ),
        ),
        "DescribeRule" => json_answer(&json!({ "Name": "greenlight-tick", "State": "DISABLED" })),
        "ListTargetsByRule" => json_answer(&json!({ "Targets": [] })),
        "GetQueueAttributes" => json_answer(&json!({ "Attributes": { "ApproximateNumberOfMessages": "1" } })),
        "ReceiveMessage" => {
            let body = json!({ "requestPayload": { "detail-type": "Scheduled Event" },
                "responsePayload": { "errorMessage": "no ledger" } });
            json_answer(
                &json!({ "Messages": [{ "MessageId": "1", "ReceiptHandle": "r", "Body": body.to_string() }] }),
            )
        }
        "DescribeLogGroups" => json_answer(&json!({ "logGroups": [] })),
        "DescribeRules" => xml(&operation, "<Rules></Rules>"),
        "DescribeTargetHealth" => xml(&operation, "<TargetHealthDescriptions></TargetHealthDescriptions>"),
        "DescribeAutoScalingGroups" => xml(
            &operation,
            "<AutoScalingGroups><member><AutoScalingGroupName>greenlight.backend</AutoScalingGroupName>\
             <DesiredCapacity>2</DesiredCapacity><SuspendedProcesses><member><ProcessName>Launch</ProcessName></member>\
             </SuspendedProcesses></member></AutoScalingGroups>",
        ),
        "ListDeployments" => json_answer(&json!({ "deployments": [] })),
        "ListSubscriptionsByTopic" => xml(&operation, "<Subscriptions></Subscriptions>"),
        line if line.contains("/aliases/operators") => json_answer(&json!({
            "Name": "operators", "FunctionVersion": "7", "RoutingConfig": { "AdditionalVersionWeights": { "8": 0.1 } },
        })),
        line if line.contains("/aliases/hooks") => {
            json_answer(&json!({ "Name": "hooks", "FunctionVersion": "7" }))
        }
        line if line.contains("/configuration?Qualifier=8") => {
            json_answer(&json!({ "LastModified": "2026-11-28T03:00:00.000+0000" }))
        }
        // Of the version that answers; the function itself has other settings while another version is tried.
        line if line.contains("/configuration?Qualifier=7") => json_answer(&json!({
            "Environment": { "Variables": {
                "GREENLIGHT_SERVICES": "backend:0a1b:greenlight-blue/1:greenlight-green/2",
                "GREENLIGHT_ALARMS": "errors",
                "GREENLIGHT_STATE_BUCKET": "greenlight-state",
                "GREENLIGHT_ARTIFACT_BUCKET": "greenlight-artifacts",
                "GREENLIGHT_APPLICATION": "greenlight",
                "GREENLIGHT_LISTENER_ARN": format!("arn:aws:elasticloadbalancing:{place}:listener/app/greenlight/1/2"),
                "GREENLIGHT_BAKE": "soon",
            } },
        })),
        line if line.contains("/functions/") && line.starts_with("GET") => json_answer(&json!({
            "Configuration": { "State": "Active", "Environment": { "Variables": { "GREENLIGHT_BAKE": "10m" } } },
            "Concurrency": { "ReservedConcurrentExecutions": 0 },
        })),
        line if line.contains("/invocations") => json_answer(
            &json!({ "services": [{ "service": "backend", "error": "its ledger is no ledger" }] }),
        ),
        line if line.contains("versioning") => {
            Answer::ok("<VersioningConfiguration></VersioningConfiguration>")
        }
        line if line.contains("notification") => {
            Answer::ok("<NotificationConfiguration></NotificationConfiguration>")
        }
        _ => refused("403 Forbidden", "AccessDeniedException"),
    }
}

#[test]
fn whatever_is_broken_in_what_aws_answers_is_named() {
    let aws = StubAws::start(broken);
    let (said, beside, code) = run(&aws, &["doctor", "--output", "json"]);
    assert_eq!((beside.as_str(), code), ("", Some(1)));
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["account"], &said["region"]), (&json!("123456789012"), &json!("eu-west-1")));
    let findings = said["findings"].as_array().unwrap();
    let has = |kind: &str, object: &str| {
        let about = |finding: &&Value| finding["object"].as_str().unwrap().contains(object);
        findings.iter().filter(|finding| finding["kind"] == kind).any(|finding| about(&finding))
    };
    for (kind, object) in [
        ("stack_failed", "stack greenlight"),
        ("setting_wrong", "greenlight-lifecycle"),
        ("function_stopped", "function greenlight-alarm"),
        ("canary_runs", "alias operators of greenlight-lifecycle"),
        ("log_missing", "/aws/lambda/greenlight-upload"),
        ("log_missing", "/greenlight/greenlight/backend"),
        ("schedule_disabled", "greenlight-tick"),
        ("events_failed", "queue UploadFailures"),
        ("versions_not_kept", "greenlight-state"),
        ("uploads_not_told", "greenlight-artifacts"),
        ("nobody_is_told", "greenlight-notifications"),
        ("ledger_unreadable", "the ledger of backend"),
        ("could_not_look", "the alarms"),
        ("base_rule_gone", "the base rule of backend"),
        ("scaling_suspended", "greenlight.backend"),
        ("instances_missing", "greenlight.backend"),
    ] {
        assert!(has(kind, object), "{kind} of {object}: {said:#}");
    }
    let (text, ..) = run(&aws, &["doctor"]);
    assert!(text.contains("Scheduled Event: no ledger"), "{text}");
    let tried = "sends 10 % of its calls to version 8, which was published at 2026-11-28 03:00 UTC, and the others to version 7";
    assert!(text.contains(tried), "{text}");
}

#[test]
fn the_help_of_both_has_examples() {
    for command in ["logs", "doctor"] {
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_greenlight")).args([command, "--help"]).output();
        let said = String::from_utf8(output.unwrap().stdout).unwrap();
        assert!(said.contains("Examples:") && said.contains(&format!("greenlight {command}")), "{said}");
    }
}
