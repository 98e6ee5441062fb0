//! What the functions decided, from their logs as they are written.

use super::decision::{Decision, Placed};
use super::sentences::{sentence, tone};
use crate::display::{Display, Line};
use crate::timeline::Timeline;
use cloud::Functions;
use jiff::Timestamp;
use release::Reason;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

/// Between two looks into the logs.
const LOOK: Duration = Duration::from_millis(200);

/// How long a function may work before others are told without it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The logs of the functions.
#[derive(Debug)]
pub(super) struct Decisions {
    folder: PathBuf,
    read: BTreeMap<PathBuf, u64>,
    decided: Timeline<Decision>,
    news: News,
}

impl Decisions {
    /// Of all logs in this folder.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            read: BTreeMap::new(),
            decided: Timeline::default(),
            news: News::default(),
        }
    }

    /// Tells every decision that is news, for ever. What happened while a function works is held back until it has
    /// written what it decided.
    pub(super) async fn show(&mut self, display: &Display, functions: &Functions) -> Infallible {
        loop {
            let works = functions.journal().longest_running().unwrap_or_default().min(PATIENCE);
            let settled = cloud::now().saturating_sub(works + LOOK).unwrap_or(Timestamp::MIN);
            self.tell(display, settled).await;
            display.settled(settled);
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Tells what was decided up to `until`.
    pub(super) async fn tell(&mut self, display: &Display, until: Timestamp) {
        for line in self.new_lines().await {
            match Decision::read(&line) {
                Ok(Some(decision)) => self.decided.add(decision.at, decision),
                Ok(None) => {}
                Err(error) => tracing::error!(%error, line, "a decision record has another form"),
            }
        }
        for decision in self.decided.settled(until) {
            for line in self.news.of(&decision) {
                display.tell(line);
            }
        }
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

/// What each service's last decision said, so that nothing is told twice.
#[derive(Debug, Default)]
pub(super) struct News(BTreeMap<String, Vec<Said>>);

/// What makes two reasons say the same: not the seconds that are left.
type Said = (&'static str, Option<Placed>, Option<u64>);

impl News {
    /// The lines that say something new.
    pub(super) fn of(&mut self, decision: &Decision) -> Vec<Line> {
        let said = |reason: &Reason| (reason.word(), decision.open, decision.weight);
        let now: Vec<Said> = decision.why.iter().map(said).collect();
        let before = self.0.insert(decision.service.clone(), now).unwrap_or_default();
        let is_news =
            |reason: &&Reason| !matches!(reason, Reason::NothingToDo) && !before.contains(&said(reason));
        decision.why.iter().filter(is_news).map(|reason| line(reason, decision)).collect()
    }
}

fn line(reason: &Reason, decision: &Decision) -> Line {
    Line::of(&decision.service, decision.at, tone(reason), &sentence(reason, decision))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The decision records of a release that went live and of one that was taken back, as the functions wrote them.
    const RECORDS: &str = include_str!("records/story.jsonl");

    /// What is told of these lines, in the order in which it happened.
    fn news(lines: &[&str]) -> Vec<String> {
        let mut decided = Timeline::default();
        for decision in lines.iter().filter_map(|line| Decision::read(line).unwrap()) {
            decided.add(decision.at, decision);
        }
        let mut news = News::default();
        let told: Vec<Line> =
            decided.settled(Timestamp::MAX).flat_map(|decision| news.of(&decision)).collect();
        told.into_iter().map(|line| format!("{} {}", line.at, line.text)).collect()
    }

    #[test]
    fn a_story_is_told_in_sentences() {
        insta::assert_snapshot!(news(&RECORDS.lines().collect::<Vec<_>>()).join("\n"));
    }

    #[test]
    fn a_decision_is_told_when_it_says_something_new() {
        let line = record("waits_for_time");
        let fewer_seconds = line.replace(r#"\"seconds\":12"#, r#"\"seconds\":2"#);
        assert_eq!(news(&[&line]).len(), 1);
        assert_eq!(news(&[&line, &fewer_seconds]).len(), 1);
        let another_release = line.replace(r#"\"number\":4"#, r#"\"number\":5"#);
        assert_eq!(news(&[&line, &another_release]).len(), 2);
        assert_eq!(news(&["START RequestId: 1", r#"{"message":"hello"}"#]).len(), 0);
    }

    #[test]
    fn a_decision_that_came_too_late_is_not_told() {
        let line = record("returns");
        let late = line.replace(r#"[\"commit\",null]"#, r#"[\"commit\",\"somebody else was first\"]"#);
        assert_ne!(late, line);
        assert_eq!(news(&[&late]), Vec::<String>::new());
        let done_before = late.replace(r#"[[\"commit"#, r#"[[\"delete_release_rule\",null],[\"commit"#);
        assert_eq!(news(&[&done_before]).len(), 1);
    }

    #[test]
    fn a_decision_record_of_another_form_is_an_error() {
        let line = record("raises").replace("observation", "seen");
        assert!(Decision::read(&line).is_err());
    }

    /// The first stored decision with this reason.
    fn record(word: &str) -> String {
        let records = include_str!("records/reasons.jsonl");
        records.lines().find(|line| line.contains(&format!(r#"\"reason\":\"{word}\""#))).unwrap().to_owned()
    }
}
