//! What the functions decided, from their logs as they are written.

use crate::display::{Display, Line};
use crate::timeline::Timeline;
use cloud::Functions;
use decisions::{Decision, News, Told};
use jiff::Timestamp;
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
            for told in self.news.of(&decision) {
                display.tell(line(&told));
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

fn line(told: &Told) -> Line {
    Line::of(&told.service, told.at, told.tone, &told.text)
}
