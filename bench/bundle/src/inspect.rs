//! One bundle, judged from a file.

use anyhow::{Context, Result};
use appspec::finding::Agent;
use bundle::{Expected, Limits, RangedRead, Tail};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

/// What judging it has cost.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Judged {
    pub(crate) bytes_read: u64,
    pub(crate) reads: usize,
    pub(crate) ms: f64,
    /// Of a processor, the start of the process included.
    pub(crate) cpu_ms: f64,
    pub(crate) rss_mb: f64,
    pub(crate) entries: usize,
    pub(crate) refused: bool,
    /// The codes of what was found, each once.
    pub(crate) found: Vec<String>,
}

struct Local(File);

impl RangedRead for Local {
    type Error = io::Error;

    async fn tail(&self, most: u64) -> io::Result<Tail> {
        let size = self.0.metadata()?.len();
        Ok(Tail { bytes: self.read(size.saturating_sub(most)..size).await?, size })
    }

    async fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.0.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes.into())
    }
}

/// Judges it and says what this process has used.
pub(crate) fn inspect(file: &Path) -> Result<Judged> {
    let bundle = Local(File::open(file)?);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let start = Instant::now();
    let inspection = runtime.block_on(bundle::inspect(&bundle, &Limits::default(), Expected::default()))?;
    let ms = start.elapsed().as_secs_f64() * 1000.0;
    let mut found: Vec<String> =
        inspection.findings.listed().iter().map(|finding| finding.code.to_string()).collect();
    found.dedup();
    Ok(Judged {
        bytes_read: inspection.cost.bytes,
        reads: inspection.cost.reads,
        ms,
        cpu_ms: cpu_ms()?,
        rss_mb: peak_mb()?,
        entries: inspection.entries,
        refused: inspection.findings.refuse(Agent::One),
        found,
    })
}

/// The most memory that this process has had, as the kernel counts it (proc(5), `VmHWM`, in kB).
fn peak_mb() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the kernel gives no VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}

/// User and system time of this process (proc(5), `/proc/self/stat`, fields 14 and 15), which Linux counts in hundredths
/// of a second.
fn cpu_ms() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Vec<f64> = fields.skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() * 10.0)
}
