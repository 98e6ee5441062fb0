//! What Psych, Ruby's YAML library, makes of a scalar without quotes: YAML 1.1, as Psych 4.0.3 has it.
//!
//! It differs from YAML 1.2 where it hurts: `0755` is octal and becomes 493, `1:30` is base 60 and becomes 5,400,
//! `2020-01-01` is a date, which the agent refuses. Rule by rule after `Psych::ScalarScanner`, in its order, for the
//! first that fits decides; `tests/scalars.tsv` holds what Ruby itself says.

use super::value::{Unloadable, Value, leading_float, leading_integer, signed};

/// Words with a meaning are not longer than this, so Psych does not look at longer ones.
const LONGEST_WORD: usize = 5;

/// Ruby's value of a plain scalar without a tag.
pub(super) fn resolve(text: &str) -> Value {
    if text.is_empty() {
        return Value::Nil;
    }
    if text.contains('\n') || begins_as_word(text) {
        return word(text);
    }
    if is_time(text) {
        return Value::Unloadable(Unloadable::Class("Time".to_owned()));
    }
    if is_date(text) {
        return Value::Unloadable(Unloadable::Class("Date".to_owned()));
    }
    match text.to_ascii_lowercase().as_str() {
        ".inf" | "+.inf" => return Value::Float(f64::INFINITY),
        "-.inf" => return Value::Float(f64::NEG_INFINITY),
        ".nan" => return Value::Float(f64::NAN),
        _ => {}
    }
    if let Some(name) = text.strip_prefix(':').filter(|name| !name.is_empty()) {
        return Value::Symbol(symbol_name(name).to_owned());
    }
    sexagesimal(text)
        .or_else(|| float(text))
        .or_else(|| integer(text))
        .unwrap_or_else(|| Value::Text(text.to_owned()))
}

/// A letter or sign that no number begins with, in first or second place.
fn begins_as_word(text: &str) -> bool {
    let of_words = |c: char| c.is_alphabetic() || "_ \t\r\u{b}\u{c}!@#$%^&*(){}<>|/\\~;=".contains(c);
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return false };
    let of_numbers = first.is_ascii_digit() || matches!(first, '.' | ':' | '-');
    of_words(first) || (!of_numbers && chars.next().is_some_and(of_words))
}

/// Psych looks at each line of a text by itself: two lines of which one is `no` are false.
fn word(text: &str) -> Value {
    let lines: Vec<&str> = text.split('\n').collect();
    let is =
        |words: &[&str]| lines.iter().any(|line| words.iter().any(|word| line.eq_ignore_ascii_case(word)));
    let begins_otherwise = |(index, line): (usize, &&str)| match line.chars().next() {
        Some(first) => !"ytonf~YTONF".contains(first),
        None => index + 1 < lines.len(),
    };
    if text.chars().count() > LONGEST_WORD || lines.iter().enumerate().any(begins_otherwise) {
        Value::text(text)
    } else if text == "~" || is(&["null"]) {
        Value::Nil
    } else if is(&["yes", "true", "on"]) {
        Value::Bool(true)
    } else if is(&["no", "false", "off"]) {
        Value::Bool(false)
    } else {
        Value::text(text)
    }
}

/// A symbol's name stands in quotes or not.
fn symbol_name(name: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some((quoted, _)) = name.strip_prefix(quote).and_then(|rest| rest.rsplit_once(quote)) {
            return quoted.strip_prefix(':').unwrap_or(quoted);
        }
    }
    name
}

/// Reads a text from the left.
struct Cursor<'a>(&'a str);

impl Cursor<'_> {
    fn eat(&mut self, wanted: impl Fn(char) -> bool) -> bool {
        let mut chars = self.0.chars();
        let fits = chars.next().is_some_and(wanted);
        if fits {
            self.0 = chars.as_str();
        }
        fits
    }

    fn is(&mut self, wanted: char) -> bool {
        self.eat(|c| c == wanted)
    }

    /// As many as there are, up to `most`.
    fn digits(&mut self, least: usize, most: usize) -> bool {
        let mut found = 0;
        while found < most && self.eat(|c| c.is_ascii_digit()) {
            found += 1;
        }
        found >= least
    }

    fn spaces(&mut self) -> bool {
        let before = self.0.len();
        while self.eat(|c| matches!(c, ' ' | '\t' | '\u{b}' | '\u{c}' | '\r')) {}
        self.0.len() < before
    }

    fn at_end(&self) -> bool {
        self.0.is_empty()
    }
}

/// `2020-01-01`: the days of a month are not counted, but a month is not 13 and a day not 35.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let up_to = |part: &str, most: u8| {
        (1..=2).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_digit())
            && part.parse::<u8>().is_ok_and(|number| number <= most)
    };
    year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()) && up_to(month, 12) && up_to(day, 31)
}

/// `2020-01-01 10:00:00`, with or without a fraction and a zone.
fn is_time(text: &str) -> bool {
    let mut at = Cursor(text);
    at.is('-');
    let day = at.digits(4, 4) && at.is('-') && at.digits(1, 2) && at.is('-') && at.digits(1, 2);
    let clock = day
        && (at.eat(|c| matches!(c, 'T' | 't')) || at.spaces())
        && at.digits(1, 2)
        && at.is(':')
        && at.digits(2, 2)
        && at.is(':')
        && at.digits(2, 2);
    if !clock {
        return false;
    }
    if at.is('.') {
        at.digits(0, usize::MAX);
    }
    at.at_end() || is_zone(at)
}

/// `Z`, `+1`, `+01`, `+130`, `+0130`, `+1:30`, with or without blanks before it.
fn is_zone(mut at: Cursor<'_>) -> bool {
    at.spaces();
    if at.is('Z') {
        return at.at_end();
    }
    if !at.eat(|c| matches!(c, '+' | '-')) {
        return false;
    }
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then_some(part.len());
    match at.0.split_once(':') {
        None => digits(at.0).is_some_and(|n| (1..=4).contains(&n)),
        Some((hours, minutes)) => matches!((digits(hours), digits(minutes)), (Some(1 | 2), Some(0 | 2))),
    }
}

/// `1:30` and `1:30:00`, and the same with a fraction: the first place counts as hours, whatever follows.
fn sexagesimal(text: &str) -> Option<Value> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let digits_or_underscores = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let (first, rest) = signed(whole).1.split_once(':')?;
    let rest: Vec<&str> = rest.split(':').collect();
    let sixtieths = |part: &&str| matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
    if !first.starts_with(|c: char| c.is_ascii_digit())
        || !digits_or_underscores(first)
        || rest.len() > 2
        || !rest.iter().all(sixtieths)
        || !fraction.is_none_or(digits_or_underscores)
    {
        return None;
    }
    // Each place is read by itself, so a minus is the hours' alone.
    let places = text.split(':').zip([3600_u16, 60, 1]);
    Some(match fraction {
        None => {
            let seconds = places.map(|(place, scale)| leading_integer(place).saturating_mul(scale.into()));
            Value::Int(seconds.fold(0, i128::saturating_add))
        }
        Some(_) => Value::Float(places.map(|(place, scale)| leading_float(place) * f64::from(scale)).sum()),
    })
}

/// Base 10 with a point: `0.0`, `.5`, `1_000.`, `1.5e+3`; an exponent needs its sign.
fn float(text: &str) -> Option<Value> {
    let (negative, digits) = signed(text);
    let (whole, rest) = digits.split_once('.')?;
    let (fraction, exponent) = rest.split_at(rest.find(['e', 'E']).unwrap_or(rest.len()));
    let digits_only = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let legal_whole = whole.is_empty()
        || (whole.starts_with(|c: char| c.is_ascii_digit())
            && whole.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'_' | b',')));
    let legal_exponent = match exponent.as_bytes() {
        [] => true,
        [_, b'+' | b'-', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let lone_point = whole.is_empty() && rest.is_empty();
    if !legal_whole || !legal_exponent || !digits_only(fraction) || lone_point {
        return None;
    }
    if whole.is_empty() && fraction.is_empty() {
        let text = format!("{}{exponent}", text.get(..text.len() - digits.len()).unwrap_or_default());
        return Some(Value::Unloadable(Unloadable::Number { class: "Float", text }));
    }
    let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
    let value: f64 = format!("0{whole}.{fraction}0{exponent}").parse().ok()?;
    Some(Value::Float(if negative { -value } else { value }))
}

/// Base 2 (`0b1`), 8 (`0300`), 10 and 16 (`0x1f`). Commas and underscores are dropped; in base 10 each needs a digit
/// on both sides.
fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = signed(text);
    let separator = |c: char| matches!(c, '_' | ',');
    let (radix, body) = if let Some(body) = digits.strip_prefix("0b") {
        (2, body)
    } else if let Some(body) = digits.strip_prefix("0x") {
        (16, body)
    } else if let Some(body) = digits.strip_prefix('0').filter(|body| !body.is_empty()) {
        (8, body)
    } else {
        let lone = |pair: &[u8]| !pair.iter().any(u8::is_ascii_digit);
        let ends_well = digits.starts_with(|c: char| c.is_ascii_digit()) && !digits.ends_with(separator);
        if !ends_well || digits.as_bytes().windows(2).any(lone) {
            return None;
        }
        (10, digits)
    };
    if body.is_empty() || !body.chars().all(|c| c.is_digit(radix) || separator(c)) {
        return None;
    }
    let plain: String = body.chars().filter(|c| !separator(*c)).collect();
    if plain.is_empty() && radix != 8 {
        let text = text.chars().filter(|c| !separator(*c)).collect();
        return Some(Value::Unloadable(Unloadable::Number { class: "Integer", text }));
    }
    let value = if plain.is_empty() { 0 } else { i128::from_str_radix(&plain, radix).unwrap_or(i128::MAX) };
    Some(Value::Int(if negative { -value } else { value }))
}
