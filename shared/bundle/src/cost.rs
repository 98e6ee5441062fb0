//! What an inspection gives: findings, and how far it looked.

use crate::reader::Cost;
use appspec::finding::Findings;
use std::fmt;

/// What an inspection found, what it read, and what it did not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// What is wrong or odd.
    pub findings: Findings,
    /// What was read.
    pub cost: Cost,
    /// Entries of the bundle.
    pub entries: usize,
    /// Those that were unpacked and held against their checksums: `appspec.yml`, links and scripts.
    pub unpacked: usize,
    /// Whether its hooks ask what its `smoke.txt` names.
    pub tells_smoke: bool,
}

impl Inspection {
    /// Of a bundle whose directory cannot be read.
    pub(crate) fn refused(finding: appspec::finding::Finding, cost: Cost) -> Self {
        let mut findings = Findings::default();
        findings.push(finding);
        Self { findings, cost, ..Self::default() }
    }

    /// Entries of which only the directory's line was judged.
    pub fn not_unpacked(&self) -> usize {
        self.entries.saturating_sub(self.unpacked)
    }
}

impl fmt::Display for Inspection {
    /// How far it looked, as a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cost { reads, bytes } = self.cost;
        let (entries, not_unpacked) = (self.entries, self.not_unpacked());
        write!(
            f,
            "{not_unpacked} of {entries} entries were not read: of them the directory's lines were judged, not their \
             bytes ({reads} reads, {bytes} bytes)"
        )
    }
}
