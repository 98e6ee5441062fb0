//! What the template promises `waf-logs`: its settings, its events, the web ACL and the log bucket around it.

use crate::template::{ACCOUNT, REGION, STACK, Template, root, text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use waf_logs::settings::{Settings, VARIABLES};

const FUNCTION: &str = "WafLogsFunction";

#[test]
fn waf_logs_is_told_each_of_its_variables_and_none_of_a_release() {
    let given: BTreeSet<String> = Template::read().resource(FUNCTION).environment().into_keys().collect();
    assert_eq!(given, VARIABLES.iter().map(|variable| variable.name.to_owned()).collect());
}

#[test]
fn the_stack_and_the_functions_readme_have_the_defaults_of_the_code() {
    let given = Template::read().resource(FUNCTION).environment();
    let readme = std::fs::read_to_string(root().join("functions/waf-logs/README.md")).unwrap();
    for variable in VARIABLES {
        let row = readme.lines().find(|line| line.contains(&format!("`{}`", variable.name)));
        let row = row.unwrap_or_else(|| panic!("the README does not name {}", variable.name));
        if let Some(default) = variable.default.filter(|default| !default.is_empty()) {
            assert_eq!(given[variable.name], default, "{}", variable.name);
            assert!(row.ends_with(&format!("| `{default}` |")), "the README has another default: {row}");
        }
    }
}

#[test]
fn waf_logs_can_read_its_settings_and_they_name_what_the_stack_has() {
    let template = Template::read();
    let settings =
        Settings::read(&template.resource(FUNCTION).environment()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(json!(settings.state_bucket), template.resource("StateBucket").properties()["BucketName"]);
    assert_eq!(settings.sets.len(), 2, "nobody is challenged unless the stack is told to");
    let ids = [("BlockedIpv4Set", "IPV4"), ("BlockedIpv6Set", "IPV6")];
    for (set, (id, family)) in settings.sets.values().zip(ids) {
        let properties = template.resource(id).properties();
        assert_eq!(json!(set.name), properties["Name"]);
        assert_eq!(properties["IPAddressVersion"], json!(family));
        assert_eq!((set.is_global, &properties["Scope"]), (false, &json!("REGIONAL")));
    }
}

#[test]
fn an_update_of_the_stack_has_no_address_of_its_own_to_write() {
    for (id, set) in Template::read().of_type("AWS::WAFv2::IPSet") {
        let properties = set.properties();
        assert_eq!(properties["Addresses"], json!([]), "{id}");
        // What is not there cannot change, and so is no reason to write the set.
        let known = BTreeSet::from(["Addresses", "IPAddressVersion", "Name", "Scope"]);
        let given: BTreeSet<&str> = properties.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(given, known, "{id}");
    }
}

#[test]
fn logs_reach_the_function_through_a_queue_that_waits_long_enough_and_gives_up() {
    let template = Template::read();
    let mut arns = Vec::new();
    for id in ["WafLogBucket", "AccessLogBucket"] {
        let bucket = template.resource(id).properties();
        assert_eq!(
            bucket["NotificationConfiguration"],
            json!({ "QueueConfigurations": [{ "Event": "s3:ObjectCreated:*", "Queue": "WafLogQueue.Arn" }] })
        );
        arns.push(format!("arn:aws:s3:::{}", text(&bucket["BucketName"])));
    }
    let policy = template.resource("WafLogQueuePolicy").properties();
    let condition = &policy["PolicyDocument"]["Statement"][0]["Condition"];
    assert_eq!(condition["ArnLike"]["aws:SourceArn"], json!(arns));

    let mappings = template.of_type("AWS::Lambda::EventSourceMapping");
    let [mapping] = mappings.into_values().collect::<Vec<_>>()[..] else { panic!("one was expected") };
    let mapping = mapping.properties();
    assert_eq!(mapping["EventSourceArn"], json!("WafLogQueue.Arn"));
    assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert!(mapping["ScalingConfig"]["MaximumConcurrency"].as_u64().unwrap() < 10, "a new account has 10");

    let queue = template.resource("WafLogQueue").properties();
    let timeout = template.resource(FUNCTION).properties()["Timeout"].as_u64().unwrap();
    assert!(queue["VisibilityTimeout"].as_u64().unwrap() >= 6 * timeout);
    assert_eq!(queue["RedrivePolicy"]["deadLetterTargetArn"], json!("WafLogsFailures.Arn"));
    assert!(queue["RedrivePolicy"]["maxReceiveCount"].as_u64().unwrap() >= 5);
}

#[test]
fn a_pass_runs_each_minute_and_has_ended_before_the_next() {
    let template = Template::read();
    let rules = template.of_type("AWS::Events::Rule").into_values().map(|rule| rule.properties());
    let mine: Vec<Value> =
        rules.filter(|rule| rule["Targets"][0]["Arn"] == json!("WafLogsFunction.Arn")).collect();
    let [rule] = mine.as_slice() else { panic!("one schedule was expected, not {mine:?}") };
    assert_eq!(rule["ScheduleExpression"], json!("rate(1 minute)"));
    assert!(template.resource(FUNCTION).properties()["Timeout"].as_u64().unwrap() < 60);
}

#[test]
fn cloudwatch_logs_may_send_the_logs_of_a_web_acl_of_this_account() {
    let permission = Template::read().resource("WafLogsFunctionPermission").properties();
    assert_eq!(permission["Principal"], json!("logs.amazonaws.com"));
    assert_eq!(permission["SourceAccount"], json!(ACCOUNT));
    let groups = format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:aws-waf-logs-*:*");
    assert_eq!(permission["SourceArn"], json!(groups));
}

#[test]
fn the_web_acl_refuses_both_sets_first_in_the_rule_that_the_function_knows() {
    let template = Template::read();
    let acl = template.resource("WebAcl").properties();
    let rules = acl["Rules"].as_array().unwrap();
    let first = rules.iter().min_by_key(|rule| rule["Priority"].as_u64().unwrap()).unwrap();
    assert_eq!(text(&first["Name"]), template.resource(FUNCTION).environment()["GREENLIGHT_WAF_RULE"]);
    assert_eq!(first["Action"], json!({ "Block": {} }));
    let sets: BTreeSet<&str> = first["Statement"]["OrStatement"]["Statements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|statement| text(&statement["IPSetReferenceStatement"]["Arn"]))
        .collect();
    let given = template.resource(FUNCTION).environment();
    let told = ["GREENLIGHT_WAF_IPV4_SET_ARN", "GREENLIGHT_WAF_IPV6_SET_ARN"];
    assert_eq!(sets, told.iter().map(|name| given[*name].as_str()).collect());

    let association = template.resource("WebAclAssociation").properties();
    assert_eq!(association, json!({ "ResourceArn": "LoadBalancer", "WebACLArn": "WebAcl.Arn" }));
}

#[test]
fn waf_delivers_into_the_bucket_that_the_function_reads_and_forgets_in_time() {
    let template = Template::read();
    let name = format!("aws-waf-logs-{STACK}-{ACCOUNT}-{REGION}");
    let bucket = template.resource("WafLogBucket").properties();
    assert_eq!(bucket["BucketName"], json!(name));
    assert!(bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"].is_u64());
    let logging = template.resource("WebAclLogging");
    assert_eq!(logging.raw()["DependsOn"], json!("WafLogBucketPolicy"));
    assert_eq!(logging.properties()["LogDestinationConfigs"], json!(["WafLogBucket.Arn"]));
    let secret = ["authorization", "cookie", "x-greenlight-preview"];
    let redacted = secret.map(|name| json!({ "SingleHeader": { "Name": name } }));
    assert_eq!(logging.properties()["RedactedFields"], json!(redacted));

    let policy = template.resource("WafLogBucketPolicy").properties();
    let statements = policy["PolicyDocument"]["Statement"].as_array().unwrap();
    let delivery: BTreeMap<&str, &Value> = statements
        .iter()
        .filter(|statement| statement["Principal"]["Service"] == json!("delivery.logs.amazonaws.com"))
        .map(|statement| (text(&statement["Action"]), &statement["Condition"]))
        .collect();
    assert_eq!(delivery.keys().copied().collect::<Vec<_>>(), ["s3:GetBucketAcl", "s3:PutObject"]);
    for condition in delivery.values() {
        assert_eq!(condition["StringEquals"]["aws:SourceAccount"], json!(ACCOUNT));
    }
}

#[test]
fn partial_results_and_windows_are_gone_after_two_days() {
    let bucket = Template::read().resource("StateBucket").properties();
    let rules = bucket["LifecycleConfiguration"]["Rules"].as_array().unwrap();
    for prefix in [waf_logs::keys::PARTIALS, waf_logs::keys::WINDOWS] {
        let rule = rules.iter().find(|rule| rule["Prefix"] == json!(prefix));
        let rule = rule.unwrap_or_else(|| panic!("{prefix} is kept for ever"));
        assert_eq!(rule["ExpirationInDays"], json!(2), "{prefix}");
        assert_eq!(rule["NoncurrentVersionExpiration"]["NoncurrentDays"], json!(1), "{prefix}");
    }
}

/// What a value of the template is where this condition holds, or does not.
fn where_it(holds: bool, condition: &str, value: &Value) -> Value {
    match value {
        Value::Object(members) => match members.get("Fn::If").and_then(Value::as_array).map(Vec::as_slice) {
            Some([found, then, otherwise]) if found == condition => {
                where_it(holds, condition, if holds { then } else { otherwise })
            }
            _ => members
                .iter()
                .map(|(name, member)| (name.clone(), where_it(holds, condition, member)))
                .collect(),
        },
        Value::Array(items) => items.iter().map(|item| where_it(holds, condition, item)).collect(),
        other => other.clone(),
    }
}

#[test]
fn a_web_acl_that_challenges_does_so_with_sets_of_its_own_where_browsers_log_in() {
    let template = Template::read();
    let whole = |id: &str| where_it(true, "ManagedRules", template.resource(id).raw());
    let of = |id: &str| where_it(true, "Challenges", &whole(id));
    let acl = of("WebAcl");
    let rules = acl["Properties"]["Rules"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["Action"] == json!({ "Challenge": {} })).unwrap();
    let priorities: BTreeSet<u64> = rules.iter().map(|rule| rule["Priority"].as_u64().unwrap()).collect();
    assert_eq!(priorities.len(), rules.len());
    let set = |family: &str| json!({ "Fn::GetAtt": [format!("Challenged{family}Set"), "Arn"] });
    let written = rule["Statement"].to_string();
    let function = of(FUNCTION)["Properties"].clone();
    for (family, variable) in [("Ipv4", "IPV4"), ("Ipv6", "IPV6")] {
        assert!(written.contains(&set(family).to_string()), "{written}");
        let variable = format!("GREENLIGHT_WAF_CHALLENGED_{variable}_SET_ARN");
        assert_eq!(function["Environment"]["Variables"][&variable], set(family));
    }

    // Wherever browsers log in, and nowhere that programs get a token from.
    let paths = rule
        .pointer("/Statement/AndStatement/Statements/1/OrStatement/Statements/1/AndStatement/Statements/1");
    let pattern = text(&paths.unwrap()["RegexMatchStatement"]["RegexString"]);
    let pattern = regex_lite::Regex::new(pattern).unwrap();
    let credentials = offenders::configuration::Credentials::default();
    for path in credentials.paths.iter().chain(credentials.refused_at.keys()) {
        let is_for_programs = path.ends_with("/token") || path.ends_with("/xmlrpc.php");
        let path = path.replace('*', "/shop");
        assert_eq!(pattern.is_match(&path), !is_for_programs, "{path}");
        assert_eq!(pattern.is_match(&format!("{path}/")), !is_for_programs, "{path}/");
    }
    assert!(!["/", "/blog/login-help", "/oauth/token", "/logins"].iter().any(|path| pattern.is_match(path)));
}

#[test]
fn without_a_firewall_nothing_of_it_is_there_and_nothing_else_is_missing() {
    let template = Template::read();
    let firewall: BTreeSet<&str> = template
        .resources()
        .filter(|(_, r)| r.raw()["Condition"] == json!("Firewall"))
        .map(|(id, _)| id)
        .collect();
    for (id, resource) in template.resources().filter(|(id, _)| !firewall.contains(id)) {
        let written = where_it(false, "Firewall", resource.raw()).to_string();
        for part in &firewall {
            assert!(!written.contains(&format!("\"{part}\"")), "{id} needs {part}");
        }
    }
}

/// A bucket that a condition makes would be left behind when it goes, and its name be taken when it is wanted again: in
/// the middle of an attack.
#[test]
fn a_firewall_can_be_switched_off_and_on_again() {
    for mode in ["block", "none"] {
        let template = Template::with("template.yaml", &[("WafMode", mode)]);
        for id in ["WafLogBucket", "AccessLogBucket"] {
            let bucket = template.resource(id);
            assert!(bucket.raw().get("Condition").is_none(), "{id}");
            assert!(bucket.properties()["BucketName"].is_string(), "{id}");
        }
    }
}

#[test]
fn the_load_balancer_says_what_was_answered_into_a_bucket_that_takes_it_and_forgets_in_time() {
    let template = Template::read();
    let load_balancer = template.resource("LoadBalancer");
    let attributes = load_balancer.properties()["LoadBalancerAttributes"].clone();
    let value = |key: &str| {
        let mut attributes = attributes.as_array().unwrap().iter();
        attributes
            .find(|attribute| attribute["Key"] == json!(key))
            .map(|attribute| attribute["Value"].clone())
    };
    assert_eq!(value("access_logs.s3.enabled"), Some(json!("true")));
    let bucket = template.resource("AccessLogBucket").properties();
    assert_eq!(value("access_logs.s3.bucket"), Some(bucket["BucketName"].clone()));
    assert_eq!(load_balancer.raw()["DependsOn"], json!("AccessLogBucketPolicy"));
    assert!(bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"].is_u64());
    // Elastic Load Balancing writes with no other kind of encryption.
    let encryption = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
    assert_eq!(encryption["ServerSideEncryptionByDefault"], json!({ "SSEAlgorithm": "AES256" }));

    let policy = template.resource("AccessLogBucketPolicy").properties();
    let statements = policy["PolicyDocument"]["Statement"].as_array().unwrap();
    let delivery = statements.iter().find(|statement| {
        statement["Principal"]["Service"] == json!("logdelivery.elasticloadbalancing.amazonaws.com")
    });
    let delivery = delivery.unwrap();
    assert_eq!(delivery["Action"], json!("s3:PutObject"));
    let of_this_account = format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/*");
    assert_eq!(delivery["Condition"]["ArnLike"]["aws:SourceArn"], json!(of_this_account));
}
