//! What CloudWatch has kept of metrics and alarms.

use super::super::{timestamp_of, why};
use crate::operator::doctor::Looked;
use crate::operator::doctor::measure::{Account, Expression, Transition};
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Datapoint, HistoryItemType, MetricAlarm, MetricDataResult, Statistic};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// Seconds before now in which an expression may have no value yet.
const UNFINISHED: i64 = 300;
/// Seconds of a period, where the record of an alarm over an expression names none.
const PERIOD: i64 = 60;

fn seconds(at: i64) -> DateTime {
    DateTime::from_secs(at)
}

/// Three hours of each alarm that judges an expression.
pub(super) async fn expressions(
    client: &Client,
    alarms: &[String],
    now: Timestamp,
) -> Looked<Vec<Expression>> {
    let mut found = Vec::new();
    for names in alarms.chunks(100) {
        let call = client.describe_alarms().set_alarm_names(Some(names.to_vec())).max_records(100);
        let output = call.send().await.map_err(why)?;
        for alarm in output.metric_alarms().iter().filter(|alarm| !alarm.metrics().is_empty()) {
            found.push(expression(client, alarm, now).await?);
        }
    }
    Ok(found)
}

async fn expression(client: &Client, alarm: &MetricAlarm, now: Timestamp) -> Looked<Expression> {
    let mut queries = alarm.metrics().to_vec();
    for query in &mut queries {
        query.return_data = Some(true);
    }
    let until = (now.as_second() - UNFINISHED).div_euclid(60) * 60;
    let output = client
        .get_metric_data()
        .set_metric_data_queries(Some(queries.clone()))
        .start_time(seconds(until - 3 * HOUR))
        .end_time(seconds(until))
        .send()
        .await
        .map_err(why)?;
    let minutes = |id: Option<&str>| -> BTreeSet<i64> {
        let results = output.metric_data_results().iter().filter(|result| result.id() == id);
        results.flat_map(MetricDataResult::timestamps).map(DateTime::secs).collect()
    };
    let metrics = queries.iter().filter(|query| query.expression().is_none());
    let metrics: Vec<BTreeSet<i64>> = metrics.map(|query| minutes(query.id())).collect();
    let all: BTreeSet<i64> = metrics.iter().flatten().copied().collect();
    let judged = alarm.metrics().iter().filter(|query| query.return_data() != Some(false));
    let judged = judged.map(|query| minutes(query.id())).next().unwrap_or_default();
    Ok(Expression {
        alarm: alarm.alarm_name().unwrap_or_default().to_owned(),
        empty: metrics.iter().filter(|minutes| minutes.is_empty()).count(),
        minutes: all.len(),
        without_value: all.difference(&judged).count(),
    })
}

/// Two weeks, which is what CloudWatch keeps longer than (CloudWatch API reference, `DescribeAlarmHistory`); the newest
/// hundred of each alarm.
pub(super) async fn transitions(
    client: &Client,
    alarms: &[String],
    now: Timestamp,
) -> Looked<Vec<Transition>> {
    let mut found = Vec::new();
    for alarm in alarms {
        let output = client
            .describe_alarm_history()
            .alarm_name(alarm)
            .history_item_type(HistoryItemType::StateUpdate)
            .start_date(seconds(now.as_second() - 14 * DAY))
            .max_records(100)
            .send()
            .await
            .map_err(why)?;
        for item in output.alarm_history_items() {
            let at = item.timestamp().map(DateTime::secs);
            found.extend(at.zip(item.history_data()).and_then(|(at, data)| transition(alarm, at, data)));
        }
    }
    Ok(found)
}

/// A change into ALARM, from the end of the oldest period that breached: it may have been whole only after later ones were. CloudWatch writes what it judged into the history
/// (CloudWatch user guide, "Alarm events and EventBridge", has the same members).
fn transition(alarm: &str, at: i64, data: &str) -> Option<Transition> {
    let data: Value = serde_json::from_str(data).ok()?;
    let state = data.get("newState")?;
    if state.get("stateValue")? != "ALARM" {
        return None;
    }
    let judged = state.get("stateReasonData")?;
    let period = judged.get("period").and_then(Value::as_i64).unwrap_or(PERIOD);
    let points = judged.get("evaluatedDatapoints")?.as_array()?;
    let threshold = judged.get("threshold").and_then(Value::as_f64);
    let is_above = |point: &&Value| {
        let value = point.get("value").and_then(Value::as_f64);
        threshold.zip(value).is_none_or(|(threshold, value)| value >= threshold)
    };
    let time_of = |point: &Value| timestamp_of(point.get("timestamp")?.as_str()?);
    let breached = points.iter().filter(is_above).filter_map(time_of).min();
    // One that fires below its threshold.
    let oldest = breached.or_else(|| points.iter().filter_map(time_of).min())?;
    Some(Transition { alarm: alarm.to_owned(), seconds: at - oldest.as_second() - period })
}

/// What the account lets functions do, and how often it refused in the last day.
pub(super) async fn account(
    client: &Client,
    lambda: &aws_sdk_lambda::Client,
    now: Timestamp,
) -> Looked<Account> {
    let settings = lambda.get_account_settings().send().await.map_err(why)?;
    let limit = settings.account_limit().ok_or("Lambda does not say what the account may")?;
    let throttles = client
        .get_metric_statistics()
        .namespace("AWS/Lambda")
        .metric_name("Throttles")
        .statistics(Statistic::Sum)
        .period(3600)
        .start_time(seconds(now.as_second() - DAY))
        .end_time(seconds(now.as_second()))
        .send()
        .await
        .map_err(why)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are whole and not negative"
    )]
    let refused = throttles.datapoints().iter().filter_map(Datapoint::sum).sum::<f64>() as u64;
    Ok(Account { executions: limit.concurrent_executions(), throttles: refused })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transition_is_counted_from_the_end_of_the_minute_that_breached() {
        let told = |state: &str| {
            format!(
                r#"{{"version":"1.0","oldState":{{"stateValue":"OK"}},"newState":{{"stateValue":"{state}","stateReasonData":
                {{"version":"1.0","period":60,"threshold":5.0,"evaluatedDatapoints":[{{"timestamp":"2026-11-28T03:03:00.000+0000","value":2.0}},
                {{"timestamp":"2026-11-28T03:02:00.000+0000","value":9.0}},{{"timestamp":"2026-11-28T03:01:00.000+0000","value":0.0}}]}}}}}}"#
            )
        };
        let at = "2026-11-28T03:05:10Z".parse::<Timestamp>().unwrap().as_second();
        let alarm = "shop.backend-green-errors".to_owned();
        assert_eq!(
            transition(&alarm, at, &told("ALARM")),
            Some(Transition { alarm: alarm.clone(), seconds: 130 })
        );
        assert_eq!(transition(&alarm, at, &told("OK")), None);
        assert_eq!(transition(&alarm, at, "{}"), None);
    }
}
