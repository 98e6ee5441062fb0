//! Inspects a bundle without downloading it: the end of the ZIP, its central directory, `appspec.yml`, the targets of
//! symbolic links and the scripts that hooks name, each by a ranged read.
//!
//! Finds what CodeDeploy would fail on later, on an instance, with the colour half installed. Reports every fault, not
//! only the first. [`Limits`] bounds every number that a bundle states.

mod cost;
mod directory;
mod install;
pub mod kit;
mod limits;
mod links;
mod migrate;
mod read;
mod reader;
mod scripts;
pub mod secrets;
mod smoke;
mod texts;
mod tree;
mod zip;

pub use cost::Inspection;
pub use kit::Expected;
pub use limits::Limits;
pub use read::{RangedRead, Tail};
pub use reader::Cost;

use appspec::finding::{Code, Finding, Findings, shown};
use reader::Reader;
use tree::{APPSPEC, Found, NodeId, Tree};
use zip::Entry;

/// Looks at a bundle and says what is wrong with it.
///
/// # Errors
/// Only when the bundle cannot be read. Whatever is wrong with it is in the [`Inspection`].
pub async fn inspect<R: RangedRead>(
    bundle: &R,
    limits: &Limits,
    expected: Expected,
) -> Result<Inspection, R::Error> {
    let mut findings = Findings::default();
    let mut reader = Reader::open(bundle, limits).await?;
    let (tree, directory_bytes) = match directory::read(&mut reader, limits, &mut findings).await? {
        Ok(read) => read,
        Err(refusal) => return Ok(Inspection::refused(refusal, reader.cost)),
    };
    let most_bytes = directory_bytes + limits.spare_bytes;
    let mut looking = Looking {
        reader,
        tree,
        limits,
        expected,
        findings,
        most_bytes,
        link_reads: 0,
        unpacked: 0,
        tells_smoke: false,
    };
    looking.at_links().await?;
    looking.at_appspec().await?;
    let Looking { mut findings, reader, tree, unpacked, tells_smoke, .. } = looking;
    findings.sort();
    Ok(Inspection { findings, cost: reader.cost, entries: tree.entries().len(), unpacked, tells_smoke })
}

/// An inspection whose directory has been read.
struct Looking<'a, R> {
    reader: Reader<'a, R>,
    tree: Tree,
    limits: &'a Limits,
    expected: Expected,
    findings: Findings,
    /// What may be read in all.
    most_bytes: u64,
    /// Reads that links have taken.
    link_reads: usize,
    /// Entries that were unpacked.
    unpacked: usize,
    /// Whether its hooks ask what its `smoke.txt` names.
    tells_smoke: bool,
}

impl<R: RangedRead> Looking<'_, R> {
    /// Finds and lints the AppSpec file; links have been read by now.
    async fn at_appspec(&mut self) -> Result<(), R::Error> {
        let Found::File(file) = self.tree.find(APPSPEC) else {
            let (what, remedy) = match self.tree.like_appspec() {
                None => ("there is no appspec.yml at the root of the bundle".to_owned(), NO_APPSPEC),
                Some(name) => (
                    format!(
                        "there is no appspec.yml at the root of the bundle, but there is {}",
                        shown(&name)
                    ),
                    "rename or move it: the agent looks for exactly appspec.yml at the root",
                ),
            };
            self.findings.push(Finding::new(Code::NoAppSpec, what, remedy));
            return Ok(());
        };
        secrets::check(&self.tree, &mut self.findings);
        let Some(text) = self.unpacked(file, self.limits.appspec_bytes).await? else { return Ok(()) };
        let lint = appspec::lint(&text);
        self.findings.append(lint.findings);
        install::check(&self.tree, &lint.asks, &mut self.findings);
        let mut wanted = scripts::wanted(&self.tree, &lint.asks.scripts);
        wanted.extend(kit::wanted(&self.tree, &lint.asks.scripts));
        wanted.extend(smoke::wanted(&self.tree, &lint.asks));
        let texts = self.texts(&wanted).await?;
        scripts::check(&self.tree, &lint.asks.scripts, &texts, &mut self.findings);
        kit::check(&self.tree, &lint.asks, &texts, self.expected, &mut self.findings);
        self.tells_smoke = smoke::check(&self.tree, &lint.asks, &texts, &mut self.findings);
        migrate::check(&self.tree, &lint.asks, &mut self.findings);
        Ok(())
    }

    /// The content of a file that has to be read, or none and a finding that says why.
    async fn unpacked(&mut self, file: NodeId, limit: u64) -> Result<Option<Vec<u8>>, R::Error> {
        let Some(entry) = self.tree.entry(file).copied() else { return Ok(None) };
        let name = self.tree.path(file);
        if entry.unpacked_bytes > limit {
            self.findings.push(zip::too_large(&name, limit));
            return Ok(None);
        }
        if entry.is_refused() {
            return Ok(None);
        }
        let range = self.tree.entries().range(&entry);
        if range.end - range.start > self.bytes_left() {
            self.findings.push(zip::too_large(&name, self.bytes_left()));
            return Ok(None);
        }
        let bytes = self.reader.read(range).await?;
        Ok(self.unpack(&entry, &name, &bytes, limit))
    }

    fn unpack(&mut self, entry: &Entry, name: &str, bytes: &[u8], limit: u64) -> Option<Vec<u8>> {
        let data = zip::check_local(entry, name, bytes, true)
            .and_then(|packed| zip::unpack(entry, name, packed, limit));
        match data {
            Ok(data) => {
                self.unpacked += 1;
                Some(data)
            }
            Err(refusal) => {
                self.findings.push_once(refusal);
                None
            }
        }
    }

    /// What may still be read.
    fn bytes_left(&self) -> u64 {
        self.most_bytes.saturating_sub(self.reader.cost.bytes)
    }
}

const NO_APPSPEC: &str = "add one, or pack the folder's contents and not the folder above it";
