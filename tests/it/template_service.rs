//! What a service is made of: infra/service.yaml, as template.yaml nests it.

use crate::template::{ACCOUNT, REGION, Resource, SERVICES, STACK, Template, root, text};
use greenlight::settings::VARIABLES;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const COLOURS: [(&str, &str, u64); 2] = [("blue", "Blue", 8080), ("green", "Green", 8081)];

/// The services, each with its stack.
fn services() -> impl Iterator<Item = (&'static str, &'static Template)> {
    SERVICES.into_iter().map(|(service, id)| (service, Template::read().nested(id)))
}

fn reference(template: &Template, id: &str) -> Value {
    template.resolve(&json!({ "Ref": id }))
}

#[test]
fn a_service_is_described_once_and_told_only_what_is_its_own() {
    let template = Template::read();
    let told = |id: &str| template.resource(id).properties();
    let [first, second] = SERVICES.map(|(_, id)| told(id));
    assert_eq!(first["TemplateURL"], second["TemplateURL"]);
    let given = |properties: &Value| properties["Parameters"].as_object().unwrap().clone();
    let (first, second) = (given(&first), given(&second));
    let differ: BTreeSet<&str> = first
        .iter()
        .filter(|(name, value)| second[*name] != **value)
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(differ, BTreeSet::from(["ContainersReachRole", "Hosts", "Priority", "Service"]));
}

/// The code blocks in YAML of CONTRIBUTING.md's section on a further service.
fn what_adds_a_service() -> Vec<String> {
    let page = std::fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let (_, section) = page.split_once("\n## Add a service\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let blocks = section.split("```yaml\n").skip(1);
    blocks.map(|block| block.split_once("```").unwrap().0.to_owned()).collect()
}

/// `template.yaml` with a third service, as the page says.
fn with_a_third_service(given: &[(&str, &str)]) -> Template {
    let blocks = what_adds_a_service();
    let [service, line] = &blocks[..] else { panic!("two blocks were expected, not {blocks:?}") };
    let known = "              - !GetAtt Backend.Outputs.Settings\n";
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    assert!(template.contains(known) && template.contains("\nOutputs:\n"));
    let template = template.replace("\nOutputs:\n", &format!("\n{service}\nOutputs:\n"));
    let template = template.replace(known, &format!("{known}{line}"));
    let file = root().join(format!("target/three-services-{}.yaml", std::process::id()));
    std::fs::write(&file, template).unwrap();
    let read = Template::with(file.to_str().unwrap(), given);
    std::fs::remove_file(file).unwrap();
    read
}

#[test]
fn a_third_service_is_ten_lines_and_gets_records_and_nothing_of_the_others() {
    let lines: usize = what_adds_a_service().iter().map(|block| block.lines().count()).sum();
    assert!(lines <= 10, "{lines} lines");
    let right = "arn:aws:iam::123456789012:policy/read-a-secret";
    let given = [("FrontendPolicyArns", right), ("HostedZoneId", "Z1")];
    let template = with_a_third_service(&given);
    let handed = |id: &str, name: &str| template.resource(id).properties()["Parameters"][name].clone();
    assert_eq!(handed("Frontend", "PolicyArns"), json!(right));
    assert_eq!(handed("Search", "PolicyArns"), json!(""), "it has the rights of another service");
    for name in ["Service", "Hosts", "Priority"] {
        assert_ne!(handed("Search", name), handed("Frontend", name), "{name}");
    }
    assert_eq!(records(template.nested("Search")), ["search.example.com"]);
    let known = crate::template_names::settings(&template);
    let names: Vec<String> = known.services.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["backend", "frontend", "search"]);
}

/// The host names that a service's records lead from.
fn records(own: &Template) -> Vec<String> {
    let mut names = Vec::new();
    for group in own.of_type("AWS::Route53::RecordSetGroup").into_values() {
        for record in group.properties()["RecordSets"].as_array().unwrap() {
            assert_eq!(record["AliasTarget"]["DNSName"], json!("LoadBalancer.DNSName"));
            names.push(text(&record["Name"]).to_owned());
        }
    }
    names
}

#[test]
fn a_record_leads_from_each_of_up_to_five_hosts_when_there_is_a_zone() {
    for hosts in ["a.test", "a.test,b.test", "a.test,b.test,c.test,d.test,e.test"] {
        let given = [("BackendHost", hosts), ("HostedZoneId", "Z1")];
        let template = Template::with("template.yaml", &given);
        assert_eq!(records(template.nested("Backend")).join(","), hosts);
        let template = Template::with("template.yaml", &given[..1]);
        assert!(records(template.nested("Backend")).is_empty());
    }
}

#[test]
fn base_rules_name_both_colours_and_leave_the_priorities_before_them_free() {
    let template = Template::read();
    let mut priorities = BTreeSet::new();
    for (service, own) in services() {
        let rule = own.resource("Rule");
        let wanted = described(&rule).unwrap_or_else(|failure| panic!("{service}: {failure}")).wanted;
        assert_eq!(wanted.check(), Ok(()), "{service}");
        assert_eq!(wanted.service.as_str(), service);
        assert!(priorities.insert(wanted.priority), "{service}: priority {} is taken", wanted.priority);
        assert_eq!(json!(wanted.listener), reference(template, "Listener"), "{service}");
        let groups = COLOURS.map(|(_, colour, _)| reference(own, &format!("{colour}TargetGroup")));
        assert_eq!(json!([wanted.groups.blue, wanted.groups.green]), json!(groups), "{service}");
        assert_eq!(own.of_type("Custom::ListenerRule").len(), 1, "a rule of no service");
        for template in [template, own] {
            let owned_weights = template.of_type("AWS::ElasticLoadBalancingV2::ListenerRule");
            assert!(owned_weights.is_empty(), "a stack update would write weights of its own");
        }
    }
    for priority in &priorities {
        for reserved in [priority - 1, priority - 2] {
            assert!(!priorities.contains(&reserved), "{reserved} belongs to a release or its preview");
        }
    }
}

/// What the function reads of a base rule's properties.
fn described(rule: &Resource<'_>) -> Result<listener_rule::event::Described, greenlight::failure::Failure> {
    let request = json!({
        "RequestType": "Create", "ResponseURL": "", "StackId": "", "RequestId": "", "LogicalResourceId": "",
        "ResourceProperties": rule.properties(),
    });
    listener_rule::event::read(request)?.described()
}

/// A service's stack cannot see what else is there, so order is made by what it is told.
#[test]
fn a_base_rule_is_made_by_the_stacks_function_when_the_ledgers_bucket_is_there() {
    let template = Template::read();
    for (service, id) in SERVICES {
        let given = template.resource(id).raw()["Properties"]["Parameters"].clone();
        assert_eq!(given["StateBucket"], json!({ "Ref": "StateBucket" }), "{service}");
        let function = json!({ "Fn::GetAtt": ["ListenerRuleFunction", "Arn"] });
        assert_eq!(given["ListenerRuleFunctionArn"], function, "{service}");
        let rule = template.nested(id).resource("Rule").raw()["Properties"].clone();
        assert_eq!(rule["StateBucket"], json!({ "Ref": "StateBucket" }), "{service}");
        assert_eq!(rule["ServiceToken"], json!({ "Ref": "ListenerRuleFunctionArn" }), "{service}");
    }
}

#[test]
fn a_base_rule_is_told_every_parameter_of_the_release_policy_before_a_function_works_by_it() {
    let template = Template::read();
    let function = template.resource("LifecycleFunction");
    let environment = &function.raw()["Properties"]["Environment"]["Variables"];
    let is_policy = |variable: &&greenlight::settings::Variable| {
        environment[variable.name] == json!({ "Ref": listener_rule::policy::parameter(variable) })
            && template.parameters().any(|(name, _)| name == listener_rule::policy::parameter(variable))
    };
    let expected: BTreeSet<String> =
        VARIABLES.iter().filter(is_policy).map(listener_rule::policy::parameter).collect();
    assert!(expected.len() >= 11, "only {expected:?}: does this test still know a parameter?");
    for (service, id) in SERVICES {
        let given = template.resource(id).raw()["Properties"]["Parameters"].clone();
        let rule = template.nested(id).resource("Rule");
        let policy = described(&rule).unwrap().policy;
        assert_eq!(listener_rule::policy::faults(&policy), None, "{service}");
        assert_eq!(policy.into_keys().collect::<BTreeSet<_>>(), expected, "{service}");
        let passed = rule.raw()["Properties"]["Policy"].clone();
        for name in &expected {
            assert_eq!(passed[name], json!({ "Ref": name }), "{service}");
            assert_eq!(given[name], json!({ "Ref": name }), "{service}");
        }
    }
}

#[test]
fn the_listener_rule_function_has_the_time_that_it_believes() {
    let seconds = Template::read().resource("ListenerRuleFunction").properties()["Timeout"].as_u64().unwrap();
    assert_eq!(seconds, listener_rule::handler::FUNCTION_TIMEOUT.as_secs());
}

#[test]
fn target_groups_check_health_fast_on_the_port_of_their_colour() {
    let own = Template::read().nested("Frontend");
    for (_, colour, port) in COLOURS {
        let id = format!("{colour}TargetGroup");
        let group = own.resource(&id).properties();
        assert_eq!(group["Port"], json!(port), "{id}");
        assert_eq!(group["TargetType"], json!("instance"), "{id}");
        assert_eq!(group["HealthCheckPath"], json!("/healthz"), "{id}");
        let thresholds = ["HealthCheckIntervalSeconds", "HealthCheckTimeoutSeconds", "HealthyThresholdCount"];
        assert_eq!(thresholds.map(|key| group[key].as_u64().unwrap()), [5, 2, 2], "{id}");
        assert_eq!(group["UnhealthyThresholdCount"], json!(2), "{id}");
    }
}

#[test]
fn instances_belong_to_both_colours_and_are_not_replaced_for_an_idle_one() {
    for (service, own) in services() {
        let group = own.resource("AutoScalingGroup").properties();
        assert_eq!(group["HealthCheckType"], json!("EC2"), "{service}");
        let groups = COLOURS.map(|(_, colour, _)| reference(own, &format!("{colour}TargetGroup")));
        assert_eq!(group["TargetGroupARNs"], json!(groups), "{service}");
    }
}

#[test]
fn a_replacement_starts_before_the_instance_ends_and_scaling_looks_at_no_weight() {
    let own = Template::read().nested("Frontend");
    let group = own.resource("AutoScalingGroup").properties();
    let policy = json!({ "MinHealthyPercentage": 100, "MaxHealthyPercentage": 150 });
    assert_eq!(group["InstanceMaintenancePolicy"], policy);
    let [scaling] = own.of_type("AWS::AutoScaling::ScalingPolicy").into_values().collect::<Vec<_>>()[..]
    else {
        panic!("one scaling policy was expected")
    };
    let scaling = scaling.properties();
    assert_eq!(scaling["AutoScalingGroupName"], reference(own, "AutoScalingGroup"));
    let metric = &scaling["TargetTrackingConfiguration"]["PredefinedMetricSpecification"];
    assert_eq!(metric, &json!({ "PredefinedMetricType": "ASGAverageCPUUtilization" }));
}

#[test]
fn codedeploy_neither_moves_traffic_nor_goes_back_by_itself() {
    for (service, own) in services() {
        let group = own.resource("DeploymentGroup").properties();
        assert!(
            group.get("LoadBalancerInfo").is_none(),
            "{service}: would take instances out of both colours"
        );
        assert_eq!(
            group["DeploymentStyle"]["DeploymentOption"],
            json!("WITHOUT_TRAFFIC_CONTROL"),
            "{service}"
        );
        assert_eq!(group["AutoRollbackConfiguration"], json!({ "Enabled": false }), "{service}");
        assert_eq!(group["AlarmConfiguration"], json!({ "Enabled": false }), "{service}");
        assert_eq!(group["DeploymentConfigName"], json!("CodeDeployDefault.AllAtOnce"), "{service}");
        assert_eq!(group["AutoScalingGroups"], json!([reference(own, "AutoScalingGroup")]), "{service}");
    }
}

/// The functions build these names themselves.
#[test]
fn what_the_functions_name_has_the_name_that_they_build() {
    let known = crate::template_names::settings(Template::read());
    for (service, own) in services() {
        let of = &known.services[&release::ServiceName::new(service).unwrap()];
        let name = |id: &str, property: &str| text(&own.resource(id).properties()[property]).to_owned();
        assert_eq!(of.deployment_group, name("DeploymentGroup", "DeploymentGroupName"));
        assert_eq!(of.auto_scaling_group, name("AutoScalingGroup", "AutoScalingGroupName"));
        assert_eq!(json!(of.base_rule_arn), reference(own, "Rule"));
        assert_eq!(json!(of.target_groups.blue), reference(own, "BlueTargetGroup"));
        assert_eq!(json!(of.target_groups.green), reference(own, "GreenTargetGroup"));
        let built: BTreeSet<String> = of.alarms.blue.iter().chain(&of.alarms.green).cloned().collect();
        let alarms = own.of_type("AWS::CloudWatch::Alarm").into_keys();
        assert_eq!(built, alarms.map(|id| name(id, "AlarmName")).collect());
    }
}

#[test]
fn an_alarm_judges_the_one_colour_that_its_name_says() {
    for (service, own) in services() {
        for (id, alarm) in own.of_type("AWS::CloudWatch::Alarm") {
            let properties = alarm.properties();
            let groups: BTreeSet<String> = metrics(&properties)
                .iter()
                .map(|metric| {
                    let dimensions = metric.described["Dimensions"].as_array().unwrap().iter();
                    let dimensions: BTreeMap<&str, &str> =
                        dimensions.map(|one| (text(&one["Name"]), text(&one["Value"]))).collect();
                    // Only this combination is published for a colour.
                    assert_eq!(
                        dimensions.keys().copied().collect::<Vec<_>>(),
                        ["LoadBalancer", "TargetGroup"],
                        "{id}"
                    );
                    assert_eq!(dimensions["LoadBalancer"], "LoadBalancer.LoadBalancerFullName", "{id}");
                    dimensions["TargetGroup"].to_owned()
                })
                .collect();
            let name = text(&properties["AlarmName"]);
            let judged = COLOURS
                .into_iter()
                .find(|(colour, _, _)| name.starts_with(&format!("{STACK}.{service}-{colour}-")));
            let (_, colour, _) = judged.unwrap_or_else(|| panic!("{id} is called {name}"));
            let group = format!("{colour}TargetGroup.TargetGroupFullName");
            assert_eq!(groups, BTreeSet::from([group]), "{id}");
        }
    }
}

/// A metric that an alarm reads: by itself, or as a line of an expression.
struct AlarmMetric<'a> {
    /// The line's id; none where the alarm reads one metric and no expression.
    id: Option<&'a str>,
    /// Namespace, name and dimensions.
    described: &'a Value,
    statistic: &'a str,
    period: &'a Value,
}

fn metrics<'a>(properties: &'a Value) -> Vec<AlarmMetric<'a>> {
    let Some(lines) = properties.get("Metrics") else {
        let statistic = properties.get("Statistic").or_else(|| properties.get("ExtendedStatistic")).unwrap();
        let period = &properties["Period"];
        return vec![AlarmMetric { id: None, described: properties, statistic: text(statistic), period }];
    };
    let metric = |line: &'a Value| {
        let statistic = line.get("MetricStat")?;
        Some(AlarmMetric {
            id: Some(text(&line["Id"])),
            described: &statistic["Metric"],
            statistic: text(&statistic["Stat"]),
            period: &statistic["Period"],
        })
    };
    lines.as_array().unwrap().iter().filter_map(metric).collect()
}

/// CloudWatch takes an alarm on a metric that nobody publishes, and the alarm stays OK for ever. The names:
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html>
#[test]
fn an_alarm_reads_metrics_that_the_load_balancer_publishes_and_they_are_few() {
    let (mut read, mut billed) = (BTreeSet::new(), 0);
    for (id, alarm) in services().flat_map(|(_, own)| own.of_type("AWS::CloudWatch::Alarm")) {
        for metric in metrics(&alarm.properties()) {
            assert_eq!(metric.described["Namespace"], json!("AWS/ApplicationELB"), "{id}");
            assert_eq!(*metric.period, json!(60), "{id}: the load balancer publishes once a minute");
            read.insert((text(&metric.described["MetricName"]).to_owned(), metric.statistic.to_owned()));
            billed += 1;
        }
    }
    let published = [
        ("HTTPCode_Target_5XX_Count", "Sum"),
        ("RequestCount", "Sum"),
        ("TargetConnectionErrorCount", "Sum"),
        ("TargetResponseTime", "p90"),
        ("UnhealthyRoutingRequestCount", "Sum"),
    ];
    assert_eq!(read, published.map(|(name, statistic)| (name.to_owned(), statistic.to_owned())).into());
    assert_eq!(billed, 20, "CloudWatch bills by the metric that an alarm reads");
}

/// A minute is published late and in parts, and CloudWatch evaluates it all the same: an alarm that looks at one minute,
/// or that fills it in, never sees a bad one. The expression is the one that `local/cloud` is tested with.
#[test]
fn an_alarm_waits_for_late_minutes_fills_nothing_in_and_wakes_the_alarm_function() {
    let template = Template::read();
    let function = template.resource("AlarmFunction").properties();
    let wakes = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", text(&function["FunctionName"]));
    for (id, alarm) in services().flat_map(|(_, own)| own.of_type("AWS::CloudWatch::Alarm")) {
        let properties = alarm.properties();
        for actions in ["AlarmActions", "OKActions"] {
            assert_eq!(properties[actions], json!([wakes]), "{id}");
        }
        assert_eq!(
            ["EvaluationPeriods", "DatapointsToAlarm"].map(|name| properties[name].clone()),
            [json!(3), json!(1)],
            "{id}"
        );
        assert_eq!(properties["TreatMissingData"], json!("notBreaching"), "{id}");

        let few_samples = properties.get("ExtendedStatistic").map(|_| json!("ignore"));
        assert_eq!(properties.get("EvaluateLowSampleCountPercentile"), few_samples.as_ref(), "{id}");
        let Some(lines) = properties.get("Metrics") else { continue };
        let math = lines.as_array().unwrap().iter().find_map(|line| line.get("Expression"));
        assert_eq!(math, Some(&json!("IF(requests >= 20, 100 * errors / requests, 0)")), "{id}");
        let ids: BTreeSet<&str> = metrics(&properties).iter().filter_map(|metric| metric.id).collect();
        assert_eq!(ids, BTreeSet::from(["errors", "requests"]), "{id}: two that may both be silent");
        for line in lines.as_array().unwrap() {
            assert_eq!(line.get("ReturnData").is_none(), line.get("Expression").is_some(), "{id}");
        }
    }
    let permission = template.resource("AlarmFunctionPermission").properties();
    assert_eq!(permission["Principal"], json!("lambda.alarms.cloudwatch.amazonaws.com"));
    assert_eq!(
        permission["SourceArn"],
        json!(format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{STACK}.*"))
    );
    assert_eq!(permission["SourceAccount"], json!(ACCOUNT));
}
