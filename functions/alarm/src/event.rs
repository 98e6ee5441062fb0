//! Which alarms a payload is about, and nothing else of it.
//!
//! `aws_lambda_events` is not used for alarms: it rejects metric-math alarms, periods above 65535 s and
//! composite alarms without a suppressor, and reads a missing state as `OK`. All of these must wake us. States and
//! times are not read at all, because the pass reads the alarms themselves.

use serde_json::Value;
use std::collections::BTreeSet;

/// What a payload says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The alarms that it names.
    pub alarms: BTreeSet<String>,
    /// How many of its parts name no alarm; above 0 the payload is not understood.
    pub unread: usize,
}

/// Finds the alarms of a payload, whichever way it came:
///
/// - straight: `alarmData.alarmName` (CloudWatch user guide, alarms and actions, Lambda);
/// - through EventBridge: `detail.alarmName` (CloudWatch user guide, alarm events and EventBridge);
/// - through SNS: `Records[].Sns.Message`, a JSON text with `AlarmName`, or with the EventBridge event where an
///   EventBridge rule feeds the topic.
pub fn read(payload: &Value) -> Told {
    let mut told = Told::default();
    match payload.get("Records").and_then(Value::as_array) {
        Some(records) if !records.is_empty() => {
            for record in records {
                told.add(message(record).as_ref().and_then(alarm_name));
            }
        }
        Some(_) | None => told.add(alarm_name(payload)),
    }
    told
}

impl Told {
    /// Of a payload that no reader of JSON takes.
    pub fn unreadable() -> Self {
        Self { unread: 1, ..Self::default() }
    }

    fn add(&mut self, alarm: Option<&str>) {
        match alarm {
            Some(alarm) => {
                self.alarms.insert(alarm.to_owned());
            }
            None => self.unread += 1,
        }
    }
}

fn message(record: &Value) -> Option<Value> {
    let text = record.get("Sns")?.get("Message")?.as_str()?;
    serde_json::from_str(text).ok()
}

fn alarm_name(payload: &Value) -> Option<&str> {
    ["/alarmData/alarmName", "/detail/alarmName", "/AlarmName"]
        .iter()
        .find_map(|path| payload.pointer(path)?.as_str())
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_record_is_read_by_itself() {
        let record = |message: &str| json!({ "EventSource": "aws:sns", "Sns": { "Message": message } });
        let payload = json!({ "Records": [
            record(r#"{"AlarmName": "a", "NewStateValue": "ALARM"}"#),
            record("no JSON"),
            record(r#"{"AlarmName": 5}"#),
            record(r#"{"source": "aws.cloudwatch", "detail": {"alarmName": "b"}}"#),
            json!({ "s3": {} }),
        ] });
        let alarms = ["a", "b"].map(str::to_owned).into();
        assert_eq!(read(&payload), Told { alarms, unread: 3 });
    }

    #[test]
    fn what_names_no_alarm_is_unread() {
        for payload in
            [json!(null), json!([1]), json!("x"), json!({ "Records": [] }), json!({ "AlarmName": "" })]
        {
            assert_eq!(read(&payload), Told { alarms: BTreeSet::new(), unread: 1 }, "{payload}");
        }
    }
}
