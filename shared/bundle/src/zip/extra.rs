//! The extra fields of an entry (APPNOTE 4.5), of which four change what is unpacked.

use super::Fields;

const ZIP64: u16 = 0x0001;
const UNICODE_COMMENT: u16 = 0x6375;
const UNICODE_PATH: u16 = 0x7075;
const AES: u16 = 0x9901;

/// What the extra fields of one header say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Extra<'a> {
    /// The eight-byte numbers of the ZIP64 field.
    pub(super) zip64: Option<&'a [u8]>,
    /// The name that `unzip` takes instead of the header's.
    pub(super) path: Option<&'a [u8]>,
    /// The comment that stands for the header's.
    pub(super) comment: Option<&'a [u8]>,
    pub(super) encrypted: bool,
    /// One of these fields stands there twice or is cut short, so that it depends on the reader what it says.
    pub(super) unclear: bool,
}

impl<'a> Extra<'a> {
    /// Reads them. What is cut short at the end is passed over, as `unzip` does it.
    pub(super) fn read(bytes: &'a [u8]) -> Self {
        let mut extra = Self::default();
        let fields = Fields(bytes);
        let mut at = 0;
        while let (Some(id), Some(length)) = (fields.u16(at), fields.u16(at + 2)) {
            let length = usize::from(length);
            let data = fields.slice(at + 4, length);
            match id {
                ZIP64 => {
                    extra.unclear |=
                        data.is_none() || extra.zip64.replace(data.unwrap_or_default()).is_some();
                }
                UNICODE_PATH => extra.unclear |= !set_text(&mut extra.path, data),
                UNICODE_COMMENT => extra.unclear |= !set_text(&mut extra.comment, data),
                AES => extra.encrypted = true,
                _ => {}
            }
            at += 4 + length;
        }
        extra
    }

    /// The next number that the header has no room for.
    pub(super) fn wide(&mut self) -> Option<u64> {
        let (number, rest) = self.zip64?.split_first_chunk()?;
        self.zip64 = Some(rest);
        Some(u64::from_le_bytes(*number))
    }
}

/// The text of a Unicode field: a version, the CRC of the header's text, the text.
fn set_text<'a>(text: &mut Option<&'a [u8]>, data: Option<&'a [u8]>) -> bool {
    let Some(bytes) = data.and_then(|data| data.get(5..)) else { return false };
    text.replace(bytes).is_none()
}
