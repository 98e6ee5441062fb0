//! One WAF log record, read two ways that agree.
//!
//! **Quick.** WAF writes its fields in one order. In valid JSON the bytes `"key":` whose quotes are not escaped can only
//! be that key, because a quote inside a value is always escaped. From a record's time to its client's address most
//! records are the same as an earlier one, byte for byte: rule, action, the list of rule groups. So that part is
//! compared with a few remembered templates; from there the quick path leaps with SIMD searches over the headers to
//! path and method, and over the rest to the line's end. Every byte is looked at once, at the speed of a comparison,
//! and finding the end of the line costs nothing extra.
//!
//! **Careful.** A line that is not laid out like that, or holds more than one record, is walked value by value with the
//! forgiving [`crate::json::Cursor`]: any order of fields, nulls, numbers as strings, records run together, an
//! envelope of CloudWatch Logs. A property test holds the quick path to the careful one.
//!
//! Tried and left out: `serde_json` into a borrowed struct and sonic-rs (both walk every value that they pass over),
//! and a search for each key in a line whose end was searched before. Figures: docs/speed.md.

mod headers;

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::{memchr, memchr2, memchr3};

use crate::action::WafAction;
use crate::json::{Cursor, Malformed, Text, Value};

/// The fields that the detectors read, borrowed from the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// When WAF saw the request, milliseconds since 1970.
    pub timestamp: i64,
    /// What WAF did.
    pub action: WafAction,
    /// `terminatingRuleId`: the rule that ended the evaluation, `Default_Action` when none did.
    pub rule: Text<'a>,
    /// `httpRequest.clientIp`, as written. Empty when the record has no request.
    pub client_ip: Text<'a>,
    /// `httpRequest.uri`: the path.
    pub uri: Text<'a>,
    /// `httpRequest.httpMethod`.
    pub method: Text<'a>,
    /// `httpRequest.requestId`. Empty when the record has none.
    pub request_id: Text<'a>,
    /// Whether the rule that ended the evaluation is a rate-based one, which lets its client in again by itself.
    pub is_rate_based: bool,
    /// Whether a label of AWS's Bot Control says that this is the crawler that it claims to be.
    /// <https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-bot.html>
    pub is_verified_bot: bool,
    /// The whole record, for what only a few of them need: headers, the rule inside a group.
    pub json: &'a [u8],
}

impl<'a> Record<'a> {
    /// Every value of header `wanted` (any case), in the order of the log. Headers may be a list of names and values,
    /// as WAF writes them, or an object, as a CloudWatch Logs transformer leaves them.
    pub fn header_values(&self, wanted: &str, mut each: impl FnMut(Text<'a>)) {
        let read = Cursor::new(self.json).object(|key, cursor| match name(key) {
            b"httpRequest" => in_object(cursor, |key, cursor| match name(key) {
                b"headers" => headers::each(cursor, wanted, &mut each),
                _ => cursor.skip().map(|_| ()),
            }),
            _ => cursor.skip().map(|_| ()),
        });
        // A damaged rest of the record holds no header that could be believed.
        read.unwrap_or_default();
    }

    /// The rule that ended the evaluation, for a person: with the rule inside a rule group when the log names it.
    pub fn rule_in_full(&self) -> String {
        const LONGEST: usize = 120;
        // A group's rule that ended the evaluation; in valid JSON this can only be that key.
        let inner = FIND_GROUP_RULE.find(self.json).and_then(|at| {
            let (inner, _) = any_string(&self.json[at + GROUP_RULE.len()..])?;
            Some(Text::new(inner).readable(LONGEST))
        });
        let outer = self.rule.readable(LONGEST);
        inner.map_or(outer.clone(), |inner| format!("{outer} / {inner}"))
    }
}

fn peek<'a>(cursor: &Cursor<'a>) -> Result<Value<'a>, Malformed> {
    let mut ahead = *cursor;
    ahead.value()
}

/// Enters an object, or passes any other value.
fn in_object<'a>(
    cursor: &mut Cursor<'a>,
    each: impl FnMut(Text<'a>, &mut Cursor<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    match peek(cursor)? {
        Value::Object => cursor.object(each),
        _ => cursor.skip().map(|_| ()),
    }
}

/// Enters an array, or passes any other value.
fn in_array<'a>(
    cursor: &mut Cursor<'a>,
    each: impl FnMut(&mut Cursor<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    match peek(cursor)? {
        Value::Array => cursor.array(each),
        _ => cursor.skip().map(|_| ()),
    }
}

/// A record that could not be read, and is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadRecord<'a> {
    /// Its text, or what is left of the line from where it starts.
    pub json: &'a [u8],
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Who takes the records of an object.
pub trait Sink {
    /// A record.
    fn record(&mut self, record: &Record<'_>);
    /// Something that is none.
    fn bad(&mut self, bad: BadRecord<'_>);
    /// A message in which CloudWatch Logs only checks whether it can deliver.
    fn control(&mut self) {}
}

/// What records look like between their time and their client's address: rule, action, rule groups, the same bytes
/// again and again.
#[derive(Debug, Clone)]
struct Template {
    bytes: Vec<u8>,
    rule: Range<usize>,
    action: WafAction,
    is_rate_based: bool,
}

/// Reads blocks of lines, and remembers what earlier records looked like.
#[derive(Debug, Clone, Default)]
pub struct RecordReader {
    /// Those that fit most often come first.
    templates: Vec<Template>,
}

/// More kinds of records than a web ACL has rules that end an evaluation often.
const MOST_TEMPLATES: usize = 24;

/// A rule group list of fifty groups; longer ones are searched.
const LONGEST_TEMPLATE: usize = 16 * 1024;

/// How WAF begins a record.
pub(crate) const START: &[u8] = b"{\"timestamp\":";
const DIGITS: usize = 13;
const CLIENT: &[u8] = b",\"httpRequest\":{\"clientIp\":\"";

const GROUP_RULE: &[u8] = b"\"terminatingRule\":{\"ruleId\":\"";

const RATE_BASED: &str = "RATE_BASED";
const VERIFIED_BOT: &str = "awswaf:managed:aws:bot-control:bot:verified";
const VERIFIED_BOT_LABEL: &[u8] = b"{\"name\":\"awswaf:managed:aws:bot-control:bot:verified\"";

static FIND_GROUP_RULE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(GROUP_RULE));
static FIND_CLIENT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(CLIENT));
static FIND_TIMESTAMP: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"timestamp\":"));

impl RecordReader {
    /// Reads all records of whole lines.
    #[inline]
    pub fn read(&mut self, mut lines: &[u8], sink: &mut impl Sink) {
        while !lines.is_empty() {
            if let Some((record, rest)) = self.quick(lines) {
                sink.record(&record);
                lines = rest;
            } else {
                lines = self.one_line(lines, sink);
            }
        }
    }

    /// The quick path: one record and the lines after it; `None` when the next line is not exactly one record in
    /// WAF's own layout that begins as an earlier one did.
    #[inline]
    fn quick<'a>(&mut self, lines: &'a [u8]) -> Option<(Record<'a>, &'a [u8])> {
        let rest = lines.strip_prefix(START)?;
        let timestamp = number(rest.get(..DIGITS)?)?;
        let rest = &rest[DIGITS..];
        let fits = self.templates.iter().position(|template| rest.starts_with(&template.bytes))?;
        let template = &self.templates[fits];
        let (action, rule) = (template.action, rest.get(template.rule.clone())?);
        let is_rate_based = template.is_rate_based;
        let request = &rest[template.bytes.len()..];
        if fits > 0 {
            self.templates.swap(fits, fits - 1);
        }
        let RequestLine { client_ip, uri, method, request_id, is_verified_bot, rest } =
            request_line(request)?;
        let length = lines.len()
            - rest.len()
            - usize::from(lines.len() > rest.len() && lines[lines.len() - rest.len() - 1] == b'\n');
        let json = lines[..length].trim_ascii_end();
        if json.last() != Some(&b'}') {
            return None;
        }
        let record = Record {
            timestamp,
            action,
            rule: Text::new(rule),
            client_ip: Text::new(client_ip),
            uri: Text::new(uri),
            method: Text::new(method),
            request_id: Text::new(request_id),
            is_rate_based,
            is_verified_bot,
            json,
        };
        Some((record, rest))
    }

    /// The careful path, for one line; returns the lines after it.
    #[cold]
    fn one_line<'a>(&mut self, lines: &'a [u8], sink: &mut impl Sink) -> &'a [u8] {
        let end = memchr(b'\n', lines).unwrap_or(lines.len());
        let line = &lines[..end];
        if self.learn(line).is_none() || self.quick(line).map(|(record, _)| sink.record(&record)).is_none() {
            read_carefully(line, sink);
        }
        lines.get(end + 1..).unwrap_or_default()
    }

    /// Takes the beginning of a record in WAF's layout as a template.
    fn learn(&mut self, line: &[u8]) -> Option<()> {
        let all = line.strip_prefix(START)?.get(DIGITS..)?;
        let rest = all.strip_prefix(b",\"formatVersion\":1,\"webaclId\":\"")?;
        let (_, rest) = plain_string(rest)?;
        let (rule, rest) = plain_string(rest.strip_prefix(b",\"terminatingRuleId\":\"")?)?;
        let rule_end = all.len() - rest.len() - 1;
        let (kind, rest) = plain_string(rest.strip_prefix(b",\"terminatingRuleType\":\"")?)?;
        let (action, rest) = plain_string(rest.strip_prefix(b",\"action\":\"")?)?;
        let length = all.len() - rest.len() + FIND_CLIENT.find(rest)? + CLIENT.len();
        let bytes = all.get(..length).filter(|bytes| bytes.len() <= LONGEST_TEMPLATE)?;
        // Another record's start in it: lines run together.
        if FIND_TIMESTAMP.find(bytes).is_some() {
            return None;
        }
        if self.templates.iter().any(|template| template.bytes == bytes) {
            return Some(());
        }
        if self.templates.len() == MOST_TEMPLATES {
            self.templates.pop();
        }
        self.templates.push(Template {
            bytes: bytes.to_vec(),
            rule: rule_end - rule.len()..rule_end,
            action: WafAction::parse(action),
            is_rate_based: kind == RATE_BASED.as_bytes(),
        });
        Some(())
    }
}

/// The value of [`DIGITS`] decimal digits: eight of them at once, as lanes of one word.
#[inline]
fn number(digits: &[u8]) -> Option<i64> {
    let (eight, rest) = digits.split_first_chunk::<8>()?;
    let lanes = u64::from_le_bytes(*eight);
    let high_halves = |lanes: u64| lanes & 0xf0f0_f0f0_f0f0_f0f0;
    let are_digits = high_halves(lanes) == 0x3030_3030_3030_3030
        && high_halves(lanes + 0x0606_0606_0606_0606) == 0x3030_3030_3030_3030;
    if !are_digits {
        return None;
    }
    // Neighbours are put together: ones to pairs, pairs to fours, fours to eight.
    let pairs = (lanes & 0x0f0f_0f0f_0f0f_0f0f).wrapping_mul(2561) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul(6_553_601) >> 16;
    let eight = (fours & 0x0000_ffff_0000_ffff).wrapping_mul(42_949_672_960_001) >> 32;
    let mut number = i64::try_from(eight).ok()?;
    for digit in rest {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(digit - b'0');
    }
    Some(number)
}

/// What is read of the request, and the lines after the record.
struct RequestLine<'a> {
    client_ip: &'a [u8],
    uri: &'a [u8],
    method: &'a [u8],
    request_id: &'a [u8],
    is_verified_bot: bool,
    rest: &'a [u8],
}

/// From the client's address to the end of the line, looking at every byte once: address, path, method, id, the
/// lines after. `None` when anything is not where WAF puts it.
#[inline]
fn request_line(request: &[u8]) -> Option<RequestLine<'_>> {
    let (client_ip, rest) = plain_string(request)?;
    let rest = after_country(rest.strip_prefix(b",\"country\":\"")?)?;
    let headers = rest.strip_prefix(b",\"headers\":[")?;
    // Headers hold few closing brackets, so this is one leap over them.
    let mut from = 0;
    let rest = loop {
        let at = from + memchr2(b']', b'\n', headers.get(from..)?)?;
        if headers[at] == b'\n' {
            return None;
        }
        match headers[at..].strip_prefix(b"],\"uri\":\"") {
            // A record that was cut off in its headers, and the next one run into it, has brackets in between.
            Some(_) if from > 0 && FIND_TIMESTAMP.find(&headers[..at]).is_some() => return None,
            Some(after) => break after,
            None => from = at + 1,
        }
    };
    let (uri, rest) = any_string(rest)?;
    let rest = after_query(rest.strip_prefix(b",\"args\":\"")?)?;
    let rest = after_version(rest.strip_prefix(b",\"httpVersion\":\"")?)?;
    let (method, rest) = method(rest.strip_prefix(b",\"httpMethod\":\"")?)?;
    let (request_id, rest) = plain_string(rest.strip_prefix(b",\"requestId\":\"")?)?;
    // Cut off in a string, the record would end it with the first quote of the next one.
    if !matches!(rest.first(), Some(b',' | b'}')) {
        return None;
    }
    // What follows is passed over, unless another record begins in it: an object that is neither a value nor in a list,
    // or, when this one was cut off where a value was due, one that begins as records do.
    let mut from = 0;
    let mut is_verified_bot = false;
    loop {
        let Some(at) = memchr2(b'{', b'\n', &rest[from..]) else {
            return Some(RequestLine { client_ip, uri, method, request_id, is_verified_bot, rest: &[] });
        };
        let at = from + at;
        if rest[at] == b'\n' {
            let rest = &rest[at + 1..];
            return Some(RequestLine { client_ip, uri, method, request_id, is_verified_bot, rest });
        }
        is_verified_bot |= rest[at..].starts_with(VERIFIED_BOT_LABEL);
        if at == 0 || !matches!(rest[at - 1], b':' | b'[' | b',') || rest[at..].starts_with(START) {
            return None;
        }
        from = at + 1;
    }
}

/// A string without escapes, and what follows its closing quote. It ends before the line does.
#[inline]
fn plain_string(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = memchr3(b'"', b'\\', b'\n', rest)?;
    (rest[length] == b'"').then(|| (&rest[..length], &rest[length + 1..]))
}

// Strings that are short and mostly the same are looked at without a search.

#[inline]
fn after_country(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [b'A'..=b'Z', b'A'..=b'Z', b'"', after @ ..] | [b'-', b'"', after @ ..] => Some(after),
        _ => plain_string(rest).map(|(_, after)| after),
    }
}

#[inline]
fn after_query(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [b'"', after @ ..] => Some(after),
        _ => any_string(rest).map(|(_, after)| after),
    }
}

#[inline]
fn after_version(rest: &[u8]) -> Option<&[u8]> {
    match rest.strip_prefix(b"HTTP/") {
        Some([b'0'..=b'9', b'.', b'0'..=b'9', b'"', after @ ..]) => Some(after),
        _ => plain_string(rest).map(|(_, after)| after),
    }
}

#[inline]
fn method(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    match rest {
        [b'G', b'E', b'T', b'"', after @ ..] => Some((&rest[..3], after)),
        [b'P', b'O', b'S', b'T', b'"', after @ ..] => Some((&rest[..4], after)),
        _ => plain_string(rest),
    }
}

/// A string with or without escapes, and what follows its closing quote. It ends before the line does.
#[inline]
fn any_string(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0;
    loop {
        let at = from + memchr3(b'"', b'\\', b'\n', rest.get(from..)?)?;
        match rest[at] {
            b'"' => return Some((&rest[..at], &rest[at + 1..])),
            b'\\' => from = at + 2,
            _ => return None,
        }
    }
}

/// The careful path: every record in the line, in any layout.
#[cold]
pub fn read_carefully(line: &[u8], sink: &mut impl Sink) {
    let mut rest = line;
    loop {
        let mut cursor = Cursor::new(rest);
        if cursor.at_end() {
            return;
        }
        let start = cursor.position();
        rest = &rest[start..];
        let mut cursor = Cursor::new(rest);
        match parse(&mut cursor, sink, true) {
            Ok(()) => rest = &rest[cursor.position()..],
            Err(fault) => {
                sink.bad(BadRecord { json: rest, problem: fault.problem });
                // What is broken may have swallowed the start of the next record: go on there.
                match next_start(&rest[1..]) {
                    Some(next) => rest = &rest[1 + next..],
                    None => return,
                }
            }
        }
    }
}

/// Where the next record begins. Looks at every byte once: the blanks before one key are not those before another.
fn next_start(text: &[u8]) -> Option<usize> {
    FIND_TIMESTAMP
        .find_iter(text)
        .find_map(|at| text[..at].trim_ascii_end().strip_suffix(b"{").map(<[u8]>::len))
}

/// The keys that are looked for. In a record whose keys are written with escapes, they are found by their meaning.
const KEYS: [&str; 18] = [
    "timestamp",
    "action",
    "terminatingRuleId",
    "terminatingRuleType",
    "httpRequest",
    "clientIp",
    "uri",
    "httpMethod",
    "requestId",
    "labels",
    "headers",
    "name",
    "Name",
    "value",
    "Value",
    "logEvents",
    "messageType",
    "message",
];

/// The bytes that a key stands for; of a key with escapes, nothing when it is none of [`KEYS`].
#[inline]
fn name(key: Text<'_>) -> &[u8] {
    if key.has_escapes() {
        return KEYS.iter().find(|known| key.is(known)).map_or(b"", |known| known.as_bytes());
    }
    key.raw
}

fn parse(cursor: &mut Cursor<'_>, sink: &mut impl Sink, may_be_envelope: bool) -> Result<(), Malformed> {
    let before = *cursor;
    let mut timestamp = None;
    let mut envelope = None;
    let mut is_control = false;
    let mut record = Record {
        timestamp: 0,
        action: WafAction::Other,
        rule: Text::default(),
        client_ip: Text::default(),
        uri: Text::default(),
        method: Text::default(),
        request_id: Text::default(),
        is_rate_based: false,
        is_verified_bot: false,
        json: b"",
    };
    cursor.object(|key, cursor| {
        match name(key) {
            b"timestamp" => timestamp = peek(cursor)?.integer(),
            b"action" => record.action = WafAction::parse(text(cursor)?.bytes(&mut Vec::new())),
            b"terminatingRuleId" => record.rule = text(cursor)?,
            b"terminatingRuleType" => record.is_rate_based = text(cursor)?.is(RATE_BASED),
            b"httpRequest" => {
                return in_object(cursor, |key, cursor| {
                    match name(key) {
                        b"clientIp" => record.client_ip = text(cursor)?,
                        b"uri" => record.uri = text(cursor)?,
                        b"httpMethod" => record.method = text(cursor)?,
                        b"requestId" => record.request_id = text(cursor)?,
                        _ => {}
                    }
                    cursor.skip().map(|_| ())
                });
            }
            b"labels" => {
                return in_array(cursor, |cursor| {
                    in_object(cursor, |key, cursor| {
                        if name(key) == b"name" {
                            record.is_verified_bot |= text(cursor)?.is(VERIFIED_BOT);
                        }
                        cursor.skip().map(|_| ())
                    })
                });
            }
            b"logEvents" => envelope = Some(*cursor),
            b"messageType" => is_control = text(cursor)?.is("CONTROL_MESSAGE"),
            _ => {}
        }
        cursor.skip().map(|_| ())
    })?;
    let mut whole = before;
    record.json = whole.skip()?;
    if is_control {
        sink.control();
        return Ok(());
    }
    if let Some(mut events) = envelope.filter(|_| may_be_envelope) {
        return in_array(&mut events, |cursor| {
            in_object(cursor, |key, cursor| {
                let value = peek(cursor)?;
                if let (b"message", Value::Text(message)) = (name(key), value) {
                    enveloped(message, sink);
                }
                cursor.skip().map(|_| ())
            })
        });
    }
    match timestamp {
        Some(at) => {
            record.timestamp = at;
            sink.record(&record);
        }
        None => sink.bad(BadRecord { json: record.json, problem: "no timestamp" }),
    }
    Ok(())
}

/// One record that CloudWatch Logs wrapped as a string, on its way through Firehose.
fn enveloped(message: Text<'_>, sink: &mut impl Sink) {
    let mut scratch = Vec::new();
    let json = message.bytes(&mut scratch);
    let mut cursor = Cursor::new(json);
    let fault = match parse(&mut cursor, sink, false) {
        Ok(()) if cursor.at_end() => return,
        Ok(()) => "something follows the record in its message",
        Err(fault) => fault.problem,
    };
    sink.bad(BadRecord { json, problem: fault });
}

fn text<'a>(cursor: &Cursor<'a>) -> Result<Text<'a>, Malformed> {
    Ok(match peek(cursor)? {
        Value::Text(text) => text,
        _ => Text::default(),
    })
}
