//! How inputs are changed: deterministic, so that a number is all it takes to see a failure again.

/// Numbers from a seed (`SplitMix64`).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 when there is none.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % (limit.max(1) as u64)).unwrap()
    }

    pub(crate) fn pick<'t, T>(&mut self, among: &'t [T]) -> &'t T {
        &among[self.below(among.len())]
    }

    pub(crate) fn pick_bytes<'t>(&mut self, among: &[&'t [u8]]) -> &'t [u8] {
        among[self.below(among.len())]
    }
}

/// What stands at the borders that the readers look for.
const TOKENS: [&[u8]; 30] = [
    b"\"",
    b"\\",
    b"\\\"",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xc2\xa0",
    b"\xef\xbb\xbf",
    b"null",
    b"-1",
    b"99999999999999999999999999",
    b"1e9",
    b"{\"timestamp\":",
    b"\"timestamp\":1767228995639",
    b",\"httpRequest\":{\"clientIp\":\"",
    b"],\"uri\":\"",
    b",\"httpMethod\":\"",
    b"\"terminatingRule\":{\"ruleId\":\"",
    b"\"logEvents\":[{\"message\":\"",
    b"\"messageType\":\"CONTROL_MESSAGE\"",
    b"REDACTED",
];

/// Changes bytes anywhere, a few times: the result is mostly no JSON any more.
pub(crate) fn bytes(dice: &mut Dice, text: &mut Vec<u8>, others: &[Vec<u8>]) {
    for _ in 0..=dice.below(6) {
        let at = dice.below(text.len() + 1);
        let until = (at + dice.below(64)).min(text.len());
        match dice.below(7) {
            0 if at < text.len() => text[at] ^= 1 << dice.below(8),
            1 if at < text.len() => text[at] = u8::try_from(dice.below(256)).unwrap(),
            2 => drop(text.drain(at..until)),
            3 => {
                let again = text[at..until].to_vec();
                drop(text.splice(at..at, again));
            }
            4 => text.truncate(at),
            5 => {
                let other = dice.pick(others);
                let from = dice.below(other.len());
                drop(text.splice(at..until, other[from..].iter().copied()));
            }
            _ => drop(text.splice(at..at, dice.pick(&TOKENS).iter().copied())),
        }
    }
}

/// Values that are valid JSON, and unusual where they come to stand.
const VALUES: [&str; 24] = [
    "null",
    "true",
    "0",
    "-1",
    "1767228995639",
    "1767228995639.0",
    "9223372036854775807",
    "123456789012345678901234567890",
    "1e300",
    "\"\"",
    "\"-\"",
    "\"REDACTED\"",
    "\"1767228995639\"",
    "\"198.51.100.7\"",
    "\"::ffff:198.51.100.7\"",
    r#""a\",\"uri\":\"/x""#,
    r#""\"}],\"uri\":\"/\\\\""#,
    r#""\u0000\ud83d\ude00\/""#,
    r#""ä€😀  ""#,
    r#""{\"timestamp\":1767228995639,\"action\":\"BLOCK\"""#,
    "[]",
    "{}",
    "[[{}],{\"timestamp\":5}]",
    r#"{"name":"x","value":["]",{"uri":"/y"}]}"#,
];

/// Puts another valid value in the place of one, a few times: a line of valid JSON stays one.
pub(crate) fn values(dice: &mut Dice, line: &[u8]) -> Vec<u8> {
    let mut line = line.to_vec();
    for _ in 0..=dice.below(3) {
        let scalars = scalars(&line);
        if scalars.is_empty() {
            break;
        }
        let place = dice.pick(&scalars).clone();
        drop(line.splice(place, dice.pick(&VALUES).bytes()));
    }
    line
}

/// Where the strings, numbers and words of valid JSON stand that are no keys.
fn scalars(text: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let start = at;
        match text[at] {
            b'"' => {
                at += 1;
                while text[at] != b'"' {
                    at += if text[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
                if text.get(at) != Some(&b':') {
                    found.push(start..at);
                }
            }
            b'-' | b'0'..=b'9' | b'a'..=b'z' => {
                while text.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)) {
                    at += 1;
                }
                found.push(start..at);
            }
            _ => at += 1,
        }
    }
    found
}
