//! A ZIP on this machine. Here the content of every file is at hand, so secrets are looked for in it.

use appspec::finding::{Code, Findings};
use bundle::{RangedRead, Tail, secrets};
use bytes::Bytes;
use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use zip::ZipArchive;

/// Bytes of a file that are searched: keys are short, and stand in short files.
const SEARCHED_BYTES: u64 = 1024 * 1024;

/// A file, read by ranges.
#[derive(Debug)]
pub(crate) struct LocalFile {
    file: File,
    size: u64,
}

impl LocalFile {
    /// A file that is open.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file, size })
    }
}

impl RangedRead for LocalFile {
    type Error = io::Error;

    async fn tail(&self, most: u64) -> io::Result<Tail> {
        let start = self.size.saturating_sub(most);
        let bytes = if start == self.size { Bytes::new() } else { self.read(start..self.size).await? };
        Ok(Tail { bytes, size: self.size })
    }

    async fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes.into())
    }
}

/// Looks for secrets in the content of every file. A ZIP that was refused as such is left alone.
pub(crate) fn check_contents(file: &LocalFile, findings: &mut Findings) {
    let is_of_the_zip = |code: Code| code.as_str().starts_with("GL0");
    if findings.listed().iter().any(|finding| is_of_the_zip(finding.code)) {
        return;
    }
    let Ok(Ok(mut archive)) = file.file.try_clone().map(ZipArchive::new) else { return };
    for index in 0..archive.len() {
        let Ok(mut entry) = archive.by_index(index) else { continue };
        if !entry.is_file() {
            continue;
        }
        let mut content = Vec::new();
        let name = entry.name().to_owned();
        if entry.by_ref().take(SEARCHED_BYTES).read_to_end(&mut content).is_ok()
            && let Some(found) = secrets::by_content(&name, &content)
            && !findings.listed().iter().any(|known| known.code == found.code && known.file == found.file)
        {
            findings.push(found);
        }
    }
}
