//! CloudWatch Logs, as far as somebody reads what functions have written: the emulator knows the groups, and the functions write
//! to files.
//!
//! Source: CloudWatch Logs API reference, `FilterLogEvents`; user guide, "Filter pattern syntax". Of patterns only optional
//! terms are known. A line has the time that it says, else that of the line before it, and can be read at once.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// Bytes of an answer at most.
const PAGE: usize = 1 << 20;

/// What is asked of a log.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    log_group_name: String,
    #[serde(default)]
    filter_pattern: String,
    #[serde(default)]
    start_time: i64,
    end_time: Option<i64>,
    next_token: Option<String>,
}

impl Asked {
    /// The function whose log it is.
    pub(super) fn function(&self) -> Option<&str> {
        self.log_group_name.strip_prefix("/aws/lambda/")
    }

    /// The answer from a log's text.
    pub(super) fn of(&self, log: &str) -> Value {
        let terms = terms(&self.filter_pattern);
        let matches = |line: &str| terms.is_empty() || terms.iter().any(|term| line.contains(term.as_str()));
        let until = self.end_time.unwrap_or(i64::MAX);
        let first: usize = self.next_token.as_ref().and_then(|token| token.parse().ok()).unwrap_or_default();
        let (mut at, mut bytes, mut events) = (None, 0, Vec::new());
        for (number, line) in log.lines().enumerate() {
            at = time(line).or(at);
            let Some(at) = at.filter(|at| (self.start_time..=until).contains(at)) else { continue };
            if number < first || !matches(line) {
                continue;
            }
            if bytes + line.len() > PAGE && !events.is_empty() {
                return json!({ "events": events, "nextToken": number.to_string() });
            }
            bytes += line.len();
            events.push(json!({
                "logStreamName": "local", "timestamp": at, "ingestionTime": at, "message": line,
                "eventId": number.to_string(),
            }));
        }
        json!({ "events": events })
    }
}

/// In milliseconds since 1970.
fn time(line: &str) -> Option<i64> {
    let record: Value = serde_json::from_str(line).ok()?;
    let time: Timestamp = record.get("timestamp")?.as_str()?.parse().ok()?;
    Some(time.as_millisecond())
}

/// The terms of `?one ?"the other"`.
fn terms(pattern: &str) -> Vec<String> {
    let mut terms = Vec::new();
    let mut rest = pattern;
    while let Some((_, term)) = rest.split_once('?') {
        let (term, after) = match term.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => term.split_once(' ').unwrap_or((term, "")),
        };
        terms.push(term.to_owned());
        rest = after;
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "before any time\n\
        {\"timestamp\":\"2026-11-28T08:00:00Z\",\"message\":\"decided\"}\n\
        Task timed out after 30 seconds\n\
        {\"timestamp\":\"2026-11-28T08:01:00Z\",\"message\":\"answered a hook\"}\n\
        {\"timestamp\":\"2026-11-28T08:02:00Z\",\"message\":\"decided\"}\n";

    fn read(asked: Value) -> Vec<String> {
        let asked: Asked = serde_json::from_value(asked).unwrap();
        assert_eq!(asked.function(), Some("shop-alarm"));
        let answer = asked.of(LOG);
        let events = answer["events"].as_array().unwrap().iter();
        events.map(|event| event["eventId"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_log_is_read_by_time_and_by_any_of_some_terms() {
        let minute = |minute: i64| 1_795_852_800_000 + minute * 60_000;
        let group = "/aws/lambda/shop-alarm";
        assert_eq!(read(json!({ "logGroupName": group })), ["1", "2", "3", "4"]);
        let pattern = "?decided ?\"Task timed out\"";
        assert_eq!(read(json!({ "logGroupName": group, "filterPattern": pattern })), ["1", "2", "4"]);
        let (from, until) = (minute(1), minute(1));
        assert_eq!(read(json!({ "logGroupName": group, "startTime": from, "endTime": until })), ["3"]);
        assert_eq!(read(json!({ "logGroupName": group, "nextToken": "4" })), ["4"]);
    }

    #[test]
    fn what_is_larger_than_an_answer_comes_in_several() {
        let line = |number: u8| {
            json!({ "timestamp": "2026-11-28T08:00:00Z", "number": number, "text": "x".repeat(600_000) })
                .to_string()
        };
        let log = [line(0), line(1), line(2)].join("\n");
        let asked = |token: &Value| -> Asked {
            serde_json::from_value(json!({ "logGroupName": "/aws/lambda/shop-alarm", "nextToken": token }))
                .unwrap()
        };
        let (mut token, mut pages) = (Value::Null, 0);
        loop {
            let answer = asked(&token).of(&log);
            assert_eq!(answer["events"].as_array().unwrap().len(), 1);
            pages += 1;
            token = answer["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(pages, 3);
    }
}
