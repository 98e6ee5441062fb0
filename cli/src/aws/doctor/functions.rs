//! The functions, what CloudWatch has counted of them, and where they log.

use super::{timestamp_of, why};
use crate::operator::doctor::{Alias, Canary, Counts, Function, FunctionState, Looked};
use aws_config::SdkConfig;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::get_alias::{GetAliasError, GetAliasOutput};
use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::{Concurrency, LastUpdateStatus};
use greenlight::settings::Settings;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What was seen of the functions.
pub(super) struct Seen {
    pub(super) all: Vec<Function>,
    /// Those by which releases are driven.
    pub(super) settings: Looked<Settings>,
    /// The aliases of `lifecycle`; none in a stack that has none yet.
    pub(super) aliases: Looked<Vec<Alias>>,
}

/// The aliases of `lifecycle`, the one first that answers commands and ticks.
const ALIASES: [&str; 2] = ["operators", "hooks"];

pub(super) async fn look(config: &SdkConfig, stack: &str, has_firewall: bool) -> Seen {
    let client = Client::new(config);
    let (aliases, settings) = answering(&client, stack).await;
    let mut all = Vec::new();
    let names = ["lifecycle", "upload", "alarm", "listener-rule"];
    for function in names.into_iter().chain(has_firewall.then_some("waf-logs")) {
        let name = format!("{stack}-{function}");
        let state = client.get_function().function_name(&name).send().await.map_err(why);
        all.push(Function { name, state: state.as_ref().map(state_of).map_err(Clone::clone) });
    }
    Seen { all, settings, aliases }
}

/// The aliases of `lifecycle`, and what is told to the version that answers.
pub(super) async fn answering(client: &Client, stack: &str) -> (Looked<Vec<Alias>>, Looked<Settings>) {
    let lifecycle = format!("{stack}-lifecycle");
    let aliases = aliases(client, &lifecycle).await;
    let answers = aliases.as_ref().ok().and_then(|aliases| aliases.first());
    let settings = settings(client, &lifecycle, answers.map(|alias| alias.version.as_str())).await;
    (aliases, settings)
}

/// The settings of the version that answers, which are not those of the function while a new version is being tried, nor
/// after it was given up.
async fn settings(client: &Client, function: &str, version: Option<&str>) -> Looked<Settings> {
    let call = client.get_function_configuration().function_name(function);
    let output = call.set_qualifier(version.map(str::to_owned)).send().await.map_err(why)?;
    Settings::read(&variables(&output)).map_err(|error| error.to_string())
}

/// What a version of a function is told.
pub(super) fn variables(output: &GetFunctionConfigurationOutput) -> BTreeMap<String, String> {
    let variables = output.environment().and_then(|environment| environment.variables());
    variables.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}

async fn aliases(client: &Client, function: &str) -> Looked<Vec<Alias>> {
    let mut aliases = Vec::new();
    for name in ALIASES {
        match client.get_alias().function_name(function).name(name).send().await {
            Ok(output) => aliases.push(alias(client, function, name, &output).await?),
            // A stack of before there were aliases.
            Err(error)
                if error.as_service_error().is_some_and(GetAliasError::is_resource_not_found_exception) => {}
            Err(error) => return Err(why(error)),
        }
    }
    Ok(aliases)
}

async fn alias(
    client: &Client,
    function: &str,
    name: &'static str,
    output: &GetAliasOutput,
) -> Looked<Alias> {
    let version = output.function_version().ok_or("AWS does not say which version the alias has")?;
    let weights = output.routing_config().and_then(|routing| routing.additional_version_weights());
    let mut canary = None;
    // An alias divides its calls between two versions at most (Lambda developer guide, "Alias routing").
    if let Some((version, share)) = weights.into_iter().flatten().find(|(_, share)| **share > 0.0) {
        let call = client.get_function_configuration().function_name(function).qualifier(version);
        let published = call.send().await.map_err(why)?;
        canary = Some(Canary {
            version: version.clone(),
            percent: percent(*share),
            published_at: published.last_modified().and_then(timestamp_of),
        });
    }
    Ok(Alias { name, version: version.to_owned(), canary })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is between 0 and 1")]
fn percent(share: f64) -> u8 {
    (share.clamp(0.0, 1.0) * 100.0).round() as u8
}

fn state_of(function: &GetFunctionOutput) -> FunctionState {
    let Some(configuration) = function.configuration() else { return FunctionState::default() };
    let failed = configuration.last_update_status() == Some(&LastUpdateStatus::Failed);
    let why = configuration.last_update_status_reason().unwrap_or("AWS does not say why");
    FunctionState {
        state: configuration.state().map_or_else(|| "Active".to_owned(), |state| state.as_str().to_owned()),
        reason: configuration.state_reason().map(str::to_owned),
        update_failed: failed.then(|| why.to_owned()),
        reserved: function.concurrency().and_then(Concurrency::reserved_concurrent_executions),
    }
}

/// What is counted of a function (Lambda developer guide, "Types of metrics for Lambda functions").
const METRICS: [&str; 2] = ["Errors", "Throttles"];

/// One `GetMetricData` for all functions; it is charged by the metric, 0.01 dollars for a thousand.
pub(super) async fn last_hour(
    config: &SdkConfig,
    functions: &[Function],
    now: Timestamp,
) -> Looked<BTreeMap<String, Counts>> {
    let queries = functions.iter().enumerate().flat_map(|(index, function)| {
        METRICS.map(|metric| query(&format!("{}{index}", metric.to_lowercase()), metric, &function.name))
    });
    let client = aws_sdk_cloudwatch::Client::new(config);
    let call = client
        .get_metric_data()
        .set_metric_data_queries(Some(queries.collect()))
        .start_time(DateTime::from_secs(now.as_second() - 3600))
        .end_time(DateTime::from_secs(now.as_second()));
    let output = call.send().await.map_err(why)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are whole and not negative"
    )]
    let sum = |id: &str| {
        let results = output.metric_data_results().iter().filter(|result| result.id() == Some(id));
        results.flat_map(MetricDataResult::values).sum::<f64>() as u64
    };
    let counts = functions.iter().enumerate().map(|(index, function)| {
        let counts =
            Counts { errors: sum(&format!("errors{index}")), throttles: sum(&format!("throttles{index}")) };
        (function.name.clone(), counts)
    });
    Ok(counts.collect())
}

fn query(id: &str, metric: &str, function: &str) -> MetricDataQuery {
    let dimension = Dimension::builder().name("FunctionName").value(function).build();
    let metric = Metric::builder().namespace("AWS/Lambda").metric_name(metric).dimensions(dimension).build();
    let stat = MetricStat::builder().metric(metric).period(300).stat("Sum").build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}

/// The log groups of the functions and of the services' instances.
pub(super) async fn log_groups(config: &SdkConfig, stack: &str) -> Looked<BTreeMap<String, Option<i32>>> {
    let client = aws_sdk_cloudwatchlogs::Client::new(config);
    let mut found = BTreeMap::new();
    for prefix in [format!("/aws/lambda/{stack}-"), format!("/greenlight/{stack}/")] {
        let pages =
            client.describe_log_groups().log_group_name_prefix(prefix).into_paginator().items().send();
        for group in pages.collect::<Result<Vec<_>, _>>().await.map_err(why)? {
            found.insert(group.log_group_name().unwrap_or_default().to_owned(), group.retention_in_days());
        }
    }
    Ok(found)
}
