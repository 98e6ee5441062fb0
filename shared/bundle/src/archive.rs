//! The structures of a ZIP that an inspection needs: end record, central directory, local header.
//!
//! Sans-I/O: bytes in, values out. The maker of an archive can write any number into it, so each is checked before
//! use, and no input can cause a panic. Layouts after PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 (local header),
//! 4.3.12 (central directory), 4.3.14 to 4.3.16 (end records) and 4.5.3 (ZIP64 extra field). The `zip` crate is not
//! used, because it reads through `Read + Seek` and would download the bytes between these parts.

use crate::fault::ArchiveFault;
use crate::limits::Limits;
use flate2::read::DeflateDecoder;
use std::io::Read;
use std::ops::Range;

const END: [u8; 4] = *b"PK\x05\x06";
const END_BYTES: usize = 22;
const ZIP64_LOCATOR: [u8; 4] = *b"PK\x06\x07";
const ZIP64_LOCATOR_BYTES: usize = 20;
const ZIP64_END: [u8; 4] = *b"PK\x06\x06";
const ENTRY: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";
const LOCAL_BYTES: u64 = 30;
/// Bytes by which packing may make a short entry longer.
const PACKING_OVERHEAD: u64 = 1024;
const U16_MAX: u64 = u16::MAX as u64;
const U32_MAX: u64 = u32::MAX as u64;
const ZIP64_EXTRA: u16 = 1;
const FLAG_ENCRYPTED: u16 = 1;
const FLAG_MASKED: u16 = 1 << 13;
const METHOD_AES: u16 = 99;
const METHOD_STORED: u16 = 0;
const METHOD_DEFLATED: u16 = 8;
/// Stored, deflated, deflate64 and bzip2: what Info-ZIP's `unzip` 6.0, which the agent runs, can unpack.
const METHODS: [u16; 4] = [METHOD_STORED, METHOD_DEFLATED, 9, 12];

/// Where the central directory lies and how many entries it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directory {
    pub(crate) range: Range<u64>,
    pub(crate) entries: u64,
}

/// What the central directory says of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) symlink: bool,
    pub(crate) unpacked_bytes: u64,
    name_bytes: Vec<u8>,
    packed_bytes: u64,
    method: u16,
    crc: u32,
    encrypted: bool,
    offset: u64,
    /// Where the next local header or the central directory starts.
    ends_before: u64,
}

impl Entry {
    /// Where to read the local header and the packed data of an entry that may unpack to `limit` bytes.
    /// Bounded by the next entry, and by the longest legal extra field.
    pub(crate) fn range(&self, limit: u64) -> Result<Range<u64>, ArchiveFault> {
        if self.unpacked_bytes > limit || self.packed_bytes > limit.saturating_add(PACKING_OVERHEAD) {
            return Err(ArchiveFault::EntryTooLarge { entry: self.name.clone(), limit });
        }
        check_entry(self)?;
        let longest = LOCAL_BYTES
            .saturating_add(self.name_bytes.len() as u64)
            .saturating_add(U16_MAX)
            .saturating_add(self.packed_bytes);
        Ok(self.offset..self.offset.saturating_add(longest).min(self.ends_before))
    }

    fn damaged(&self, what: &'static str) -> ArchiveFault {
        ArchiveFault::Damaged { entry: Some(self.name.clone()), what }
    }
}

/// Little-endian numbers from a slice; `None` past its end.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn slice(self, at: usize, length: usize) -> Option<&'a [u8]> {
        self.0.get(at..at.checked_add(length)?)
    }
    fn u16(self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.slice(at, 2)?.try_into().ok()?))
    }
    fn u32(self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.slice(at, 4)?.try_into().ok()?))
    }
    fn u64(self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(self.slice(at, 8)?.try_into().ok()?))
    }
}

/// Finds the central directory. `tail` is the archive's last bytes, from `tail_start` to its end.
pub(crate) fn find_directory(tail: &[u8], tail_start: u64) -> Result<Directory, ArchiveFault> {
    let mut any_end = false;
    for at in (0..=tail.len().saturating_sub(END_BYTES)).rev() {
        let Some(end) = tail.get(at..) else { continue };
        if !end.starts_with(&END) {
            continue;
        }
        any_end = true;
        let fields = Fields(end);
        if fields.u16(20).is_some_and(|comment| END_BYTES + usize::from(comment) == end.len()) {
            return read_end(fields, tail, tail_start, at)
                .unwrap_or(Err(ArchiveFault::Damaged { entry: None, what: "its end record is cut short" }));
        }
    }
    Err(if any_end {
        ArchiveFault::BytesAfterEnd
    } else {
        ArchiveFault::NotZip { looks_like: "some other file" }
    })
}

/// Says by its first bytes what a file without an end record is.
pub(crate) fn look_at_head(head: &[u8]) -> Option<ArchiveFault> {
    match head {
        [b'P', b'K', 3, 4, ..] => Some(ArchiveFault::Truncated),
        [0x1f, 0x8b, ..] => Some(ArchiveFault::NotZip { looks_like: "a gzip file" }),
        _ => None,
    }
}

fn read_end(
    end: Fields<'_>,
    tail: &[u8],
    tail_start: u64,
    at: usize,
) -> Option<Result<Directory, ArchiveFault>> {
    let mut disk = u64::from(end.u16(4)?);
    let mut directory_disk = u64::from(end.u16(6)?);
    let mut entries = u64::from(end.u16(10)?);
    let mut bytes = u64::from(end.u32(12)?);
    let mut offset = u64::from(end.u32(16)?);
    let mut ends_at = tail_start.checked_add(at as u64)?;

    let locator = at.checked_sub(ZIP64_LOCATOR_BYTES).and_then(|start| tail.get(start..at));
    let locator = locator.filter(|locator| locator.starts_with(&ZIP64_LOCATOR));
    if let Some(locator) = locator {
        let record_at = Fields(locator).u64(8)?;
        let record =
            record_at.checked_sub(tail_start).and_then(|start| tail.get(usize::try_from(start).ok()?..at));
        let Some(record) = record.filter(|record| record.starts_with(&ZIP64_END)) else {
            return Some(Err(ArchiveFault::Damaged {
                entry: None,
                what: "its ZIP64 end record is not where it should be",
            }));
        };
        let record = Fields(record);
        disk = u64::from(record.u32(16)?);
        directory_disk = u64::from(record.u32(20)?);
        entries = record.u64(32)?;
        bytes = record.u64(40)?;
        offset = record.u64(48)?;
        ends_at = record_at;
    } else if entries == U16_MAX || bytes == U32_MAX || offset == U32_MAX {
        return Some(Err(ArchiveFault::Damaged { entry: None, what: "its ZIP64 end record is missing" }));
    }
    if disk != 0 || directory_disk != 0 {
        return Some(Err(ArchiveFault::Split));
    }
    let range = offset..offset.checked_add(bytes)?;
    if range.end != ends_at {
        return Some(Err(ArchiveFault::Misplaced { expected: ends_at, found: range.end }));
    }
    Some(Ok(Directory { range, entries }))
}

/// Refuses a directory that is too large to be read.
pub(crate) fn check_directory(directory: &Directory, limits: &Limits) -> Result<(), ArchiveFault> {
    let bytes = directory.range.end - directory.range.start;
    if directory.entries > limits.entries {
        Err(ArchiveFault::TooManyEntries { found: directory.entries, limit: limits.entries })
    } else if bytes > limits.directory_bytes {
        Err(ArchiveFault::DirectoryTooLarge { found: bytes, limit: limits.directory_bytes })
    } else {
        Ok(())
    }
}

/// Reads the central directory.
pub(crate) fn read_entries(bytes: &[u8], directory: &Directory) -> Result<Vec<Entry>, ArchiveFault> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (entry, length) = read_entry(Fields(rest))
            .ok_or(ArchiveFault::Damaged { entry: None, what: "its central directory is cut short" })?;
        entries.push(entry);
        rest = rest.get(length..).unwrap_or_default();
    }
    if entries.len() as u64 != directory.entries {
        return Err(ArchiveFault::Damaged {
            entry: None,
            what: "its central directory has another number of entries than it says",
        });
    }
    place(&mut entries, directory.range.start)?;
    Ok(entries)
}

fn read_entry(fields: Fields<'_>) -> Option<(Entry, usize)> {
    if fields.slice(0, 4)? != ENTRY {
        return None;
    }
    let made_by_unix = matches!(fields.u16(4)? >> 8, 3 | 19);
    let flags = fields.u16(8)?;
    let method = fields.u16(10)?;
    let name_length = usize::from(fields.u16(28)?);
    let extra_length = usize::from(fields.u16(30)?);
    let comment_length = usize::from(fields.u16(32)?);
    let mode = fields.u32(38)? >> 16;
    let name = fields.slice(46, name_length)?;
    let extra = fields.slice(46 + name_length, extra_length)?;
    fields.slice(46 + name_length + extra_length, comment_length)?;

    let mut wide = zip64_numbers(Fields(extra)).into_iter();
    let mut widen = |narrow: u32| if narrow == u32::MAX { wide.next() } else { Some(u64::from(narrow)) };
    let unpacked_bytes = widen(fields.u32(24)?)?;
    let packed_bytes = widen(fields.u32(20)?)?;
    let offset = widen(fields.u32(42)?)?;

    let entry = Entry {
        name: text_of(name),
        symlink: made_by_unix && mode & 0o170_000 == 0o120_000,
        unpacked_bytes,
        name_bytes: name.to_vec(),
        packed_bytes,
        method,
        crc: fields.u32(16)?,
        encrypted: flags & (FLAG_ENCRYPTED | FLAG_MASKED) != 0 || method == METHOD_AES,
        offset,
        ends_before: 0,
    };
    Some((entry, 46 + name_length + extra_length + comment_length))
}

/// The eight-byte numbers of the ZIP64 extra field, in their order.
fn zip64_numbers(extra: Fields<'_>) -> Vec<u64> {
    let mut at = 0;
    while let (Some(id), Some(length)) = (extra.u16(at), extra.u16(at + 2)) {
        if id == ZIP64_EXTRA {
            let data = extra.slice(at + 4, usize::from(length)).unwrap_or_default();
            return data
                .chunks_exact(8)
                .filter_map(|chunk| Some(u64::from_le_bytes(chunk.try_into().ok()?)))
                .collect();
        }
        at += 4 + usize::from(length);
    }
    Vec::new()
}

/// A name as text. Bytes that are not UTF-8 become one character each, so that two names never become one.
fn text_of(name: &[u8]) -> String {
    std::str::from_utf8(name).map_or_else(|_| name.iter().copied().map(char::from).collect(), str::to_owned)
}

/// Checks that the entries lie one after another before the directory, and notes where each ends.
///
/// Entries that share bytes are how a small archive unpacks into a huge one.
fn place(entries: &mut [Entry], directory_start: u64) -> Result<(), ArchiveFault> {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order
        .sort_unstable_by_key(|&index| std::cmp::Reverse(entries.get(index).map_or(0, |entry| entry.offset)));
    let mut ends_before = directory_start;
    for index in order {
        let Some(entry) = entries.get_mut(index) else { continue };
        let shortest = LOCAL_BYTES
            .checked_add(entry.name_bytes.len() as u64)
            .and_then(|n| n.checked_add(entry.packed_bytes));
        let end = shortest.and_then(|bytes| entry.offset.checked_add(bytes));
        if end.is_none_or(|end| end > ends_before) {
            return Err(entry.damaged("overlaps what comes after it"));
        }
        entry.ends_before = ends_before;
        ends_before = entry.offset;
    }
    Ok(())
}

/// What would stop `unzip` at this entry.
pub(crate) fn check_entry(entry: &Entry) -> Result<(), ArchiveFault> {
    if entry.encrypted {
        Err(ArchiveFault::Encrypted { entry: entry.name.clone() })
    } else if !METHODS.contains(&entry.method) {
        Err(ArchiveFault::Method { entry: entry.name.clone(), method: entry.method })
    } else {
        Ok(())
    }
}

/// Refuses an archive that unpacks into too much.
pub(crate) fn check_expansion(entries: &[Entry], limits: &Limits) -> Result<(), ArchiveFault> {
    let sum = |of: fn(&Entry) -> u64| entries.iter().map(of).fold(0_u64, u64::saturating_add);
    let unpacked = sum(|entry| entry.unpacked_bytes);
    let packed = sum(|entry| entry.packed_bytes);
    if unpacked > limits.unpacked_bytes {
        Err(ArchiveFault::UnpacksTooLarge { found: unpacked, limit: limits.unpacked_bytes })
    } else if unpacked > limits.expansion_floor_bytes && unpacked > packed.saturating_mul(limits.expansion) {
        Err(ArchiveFault::ExpandsTooFar { unpacked, packed, limit: limits.expansion })
    } else {
        Ok(())
    }
}

/// Unpacks one entry out of the bytes from its [`Entry::range`] on, at most `limit` bytes.
pub(crate) fn unpack(entry: &Entry, bytes: &[u8], limit: u64) -> Result<Vec<u8>, ArchiveFault> {
    let packed = packed_data(entry, bytes)
        .ok_or_else(|| entry.damaged("does not start where the central directory says"))?;
    let mut data = Vec::new();
    let read = match entry.method {
        METHOD_STORED => packed.take(limit.saturating_add(1)).read_to_end(&mut data),
        METHOD_DEFLATED => DeflateDecoder::new(packed).take(limit.saturating_add(1)).read_to_end(&mut data),
        method => return Err(ArchiveFault::Method { entry: entry.name.clone(), method }),
    };
    if read.is_err() {
        return Err(entry.damaged("cannot be unpacked"));
    }
    if data.len() as u64 > limit {
        return Err(ArchiveFault::EntryTooLarge { entry: entry.name.clone(), limit });
    }
    let mut crc = flate2::Crc::new();
    crc.update(&data);
    if crc.sum() != entry.crc || data.len() as u64 != entry.unpacked_bytes {
        return Err(entry.damaged("does not match its checksum"));
    }
    Ok(data)
}

fn packed_data<'a>(entry: &Entry, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let fields = Fields(bytes);
    if fields.slice(0, 4)? != LOCAL {
        return None;
    }
    let name_length = usize::from(fields.u16(26)?);
    let extra_length = usize::from(fields.u16(28)?);
    if fields.slice(30, name_length)? != entry.name_bytes {
        return None;
    }
    fields.slice(30 + name_length + extra_length, usize::try_from(entry.packed_bytes).ok()?)
}
