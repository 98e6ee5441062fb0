//! What a Lambda function gets from an alarm.
//!
//! Source: CloudWatch user guide, "Invoke a Lambda function from an alarm". Times end in `+0000`.

use super::definition::AlarmDefinition;
use super::evaluation::{AlarmState, Evaluated};
use super::sources::Value;
use crate::aws;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

/// The payload of a change of state.
pub(super) fn payload(alarm: &AlarmDefinition, from: AlarmState, to: &Evaluated, at: Timestamp) -> Json {
    let time = at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string();
    let metrics: Vec<Json> = alarm
        .sources
        .iter()
        .map(|source| {
            let mut line = json!({ "id": source.id, "returnData": source.returned });
            if let Some(label) = &source.label {
                line["label"] = json!(label);
            }
            match &source.value {
                Value::Expression { text, .. } => line["expression"] = json!(text),
                Value::Metric { metric, namespace, dimensions, period } => {
                    line["metricStat"] = json!({
                        "metric": { "namespace": namespace, "name": metric.name, "dimensions": dimensions },
                        "period": period,
                        "stat": metric.statistic,
                    });
                }
            }
            line
        })
        .collect();
    json!({
        "source": "aws.cloudwatch",
        "alarmArn": alarm.arn,
        "accountId": aws::ACCOUNT,
        "time": time,
        "region": aws::REGION,
        "alarmData": {
            "alarmName": alarm.name,
            "state": { "value": to.state.as_str(), "reason": to.reason, "reasonData": "{}", "timestamp": time },
            "previousState": { "value": from.as_str(), "reason": "", "reasonData": "{}", "timestamp": time },
            "configuration": { "description": alarm.description, "metrics": metrics },
        },
    })
}
