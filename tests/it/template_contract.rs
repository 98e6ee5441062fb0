//! What the template promises the code, and what cfn-lint does not see.

use crate::template::{ACCOUNT, Resource, SERVICES, STACK, Template, root, text, texts};
use greenlight::settings::{Settings, VARIABLES};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const FUNCTION: &str = "AWS::Lambda::Function";

/// The page that lists every setting.
const SETTINGS_PAGE: &str = "docs/settings.md";

/// Of the functions, those that drive no release: `waf-logs` has settings of its own, `listener-rule` has none.
const BESIDE_RELEASES: [&str; 2] = ["WafLogsFunction", "ListenerRuleFunction"];

/// The functions that drive releases, by logical id.
fn release_functions(template: &Template) -> impl Iterator<Item = (&str, Resource<'_>)> {
    template.of_type(FUNCTION).into_iter().filter(|(id, _)| !BESIDE_RELEASES.contains(id))
}

#[test]
fn each_function_is_told_every_documented_variable_and_no_other() {
    let template = Template::read();
    for (id, function) in release_functions(template) {
        let expected: BTreeSet<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
        let given = function.environment();
        assert_eq!(given.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected, "{id}");
    }
}

#[test]
fn the_stack_and_the_documents_have_the_defaults_of_the_code() {
    let given = Template::read().resource("LifecycleFunction").environment();
    let page = std::fs::read_to_string(root().join(SETTINGS_PAGE)).unwrap();
    for variable in VARIABLES {
        let quoted = format!("`{}`", variable.name);
        let mentions: Vec<&str> = page.lines().filter(|line| line.contains(&quoted)).collect();
        assert!(!mentions.is_empty(), "{SETTINGS_PAGE} does not name {quoted}");
        if let Some(default) = variable.default {
            assert_eq!(given[variable.name], default, "{}", variable.name);
            let row = format!("| {quoted} | `{default}` |");
            assert!(
                mentions.iter().any(|line| line.contains(&row)),
                "{SETTINGS_PAGE} has another default than {row}"
            );
        }
    }
}

#[test]
fn the_documents_list_every_parameter_with_its_default() {
    let template = Template::read();
    let page = std::fs::read_to_string(root().join(SETTINGS_PAGE)).unwrap();
    for (name, default) in template.parameters() {
        let start = format!("| `{name}` |");
        let row = page.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("{SETTINGS_PAGE} has no row for the parameter {name}"));
        let says = default.is_empty() || row.contains(&format!("| `{default}` |"));
        assert!(says, "{SETTINGS_PAGE} does not say that {name} is {default} by default: {row}");
    }
}

#[test]
fn each_function_can_read_its_settings_with_the_default_parameters() {
    let template = Template::read();
    for (id, function) in release_functions(template) {
        let settings =
            Settings::read(&function.environment()).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(settings.services.len(), SERVICES.len(), "{id}");
        assert_eq!(settings.faults, [], "{id}");
        let topic = template.resolve(&json!({ "Ref": "NotificationTopic" }));
        assert_eq!(settings.topic_arn, text(&topic), "{id}");
    }
}

#[test]
fn a_gate_fits_beside_the_default_parameters() {
    let template = Template::with("template.yaml", &[("Gate", "shop-gate")]);
    for (id, function) in release_functions(&template) {
        let settings = Settings::read(&function.environment()).unwrap();
        assert_eq!((settings.gate.as_deref(), settings.faults), (Some("shop-gate"), Vec::new()), "{id}");
    }
}

/// sam itself gives a logical id where a stack has an ARN.
#[test]
fn sam_local_invoke_has_an_example_for_each_arn_that_only_a_stack_knows() {
    let read = |file: &str| std::fs::read_to_string(root().join(file)).unwrap();
    let file = "events/environment.json";
    assert!(
        read("samconfig.toml").contains(&format!("\nenv_vars = \"{file}\"\n")),
        "sam is not told of {file}"
    );
    let samples: Value = serde_json::from_str(&read(file)).unwrap();
    let samples: BTreeMap<String, String> =
        serde_json::from_value(samples["Parameters"].clone()).expect("strings by name, for all functions");
    // With it, a function with made-up ARNs asks nobody.
    let mut arns = BTreeSet::from(["AWS_ENDPOINT_URL".to_owned()]);
    let only_a_stack = |name: &str| name.ends_with("_ARN") || name == "GREENLIGHT_SERVICES";
    for (id, function) in Template::read().of_type(FUNCTION) {
        let mut given = function.environment();
        for (name, value) in given.iter_mut().filter(|(name, _)| only_a_stack(name)) {
            value.clone_from(samples.get(name).unwrap_or_else(|| panic!("{id}: no example of {name}")));
            arns.insert(name.clone());
        }
        let settings = match id {
            "WafLogsFunction" => waf_logs::settings::Settings::read(&given).map(drop),
            "ListenerRuleFunction" => Ok(()),
            _ => Settings::read(&given).map(drop),
        };
        settings.unwrap_or_else(|error| panic!("{id}: {error}"));
    }
    assert_eq!(samples.into_keys().collect::<BTreeSet<_>>(), arns, "an example that nobody is told");
}

#[test]
fn each_function_is_the_binary_of_a_crate_and_may_run_for_a_minute_at_most() {
    let template = Template::read();
    let functions = template.of_type(FUNCTION);
    assert!(!functions.is_empty());
    for (id, function) in functions {
        let properties = function.properties();
        let binary = text(&function.raw()["Metadata"]["BuildProperties"]["Binary"]);
        assert_eq!(properties["FunctionName"], json!(format!("{STACK}-{binary}")), "{id}");
        assert_eq!(function.raw()["Metadata"]["BuildMethod"], json!("rust-cargolambda"), "{id}");
        assert!(
            root().join("functions").join(binary).join("src/main.rs").exists(),
            "{id}: no binary {binary}"
        );
        assert_eq!(properties["Runtime"], json!("provided.al2023"), "{id}");
        assert_eq!(properties["Handler"], json!("bootstrap"), "{id}");
        assert!(properties["Timeout"].as_u64().unwrap() <= 60, "{id}");
        assert!(properties.get("ReservedConcurrentExecutions").is_none(), "{id}: throttles itself");
    }
}

#[test]
fn a_release_function_ends_when_the_code_believes_that_it_does() {
    for (id, function) in release_functions(Template::read()) {
        let seconds = function.properties()["Timeout"].as_u64().unwrap();
        assert_eq!(seconds, release::times::FUNCTION_TIMEOUT.as_secs(), "{id}");
    }
}

#[test]
fn what_a_function_fails_on_is_kept_in_a_queue_of_its_own() {
    let template = Template::read();
    let kept: BTreeMap<String, String> = template
        .of_type("AWS::Lambda::EventInvokeConfig")
        .into_values()
        .map(|config| {
            let properties = config.properties();
            let queue =
                text(&properties["DestinationConfig"]["OnFailure"]["Destination"]).replace(".Arn", "");
            assert_eq!(template.resource(&queue).kind(), "AWS::SQS::Queue");
            (text(&properties["FunctionName"]).to_owned(), queue)
        })
        .collect();
    // Its failure is a deployment's, and its event holds a secret.
    let mut functions: Vec<&str> = template.of_type(FUNCTION).into_keys().collect();
    functions.retain(|id| *id != "ListenerRuleFunction");
    assert_eq!(kept.keys().collect::<Vec<_>>(), functions);
    assert_eq!(kept.values().collect::<BTreeSet<_>>().len(), functions.len(), "two functions share a queue");
}

#[test]
fn the_logs_of_a_function_are_kept_for_a_limited_time() {
    let template = Template::read();
    for (id, function) in template.of_type(FUNCTION) {
        let properties = function.properties();
        let group = text(&function.raw()["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]);
        let group = template.resource(group).properties();
        assert_eq!(
            group["LogGroupName"],
            json!(format!("/aws/lambda/{}", text(&properties["FunctionName"]))),
            "{id}"
        );
        assert!(group["RetentionInDays"].is_u64(), "{id}");
    }
}

#[test]
fn uploads_under_releases_wake_the_upload_function() {
    let bucket = Template::read().resource("ArtifactBucket").properties();
    assert_eq!(
        bucket["NotificationConfiguration"]["LambdaConfigurations"],
        json!([{
            "Event": "s3:ObjectCreated:*",
            "Filter": { "S3Key": { "Rules": [{ "Name": "prefix", "Value": "releases/" }] } },
            "Function": "UploadFunction.Arn",
        }])
    );
}

#[test]
fn deployments_and_the_minute_wake_the_lifecycle_function() {
    let template = Template::read();
    let mut schedules = Vec::new();
    let mut patterns = Vec::new();
    for rule in template.of_type("AWS::Events::Rule").into_values() {
        let properties = rule.properties();
        if properties["Targets"][0]["Arn"] != template.resolve(&json!({ "Ref": "LifecycleOperatorsAlias" })) {
            continue;
        }
        schedules.extend(properties.get("ScheduleExpression").cloned());
        patterns.extend(properties.get("EventPattern").cloned());
    }
    assert_eq!(schedules, [json!("rate(1 minute)")]);
    let [pattern] = patterns.as_slice() else { panic!("one pattern was expected, not {patterns:?}") };
    assert_eq!(pattern["detail"]["application"], json!([STACK]));
    for sample in ["deployment-start", "deployment-success", "instance-failure"] {
        let path = root().join(format!("events/lifecycle/{sample}.json"));
        let event: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for field in ["source", "detail-type"] {
            assert!(texts(&pattern[field]).contains(&text(&event[field])), "{sample}: {field}");
        }
    }
}

#[test]
fn buckets_let_nobody_in_without_tls_and_those_that_we_write_keep_versions() {
    let template = Template::read();
    let policies: BTreeMap<String, Value> = template
        .of_type("AWS::S3::BucketPolicy")
        .into_values()
        .map(|policy| policy.properties())
        .map(|policy| (text(&policy["Bucket"]).to_owned(), policy["PolicyDocument"]["Statement"].clone()))
        .collect();
    for (id, bucket) in template.of_type("AWS::S3::Bucket") {
        let properties = bucket.properties();
        // AWS writes each log once, and nobody wants it back.
        if !["WafLogBucket", "AccessLogBucket"].contains(&id) {
            assert_eq!(properties["VersioningConfiguration"]["Status"], json!("Enabled"), "{id}");
        }
        let blocked = properties["PublicAccessBlockConfiguration"].as_object().unwrap();
        assert_eq!(blocked.values().filter(|value| **value == json!(true)).count(), 4, "{id}");
        let denial = policies[id].as_array().unwrap().iter().find(|statement| {
            statement["Effect"] == json!("Deny")
                && statement["Condition"]["Bool"]["aws:SecureTransport"] == json!(false)
        });
        assert!(denial.is_some(), "{id} lets plain HTTP in");
        // A bucket with an S3 event that a function or its role refers to is a circle.
        let name = &bucket.raw()["Properties"]["BucketName"];
        assert!(name["Fn::Sub"].is_string(), "{id} is not named by !Sub");
        assert_eq!(properties["BucketName"].as_str().unwrap().matches(ACCOUNT).count(), 1, "{id}");
    }
}

/// A 504 of nginx is a 5xx of its colour. One of the load balancer's own belongs to no target group, so no alarm of a
/// colour would see a version that hangs.
#[test]
fn nginx_gives_up_on_a_version_that_hangs_before_the_load_balancer_does() {
    let template = Template::read();
    let balancer = template.resource("LoadBalancer").properties();
    let attributes = balancer["LoadBalancerAttributes"].as_array().unwrap();
    let idle = attributes.iter().find(|own| own["Key"] == "idle_timeout.timeout_seconds").unwrap();
    let idle: u64 = text(&idle["Value"]).parse().unwrap();
    let nginx = include_str!("../../instance/nginx/nginx.conf");
    for setting in ["proxy_read_timeout", "proxy_send_timeout"] {
        let line = nginx.lines().find_map(|line| line.trim().strip_prefix(setting)).unwrap();
        let seconds: u64 = line.trim().strip_suffix("s;").unwrap().parse().unwrap();
        assert!(seconds < idle, "{setting}: {seconds} s, and the load balancer gives up after {idle} s");
    }
}
