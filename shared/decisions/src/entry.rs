//! A line of a function's log, as far as somebody must see it.

use crate::Decision;
use serde_json::Value;

/// Bytes of a text at most. Records of our own are shorter; this bounds what others have written.
const LONGEST: usize = 4096;

/// What is worth telling of a log.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// What a pass decided.
    Decided(Box<Decision>),
    /// What an operator has said, if that changed something.
    Commanded(Commanded),
    /// What went wrong.
    Trouble(Trouble),
}

/// A record of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commanded {
    /// To which service.
    pub service: String,
    /// The command, what was said with it, and what it changed.
    pub text: String,
}

/// A record of something that went wrong: a call that failed, a function that did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Of which service, where it is about one.
    pub service: Option<String>,
    /// What, on one line of at most 4,096 bytes.
    pub text: String,
}

impl Entry {
    /// What a line tells; nothing for a decision of which nothing came because another pass was first, and for what says only
    /// that all is well.
    pub fn read(line: &str) -> Option<Self> {
        match Decision::read(line) {
            Ok(Some(decision)) => return Some(Self::Decided(Box::new(decision))),
            Ok(None) => {}
            Err(error) => {
                return Some(trouble(
                    None,
                    &format!("a decision record that another version of Greenlight has written ({error})"),
                ));
            }
        }
        match serde_json::from_str::<Value>(line) {
            Ok(record) => of_record(&record),
            Err(_) => of_the_runtime(line),
        }
    }
}

/// Commands, warnings and errors, as the functions write them.
fn of_record(record: &Value) -> Option<Entry> {
    let text = |name: &str| record.get(name).and_then(Value::as_str);
    let is = |name: &str| record.get(name).and_then(Value::as_bool).unwrap_or(false);
    if text("message") == Some("took a command") && is("changed") && !is("dry_run") {
        let said = text("said").map(|said| format!(" ({said})")).unwrap_or_default();
        let whole = format!("an operator said {}{said}: {}", text("command")?, text("says").unwrap_or(""));
        return Some(Entry::Commanded(Commanded {
            service: text("service")?.to_owned(),
            text: on_one_line(&whole),
        }));
    }
    if !matches!(text("level"), Some("WARN" | "ERROR")) {
        return None;
    }
    let message = text("message").unwrap_or("something went wrong");
    let whole = match text("error") {
        Some(error) if !message.contains(error) => format!("{message}: {error}"),
        _ => message.to_owned(),
    };
    Some(trouble(text("service"), &whole))
}

/// What Lambda itself says of a function that was ended, or did not start (Lambda developer guide, "Troubleshoot execution
/// issues" and "Lambda execution environment").
fn of_the_runtime(line: &str) -> Option<Entry> {
    let from = |mark: &str| line.find(mark).and_then(|at| line.get(at..));
    let of_a_start = || from("Status: ").filter(|_| line.starts_with("INIT_REPORT"));
    let what = from("Task timed out").or_else(|| from("Error: Runtime")).or_else(of_a_start)?;
    Some(trouble(None, &format!("Lambda ended the function: {what}")))
}

fn trouble(service: Option<&str>, text: &str) -> Entry {
    Entry::Trouble(Trouble { service: service.map(str::to_owned), text: on_one_line(text) })
}

fn on_one_line(text: &str) -> String {
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.truncate(text.floor_char_boundary(LONGEST));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Option<(Option<String>, String)> {
        match Entry::read(line)? {
            Entry::Trouble(Trouble { service, text }) => Some((service, text)),
            Entry::Decided(decision) => Some((Some(decision.service), "decided".to_owned())),
            Entry::Commanded(Commanded { service, text }) => Some((Some(service), text)),
        }
    }

    #[test]
    fn what_went_wrong_is_told_with_its_cause_and_what_is_well_is_not() {
        let cases = [
            (
                r#"{"level":"WARN","message":"a call failed; the next poll or tick tries again","service":"backend","error":"reading the rules failed:\n throttled"}"#,
                Some(Some("backend")),
                "a call failed; the next poll or tick tries again: reading the rules failed: throttled",
            ),
            (
                r#"{"level":"ERROR","message":"the topic cannot be reached: refused","error":"refused"}"#,
                Some(None),
                "the topic cannot be reached: refused",
            ),
            (
                "2026-11-28T03:04:05.678Z 8f5 Task timed out after 30.00 seconds\n",
                Some(None),
                "Lambda ended the function: Task timed out after 30.00 seconds",
            ),
            (
                "RequestId: 8f5 Error: Runtime exited with error: signal: killed\nRuntime.ExitError",
                Some(None),
                "Lambda ended the function: Error: Runtime exited with error: signal: killed Runtime.ExitError",
            ),
            (
                "INIT_REPORT Init Duration: 10008.64 ms\tPhase: init\tStatus: timeout",
                Some(None),
                "Lambda ended the function: Status: timeout",
            ),
            (r#"{"level":"INFO","message":"answered a hook"}"#, None, ""),
            (
                r#"{"level":"INFO","message":"took a command","service":"backend","command":"pause","changed":true,"dry_run":false,"said":"sara: to look","says":"paused while idle"}"#,
                Some(Some("backend")),
                "an operator said pause (sara: to look): paused while idle",
            ),
            (
                r#"{"level":"INFO","message":"took a command","service":"backend","command":"pause","changed":true,"dry_run":true,"says":"paused"}"#,
                None,
                "",
            ),
            (
                r#"{"level":"INFO","message":"took a command","service":"backend","command":"status","changed":false,"dry_run":false,"says":"idle"}"#,
                None,
                "",
            ),
            ("START RequestId: 8f5 Version: $LATEST", None, ""),
            ("REPORT RequestId: 8f5 Duration: 12 ms", None, ""),
            ("", None, ""),
            ("[1]", None, ""),
        ];
        for (line, service, text) in cases {
            let expected = service.map(|service| (service.map(str::to_owned), text.to_owned()));
            assert_eq!(told(line), expected, "{line}");
        }
    }

    #[test]
    fn a_decision_is_one_and_that_of_another_version_is_told_as_such() {
        let record = include_str!("../records/story.jsonl").lines().next().unwrap();
        assert_eq!(told(record).unwrap().1, "decided");
        let (_, text) = told(&record.replace("observation", "seen")).unwrap();
        assert!(text.starts_with("a decision record that another version"), "{text}");
    }

    #[test]
    fn no_text_is_longer_than_a_page() {
        let line = serde_json::json!({ "level": "ERROR", "message": "ü".repeat(100_000) }).to_string();
        assert_eq!(told(&line).unwrap().1.len(), LONGEST);
    }
}
