//! How much of a bundle is looked at before it is refused.

/// Named numbers that bound the work of an inspection, whatever the bundle claims about itself.
///
/// Together they keep it below 64 MB of memory, which `make bench-bundle` measures on the worst shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes read from the end in search of the end record. At least 65,633: the end record, the longest
    /// comment, and the two ZIP64 records before them (APPNOTE 6.3.10, 4.3.14 to 4.3.16).
    pub tail_bytes: u64,
    /// Bytes read beyond the central directory: the rest of the tail, `appspec.yml`, links and scripts.
    pub spare_bytes: u64,
    /// Entries of the central directory.
    pub entries: u64,
    /// Files, folders and links; a path makes a folder of each of its parts.
    pub nodes: usize,
    /// Bytes of all their names; a folder's name counts once.
    pub name_bytes: usize,
    /// Bytes of the central directory.
    pub directory_bytes: u64,
    /// Bytes of the central directory that are read and held at a time.
    pub chunk_bytes: u64,
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
    /// Bytes of all targets.
    pub link_targets_bytes: u64,
    /// Bytes of a script, unpacked, that is read whole.
    pub script_bytes: u64,
    /// First bytes, packed or not, that are read of a longer one.
    pub head_bytes: u64,
    /// Reads of links and scripts that lie so that a few reads fetch them together.
    pub joined_reads: usize,
    /// Reads at most, for links that lie far from each other.
    pub scattered_reads: usize,
    /// Bytes between links that may be read beyond [`Limits::spare_bytes`], to save reads of links that would take more
    /// than [`Limits::joined_reads`].
    pub scattered_bytes: u64,
    /// And no more than this for one read: as much as comes in the time that another takes, of 16 at a time.
    pub scattered_gap_bytes: u64,
    /// Stretches are always read together when no more than this many bytes lie between them.
    pub gap_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tail_bytes: 112 * 1024,
            spare_bytes: 256 * 1024,
            entries: 300_000,
            nodes: 500_000,
            name_bytes: 12 * 1024 * 1024,
            directory_bytes: 64 * 1024 * 1024,
            chunk_bytes: 8 * 1024 * 1024,
            appspec_bytes: 128 * 1024,
            unpacked_bytes: 8 * 1024 * 1024 * 1024,
            expansion: 200,
            expansion_floor_bytes: 64 * 1024 * 1024,
            link_target_bytes: 4096,
            link_targets_bytes: 256 * 1024,
            script_bytes: 64 * 1024,
            head_bytes: 4 * 1024,
            joined_reads: 8,
            scattered_reads: 1000,
            scattered_bytes: 16 * 1024 * 1024,
            scattered_gap_bytes: 64 * 1024,
            gap_bytes: 4 * 1024,
        }
    }
}
