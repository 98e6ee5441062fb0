//! What the policy for whoever deploys promises: it covers each service of the templates, and AWS understands it.

use crate::template::{ACCOUNT, REGION, STACK, Template, root, texts};
use crate::template_statements::faults;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/within";

/// What a managed policy may have at most, blanks apart (IAM user guide, quotas).
const LONGEST_POLICY: usize = 6_144;

fn document() -> Value {
    let page = std::fs::read_to_string(root().join("docs/deploy-policy.json")).unwrap();
    let placed = page.replace("ACCOUNT", ACCOUNT).replace("REGION", REGION);
    serde_json::from_str(&placed.replace("STACK", STACK).replace("BOUNDARY", BOUNDARY)).unwrap()
}

/// The prefix of the actions with which CloudFormation makes a resource.
fn prefix(kind: &str) -> &str {
    match kind.split("::").nth(1).unwrap() {
        "ApplicationAutoScaling" => "application-autoscaling",
        "AutoScaling" => "autoscaling",
        "Budgets" => "budgets",
        "CertificateManager" => "acm",
        "CloudFormation" => "cloudformation",
        "CloudFront" => "cloudfront",
        "CloudWatch" => "cloudwatch",
        "CodeDeploy" => "codedeploy",
        "EC2" => "ec2",
        "ElasticLoadBalancingV2" => "elasticloadbalancing",
        "Events" => "events",
        "IAM" => "iam",
        "Lambda" => "lambda",
        "Logs" => "logs",
        "RDS" => "rds",
        "Route53" => "route53",
        "S3" => "s3",
        "SNS" => "sns",
        "SQS" => "sqs",
        "WAFv2" => "wafv2",
        _ => panic!("docs/deploy-policy.json allows nothing of {kind}, and this test does not know it"),
    }
}

#[test]
fn whoever_deploys_may_make_what_the_templates_have() {
    let document = document();
    let statements = document["Statement"].as_array().unwrap();
    let actions = statements.iter().flat_map(|statement| texts(&statement["Action"]));
    let allowed: BTreeSet<&str> = actions.map(|action| action.split_once(':').unwrap().0).collect();
    let infra = std::fs::read_dir(root().join("infra")).unwrap();
    let nested = infra.map(|entry| format!("infra/{}", entry.unwrap().file_name().to_string_lossy()));
    for file in std::iter::once("template.yaml".to_owned()).chain(nested) {
        let template = Template::with(&file, &[]);
        for (id, kind) in template.kinds() {
            assert!(
                allowed.contains(prefix(kind)),
                "{file}: {id} is a {kind}, which docs/deploy-policy.json lacks"
            );
        }
    }
}

#[test]
fn aws_understands_the_policy_and_takes_its_length() {
    let document = document();
    assert!(document.to_string().len() <= LONGEST_POLICY, "{} letters", document.to_string().len());
    let named =
        |statement: &Value| json!({ "where": statement["Sid"], "kind": "identity", "statement": statement });
    let statements: Vec<Value> = document["Statement"].as_array().unwrap().iter().map(named).collect();
    let mut faults = faults(&statements);
    // AWS's authorization data do not know macros as resources, which CreateChangeSet asks for (SAM developer guide).
    faults.retain(|fault| !fault.contains(":aws:transform/Serverless-2016-10-31: no action"));
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn nobody_makes_a_role_beyond_the_boundary() {
    let document = document();
    let widening =
        ["iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"];
    for statement in document["Statement"].as_array().unwrap() {
        let actions = texts(&statement["Action"]);
        assert!(!actions.contains(&"iam:*") && !actions.contains(&"*"), "{statement}");
        if actions.iter().any(|action| widening.contains(action)) {
            let within = json!({ "StringEquals": { "iam:PermissionsBoundary": BOUNDARY } });
            assert_eq!(statement["Condition"], within);
        }
    }
}
