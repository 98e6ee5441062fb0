//! An entry's own header, held against the central directory, and its data.

use super::central::{FLAG_UTF8, FLAGS_ENCRYPTED};
use super::entry::{Entry, FLAG_DESCRIPTOR, METHOD_DEFLATED, METHOD_STORED, damaged};
use super::extra::Extra;
use super::name::fingerprint;
use super::{Fields, Refusal};
use appspec::finding::{Code, Finding, shown};
use flate2::Crc;
use flate2::read::DeflateDecoder;
use std::io::{self, Read};

const SIGNATURE: [u8; 4] = *b"PK\x03\x04";
const HEADER_BYTES: usize = 30;
/// CRC and two sizes (APPNOTE 4.3.9); twice as long sizes in ZIP64.
const DESCRIPTOR_BYTES: usize = 12;
const BZIP2: u16 = 12;
const DEFLATE64: u16 = 9;

/// What follows a local header that agrees with the directory. `bytes` starts at the entry's offset,
/// and reaches to the next one if it is whole.
pub(crate) fn check_local<'a>(
    entry: &Entry,
    name: &str,
    bytes: &'a [u8],
    is_whole: bool,
) -> Result<&'a [u8], Refusal> {
    let fault = |what| damaged(name, what);
    let fields = Fields(bytes);
    let numbers = (fields.u16(6), fields.u16(8), fields.u32(14), fields.u32(18), fields.u32(22));
    let (Some(flags), Some(method), Some(crc), Some(packed), Some(unpacked)) = numbers else {
        return Err(fault("does not start where the central directory says"));
    };
    let (Some(name_length), Some(extra_length)) = (fields.u16(26), fields.u16(28)) else {
        return Err(fault("does not start where the central directory says"));
    };
    let (name_length, extra_length) = (usize::from(name_length), usize::from(extra_length));
    let local_name = fields.slice(HEADER_BYTES, name_length);
    let (true, Some(local_name)) = (bytes.starts_with(&SIGNATURE), local_name) else {
        return Err(fault("does not start where the central directory says"));
    };
    let Some(extra) = fields.slice(HEADER_BYTES + name_length, extra_length) else {
        return Err(fault("has a header of its own that reaches into another entry or is oddly long"));
    };
    let mut extra = Extra::read(extra);
    if name_length != usize::from(entry.name_length)
        || fingerprint(local_name) != entry.name
        || extra.path.is_some_and(|path| path != local_name)
    {
        let what = format!("entry {} has another name in its own header", shown(name));
        return Err(Finding::new(Code::TwoNames, what, "pack and upload it again"));
    }
    if flags & FLAGS_ENCRYPTED != 0 || extra.encrypted {
        let what = format!("entry {} is encrypted by its own header", shown(name));
        return Err(Finding::new(Code::Encrypted, what, "pack the bundle without encryption"));
    }
    if method != entry.method || (flags ^ entry.flags) & FLAG_UTF8 != 0 || extra.unclear {
        return Err(fault("has a header of its own that says otherwise"));
    }
    let is_zip64 = extra.zip64.is_some();
    let unpacked = if unpacked == u32::MAX { extra.wide() } else { Some(unpacked.into()) };
    let packed = if packed == u32::MAX { extra.wide() } else { Some(packed.into()) };
    // What stands behind the data may be left at zero here, each number by itself: zip in a pipe knows the size already.
    let comes_later = flags & FLAG_DESCRIPTOR != 0;
    let agrees = |stated: Option<u64>, known: u64| stated == Some(known) || comes_later && stated == Some(0);
    if !agrees(Some(crc.into()), entry.crc.into())
        || !agrees(packed, entry.packed_bytes)
        || !agrees(unpacked, entry.unpacked_bytes)
    {
        return Err(fault("has a header of its own with another size or checksum"));
    }
    let rest = bytes.get(HEADER_BYTES + name_length + extra_length..).unwrap_or_default();
    if comes_later && is_whole && !has_descriptor(entry, rest, is_zip64) {
        return Err(fault("has no data descriptor behind its data, where its own header says so"));
    }
    Ok(rest)
}

/// Whether there is room for the sizes behind the data, as unzip skips them. It takes what comes after for the next
/// entry, and says that entries overlap.
fn has_descriptor(entry: &Entry, rest: &[u8], is_zip64: bool) -> bool {
    let data = usize::try_from(entry.packed_bytes).unwrap_or(usize::MAX);
    let behind = rest.get(data..).unwrap_or_default();
    let signature = if behind.starts_with(b"PK\x07\x08") { 4 } else { 0 };
    behind.len() >= DESCRIPTOR_BYTES + signature + if is_zip64 { 8 } else { 0 }
}

/// Unpacks an entry out of what follows its header, at most `limit` bytes.
pub(crate) fn unpack(entry: &Entry, name: &str, rest: &[u8], limit: u64) -> Result<Vec<u8>, Refusal> {
    let length = usize::try_from(entry.packed_bytes).unwrap_or(usize::MAX);
    let packed = rest
        .get(..length)
        .ok_or_else(|| damaged(name, "has data that reach into another entry, or an oddly long header"))?;
    let mut data = Vec::new();
    if inflate(entry, name, packed, limit.saturating_add(1), &mut data)?.is_err() {
        return Err(damaged(name, "cannot be unpacked"));
    }
    if data.len() as u64 > limit {
        return Err(too_large(name, limit));
    }
    let mut crc = Crc::new();
    crc.update(&data);
    if crc.sum() != entry.crc || data.len() as u64 != entry.unpacked_bytes {
        return Err(damaged(name, "does not match its checksum"));
    }
    Ok(data)
}

/// The first bytes of an entry, at most `limit`, out of the first packed ones. Nothing vouches for them.
pub(crate) fn unpack_head(entry: &Entry, name: &str, rest: &[u8], limit: u64) -> Result<Vec<u8>, Refusal> {
    let mut data = Vec::new();
    // What is cut short ends in an error, and what came before it is in `data`.
    let _cut = inflate(entry, name, rest, limit, &mut data)?;
    Ok(data)
}

fn inflate(
    entry: &Entry,
    name: &str,
    packed: &[u8],
    most: u64,
    data: &mut Vec<u8>,
) -> Result<io::Result<usize>, Refusal> {
    match entry.method {
        METHOD_STORED => Ok(packed.take(most).read_to_end(data)),
        METHOD_DEFLATED => Ok(DeflateDecoder::new(packed).take(most).read_to_end(data)),
        method => Err(not_looked_into(name, method)),
    }
}

/// unzip could, this check cannot.
fn not_looked_into(name: &str, method: u16) -> Finding {
    let method = match method {
        BZIP2 => "bzip2".to_owned(),
        DEFLATE64 => "deflate64".to_owned(),
        other => format!("method {other}"),
    };
    let what = format!(
        "entry {} is packed with {method}, so that it cannot be judged before it is deployed",
        shown(name)
    );
    Finding::new(Code::Method, what, "pack it with deflate")
}

/// That an entry is larger than it may be.
pub(crate) fn too_large(name: &str, limit: u64) -> Finding {
    let what = format!("entry {} is larger than the {limit} bytes that it may have", shown(name));
    Finding::new(Code::EntryTooLarge, what, "make it smaller")
}
