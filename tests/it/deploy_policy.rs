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
        // CloudFormation invokes the resource's function with the rights of whoever deploys.
        "Lambda" | "ListenerRule" | "Configuration" => "lambda",
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

/// What a resource is called in ARNs, by its kind: the property that names it, and the ARN from the account on. Without
/// the property, CloudFormation names it after stack and logical id.
const NAMED: [(&str, &str, &str); 15] = [
    ("AWS::Budgets::Budget", "/Budget/BudgetName", "budgets::ACCOUNT:budget/NAME"),
    ("AWS::CloudFormation::Stack", "", "cloudformation:REGION:ACCOUNT:stack/NAME/1"),
    ("AWS::CloudWatch::Alarm", "/AlarmName", "cloudwatch:REGION:ACCOUNT:alarm:NAME"),
    ("AWS::CloudWatch::Dashboard", "/DashboardName", "cloudwatch::ACCOUNT:dashboard/NAME"),
    ("AWS::CodeDeploy::Application", "/ApplicationName", "codedeploy:REGION:ACCOUNT:application:NAME"),
    (
        "AWS::CodeDeploy::DeploymentGroup",
        "/DeploymentGroupName",
        "codedeploy:REGION:ACCOUNT:deploymentgroup:APPLICATION/NAME",
    ),
    ("AWS::Events::Rule", "/Name", "events:REGION:ACCOUNT:rule/NAME"),
    ("AWS::IAM::InstanceProfile", "/InstanceProfileName", "iam::ACCOUNT:instance-profile/NAME"),
    ("AWS::IAM::ManagedPolicy", "/ManagedPolicyName", "iam::ACCOUNT:policy/NAME"),
    ("AWS::IAM::Role", "/RoleName", "iam::ACCOUNT:role/NAME"),
    ("AWS::Lambda::Function", "/FunctionName", "lambda:REGION:ACCOUNT:function:NAME"),
    ("AWS::Logs::LogGroup", "/LogGroupName", "logs:REGION:ACCOUNT:log-group:NAME"),
    ("AWS::S3::Bucket", "/BucketName", "s3:::NAME"),
    ("AWS::SNS::Topic", "/TopicName", "sns:REGION:ACCOUNT:NAME"),
    ("AWS::SQS::Queue", "/QueueName", "sqs:REGION:ACCOUNT:NAME"),
];

/// What belongs to another resource, under whose ARN it is made.
const OF_ANOTHER: [&str; 11] = [
    "AWS::IAM::OIDCProvider",
    "AWS::IAM::Policy",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SQS::QueuePolicy",
    "Custom::Configuration",
    "Custom::ListenerRule",
];

/// Whether a pattern of a policy, with `*` for any letters, covers an ARN.
fn covers(pattern: &str, arn: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == arn,
        Some((start, rest)) => arn.strip_prefix(start).is_some_and(|arn| {
            (0..=arn.len()).filter_map(|from| arn.get(from..)).any(|arn| covers(rest, arn))
        }),
    }
}

#[test]
fn whoever_deploys_may_make_what_the_templates_have() {
    let document = document();
    let statements = document["Statement"].as_array().unwrap();
    // The resources that the policy names for a service's actions.
    let patterns = |prefix: &str| -> BTreeSet<&str> {
        let of_service = statements.iter().filter(|statement| {
            texts(&statement["Action"]).iter().any(|action| action.split_once(':').unwrap().0 == prefix)
        });
        of_service.flat_map(|statement| texts(&statement["Resource"])).collect()
    };
    let whole = [
        ("GitHubRepository", "octo/shop"),
        ("HostedZoneId", "Z1"),
        ("DomainName", "example.com"),
        ("NotificationEmail", "ops@example.com"),
        ("CampaignAction", "challenge"),
    ];
    let root = Template::with("template.yaml", &whole);
    let mut named = BTreeSet::new();
    for template in root.all() {
        for (id, resource) in template.resources() {
            let kind = resource.kind();
            let patterns = patterns(prefix(kind));
            assert!(
                !patterns.is_empty(),
                "{id} is a {kind}, of which docs/deploy-policy.json allows nothing"
            );
            let arn = match NAMED.iter().find(|(known, ..)| *known == kind) {
                Some((_, property, arn)) => {
                    named.insert(kind.to_owned());
                    let properties = resource.properties();
                    let given = properties.pointer(property).and_then(Value::as_str).map(ToOwned::to_owned);
                    let name = given.unwrap_or_else(|| format!("{}-{id}-1ABCDEFGHIJKL", template.stack()));
                    let application = properties["ApplicationName"].as_str().unwrap_or_default();
                    let arn = arn.replace("REGION", REGION).replace("ACCOUNT", ACCOUNT);
                    let arn = arn.replace("APPLICATION", application);
                    format!("arn:aws:{}", arn.replace("STACK", STACK).replace("NAME", &name))
                }
                None if OF_ANOTHER.contains(&kind) => continue,
                // What has no name that a policy could match is open within the region.
                None => "*".to_owned(),
            };
            assert!(
                patterns.iter().any(|pattern| covers(pattern, &arn)),
                "{id} is {arn}, which docs/deploy-policy.json does not cover"
            );
        }
    }
    assert_eq!(named.len(), NAMED.len(), "a kind that no template has: {named:?}");
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
