//! One record of the central directory, judged by what it says.

use super::Fields;
use super::entry::{self, Claims, Entry, Lie};
use super::extra::Extra;
use super::name::{HOST_UNIX, Name, Why, fingerprint};
use crate::tree::Kind;
use appspec::finding::{Code, Finding, Findings, shown};
use std::borrow::Cow;

const SIGNATURE: [u8; 4] = *b"PK\x01\x02";
/// Bytes of a record before its name.
pub(super) const RECORD_BYTES: usize = 46;
const FLAG_ENCRYPTED: u16 = 1;
const FLAG_STRONGLY_ENCRYPTED: u16 = 1 << 6;
const FLAG_MASKED: u16 = 1 << 13;
pub(super) const FLAGS_ENCRYPTED: u16 = FLAG_ENCRYPTED | FLAG_STRONGLY_ENCRYPTED | FLAG_MASKED;
pub(super) const FLAG_UTF8: u16 = 1 << 11;
const METHOD_AES: u16 = 99;
const TYPE: u32 = 0o170_000;
const TYPE_LINK: u32 = 0o120_000;
const TYPES_OF_FILES: [u32; 3] = [0, 0o100_000, 0o040_000];

/// A record, taken apart.
#[derive(Debug)]
pub(crate) struct Central<'a> {
    name: Name<'a>,
    extra: Extra<'a>,
    entry: Entry,
    claims: Claims,
    mode: u32,
}

/// What a record puts into the bundle.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) kind: Kind,
    pub(crate) entry: Entry,
    /// Whether the name stays inside the bundle and is the same to everyone.
    pub(crate) has_a_place: bool,
}

/// How long the record is that starts here, once its fixed part is there; `None` if it is no record.
pub(super) fn record_length(bytes: &[u8]) -> Option<usize> {
    let fields = Fields(bytes);
    if !bytes.starts_with(&SIGNATURE) {
        return None;
    }
    let of = |at| fields.u16(at).map(usize::from);
    Some(RECORD_BYTES + of(28)? + of(30)? + of(32)?)
}

impl<'a> Central<'a> {
    /// Takes a whole record apart; `None` if it lacks numbers that it announces.
    pub(crate) fn read(record: &'a [u8]) -> Option<Self> {
        let fields = Fields(record);
        let flags = fields.u16(8)?;
        let method = fields.u16(10)?;
        let (name_length, extra_length) = (fields.u16(28)?, fields.u16(30)?);
        let (_, rest) = record.split_at_checked(RECORD_BYTES)?;
        let (name, rest) = rest.split_at_checked(name_length.into())?;
        let (extra, comment) = rest.split_at_checked(extra_length.into())?;
        let extra = Extra::read(extra);
        let mut wide = extra;
        let mut widen = |narrow: u32| if narrow == u32::MAX { wide.wide() } else { Some(narrow.into()) };
        let unpacked_bytes = widen(fields.u32(24)?)?;
        let packed_bytes = widen(fields.u32(20)?)?;
        let offset = widen(fields.u32(42)?)?;
        let [host_version, host] = fields.u16(4)?.to_le_bytes();
        Some(Self {
            name: Name { bytes: name, comment, host, host_version, says_utf8: flags & FLAG_UTF8 != 0 },
            extra,
            entry: Entry {
                offset,
                packed_bytes,
                unpacked_bytes,
                crc: fields.u32(16)?,
                name: fingerprint(name),
                name_length,
                flags,
                method,
            },
            claims: Claims {
                needed: fields.u16(6)?,
                disk: fields.u16(34)?,
                encrypted: flags & FLAGS_ENCRYPTED != 0 || method == METHOD_AES,
            },
            mode: fields.u32(38)? >> 16,
        })
    }

    /// Says what is wrong with it, and what it is.
    pub(crate) fn judge(self, findings: &mut Findings) -> Judged<'a> {
        let name = self.name.text();
        let misnamed = self.name.fault(&self.extra);
        for (code, why) in [misnamed, self.name.oddity().filter(|_| misnamed.is_none())].into_iter().flatten()
        {
            findings.push_with(code, || Why::finding(why, code, &name));
        }
        if let Some((code, lie)) = entry::fault(&self.entry, self.claims, &self.extra) {
            findings.push_with(code, || Lie::finding(lie, code, &name));
        }
        let file_type = self.mode & TYPE;
        let kind = if file_type == TYPE_LINK { Kind::Link } else { Kind::of_name(&name) };
        // unzip makes links of Unix's entries and of some other systems', the others make files of them; of a device or
        // a pipe unzip makes a file, and rubyzip stops.
        let is_unclear = match file_type {
            TYPE_LINK => self.name.host != HOST_UNIX || self.entry.unpacked_bytes == 0 || name.ends_with('/'),
            other => self.name.host == HOST_UNIX && !TYPES_OF_FILES.contains(&other),
        };
        if is_unclear {
            findings.push_with(Code::TwoKinds, || {
                let what =
                    format!("entry {} is a link, a device or a file, depending on the program", shown(&name));
                Finding::new(Code::TwoKinds, what, "pack the bundle with zip on Linux")
            });
        }
        Judged { name, kind, entry: self.entry, has_a_place: misnamed.is_none() }
    }
}
