//! What is wrong with a bundle, in sentences for the person who uploaded it.

use appspec::finding::{Agent, Finding, Severity};

/// A reason to refuse a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleFault {
    /// The ZIP itself.
    #[error(transparent)]
    Archive(#[from] ArchiveFault),
    /// Its entries.
    #[error(transparent)]
    Contents(#[from] ContentsFault),
    /// Its AppSpec file.
    #[error("{0}")]
    AppSpec(Finding),
}

impl BundleFault {
    /// The stable word for logs and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Archive(_) => "archive",
            Self::Contents(_) => "contents",
            Self::AppSpec(_) => "appspec",
        }
    }
}

/// A warning: it works, perhaps with one of the agents only, but is probably not what the author meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// In the entries.
    #[error(transparent)]
    Contents(#[from] ContentsWarning),
    /// In the AppSpec file.
    #[error("{0}")]
    AppSpec(Finding),
}

/// What an inspection found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Every reason to refuse the bundle.
    pub faults: Vec<BundleFault>,
    /// What its author should know.
    pub warnings: Vec<Warning>,
}

impl Findings {
    pub(crate) fn fault(&mut self, fault: impl Into<BundleFault>) {
        self.faults.push(fault.into());
    }

    /// Adds a fault of the archive that was perhaps reported with the other entries.
    pub(crate) fn add_once(&mut self, fault: ArchiveFault) {
        let fault = BundleFault::Archive(fault);
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    pub(crate) fn warn(&mut self, warning: impl Into<Warning>) {
        self.warnings.push(warning.into());
    }

    /// The archive first, then its entries, then the AppSpec file from top to bottom.
    pub(crate) fn sort(&mut self) {
        self.faults.sort_by_key(|fault| match fault {
            BundleFault::Archive(_) => (0, 0),
            BundleFault::Contents(_) => (1, 0),
            BundleFault::AppSpec(finding) => (2, finding.position.map_or(0, |position| position.line)),
        });
        self.warnings.sort_by_key(|warning| match warning {
            Warning::Contents(_) => (0, 0),
            Warning::AppSpec(finding) => (1, finding.position.map_or(0, |position| position.line)),
        });
    }

    /// What refuses the bundle with agent 1.x is a fault.
    pub(crate) fn appspec(&mut self, finding: Finding) {
        match finding.severity(Agent::One) {
            Severity::Error => self.faults.push(BundleFault::AppSpec(finding)),
            Severity::Warning => self.warnings.push(Warning::AppSpec(finding)),
        }
    }
}

/// What is wrong with the ZIP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveFault {
    /// Something else was uploaded.
    #[error("it is not a ZIP but {looks_like}: pack the bundle with zip and upload that")]
    NotZip {
        /// What its first bytes say.
        looks_like: &'static str,
    },
    /// It starts as a ZIP and has no end.
    #[error("the ZIP is cut short, its end record is missing: upload it again")]
    Truncated,
    /// There is an end record, but not at the end.
    #[error("the ZIP has bytes after its end or a comment cut short: pack and upload it again")]
    BytesAfterEnd,
    /// Bytes are missing from its middle, or were put before it.
    #[error(
        "the ZIP's central directory should end at byte {expected} and ends at byte {found}, so bytes were added or lost: pack and upload it again"
    )]
    Misplaced {
        /// Where the end record stands.
        expected: u64,
        /// Where the end record says that the directory ends.
        found: u64,
    },
    /// A structure contradicts another.
    #[error("the ZIP is damaged, {}{what}: pack and upload it again", entry.as_ref().map(|name| format!("entry {name} ")).unwrap_or_default())]
    Damaged {
        /// The entry, where it is one.
        entry: Option<String>,
        /// What is wrong with it.
        what: &'static str,
    },
    /// One part of several.
    #[error("the ZIP is split into parts: pack it as one file")]
    Split,
    /// More than [`crate::Limits::entries`].
    #[error(
        "the ZIP has {found} entries, at most {limit} are allowed: leave out what the service does not need at run time"
    )]
    TooManyEntries {
        /// The entries that the directory lists.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// More than [`crate::Limits::directory_bytes`].
    #[error(
        "the ZIP's central directory has {found} bytes, at most {limit} are allowed: leave out what the service does not need at run time"
    )]
    DirectoryTooLarge {
        /// Its bytes.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// More than [`crate::Limits::unpacked_bytes`].
    #[error(
        "the bundle unpacks to {found} bytes, at most {limit} are allowed: an instance keeps several of them on its disk"
    )]
    UnpacksTooLarge {
        /// Unpacked bytes.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// More than [`crate::Limits::expansion`].
    #[error(
        "the bundle unpacks from {packed} to {unpacked} bytes, more than {limit} times its size: leave out sparse or generated files"
    )]
    ExpandsTooFar {
        /// Unpacked bytes.
        unpacked: u64,
        /// Packed bytes.
        packed: u64,
        /// The limit, as a factor.
        limit: u64,
    },
    /// An entry that has to be read is larger than its limit.
    #[error("entry {entry} is larger than the {limit} bytes it may have: make it smaller")]
    EntryTooLarge {
        /// The entry.
        entry: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The agent has no password.
    #[error(
        "entry {entry} is encrypted, and the CodeDeploy agent has no password: pack the bundle without encryption"
    )]
    Encrypted {
        /// The entry.
        entry: String,
    },
    /// `unzip` would skip it.
    #[error(
        "entry {entry} is compressed by method {method}, which unzip on the instance cannot unpack: pack the bundle with deflate"
    )]
    Method {
        /// The entry.
        entry: String,
        /// PKWARE's number of the method.
        method: u16,
    },
}

/// What is wrong with the entries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentsFault {
    /// The agent would find nothing to do.
    #[error("there is no appspec.yml at the root of the bundle{}", instead.as_ref().map_or_else(|| ": add one, or pack the folder's contents and not the folder above it".to_owned(), |name| format!(", but there is {name}: the agent looks for exactly appspec.yml at the root, rename or move it")))]
    NoAppSpec {
        /// The file that was likely meant.
        instead: Option<String>,
    },
    /// `/etc/passwd`, `C:\…`.
    #[error("entry {entry} has an absolute path, which leaves the bundle: pack with relative paths")]
    Absolute {
        /// The entry.
        entry: String,
    },
    /// `../…`.
    #[error(
        "entry {entry} has .. in its path, which may leave the bundle: pack from the bundle's own folder"
    )]
    Climbs {
        /// The entry.
        entry: String,
    },
    /// Nothing, or with a zero byte.
    #[error("entry {entry:?} has a name that no file can have: rename it and pack again")]
    Unnameable {
        /// The entry.
        entry: String,
    },
    /// Two entries of one name: which one wins depends on who unpacks.
    #[error("entry {entry} is in the ZIP more than once: pack into a new file, not into an existing one")]
    Duplicate {
        /// The entry.
        entry: String,
    },
    /// One entry is a file and the folder of another one.
    #[error("entry {entry} is a file, and other entries lie below it: rename one of them")]
    FileAboveEntries {
        /// The entry.
        entry: String,
    },
    /// A symbolic link out of the bundle.
    #[error(
        "symbolic link {entry} leads to {target}, outside the bundle: replace it by what it should point to"
    )]
    LinkLeaves {
        /// The link.
        entry: String,
        /// Where it leads.
        target: String,
    },
    /// More than [`crate::Limits::link_reads`].
    #[error(
        "the bundle has too many symbolic links to check ({links}): pack without symbolic links (zip without -y)"
    )]
    TooManyLinks {
        /// The links in the bundle.
        links: usize,
    },
    /// Beyond [`crate::Limits::listed`].
    #[error("{more} more entries have faults of the same kinds: correct the ones above first")]
    More {
        /// The findings that are not shown.
        more: usize,
    },
}

/// What is odd about the entries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentsWarning {
    /// A ZIP made by old Windows tools.
    #[error(
        "entry {entry} has a backslash in its name, which the agent's two unpackers read differently: pack with / between folders"
    )]
    Backslash {
        /// The first such entry.
        entry: String,
    },
}
