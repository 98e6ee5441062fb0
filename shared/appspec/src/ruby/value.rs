//! Values as Ruby holds them, with its `to_s`, `inspect` and `to_i`: the agent puts them into its messages.

use std::fmt::Write as _;

/// A loaded value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Nil,
    Bool(bool),
    /// Ruby's integers have no bounds. One beyond these is far beyond every rule that the agent has.
    Int(i128),
    Float(f64),
    Text(String),
    Symbol(String),
    List(Vec<Value>),
    /// In the order of the file; a repeated key keeps its first place and its last value.
    Map(Vec<(Value, Value)>),
    /// What Ruby raises an error at instead of loading it.
    Unloadable(Unloadable),
}

/// Why Ruby does not load a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unloadable {
    /// An alias; Psych 4 knows none unless it is told to.
    Alias,
    /// An object of a class that a safe load does not make, dates and times among them.
    Class(String),
    /// Psych took it for a number, and Ruby did not: `0x_`, `.e+5`.
    Number { class: &'static str, text: String },
}

impl Value {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// `hash['key']` on a map; `None` for a missing key and for anything that is not a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        entries
            .iter()
            .find(|(name, _)| matches!(name, Self::Text(name) if name == key))
            .map(|(_, value)| value)
    }

    /// Ruby's `nil`, which is also what a missing key gives.
    pub(crate) fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    /// Whether `value || default` takes the value.
    pub(crate) fn is_truthy(&self) -> bool {
        !matches!(self, Self::Nil | Self::Bool(false))
    }

    /// Ruby's class name, for the text of a `NoMethodError`.
    pub(crate) fn class(&self) -> &str {
        match self {
            Self::Nil => "NilClass",
            Self::Bool(true) => "TrueClass",
            Self::Bool(false) => "FalseClass",
            Self::Int(_) => "Integer",
            Self::Float(_) => "Float",
            Self::Text(_) => "String",
            Self::Symbol(_) => "Symbol",
            Self::List(_) => "Array",
            Self::Map(_) => "Hash",
            Self::Unloadable(Unloadable::Class(class)) => class,
            Self::Unloadable(_) => "Object",
        }
    }

    /// Ruby's `to_s`.
    pub(crate) fn to_s(&self) -> String {
        match self {
            Self::Nil => String::new(),
            Self::Text(text) | Self::Symbol(text) => text.clone(),
            other => other.inspect(),
        }
    }

    /// Ruby's `inspect`.
    pub(crate) fn inspect(&self) -> String {
        match self {
            Self::Nil => "nil".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => inspect_float(*value),
            Self::Text(text) => inspect_text(text),
            Self::Symbol(text) if is_bare_symbol(text) => format!(":{text}"),
            Self::Symbol(text) => format!(":{}", inspect_text(text)),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::inspect).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Map(entries) => {
                let entry = |(key, value): &(Self, Self)| format!("{}=>{}", key.inspect(), value.inspect());
                let entries: Vec<_> = entries.iter().map(entry).collect();
                format!("{{{}}}", entries.join(", "))
            }
            Self::Unloadable(Unloadable::Class(class)) if matches!(class.as_str(), "Date" | "Time") => {
                "a date".to_owned()
            }
            Self::Unloadable(Unloadable::Class(class)) => format!("a {class}"),
            Self::Unloadable(Unloadable::Number { text, .. }) => text.clone(),
            Self::Unloadable(Unloadable::Alias) => String::new(),
        }
    }

    /// Ruby's `to_i`, where the value has it: the leading digits of a text, a float cut off.
    pub(crate) fn to_i(&self) -> Option<i128> {
        match self {
            Self::Nil => Some(0),
            Self::Int(value) => Some(*value),
            #[expect(clippy::cast_possible_truncation, reason = "to_i cuts off, and the cast saturates")]
            Self::Float(value) => value.is_finite().then_some(*value as i128),
            Self::Text(text) => Some(leading_integer(text)),
            _ => None,
        }
    }
}

/// Whether Ruby writes a symbol without quotes; operators and `name=` apart, which no AppSpec file holds.
fn is_bare_symbol(text: &str) -> bool {
    let name = text.strip_suffix(['?', '!']).unwrap_or(text);
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_')
}

/// Ruby writes an exponent from 1e16 on and below 0.0001.
fn inspect_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-4..1e16).contains(&magnitude) {
        let text = value.to_string();
        return if text.contains('.') { text } else { text + ".0" };
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}{point}e{sign}{exponent:0>2}")
}

fn inspect_text(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '#' if matches!(chars.peek(), Some('{' | '$' | '@')) => quoted.push_str("\\#"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            '\u{1b}' => quoted.push_str("\\e"),
            c if c.is_control() => write!(quoted, "\\u{:04X}", u32::from(c)).unwrap_or_default(),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// `String#to_i`: leading digits, single underscores between them, 0 for anything else.
pub(super) fn leading_integer(text: &str) -> i128 {
    let text = text.trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
    let (negative, digits) = signed(text);
    let digits = leading_digits(digits).0;
    let value = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(i128::MAX) };
    if negative { -value } else { value }
}

/// `String#to_f`, of what Psych has found to be digits and points.
pub(super) fn leading_float(text: &str) -> f64 {
    let (negative, digits) = signed(text);
    let (whole, rest) = leading_digits(digits);
    let fraction = rest.strip_prefix('.').map(|rest| leading_digits(rest).0).unwrap_or_default();
    let value: f64 = format!("0{whole}.{fraction}0").parse().unwrap_or_default();
    if negative { -value } else { value }
}

/// The digits at the start, without underscores, and what follows them.
fn leading_digits(text: &str) -> (String, &str) {
    let mut digits = String::new();
    let mut rest = text;
    loop {
        let after_underscore = if digits.is_empty() { rest } else { rest.strip_prefix('_').unwrap_or(rest) };
        match after_underscore.chars().next().filter(char::is_ascii_digit) {
            Some(digit) => {
                digits.push(digit);
                rest = after_underscore.get(1..).unwrap_or_default();
            }
            None => return (digits, rest),
        }
    }
}

/// Whether a minus stands in front, and what follows the sign.
pub(super) fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// `File.join` flattens lists.
pub(crate) fn path(value: &Value) -> String {
    match value {
        Value::List(parts) => parts.iter().map(path).collect::<Vec<_>>().join("/"),
        other => other.to_s(),
    }
}

/// `String#strip`.
pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_ruby_writes_them() {
        for (value, written) in [
            (Value::Float(-0.0), "-0.0"),
            (Value::Float(1.0), "1.0"),
            (Value::Float(1e15), "1000000000000000.0"),
            (Value::Float(1e16), "1.0e+16"),
            (Value::Float(1.5e-5), "1.5e-05"),
            (Value::Float(f64::INFINITY), "Infinity"),
            (Value::List(vec![Value::text("linux")]), r#"["linux"]"#),
            (Value::Map(vec![(Value::text("a"), Value::Nil)]), r#"{"a"=>nil}"#),
            (Value::List(vec![Value::Symbol("a".into()), Value::Symbol("a b".into())]), r#"[:a, :"a b"]"#),
            (Value::List(vec![Value::text("a#{b} \u{1b}\"")]), r#"["a\#{b} \e\""]"#),
        ] {
            assert_eq!(value.to_s(), written);
        }
    }

    #[test]
    fn a_text_begins_with_its_number() {
        for (text, number) in [
            ("30s", 30),
            ("soon", 0),
            (" 7", 7),
            ("1_000", 1000),
            ("1__0", 1),
            ("_1", 0),
            ("+5", 5),
            ("-5.9", -5),
            ("0x1f", 0),
        ] {
            assert_eq!(Value::text(text).to_i(), Some(number), "{text}");
        }
        assert_eq!(Value::Float(30.9).to_i(), Some(30));
        assert_eq!(Value::Float(f64::INFINITY).to_i(), None);
        assert_eq!(Value::Bool(true).to_i(), None);
    }
}
