//! EventBridge: which rule a pattern matches, and what a schedule says.

use serde_json::Value;
use std::time::Duration;

/// Whether `event` matches `pattern`. Known are exact values, `prefix`, `suffix`, `exists` and `anything-but`.
///
/// Source: EventBridge user guide, "Amazon EventBridge event patterns".
pub(crate) fn matches(pattern: &Value, event: &Value) -> bool {
    let Value::Object(fields) = pattern else { return false };
    fields.iter().all(|(name, wanted)| {
        let found = event.get(name);
        match wanted {
            Value::Object(_) => found.is_some_and(|found| matches(wanted, found)),
            Value::Array(choices) => choices.iter().any(|choice| accepts(choice, found)),
            _ => false,
        }
    })
}

/// Whether one choice of a pattern accepts what an event has in that place; a list there is accepted by any element.
fn accepts(choice: &Value, found: Option<&Value>) -> bool {
    if let Some(exists) = choice.get("exists").and_then(Value::as_bool) {
        return exists == found.is_some();
    }
    match found {
        Some(Value::Array(elements)) => elements.iter().any(|element| accepts_one(choice, element)),
        Some(found) => accepts_one(choice, found),
        None => false,
    }
}

fn accepts_one(choice: &Value, found: &Value) -> bool {
    let Value::Object(filter) = choice else { return choice == found };
    filter.iter().all(|(name, argument)| match (name.as_str(), found.as_str(), argument) {
        ("prefix", Some(found), Value::String(prefix)) => found.starts_with(prefix.as_str()),
        ("suffix", Some(found), Value::String(suffix)) => found.ends_with(suffix.as_str()),
        ("anything-but", _, Value::Array(refused)) => !refused.contains(found),
        ("anything-but", _, refused) => refused != found,
        _ => false,
    })
}

/// How often a schedule expression fires; none for cron expressions, which the local cloud does not know.
///
/// Source: EventBridge user guide, "Rate expressions".
pub(crate) fn rate(expression: &str) -> Option<Duration> {
    let inner = expression.trim().strip_prefix("rate(")?.strip_suffix(')')?;
    let (number, unit) = inner.trim().split_once(' ')?;
    let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
    let seconds = match unit.trim().trim_end_matches('s') {
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(number * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event() -> Value {
        json!({
            "source": "aws.codedeploy",
            "detail-type": "CodeDeploy Deployment State-change Notification",
            "resources": ["arn:a", "arn:b"],
            "detail": {"application": "shop", "state": "SUCCESS"},
        })
    }

    #[test]
    fn a_pattern_matches_when_every_field_accepts() {
        let pattern = json!({"source": ["aws.codedeploy"], "detail": {"application": ["shop", "other"]}});
        assert!(matches(&pattern, &event()));
        assert!(!matches(&json!({"source": ["aws.s3"]}), &event()));
        assert!(!matches(&json!({"detail": {"application": ["other"]}}), &event()));
        assert!(!matches(&json!({"account": ["123456789012"]}), &event()));
    }

    #[test]
    fn filters_accept_what_they_say() {
        for (pattern, expected) in [
            (json!({"detail": {"state": [{"prefix": "SUC"}]}}), true),
            (json!({"detail": {"state": [{"suffix": "X"}]}}), false),
            (json!({"detail": {"state": [{"anything-but": ["START"]}]}}), true),
            (json!({"detail": {"state": [{"anything-but": "SUCCESS"}]}}), false),
            (json!({"detail": {"instanceId": [{"exists": false}]}}), true),
            (json!({"resources": ["arn:b"]}), true),
            (json!({"detail": {"state": [{"numeric": ["=", 1]}]}}), false),
        ] {
            assert_eq!(matches(&pattern, &event()), expected, "{pattern}");
        }
    }

    #[test]
    fn rates_are_read() {
        assert_eq!(rate("rate(1 minute)"), Some(Duration::from_mins(1)));
        assert_eq!(rate("rate(5 minutes)"), Some(Duration::from_mins(5)));
        assert_eq!(rate("rate(0 minutes)"), None);
        assert_eq!(rate("cron(0 12 * * ? *)"), None);
    }
}
