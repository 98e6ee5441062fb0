//! Every policy statement of the template, held against AWS's own authorization data.

use crate::template::{ACCOUNT, REGION, Template, root, text};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Everything in the template that is a policy.
fn statements(template: &Template) -> Vec<Value> {
    let mut found = Vec::new();
    for (id, resource) in template.resources() {
        let mut add = |kind: &str, name: &str, document: &Value| {
            let statements =
                document["Statement"].as_array().unwrap_or_else(|| panic!("{id} {name} has no statements"));
            for (number, statement) in statements.iter().enumerate() {
                let sid = statement["Sid"].as_str().map_or_else(|| number.to_string(), ToOwned::to_owned);
                let statement = with_arns(template, statement);
                found.push(
                    json!({ "where": format!("{id} {name} {sid}"), "kind": kind, "statement": statement }),
                );
            }
        };
        let properties = resource.properties();
        match resource.kind() {
            "AWS::IAM::Role" => {
                add("trust", "trust", &properties["AssumeRolePolicyDocument"]);
                for policy in properties["Policies"].as_array().into_iter().flatten() {
                    add("identity", text(&policy["PolicyName"]), &policy["PolicyDocument"]);
                }
            }
            "AWS::IAM::ManagedPolicy" | "AWS::IAM::Policy" => {
                add("identity", "", &properties["PolicyDocument"]);
            }
            "AWS::S3::BucketPolicy" | "AWS::SQS::QueuePolicy" | "AWS::SNS::TopicPolicy" => {
                add("resource", "", &properties["PolicyDocument"]);
            }
            kind => assert!(properties.get("PolicyDocument").is_none(), "{id}: teach this test {kind}"),
        }
    }
    found
}

/// `X.Arn`, as the template's resolver leaves it, as the ARN that AWS would give.
fn with_arns(template: &Template, value: &Value) -> Value {
    match value {
        Value::String(whole) => {
            if whole.ends_with(".SecretArn") {
                return json!(format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!db-1"));
            }
            let named = whole.split_once(".Arn").filter(|(id, _)| id.chars().all(char::is_alphanumeric));
            let Some((id, rest)) = named else { return value.clone() };
            let resource = template.resource(id);
            let arn = match resource.kind() {
                // CloudFormation chooses a name that begins like the stack's.
                "AWS::S3::Bucket" => match resource.properties().get("BucketName") {
                    Some(name) => format!("arn:aws:s3:::{}", text(name)),
                    None => format!("arn:aws:s3:::shop-{}", id.to_lowercase()),
                },
                "AWS::SQS::Queue" => format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{id}"),
                "AWS::IAM::Role" => format!("arn:aws:iam::{ACCOUNT}:role/{id}"),
                kind => panic!("teach this test the ARN of {kind} ({id})"),
            };
            json!(format!("{arn}{rest}"))
        }
        Value::Array(items) => items.iter().map(|item| with_arns(template, item)).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, member)| (name.clone(), with_arns(template, member)));
            Value::Object(members.collect())
        }
        plain => plain.clone(),
    }
}

/// What AWS's authorization data says against the statements.
pub(crate) fn faults(statements: &[Value]) -> Vec<String> {
    let root = root();
    let mut python = Command::new(root.join(".venv/bin/python"))
        .arg(root.join("tests/contracts/statements.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let given = Value::from(statements.to_vec()).to_string();
    python.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "statements.py failed; run `make prepare`");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn aws_knows_every_action_resource_and_condition_of_the_template() {
    let template = Template::with("template.yaml", &[("Gate", "shop-gate")]);
    let statements: Vec<Value> = template.all().flat_map(statements).collect();
    assert!(
        statements.len() > 30,
        "only {} statements: does this test still know a policy?",
        statements.len()
    );
    assert_eq!(faults(&statements), Vec::<String>::new());
}

#[test]
fn aws_knows_every_action_resource_and_condition_of_the_nested_templates() {
    for (file, given) in [
        ("infra/database.yaml", &[][..]),
        ("infra/images.yaml", &[("Access", "cloudfront")]),
        ("infra/images.yaml", &[("Access", "referer")]),
        ("infra/pipeline.yaml", &[("ArtifactBucketName", "shop-artifacts")]),
    ] {
        let statements = statements(&Template::with(file, given));
        assert!(!statements.is_empty(), "{file} has no policy: does this test still know one?");
        for statement in &statements {
            let wide =
                statement["kind"] == json!("identity") && statement["statement"]["Resource"] == json!("*");
            assert!(!wide, "{file}: {statement} allows everything");
        }
        assert_eq!(faults(&statements), Vec::<String>::new(), "{file}");
    }
}

#[test]
fn a_statement_that_aws_would_not_understand_is_seen() {
    let group = format!("arn:aws:codedeploy:{REGION}:{ACCOUNT}:deploymentgroup:shop/frontend");
    let rule = format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener-rule/app/shop/1/2/*");
    let bucket = "arn:aws:s3:::shop-state-123456789012";
    let objects = format!("{bucket}/ledger/*");
    let own = |condition: Value| json!({ "Action": "elasticloadbalancing:ModifyRule", "Resource": rule, "Condition": condition });
    let wrong = [
        (json!({ "Action": "elasticloadbalancing:ModifyRules", "Resource": "*" }), "IAM has no such action"),
        (json!({ "Action": "elasticloadbalancing:DescribeRules", "Resource": rule }), "takes \"*\" only"),
        (json!({ "Action": "elasticloadbalancing:ModifyRule", "Resource": group }), "takes arn:"),
        (json!({ "Action": "s3:GetObject", "Resource": bucket }), "takes arn:"),
        (json!({ "Action": "s3:ListBucket", "Resource": objects }), "takes arn:"),
        (
            json!({ "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": [bucket, objects, rule] }),
            "no action of the statement takes it",
        ),
        (
            own(json!({ "StringEquals": { "elasticloadbalancing:CreateAction": "CreateRule" } })),
            "has no condition key elasticloadbalancing:CreateAction",
        ),
        (own(json!({ "StringMatches": { "aws:SourceArn": "x" } })), "is no operator"),
    ];
    let given = |(number, (statement, _)): (usize, &(Value, &str))| json!({ "where": number.to_string(), "kind": "identity", "statement": statement });
    let mut statements: Vec<Value> = wrong.iter().enumerate().map(given).collect();
    let sound = own(json!({ "Null": { "aws:ResourceTag/greenlight:release": false } }));
    statements.push(json!({ "where": "sound", "kind": "identity", "statement": sound }));
    let found = faults(&statements);
    for (number, (statement, told)) in wrong.iter().enumerate() {
        let mut of = found.iter().filter(|fault| fault.starts_with(&format!("{number}: ")));
        assert!(of.any(|fault| fault.contains(told)), "{told} was expected of {statement}: {found:?}");
    }
    assert!(!found.iter().any(|fault| fault.starts_with("sound")), "{found:?}");
}
