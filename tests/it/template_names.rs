//! Names: what the functions are told fits, and no two stacks meet.

use crate::template::{ACCOUNT, REGION, STACK, Template, text, texts};
use greenlight::settings::Settings;
use std::collections::BTreeSet;

/// What the functions of a stack read.
pub(crate) fn settings(template: &Template) -> Settings {
    Settings::read(&template.resource("LifecycleFunction").environment()).unwrap()
}

/// The longest name that leaves room for what the template adds: a bucket's name has at most 63 letters.
const LONGEST_STACK: usize = 22;

/// Lambda gives a function 4 KB for all its variables together (Lambda quotas), and counts them as JSON.
#[test]
fn as_many_services_as_the_documents_say_fit_into_the_environment_of_a_function() {
    let stack = "s".repeat(LONGEST_STACK);
    let template = Template::of(&stack, "ap-northeast-2");
    let told = template.resource("LifecycleFunction").environment();
    let item = told["GREENLIGHT_SERVICES"].split(',').next().unwrap();
    let (_, ids) = item.split_once(':').unwrap();
    assert_eq!(ids.len(), "f2f7dc8efc522ab2:".len() + 2 * (32 + "/73e2d6bc24d8a067".len()) + 1, "{ids}");
    // Ids of the same length, and each its own.
    let service = |number: usize| {
        let end = format!("{number:02}");
        let renamed = |id: &str| id.chars().take(id.len() - 2).chain(end.chars()).collect::<String>();
        let ids = ids.split(':').map(renamed).collect::<Vec<_>>().join(":");
        format!("{:a<30}{end}:{ids}", "")
    };
    let with = |services: usize| {
        let mut told = told.clone();
        let services: Vec<String> = (1..=services).map(service).collect();
        told.insert("GREENLIGHT_SERVICES".to_owned(), services.join(","));
        told
    };
    let size = |services: usize| serde_json::to_string(&with(services)).unwrap().len();

    assert_eq!(Settings::read(&with(MOST_SERVICES)).unwrap().services.len(), MOST_SERVICES);
    assert!(size(MOST_SERVICES) <= 4096, "{} bytes; {} with one service", size(MOST_SERVICES), size(1));
    let says = format!("{MOST_SERVICES} services");
    for file in ["docs/limits.md", "docs/scale.md", "CHANGELOG.md"] {
        let page = std::fs::read_to_string(crate::template::root().join(file)).unwrap();
        assert!(page.contains(&says), "{file} does not say {says}");
    }
}

/// The services that a stack has room for with the longest names, and with some to spare for settings to come.
const MOST_SERVICES: usize = 16;

/// Properties that name another resource, or something within one.
const NO_NAME_OF_ITS_OWN: [(&str, &str); 14] = [
    ("AWS::AutoScaling::ScalingPolicy", "AutoScalingGroupName"),
    ("AWS::CloudWatch::Alarm", "MetricName"),
    ("AWS::CodeDeploy::DeploymentGroup", "ApplicationName"),
    ("AWS::CodeDeploy::DeploymentGroup", "DeploymentConfigName"),
    ("AWS::CodeDeploy::DeploymentGroup", "DeploymentGroupName"),
    ("AWS::EC2::VPCEndpoint", "ServiceName"),
    ("AWS::Lambda::Alias", "FunctionName"),
    ("AWS::Lambda::Alias", "Name"),
    ("AWS::Lambda::EventInvokeConfig", "FunctionName"),
    ("AWS::Lambda::EventSourceMapping", "FunctionName"),
    ("AWS::Lambda::Permission", "FunctionName"),
    ("AWS::Lambda::Version", "FunctionName"),
    ("AWS::RDS::DBInstance", "DBName"),
    ("AWS::RDS::DBInstance", "DBSubnetGroupName"),
];

/// Every name that a stack gives, with its resource's type. Other names are made up by CloudFormation, which takes care.
fn names(template: &Template) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for (_, resource) in template.all().flat_map(Template::resources) {
        let (kind, properties) = (resource.kind(), resource.properties());
        let given = properties.as_object().into_iter().flatten().filter(|(property, _)| {
            property.ends_with("Name") && !NO_NAME_OF_ITS_OWN.contains(&(kind, property.as_str()))
        });
        found.extend(given.map(|(_, name)| (kind.to_owned(), text(name).to_owned())));
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

#[test]
fn two_stages_in_one_account_share_no_name_and_no_right() {
    let (shop, stage) = (Template::read(), Template::of("shop-prod", REGION));
    let foreign = names(&stage);
    let shared: Vec<_> = names(shop).intersection(&foreign).cloned().collect();
    assert_eq!(shared, [], "a name of two stacks");
    for pattern in shop.all().flat_map(resources_of_policies) {
        let Some(covered) = pattern.strip_suffix('*') else { continue };
        let start = covered.rsplit([':', '/']).next().unwrap();
        for (kind, name) in &foreign {
            assert!(start.is_empty() || !name.starts_with(start), "{pattern} covers {kind} {name}");
        }
    }
}

/// S3 has one name space for all accounts and regions; all other names are a region's own.
#[test]
fn two_regions_share_no_bucket_and_no_bucket_has_too_long_a_name() {
    let buckets = |stack: &str, region: &str| -> BTreeSet<String> {
        let all = names(&Template::of(stack, region));
        all.into_iter().filter(|(kind, _)| kind == "AWS::S3::Bucket").map(|(_, name)| name).collect()
    };
    let (here, there) = (buckets(STACK, REGION), buckets(STACK, "ap-northeast-2"));
    assert_eq!(here.intersection(&there).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(here.iter().all(|name| name.contains(ACCOUNT)), "{here:?}");
    for name in buckets(&"s".repeat(LONGEST_STACK), "ap-southeast-2") {
        assert!(name.len() <= 63, "{name} has {} letters", name.len());
    }
    let samconfig = std::fs::read_to_string(crate::template::root().join("samconfig.toml")).unwrap();
    assert!(
        samconfig.contains(&format!("at most {LONGEST_STACK} characters")),
        "samconfig.toml says otherwise"
    );
}

/// A stack whose creation failed leaves nothing behind that would stand in the way of the next; one that is deleted leaves
/// what was written into it.
#[test]
fn buckets_outlive_their_stack_but_not_a_creation_that_failed() {
    for (id, bucket) in Template::read().of_type("AWS::S3::Bucket") {
        let kept = ["DeletionPolicy", "UpdateReplacePolicy"].map(|policy| text(&bucket.raw()[policy]));
        assert_eq!(kept, ["RetainExceptOnCreate", "Retain"], "{id}");
    }
}

/// Lambda's managed policy lets a function make its log group. One that is made after the stack's deletion would stand in
/// the way of the next stack.
#[test]
fn a_function_that_runs_while_its_stack_is_deleted_makes_no_log_group() {
    let template = Template::read();
    let policy = template.resource("NoLogGroupPolicy").properties()["PolicyDocument"].clone();
    let [statement] = &policy["Statement"].as_array().unwrap()[..] else { panic!("{policy}") };
    let says = ["Effect", "Action", "Resource"].map(|member| text(&statement[member]));
    assert_eq!(says, ["Deny", "logs:CreateLogGroup", "*"]);
    for (id, _) in template.of_type("AWS::Lambda::Function") {
        let role = template.resource(&format!("{id}Role")).properties();
        let policies = texts(&role["ManagedPolicyArns"]);
        assert!(policies.contains(&"NoLogGroupPolicy"), "{id} has {policies:?}");
    }
}

/// What the policies of a template are about.
fn resources_of_policies(template: &Template) -> Vec<String> {
    let mut found = Vec::new();
    for (_, resource) in template.resources() {
        let properties = resource.properties();
        let inline = properties["Policies"].as_array().into_iter().flatten();
        let documents =
            inline.map(|policy| &policy["PolicyDocument"]).chain(properties.get("PolicyDocument"));
        for statement in documents.flat_map(|document| document["Statement"].as_array().unwrap()) {
            found.extend(texts(&statement["Resource"]).into_iter().map(ToOwned::to_owned));
        }
    }
    found
}
