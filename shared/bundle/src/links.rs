//! Where the symbolic links of a bundle lead.

use crate::Looking;
use crate::read::RangedRead;
use crate::reader::{Allowance, Scattered, TooMuch};
use crate::tree::{APPSPEC, Found, NodeId};
use crate::zip::{self, Entry};
use appspec::finding::{Code, Finding, shown};

/// Bytes that are left for scripts when there are links without end.
const FOR_SCRIPTS: u64 = 32 * 1024;

impl<R: RangedRead> Looking<'_, R> {
    /// Reads where the links lead, and says which of them leave the bundle.
    pub(crate) async fn at_links(&mut self) -> Result<(), R::Error> {
        let mut links: Vec<(NodeId, Entry)> = Vec::new();
        let mut bytes = 0_u64;
        let all: Vec<NodeId> = self.tree.links().collect();
        for link in &all {
            let Some(entry) = self.tree.entry(*link).copied().filter(|entry| !entry.is_refused()) else {
                continue;
            };
            if entry.unpacked_bytes > self.limits.link_target_bytes {
                let limit = self.limits.link_target_bytes;
                self.findings
                    .push_with(Code::EntryTooLarge, || zip::too_large(&self.tree.path(*link), limit));
                continue;
            }
            if entry.unpacked_bytes == 0 {
                continue;
            }
            bytes = bytes.saturating_add(entry.unpacked_bytes);
            links.push((*link, entry));
        }
        if links.is_empty() {
            return Ok(());
        }
        let ranges: Vec<_> = links.iter().map(|(_, entry)| self.tree.entries().range(entry)).collect();
        let within = Allowance {
            bytes: self.bytes_left().saturating_sub(self.for_appspec()).saturating_sub(FOR_SCRIPTS),
            few_reads: self.limits.joined_reads * 3 / 4,
            most_reads: self.limits.scattered_reads,
            gap: self.limits.gap_bytes,
            scattered: Scattered { bytes: self.limits.scattered_bytes, gap: self.limits.scattered_gap_bytes },
        };
        let before = self.reader.cost;
        let read = if bytes > self.limits.link_targets_bytes {
            Err(TooMuch::Bytes(bytes))
        } else {
            self.reader.read_joined(ranges.iter().cloned(), within).await?
        };
        let stretches = match read {
            Ok(stretches) => stretches,
            Err(too_much) => {
                let links = links.len();
                let what = match too_much {
                    TooMuch::Bytes(bytes) => format!(
                        "the bundle's {links} symbolic links take {bytes} bytes to check, which is more than is read"
                    ),
                    TooMuch::Reads(reads) => format!(
                        "the bundle's {links} symbolic links lie so far apart that to check them takes {reads} reads, at \
                         most {} are made",
                        self.limits.scattered_reads
                    ),
                };
                let remedy = "pack without symbolic links (zip without -y)";
                self.findings.push(Finding::new(Code::TooManyLinks, what, remedy));
                return Ok(());
            }
        };
        self.link_reads = self.reader.cost.reads - before.reads;
        // What was spent to save reads is not taken from the scripts.
        self.most_bytes += (self.reader.cost.bytes - before.bytes).saturating_sub(within.bytes);
        for ((link, entry), range) in links.iter().zip(&ranges) {
            let name = self.tree.path(*link);
            let limit = self.limits.link_target_bytes;
            if let Some(target) = self.unpack(entry, &name, stretches.get(range), limit) {
                self.tree.set_target(*link, String::from_utf8_lossy(&target).into_owned());
            }
        }
        for link in all {
            if self.tree.find_target(link) == Found::Outside {
                let tree = &self.tree;
                self.findings.push_with(Code::LinkLeaves, || {
                    let target = shown(tree.target(link).unwrap_or_default());
                    let what = format!(
                        "symbolic link {} leads to {target}, outside the bundle",
                        shown(&tree.path(link))
                    );
                    Finding::new(Code::LinkLeaves, what, "replace it by what it should point to")
                });
            }
        }
        Ok(())
    }

    /// Bytes that the AppSpec file takes, where no link stands for it.
    fn for_appspec(&self) -> u64 {
        let Some(entry) = self.tree.child(self.tree.root(), APPSPEC).and_then(|file| self.tree.entry(file))
        else {
            return 0;
        };
        let range = self.tree.entries().range(entry);
        range.end - range.start
    }
}
