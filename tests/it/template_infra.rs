//! What the nested templates in `infra` promise: who reaches what, what is kept, what is watched.

use crate::template::{ACCOUNT, REGION, STACK, Template, text, texts};
use release::VerdictWord;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

const NETWORK: &str = "infra/network.yaml";
const DATABASE: &str = "infra/database.yaml";
const IMAGES: &str = "infra/images.yaml";
const PIPELINE: &str = "infra/pipeline.yaml";
const WATCH: &str = "infra/watch.yaml";
const NESTED: [&str; 5] = [NETWORK, DATABASE, IMAGES, PIPELINE, WATCH];

/// Parameters with which the root template has every part.
const WHOLE: [(&str, &str); 4] = [
    ("GitHubRepository", "octo/shop"),
    ("HostedZoneId", "Z1"),
    ("DomainName", "example.com"),
    ("NotificationEmail", "ops@example.com"),
];

/// A nested template with what the root template of a whole stack hands it, and then with `given`.
fn nested(file: &str, given: &[(&str, &str)]) -> Template {
    let root = Template::with("template.yaml", &WHOLE);
    let stacks = root.of_type("AWS::CloudFormation::Stack");
    let stack = stacks.into_values().map(|stack| stack.properties());
    let stack = stack.into_iter().find(|stack| text(&stack["TemplateURL"]).ends_with(file));
    let stack = stack.unwrap_or_else(|| panic!("the root template nests no {file}"));
    let handed = stack["Parameters"].as_object().unwrap();
    let handed: Vec<(&str, String)> =
        handed.iter().map(|(name, value)| (name.as_str(), plain(value))).collect();
    let mut all: Vec<(&str, &str)> = handed.iter().map(|(name, value)| (*name, value.as_str())).collect();
    all.extend(given);
    Template::with(file, &all)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[test]
fn every_parameter_says_what_it_is_for_and_refuses_what_cannot_be_meant() {
    let root = Template::read();
    for (name, parameter) in root.declared() {
        assert!(parameter["Description"].is_string(), "{name}");
        let free_lists = ["SubnetIds", "InstanceSubnetIds", "DatabaseSubnetIds"];
        // `Strategy` has a grammar of its own, and a pattern would say less than its reader does.
        let free = ["InstanceType", "NotificationEmail", "Strategy"];
        let is_bound =
            ["AllowedPattern", "AllowedValues", "MinValue"].iter().any(|rule| parameter.get(rule).is_some());
        assert!(
            is_bound || free_lists.contains(&name.as_str()) || free.contains(&name.as_str()),
            "{name} takes anything"
        );
    }
}

#[test]
fn a_nested_template_gets_each_of_its_parameters_and_says_what_it_is() {
    let root = Template::with("template.yaml", &WHOLE);
    let mut seen = BTreeSet::new();
    for (id, stack) in root.of_type("AWS::CloudFormation::Stack") {
        let properties = stack.properties();
        let url = text(&properties["TemplateURL"]);
        // A service's own parameters have tests of their own.
        if url.ends_with("infra/service.yaml") {
            continue;
        }
        let file = NESTED.iter().find(|file| url.ends_with(*file)).unwrap_or_else(|| panic!("{id}: {url}"));
        seen.insert(*file);
        let template = Template::with(file, &[]);
        let given: BTreeSet<&String> = properties["Parameters"].as_object().unwrap().keys().collect();
        assert_eq!(given, template.declared().keys().collect(), "{id}");
        for (name, parameter) in template.declared() {
            assert!(parameter["Description"].is_string(), "{file}: {name}");
            assert!(
                parameter.get("Default").is_none(),
                "{file}: {name}: defaults stand in the root template"
            );
        }
    }
    assert_eq!(seen, BTreeSet::from(NESTED), "a template that nothing nests");
}

#[test]
fn a_stack_in_a_given_network_makes_none_and_names_no_output_of_one() {
    let given =
        [("VpcId", "vpc-1"), ("SubnetIds", "subnet-1,subnet-2"), ("DatabaseSubnetIds", "subnet-3,subnet-4")];
    let template = Template::with("template.yaml", &given);
    for (id, resource) in template.resources() {
        assert_ne!(id, "Network");
        assert!(!resource.properties().to_string().contains("Network.Outputs"), "{id}");
    }
    let balancer = template.resource("LoadBalancer").properties();
    assert_eq!(balancer["Subnets"], json!(["subnet-1", "subnet-2"]));
    let database = template.resource("PostgreSql").properties();
    assert_eq!(database["Parameters"]["SubnetIds"], json!("subnet-3,subnet-4"));
}

/// What stands in a parameter and would mean nothing, because another one is missing.
#[test]
fn a_parameter_that_would_be_ignored_is_refused_with_a_sentence() {
    let refusals = |given: &[(&str, &str)]| Template::with("template.yaml", given).refusals();
    assert_eq!(refusals(&[]), Vec::<String>::new());
    assert_eq!(refusals(&WHOLE), Vec::<String>::new());
    let network = [("VpcId", "vpc-1"), ("SubnetIds", "subnet-1,subnet-2"), ("InstanceSubnetIds", "subnet-3")];
    let network = [&network[..], &[("DatabaseSubnetIds", "subnet-4,subnet-5")]].concat();
    assert_eq!(refusals(&network), Vec::<String>::new());
    for name in ["SubnetIds", "InstanceSubnetIds", "DatabaseSubnetIds"] {
        let refused = refusals(&[(name, "subnet-1,subnet-2")]);
        let [sentence] = &refused[..] else { panic!("{name}: one refusal was expected, not {refused:?}") };
        assert!(sentence.contains(name) && sentence.contains("VpcId"), "{name}: {sentence}");
    }
    let challenging = ("CampaignAction", "challenge");
    assert_eq!(refusals(&[challenging]).len(), 1);
    let arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1";
    assert_eq!(refusals(&[challenging, ("CertificateArn", arn)]), Vec::<String>::new());
    let own = [challenging, ("DomainName", "example.com"), ("HostedZoneId", "Z1")];
    assert_eq!(refusals(&own), Vec::<String>::new());
    for mode in ["none", "count"] {
        assert_eq!(refusals(&[&own[..], &[("WafMode", mode)]].concat()).len(), 1, "{mode}");
    }
}

#[test]
fn the_database_has_no_way_out_and_the_instances_need_no_nat_gateway() {
    let network = nested(NETWORK, &[]);
    assert!(network.of_type("AWS::EC2::NatGateway").is_empty());
    let routes: Vec<Value> =
        network.of_type("AWS::EC2::Route").into_values().map(|route| route.properties()).collect();
    let [route] = routes.as_slice() else { panic!("one route was expected, not {routes:?}") };
    let table = |subnet: &str| {
        let associations = network.of_type("AWS::EC2::SubnetRouteTableAssociation").into_values();
        let mut own = associations.map(|one| one.properties()).filter(|one| one["SubnetId"] == json!(subnet));
        own.next().unwrap_or_else(|| panic!("{subnet} has no routes"))["RouteTableId"].clone()
    };
    for (id, subnet) in network.of_type("AWS::EC2::Subnet") {
        let is_public = id.contains("Public");
        assert_eq!(table(id) == route["RouteTableId"], is_public, "{id}");
        assert_eq!(subnet.properties().get("MapPublicIpOnLaunch"), is_public.then_some(&json!(true)), "{id}");
    }
    let endpoint = network.resource("S3Endpoint").properties();
    assert_eq!(endpoint["VpcEndpointType"], json!("Gateway"), "the other kind is paid by the hour");
    assert_eq!(endpoint["RouteTableIds"], json!([route["RouteTableId"]]));
    let output = |name: &str| network.output(name);
    assert_eq!(output("PublicSubnetIds"), json!("FirstPublicSubnet,SecondPublicSubnet"));
    assert_eq!(output("InstanceSubnetIds"), json!("FirstPublicSubnet"));
    assert_eq!(output("PrivateSubnetIds"), json!("FirstPrivateSubnet,SecondPrivateSubnet"));
}

#[test]
fn only_the_services_reach_the_database_and_nobody_knows_its_password() {
    let database = nested(DATABASE, &[]);
    let instance = database.resource("Instance");
    let properties = instance.properties();
    assert_eq!(properties["PubliclyAccessible"], json!(false));
    assert_eq!(properties["StorageEncrypted"], json!(true));
    assert_eq!(properties["ManageMasterUserPassword"], json!(true));
    assert!(properties.get("MasterUserPassword").is_none());
    assert_eq!(properties["VPCSecurityGroups"], json!(["SecurityGroup"]));
    assert_eq!(properties["BackupRetentionPeriod"], json!("7"));
    let group = database.resource("SecurityGroup").properties();
    let doors = group["SecurityGroupIngress"].as_array().unwrap();
    let [door] = doors.as_slice() else { panic!("one way in was expected, not {doors:?}") };
    assert_eq!(door["SourceSecurityGroupId"], json!("InstanceSecurityGroup.GroupId"));
    assert_eq!([&door["FromPort"], &door["ToPort"]], [&json!(5432), &json!(5432)]);
    assert!(door.get("CidrIp").is_none() && door.get("CidrIpv6").is_none());
    let standing_out = &group["SecurityGroupEgress"];
    assert_eq!(standing_out[0]["CidrIp"], json!("127.0.0.1/32"));
    assert_eq!(database.of_type("AWS::EC2::SecurityGroupIngress").len(), 0);
    let policy = database.resource("ReadPassword").properties();
    assert_eq!(policy["Roles"], json!(["InstanceRole"]));
    assert_eq!(
        policy["PolicyDocument"]["Statement"][0]["Resource"],
        json!("Instance.MasterUserSecret.SecretArn")
    );
}

#[test]
fn what_holds_data_outlives_the_stack_and_hinders_no_further_attempt() {
    for file in NESTED {
        for (id, resource) in nested(file, &[]).resources() {
            let expected = match resource.kind() {
                "AWS::RDS::DBInstance" => ["Snapshot", "Snapshot"],
                "AWS::S3::Bucket" => ["RetainExceptOnCreate", "Retain"],
                _ => continue,
            };
            let policies = ["DeletionPolicy", "UpdateReplacePolicy"].map(|name| resource.raw()[name].clone());
            assert_eq!(policies, expected.map(|policy| json!(policy)), "{file}: {id}");
        }
    }
}

/// The properties that are names, unique in an account and region, or in an account.
const NAMES: [(&str, &[&str], bool); 5] = [
    ("AWS::CloudFront::Function", &["/Name"], true),
    ("AWS::CloudFront::OriginAccessControl", &["/OriginAccessControlConfig/Name"], true),
    ("AWS::Budgets::Budget", &["/Budget/BudgetName"], true),
    ("AWS::CloudWatch::Alarm", &["/AlarmName"], false),
    ("AWS::CloudWatch::Dashboard", &["/DashboardName"], true),
];

#[test]
fn two_regions_and_two_stages_of_an_account_do_not_meet() {
    let mut named = 0;
    for file in NESTED {
        let template = nested(file, &[]);
        for (id, resource) in template.resources() {
            let properties = resource.properties();
            let Some((_, paths, is_global)) = NAMES.iter().find(|(kind, ..)| *kind == resource.kind()) else {
                let keys = properties.as_object().unwrap().keys();
                let own = keys.filter(|name| name.ends_with("Name") || *name == "DBInstanceIdentifier");
                // A database has names of its own inside.
                let known = ["DBName", "DBSubnetGroupName", "MasterUsername", "ServiceName"];
                let own: Vec<&String> = own.filter(|name| !known.contains(&name.as_str())).collect();
                assert!(
                    own.is_empty(),
                    "{file}: {id} has {own:?}: let CloudFormation choose, or add it to NAMES"
                );
                continue;
            };
            for path in *paths {
                let name = text(properties.pointer(path).unwrap());
                assert!(name.starts_with(STACK), "{file}: {id} is called {name}, in every stack");
                assert!(
                    !is_global || name.contains(REGION),
                    "{file}: {id} is called {name}, in every region"
                );
                named += 1;
            }
        }
    }
    assert!(named > 5, "this test knows no name any more");
}

#[test]
fn a_token_of_another_branch_or_repository_gets_no_role() {
    let pipeline = nested(PIPELINE, &[]);
    let trust = pipeline.resource("Role").properties()["AssumeRolePolicyDocument"]["Statement"].clone();
    let provider = "Provider";
    assert_eq!(
        trust,
        json!([{
            "Effect": "Allow",
            "Principal": { "Federated": provider },
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                    "token.actions.githubusercontent.com:sub": "repo:octo/shop:ref:refs/heads/release",
                },
            },
        }])
    );
    let issuer = pipeline.resource(provider).properties();
    assert_eq!(issuer["Url"], json!("https://token.actions.githubusercontent.com"));
    assert_eq!(issuer["ClientIdList"], json!(["sts.amazonaws.com"]));
}

#[test]
fn an_account_that_has_githubs_provider_keeps_that_one() {
    let known = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com");
    let pipeline = nested(PIPELINE, &[("ProviderArn", &known)]);
    assert!(pipeline.of_type("AWS::IAM::OIDCProvider").is_empty());
    let trust = pipeline.resource("Role").properties()["AssumeRolePolicyDocument"]["Statement"].clone();
    assert_eq!(trust[0]["Principal"], json!({ "Federated": known }));
}

#[test]
fn a_workflow_may_upload_and_read_what_became_of_it_and_no_more() {
    let role = nested(PIPELINE, &[]).resource("Role").properties();
    assert!(role.get("ManagedPolicyArns").is_none());
    let policies = role["Policies"].as_array().unwrap();
    let statements =
        policies.iter().flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap());
    let mut allowed = BTreeSet::new();
    for statement in statements {
        for action in texts(&statement["Action"]) {
            allowed.insert((action.to_owned(), text(&statement["Resource"]).to_owned()));
        }
    }
    let bucket = "arn:aws:s3:::ArtifactBucket";
    let uploads = format!("{bucket}/releases/*");
    let expected = BTreeSet::from([
        ("s3:AbortMultipartUpload".to_owned(), uploads.clone()),
        ("s3:GetObject".to_owned(), format!("{bucket}/public/*")),
        ("s3:GetObject".to_owned(), uploads.clone()),
        ("s3:GetObjectTagging".to_owned(), uploads.clone()),
        ("s3:GetObjectVersionTagging".to_owned(), uploads.clone()),
        ("s3:PutObject".to_owned(), uploads),
    ]);
    assert_eq!(allowed, expected);
}

#[test]
fn images_leave_the_bucket_through_our_distribution_only() {
    let images = nested(IMAGES, &[]);
    let block = images.resource("Bucket").properties()["PublicAccessBlockConfiguration"].clone();
    assert_eq!(block.as_object().unwrap().values().filter(|value| **value == json!(true)).count(), 4);
    let statements = images.resource("BucketPolicy").properties()["PolicyDocument"]["Statement"].clone();
    let allowing: Vec<&Value> =
        statements.as_array().unwrap().iter().filter(|one| one["Effect"] == json!("Allow")).collect();
    let [allowed] = allowing[..] else { panic!("one was expected, not {allowing:?}") };
    assert_eq!(allowed["Principal"], json!({ "Service": "cloudfront.amazonaws.com" }));
    let distribution = format!("arn:aws:cloudfront::{ACCOUNT}:distribution/Distribution");
    assert_eq!(allowed["Condition"], json!({ "StringEquals": { "aws:SourceArn": distribution } }));
    let behaviour =
        images.resource("Distribution").properties()["DistributionConfig"]["DefaultCacheBehavior"].clone();
    assert_eq!(
        behaviour["FunctionAssociations"],
        json!([{ "EventType": "viewer-request", "FunctionARN": "RefererFunction.FunctionARN" }])
    );
}

#[test]
fn a_policy_by_referer_names_each_page_by_its_host() {
    let images = nested(IMAGES, &[("Access", "referer"), ("Pages", "www.example.com,example.com")]);
    assert!(images.of_type("AWS::CloudFront::Distribution").is_empty());
    let statements = images.resource("BucketPolicy").properties()["PolicyDocument"]["Statement"].clone();
    let allowed = statements.as_array().unwrap().iter().find(|one| one["Effect"] == json!("Allow")).unwrap();
    let pages = json!(["https://www.example.com/*", "https://example.com/*"]);
    assert_eq!(allowed["Condition"], json!({ "StringLike": { "aws:Referer": pages } }));
    let block = images.resource("Bucket").properties()["PublicAccessBlockConfiguration"].clone();
    assert_eq!([&block["BlockPublicAcls"], &block["IgnorePublicAcls"]], [&json!(true), &json!(true)]);
    assert_eq!(
        [&block["BlockPublicPolicy"], &block["RestrictPublicBuckets"]],
        [&json!(false), &json!(false)]
    );
}

/// What the function of `CloudFront` answers to a request with this Referer.
fn is_shown(referer: &[&str]) -> Vec<bool> {
    let images = nested(IMAGES, &[("Pages", "www.example.com,*.example.org")]);
    let code = text(&images.resource("RefererFunction").properties()["FunctionCode"]).to_owned();
    let asked = json!(referer);
    let script = format!(
        "{code}\nconst shown = {asked}.map((value) => {{
            const request = {{ headers: value === '' ? {{}} : {{ referer: {{ value }} }} }};
            const answer = handler({{ request }});
            if (answer !== request && answer.statusCode !== 403) throw new Error('neither shown nor refused');
            return answer === request;
        }});\nconsole.log(JSON.stringify(shown));"
    );
    let output = Command::new("node").args(["-e", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn an_image_is_shown_by_our_pages_and_by_no_other() {
    if !std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|at| at.join("node").exists()))
    {
        skipped::because(
            "template_infra::an_image_is_shown_by_our_pages_and_by_no_other",
            "no node; install nodejs",
        );
        return;
    }
    let ours = [
        "https://www.example.com/",
        "https://www.example.com",
        "https://WWW.example.com/a?b",
        "https://a.example.org/",
    ];
    let foreign = [
        "",
        "https://evil.test/",
        "http://www.example.com/",
        "https://www.example.com.evil.test/",
        "https://evil-www.example.com/",
        "https://evil.test/https://www.example.com/",
        "https://www.example.com@evil.test/",
        "https://evil.test#https://www.example.com/",
        "https://example.org/",
        "https://evilexample.org/",
        "https://api.example.com/",
        "www.example.com",
    ];
    let shown = is_shown(&[ours.as_slice(), &foreign].concat());
    for (index, referer) in ours.iter().chain(&foreign).enumerate() {
        assert_eq!(shown[index], index < ours.len(), "{referer:?}");
    }
}

#[test]
fn each_queue_of_failures_has_an_alarm_that_somebody_hears() {
    let root = Template::with("template.yaml", &WHOLE);
    let queues = root.of_type("AWS::SQS::Queue").into_keys();
    let failures: BTreeSet<String> =
        queues.filter(|id| id.ends_with("Failures")).map(|id| format!("{id}.QueueName")).collect();
    let watch = nested(WATCH, &[]);
    let mut watched = BTreeSet::new();
    for (id, alarm) in watch.of_type("AWS::CloudWatch::Alarm") {
        let properties = alarm.properties();
        assert_eq!(
            properties["AlarmActions"][0],
            root.resolve(&json!({ "Ref": "NotificationTopic" })),
            "{id}"
        );
        if properties["Namespace"] == json!("AWS/SQS") {
            watched.insert(text(&properties["Dimensions"][0]["Value"]).to_owned());
        }
    }
    assert_eq!(watched, failures);
}

/// The metrics that are searched for, each widget's apart.
fn shown_on_the_dashboard() -> Vec<String> {
    let watch = nested(WATCH, &[]);
    let body = text(&watch.resource("Dashboard").properties()["DashboardBody"]).to_owned();
    let body: Value = serde_json::from_str(&body).unwrap();
    let widgets = body["widgets"].as_array().unwrap();
    let search = |widget: &Value| text(&widget["properties"]["metrics"][0][0]["expression"]).to_owned();
    widgets.iter().map(search).collect()
}

#[test]
fn the_dashboard_shows_this_stacks_metrics_and_nobody_elses() {
    let root = Template::with("template.yaml", &WHOLE);
    let balancer = plain(&root.resolve(&json!({ "Fn::GetAtt": ["LoadBalancer", "LoadBalancerFullName"] })));
    let acl = root.resource("WebAcl").properties()["VisibilityConfig"]["MetricName"].clone();
    assert_eq!(text(&acl), root.stack());
    for search in shown_on_the_dashboard() {
        let of_the_stack = format!("\"{}", root.stack());
        let own =
            if search.contains("{AWS/ApplicationELB,") { format!("\"{balancer}\"") } else { of_the_stack };
        assert!(search.contains(&own), "{search} does not say {own}");
    }
}

/// What functions count is on the dashboard, under the same names.
#[test]
fn the_dashboard_searches_for_what_announcements_are_counted_as() {
    let shown = shown_on_the_dashboard().join(" ");
    let announcement =
        std::fs::read_to_string(crate::template::root().join("shared/release/src/announcement.rs"));
    let announcement = announcement.unwrap();
    for name in [
        "Live",
        "Rejected",
        "RolledBack",
        "Superseded",
        "NeedsOperator",
        "FailedRequests",
        "SecondsWithTraffic",
    ] {
        let quoted = format!("\"{name}\"");
        assert!(announcement.contains(&quoted) && shown.contains(&quoted), "{name}");
    }
}

#[test]
fn a_tick_that_does_not_come_is_noticed_by_its_silence() {
    let alarm = nested(WATCH, &[]).resource("NoTick").properties();
    assert_eq!(alarm["MetricName"], json!("Invocations"));
    assert_eq!(alarm["Dimensions"], json!([{ "Name": "FunctionName", "Value": "LifecycleFunction" }]));
    assert_eq!(alarm["TreatMissingData"], json!("breaching"));
    assert_eq!(alarm["ComparisonOperator"], json!("LessThanThreshold"));
    assert_eq!([&alarm["Threshold"], &alarm["Period"]], [&json!(1), &json!(300)]);
}

#[test]
fn a_budget_is_there_when_somebody_reads_its_mail() {
    let budgets = |given: &[(&str, &str)]| nested(WATCH, given).of_type("AWS::Budgets::Budget").len();
    assert_eq!(budgets(&[]), 1);
    assert_eq!(budgets(&[("Email", "")]), 0);
    assert_eq!(budgets(&[("BudgetDollars", "0")]), 0);
}

/// AWS's managed groups with what becomes of their matches.
fn managed_groups(mode: &str) -> BTreeMap<String, Value> {
    let template = Template::with("template.yaml", &[("WafManagedRules", mode)]);
    let acl = template.resource("WebAcl").properties();
    let rules = acl["Rules"].as_array().unwrap().iter();
    let groups = rules.filter(|rule| rule["Statement"].get("ManagedRuleGroupStatement").is_some());
    let named = groups.map(|rule| {
        let group = &rule["Statement"]["ManagedRuleGroupStatement"];
        if group["Name"] == json!("AWSManagedRulesCommonRuleSet") {
            let size = json!([{ "Name": "SizeRestrictions_BODY", "ActionToUse": { "Count": {} } }]);
            assert_eq!(group["RuleActionOverrides"], size, "uploads above 8 KB are refused");
        }
        (text(&group["Name"]).to_owned(), rule["OverrideAction"].clone())
    });
    named.collect()
}

#[test]
fn managed_rules_count_before_they_block() {
    let names = [
        "AWSManagedRulesCommonRuleSet",
        "AWSManagedRulesKnownBadInputsRuleSet",
        "AWSManagedRulesSQLiRuleSet",
    ];
    let all = |action: &str| -> BTreeMap<String, Value> {
        names.iter().map(|name| ((*name).to_owned(), json!({ action: {} }))).collect()
    };
    let default = Template::read().declared()["WafManagedRules"]["Default"].clone();
    assert_eq!(default, json!("count"));
    assert_eq!(managed_groups("count"), all("Count"));
    assert_eq!(managed_groups("block"), all("None"));
    assert_eq!(managed_groups("none"), BTreeMap::new());
}

#[test]
fn every_role_keeps_within_the_boundary_that_is_given() {
    let boundary = "arn:aws:iam::123456789012:policy/within";
    let root = Template::with(
        "template.yaml",
        &[("PermissionsBoundaryArn", boundary), ("GitHubRepository", "octo/shop")],
    );
    let mut roles = 0;
    for (id, role) in root.all().flat_map(|template| template.of_type("AWS::IAM::Role")) {
        assert_eq!(role.properties()["PermissionsBoundary"], json!(boundary), "{id}");
        roles += 1;
    }
    let pipeline = root.resource("Pipeline").properties();
    assert_eq!(pipeline["Parameters"]["PermissionsBoundaryArn"], json!(boundary));
    let role = nested(PIPELINE, &[("PermissionsBoundaryArn", boundary)]).resource("Role").properties();
    assert_eq!(role["PermissionsBoundary"], json!(boundary));
    assert!(roles > 5);
    for file in NESTED.iter().filter(|file| **file != PIPELINE) {
        assert!(
            nested(file, &[]).of_type("AWS::IAM::Role").is_empty(),
            "{file} has a role: check its boundary"
        );
    }
}

#[test]
fn certificates_and_names_come_with_a_hosted_zone() {
    let template = Template::with("template.yaml", &WHOLE);
    let certificate = template.resource("Certificate").properties();
    assert_eq!(certificate["SubjectAlternativeNames"], json!(["*.example.com"]));
    assert_eq!(
        certificate["DomainValidationOptions"],
        json!([{ "DomainName": "example.com", "HostedZoneId": "Z1" }])
    );
    let listener = template.resource("Listener").properties();
    assert_eq!([&listener["Port"], &listener["Protocol"]], [&json!(443), &json!("HTTPS")]);
    assert_eq!(listener["Certificates"], json!([{ "CertificateArn": "Certificate" }]));
    assert_eq!(template.resource("RedirectListener").properties()["Port"], json!(80));
    let plain = Template::read();
    assert!(plain.resources().all(|(id, _)| !["Certificate", "RedirectListener"].contains(&id)));
}

#[test]
fn only_bundles_that_never_go_live_expire() {
    let bucket = Template::read().resource("ArtifactBucket").properties();
    let rules = bucket["LifecycleConfiguration"]["Rules"].as_array().unwrap().clone();
    let expiring = rules.iter().filter(|rule| rule.get("ExpirationInDays").is_some());
    let words: BTreeSet<String> = expiring
        .map(|rule| {
            let [tag] = rule["TagFilters"].as_array().unwrap().as_slice() else { panic!("no tag: {rule}") };
            assert_eq!(tag["Key"], json!("greenlight:verdict"), "{rule}");
            text(&tag["Value"]).to_owned()
        })
        .collect();
    let ended = [VerdictWord::Rejected, VerdictWord::Superseded];
    assert_eq!(words, ended.map(|word| word.as_str().to_owned()).into());
}
