//! What the template made, read back from the emulator: nothing here is known from anywhere else.

use crate::emulator::Emulator;
use crate::notifications::{Destination, Notification};
use anyhow::{Context, Result, bail};
use aws_config::SdkConfig;
use aws_sdk_s3::types::{FilterRule, NotificationConfigurationFilter};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many invocations at a time Lambda begins with where the template sets no limit.
const CONCURRENCY: u32 = 5;

/// How often Lambda repeats a failed asynchronous invocation where the template does not say.
const RETRIES: u32 = 2;

/// Everything that the local cloud itself has to run.
#[derive(Debug, Clone)]
pub struct Stack {
    /// The functions.
    pub functions: Vec<Function>,
    /// Which functions and queues hear of which objects.
    pub notifications: Vec<Notification>,
    /// Which functions read which queues.
    pub event_sources: Vec<EventSource>,
    /// `EventBridge`'s rules.
    pub rules: Vec<EventRule>,
    /// `CodeDeploy`'s groups.
    pub deployment_groups: Vec<DeploymentGroup>,
    /// The machines.
    pub machines: Vec<Machine>,
    /// The listener that holds the rules.
    pub listener: String,
}

/// A Lambda function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The binary that it runs: its name, or the whole path of one that does not lie beside the others.
    pub binary: String,
    /// Its environment, resolved.
    pub environment: BTreeMap<String, String>,
    /// In megabytes.
    pub memory: u64,
    /// The longest that an invocation may take, in seconds.
    pub timeout: u64,
    /// How often a failed asynchronous invocation is repeated.
    pub retries: u32,
    /// The queue for asynchronous invocations that failed for good.
    pub failures: Option<String>,
    /// The other names by which it is invoked.
    pub aliases: Vec<Alias>,
}

/// Another name by which a function is invoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The name.
    pub name: String,
    /// How often a failed asynchronous invocation by it is repeated.
    pub retries: u32,
    /// The queue for those that failed for good.
    pub failures: Option<String>,
}

impl Function {
    /// How Lambda treats what comes through an alias: what was configured for the function is not for its aliases.
    pub(crate) fn through(&self, alias: &Alias) -> Self {
        Self { retries: alias.retries, failures: alias.failures.clone(), ..self.clone() }
    }
}

/// A queue and the function that reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSource {
    /// The queue's ARN.
    pub queue: String,
    /// The function's ARN.
    pub function: String,
    /// Most messages in one invocation.
    pub batch_size: u32,
    /// Most invocations at a time (`MaximumConcurrency`).
    pub concurrency: u32,
    /// Whether the function's answer names the messages that failed (`ReportBatchItemFailures`); otherwise a batch
    /// fails or succeeds as a whole.
    pub reports_failures: bool,
}

/// A rule of `EventBridge` and the functions that it invokes.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRule {
    /// Its ARN.
    pub arn: String,
    /// What it matches; none for a pure schedule.
    pub pattern: Option<Value>,
    /// When it fires by itself.
    pub schedule: Option<String>,
    /// What it invokes.
    pub targets: Vec<EventTarget>,
}

/// A function that a rule invokes.
#[derive(Debug, Clone, PartialEq)]
pub struct EventTarget {
    /// The function's ARN.
    pub function: String,
    /// What the function gets instead of the event.
    pub input: Option<Value>,
}

/// A deployment group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentGroup {
    /// Its application.
    pub application: String,
    /// Its name.
    pub name: String,
    /// The Auto Scaling groups that it deploys to.
    pub auto_scaling_groups: Vec<String>,
    /// The configuration that a deployment has by default.
    pub configuration: String,
    /// Whether instances that missed a deployment get it afterwards.
    pub update_outdated: bool,
}

/// An instance of an Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its instance id.
    pub id: String,
    /// Its Auto Scaling group.
    pub auto_scaling_group: String,
    /// What its first boot writes to `/etc/greenlight/environment`.
    pub environment: BTreeMap<String, String>,
}

/// A function's name from its ARN, with the alias where that names one: `shop-lifecycle:hooks`.
pub(crate) fn function_name(arn: &str) -> &str {
    arn.splitn(7, ':').nth(6).unwrap_or(arn)
}

impl Stack {
    /// The function that blocks repeat offenders, when the stack has a web ACL.
    pub fn waf_logs(&self) -> Option<&Function> {
        self.functions.iter().find(|function| function.environment.contains_key("GREENLIGHT_WAF_RULE"))
    }

    /// Reads it back.
    ///
    /// # Errors
    /// When the emulator does not answer, or the template made no listener.
    pub async fn read(emulator: &Emulator, aws: &SdkConfig) -> Result<Self> {
        Ok(Self {
            functions: functions(emulator).await?,
            notifications: notifications(aws).await?,
            event_sources: event_sources(emulator).await?,
            rules: event_rules(emulator).await?,
            deployment_groups: deployment_groups(emulator).await?,
            machines: machines(emulator, aws).await?,
            listener: listener(aws).await?,
        })
    }
}

fn text(value: &Value, field: &str) -> Result<String> {
    let found = value.get(field).and_then(Value::as_str);
    Ok(found.with_context(|| format!("the emulator's answer has no {field}: {value}"))?.to_owned())
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn strings(value: &Value) -> BTreeMap<String, String> {
    let fields = value.as_object().into_iter().flatten();
    fields.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

async fn functions(emulator: &Emulator) -> Result<Vec<Function>> {
    let listed = emulator.rest("lambda", Method::GET, "/2015-03-31/functions/").await?;
    let mut functions = Vec::new();
    for entry in list(&listed, "Functions") {
        let name = text(entry, "FunctionName")?;
        let described =
            emulator.rest("lambda", Method::GET, &format!("/2015-03-31/functions/{name}")).await?;
        let configuration = &described["Configuration"];
        // `.../<binary>.zip`: where the transform says the package was uploaded.
        let location = text(&described["Code"], "Location")?;
        let package = location.rsplit('/').next().unwrap_or_default();
        let binary =
            package.strip_suffix(".zip").with_context(|| format!("{name} has no package: {location}"))?;
        let (retries, failures) = asynchronous(emulator, &name).await;
        let dead_letters = configuration.pointer("/DeadLetterConfig/TargetArn").and_then(Value::as_str);
        let listed =
            emulator.rest("lambda", Method::GET, &format!("/2015-03-31/functions/{name}/aliases")).await?;
        let mut aliases = Vec::new();
        for alias in list(&listed, "Aliases") {
            let alias = text(alias, "Name")?;
            let (retries, failures) = asynchronous(emulator, &format!("{name}:{alias}")).await;
            aliases.push(Alias { name: alias, retries, failures });
        }
        functions.push(Function {
            binary: binary.to_owned(),
            environment: strings(&configuration["Environment"]["Variables"]),
            memory: configuration["MemorySize"].as_u64().unwrap_or(128),
            timeout: configuration["Timeout"].as_u64().unwrap_or(3),
            retries,
            failures: failures.or_else(|| dead_letters.map(ToOwned::to_owned)),
            aliases,
            name,
        });
    }
    Ok(functions)
}

/// How often a failed asynchronous invocation is repeated, and where one goes that failed for good: of a function, or of
/// `NAME:ALIAS`.
async fn asynchronous(emulator: &Emulator, name: &str) -> (u32, Option<String>) {
    // 404 when the template gives it no configuration.
    let path = format!("/2019-09-25/functions/{name}/event-invoke-config");
    let configured = emulator.rest("lambda", Method::GET, &path).await.unwrap_or_default();
    let retries = configured["MaximumRetryAttempts"].as_u64().and_then(|number| number.try_into().ok());
    let queue = configured.pointer("/DestinationConfig/OnFailure/Destination").and_then(Value::as_str);
    (retries.unwrap_or(RETRIES), queue.map(ToOwned::to_owned))
}

async fn notifications(aws: &SdkConfig) -> Result<Vec<Notification>> {
    let s3 = aws_sdk_s3::Client::new(aws);
    let mut notifications = Vec::new();
    for bucket in s3.list_buckets().send().await?.buckets() {
        let Some(bucket) = bucket.name() else { continue };
        let configuration = s3.get_bucket_notification_configuration().bucket(bucket).send().await?;
        for entry in configuration.lambda_function_configurations() {
            notifications.push(Notification {
                bucket: bucket.to_owned(),
                id: entry.id().unwrap_or_default().to_owned(),
                destination: Destination::Function(entry.lambda_function_arn().to_owned()),
                events: entry.events().iter().map(|event| event.as_str().to_owned()).collect(),
                prefix: key_filter(entry.filter(), "prefix"),
                suffix: key_filter(entry.filter(), "suffix"),
            });
        }
        for entry in configuration.queue_configurations() {
            notifications.push(Notification {
                bucket: bucket.to_owned(),
                id: entry.id().unwrap_or_default().to_owned(),
                destination: Destination::Queue(entry.queue_arn().to_owned()),
                events: entry.events().iter().map(|event| event.as_str().to_owned()).collect(),
                prefix: key_filter(entry.filter(), "prefix"),
                suffix: key_filter(entry.filter(), "suffix"),
            });
        }
    }
    Ok(notifications)
}

fn key_filter(filter: Option<&NotificationConfigurationFilter>, name: &str) -> String {
    let rules = filter.and_then(|filter| filter.key()).map_or(&[][..], |key| key.filter_rules());
    let named =
        |rule: &&FilterRule| rule.name().is_some_and(|found| found.as_str().eq_ignore_ascii_case(name));
    rules.iter().find(named).and_then(FilterRule::value).unwrap_or_default().to_owned()
}

async fn event_sources(emulator: &Emulator) -> Result<Vec<EventSource>> {
    let listed = emulator.rest("lambda", Method::GET, "/2015-03-31/event-source-mappings/").await?;
    let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
    let mut sources = Vec::new();
    for mapping in list(&listed, "EventSourceMappings").iter().filter(|mapping| mapping["State"] == "Enabled")
    {
        sources.push(EventSource {
            queue: text(mapping, "EventSourceArn")?,
            function: text(mapping, "FunctionArn")?,
            batch_size: number(&mapping["BatchSize"]).unwrap_or(10),
            concurrency: number(&mapping["ScalingConfig"]["MaximumConcurrency"]).unwrap_or(CONCURRENCY),
            reports_failures: list(mapping, "FunctionResponseTypes")
                .iter()
                .any(|kind| kind == "ReportBatchItemFailures"),
        });
    }
    Ok(sources)
}

async fn event_rules(emulator: &Emulator) -> Result<Vec<EventRule>> {
    let call = |operation: &'static str, body: Value| async move {
        emulator.json("events", &format!("AWSEvents.{operation}"), "1.1", &body).await
    };
    let listed = call("ListRules", json!({})).await?;
    let mut rules = Vec::new();
    for rule in list(&listed, "Rules").iter().filter(|rule| rule["State"] == "ENABLED") {
        let name = text(rule, "Name")?;
        let targets = call("ListTargetsByRule", json!({ "Rule": name })).await?;
        let parse = |value: &Value| value.as_str().and_then(|text| serde_json::from_str(text).ok());
        rules.push(EventRule {
            arn: text(rule, "Arn")?,
            pattern: parse(&rule["EventPattern"]),
            schedule: rule["ScheduleExpression"].as_str().map(ToOwned::to_owned),
            targets: list(&targets, "Targets")
                .iter()
                .map(|target| {
                    Ok(EventTarget { function: text(target, "Arn")?, input: parse(&target["Input"]) })
                })
                .collect::<Result<_>>()?,
        });
    }
    Ok(rules)
}

async fn deployment_groups(emulator: &Emulator) -> Result<Vec<DeploymentGroup>> {
    let call = |operation: &'static str, body: Value| async move {
        emulator.json("codedeploy", &format!("CodeDeploy_20141006.{operation}"), "1.1", &body).await
    };
    let mut groups = Vec::new();
    for application in list(&call("ListApplications", json!({})).await?, "applications") {
        let listed = call("ListDeploymentGroups", json!({ "applicationName": application })).await?;
        for group in list(&listed, "deploymentGroups") {
            let request = json!({ "applicationName": application, "deploymentGroupName": group });
            let described = call("GetDeploymentGroup", request).await?;
            let info = &described["deploymentGroupInfo"];
            groups.push(DeploymentGroup {
                application: text(info, "applicationName")?,
                name: text(info, "deploymentGroupName")?,
                auto_scaling_groups: list(info, "autoScalingGroups")
                    .iter()
                    .map(|group| text(group, "name"))
                    .collect::<Result<_>>()?,
                configuration: text(info, "deploymentConfigName")?,
                update_outdated: info["outdatedInstancesStrategy"] != "IGNORE",
            });
        }
    }
    Ok(groups)
}

/// The instances of all Auto Scaling groups, as they are now.
///
/// # Errors
/// When the emulator does not answer.
pub(crate) async fn machines(emulator: &Emulator, aws: &SdkConfig) -> Result<Vec<Machine>> {
    let described = aws_sdk_autoscaling::Client::new(aws).describe_auto_scaling_groups().send().await?;
    let mut machines = Vec::new();
    for group in described.auto_scaling_groups() {
        let Some(name) = group.auto_scaling_group_name() else { continue };
        for instance in group.instances() {
            let Some(id) = instance.instance_id() else { continue };
            machines.push(Machine {
                id: id.to_owned(),
                auto_scaling_group: name.to_owned(),
                environment: user_data_environment(&user_data(emulator, id).await?),
            });
        }
    }
    Ok(machines)
}

async fn user_data(emulator: &Emulator, instance: &str) -> Result<String> {
    let query = format!(
        "Action=DescribeInstanceAttribute&Version=2016-11-15&Attribute=userData&InstanceId={instance}"
    );
    let answer = emulator.query("ec2", &query).await?;
    let encoded = answer.split_once("<value>").and_then(|(_, rest)| rest.split_once("</value>"));
    let encoded = encoded.map(|(value, _)| value.trim()).unwrap_or_default();
    let decoded =
        STANDARD.decode(encoded).with_context(|| format!("the user data of {instance} is not base64"))?;
    Ok(String::from_utf8_lossy(&decoded).into_owned())
}

/// What `instance/boot/greenlight.sh` would write to the environment file: the settings that a user data script exports.
fn user_data_environment(script: &str) -> BTreeMap<String, String> {
    let exported =
        script.lines().filter_map(|line| line.strip_prefix("export ")).flat_map(str::split_whitespace);
    let setting = |word: &str| {
        let (name, value) = word.split_once('=')?;
        let is_written = name == "AWS_REGION" || name.starts_with("GREENLIGHT_");
        is_written.then(|| (name.to_owned(), value.to_owned()))
    };
    exported.filter_map(setting).collect()
}

async fn listener(aws: &SdkConfig) -> Result<String> {
    let client = aws_sdk_elasticloadbalancingv2::Client::new(aws);
    let balancers = client.describe_load_balancers().send().await?;
    for balancer in balancers.load_balancers() {
        let listeners = client
            .describe_listeners()
            .set_load_balancer_arn(balancer.load_balancer_arn.clone())
            .send()
            .await?;
        for listener in listeners.listeners() {
            let redirects = listener
                .default_actions()
                .iter()
                .any(|action| matches!(action.r#type(), Some(kind) if kind.as_str() == "redirect"));
            if let (false, Some(arn)) = (redirects, listener.listener_arn()) {
                return Ok(arn.to_owned());
            }
        }
    }
    bail!("the template made no load balancer with a listener")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_what_user_data_would_write() {
        let script = "#!/bin/bash\nexport GREENLIGHT_SERVICE=frontend\nexport AWS_REGION=eu-west-1 AGENT=1\n\
                      A=b GREENLIGHT_X=1 systemctl start nginx\n";
        let expected = [("AWS_REGION", "eu-west-1"), ("GREENLIGHT_SERVICE", "frontend")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(user_data_environment(script), BTreeMap::from(expected));
        assert_eq!(user_data_environment("#!/bin/bash\n"), BTreeMap::new());
    }

    #[test]
    fn a_function_and_its_alias_are_named_by_an_arn() {
        for name in ["shop-upload", "shop-upload:live"] {
            let arn = format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}");
            assert_eq!(function_name(&arn), name);
            assert_eq!(function_name(name), name);
        }
    }
}
