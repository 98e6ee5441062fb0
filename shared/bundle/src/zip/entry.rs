//! What is kept of each entry: where its bytes lie, and what they have to be.

use super::Refusal;
use super::central::FLAGS_ENCRYPTED;
use super::extra::Extra;
use crate::limits::Limits;
use appspec::finding::{Code, Finding, shown};
use std::ops::Range;

pub(super) const LOCAL_BYTES: u64 = 30;
pub(super) const METHOD_STORED: u16 = 0;
pub(super) const METHOD_DEFLATED: u16 = 8;
/// Bit 3: the sizes stand behind the data.
pub(super) const FLAG_DESCRIPTOR: u16 = 1 << 3;
/// The shortest data descriptor: CRC and two sizes (APPNOTE 4.3.9).
const DESCRIPTOR_BYTES: u64 = 12;
/// Bytes of a local header's extra field that a read provides for; archivers write some 40, zipalign up to 4,096.
const LOCAL_EXTRA_BYTES: u64 = 4096 + 64;

/// One entry, without its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) offset: u64,
    pub(crate) packed_bytes: u64,
    pub(crate) unpacked_bytes: u64,
    pub(super) crc: u32,
    /// Its fingerprint.
    pub(super) name: u32,
    pub(super) name_length: u16,
    pub(super) flags: u16,
    pub(super) method: u16,
}

/// The sizes of all entries together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) packed: u64,
    pub(crate) unpacked: u64,
}

impl Entry {
    /// Whether the directory's line said already that it cannot be unpacked.
    pub(crate) fn is_refused(&self) -> bool {
        self.flags & FLAGS_ENCRYPTED != 0 || !METHODS.contains(&self.method)
    }

    /// Whether it can be unpacked here: unzip knows methods that an inspection does not.
    pub(crate) fn is_readable(&self) -> bool {
        self.flags & FLAGS_ENCRYPTED == 0 && matches!(self.method, METHOD_STORED | METHOD_DEFLATED)
    }

    /// The shortest that header and data can be.
    fn end(&self) -> Option<u64> {
        let descriptor = if self.flags & FLAG_DESCRIPTOR == 0 { 0 } else { DESCRIPTOR_BYTES };
        (LOCAL_BYTES + u64::from(self.name_length) + descriptor)
            .checked_add(self.packed_bytes)
            .and_then(|length| self.offset.checked_add(length))
    }
}

impl Totals {
    /// Counts an entry.
    pub(crate) fn add(&mut self, entry: &Entry) {
        self.packed = self.packed.saturating_add(entry.packed_bytes);
        self.unpacked = self.unpacked.saturating_add(entry.unpacked_bytes);
    }

    /// Why that is too much, if it is.
    pub(crate) fn fault(&self, limits: &Limits) -> Option<Finding> {
        let Self { packed, unpacked } = self;
        if *unpacked > limits.unpacked_bytes {
            let limit = limits.unpacked_bytes;
            let what = format!("the bundle unpacks to {unpacked} bytes, at most {limit} are allowed");
            Some(Finding::new(
                Code::UnpacksTooLarge,
                what,
                "leave out what the service does not need at run time",
            ))
        } else if *unpacked > limits.expansion_floor_bytes
            && *unpacked > packed.saturating_mul(limits.expansion)
        {
            let limit = limits.expansion;
            let what = format!(
                "the bundle unpacks from {packed} to {unpacked} bytes, more than {limit} times its size"
            );
            Some(Finding::new(Code::ExpandsTooFar, what, "leave out sparse or generated files"))
        } else {
            None
        }
    }
}

/// All entries, in the directory's order, and their order in the file.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    all: Vec<Entry>,
    by_offset: Vec<u32>,
    directory_start: u64,
}

impl Entries {
    /// Room for as many as the directory announces.
    pub(crate) fn with_capacity(entries: usize) -> Self {
        Self { all: Vec::with_capacity(entries), ..Self::default() }
    }

    /// Adds one, and gives its number.
    pub(crate) fn push(&mut self, entry: Entry) -> u32 {
        self.all.push(entry);
        u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Entry> {
        self.all.get(usize::try_from(number).ok()?)
    }

    /// Checks that the entries lie one after another before the directory. Entries that share bytes are how a small
    /// archive unpacks into a huge one. The error is the number of an entry that shares bytes with what follows it.
    pub(crate) fn place(&mut self, directory_start: u64) -> Result<(), u32> {
        self.directory_start = directory_start;
        self.by_offset = (0..).take(self.all.len()).collect();
        let all = &self.all;
        let offset = |number: &u32| {
            usize::try_from(*number).ok().and_then(|at| all.get(at)).map_or(0, |entry| entry.offset)
        };
        // Nearly always sorted already: archivers write the directory in the order of the entries.
        self.by_offset.sort_by_key(offset);
        let next = self.by_offset.iter().skip(1).map(offset).chain([directory_start]);
        for (number, next) in self.by_offset.iter().zip(next) {
            let end = usize::try_from(*number).ok().and_then(|at| all.get(at)).and_then(Entry::end);
            if end.is_none_or(|end| end > next) {
                return Err(*number);
            }
        }
        Ok(())
    }

    /// Where the first one starts.
    pub(crate) fn first_offset(&self) -> Option<u64> {
        self.by_offset.first().and_then(|number| self.get(*number)).map(|entry| entry.offset)
    }

    /// Where to read the local header and the packed data of an entry. Bounded by the next entry.
    pub(crate) fn range(&self, entry: &Entry) -> Range<u64> {
        let next = self
            .by_offset
            .partition_point(|number| self.get(*number).is_none_or(|other| other.offset <= entry.offset));
        let next = self.by_offset.get(next).and_then(|number| self.get(*number));
        let ends_before = next.map_or(self.directory_start, |next| next.offset);
        let longest = LOCAL_BYTES + u64::from(entry.name_length) + LOCAL_EXTRA_BYTES;
        let end = entry.offset.saturating_add(longest).saturating_add(entry.packed_bytes);
        entry.offset..end.min(ends_before)
    }
}

/// What is the matter with an entry, as opposed to with its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claims {
    pub(super) needed: u16,
    pub(super) disk: u16,
    pub(super) encrypted: bool,
}

/// What Info-ZIP's `unzip` 6.0 can unpack that is still written: stored, deflated, deflate64 and bzip2.
const METHODS: [u16; 4] = [METHOD_STORED, METHOD_DEFLATED, 9, 12];
/// What `unzip` 6.0 can do, as ten times the version of APPNOTE: it skips an entry that needs more.
const UNZIP_CAN: u16 = 46;
/// The highest version that APPNOTE 6.3.10 gives a meaning (4.4.3.2).
const HIGHEST: u16 = 63;
/// Unpacked bytes for one packed byte that deflate can reach: a match of 258 bytes for two bits.
const DEFLATE_EXPANSION: u64 = 1032;

/// What an entry's numbers give away, and whether the bundle can still be deployed.
pub(super) fn fault(entry: &Entry, claims: Claims, extra: &Extra<'_>) -> Option<(Code, Lie)> {
    let Entry { packed_bytes, unpacked_bytes, method, .. } = *entry;
    // The high byte names a system and decides nothing.
    let needed = claims.needed & 0xff;
    if claims.encrypted || extra.encrypted {
        Some((Code::Encrypted, Lie::Encrypted))
    } else if extra.unclear {
        Some((Code::Damaged, Lie::Extra))
    } else if claims.disk != 0 && claims.disk != u16::MAX {
        Some((Code::Split, Lie::Disk))
    } else if !METHODS.contains(&method) || needed > HIGHEST {
        Some((Code::Method, if needed > HIGHEST { Lie::Needs(needed) } else { Lie::Method(method) }))
    } else if method == METHOD_STORED && packed_bytes != unpacked_bytes
        || packed_bytes > largest_packed(method, unpacked_bytes)
        || method == METHOD_DEFLATED && unpacked_bytes > packed_bytes.saturating_mul(DEFLATE_EXPANSION)
    {
        Some((Code::SizeLie, Lie::Sizes { packed_bytes, unpacked_bytes }))
    } else if needed > UNZIP_CAN {
        Some((Code::ExecuteBitsLost, Lie::Skipped(needed)))
    } else {
        None
    }
}

/// What packing may make of so many bytes: 0.1 % and 64 bytes more; bzip2 1 % and 600 (its manual, section 2.1).
fn largest_packed(method: u16, unpacked: u64) -> u64 {
    let more = if method == 12 { unpacked / 100 + 600 } else { unpacked / 1000 + 64 };
    unpacked.saturating_add(more)
}

/// What an entry's numbers give away.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lie {
    Encrypted,
    Extra,
    Disk,
    Method(u16),
    Needs(u16),
    Sizes { packed_bytes: u64, unpacked_bytes: u64 },
    Skipped(u16),
}

impl Lie {
    /// The finding about an entry of this name.
    pub(super) fn finding(self, code: Code, name: &str) -> Finding {
        let entry = shown(name);
        let (what, remedy) = match self {
            Self::Encrypted => (format!("entry {entry} is encrypted"), "pack the bundle without encryption"),
            Self::Extra => (
                format!("the ZIP contradicts itself, entry {entry} has an extra field twice or cut short"),
                "pack and upload it again",
            ),
            Self::Disk => ("the ZIP is split into parts".to_owned(), "pack it as one file"),
            Self::Method(method) => (
                format!(
                    "entry {entry} is packed by method {method}, which unzip on the instance does not know"
                ),
                "pack the bundle with deflate",
            ),
            Self::Needs(needed) => (
                format!(
                    "entry {entry} needs version {}.{} of the ZIP format, which does not exist",
                    needed / 10,
                    needed % 10
                ),
                "pack and upload it again",
            ),
            Self::Sizes { packed_bytes, unpacked_bytes } => (
                format!(
                    "entry {entry} says that {packed_bytes} packed bytes unpack to {unpacked_bytes}, which cannot be"
                ),
                "pack and upload it again",
            ),
            Self::Skipped(needed) => (
                format!(
                    "entry {entry} needs version {}.{} of the ZIP format, and unzip skips it",
                    needed / 10,
                    needed % 10
                ),
                "pack the bundle with deflate",
            ),
        };
        Finding::new(code, what, remedy)
    }
}

/// That an entry contradicts itself.
pub(super) fn damaged(name: &str, what: &str) -> Refusal {
    let what = format!("the ZIP contradicts itself, entry {} {what}", shown(name));
    Finding::new(Code::Damaged, what, "pack and upload it again")
}
