//! Least privilege: what the code calls is allowed, and nothing else.

use crate::template::{ACCOUNT, REGION, SERVICES, Template, root, text, texts};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The SDK crates of the workspace and the prefix of their actions in IAM.
const CLIENTS: [(&str, &str); 9] = [
    ("aws_sdk_autoscaling", "autoscaling"),
    ("aws_sdk_cloudwatch", "cloudwatch"),
    ("aws_sdk_codedeploy", "codedeploy"),
    ("aws_sdk_elasticloadbalancingv2", "elasticloadbalancing"),
    ("aws_sdk_eventbridge", "events"),
    ("aws_sdk_lambda", "lambda"),
    ("aws_sdk_s3", "s3"),
    ("aws_sdk_sns", "sns"),
    ("aws_sdk_wafv2", "wafv2"),
];

/// Calls whose actions have other names; one of them is needed, the later one for a pinned version.
/// Source: Service Authorization Reference, "Actions, resources, and condition keys" for Amazon S3 and AWS Lambda.
const RENAMED: [(&str, &str, &[&str]); 6] = [
    ("s3", "get_object", &["s3:GetObject", "s3:GetObjectVersion"]),
    ("s3", "head_object", &["s3:GetObject", "s3:GetObjectVersion"]),
    ("s3", "get_object_tagging", &["s3:GetObjectTagging", "s3:GetObjectVersionTagging"]),
    ("s3", "put_object_tagging", &["s3:PutObjectTagging", "s3:PutObjectVersionTagging"]),
    ("s3", "list_objects_v2", &["s3:ListBucket"]),
    ("lambda", "invoke", &["lambda:InvokeFunction"]),
];

/// Calls that are one word. Others of one word, such as `delete`, are methods of much else.
const CALLS_OF_ONE_WORD: [&str; 1] = ["publish"];

/// Actions that no code calls by name, and why they are allowed all the same.
const ON_BEHALF: [(&str, &str); 6] = [
    ("codedeploy:GetApplicationRevision", "CreateDeployment asks for it"),
    ("codedeploy:GetDeploymentConfig", "CreateDeployment asks for it"),
    ("codedeploy:RegisterApplicationRevision", "CreateDeployment asks for it"),
    ("elasticloadbalancing:AddTags", "CreateRule with tags asks for it"),
    ("s3:ListBucket", "without it S3 answers 403 for an object that is not there"),
    ("sqs:SendMessage", "Lambda sends to the on-failure queue with the function's role"),
];

/// Actions that AWS can narrow and the template does not, and why.
const NOT_NARROWED: [(&str, &str); 2] = [
    ("cloudwatch:DescribeAlarms", "composite alarms are described to those only who may describe all"),
    ("cloudwatch:GetMetricData", "IAM knows datasets, and no load balancer's metrics are said to be in one"),
];

/// What IAM knows, from cfn-lint's copy of it: by service the actions in lower case, and whether each has resources.
struct Iam(Value);

impl Iam {
    fn read() -> Self {
        let library = root().join(".venv/lib");
        let python = std::fs::read_dir(library).unwrap().next().unwrap().unwrap().path();
        let data = python.join("site-packages/cfnlint/data/AdditionalSpecs/Policies.json");
        Self(serde_json::from_str(&std::fs::read_to_string(data).unwrap()).unwrap())
    }

    fn action(&self, service: &str, lower: &str) -> Option<&Value> {
        self.0[service]["Actions"].get(lower)
    }

    fn is_narrowable(&self, action: &str) -> bool {
        let (service, name) = action.split_once(':').unwrap();
        let known =
            self.action(service, &name.to_lowercase()).unwrap_or_else(|| panic!("IAM has no {action}"));
        known.get("Resources").is_some()
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The calls to AWS in a folder's sources: each as the list of actions of which one is needed.
///
/// A call is a method without arguments that has the name of an action of a service whose SDK the file uses.
fn calls(iam: &Iam, folder: &Path) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    for path in sources(folder) {
        let source = std::fs::read_to_string(&path).unwrap();
        for (_, service) in CLIENTS.iter().filter(|(client, _)| source.contains(client)) {
            for method in methods_without_arguments(&source) {
                let renamed = RENAMED.iter().find(|(of, known, _)| (of, *known) == (service, method));
                if let Some((_, _, actions)) = renamed {
                    found.insert(actions.iter().map(ToString::to_string).collect());
                } else if (method.contains('_') || CALLS_OF_ONE_WORD.contains(&method))
                    && iam.action(service, &method.replace('_', "")).is_some()
                {
                    found.insert(vec![format!("{service}:{}", capitalised(method))]);
                }
            }
        }
    }
    found
}

fn methods_without_arguments(source: &str) -> impl Iterator<Item = &str> {
    source.split("()").filter_map(|before| {
        let (rest, name) = before
            .rsplit_once(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .unwrap_or(("", before));
        let called = before.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
        (called && !rest.is_empty()).then_some(name)
    })
}

fn capitalised(method: &str) -> String {
    let words = method.split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    // WAF's actions write the abbreviation in full.
    words.collect::<String>().replace("IpSet", "IPSet")
}

/// The actions that a role allows, each with its resources; managed policies of the template included.
fn allowed(template: &Template, role: &str) -> BTreeMap<String, BTreeSet<String>> {
    let properties = template.resource(role).properties();
    let mut documents: Vec<Value> = properties["Policies"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|policy| policy["PolicyDocument"].clone())
        .collect();
    for arn in properties["ManagedPolicyArns"].as_array().into_iter().flatten().map(text) {
        if !arn.starts_with("arn:") {
            documents.push(template.resource(arn).properties()["PolicyDocument"].clone());
        }
    }
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for statement in documents.iter().flat_map(|document| document["Statement"].as_array().unwrap()) {
        if statement["Effect"] == json!("Deny") {
            continue;
        }
        assert_eq!(statement["Effect"], json!("Allow"), "{role}");
        for action in texts(&statement["Action"]) {
            assert!(!action.contains('*'), "{role} allows {action}");
            found
                .entry(action.to_owned())
                .or_default()
                .extend(texts(&statement["Resource"]).iter().map(ToString::to_string));
        }
    }
    found
}

/// The template of a stack that has all that it can have.
fn whole() -> Template {
    Template::with("template.yaml", &[("Gate", GATE)])
}

/// The function that is its gate.
const GATE: &str = "shop-gate";

/// The functions of the template with their crates.
fn functions(template: &Template) -> Vec<(String, String)> {
    let functions = template.of_type("AWS::Lambda::Function");
    let crate_of = |raw: &Value| text(&raw["Metadata"]["BuildProperties"]["Binary"]).to_owned();
    functions.into_iter().map(|(id, function)| (id.to_owned(), crate_of(function.raw()))).collect()
}

/// The calls that a function can make: its own, and those of the adapters when it drives releases.
fn calls_of(iam: &Iam, name: &str) -> BTreeSet<Vec<String>> {
    let folder = root().join("functions").join(name).join("src");
    let wiring = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    let mut found = calls(iam, &folder);
    let adapters = std::fs::read_to_string(folder.join("aws.rs")).unwrap_or_default();
    if adapters.contains("ledgers::read") {
        found.extend(calls(iam, &root().join("shared/src/aws/ledgers")));
    }
    if wiring.contains("greenlight::aws::Aws") {
        let shared = calls(iam, &root().join("shared/src/aws"));
        assert!(!shared.is_empty(), "no call in shared/src/aws: does this test still know a call?");
        found.extend(shared);
    }
    assert!(!found.is_empty(), "{name} calls nothing: does this test still know a call?");
    found
}

#[test]
fn every_call_that_a_function_can_make_is_allowed() {
    let (template, iam) = (whole(), Iam::read());
    for (id, name) in functions(&template) {
        let allowed = allowed(&template, &format!("{id}Role"));
        for call in calls_of(&iam, &name) {
            assert!(
                call.iter().any(|action| allowed.contains_key(action)),
                "{id} calls {call:?}, which its role lacks"
            );
        }
    }
}

#[test]
fn nothing_is_allowed_that_no_code_calls() {
    let (template, iam) = (whole(), Iam::read());
    for (id, name) in functions(&template) {
        let calls = calls_of(&iam, &name);
        let called: BTreeSet<&str> = calls.iter().flatten().map(String::as_str).collect();
        for action in allowed(&template, &format!("{id}Role")).keys() {
            let reason = ON_BEHALF.iter().any(|(known, _)| known == action);
            assert!(reason || called.contains(action.as_str()), "{id} may {action}, and no code of it does");
        }
    }
}

#[test]
fn only_what_aws_cannot_narrow_is_allowed_on_everything() {
    let (template, iam) = (whole(), Iam::read());
    for (id, _) in functions(&template) {
        for (action, resources) in allowed(&template, &format!("{id}Role")) {
            let excused = NOT_NARROWED.iter().any(|(known, _)| *known == action);
            let wide = resources.contains("*");
            assert!(!wide || excused || !iam.is_narrowable(&action), "{id} may {action} on everything");
        }
    }
}

#[test]
fn lifecycle_alone_may_invoke_a_function_and_only_the_gate_where_there_is_one() {
    for (template, gate) in [(whole(), Some(GATE)), (Template::read().clone(), None)] {
        for (id, _) in functions(&template) {
            let invokes = allowed(&template, &format!("{id}Role")).remove("lambda:InvokeFunction");
            let gate = gate.filter(|_| id == "LifecycleFunction");
            let only = |gate| BTreeSet::from([format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{gate}")]);
            assert_eq!(invokes, gate.map(only), "{id}");
        }
    }
}

#[test]
fn rules_are_changed_below_our_listener_only() {
    let template = Template::read();
    for (id, _) in functions(template).into_iter().filter(|(id, _)| id != "WafLogsFunction") {
        let allowed = allowed(template, &format!("{id}Role"));
        let listener = text(&template.resolve(&json!({ "Ref": "Listener" }))).to_owned();
        let rules = listener.replace(":listener/", ":listener-rule/") + "/*";
        assert_eq!(allowed["elasticloadbalancing:CreateRule"], BTreeSet::from([listener]), "{id}");
        for action in ["ModifyRule", "DeleteRule"] {
            assert_eq!(
                allowed[&format!("elasticloadbalancing:{action}")],
                BTreeSet::from([rules.clone()]),
                "{id}"
            );
        }
    }
}

#[test]
fn only_a_rule_with_a_releases_tag_can_be_deleted() {
    let policy = Template::read().resource("ReconcilePolicy").properties();
    let statements = policy["PolicyDocument"]["Statement"].as_array().unwrap();
    let deleting: Vec<&Value> = statements
        .iter()
        .filter(|statement| texts(&statement["Action"]).contains(&"elasticloadbalancing:DeleteRule"))
        .collect();
    let [statement] = deleting[..] else { panic!("one statement was expected, not {deleting:?}") };
    assert_eq!(statement["Condition"], json!({ "Null": { "aws:ResourceTag/greenlight:release": false } }));
}

#[test]
fn the_stack_changes_no_rule_but_those_of_its_services() {
    let policies = Template::read().resource("ListenerRuleFunctionRole").properties()["Policies"].clone();
    let statements = policies
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap().clone());
    for change in
        ["DeleteRule", "ModifyRule", "SetRulePriorities"].map(|name| format!("elasticloadbalancing:{name}"))
    {
        let allowing: Vec<Value> = statements
            .clone()
            .filter(|statement| texts(&statement["Action"]).contains(&change.as_str()))
            .collect();
        let [statement] = &allowing[..] else { panic!("one statement was expected, not {allowing:?}") };
        let condition = json!({ "Null": { "aws:ResourceTag/greenlight:service": false } });
        assert_eq!(statement["Condition"], condition, "{change}");
    }
}

#[test]
fn an_instance_may_fetch_its_bundles_ask_log_let_operators_in_and_no_more() {
    for (service, id) in SERVICES {
        let only = |resource: &str| BTreeSet::from([resource.to_owned()]);
        let mut expected = BTreeMap::from([
            (
                "lambda:InvokeFunction".to_owned(),
                only("arn:aws:lambda:eu-west-1:123456789012:function:shop-lifecycle:hooks"),
            ),
            (
                "s3:GetObjectVersion".to_owned(),
                only(&format!("arn:aws:s3:::shop-artifacts-123456789012-eu-west-1/releases/{service}/*")),
            ),
        ]);
        let streams =
            format!("arn:aws:logs:eu-west-1:123456789012:log-group:/greenlight/shop/{service}:log-stream:*");
        for action in ["logs:CreateLogStream", "logs:PutLogEvents"] {
            expected.insert(action.to_owned(), only(&streams));
        }
        let sessions = ["ControlChannel", "DataChannel"];
        let sessions = sessions
            .iter()
            .flat_map(|what| ["Create", "Open"].map(|verb| format!("ssmmessages:{verb}{what}")));
        for action in sessions.chain(["ssm:UpdateInstanceInformation".to_owned()]) {
            expected.insert(action, only("*"));
        }
        assert_eq!(allowed(Template::read().nested(id), "InstanceRole"), expected);
    }
}

/// What AWS's managed policy for `CodeDeploy` allows, from the emulator's copy of AWS's own.
fn of_codedeploys_policy() -> BTreeSet<String> {
    let python = root().join(".venv/bin/python");
    let script = "import json; from moto.iam.aws_managed_policies import aws_managed_policies_data as data\n\
        print(json.dumps(json.loads(data)['AWSCodeDeployRole']['Document']['Statement'][0]['Action']))";
    let output = std::process::Command::new(python).args(["-c", script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn codedeploys_role_adds_to_its_managed_policy_only_what_that_lacks() {
    let managed = of_codedeploys_policy();
    // A deployment suspends scaling (`ec2DeploymentOptions`) with its service's role.
    for action in ["autoscaling:SuspendProcesses", "autoscaling:ResumeProcesses"] {
        assert!(managed.contains(action), "{action}");
    }
    for (service, id) in SERVICES {
        let own = allowed(Template::read().nested(id), "DeploymentRole");
        let twice: Vec<&String> = own.keys().filter(|action| managed.contains(*action)).collect();
        assert!(twice.is_empty(), "{service}: {twice:?} are in AWSCodeDeployRole");
    }
}
