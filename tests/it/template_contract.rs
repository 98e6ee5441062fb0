//! What the template promises the code, and what cfn-lint does not see.

use crate::template::{ACCOUNT, REGION, Resource, STACK, Template, root, text, texts};
use greenlight::settings::{Settings, VARIABLES};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const FUNCTION: &str = "AWS::Lambda::Function";

/// The page that lists every setting.
const SETTINGS_PAGE: &str = "docs/settings.md";

const SERVICES: [(&str, &str); 2] = [("frontend", "Frontend"), ("backend", "Backend")];
const COLOURS: [(&str, &str, u64); 2] = [("blue", "Blue", 8080), ("green", "Green", 8081)];

/// The functions that drive releases, by logical id; `waf-logs` has settings of its own.
fn release_functions(template: &Template) -> impl Iterator<Item = (&str, Resource<'_>)> {
    template.of_type(FUNCTION).into_iter().filter(|(id, _)| *id != "WafLogsFunction")
}

#[test]
fn each_function_is_told_every_documented_variable_and_no_other() {
    let template = Template::read();
    for (id, function) in release_functions(template) {
        let given = function.environment();
        let services: Vec<&str> = given["GREENLIGHT_SERVICES"].split(',').collect();
        let expected: BTreeSet<String> = VARIABLES
            .iter()
            .flat_map(|variable| {
                let times = if variable.is_per_service() { services.len() } else { 1 };
                services.iter().take(times).map(|service| variable.name_for(service))
            })
            .collect();
        assert_eq!(given.into_keys().collect::<BTreeSet<_>>(), expected, "{id}");
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
    for (id, function) in Template::read().of_type(FUNCTION) {
        let mut given = function.environment();
        for (name, value) in given.iter_mut().filter(|(name, _)| name.ends_with("_ARN")) {
            value.clone_from(samples.get(name).unwrap_or_else(|| panic!("{id}: no example of {name}")));
            arns.insert(name.clone());
        }
        let settings = match id {
            "WafLogsFunction" => waf_logs::settings::Settings::read(&given).map(drop),
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
    let functions: Vec<&str> = template.of_type(FUNCTION).into_keys().collect();
    assert_eq!(kept.keys().collect::<Vec<_>>(), functions);
    assert_eq!(kept.values().collect::<BTreeSet<_>>().len(), functions.len(), "two functions share a queue");
}

#[test]
fn the_logs_of_a_function_are_kept_for_a_limited_time() {
    let template = Template::read();
    for (id, function) in template.of_type(FUNCTION) {
        let properties = function.properties();
        let group = template.resource(text(&properties["LoggingConfig"]["LogGroup"])).properties();
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
        if properties["Targets"][0]["Arn"] != json!("LifecycleFunction.Arn") {
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

#[test]
fn base_rules_name_both_colours_and_leave_the_priority_before_them_free() {
    let template = Template::read();
    let mut priorities = BTreeSet::new();
    for (service, name) in SERVICES {
        let rule = template.resource(&format!("{name}Rule")).properties();
        let priority = rule["Priority"].as_u64().unwrap();
        assert!(priorities.insert(priority), "{service}: priority {priority} is taken");
        assert_eq!(rule["ListenerArn"], template.resolve(&json!({ "Ref": "Listener" })), "{service}");

        let forward = &rule["Actions"][0]["ForwardConfig"];
        let groups: Vec<Value> = COLOURS
            .iter()
            .map(|(_, colour, _)| json!({ "Ref": format!("{name}{colour}TargetGroup") }))
            .collect();
        let named: Vec<Value> = forward["TargetGroups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| group["TargetGroupArn"].clone())
            .collect();
        assert_eq!(json!(named), template.resolve(&json!(groups)), "{service}");
        let weights: Vec<u64> = forward["TargetGroups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| group["Weight"].as_u64().unwrap())
            .collect();
        assert_eq!(weights, [100, 0], "{service}");
        assert_eq!(forward["TargetGroupStickinessConfig"]["Enabled"], json!(false), "{service}");
    }
    for priority in &priorities {
        assert!(
            *priority > 1 && !priorities.contains(&(priority - 1)),
            "{} belongs to a release",
            priority - 1
        );
    }
    let rules = template.of_type("AWS::ElasticLoadBalancingV2::ListenerRule");
    assert_eq!(rules.len(), SERVICES.len(), "a rule of no service");
}

#[test]
fn target_groups_check_health_fast_on_the_port_of_their_colour() {
    let template = Template::read();
    for (_, name) in SERVICES {
        for (_, colour, port) in COLOURS {
            let id = format!("{name}{colour}TargetGroup");
            let group = template.resource(&id).properties();
            assert_eq!(group["Port"], json!(port), "{id}");
            assert_eq!(group["TargetType"], json!("instance"), "{id}");
            assert_eq!(group["HealthCheckPath"], json!("/healthz"), "{id}");
            let thresholds =
                ["HealthCheckIntervalSeconds", "HealthCheckTimeoutSeconds", "HealthyThresholdCount"];
            assert_eq!(thresholds.map(|key| group[key].as_u64().unwrap()), [5, 2, 2], "{id}");
            assert_eq!(group["UnhealthyThresholdCount"], json!(2), "{id}");
        }
    }
}

#[test]
fn instances_belong_to_both_colours_and_are_not_replaced_for_an_idle_one() {
    let template = Template::read();
    for (_, name) in SERVICES {
        let group = template.resource(&format!("{name}AutoScalingGroup")).properties();
        assert_eq!(group["HealthCheckType"], json!("EC2"), "{name}");
        let groups =
            json!(COLOURS.map(|(_, colour, _)| json!({ "Ref": format!("{name}{colour}TargetGroup") })));
        assert_eq!(group["TargetGroupARNs"], template.resolve(&groups), "{name}");
    }
}

#[test]
fn an_instance_knows_its_service_before_the_agent_starts() {
    let template = Template::read();
    for (service, name) in SERVICES {
        let launch = template.resource(&format!("{name}LaunchTemplate")).properties();
        let script = text(&launch["LaunchTemplateData"]["UserData"]).to_owned();
        let at = |line: &str| {
            script.lines().position(|known| known == line).unwrap_or_else(|| panic!("{name}: no {line}"))
        };
        let agent = at("/tmp/install auto");
        for line in [
            format!("GREENLIGHT_SERVICE={service}"),
            format!("GREENLIGHT_LIFECYCLE_FUNCTION={STACK}-lifecycle"),
            "GREENLIGHT_RUNTIME=compose".to_owned(),
            format!("AWS_REGION={REGION}"),
        ] {
            assert!(at(&line) < agent, "{name}: {line} comes too late");
        }
    }
}

#[test]
fn codedeploy_neither_moves_traffic_nor_goes_back_by_itself() {
    let template = Template::read();
    for (service, name) in SERVICES {
        let group = template.resource(&format!("{name}DeploymentGroup")).properties();
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
        assert_eq!(group["DeploymentGroupName"], json!(service), "the permissions name the group so");
        assert_eq!(group["AutoScalingGroups"], json!([format!("{name}AutoScalingGroup")]), "{service}");
    }
}

#[test]
fn an_alarm_judges_the_one_colour_that_its_name_says() {
    let template = Template::read();
    let known = template.resource("AlarmFunction").environment();
    let mut judging = BTreeSet::new();
    for (service, name) in SERVICES {
        for (colour, capital, _) in COLOURS {
            let variable = format!("GREENLIGHT_{}_{}_ALARMS", service.to_uppercase(), colour.to_uppercase());
            judging.extend(known[&variable].split(',').map(|alarm| {
                let (start, what) = alarm.rsplit_once('-').unwrap();
                assert_eq!(start, format!("{STACK}-{service}-{colour}"), "{variable}");
                (alarm.to_owned(), format!("{name}{capital}TargetGroup"), what.to_owned())
            }));
        }
    }
    let mut found = BTreeSet::new();
    for (id, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
        let properties = alarm.properties();
        let name = text(&properties["AlarmName"]).to_owned();
        let mut groups = BTreeSet::new();
        for metric in metrics(&properties) {
            let dimensions: BTreeMap<&str, &str> = metric.described["Dimensions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|dimension| (text(&dimension["Name"]), text(&dimension["Value"])))
                .collect();
            // Only this combination is published for a colour.
            assert_eq!(
                dimensions.keys().copied().collect::<Vec<_>>(),
                ["LoadBalancer", "TargetGroup"],
                "{id}"
            );
            assert_eq!(dimensions["LoadBalancer"], "LoadBalancer.LoadBalancerFullName", "{id}");
            groups.insert(dimensions["TargetGroup"].replace(".TargetGroupFullName", ""));
        }
        let [group] = groups.iter().collect::<Vec<_>>()[..] else { panic!("{id} looks at {groups:?}") };
        found.insert((name.clone(), group.clone(), name.rsplit_once('-').unwrap().1.to_owned()));
    }
    assert_eq!(found, judging);
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
    let template = Template::read();
    let (mut read, mut billed) = (BTreeSet::new(), 0);
    for (id, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
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
    for (id, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
        let properties = alarm.properties();
        for actions in ["AlarmActions", "OKActions"] {
            assert_eq!(properties[actions], json!(["AlarmFunction.Arn"]), "{id}");
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
        json!(format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{STACK}-*"))
    );
    assert_eq!(permission["SourceAccount"], json!(ACCOUNT));
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

#[test]
fn the_services_differ_in_name_and_priority_only() {
    let template = Template::read();
    let written = |name: &str| -> BTreeMap<String, String> {
        let lower = name.to_lowercase();
        let own = template.resources().filter(|(id, _)| id.starts_with(name));
        own.map(|(id, resource)| {
            let mut raw = resource.raw().clone();
            if let Some(priority) = raw.pointer_mut("/Properties/Priority") {
                *priority = Value::Null;
            }
            (id.replace(name, "*"), raw.to_string().replace(name, "*").replace(&lower, "*"))
        })
        .collect()
    };
    assert_eq!(written("Frontend"), written("Backend"));
}
