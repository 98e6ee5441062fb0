//! YAML as Ruby's Psych 4 loads it: YAML 1.1 scalars, no aliases, only the first document.
//!
//! The real agent reads appspec.yml with `YAML.load`, and its rules show through everywhere: `0300` is 192,
//! `1:30` is 5400, `yes` is true, and a list in place of a map is an uncaught error. Values keep Ruby's `to_s`
//! and `inspect`, because the agent puts them into its messages.

use std::fmt::Write as _;

use granit_parser::{Event, Parser, ScalarStyle, Tag};

use crate::appspec::{AppSpecError, ErrorClass};

/// A loaded value, as Ruby would hold it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    Symbol(String),
    List(Vec<Value>),
    /// In the order of the file; a repeated key keeps its first place and its last value.
    Map(Vec<(Value, Value)>),
}

impl Value {
    /// `hash['key']` on a map; `None` for a missing key and for anything that is not a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        let Value::Map(entries) = self else { return None };
        entries.iter().find(|(k, _)| matches!(k, Value::Str(k) if k == key)).map(|(_, v)| v)
    }

    /// Ruby's `nil`, which is also what a missing key gives.
    pub(crate) fn is_nil(&self) -> bool {
        matches!(self, Value::Nil)
    }

    /// Ruby's class name, for the text of a `NoMethodError`.
    pub(crate) fn class(&self) -> &'static str {
        match self {
            Value::Nil => "NilClass",
            Value::Bool(true) => "TrueClass",
            Value::Bool(false) => "FalseClass",
            Value::Int(_) => "Integer",
            Value::Float(_) => "Float",
            Value::Str(_) => "String",
            Value::Symbol(_) => "Symbol",
            Value::List(_) => "Array",
            Value::Map(_) => "Hash",
        }
    }

    /// Ruby's `to_s`.
    pub(crate) fn to_s(&self) -> String {
        match self {
            Value::Nil => String::new(),
            Value::Str(text) | Value::Symbol(text) => text.clone(),
            other => other.inspect(),
        }
    }

    /// Ruby's `inspect`.
    pub(crate) fn inspect(&self) -> String {
        match self {
            Value::Nil => "nil".to_owned(),
            Value::Bool(b) => b.to_string(),
            Value::Int(n) => n.to_string(),
            Value::Float(x) if x.is_nan() => "NaN".to_owned(),
            Value::Float(x) if x.is_infinite() => if *x > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
            Value::Float(x) => format!("{x:?}"),
            Value::Str(text) => format!("{text:?}"),
            Value::Symbol(text) => format!(":{text}"),
            Value::List(items) => {
                let items: Vec<_> = items.iter().map(Value::inspect).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Map(entries) => {
                let mut text = String::from("{");
                for (n, (key, value)) in entries.iter().enumerate() {
                    let comma = if n == 0 { "" } else { ", " };
                    write!(text, "{comma}{}=>{}", key.inspect(), value.inspect()).unwrap_or_default();
                }
                text + "}"
            }
        }
    }
}

/// Loads the first document. `Ok(None)` is Ruby's `false`: no document, or nothing but comments and blanks.
pub(crate) fn load(bytes: &[u8]) -> Result<Option<Value>, AppSpecError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        syntax(&format!("invalid UTF-8 octet sequence after byte {}", error.valid_up_to()))
    })?;
    if text.chars().any(is_forbidden) {
        return Err(syntax("control characters are not allowed"));
    }
    // libyaml skips a byte order mark but counts its column, so the first line is one column deeper than the
    // second, and the document ends there. A blank in its place has the same effect.
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => format!(" {rest}"),
        None => text.to_owned(),
    };
    let mut parser = Parser::new_from_str(&text);
    loop {
        match next(&mut parser)? {
            Event::StreamStart | Event::DocumentStart(..) => {}
            Event::StreamEnd | Event::DocumentEnd => return Ok(None),
            event => {
                let value = node(event, &mut parser)?;
                return Ok(if value.is_nil() { None } else { Some(value) });
            }
        }
    }
}

fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{80}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
}

fn syntax(what: &str) -> AppSpecError {
    AppSpecError::new(ErrorClass::SyntaxError, format!("(<unknown>): {what}"))
}

type Events<'a> = Parser<'a, granit_parser::StrInput<'a>>;

fn next<'a>(parser: &mut Events<'a>) -> Result<Event<'a>, AppSpecError> {
    loop {
        match parser.next_event() {
            Some(Ok((Event::Comment(..), _))) => {}
            Some(Ok((event, _))) => return Ok(event),
            Some(Err(error)) if error.info().contains("anchor") => {
                return Err(AppSpecError::new(
                    ErrorClass::BadAlias,
                    format!("Unknown alias: {}", error.info()),
                ));
            }
            Some(Err(error)) => return Err(syntax(&error.to_string())),
            None => return Ok(Event::StreamEnd),
        }
    }
}

fn node<'a>(event: Event<'a>, parser: &mut Events<'a>) -> Result<Value, AppSpecError> {
    match event {
        Event::Alias(_) | Event::UnresolvedAlias(_) => {
            Err(AppSpecError::new(ErrorClass::BadAlias, "Unknown alias: aliases are not enabled".to_owned()))
        }
        Event::Scalar(text, style, _, tag) => {
            refuse_ruby_tag(tag.as_deref())?;
            let quoted =
                style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.core_suffix() == Some("str"));
            if quoted { Ok(Value::Str(text.into_owned())) } else { plain(&text) }
        }
        Event::SequenceStart(_, _, tag) => {
            refuse_ruby_tag(tag.as_deref())?;
            let mut items = Vec::new();
            loop {
                match next(parser)? {
                    Event::SequenceEnd => return Ok(Value::List(items)),
                    event => items.push(node(event, parser)?),
                }
            }
        }
        Event::MappingStart(_, _, tag) => {
            refuse_ruby_tag(tag.as_deref())?;
            let mut entries: Vec<(Value, Value)> = Vec::new();
            loop {
                let key = match next(parser)? {
                    Event::MappingEnd => return Ok(Value::Map(entries)),
                    event => node(event, parser)?,
                };
                let event = next(parser)?;
                let value = node(event, parser)?;
                match entries.iter_mut().find(|(k, _)| *k == key) {
                    Some((_, old)) => *old = value,
                    None => entries.push((key, value)),
                }
            }
        }
        Event::StreamEnd | Event::DocumentEnd => Ok(Value::Nil),
        other => Err(syntax(&format!("unexpected {other:?}"))),
    }
}

fn refuse_ruby_tag(tag: Option<&Tag>) -> Result<(), AppSpecError> {
    let Some(tag) = tag else { return Ok(()) };
    let Some(class) = tag.suffix().strip_prefix("ruby/") else { return Ok(()) };
    let class = class.split_once(':').map_or(class, |(_, class)| class);
    Err(disallowed(class))
}

fn disallowed(class: &str) -> AppSpecError {
    AppSpecError::new(ErrorClass::DisallowedClass, format!("Tried to load unspecified class: {class}"))
}

/// What Psych's scanner makes of an unquoted scalar.
fn plain(text: &str) -> Result<Value, AppSpecError> {
    let word = text.to_ascii_lowercase();
    match word.as_str() {
        "" | "~" | "null" => return Ok(Value::Nil),
        "yes" | "true" | "on" => return Ok(Value::Bool(true)),
        "no" | "false" | "off" => return Ok(Value::Bool(false)),
        ".inf" | "+.inf" => return Ok(Value::Float(f64::INFINITY)),
        "-.inf" => return Ok(Value::Float(f64::NEG_INFINITY)),
        ".nan" => return Ok(Value::Float(f64::NAN)),
        _ => {}
    }
    if let Some(symbol) = text.strip_prefix(':') {
        let name = symbol.trim_matches(|c| c == '"' || c == '\'');
        return Ok(if name.is_empty() {
            Value::Str(text.to_owned())
        } else {
            Value::Symbol(name.to_owned())
        });
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Ok(Value::Str(text.to_owned()));
    }
    match date(text) {
        Some(Calendar::Date) => return Err(disallowed("Date")),
        Some(Calendar::Time) => return Err(disallowed("Time")),
        None => {}
    }
    Ok(integer(text)
        .or_else(|| sexagesimal(text))
        .or_else(|| float(text))
        .unwrap_or_else(|| Value::Str(text.to_owned())))
}

enum Calendar {
    Date,
    Time,
}

/// `2020-01-01`, and `2020-01-01 12:00:00` with or without fraction and zone.
fn date(text: &str) -> Option<Calendar> {
    let (day, time) = match text.find([' ', 'T', 't']) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)),
        None => (text, None),
    };
    let parts: Vec<&str> = day.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return None };
    let digits = |part: &str, most: usize| {
        (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    if year.len() != 4 || !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
        return None;
    }
    match time {
        None => Some(Calendar::Date),
        Some(time) if time.split(':').count() >= 3 && time.starts_with(|c: char| c.is_ascii_digit()) => {
            Some(Calendar::Time)
        }
        Some(_) => None,
    }
}

fn sign(text: &str) -> (i64, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn integer(text: &str) -> Option<Value> {
    let (sign, body) = sign(text);
    let clean: String = body.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    let value = if let Some(bits) = clean.strip_prefix("0b") {
        i64::from_str_radix(bits, 2).ok()?
    } else if let Some(hex) = clean.strip_prefix("0x") {
        i64::from_str_radix(hex, 16).ok()?
    } else if clean.len() > 1 && clean.starts_with('0') {
        i64::from_str_radix(&clean, 8).ok()?
    } else if body.starts_with(|c: char| c.is_ascii_digit()) && clean.bytes().all(|b| b.is_ascii_digit()) {
        clean.parse().ok()?
    } else {
        return None;
    };
    Some(Value::Int(sign * value))
}

/// `1:30` is 5,400: Psych counts the first place as hours, whatever follows.
fn sexagesimal(text: &str) -> Option<Value> {
    let (sign, body) = sign(text);
    let places: Vec<&str> = body.split(':').collect();
    if !(2..=3).contains(&places.len()) {
        return None;
    }
    let mut total: i64 = 0;
    for (n, place) in places.iter().enumerate() {
        let number: i64 = place.replace('_', "").parse().ok()?;
        if n > 0 && (place.len() > 2 || number > 59) {
            return None;
        }
        total += number * 60_i64.checked_pow(u32::try_from(2 - n).ok()?)?;
    }
    Some(Value::Int(sign * total))
}

fn float(text: &str) -> Option<Value> {
    let (_, body) = sign(text);
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(at) => (body.get(..at)?, body.get(at + 1..)),
        None => (body, None),
    };
    let (whole, fraction) = mantissa.split_once('.')?;
    let starts_well = whole.is_empty() || whole.starts_with(|c: char| c.is_ascii_digit());
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    let whole_ok = whole.chars().all(|c| c.is_ascii_digit() || matches!(c, '_' | ','));
    let exponent_ok =
        exponent.is_none_or(|e| e.strip_prefix(['+', '-']).is_some_and(|d| !d.is_empty() && digits(d)));
    if !starts_well
        || !whole_ok
        || !digits(fraction)
        || !exponent_ok
        || (whole.is_empty() && fraction.is_empty())
    {
        return None;
    }
    let clean: String = text.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    clean.parse().ok().map(Value::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_follow_yaml_1_1_as_ruby_reads_it() {
        let cases = [
            ("30", Value::Int(30)),
            ("0300", Value::Int(192)),
            ("0o755", Value::Str("0o755".into())),
            ("08", Value::Str("08".into())),
            ("1_000", Value::Int(1000)),
            ("1:30", Value::Int(5400)),
            ("0.0", Value::Float(0.0)),
            ("30.9", Value::Float(30.9)),
            ("30s", Value::Str("30s".into())),
            ("yes", Value::Bool(true)),
            ("Off", Value::Bool(false)),
            ("~", Value::Nil),
            ("1.2.3", Value::Str("1.2.3".into())),
            (":os", Value::Symbol("os".into())),
        ];
        for (text, expected) in cases {
            assert_eq!(plain(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn floats_are_written_as_ruby_writes_them() {
        assert_eq!(Value::Float(-0.0).to_s(), "-0.0");
        assert_eq!(Value::Float(1.0).to_s(), "1.0");
        assert_eq!(Value::List(vec![Value::Str("linux".into())]).to_s(), r#"["linux"]"#);
    }
}
