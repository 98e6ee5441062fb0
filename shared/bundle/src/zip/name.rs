//! An entry's name, which has to be the same to everyone who unpacks it.

use super::extra::Extra;
use appspec::finding::{Code, Finding, shown};
use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

/// Bytes of one part of a path (Linux: `NAME_MAX`).
const PART_BYTES: usize = 255;
/// Bytes of a whole path (Linux: `PATH_MAX` less the zero byte), less the folder that agents unpack into:
/// `/opt/codedeploy-agent/deployment-root/<36>/<11>/deployment-archive/`.
const PATH_BYTES: usize = 4095 - 106;
/// Parts of a path. Deeper is no bundle, and a path's folders cost memory.
const PARTS: usize = 128;

const HOST_FAT: u8 = 0;
const HOST_HPFS: u8 = 6;
const HOST_NTFS: u8 = 11;
pub(super) const HOST_UNIX: u8 = 3;

/// A name and what decides how it is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) comment: &'a [u8],
    pub(super) host: u8,
    pub(super) host_version: u8,
    pub(super) says_utf8: bool,
}

impl<'a> Name<'a> {
    /// As text. Bytes that are not UTF-8 become one character each.
    pub(super) fn text(&self) -> Cow<'a, str> {
        match std::str::from_utf8(self.bytes) {
            Ok(text) => text.into(),
            Err(_) => self.bytes.iter().copied().map(char::from).collect::<String>().into(),
        }
    }

    /// Why it cannot be judged under this name, first what leaves the bundle.
    pub(super) fn fault(&self, extra: &Extra<'_>) -> Option<(Code, Why)> {
        let bytes = self.bytes;
        if bytes.len() > PATH_BYTES {
            return Some((Code::LongName, Why::Long));
        }
        let letters = Letters::of(bytes);
        let is_utf8 = !letters.beyond_ascii || std::str::from_utf8(bytes).is_ok();
        let shape = Shape::of(bytes, letters, is_utf8);
        let drive = matches!(bytes, [letter, b':', ..] if letter.is_ascii_alphabetic());
        if bytes.is_empty() || letters.control && bytes.contains(&0) {
            Some((Code::ImpossibleName, Why::Impossible))
        } else if bytes.starts_with(b"/") || bytes.starts_with(b"\\") || drive {
            Some((Code::AbsoluteName, Why::Absolute))
        } else if shape.climbs {
            Some((Code::ClimbingName, Why::Climbs))
        } else if extra.path.is_some_and(|path| path != bytes)
            || extra.comment.is_some_and(|text| text != self.comment)
        {
            Some((Code::TwoNames, Why::UnicodeField))
        } else if letters.control {
            Some((Code::TwoNames, Why::Control))
        } else if bytes == b"." || bytes.ends_with(b"/.") {
            Some((Code::TwoNames, Why::Dot))
        } else if has_version(bytes) {
            Some((Code::TwoNames, Why::Version))
        } else if letters.beyond_ascii && self.is_recoded() {
            Some((Code::TwoNames, Why::Recoded))
        } else if letters.backslash && self.host != HOST_UNIX {
            Some((Code::TwoNames, Why::Backslash))
        } else if self.says_utf8 && !is_utf8 {
            Some((Code::TwoNames, Why::NotTheUtf8ItSays))
        } else if shape.longest_part > PART_BYTES {
            Some((Code::LongName, Why::Long))
        } else if shape.parts > PARTS {
            Some((Code::LongName, Why::Deep))
        } else {
            None
        }
    }

    /// Whether it is only odd.
    pub(super) fn oddity(&self) -> Option<(Code, Why)> {
        if std::str::from_utf8(self.bytes).is_err() {
            Some((Code::NameNotUtf8, Why::NotUtf8))
        } else if self.bytes.contains(&b'\\') {
            Some((Code::Backslash, Why::Backslash))
        } else {
            None
        }
    }

    /// Whether `unzip` takes the bytes for a code page of DOS, as its macro `Ext_ASCII_TO_Native` does; a flag that
    /// says UTF-8 does not keep Debian's from it.
    fn is_recoded(&self) -> bool {
        match self.host {
            HOST_FAT | HOST_HPFS => true,
            HOST_NTFS => self.host_version == 50,
            _ => false,
        }
    }
}

/// What is kept of a name to know it again. It differs from process to process, so that nobody can choose two names that
/// have one; and a CRC took more of the time than all else, because zlib-rs copies its tables for each.
pub(super) fn fingerprint(name: &[u8]) -> u32 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let mut state = KEY.build_hasher();
    state.write(name);
    let [a, b, c, d, ..] = state.finish().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// What a name's bytes are, found in one pass: there may be a quarter of a million names.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Letters {
    control: bool,
    beyond_ascii: bool,
    backslash: bool,
    two_dots: bool,
}

impl Letters {
    fn of(name: &[u8]) -> Self {
        let mut letters = Self::default();
        let mut before = 0;
        for &byte in name {
            letters.control |= byte.is_ascii_control();
            letters.beyond_ascii |= !byte.is_ascii();
            letters.backslash |= byte == b'\\';
            letters.two_dots |= byte == b'.' && before == b'.';
            before = byte;
        }
        letters
    }
}

/// What a name's parts are like.
#[derive(Debug, Clone, Copy, Default)]
struct Shape {
    /// Parts that are neither empty nor a dot.
    parts: usize,
    /// In bytes; as text, a byte that is not UTF-8 takes two.
    longest_part: usize,
    /// One of them is `..`, between slashes of either kind.
    climbs: bool,
}

impl Shape {
    fn of(name: &[u8], letters: Letters, is_utf8: bool) -> Self {
        let mut shape = Self::default();
        for part in name.split(|byte| *byte == b'/') {
            let as_text = if is_utf8 { 0 } else { part.iter().filter(|byte| !byte.is_ascii()).count() };
            shape.parts += usize::from(!matches!(part, b"" | b"."));
            shape.longest_part = shape.longest_part.max(part.len() + as_text);
            shape.climbs |= letters.two_dots && part.split(|byte| *byte == b'\\').any(|part| part == b"..");
        }
        shape
    }
}

/// `unzip` cuts `;1` off, as a version of VMS: `stop.sh;1` is unpacked over `stop.sh`.
fn has_version(name: &[u8]) -> bool {
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    name.len().checked_sub(digits + 1).and_then(|at| name.get(at)) == Some(&b';')
}

/// What is wrong with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Impossible,
    Absolute,
    Climbs,
    UnicodeField,
    Control,
    Dot,
    Version,
    Recoded,
    Backslash,
    NotTheUtf8ItSays,
    NotUtf8,
    Long,
    Deep,
}

impl Why {
    /// The finding about an entry of this name.
    pub(super) fn finding(self, code: Code, name: &str) -> Finding {
        let entry = shown(name);
        let (what, remedy) = match self {
            Self::Impossible => {
                (format!("entry \"{entry}\" has a name that no file can have"), "rename it and pack again")
            }
            Self::Absolute => (format!("entry {entry} has an absolute path"), "pack with relative paths"),
            Self::Climbs => {
                (format!("entry {entry} has .. in its path"), "pack from the bundle's own folder")
            }
            Self::UnicodeField => (
                format!("entry {entry} has an extra field with another name, which unzip takes"),
                "pack it where the locale is UTF-8 (LC_ALL=C.UTF-8)",
            ),
            Self::Control => (
                format!("entry {entry} has a control character in its name, which unzip leaves out"),
                "rename it",
            ),
            Self::Dot => {
                (format!("entry {entry} is a file called by a dot, which unzip calls _"), "rename it")
            }
            Self::Version => {
                (format!("entry {entry} ends in a semicolon and a number, which unzip cuts off"), "rename it")
            }
            Self::Recoded => (
                format!(
                    "entry {entry} has letters beyond ASCII and was packed as on DOS, so unzip writes other letters"
                ),
                "pack it with zip on Linux, or rename it",
            ),
            Self::Backslash => (
                format!(
                    "entry {entry} has a backslash in its name, a folder to one unpacker and a letter to another"
                ),
                "pack with / between folders",
            ),
            Self::NotTheUtf8ItSays => (
                format!("entry {entry} says that its name is UTF-8, and it is not"),
                "rename it and pack again",
            ),
            Self::NotUtf8 => {
                (format!("entry {entry} has a name that is not UTF-8"), "rename it and pack again")
            }
            Self::Long => (
                format!(
                    "entry {entry} has a part longer than {PART_BYTES} bytes or a path longer than {PATH_BYTES}"
                ),
                "shorten it",
            ),
            Self::Deep => (format!("entry {entry} lies more than {PARTS} folders deep"), "shorten the path"),
        };
        Finding::new(code, what, remedy)
    }
}
