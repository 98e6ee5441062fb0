//! The structures of a ZIP that an inspection needs: end record, central directory, local header.
//!
//! Bytes in, values out. The maker of an archive can write any number into it, so each is checked before use, and no
//! input can cause a panic. Layouts after PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central
//! directory), 4.3.14 to 4.3.16 (end records) and 4.5 (extra fields). The `zip` crate is not used, because it reads
//! through `Read + Seek` and would download the bytes between these parts.
//!
//! An instance unpacks with Info-ZIP's `unzip` 6.0; where that complains, agent 1.x goes on with rubyzip 2.3.2 and agent
//! 2.x with the crate zip 2. What these three could read in different ways is refused. What is said here of `unzip` was
//! seen on Debian's 6.0-28.

mod central;
mod directory;
mod end;
mod entry;
mod extra;
mod file_type;
mod local;
mod name;

pub(crate) use central::{Central, Judged};
pub(crate) use directory::{NotARecord, Records};
pub(crate) use end::{Directory, find_directory};
pub(crate) use entry::{Entries, Entry, Totals};
pub(crate) use file_type::{HEAD_BYTES, recognise};
pub(crate) use local::{check_local, too_large, unpack, unpack_head};

/// A reason why an archive cannot be read any further.
pub(crate) type Refusal = appspec::finding::Finding;

/// Little-endian numbers from a slice; `None` past its end.
#[derive(Debug, Clone, Copy)]
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
