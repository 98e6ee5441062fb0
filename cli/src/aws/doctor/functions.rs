//! The functions, what CloudWatch has counted of them, and where they log.

use super::why;
use crate::operator::doctor::{Counts, Function, FunctionState, Looked};
use aws_config::SdkConfig;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat};
use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{Concurrency, LastUpdateStatus};
use greenlight::settings::Settings;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What was seen of the functions.
pub(super) struct Seen {
    pub(super) all: Vec<Function>,
    /// Those by which releases are driven.
    pub(super) settings: Looked<Settings>,
}

pub(super) async fn look(config: &SdkConfig, stack: &str, has_firewall: bool) -> Seen {
    let client = aws_sdk_lambda::Client::new(config);
    let mut seen = Seen { all: Vec::new(), settings: Err("they could not be read".to_owned()) };
    let names = ["lifecycle", "upload", "alarm", "listener-rule"];
    for function in names.into_iter().chain(has_firewall.then_some("waf-logs")) {
        let name = format!("{stack}-{function}");
        let output = client.get_function().function_name(&name).send().await.map_err(why);
        if function == "lifecycle" {
            seen.settings = output.as_ref().map_err(Clone::clone).and_then(settings);
        }
        seen.all.push(Function { name, state: output.as_ref().map(state).map_err(Clone::clone) });
    }
    seen
}

fn settings(function: &GetFunctionOutput) -> Looked<Settings> {
    let environment = function.configuration().and_then(|configuration| configuration.environment());
    let variables = environment.and_then(|environment| environment.variables());
    let variables: BTreeMap<String, String> =
        variables.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect();
    Settings::read(&variables).map_err(|error| error.to_string())
}

fn state(function: &GetFunctionOutput) -> FunctionState {
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
