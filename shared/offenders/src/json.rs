//! A forgiving reader of JSON text that is borrowed, not copied: what the careful path of [`crate::record`] walks with.
//!
//! It reads every valid document as any parser does, and goes on where a strict one stops: control characters and
//! no-break spaces between tokens or inside strings, bytes that are not UTF-8, lone surrogates. A client chooses the
//! bytes of its own request; a record that a strict parser refuses would be a request that nobody counts.

use memchr::memchr2;

/// Deepest nesting that is followed. WAF's records have six levels.
pub const DEEPEST: usize = 64;

/// Where and why a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at byte {at}")]
pub struct Malformed {
    /// Offset in the text, bytes.
    pub at: usize,
    /// What was met there.
    pub problem: &'static str,
}

/// The inside of a JSON string as it stands in the text, escapes unresolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Text<'a> {
    /// The bytes between the quotes.
    pub raw: &'a [u8],
}

impl<'a> Text<'a> {
    /// A string that is known to stand for itself.
    pub const fn new(raw: &'a [u8]) -> Self {
        Self { raw }
    }

    /// Whether any of it is written with escapes.
    #[inline]
    pub fn has_escapes(&self) -> bool {
        memchr::memchr(b'\\', self.raw).is_some()
    }

    /// Whether the string stands for `plain`, with or without escapes.
    #[inline]
    pub fn is(&self, plain: impl AsRef<[u8]>) -> bool {
        self.raw == plain.as_ref() || (self.has_escapes() && self.bytes(&mut Vec::new()) == plain.as_ref())
    }

    /// The bytes that the string stands for; `scratch` holds them when there are escapes to resolve.
    pub fn bytes<'s>(&self, scratch: &'s mut Vec<u8>) -> &'s [u8]
    where
        'a: 's,
    {
        if !self.has_escapes() {
            return self.raw;
        }
        scratch.clear();
        unescape(self.raw, scratch);
        scratch
    }

    /// The string for people, at most `limit` bytes of it; what is not UTF-8 shows as the replacement character.
    pub fn readable(&self, limit: usize) -> String {
        let mut scratch = Vec::new();
        readable(self.bytes(&mut scratch), limit)
    }
}

/// `bytes` for people: control characters shown as `?`, cut after `limit` bytes.
pub fn readable(bytes: &[u8], limit: usize) -> String {
    let cut = bytes.get(..limit).unwrap_or(bytes);
    let mut text: String =
        String::from_utf8_lossy(cut).chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    if bytes.len() > limit {
        text.push('…');
    }
    text
}

fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let Some((&escape, after)) = rest.split_first() else { return };
        rest = after;
        match escape {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'u' => rest = unescape_unicode(rest, out),
            other => out.push(other),
        }
    }
    out.extend_from_slice(rest);
}

/// Resolves what follows `\u`; returns what is left after it.
fn unescape_unicode<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let hex = |digits: &[u8]| -> Option<u32> {
        digits.iter().try_fold(0, |sum, &digit| Some(sum * 16 + char::from(digit).to_digit(16)?))
    };
    let mut push = |code: u32| {
        let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    };
    let Some(high) = rest.get(..4).and_then(hex) else {
        push(0xfffd);
        return rest;
    };
    let after = &rest[4..];
    if (0xd800..0xdc00).contains(&high) {
        let low = after.strip_prefix(b"\\u").and_then(|low| low.get(..4)).and_then(hex);
        if let Some(low) = low.filter(|low| (0xdc00..0xe000).contains(low)) {
            push(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            return &after[6..];
        }
    }
    push(high);
    after
}

/// A value's kind, and its text when it is a scalar. Objects and arrays are entered with [`Cursor::object`] and
/// [`Cursor::array`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A string.
    Text(Text<'a>),
    /// A number, `true`, `false` or `null`, as written.
    Bare(&'a [u8]),
    /// `{`, not yet entered.
    Object,
    /// `[`, not yet entered.
    Array,
}

impl Value<'_> {
    /// The value as a whole number, also when it is written as a string or with a fraction of zero.
    pub fn integer(&self) -> Option<i64> {
        let digits = match self {
            Self::Text(text) => text.raw.trim_ascii(),
            Self::Bare(bare) => bare,
            Self::Object | Self::Array => return None,
        };
        let text = std::str::from_utf8(digits).ok()?;
        text.parse().ok().or_else(|| {
            let (whole, fraction) = text.split_once('.')?;
            if fraction.bytes().all(|digit| digit == b'0') { whole.parse().ok() } else { None }
        })
    }
}

/// A place in a text.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the start of `text`.
    pub const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Bytes read so far.
    pub const fn position(&self) -> usize {
        self.at
    }

    fn fault<T>(&self, problem: &'static str) -> Result<T, Malformed> {
        Err(Malformed { at: self.at, problem })
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Passes white space in a wide sense: everything up to a blank, no-break spaces, byte order marks.
    pub fn skip_space(&mut self) {
        loop {
            match self.text.get(self.at..).unwrap_or_default() {
                [0..=0x20 | 0x7f, ..] => self.at += 1,
                [0xc2, 0xa0 | 0x85, ..] => self.at += 2,
                [0xef, 0xbb, 0xbf, ..] => self.at += 3,
                _ => return,
            }
        }
    }

    /// Whether only white space is left.
    pub fn at_end(&mut self) -> bool {
        self.skip_space();
        self.at >= self.text.len()
    }

    /// Looks at the value here. A scalar is passed, an object or array is not.
    ///
    /// # Errors
    /// There is no value here.
    pub fn value(&mut self) -> Result<Value<'a>, Malformed> {
        self.skip_space();
        match self.peek() {
            Some(b'"') => Ok(Value::Text(self.string()?)),
            Some(b'{') => Ok(Value::Object),
            Some(b'[') => Ok(Value::Array),
            Some(b'0'..=b'9' | b'-' | b't' | b'f' | b'n') => Ok(Value::Bare(self.bare())),
            Some(_) => self.fault("no JSON value"),
            None => self.fault("the text ends"),
        }
    }

    fn bare(&mut self) -> &'a [u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+')))
            .unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn string(&mut self) -> Result<Text<'a>, Malformed> {
        let start = self.at + 1;
        let rest = self.text.get(start..).unwrap_or_default();
        let Some(length) = string_length(rest) else { return self.fault("a string without an end") };
        self.at = start + length + 1;
        Ok(Text::new(&rest[..length]))
    }

    /// Passes the value here, whatever it is; returns its text.
    ///
    /// # Errors
    /// The value has no end, or is nested more than [`DEEPEST`] levels.
    pub fn skip(&mut self) -> Result<&'a [u8], Malformed> {
        self.skip_space();
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.value()? {
                Value::Text(_) | Value::Bare(_) => {}
                Value::Object | Value::Array => {
                    self.at += 1;
                    depth += 1;
                    if depth > DEEPEST {
                        return self.fault("nested too deep");
                    }
                }
            }
            loop {
                if depth == 0 {
                    return Ok(&self.text[start..self.at]);
                }
                self.skip_space();
                match self.peek() {
                    Some(b',' | b':') => {
                        self.at += 1;
                        break;
                    }
                    Some(b'}' | b']') => {
                        self.at += 1;
                        depth -= 1;
                    }
                    Some(_) => break,
                    None => return self.fault("the text ends"),
                }
            }
        }
    }

    /// Enters the object here and hands `each` every key with the cursor at its value; `each` must pass the value.
    ///
    /// # Errors
    /// There is no object here, or it has no end.
    pub fn object(
        &mut self,
        mut each: impl FnMut(Text<'a>, &mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.members(b'{', b'}', |cursor| {
            cursor.skip_space();
            if cursor.peek() != Some(b'"') {
                return cursor.fault("an object without a key");
            }
            let key = cursor.string()?;
            cursor.skip_space();
            if cursor.peek() != Some(b':') {
                return cursor.fault("a key without a value");
            }
            cursor.at += 1;
            each(key, cursor)
        })
    }

    /// Enters the array here and hands `each` the cursor at every value; `each` must pass the value.
    ///
    /// # Errors
    /// There is no array here, or it has no end.
    pub fn array(&mut self, each: impl FnMut(&mut Self) -> Result<(), Malformed>) -> Result<(), Malformed> {
        self.members(b'[', b']', each)
    }

    fn members(
        &mut self,
        open: u8,
        close: u8,
        mut each: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.skip_space();
        if self.peek() != Some(open) {
            return self.fault("another kind of value was expected");
        }
        self.at += 1;
        loop {
            self.skip_space();
            match self.peek() {
                Some(byte) if byte == close => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b',') => self.at += 1,
                Some(_) => each(self)?,
                None => return self.fault("the text ends"),
            }
        }
    }
}

/// Length of the string that starts at `rest`, its opening quote already passed; `None` when it has no end.
#[inline]
pub fn string_length(rest: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr2(b'"', b'\\', rest.get(from..)?)?;
        if rest[at] == b'"' {
            return Some(at);
        }
        from = at + 2;
    }
}

/// What a broken text looks like without what it says: keys and punctuation stay, every string value becomes `…`,
/// other letters `a`, digits `9`. Fit for a log.
pub fn shape(text: &[u8], limit: usize) -> String {
    let mut shape = String::new();
    let mut at = 0;
    while at < text.len() && shape.len() < limit {
        let byte = text[at];
        at += 1;
        match byte {
            b'"' => {
                let rest = &text[at..];
                let length = string_length(rest).unwrap_or(rest.len());
                let is_key = rest.get(length + 1) == Some(&b':');
                shape.push('"');
                match std::str::from_utf8(&rest[..length]) {
                    Ok(key) if is_key && length <= 40 => shape.push_str(key),
                    _ => shape.push('…'),
                }
                shape.push('"');
                at += length + 1;
            }
            b'{' | b'}' | b'[' | b']' | b':' | b',' | b' ' | b'.' | b'-' => shape.push(char::from(byte)),
            b'0'..=b'9' => shape.push('9'),
            b'a'..=b'z' | b'A'..=b'Z' => shape.push('a'),
            _ => shape.push('?'),
        }
    }
    shape
}
