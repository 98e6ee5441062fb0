//! ZIPs written byte by byte, so that each number in them can be a lie.

use std::io::Write;

/// An entry: what its two headers say, and its packed data.
#[derive(Debug, Clone)]
pub(crate) struct RawEntry {
    pub(crate) name: Vec<u8>,
    /// In the local header; [`RawEntry::name`] where there is none.
    pub(crate) local_name: Option<Vec<u8>>,
    pub(crate) host: u8,
    pub(crate) needed: u16,
    pub(crate) flags: u16,
    pub(crate) local_flags: Option<u16>,
    pub(crate) method: u16,
    pub(crate) local_method: Option<u16>,
    pub(crate) mode: u32,
    pub(crate) crc: u32,
    pub(crate) local_crc: Option<u32>,
    pub(crate) packed: Vec<u8>,
    /// The packed size as it is stated.
    pub(crate) packed_size: u32,
    pub(crate) local_packed_size: Option<u32>,
    pub(crate) size: u32,
    pub(crate) local_size: Option<u32>,
    pub(crate) extra: Vec<u8>,
    pub(crate) local_extra: Vec<u8>,
    pub(crate) comment: Vec<u8>,
    pub(crate) disk: u16,
    /// Bytes behind the data: a data descriptor.
    pub(crate) behind: Vec<u8>,
}

/// A stored file.
pub(crate) fn file(name: impl AsRef<[u8]>, data: impl AsRef<[u8]>) -> RawEntry {
    let data = data.as_ref();
    let size = u32::try_from(data.len()).unwrap();
    RawEntry {
        name: name.as_ref().to_vec(),
        local_name: None,
        host: 3,
        needed: 20,
        flags: 0,
        local_flags: None,
        method: 0,
        local_method: None,
        mode: 0o100_644,
        crc: crc(data),
        local_crc: None,
        packed: data.to_vec(),
        packed_size: size,
        local_packed_size: None,
        size,
        local_size: None,
        extra: Vec::new(),
        local_extra: Vec::new(),
        comment: Vec::new(),
        disk: 0,
        behind: Vec::new(),
    }
}

/// A symbolic link.
pub(crate) fn link(name: &str, target: &str) -> RawEntry {
    RawEntry { mode: 0o120_777, ..file(name, target) }
}

pub(crate) fn crc(data: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(data);
    crc.sum()
}

impl RawEntry {
    /// The same, changed.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The same, deflated.
    pub(crate) fn deflated(self) -> Self {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&self.packed).unwrap();
        let packed = encoder.finish().unwrap();
        Self { method: 8, packed_size: u32::try_from(packed.len()).unwrap(), packed, ..self }
    }

    /// The same with an extra field of Info-ZIP in both headers that says another name.
    pub(crate) fn also_named(mut self, name: &str) -> Self {
        let field = unicode(0x7075, &self.name, name.as_bytes());
        self.extra.extend(&field);
        self.local_extra.extend(&field);
        self
    }
}

/// A Unicode field for a header's text.
pub(crate) fn unicode(id: u16, header: &[u8], text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len() + 5).unwrap();
    let mut field = [id.to_le_bytes(), length.to_le_bytes()].concat();
    field.push(1);
    field.extend(crc(header).to_le_bytes());
    field.extend(text);
    field
}

/// Entries and directory, without an end.
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) directory_at: usize,
    pub(crate) entries: usize,
}

impl Body {
    pub(crate) fn of(entries: &[RawEntry]) -> Self {
        Self::behind(b"", entries)
    }

    /// The same behind other bytes, which the offsets count.
    pub(crate) fn behind(before: &[u8], entries: &[RawEntry]) -> Self {
        let mut bytes = before.to_vec();
        let mut directory = Vec::new();
        for entry in entries {
            let offset = u32::try_from(bytes.len()).unwrap();
            let number = |n: usize| u16::try_from(n).unwrap();
            let local_name = entry.local_name.as_ref().unwrap_or(&entry.name);
            let wide =
                |out: &mut Vec<u8>, numbers: &[u32]| numbers.iter().for_each(|n| out.extend(n.to_le_bytes()));
            let short =
                |out: &mut Vec<u8>, numbers: &[u16]| numbers.iter().for_each(|n| out.extend(n.to_le_bytes()));
            bytes.extend(b"PK\x03\x04");
            let (flags, method) =
                (entry.local_flags.unwrap_or(entry.flags), entry.local_method.unwrap_or(entry.method));
            short(&mut bytes, &[entry.needed, flags, method, 0, 0x5821]);
            let (crc, size) = (entry.local_crc.unwrap_or(entry.crc), entry.local_size.unwrap_or(entry.size));
            let packed = entry.local_packed_size.unwrap_or(entry.packed_size);
            wide(&mut bytes, &[crc, packed, size]);
            short(&mut bytes, &[number(local_name.len()), number(entry.local_extra.len())]);
            for part in [local_name, &entry.local_extra, &entry.packed, &entry.behind] {
                bytes.extend(part);
            }
            directory.extend(b"PK\x01\x02");
            let made_by = u16::from_le_bytes([30, entry.host]);
            short(&mut directory, &[made_by, entry.needed, entry.flags, entry.method, 0, 0x5821]);
            wide(&mut directory, &[entry.crc, entry.packed_size, entry.size]);
            let lengths = [entry.name.len(), entry.extra.len(), entry.comment.len()].map(number);
            short(&mut directory, &lengths);
            short(&mut directory, &[entry.disk, 0]);
            wide(&mut directory, &[entry.mode << 16, offset]);
            for part in [&entry.name, &entry.extra, &entry.comment] {
                directory.extend(part);
            }
        }
        let directory_at = bytes.len();
        bytes.extend(directory);
        Self { bytes, directory_at, entries: entries.len() }
    }

    /// The end record for this directory, with a comment.
    pub(crate) fn end(&self, comment: &[u8]) -> Vec<u8> {
        end(self.entries, self.bytes.len() - self.directory_at, self.directory_at, comment)
    }

    /// The ZIP64 end record and its locator, if they stood right behind the directory.
    pub(crate) fn zip64_end(&self) -> Vec<u8> {
        let (bytes, offset) = (self.bytes.len() - self.directory_at, self.directory_at);
        zip64_end(self.entries, bytes, offset, self.bytes.len())
    }

    pub(crate) fn zip(self) -> Vec<u8> {
        let end = self.end(b"");
        [self.bytes, end].concat()
    }
}

pub(crate) fn zip64_end(entries: usize, bytes: usize, offset: usize, at: usize) -> Vec<u8> {
    let mut end = b"PK\x06\x06".to_vec();
    end.extend(44_u64.to_le_bytes());
    end.extend([45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for number in [entries, entries, bytes, offset] {
        end.extend((number as u64).to_le_bytes());
    }
    end.extend(b"PK\x06\x07\0\0\0\0");
    end.extend((at as u64).to_le_bytes());
    end.extend(1_u32.to_le_bytes());
    end
}

pub(crate) fn end(entries: usize, bytes: usize, offset: usize, comment: &[u8]) -> Vec<u8> {
    let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
    let entries = u16::try_from(entries).unwrap().to_le_bytes();
    end.extend([entries, entries].concat());
    for number in [bytes, offset] {
        end.extend(u32::try_from(number).unwrap().to_le_bytes());
    }
    end.extend(u16::try_from(comment.len()).unwrap().to_le_bytes());
    end.extend(comment);
    end
}

/// A ZIP of these entries.
pub(crate) fn zip(entries: &[RawEntry]) -> Vec<u8> {
    Body::of(entries).zip()
}
