//! Bundles made for a test, and an object in memory that counts what is read of it.

use appspec::finding::{Agent, Finding, Severity};
use bundle::{Expected, Inspection, Limits, RangedRead, Tail, inspect};
use bytes::Bytes;
use std::io::{Cursor, Write};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use zip::write::{SimpleFileOptions, ZipWriter};

/// An AppSpec file with nothing wrong or odd about it, and what it refers to.
pub(crate) const APPSPEC: &str = "version: 0.0
os: linux
files:
  - source: app
    destination: /opt/greenlight/staging
hooks:
  ValidateService:
    - location: hooks/validate.sh
      timeout: 3600
";

/// A script that asks how the release goes.
pub(crate) const VALIDATE: &str =
    "#!/bin/sh\naws lambda invoke --function-name greenlight-lifecycle answer\n";

/// A ZIP under construction.
pub(crate) struct Zip(ZipWriter<Cursor<Vec<u8>>>);

impl Zip {
    /// Without entries.
    pub(crate) fn new() -> Self {
        Self(ZipWriter::new(Cursor::new(Vec::new())))
    }

    /// What [`APPSPEC`] refers to, and this in place of it.
    pub(crate) fn with_appspec(appspec: impl AsRef<[u8]>) -> Self {
        Self::new()
            .file("appspec.yml", appspec)
            .file("hooks/validate.sh", VALIDATE)
            .file("app/server.js", "serve()\n")
    }

    /// Adds a file, or a folder if the name ends in `/`.
    pub(crate) fn file(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.0.start_file(name, SimpleFileOptions::default()).unwrap();
        self.0.write_all(content.as_ref()).unwrap();
        self
    }

    /// Adds a file that is not packed.
    pub(crate) fn stored(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        self.0.start_file(name, options).unwrap();
        self.0.write_all(content.as_ref()).unwrap();
        self
    }

    /// Adds a file with permission bits.
    pub(crate) fn file_of_mode(mut self, name: &str, mode: u32, content: impl AsRef<[u8]>) -> Self {
        self.0.start_file(name, SimpleFileOptions::default().unix_permissions(mode)).unwrap();
        self.0.write_all(content.as_ref()).unwrap();
        self
    }

    /// Adds a symbolic link.
    pub(crate) fn link(mut self, name: &str, target: &str) -> Self {
        self.0.add_symlink(name, target, SimpleFileOptions::default()).unwrap();
        self
    }

    /// Its bytes.
    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0.finish().unwrap().into_inner()
    }
}

/// An object of which only some stretches hold anything; the rest is zeros and takes no memory.
pub(crate) struct Object {
    size: u64,
    stretches: Vec<(u64, Vec<u8>)>,
    /// How many bytes were read.
    pub(crate) bytes_read: AtomicU64,
    /// By how many reads.
    pub(crate) reads: AtomicU64,
}

impl Object {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self::sparse(bytes.len() as u64, vec![(0, bytes)])
    }

    pub(crate) fn sparse(size: u64, stretches: Vec<(u64, Vec<u8>)>) -> Self {
        Self { size, stretches, bytes_read: AtomicU64::new(0), reads: AtomicU64::new(0) }
    }
}

impl RangedRead for Object {
    type Error = std::convert::Infallible;

    async fn tail(&self, most: u64) -> Result<Tail, Self::Error> {
        let size = self.size;
        let bytes = if size == 0 { Bytes::new() } else { self.read(size.saturating_sub(most)..size).await? };
        Ok(Tail { bytes, size })
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes, Self::Error> {
        assert!(range.start < range.end && range.end <= self.size, "{range:?} of {} bytes", self.size);
        let length = usize::try_from(range.end - range.start).unwrap();
        self.bytes_read.fetch_add(length as u64, Ordering::Relaxed);
        self.reads.fetch_add(1, Ordering::Relaxed);
        let mut bytes = vec![0; length];
        for (start, stretch) in &self.stretches {
            let end = start + stretch.len() as u64;
            let (from, to) = (range.start.max(*start), range.end.min(end));
            if from < to {
                let at = |base: u64, position: u64| usize::try_from(position - base).unwrap();
                bytes[at(range.start, from)..at(range.start, to)]
                    .copy_from_slice(&stretch[at(*start, from)..at(*start, to)]);
            }
        }
        Ok(bytes.into())
    }
}

/// Inspects with the usual limits.
pub(crate) fn look(object: &Object) -> Inspection {
    look_within(object, &Limits::default())
}

pub(crate) fn look_within(object: &Object, limits: &Limits) -> Inspection {
    inspected(object, limits, Expected::default())
}

/// Inspects for a release that is known.
pub(crate) fn look_expecting(object: &Object, expected: Expected) -> Inspection {
    inspected(object, &Limits::default(), expected)
}

pub(crate) fn inspected(object: &Object, limits: &Limits, expected: Expected) -> Inspection {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let Ok(inspection) = runtime.block_on(inspect(object, limits, expected));
    inspection
}

/// Whether a deployment by agent 1.x would fail.
pub(crate) fn is_refused(bytes: Vec<u8>) -> bool {
    look(&Object::new(bytes)).findings.refuse(Agent::One)
}

/// The codes of what was found, errors of agent 1.x first.
pub(crate) fn codes(inspection: &Inspection) -> Vec<&'static str> {
    let of =
        |severity| inspection.findings.of_severity(severity, Agent::One).map(|finding| finding.code.as_str());
    of(Severity::Error).chain(of(Severity::Warning)).collect()
}

/// What is found, one a line, as an author reads it.
pub(crate) fn report(bytes: Vec<u8>) -> String {
    let inspection = look(&Object::new(bytes));
    let line = |finding: &Finding| format!("{}: {finding}", finding.severity(Agent::One).as_str());
    let (mut lines, left_out): (Vec<String>, Vec<_>) =
        (inspection.findings.listed().iter().map(line).collect(), inspection.findings.left_out().collect());
    lines.extend(left_out.iter().map(|(code, more)| format!("and {more} more of {code}")));
    lines.join("\n")
}

pub(crate) fn position(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).unwrap()
}

/// Bytes that packing does not make shorter, the same in each run.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    (0_u32..)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).rotate_left(n % 31).to_le_bytes())
        .take(length)
        .collect()
}
