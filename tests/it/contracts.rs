//! What is sent and answered is AWS's: calls held against botocore's service models, and against the roles.

use crate::template::root;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn check(script: &str, arguments: &[&Path]) -> Output {
    let root = root();
    let mut python = Command::new(root.join(".venv/bin/python"));
    python.env("PYTHONDONTWRITEBYTECODE", "1").arg(root.join("tests/contracts").join(script));
    python.args(arguments).output().unwrap()
}

/// Fails with each call that AWS would refuse, and each answer of the local cloud's own that AWS would never give.
pub(crate) fn aws_takes_every_call(record: &Path) {
    let checked = check("requests.py", &[record]);
    let told = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{told}{}", String::from_utf8_lossy(&checked.stderr));
}

/// Leaves a record with these lines, for the time that `look` takes.
fn with_record<T>(name: &str, lines: &[Value], look: impl FnOnce(&Path) -> T) -> T {
    let path = std::env::temp_dir().join(format!("{name}-{}.jsonl", std::process::id()));
    std::fs::write(&path, lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")).unwrap();
    let looked = look(&path);
    std::fs::remove_file(&path).unwrap();
    looked
}

fn call(name: &str, body: &Value) -> Value {
    let kind =
        if body.is_object() { "application/x-amz-json-1.1" } else { "application/x-www-form-urlencoded" };
    let body = body.as_str().map_or_else(|| body.to_string(), ToOwned::to_owned);
    json!({
        "call": name, "caller": "ASIASHOPLIFECYCLE0", "method": "POST", "path": "/", "query": "",
        "headers": { "content-type": kind }, "body": body,
    })
}

fn s3(name: &str, method: &str, path: &str, query: &str, headers: &Value, body: &str) -> Value {
    json!({
        "call": name, "caller": "ASIASHOPLIFECYCLE0", "method": method, "path": path, "query": query,
        "headers": headers, "body": body,
    })
}

/// A sound call and a sound answer, because a record without them tells nothing.
fn sound() -> Vec<Value> {
    vec![
        call("codedeploy:GetDeployment", &json!({ "deploymentId": "d-A1B2C3D4E" })),
        answer("codedeploy:GetDeployment", 200, &json!({ "deploymentInfo": { "status": "InProgress" } })),
        call(
            "elasticloadbalancing:ModifyRule",
            &json!(
                "Action=ModifyRule&Version=2015-12-01&RuleArn=r&Actions.member.1.Type=forward\
                   &Actions.member.1.ForwardConfig.TargetGroups.member.1.TargetGroupArn=g\
                   &Actions.member.1.ForwardConfig.TargetGroups.member.1.Weight=10"
            ),
        ),
        s3("s3:GetObject", "GET", "/b/ledger/a.json", "x-id=GetObject", &json!({}), ""),
        s3("s3:PutObject", "PUT", "/b/k", "x-id=PutObject", &json!({ "if-none-match": "*" }), ""),
    ]
}

fn answer(name: &str, status: u16, body: &Value) -> Value {
    let headers = json!({ "content-type": "application/json" });
    json!({
        "answer": name, "caller": "ASIASHOPLIFECYCLE0", "path": "/", "status": status, "headers": headers,
        "body": body.to_string(),
    })
}

#[test]
fn sound_calls_and_answers_are_taken() {
    with_record("sound", &sound(), aws_takes_every_call);
}

#[test]
fn a_call_that_aws_would_refuse_is_told_with_member_and_reason() {
    let deploy = |member: &str, value: Value| {
        let mut body = json!({ "applicationName": "shop", "deploymentGroupName": "frontend" });
        body[member] = value;
        call("codedeploy:CreateDeployment", &body)
    };
    let rule = |field: &str| {
        let form = format!("Action=ModifyRule&Version=2015-12-01&RuleArn=r&{field}");
        call("elasticloadbalancing:ModifyRule", &json!(form))
    };
    let set = |token: &str| {
        let body = json!({ "Name": "a", "Scope": "REGIONAL", "Id": "1a2b3c4d-1111-2222-3333-444455556666",
            "Addresses": ["192.0.2.1/32"], "LockToken": token });
        call("wafv2:UpdateIPSet", &body)
    };
    let tagging = "<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>";
    let wrong = [
        (call("codedeploy:CreateDeployment", &json!({})), ".applicationName: is required"),
        (deploy("descripton", json!("a")), ".descripton: is no member"),
        (deploy("description", json!(5)), ".description: 5 is no string"),
        (deploy("fileExistsBehavior", json!("REPLACE")), ".fileExistsBehavior: 'REPLACE' is none of"),
        (deploy("deploymentGroupName", json!("g".repeat(101))), "length 101 is not between"),
        (call("codedeploy:GetDeployments", &json!({})), "no operation GetDeployments"),
        (rule("Actions.member.1.Type=forwards"), ".Actions[0].Type: 'forwards' is none of"),
        (rule("Action.member.1.Type=forward"), ".Action.member.1.Type: is no member"),
        (rule("Actions.member.1.Type=forward&Actions.member.1.Order=first"), "is no integer"),
        (set("029715"), ".LockToken: '029715' does not match"),
        (s3("s3:GetObject", "GET", "/b/k", "versionID=1", &json!({}), ""), ".versionID: is no member"),
        (
            s3("s3:PutObject", "PUT", "/b/k", "", &json!({ "x-amz-acls": "private" }), ""),
            ".x-amz-acls: is no member",
        ),
        (s3("s3:PutObjectTagging", "PUT", "/b/k", "tagging", &json!({}), tagging), ".Value: is required"),
        (answer("codedeploy:GetDeployment", 200, &json!({ "deployment": {} })), ".deployment: is no member"),
        (
            answer("codedeploy:GetDeployment", 200, &json!({ "deploymentInfo": { "status": "Running" } })),
            ".deploymentInfo.status: 'Running' is none of",
        ),
        (answer("codedeploy:GetDeployment", 400, &json!({ "__type": "NoSuchKey" })), "error NoSuchKey"),
        (answer("monitoring:DescribeAlarms", 400, &json!({ "__type": "ThrottlingException" })), "is CBOR"),
    ];
    let lines = [sound(), wrong.iter().map(|(line, _)| line.clone()).collect()].concat();
    let checked = with_record("wrong", &lines, |record| check("requests.py", &[record]));
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(!checked.status.success(), "{said}");
    for (line, told) in &wrong {
        assert!(said.contains(told), "{told} was expected of {line}, not {said}");
    }
    assert!(said.contains(&format!(": {} faults", wrong.len())), "{said}");
}

/// What the local cloud writes first: who has which role.
fn stack() -> Value {
    let rules = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/shop/1/2";
    let statements = json!([
        { "Sid": "Look", "Effect": "Allow", "Action": "elasticloadbalancing:DescribeRules", "Resource": "*" },
        { "Sid": "Close", "Effect": "Allow", "Action": "elasticloadbalancing:DeleteRule", "Resource": format!("{rules}/*"),
          "Condition": { "Null": { "aws:ResourceTag/greenlight:release": false } } },
    ]);
    json!({ "stack": {
        "resources": { "LifecycleFunction": "shop-lifecycle", "Rule": format!("{rules}/base") },
        "roles": { "LifecycleFunction": { "name": "shop-lifecycle", "policies": { "role/own": statements } } },
    } })
}

fn rules_call(form: &str) -> Value {
    let action = form.split('&').next().unwrap();
    call(&format!("elasticloadbalancing:{action}"), &json!(format!("Action={form}")))
}

fn delete(rule: &str) -> Value {
    let listener_rule = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/shop/1/2";
    rules_call(&format!("DeleteRule&Version=2015-12-01&RuleArn={listener_rule}/{rule}"))
}

/// The report, and what was said.
fn compared(name: &str, lines: &[Value]) -> (Value, String) {
    let report: PathBuf = std::env::temp_dir().join(format!("{name}-{}.json", std::process::id()));
    let said = with_record(name, lines, |record| check("permissions.py", &[&report, record]));
    let told = String::from_utf8_lossy(&said.stdout).into_owned();
    let read = std::fs::read_to_string(&report);
    let read = read.unwrap_or_else(|_| panic!("no report: {}", String::from_utf8_lossy(&said.stderr)));
    std::fs::remove_file(&report).unwrap();
    (serde_json::from_str(&read).unwrap(), told)
}

#[test]
fn a_call_without_a_grant_and_a_grant_without_a_call_are_told() {
    let look = rules_call("DescribeRules&Version=2015-12-01");
    let of = |report: &Value, what: &str| {
        report["functions"]["shop-lifecycle"][what]
            .as_array()
            .unwrap()
            .iter()
            .map(Value::to_string)
            .collect::<String>()
    };

    let (report, _) = compared("used", &[stack(), look.clone(), delete("own")]);
    assert_eq!(of(&report, "calls_without_grant"), "");
    assert_eq!(of(&report, "grants_without_call"), "");
    assert_eq!(report["functions"]["shop-lifecycle"]["calls"]["elasticloadbalancing:DeleteRule"], 1);

    let (report, said) = compared("unused", &[stack(), look.clone()]);
    assert!(of(&report, "grants_without_call").contains("DeleteRule"), "{report}");
    assert!(said.contains("never makes use of"), "{said}");

    let (report, said) =
        compared("ungranted", &[stack(), look.clone(), rules_call("DescribeTags&Version=2015-12-01")]);
    assert!(of(&report, "calls_without_grant").contains("DescribeTags"), "{report}");
    assert!(said.contains("which its role does not grant"), "{said}");

    // The condition keeps base rules, which have no tag of a release.
    let (report, _) = compared("condition", &[stack(), look, delete("base")]);
    assert!(of(&report, "calls_without_grant").contains("DeleteRule"), "{report}");
}

#[test]
fn an_instance_that_asks_by_any_name_but_the_alias_hooks_is_told() {
    let function = "arn:aws:lambda:eu-west-1:123456789012:function:shop-lifecycle";
    let mut stack = stack();
    let statement = json!({ "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": format!("{function}:hooks") });
    let profile = json!({ "name": "shop-backend", "policies": { "role/take-releases": [statement] } });
    stack["stack"]["roles"]["BackendInstanceProfile"] = profile;
    let invoke = |name: &str, query: &str| {
        json!({
            "call": "lambda:Invoke", "caller": "ASIAINSTANCEI1", "method": "POST", "headers": {}, "query": query,
            "path": format!("/2015-03-31/functions/{name}/invocations"),
        })
    };
    let lines = [
        stack,
        invoke("shop-lifecycle", "Qualifier=hooks"),
        invoke("shop-lifecycle%3Ahooks", ""),
        invoke("shop-lifecycle", ""),
        invoke("shop-lifecycle", "Qualifier=operators"),
        invoke("shop-lifecycle", "Qualifier=%24LATEST"),
    ];
    let (report, _) = compared("alias", &lines);
    let refused =
        ["", ":$LATEST", ":operators"].map(|alias| format!("lambda:InvokeFunction on {function}{alias}"));
    assert_eq!(report["instances"]["calls_without_grant"], json!(refused));
    assert_eq!(report["instances"]["calls"], json!({ "lambda:InvokeFunction": 5 }));
}
