//! What `greenlight doctor` looks at. Whatever cannot be read is left unknown, and the rest is read all the same.

mod agents;
mod failures;
mod firewall;
mod functions;
pub(crate) mod measure;
mod services;
mod stack;

use super::Account;
use crate::operator::doctor::{Alarm, AlarmState, Bucket, Facts, Looked, Queue, Rule, Schedule, Topic};
use aws_config::SdkConfig;
use aws_sdk_cloudwatch::types::StateValue;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::BucketVersioningStatus;
use greenlight::aws::classify::{CallError, Caller, failure_of};
use greenlight::failure::{Failure, chain};
use greenlight::settings::Settings;
use jiff::Timestamp;
use release::{Ledger, PerColour};
use std::collections::BTreeMap;
use std::error::Error;

/// Where the events lie that each function gave up on, by name in the template.
const QUEUES: [(&str, &str); 4] = [
    ("UploadFailures", "upload"),
    ("LifecycleFailures", "lifecycle"),
    ("AlarmFailures", "alarm"),
    ("WafLogsFailures", "waf-logs"),
];

/// What EventBridge wakes the functions by, by name in the template, and what stands still without it.
const SCHEDULES: [(&str, &str); 3] = [
    ("LifecycleFunctionTick", "releases of instances that do not ask stand still, and nobody is told"),
    ("LifecycleFunctionDeployment", "the end of a deployment is seen up to a minute later"),
    ("WafLogsFunctionTick", "nobody is blocked, and no block ends"),
];

/// Alarms about Greenlight itself, without the stack's name.
const OWN_ALARMS: [&str; 6] =
    ["no-tick", "lifecycle-errors", "upload-failed", "lifecycle-failed", "alarm-failed", "waf-logs-failed"];

/// Looks at a stack. `ledgers` is what its lifecycle function answers.
pub(crate) async fn look(
    account: &Account,
    name: &str,
    ledgers: Looked<BTreeMap<String, Looked<Ledger>>>,
    now: Timestamp,
) -> Facts {
    let config = account.config().await;
    let (stack, resources) = stack::look(&config, name).await;
    let has = |resource: &str| resources.as_ref().is_ok_and(|resources| resources.contains_key(resource));
    let has_firewall = has("WafLogsFunction");
    let functions = functions::look(&config, name, has_firewall).await;
    let s3 = account.s3().await;
    let mut services = Vec::new();
    if let Ok(settings) = &functions.settings {
        services = services::look(&config, name, settings, &ledgers).await;
    }
    let (mut queues, mut schedules, mut firewall) = (Vec::new(), Vec::new(), None);
    if let Ok(resources) = &resources {
        queues = look_at_queues(&config, resources, has_firewall).await;
        schedules = look_at_schedules(&config, resources, has_firewall).await;
        if let Some(load_balancer) = resources.get("LoadBalancer").filter(|_| has_firewall) {
            let web_acl = stack.as_ref().ok().zip(resources.get("WebAcl"));
            let web_acl = web_acl.and_then(|(stack, id)| firewall::web_acl_arn(&stack.id, id));
            firewall = Some(firewall::look(&config, load_balancer, web_acl).await);
        }
    }
    Facts {
        name: name.to_owned(),
        watched: has("Watch"),
        stack,
        alarms: look_at_alarms(&config, name, functions.settings.as_ref().ok()).await,
        buckets: look_at_buckets(&s3, name, functions.settings.as_ref().ok()).await,
        topic: look_at_the_topic(&config, functions.settings.as_ref().ok()).await,
        settings: functions
            .settings
            .map(|settings| settings.faults.iter().map(ToString::to_string).collect()),
        last_hour: functions::last_hour(&config, &functions.all, now).await,
        log_groups: functions::log_groups(&config, name).await,
        functions: functions.all,
        aliases: functions.aliases,
        queues,
        schedules,
        firewall,
        services,
    }
}

/// What AWS calls the resources of the template, by their names there.
type Resources = BTreeMap<String, String>;

fn physical<'a>(resources: &'a Resources, name: &str) -> Looked<&'a str> {
    let known = resources.get(name).map(String::as_str);
    known.ok_or_else(|| format!("the stack has no resource {name}: it is another version's"))
}

async fn look_at_queues(config: &SdkConfig, resources: &Resources, has_firewall: bool) -> Vec<Queue> {
    let mut queues = Vec::new();
    for (name, function) in QUEUES.into_iter().filter(|(name, _)| has_firewall || *name != "WafLogsFailures")
    {
        let held = match physical(resources, name) {
            Ok(url) => failures::look(config, url).await,
            Err(why) => Err(why),
        };
        queues.push(Queue { name, function, held });
    }
    queues
}

async fn look_at_schedules(config: &SdkConfig, resources: &Resources, has_firewall: bool) -> Vec<Schedule> {
    let mut schedules = Vec::new();
    for (name, without_it) in
        SCHEDULES.into_iter().filter(|(name, _)| has_firewall || *name != "WafLogsFunctionTick")
    {
        let rule = match physical(resources, name) {
            Ok(rule) => look_at_a_rule(config, rule).await,
            Err(why) => Err(why),
        };
        schedules.push(Schedule { name, without_it, rule });
    }
    schedules
}

/// Why a call failed, in AWS's words. Who may look is another's advice than the functions'.
fn why<E>(error: CallError<E>) -> String
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    cause(&failure_of(Caller::Person, "looking", error))
}

/// A time as Lambda writes it, `2026-11-28T03:00:00.000+0000`: its zone has no colon (Lambda API reference,
/// `FunctionConfiguration`).
fn timestamp_of(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text).ok())
}

/// The cause of a failure, without what a function would do next.
fn cause(failure: &Failure) -> String {
    failure.source().map_or_else(|| failure.to_string(), chain)
}

async fn look_at_a_rule(config: &SdkConfig, name: &str) -> Looked<Rule> {
    let client = aws_sdk_eventbridge::Client::new(config);
    let rule = client.describe_rule().name(name).send().await.map_err(why)?;
    let targets = client.list_targets_by_rule().rule(name).send().await.map_err(why)?;
    let enabled = rule.state().is_some_and(|state| state.as_str() != "DISABLED");
    Ok(Rule { name: name.to_owned(), enabled, targets: targets.targets().len() })
}

/// One `DescribeAlarms` for a hundred names (CloudWatch API reference).
async fn look_at_alarms(
    config: &SdkConfig,
    stack: &str,
    settings: Option<&Settings>,
) -> Looked<BTreeMap<String, Alarm>> {
    let own = OWN_ALARMS.iter().map(|alarm| format!("{stack}-{alarm}"));
    let services = settings.into_iter().flat_map(|settings| settings.services.values());
    let judging = services.flat_map(|service| {
        let PerColour { blue, green } = &service.alarms;
        blue.iter().chain(green).cloned()
    });
    let names: Vec<String> = own.chain(judging).collect();
    let client = aws_sdk_cloudwatch::Client::new(config);
    let mut found = BTreeMap::new();
    for names in names.chunks(100) {
        let call = client.describe_alarms().set_alarm_names(Some(names.to_vec())).max_records(100);
        let output = call.send().await.map_err(why)?;
        for alarm in output.metric_alarms() {
            let seen = Alarm {
                state: alarm_state(alarm.state_value()),
                actions_enabled: alarm.actions_enabled().unwrap_or(true),
                actions: alarm.alarm_actions().len(),
            };
            found.insert(alarm.alarm_name().unwrap_or_default().to_owned(), seen);
        }
    }
    Ok(found)
}

fn alarm_state(state: Option<&StateValue>) -> AlarmState {
    match state {
        Some(StateValue::Ok) => AlarmState::Ok,
        Some(StateValue::Alarm) => AlarmState::Firing,
        _ => AlarmState::NoData,
    }
}

async fn look_at_buckets(
    client: &aws_sdk_s3::Client,
    stack: &str,
    settings: Option<&Settings>,
) -> Vec<Bucket> {
    let Some(settings) = settings else { return Vec::new() };
    let mut buckets = Vec::new();
    for name in [&settings.artifact_bucket, &settings.state_bucket] {
        let versions = client.get_bucket_versioning().bucket(name).send().await.map_err(why);
        let versions =
            versions.map(|versioning| versioning.status() == Some(&BucketVersioningStatus::Enabled));
        let tells = if *name == settings.artifact_bucket {
            Some(tells_of_uploads(client, name, stack).await)
        } else {
            None
        };
        buckets.push(Bucket { name: name.clone(), versions, tells });
    }
    buckets
}

/// Whether the bucket invokes the upload function for what is created.
async fn tells_of_uploads(client: &aws_sdk_s3::Client, bucket: &str, stack: &str) -> Looked<bool> {
    let call = client.get_bucket_notification_configuration().bucket(bucket);
    let configuration = call.send().await.map_err(why)?;
    let function = format!(":function:{stack}-upload");
    Ok(configuration.lambda_function_configurations().iter().any(|one| {
        let arn = one.lambda_function_arn();
        let is_ours = arn.ends_with(&function) || arn.contains(&format!("{function}:"));
        is_ours && one.events().iter().any(|event| event.as_str().starts_with("s3:ObjectCreated:"))
    }))
}

async fn look_at_the_topic(config: &SdkConfig, settings: Option<&Settings>) -> Looked<Topic> {
    let arn = settings.map(|settings| settings.topic_arn.clone());
    let arn = arn.ok_or("the functions' settings, which name it, are not known")?;
    let client = aws_sdk_sns::Client::new(config);
    let pages = client.list_subscriptions_by_topic().topic_arn(&arn).into_paginator().items().send();
    let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(why)?;
    // What is not confirmed has these words for an ARN, what has ended the others (SNS API reference, Subscription).
    let is = |words: &str| all.iter().filter(|one| one.subscription_arn() == Some(words)).count();
    let (pending, deleted) = (is("PendingConfirmation"), is("Deleted"));
    Ok(Topic { arn, confirmed: all.len() - pending - deleted, pending })
}
