//! The end of a ZIP, which says where its central directory lies.
//!
//! `unzip` and rubyzip take the last end record that they find, whatever its comment's length; the crate zip takes the
//! last one that makes sense. So the last one has to fit the end of the file to the byte.

use super::{Fields, Refusal};
use appspec::finding::{Code, Finding};
use std::ops::Range;

const END: [u8; 4] = *b"PK\x05\x06";
const END_BYTES: usize = 22;
const LOCATOR: [u8; 4] = *b"PK\x06\x07";
const LOCATOR_BYTES: usize = 20;
const ZIP64_END: [u8; 4] = *b"PK\x06\x06";
/// Bytes of a ZIP64 end record that its own length does not count (APPNOTE 4.3.14.1).
const ZIP64_END_UNCOUNTED: u64 = 12;
/// Where rubyzip 2.3.2 looks for all three records: this many bytes from the end (`MAX_END_OF_CDS_SIZE`).
const RUBYZIP_LOOKS_AT: usize = 65_554;
const REPACK: &str = "pack and upload it again";

/// Where the central directory lies and how many entries it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directory {
    pub(crate) range: Range<u64>,
    pub(crate) entries: u64,
}

/// What both kinds of end record say.
#[derive(Debug, Clone, Copy)]
struct End {
    disk: u64,
    directory_disk: u64,
    entries_here: u64,
    entries: u64,
    bytes: u64,
    offset: u64,
}

/// Finds the central directory. `tail` is the archive's last bytes, from `tail_start` to its end; `None` if there is no
/// end record in it.
pub(crate) fn find_directory(tail: &[u8], tail_start: u64) -> Option<Result<Directory, Refusal>> {
    let at = tail.windows(END.len()).rposition(|window| window == END)?;
    Some(read_end(tail, tail_start, at).unwrap_or_else(|| Err(damaged("its end record is cut short"))))
}

fn damaged(what: &str) -> Refusal {
    Finding::new(Code::Damaged, format!("the ZIP contradicts itself, {what}"), REPACK)
}

fn read_end(tail: &[u8], tail_start: u64, at: usize) -> Option<Result<Directory, Refusal>> {
    let fields = Fields(tail.get(at..)?);
    let comment = usize::from(fields.u16(20)?);
    if END_BYTES + comment != tail.len() - at {
        let what = "the last end record of the ZIP does not reach to the end of the file";
        let remedy = "pack and upload it again, and add nothing behind it";
        return Some(Err(Finding::new(Code::BytesAfterEnd, what, remedy)));
    }
    let narrow = End {
        disk: fields.u16(4)?.into(),
        directory_disk: fields.u16(6)?.into(),
        entries_here: fields.u16(8)?.into(),
        entries: fields.u16(10)?.into(),
        bytes: fields.u32(12)?.into(),
        offset: fields.u32(16)?.into(),
    };
    let locator_at = at.checked_sub(LOCATOR_BYTES).filter(|at| tail.get(*at..).is_some_and(is_locator));
    let mut end = narrow;
    let mut ends_at = tail_start.checked_add(at as u64)?;
    let mut zip64_at = None;
    if let Some(locator_at) = locator_at {
        let (wide, record_at) = match read_zip64(tail, tail_start, locator_at)? {
            Ok(found) => found,
            Err(refusal) => return Some(Err(refusal)),
        };
        if !agree(&narrow, &wide) {
            return Some(Err(damaged("its two end records name different directories")));
        }
        zip64_at = Some((record_at, locator_at));
        end = wide;
        ends_at = tail_start.checked_add(record_at as u64)?;
    } else if narrow.entries == u64::from(u16::MAX)
        || narrow.bytes == u64::from(u32::MAX)
        || narrow.offset == u64::from(u32::MAX)
    {
        return Some(Err(damaged("its ZIP64 end record is missing")));
    }
    if misleads_rubyzip(tail, zip64_at) {
        return Some(Err(damaged(
            "a second ZIP's end shows in its last 64 KiB, which one of the agents takes",
        )));
    }
    Some(directory(&end, ends_at))
}

fn directory(end: &End, ends_at: u64) -> Result<Directory, Refusal> {
    if end.disk == 0 && end.directory_disk == 0 && end.entries_here != end.entries {
        return Err(damaged("its end record counts the entries in two ways"));
    }
    if end.disk != 0 || end.directory_disk != 0 {
        return Err(Finding::new(Code::Split, "the ZIP is split into parts", "pack it as one file"));
    }
    let found = end.offset.saturating_add(end.bytes);
    if found != ends_at {
        let what =
            format!("the ZIP's central directory should end at byte {ends_at} and ends at byte {found}");
        let remedy = "pack and upload it again, bytes were added or lost";
        return Err(Finding::new(Code::Misplaced, what, remedy));
    }
    Ok(Directory { range: end.offset..found, entries: end.entries })
}

fn is_locator(bytes: &[u8]) -> bool {
    bytes.starts_with(&LOCATOR)
}

/// The ZIP64 end record and where in the tail it stands. It has to end where its locator begins.
fn read_zip64(tail: &[u8], tail_start: u64, locator_at: usize) -> Option<Result<(End, usize), Refusal>> {
    let locator = Fields(tail.get(locator_at..)?);
    let misplaced = || Some(Err(damaged("its ZIP64 end record is not where it should be")));
    let Some(at) = locator.u64(8)?.checked_sub(tail_start).and_then(|at| usize::try_from(at).ok()) else {
        return misplaced();
    };
    let Some(record) = tail.get(at..locator_at).filter(|record| record.starts_with(&ZIP64_END)) else {
        return misplaced();
    };
    let fields = Fields(record);
    let (Some(length), Some(disk), Some(directory_disk)) = (fields.u64(4), fields.u32(16), fields.u32(20))
    else {
        return misplaced();
    };
    let (Some(entries_here), Some(entries), Some(bytes), Some(offset)) =
        (fields.u64(24), fields.u64(32), fields.u64(40), fields.u64(48))
    else {
        return misplaced();
    };
    if length.checked_add(ZIP64_END_UNCOUNTED) != Some(record.len() as u64) {
        return misplaced();
    }
    // Locator: the disk of the record, and how many disks there are; some programs count none.
    if locator.u32(4)? != 0 || locator.u32(16)? > 1 {
        return Some(Err(Finding::new(Code::Split, "the ZIP is split into parts", "pack it as one file")));
    }
    let (disk, directory_disk) = (disk.into(), directory_disk.into());
    Some(Ok((End { disk, directory_disk, entries_here, entries, bytes, offset }, at)))
}

/// Whether each number of the short record is that of the long one, or says that the long one has it.
fn agree(narrow: &End, wide: &End) -> bool {
    let pairs16 = [
        (narrow.disk, wide.disk),
        (narrow.directory_disk, wide.directory_disk),
        (narrow.entries_here, wide.entries_here),
        (narrow.entries, wide.entries),
    ];
    let pairs32 = [(narrow.bytes, wide.bytes), (narrow.offset, wide.offset)];
    pairs16.iter().all(|(narrow, wide)| narrow == wide || *narrow == u64::from(u16::MAX))
        && pairs32.iter().all(|(narrow, wide)| narrow == wide || *narrow == u64::from(u32::MAX))
}

/// rubyzip takes the last ZIP64 end record in reach, if there is any locator in reach, wherever both stand.
fn misleads_rubyzip(tail: &[u8], zip64_at: Option<(usize, usize)>) -> bool {
    let start = tail.len().saturating_sub(RUBYZIP_LOOKS_AT);
    let reach = tail.get(start..).unwrap_or_default();
    let last = |what: [u8; 4]| Some(reach.windows(4).rposition(|window| window == what)? + start);
    match (last(ZIP64_END), last(LOCATOR)) {
        (Some(record), Some(locator)) => zip64_at != Some((record, locator)),
        // With a long comment the record is out of its reach: it reads the short record, which agrees or has no number.
        _ => false,
    }
}
