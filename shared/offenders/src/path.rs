//! Request paths in one form, so that `/Login/`, `//login`, `/%6cogin` and `/x/../login` are one path.

/// Longest path that is looked at, bytes. WAF itself inspects the first 8 KB.
const LONGEST: usize = 4096;

/// How often percent-encoding is resolved: `%256c` hides one level from a server that decodes twice.
const DECODINGS: usize = 3;

/// A path in its normal form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NormalPath {
    /// Lower case, percent-encoding resolved, one slash between segments and none at the end, no `.` or `..`,
    /// no `;parameters`. Not always UTF-8.
    pub bytes: Vec<u8>,
    /// It tried to climb above the root, or carried a NUL: no browser does that.
    pub is_hostile: bool,
}

/// Brings the path of a request, without its query, into the normal form.
pub fn normalise(path: &[u8]) -> NormalPath {
    let path = path.get(..LONGEST).unwrap_or(path);
    if is_normal(path) {
        return NormalPath { bytes: path.to_vec(), is_hostile: false };
    }
    resolve(path)
}

/// The long way to the normal form.
fn resolve(path: &[u8]) -> NormalPath {
    let path = path.split(|&byte| byte == b'?' || byte == b'#').next().unwrap_or_default();
    let mut decoded = path.to_vec();
    for _ in 0..DECODINGS {
        if !decode(&mut decoded) {
            break;
        }
    }
    let mut is_hostile = decoded.contains(&0);
    for byte in &mut decoded {
        *byte = if *byte == b'\\' { b'/' } else { byte.to_ascii_lowercase() };
    }
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in decoded.split(|&byte| byte == b'/') {
        let segment = segment.split(|&byte| byte == b';').next().unwrap_or_default();
        match segment {
            b"" | b"." => {}
            b".." => is_hostile |= segments.pop().is_none(),
            _ => segments.push(segment),
        }
    }
    let mut bytes = Vec::with_capacity(decoded.len() + 1);
    for segment in segments {
        bytes.push(b'/');
        bytes.extend_from_slice(segment);
    }
    if bytes.is_empty() {
        bytes.push(b'/');
    }
    NormalPath { bytes, is_hostile }
}

/// Whether the path is surely in the normal form already, as most are.
fn is_normal(path: &[u8]) -> bool {
    let mut before = 0;
    let is_plain = path.iter().all(|&byte| {
        let begins_segment = before == b'/';
        before = byte;
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => true,
            b'.' | b'/' => !begins_segment,
            _ => false,
        }
    });
    is_plain && path.starts_with(b"/") && before != b'/'
}

/// Resolves one level of percent-encoding in place; `false` when there was none.
fn decode(path: &mut Vec<u8>) -> bool {
    let hex = |byte: Option<&u8>| byte.and_then(|&byte| char::from(byte).to_digit(16));
    let (mut read, mut written) = (0, 0);
    let mut found = false;
    while read < path.len() {
        let mut byte = path[read];
        read += 1;
        if byte == b'%'
            && let (Some(high), Some(low)) = (hex(path.get(read)), hex(path.get(read + 1)))
        {
            byte = u8::try_from(high * 16 + low).unwrap_or(byte);
            read += 2;
            found = true;
        }
        path[written] = byte;
        written += 1;
    }
    path.truncate(written);
    found
}

/// A fixed 64-bit hash of a normal path (FNV-1a, finished by a multiplication), the same in every process: partial
/// results of different processes meet. It is not secret; who finds paths of one hash makes his own scan look shorter.
pub fn hash(path: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for &byte in path {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let folded = u128::from(hash) * 0x9e37_79b9_7f4a_7c15;
    low_half(folded >> 64) ^ low_half(folded)
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
const fn low_half(bits: u128) -> u64 {
    bits as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(path: &str) -> String {
        String::from_utf8_lossy(&normalise(path.as_bytes()).bytes).into_owned()
    }

    #[test]
    fn p12_every_way_to_write_a_path_is_that_path() {
        for way in [
            "/login",
            "/Login",
            "/login/",
            "//login",
            "/%6cogin",
            "/%256Cogin",
            "/./login",
            "/a/../login",
            "/login;jsessionid=1",
            "/LOGIN//",
            "\\login",
            "/login?next=/",
            "/login#top",
        ] {
            assert_eq!(normal(way), "/login", "{way}");
        }
        assert_eq!(normal("/"), "/");
        assert_eq!(normal(""), "/");
        assert_eq!(normal("/loginx"), "/loginx");
    }

    proptest::proptest! {
        #[test]
        fn a_path_that_is_left_as_it_is_was_normal(path in "/?[a-c0./A%;_-]{0,12}") {
            if is_normal(path.as_bytes()) {
                let resolved = resolve(path.as_bytes());
                proptest::prop_assert_eq!(resolved.bytes, path.as_bytes());
                proptest::prop_assert!(!resolved.is_hostile);
            }
        }
    }

    #[test]
    fn climbing_above_the_root_is_hostile() {
        assert!(normalise(b"/cgi-bin/.%2e/.%2e/.%2e/bin/sh").is_hostile);
        assert!(normalise(b"/a%00.php").is_hostile);
        assert!(!normalise(b"/a/../b").is_hostile);
    }

    #[test]
    fn broken_encoding_stays_as_it_is() {
        assert_eq!(normal("/100%"), "/100%");
        assert_eq!(normal("/%zz%4"), "/%zz%4");
    }
}
