//! How much of a bundle is looked at before it is refused.

/// Named numbers that bound the work of an inspection, whatever the bundle claims about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes read from the end in search of the end record. At least 65,633: the end record, the longest
    /// comment, and the two ZIP64 records before them (APPNOTE 6.3.10, 4.3.14 to 4.3.16).
    pub tail_bytes: u64,
    /// Entries of the central directory.
    pub entries: u64,
    /// Bytes of the central directory.
    pub directory_bytes: u64,
    /// Bytes of `appspec.yml`, unpacked.
    pub appspec_bytes: u64,
    /// Bytes of the whole bundle, unpacked. The agent keeps five revisions and their archives on disk.
    pub unpacked_bytes: u64,
    /// Unpacked bytes per packed byte over the whole bundle; deflate itself ends at 1,032.
    pub expansion: u64,
    /// Unpacked bytes below which [`Limits::expansion`] is not applied: a few empty log files may well
    /// be packed a thousandfold.
    pub expansion_floor_bytes: u64,
    /// Bytes of a symbolic link's target (Linux: `PATH_MAX`).
    pub link_target_bytes: u64,
    /// Ranged reads spent on the targets of symbolic links.
    pub link_reads: usize,
    /// Links are read together when no more than this many bytes lie between them.
    pub link_gap_bytes: u64,
    /// Bytes read for one group of links.
    pub link_group_bytes: u64,
    /// Files that `files:` writes, checked for two at one place; beyond this many the check stops.
    pub written: usize,
    /// Faults of one kind of place (entries, links) that are reported one by one; the rest are counted.
    pub listed: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tail_bytes: 128 * 1024,
            entries: 100_000,
            directory_bytes: 16 * 1024 * 1024,
            appspec_bytes: 128 * 1024,
            unpacked_bytes: 8 * 1024 * 1024 * 1024,
            expansion: 200,
            expansion_floor_bytes: 64 * 1024 * 1024,
            link_target_bytes: 4096,
            link_reads: 128,
            link_gap_bytes: 16 * 1024,
            link_group_bytes: 256 * 1024,
            written: 200_000,
            listed: 10,
        }
    }
}
