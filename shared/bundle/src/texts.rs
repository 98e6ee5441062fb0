//! The texts of scripts, read together.

use crate::Looking;
use crate::read::RangedRead;
use crate::reader::{Allowance, Scattered};
use crate::tree::{Kind, NodeId};
use crate::zip::{self, Entry};
use std::collections::BTreeMap;
use std::ops::Range;

/// What was read of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    /// From its first byte on.
    pub(crate) bytes: Vec<u8>,
    /// Whether that is all of it, and its checksum is right.
    pub(crate) is_whole: bool,
}

impl<R: RangedRead> Looking<'_, R> {
    /// The texts of these files, the most important first: where not all can be afforded, the last are left out. A long
    /// file gives its first bytes only, and one that an inspection cannot unpack gives none.
    pub(crate) async fn texts(&mut self, files: &[NodeId]) -> Result<BTreeMap<NodeId, Text>, R::Error> {
        let mut wanted: Vec<(NodeId, Entry, Range<u64>)> = Vec::new();
        for file in files {
            let entry = self.tree.entry(*file).copied().filter(Entry::is_readable);
            let Some(entry) = entry.filter(|_| self.tree.kind(*file) == Kind::File) else { continue };
            if wanted.iter().all(|(known, ..)| known != file) {
                wanted.push((*file, entry, self.range_of_text(&entry)));
            }
        }
        let few_reads = self.limits.joined_reads.saturating_sub(self.link_reads).max(2);
        let within = Allowance {
            bytes: self.bytes_left(),
            few_reads,
            most_reads: few_reads,
            gap: self.limits.gap_bytes,
            scattered: Scattered { bytes: 0, gap: 0 },
        };
        let stretches = loop {
            let ranges = wanted.iter().map(|(.., range)| range.clone());
            if let Ok(stretches) = self.reader.read_joined(ranges, within).await? {
                break stretches;
            }
            wanted.pop();
        };
        let mut texts = BTreeMap::new();
        for (file, entry, range) in wanted {
            let name = self.tree.path(file);
            let bytes = stretches.get(&range);
            let is_whole = entry.unpacked_bytes <= self.limits.script_bytes;
            let text = if is_whole {
                self.unpack(&entry, &name, bytes, self.limits.script_bytes)
            } else {
                self.head(&entry, &name, bytes)
            };
            texts.extend(text.map(|bytes| (file, Text { bytes, is_whole })));
        }
        Ok(texts)
    }

    fn range_of_text(&self, entry: &Entry) -> Range<u64> {
        let whole = self.tree.entries().range(entry);
        if entry.unpacked_bytes <= self.limits.script_bytes {
            return whole;
        }
        let left_out = entry.packed_bytes.saturating_sub(self.limits.head_bytes);
        whole.start..whole.end.saturating_sub(left_out).max(whole.start + 1)
    }

    fn head(&mut self, entry: &Entry, name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        let limit = self.limits.head_bytes;
        let head = zip::check_local(entry, name, bytes, false)
            .and_then(|rest| zip::unpack_head(entry, name, rest, limit));
        head.map_err(|refusal| self.findings.push_once(refusal)).ok()
    }
}
