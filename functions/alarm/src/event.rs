//! The alarm's name, and nothing else of the payload.
//!
//! `aws_lambda_events` is not used for alarms: it rejects metric-math alarms, periods above 65535 s and
//! composite alarms without a suppressor, and reads a missing state as `OK`. All of these must wake us.

use serde_json::Value;

/// The alarm that a payload is about, as CloudWatch sends it straight to a function
/// (CloudWatch user guide, alarms-and-actions-Lambda).
pub fn alarm_name(payload: &Value) -> Option<&str> {
    payload.get("alarmData")?.get("alarmName")?.as_str()
}
