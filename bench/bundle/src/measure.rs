//! Judges a bundle in a process of its own, and lets other programs check the same file.

use crate::inspect::Judged;
use crate::shapes::Shape;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const ZIPFILE: &str = "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).testzip()";
/// Judged so many times, the middle one counts.
const ROUNDS: usize = 5;

/// A bundle and what it costs.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    shape: &'static str,
    size_bytes: u64,
    entries: usize,
    bytes_read: u64,
    reads: usize,
    ms: f64,
    cpu_ms: f64,
    rss_mb: f64,
    /// None where it is not installed, or was not asked.
    unzip_ms: Option<f64>,
    zipfile_ms: Option<f64>,
    refused: bool,
    found: Vec<String>,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            shape, entries, bytes_read, reads, ms, cpu_ms, rss_mb, unzip_ms, zipfile_ms, found, ..
        } = self;
        let other = |ms: &Option<f64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0} ms"));
        write!(
            f,
            "{shape}: {entries} entries, {reads} reads, {bytes_read} bytes, {ms:.1} ms ({cpu_ms:.0} of a processor), {rss_mb:.1} MB; unzip -t {}, zipfile {} {}",
            other(unzip_ms),
            other(zipfile_ms),
            found.join(" ")
        )
    }
}

pub(crate) fn measure(shape: &Shape, file: &Path) -> Result<Row> {
    let mut rounds = (0..ROUNDS).map(|_| judge(file)).collect::<Result<Vec<Judged>>>()?;
    rounds.sort_by(|a, b| a.ms.total_cmp(&b.ms));
    let rss_mb = rounds.iter().map(|judged| judged.rss_mb).fold(0.0, f64::max);
    let judged = rounds.swap_remove(ROUNDS / 2);
    let (unzip_ms, zipfile_ms) = if shape.compared {
        (
            time(Command::new("unzip").arg("-tqq").arg(file)),
            time(Command::new("python3").args(["-c", ZIPFILE]).arg(file)),
        )
    } else {
        (None, None)
    };
    Ok(Row {
        shape: shape.name,
        size_bytes: std::fs::metadata(file)?.len(),
        entries: judged.entries,
        bytes_read: judged.bytes_read,
        reads: judged.reads,
        ms: judged.ms,
        cpu_ms: judged.cpu_ms,
        rss_mb,
        unzip_ms,
        zipfile_ms,
        refused: judged.refused,
        found: judged.found,
    })
}

fn judge(file: &Path) -> Result<Judged> {
    let output =
        Command::new(std::env::current_exe()?).arg("inspect").arg(file).stderr(Stdio::inherit()).output()?;
    serde_json::from_slice(&output.stdout).with_context(|| format!("it ended with {}", output.status))
}

/// How long a program takes; none if it is not there or fails.
fn time(command: &mut Command) -> Option<f64> {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    status.success().then(|| start.elapsed().as_secs_f64() * 1000.0)
}
