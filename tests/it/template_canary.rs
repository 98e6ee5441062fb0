//! A bad Greenlight goes back by itself: versions, aliases, and the deployments that move them.

use crate::template::{ACCOUNT, REGION, STACK, Template, root, text, texts};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Of a function's properties, those that a version does not keep: its code, for which sam makes another version itself, its
/// name and its role, which stay, and what is no configuration.
const NOT_KEPT: [&str; 4] = ["Code", "FunctionName", "Role", "Tags"];

/// Of the resource that writes the configuration down, those that are no configuration.
const OF_THE_RESOURCE: [&str; 2] = ["ServiceToken", "ServiceTimeout"];

fn without(value: &Value, names: &[&str]) -> Map<String, Value> {
    let members = value.as_object().unwrap().iter();
    let kept = members.filter(|(name, _)| !names.contains(&name.as_str()));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The text that a version of lifecycle depends on, as the function makes it for CloudFormation.
fn digest(given: &[(&str, &str)]) -> String {
    let template = Template::with("template.yaml", given);
    listener_rule::configuration::digest(&template.resource("LifecycleConfiguration").properties())
}

fn version(template: &Template) -> (String, Value) {
    let mut versions = template.of_type("AWS::Lambda::Version").into_iter();
    let (Some((id, version)), None) = (versions.next(), versions.next()) else {
        panic!("one version was expected");
    };
    (id.to_owned(), version.raw().clone())
}

#[test]
fn hooks_and_operators_name_a_published_version_and_its_number() {
    let template = Template::read();
    let (version, _) = version(template);
    let mut named = BTreeMap::new();
    for (id, alias) in template.of_type("AWS::Lambda::Alias") {
        let alias = alias.properties();
        assert_eq!(alias["FunctionName"], json!("LifecycleFunction"), "{id}");
        assert_eq!(alias["FunctionVersion"], json!(format!("{version}.Version")), "{id}");
        named.insert(text(&alias["Name"]).to_owned(), id);
    }
    // sam makes no version without an alias of its own. No role may invoke it.
    assert_eq!(named.keys().collect::<Vec<_>>(), ["hooks", "operators", "published"]);
    let own = named["published"];
    for (id, resource) in template.all().flat_map(Template::resources) {
        let raw = resource.raw().to_string();
        assert!(!raw.contains(own) && !raw.contains(":published"), "{id} refers to {own}");
    }
}

/// Lambda refuses to publish a version that is like the last, so the text must be another exactly when the function is.
#[test]
fn what_a_version_depends_on_is_what_the_function_is_configured_with_and_nothing_else() {
    for given in [&[][..], &[("Gate", "shop-gate"), ("Strategy", "AllAtOnce")]] {
        let template = Template::with("template.yaml", given);
        let function = without(&template.resource("LifecycleFunction").properties(), &NOT_KEPT);
        let written = without(&template.resource("LifecycleConfiguration").properties(), &OF_THE_RESOURCE);
        assert_eq!(function, written);
    }
    let (_, version) = version(Template::read());
    let description = json!({ "Fn::Sub": "configuration ${LifecycleConfiguration.Digest}" });
    assert_eq!(version["Properties"]["Description"], description);
}

#[test]
fn another_setting_host_or_service_is_another_version_and_the_same_is_the_same() {
    let before = digest(&[]);
    assert_eq!(digest(&[]), before);
    let mut known = BTreeSet::from([before.clone()]);
    for given in [("Strategy", "AllAtOnce"), ("Bake", "7m"), ("Gate", "shop-gate"), ("InstanceDiskGiB", "33")]
    {
        assert!(known.insert(digest(&[given])), "{given:?} makes no other version");
    }
    assert_ne!(digest(&[("Architecture", "x86_64")]), digest(&[("Architecture", "arm64")]));
    // What the function is not told is no reason for a canary.
    for given in [("FunctionCanary", "none"), ("MaxInstances", "9"), ("NotificationEmail", "ops@example.com")]
    {
        assert_eq!(digest(&[given]), before, "{given:?} makes another version of the same function");
    }
}

/// What the digest is made of comes from base rules, target groups and alarms too, when a host or a service changes them.
#[test]
fn a_service_whose_rule_is_another_makes_another_version() {
    let template = Template::read();
    let properties = template.resource("LifecycleConfiguration").properties();
    let services = text(&properties["Environment"]["Variables"]["GREENLIGHT_SERVICES"]);
    let mut changed = properties.clone();
    changed["Environment"]["Variables"]["GREENLIGHT_SERVICES"] =
        json!(services.replacen("backend", "search", 1));
    let digest = listener_rule::configuration::digest;
    assert_ne!(digest(&changed), digest(&properties));
}

/// sam names the version after the code; the local paths become addresses that hold the code's own digest when it is uploaded.
#[test]
fn other_code_is_another_version() {
    let script = "import sys; sys.path.insert(0, 'local/cloud/emulator'); import transform\n\
        def version(key):\n    transform.binary_of = lambda function, name: key + name\n    \
        return [name for name, one in transform.transform('template.yaml')['Resources'].items() if one['Type'] == 'AWS::Lambda::Version']\n\
        print(*version('one'), *version('two'), *version('one'))";
    let mut python = Command::new(root().join(".venv/bin/python"));
    let output = python.args(["-c", script]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let [one, two, again] = said.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{said}") };
    assert_eq!(one, again);
    assert_ne!(one, two);
}

/// One that was kept from an update that was rolled back would be the last version, and the same update would publish none
/// the next time, which CloudFormation takes for a failure.
#[test]
fn no_version_is_left_over_from_an_update_that_was_rolled_back_or_from_a_stack_that_is_gone() {
    let (id, version) = version(Template::read());
    assert_eq!(version["DeletionPolicy"], json!("Delete"), "{id}");
    assert!(version.get("UpdateReplacePolicy").is_none_or(|policy| policy == "Delete"), "{id}");
}

#[test]
fn each_alias_moves_by_a_deployment_of_its_own_after_the_new_version_was_asked() {
    let template = Template::read();
    let mut groups = BTreeSet::new();
    for id in ["LifecycleHooksAlias", "LifecycleOperatorsAlias"] {
        let policy = template.resource(id).update_policy()["CodeDeployLambdaAliasUpdate"].clone();
        assert_eq!(policy["ApplicationName"], json!(format!("{STACK}.functions")), "{id}");
        // By its name alone, which is `$LATEST`: what the new version was published from a moment ago.
        assert_eq!(policy["BeforeAllowTrafficHook"], json!("LifecycleFunction"), "{id}");
        groups.insert(text(&policy["DeploymentGroupName"]).to_owned());
    }
    assert_eq!(
        groups.len(),
        2,
        "a group has one deployment at a time, and both aliases move at once: {groups:?}"
    );
    for (id, group) in template.of_type("AWS::CodeDeploy::DeploymentGroup") {
        let group = group.properties();
        assert!(groups.remove(text(&group["DeploymentGroupName"])), "{id}");
        assert_eq!(group["ApplicationName"], json!(format!("{STACK}.functions")), "{id}");
        assert_eq!(
            group["DeploymentConfigName"],
            json!("CodeDeployDefault.LambdaLinear10PercentEvery2Minutes")
        );
        let style = json!({ "DeploymentType": "BLUE_GREEN", "DeploymentOption": "WITH_TRAFFIC_CONTROL" });
        assert_eq!(group["DeploymentStyle"], style, "{id}");
        let goes_back = &group["AutoRollbackConfiguration"];
        assert_eq!(goes_back["Enabled"], json!(true), "{id}");
        for event in ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"] {
            assert!(texts(&goes_back["Events"]).contains(&event), "{id}: {event}");
        }
        let watch = template.nested("Watch").resource("LifecycleErrors").properties();
        let alarms = json!({ "Enabled": true, "Alarms": [{ "Name": watch["AlarmName"] }] });
        assert_eq!(group["AlarmConfiguration"], alarms, "{id}");
    }
    let application = template.resource("FunctionsApplication").properties();
    assert_eq!(application["ComputePlatform"], json!("Lambda"));
}

/// The first update of a stack whose aliases stand at `$LATEST`, from which CodeDeploy moves nothing, and one that mends what
/// the alarm fires for, which CodeDeploy would refuse.
#[test]
fn without_a_canary_the_aliases_move_at_once_and_nothing_of_codedeploy_is_made() {
    let template = Template::with("template.yaml", &[("FunctionCanary", "none")]);
    for id in ["LifecycleHooksAlias", "LifecycleOperatorsAlias"] {
        assert_eq!(template.resource(id).update_policy(), json!({}), "{id}");
    }
    assert!(template.of_type("AWS::CodeDeploy::DeploymentGroup").is_empty());
    assert_eq!(template.of_type("AWS::CodeDeploy::Application").len(), 1, "the services' own");
}

#[test]
fn codedeploy_may_move_lifecycles_aliases_ask_lifecycle_and_see_alarms_and_no_more() {
    let template = Template::read();
    let role = template.resource("FunctionsDeploymentRole").properties();
    assert!(role.get("ManagedPolicyArns").is_none(), "AWS's own may move every alias");
    let [policy] = &role["Policies"].as_array().unwrap()[..] else { panic!("{role}") };
    let statements = policy["PolicyDocument"]["Statement"].as_array().unwrap();
    let allowed: BTreeMap<&str, Vec<&str>> = statements
        .iter()
        .flat_map(|own| texts(&own["Action"]).into_iter().map(|action| (action, texts(&own["Resource"]))))
        .collect();
    let function = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-lifecycle");
    let (every, latest) = (format!("{function}:*"), format!("{function}:$LATEST"));
    let moved = vec![function.as_str(), every.as_str()];
    let expected = BTreeMap::from([
        ("cloudwatch:DescribeAlarms", vec!["*"]),
        ("lambda:GetAlias", moved.clone()),
        ("lambda:GetProvisionedConcurrencyConfig", moved.clone()),
        ("lambda:InvokeFunction", vec![function.as_str(), latest.as_str()]),
        ("lambda:UpdateAlias", moved),
    ]);
    assert_eq!(allowed, expected);
}

/// Lambda has failure queues and permissions for each alias apart. By an alias a new version gets its share of the ticks.
#[test]
fn events_come_by_the_operators_alias_which_has_the_permission_and_the_failure_queue() {
    let template = Template::read();
    let alias = template.resolve(&json!({ "Ref": "LifecycleOperatorsAlias" }));
    for id in ["LifecycleFunctionTick", "LifecycleFunctionDeployment"] {
        assert_eq!(template.resource(id).properties()["Targets"][0]["Arn"], alias, "{id}");
        let permission = template.resource(&format!("{id}Permission")).properties();
        assert_eq!(permission["FunctionName"], alias, "{id}");
        assert_eq!(permission["SourceArn"], json!(format!("{id}.Arn")), "{id}");
    }
    let drill = "LifecycleFunctionDrill";
    assert!(!template.of_type("AWS::Events::Rule").contains_key(drill), "none by default");
    let drills = Template::with("template.yaml", &[("DrillSchedule", "cron(0 9 ? * MON#1 *)")]);
    let (rule, permission) = (drills.resource(drill), drills.resource(&format!("{drill}Permission")));
    assert_eq!(rule.properties()["Targets"][0]["Arn"], alias);
    assert_eq!(permission.properties()["FunctionName"], alias);
    assert_eq!(permission.properties()["SourceArn"], json!(format!("{drill}.Arn")));
    let sample = std::fs::read(root().join("events/lifecycle/command-drill-of-all.json")).unwrap();
    let input: Value =
        serde_json::from_str(rule.properties()["Targets"][0]["Input"].as_str().unwrap()).unwrap();
    assert_eq!(input, serde_json::from_slice::<Value>(&sample).unwrap());
    for (id, configured) in template.of_type("AWS::Lambda::EventInvokeConfig") {
        let properties = configured.properties();
        let is_lifecycles = properties["FunctionName"] == json!("LifecycleFunction");
        let qualifier = if is_lifecycles { "operators" } else { "$LATEST" };
        assert_eq!(properties["Qualifier"], json!(qualifier), "{id}");
    }
}

/// They share the code and the settings that the canary tries.
#[test]
fn upload_and_alarm_get_the_new_code_only_after_lifecycles_canary() {
    for id in ["UploadFunction", "AlarmFunction"] {
        let function = Template::read().resource(id);
        let after = texts(&function.raw()["DependsOn"]);
        assert_eq!(after, ["LifecycleHooksAlias", "LifecycleOperatorsAlias"], "{id}");
    }
}
