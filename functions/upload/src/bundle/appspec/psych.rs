//! What Ruby's YAML reader (Psych, YAML 1.1) makes of a scalar: the CodeDeploy agent 1.x reads with it.
//!
//! It differs from YAML 1.2 where it hurts: `0755` is octal and becomes 493, `1:30` is base 60 and becomes
//! 5400, `2020-01-01` is a date, which the agent refuses. After Psych's documented scalar patterns and the
//! YAML 1.1 type pages (yaml.org/type); checked against the agent's verdicts in `tests/agent`.

use std::fmt;

/// A scalar as it stands in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Neither quoted, nor a block, nor tagged as a string.
    pub(crate) plain: bool,
}

/// A scalar as Ruby sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    /// `:name`, which no key of an AppSpec file equals.
    Symbol(String),
    /// A date or a time.
    Date,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Text(text) | Self::Symbol(text) => f.write_str(text),
            Self::Date => f.write_str("a date"),
        }
    }
}

impl Value {
    /// Ruby's `to_i`, where the value has it: the leading digits of a text, a float cut off.
    pub(crate) fn to_int(&self) -> Option<i128> {
        match self {
            Self::Null => Some(0),
            Self::Int(value) => Some(*value),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "Ruby's to_i cuts off, and the cast saturates"
            )]
            Self::Float(value) => value.is_finite().then_some(*value as i128),
            Self::Text(text) => Some(leading_int(text)),
            Self::Bool(_) | Self::Symbol(_) | Self::Date => None,
        }
    }
}

fn leading_int(text: &str) -> i128 {
    let text = text.trim_start();
    let (negative, digits) = sign(text);
    let digits: String = digits
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '_')
        .filter(char::is_ascii_digit)
        .take(30)
        .collect();
    let value = digits.parse().unwrap_or(0);
    if negative { -value } else { value }
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Ruby's value of a scalar.
pub(crate) fn resolve(scalar: &Scalar) -> Value {
    let text = scalar.text.as_str();
    if !scalar.plain {
        return Value::Text(text.to_owned());
    }
    match text.to_ascii_lowercase().as_str() {
        "" | "~" | "null" => return Value::Null,
        "yes" | "true" | "on" => return Value::Bool(true),
        "no" | "false" | "off" => return Value::Bool(false),
        ".inf" | "+.inf" => return Value::Float(f64::INFINITY),
        "-.inf" => return Value::Float(f64::NEG_INFINITY),
        ".nan" => return Value::Float(f64::NAN),
        _ => {}
    }
    if text.contains('\n') {
        return Value::Text(text.to_owned());
    }
    if is_date(text) {
        return Value::Date;
    }
    if text.len() > 1 && text.starts_with(':') {
        return Value::Symbol(text.to_owned());
    }
    base_60(text)
        .or_else(|| float(text).map(Value::Float))
        .or_else(|| int(text).map(Value::Int))
        .unwrap_or_else(|| Value::Text(text.to_owned()))
}

/// `2020-01-01`, and the same followed by a time.
fn is_date(text: &str) -> bool {
    let date_end = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
    let (date, time) = text.split_at(date_end);
    let parts: Vec<&str> = date.trim_start_matches('-').split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let in_range = |part: &str, most: u8| part.len() <= 2 && part.parse::<u8>().is_ok_and(|n| n <= most);
    if year.len() != 4 || !in_range(month, 99) || !in_range(day, 99) {
        return false;
    }
    if time.is_empty() {
        return !date.starts_with('-') && in_range(month, 12) && in_range(day, 39);
    }
    let clock = time.trim_start_matches(['T', 't', ' ', '\t']);
    let mut clock = clock.split(':');
    clock.next().is_some_and(|hour| hour.parse::<u8>().is_ok())
        && clock.next().is_some_and(|minute| minute.len() == 2)
}

/// `1:30` and `1:30:00`, and the same with a fraction: Psych counts the first part as hours.
fn base_60(text: &str) -> Option<Value> {
    let (whole, fraction) =
        text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let (negative, digits) = sign(whole);
    let parts: Vec<&str> = digits.split(':').collect();
    let (first, rest) = parts.split_first()?;
    let legal_first =
        first.starts_with(|c: char| c.is_ascii_digit()) && all(first, |b| b.is_ascii_digit() || b == b'_');
    let legal = |part: &&str| matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
    if !(1..=2).contains(&rest.len()) || !legal_first || !rest.iter().all(legal) {
        return None;
    }
    let mut seconds = 0_i128;
    for (part, scale) in parts.iter().zip([3600, 60, 1]) {
        seconds = seconds.checked_add(leading_int(part).checked_mul(scale)?)?;
    }
    let seconds = if negative { -seconds } else { seconds };
    match fraction {
        None => Some(Value::Int(seconds)),
        #[expect(clippy::cast_precision_loss, reason = "no time-out is that long")]
        Some(fraction) if all(fraction, |b| b.is_ascii_digit() || b == b'_') => {
            Some(Value::Float(seconds as f64))
        }
        Some(_) => None,
    }
}

/// Base 10 with a point: `0.0`, `.5`, `1_000.`, `1.5e+3`.
fn float(text: &str) -> Option<f64> {
    let (negative, digits) = sign(text);
    let (whole, rest) = digits.split_once('.')?;
    let exponent_at = rest.find(['e', 'E']).unwrap_or(rest.len());
    let (fraction, exponent) = rest.split_at(exponent_at);
    let legal_whole = whole.is_empty()
        || (whole.starts_with(|c: char| c.is_ascii_digit())
            && all(whole, |b| b.is_ascii_digit() || b == b'_' || b == b','));
    let legal_exponent = exponent.is_empty()
        || (exponent.len() > 2
            && exponent.get(1..2).is_some_and(|s| s == "+" || s == "-")
            && exponent.get(2..).is_some_and(|digits| all(digits, |b| b.is_ascii_digit())));
    if !legal_whole
        || !legal_exponent
        || !all(fraction, |b| b.is_ascii_digit())
        || (whole.is_empty() && fraction.is_empty())
    {
        return None;
    }
    let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
    let value: f64 = format!("0{whole}.{fraction}0{exponent}").parse().ok()?;
    Some(if negative { -value } else { value })
}

/// Base 2 (`0b1`), 8 (`0300`), 10 and 16 (`0x1f`), with `_` between digits and `,` in base 10.
fn int(text: &str) -> Option<i128> {
    let (negative, digits) = sign(text);
    let (radix, body) = if let Some(body) = digits.strip_prefix("0b") {
        (2, body)
    } else if let Some(body) = digits.strip_prefix("0x") {
        (16, body)
    } else if let Some(body) = digits.strip_prefix('0').filter(|body| !body.is_empty()) {
        (8, body)
    } else {
        (10, digits)
    };
    let separator = |c: char| c == '_' || (radix == 10 && c == ',');
    let plain: String = body.chars().filter(|c| !separator(*c)).collect();
    let starts_well = radix != 10 || body.starts_with(|c: char| c.is_ascii_digit());
    if !starts_well || plain.is_empty() || !plain.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let value = i128::from_str_radix(&plain, radix).ok()?;
    Some(if negative { -value } else { value })
}

fn all(text: &str, legal: impl Fn(u8) -> bool) -> bool {
    text.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Value {
        resolve(&Scalar { text: text.to_owned(), plain: true })
    }

    #[test]
    fn numbers_are_read_as_yaml_1_1_has_them() {
        for (text, value) in [
            ("0", 0),
            ("-7", -7),
            ("0300", 192),
            ("0755", 493),
            ("04755", 2541),
            ("0x1f", 31),
            ("0b101", 5),
            ("1_000", 1000),
            ("1,000", 1000),
            ("1:30", 5400),
            ("0:01:30", 90),
        ] {
            assert_eq!(plain(text), Value::Int(value), "{text}");
        }
        for (text, value) in
            [("0.0", 0.0), ("-0.0", 0.0), ("0.00", 0.0), (".5", 0.5), ("30.9", 30.9), ("1.5e+3", 1500.0)]
        {
            assert_eq!(plain(text), Value::Float(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_stays_text() {
        for text in [
            "30s", "0o755", "08", ".", "1.2.3", "a:b", "1:75", "u+x", "e5", "1e3", "-", "_1", "0x", "1:2:3:4",
        ] {
            assert_eq!(plain(text), Value::Text(text.to_owned()), "{text}");
        }
    }

    #[test]
    fn quotes_make_text() {
        assert_eq!(resolve(&Scalar { text: "0.0".to_owned(), plain: false }), Value::Text("0.0".to_owned()));
    }

    #[test]
    fn dates_and_times_are_recognised() {
        for text in ["2020-01-01", "2020-1-1", "2020-01-01T10:00:00Z", "2020-01-01 10:00:00 +1"] {
            assert_eq!(plain(text), Value::Date, "{text}");
        }
        for text in ["2020-13-01", "2020-01", "20-01-01", "2020-01-01-a"] {
            assert_eq!(plain(text), Value::Text(text.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_text_begins_with_its_number() {
        assert_eq!(Value::Text("30s".to_owned()).to_int(), Some(30));
        assert_eq!(Value::Text("soon".to_owned()).to_int(), Some(0));
        assert_eq!(Value::Float(30.9).to_int(), Some(30));
        assert_eq!(Value::Bool(true).to_int(), None);
    }
}
