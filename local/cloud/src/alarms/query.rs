//! `GetMetricData`: the same metrics and expressions as alarms see, as late and as incomplete.
//!
//! Source: CloudWatch API reference, `GetMetricData`. A period of 60 s is a minute of the local cloud's clock, and a
//! datapoint bears the time of this machine at which its period began.

use super::metrics::History;
use super::sources::{self, Source, Value};
use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::time::Duration;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    /// In seconds since 1970.
    start_time: f64,
    end_time: f64,
    metric_data_queries: Vec<Query>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query {
    id: String,
    label: Option<String>,
    return_data: Option<bool>,
    expression: Option<String>,
    metric_stat: Option<MetricStat>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricStat {
    metric: Metric,
    period: i32,
    stat: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    namespace: String,
    #[serde(rename = "MetricName")]
    name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Dimension {
    name: String,
    value: String,
}

impl Query {
    fn source(self) -> Result<Source> {
        let value = match (self.metric_stat, self.expression) {
            (Some(MetricStat { metric, period, stat }), None) => {
                let dimensions = metric.dimensions.into_iter().map(|one| (one.name, one.value)).collect();
                Value::metric(&metric.namespace, &metric.name, dimensions, stat, period)
            }
            (None, Some(text)) => Value::expression(&text)?,
            _ => anyhow::bail!("query {:?} must have either a MetricStat or an Expression", self.id),
        };
        Ok(Source { id: self.id, label: self.label, returned: self.return_data.unwrap_or(true), value })
    }
}

/// The answer, oldest datapoint first, with times in seconds since 1970.
///
/// # Errors
/// When the request is none.
pub(super) fn answer(request: &Json, history: &History, now: Duration) -> Result<Json> {
    let request = Request::deserialize(request).context("this is no GetMetricData")?;
    let time = |seconds: f64| Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs_f64(seconds);
    let minutes = history.between(time(request.start_time), time(request.end_time));
    let sources =
        request.metric_data_queries.into_iter().map(Query::source).collect::<Result<Vec<Source>>>()?;
    let mut series = sources::evaluate(&sources, history, minutes.clone(), now)?;
    let period = sources.iter().find_map(Source::minutes).unwrap_or(1);
    let results = sources.iter().filter(|source| source.returned).map(|source| {
        let values = series.remove(&source.id).unwrap_or_default();
        let began = history.began(minutes.clone(), source.minutes().unwrap_or(period));
        let (timestamps, values): (Vec<f64>, Vec<f64>) = began
            .into_iter()
            .zip(values)
            .filter_map(|(began, value)| Some((began.as_duration().as_secs_f64(), value?)))
            .unzip();
        let label = source.label.as_ref().unwrap_or(&source.id);
        json!({ "Id": source.id, "Label": label, "Timestamps": timestamps, "Values": values })
    });
    Ok(json!(results.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::super::metrics::tests::history;
    use super::super::publication::Publication;
    use super::*;

    fn asked(from: u64, until: u64, now: u64) -> Json {
        let metric = |id: &str, name: &str| {
            json!({ "Id": id, "ReturnData": id == "requests", "MetricStat": {
                "Period": 60, "Stat": "Sum",
                "Metric": { "Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": [
                    { "Name": "TargetGroup", "Value": "targetgroup/blue/0" },
                ] },
            } })
        };
        let request = json!({ "StartTime": from * 60, "EndTime": until * 60, "MetricDataQueries": [
            { "Id": "rate", "Label": "failed per cent", "Expression": "100 * errors / requests" },
            metric("errors", "HTTPCode_Target_5XX_Count"),
            metric("requests", "RequestCount"),
        ] });
        let history = history(&[(100, 0), (50, 5), (10, 1)], &Publication::new(3));
        answer(&request, &history, Duration::from_mins(now)).unwrap()
    }

    #[test]
    fn what_has_arrived_is_answered_with_its_minutes() {
        let answer = asked(0, 3, 60);
        assert_eq!(
            answer,
            json!([
                { "Id": "rate", "Label": "failed per cent", "Timestamps": [0.0, 60.0, 120.0], "Values": [0.0, 10.0, 10.0] },
                { "Id": "requests", "Label": "requests", "Timestamps": [0.0, 60.0, 120.0], "Values": [200.0, 100.0, 20.0] },
            ])
        );
        assert_eq!(asked(1, 2, 60)[1]["Values"], json!([100.0]), "the end is left out");
    }

    #[test]
    fn what_has_not_arrived_is_not_answered() {
        let early = asked(0, 3, 3);
        assert!(early[1]["Timestamps"].as_array().unwrap().len() < 3, "{early}");
        assert_eq!(asked(0, 3, 1)[0]["Values"], json!([]));
        assert_eq!(asked(7, 9, 60)[1]["Values"], json!([]));
    }

    #[test]
    fn a_query_that_is_none_is_named() {
        let request = json!({ "StartTime": 0, "EndTime": 60, "MetricDataQueries": [{ "Id": "nothing" }] });
        let error = answer(&request, &history(&[], &Publication::new(0)), Duration::ZERO).unwrap_err();
        assert!(format!("{error:#}").contains("\"nothing\""), "{error:#}");
    }
}
