//! Writes ZIPs of any size and shape. Zeros are left out of the file as holes, so that a gigabyte takes no disk.

use flate2::Crc;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The times and owners that Info-ZIP's zip notes for each entry, in the directory.
const EXTRA: [u8; 24] =
    *b"UT\x05\x00\x03\x00\x00\x00\x60ux\x0b\x00\x01\x04\x00\x00\x00\x00\x04\x00\x00\x00\x00";
/// As Unix notes it.
const HOST_UNIX: u8 = 3;
/// Zeros that become a hole, and bytes that are written together.
const HOLE: u64 = 4096;
const PIECE: usize = 1024 * 1024;

/// A ZIP that is being written.
pub(crate) struct Archive {
    file: File,
    /// What is written up to here, and what comes next.
    written: u64,
    pending: Vec<u8>,
    at: u64,
    directory: Vec<u8>,
    entries: u64,
    crc_of_zeros: HashMap<u64, u32>,
}

/// What an entry is.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    Text(&'a [u8]),
    Zeros(u64),
    Link(&'a str),
    /// A link whose target is packed.
    PackedLink(&'a str),
}

impl Archive {
    pub(crate) fn create(file: &Path) -> io::Result<Self> {
        let file = File::create(file)?;
        Ok(Self {
            file,
            written: 0,
            pending: Vec::new(),
            at: 0,
            directory: Vec::new(),
            entries: 0,
            crc_of_zeros: HashMap::new(),
        })
    }

    /// Adds an entry, stored.
    pub(crate) fn add(&mut self, name: &str, content: Content<'_>) -> io::Result<()> {
        self.add_with(name, content, &EXTRA)
    }

    /// The same with other extra fields in the directory.
    pub(crate) fn add_with(&mut self, name: &str, content: Content<'_>, extra: &[u8]) -> io::Result<()> {
        let (length, crc, mode) = match content {
            Content::Text(text) => (text.len() as u64, crc(text), 0o100_644_u32),
            Content::Link(target) | Content::PackedLink(target) => {
                (target.len() as u64, crc(target.as_bytes()), 0o120_777)
            }
            Content::Zeros(length) => (length, self.zeros(length), 0o100_644),
        };
        let data = match content {
            Content::Text(text) => text.to_vec(),
            Content::Link(target) => target.as_bytes().to_vec(),
            Content::PackedLink(target) => deflate(target.as_bytes())?,
            Content::Zeros(_) => Vec::new(),
        };
        let method = if matches!(content, Content::PackedLink(_)) { 8 } else { 0 };
        let size = u32::try_from(length).map_err(io::Error::other)?;
        let packed = if method == 0 { size } else { u32::try_from(data.len()).map_err(io::Error::other)? };
        let offset = u32::try_from(self.at).map_err(io::Error::other)?;
        let name_length = u16::try_from(name.len()).map_err(io::Error::other)?;
        let extra_length = u16::try_from(extra.len()).map_err(io::Error::other)?;
        let mut header = b"PK\x03\x04\x14\0\0\0".to_vec();
        header.extend([method, 0, 0, 0, 0x21, 0x58]);
        for number in [crc, packed, size] {
            header.extend(number.to_le_bytes());
        }
        header.extend(name_length.to_le_bytes());
        header.extend([0, 0]);
        header.extend(name.as_bytes());
        header.extend(data);
        self.at += header.len() as u64;
        self.pending.extend(header);
        if let Content::Zeros(length) = content {
            self.at += length;
            if length > HOLE {
                self.flush()?;
            } else {
                self.pending
                    .resize(self.pending.len() + usize::try_from(length).map_err(io::Error::other)?, 0);
            }
        }
        if self.pending.len() > PIECE {
            self.flush()?;
        }
        self.directory.extend(b"PK\x01\x02");
        self.directory.extend([30, HOST_UNIX, 20, 0, 0, 0, method, 0, 0, 0, 0x21, 0x58]);
        for number in [crc, packed, size] {
            self.directory.extend(number.to_le_bytes());
        }
        for number in [name_length, extra_length, 0, 0, 0] {
            self.directory.extend(number.to_le_bytes());
        }
        self.directory.extend((mode << 16).to_le_bytes());
        self.directory.extend(offset.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.directory.extend(extra);
        self.entries += 1;
        Ok(())
    }

    /// Writes what is pending. What lies between it and the next entry is a hole.
    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.pending, self.written)?;
        self.pending.clear();
        self.written = self.at;
        Ok(())
    }

    fn zeros(&mut self, length: u64) -> u32 {
        *self.crc_of_zeros.entry(length).or_insert_with(|| {
            let mut crc = Crc::new();
            let piece = [0; 16_384];
            let mut left = length;
            while left > 0 {
                let now = left.min(piece.len() as u64);
                crc.update(piece.get(..usize::try_from(now).unwrap_or_default()).unwrap_or_default());
                left -= now;
            }
            crc.sum()
        })
    }

    /// Writes directory and end, with ZIP64 records where the numbers need them.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        let (offset, bytes) = (self.at, self.directory.len() as u64);
        self.file.write_all_at(&self.directory, offset)?;
        let mut end = Vec::new();
        if self.entries >= u64::from(u16::MAX) {
            end.extend(b"PK\x06\x06");
            end.extend(44_u64.to_le_bytes());
            end.extend([45, HOST_UNIX, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            for number in [self.entries, self.entries, bytes, offset] {
                end.extend(number.to_le_bytes());
            }
            end.extend(b"PK\x06\x07\0\0\0\0");
            end.extend((offset + bytes).to_le_bytes());
            end.extend(1_u32.to_le_bytes());
        }
        end.extend(b"PK\x05\x06\0\0\0\0");
        let entries = u16::try_from(self.entries).unwrap_or(u16::MAX).to_le_bytes();
        end.extend([entries, entries].concat());
        for number in [bytes, offset] {
            end.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
        }
        end.extend([0, 0]);
        self.file.write_all_at(&end, offset + bytes)
    }
}

fn deflate(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}
