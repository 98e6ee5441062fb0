//! What the functions decided and why, from their logs as they are written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::display::Display;

/// Between two looks into the logs.
const LOOK: Duration = Duration::from_millis(200);

/// The logs of the functions.
#[derive(Debug)]
pub(super) struct Decisions {
    folder: PathBuf,
    read: BTreeMap<PathBuf, u64>,
    /// Where each service stood and what was done, as last read.
    last: BTreeMap<String, (String, String)>,
}

impl Decisions {
    /// Of all logs in this folder.
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), read: BTreeMap::new(), last: BTreeMap::new() }
    }

    /// Shows every decision that changes something, for ever.
    pub(super) async fn show(mut self, display: Arc<Display>) {
        loop {
            for line in self.new_lines().await {
                if let Some(text) = self.told(&line) {
                    display.line(&text);
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A decision in words; none for other lines, and for decisions that say what the last one of the service said.
    fn told(&mut self, line: &str) -> Option<String> {
        let record: Value = serde_json::from_str(line).ok()?;
        let phase = record.get("decision")?.as_str()?;
        if came_too_late(&record) {
            return None;
        }
        let service = record.get("service")?.as_str()?;
        let field = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
        let weight = record.get("weight").and_then(Value::as_u64).unwrap_or_default();
        let release = record.get("release").and_then(Value::as_u64);
        let release =
            release.map_or_else(String::new, |number| format!("release {number} on {}", field("candidate")));
        let actions = field("actions");
        let stands = format!("{phase} {weight} {release}");
        let stood = self.last.insert(service.to_owned(), (stands.clone(), actions.to_owned()));
        let said =
            stood.is_some_and(|(stood, did)| stood == stands && (actions.is_empty() || did == actions));
        if said {
            return None;
        }
        let does = if actions.is_empty() { String::new() } else { format!("  does: {actions}") };
        Some(format!(
            "{service:<9} {phase:<10} {weight:>3} %  {release}{does}  because: {}",
            field("reasons")
        ))
    }

    async fn new_lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let Ok(mut entries) = tokio::fs::read_dir(&self.folder).await else { return lines };
        while let Ok(Some(entry)) = entries.next_entry().await {
            let path = entry.path();
            let name = entry.file_name();
            let is_function = name.to_string_lossy().ends_with(".jsonl") && name != "invocations.jsonl";
            if is_function && let Some(text) = self.appended(&path).await {
                lines.extend(text.lines().map(ToOwned::to_owned));
            }
        }
        lines
    }

    /// The whole lines that were appended since the last look.
    async fn appended(&mut self, path: &Path) -> Option<String> {
        let position = self.read.entry(path.to_owned()).or_default();
        let mut file = tokio::fs::File::open(path).await.ok()?;
        file.seek(std::io::SeekFrom::Start(*position)).await.ok()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).await.ok()?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        bytes.truncate(whole);
        *position += u64::try_from(whole).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Whether another pass wrote the ledger first, so that nothing came of the decision.
fn came_too_late(record: &Value) -> bool {
    let done = record.get("done").and_then(Value::as_str).unwrap_or_default();
    let done: Vec<(String, Option<String>)> = serde_json::from_str(done).unwrap_or_default();
    done.first().is_some_and(|(first, failure)| first == "commit" && failure.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_that_came_too_late_is_not_told() {
        let line = r#"{"service":"frontend","decision":"returning","release":2,"candidate":"green","weight":0,
            "actions":"set_base_weights","reasons":"returns","done":"[[\"commit\",\"somebody else was first\"]]"}"#;
        let mut decisions = Decisions::new(Path::new("nowhere"));
        assert_eq!(decisions.told(line), None);
        let done_before = line.replace(r#"[[\"commit"#, r#"[[\"delete_release_rule\",null],[\"commit"#);
        assert!(decisions.told(&done_before).is_some());
    }

    #[test]
    fn a_decision_is_told_when_it_differs_from_the_last() {
        let mut decisions = Decisions::new(Path::new("nowhere"));
        let line = r#"{"service":"frontend","decision":"shifting","release":2,"candidate":"green","weight":10,
            "actions":"","reasons":"step-not-over"}"#;
        let told = decisions.told(line).unwrap();
        assert!(told.contains("shifting") && told.contains("release 2 on green"), "{told}");
        assert_eq!(decisions.told(line), None);
        let acts = line.replace(r#""actions":"""#, r#""actions":"set_release_weights""#);
        assert!(decisions.told(&acts).unwrap().contains("does: set_release_weights"));
        assert_eq!(decisions.told(line), None);
        assert_eq!(decisions.told("START RequestId: 1"), None);
        assert_eq!(decisions.told(r#"{"message":"hello"}"#), None);
    }
}
