//! Typed reading as `serde_yaml` 0.9 does it, which agent 2.x reads with: YAML 1.2's scalars, and the first thing that
//! has the wrong type ends it, with its path and its place.
//!
//! A text may be any scalar (`mode: 0755` stays `0755`), a number only one without quotes. Read in that library's
//! source; `tests/agent2.rs` holds it to what the library itself said of the corpus.

use crate::finding::Position;
use crate::tree::{Content, Node, Place, ScalarStyle};
use std::collections::BTreeMap;
use std::fmt;

/// Why a file is not of the shape that the agent wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misshapen {
    path: String,
    message: String,
    place: Place,
}

impl Misshapen {
    pub(super) fn position(&self) -> Position {
        Position { line: self.place.line, column: self.place.column }
    }
}

impl fmt::Display for Misshapen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        // The first character of a file is not worth its place to the library.
        let Place { line, column } = self.place;
        if (line, column) == (1, 1) { Ok(()) } else { write!(f, " at line {line} column {column}") }
    }
}

/// The nodes that aliases stand for.
pub(super) struct Anchors<'a>(BTreeMap<usize, &'a Node>);

impl<'a> Anchors<'a> {
    pub(super) fn of(root: &'a Node) -> Self {
        let mut anchors = Self(BTreeMap::new());
        anchors.collect(root);
        anchors
    }

    fn collect(&mut self, node: &'a Node) {
        if node.anchor != 0 {
            self.0.insert(node.anchor, node);
        }
        match &node.content {
            Content::List(items) => items.iter().for_each(|item| self.collect(item)),
            Content::Map(entries) => entries.iter().for_each(|(key, value)| {
                self.collect(key);
                self.collect(value);
            }),
            Content::Scalar { .. } | Content::Alias(_) => {}
        }
    }

    /// The root of a document. An alias without an anchor ends the reading before it begins.
    pub(super) fn root(&self, node: &'a Node) -> Result<Item<'_, 'a>, Misshapen> {
        let item = Item { anchors: self, node, path: String::new() };
        match unknown_anchor(node) {
            Some(place) => {
                Err(Misshapen { path: String::new(), message: "unknown anchor".to_owned(), place })
            }
            None => Ok(item),
        }
    }
}

fn unknown_anchor(node: &Node) -> Option<Place> {
    match &node.content {
        Content::Alias(None) => Some(node.place),
        Content::Alias(Some(_)) | Content::Scalar { .. } => None,
        Content::List(items) => items.iter().find_map(unknown_anchor),
        Content::Map(entries) => {
            entries.iter().find_map(|(key, value)| unknown_anchor(key).or_else(|| unknown_anchor(value)))
        }
    }
}

/// A node on its way to a type.
#[derive(Clone)]
pub(super) struct Item<'s, 'a> {
    anchors: &'s Anchors<'a>,
    node: &'a Node,
    path: String,
}

impl<'a> Item<'_, 'a> {
    /// The node, or the one that an alias stands for.
    fn meant(&self) -> &'a Node {
        match self.node.content {
            Content::Alias(Some(anchor)) => self.anchors.0.get(&anchor).copied().unwrap_or(self.node),
            _ => self.node,
        }
    }

    fn error(&self, message: String) -> Misshapen {
        Misshapen { path: self.path.clone(), message, place: self.meant().place }
    }

    fn wrong_type(&self, expected: &str) -> Misshapen {
        let found = match &self.meant().content {
            Content::List(_) => "sequence".to_owned(),
            Content::Map(_) => "map".to_owned(),
            Content::Scalar { text, style, .. } if *style == ScalarStyle::Plain => scalar_type(text),
            Content::Scalar { text, .. } => format!("string {text:?}"),
            Content::Alias(_) => "alias".to_owned(),
        };
        self.error(format!("invalid type: {found}, expected {expected}"))
    }

    fn plain(&self) -> Option<&'a str> {
        match &self.meant().content {
            Content::Scalar { text, style: ScalarStyle::Plain, .. } => Some(text),
            _ => None,
        }
    }

    fn is_empty(&self) -> bool {
        self.plain() == Some("")
    }

    /// A value that may be left out, empty or null.
    pub(super) fn optional<T>(
        self,
        read: impl FnOnce(Self) -> Result<T, Misshapen>,
    ) -> Result<Option<T>, Misshapen> {
        let untagged = self.meant().tag.is_none() || self.meant().core_tag() == Some("null");
        let absent = untagged && self.plain().is_some_and(|text| text.is_empty() || is_null(text));
        if absent { Ok(None) } else { read(self).map(Some) }
    }

    pub(super) fn text(self) -> Result<String, Misshapen> {
        match &self.meant().content {
            Content::Scalar { text, .. } => Ok(text.clone()),
            _ => Err(self.wrong_type("a string")),
        }
    }

    pub(super) fn flag(self) -> Result<bool, Misshapen> {
        self.plain().and_then(boolean).ok_or_else(|| self.wrong_type("a boolean"))
    }

    pub(super) fn seconds(self) -> Result<u32, Misshapen> {
        let number = self.plain().and_then(unsigned).and_then(|number| u64::try_from(number).ok());
        let number = number.ok_or_else(|| self.wrong_type("u32"))?;
        number.try_into().map_err(|_| self.error(format!("invalid value: integer `{number}`, expected u32")))
    }

    pub(super) fn float(self) -> Result<f64, Misshapen> {
        self.plain().and_then(float).ok_or_else(|| self.wrong_type("f64"))
    }

    /// The items of a list; none of nothing.
    pub(super) fn list<T>(self, read: impl Fn(Self) -> Result<T, Misshapen>) -> Result<Vec<T>, Misshapen> {
        let items = match &self.meant().content {
            Content::List(items) => items.as_slice(),
            _ if self.is_empty() => &[],
            _ => return Err(self.wrong_type("a sequence")),
        };
        let item = |(index, node)| Self { node, path: format!("{}[{index}]", self.path), ..self.clone() };
        items.iter().enumerate().map(item).map(read).collect()
    }

    /// The values of a map by name, in the order of the file; of two of one name the last, in the place of the first.
    pub(super) fn map<T>(
        self,
        read: impl Fn(Self) -> Result<T, Misshapen>,
    ) -> Result<Vec<(String, T)>, Misshapen> {
        let mut values: Vec<(String, T)> = Vec::new();
        let mut places = BTreeMap::new();
        for (key, value) in self.entries("a map")? {
            let name = key.text()?;
            let value = read(value.below(&name))?;
            let place = *places.entry(name.clone()).or_insert(values.len());
            match values.get_mut(place) {
                Some((_, old)) => *old = value,
                None => values.push((name, value)),
            }
        }
        Ok(values)
    }

    /// The fields of a structure, one after another as they stand in the file. An unknown one is passed over, a known
    /// one that comes again is an error.
    pub(super) fn fields(
        self,
        structure: &str,
        known: &[&'static str],
        mut read: impl FnMut(&'static str, Self) -> Result<(), Misshapen>,
    ) -> Result<(), Misshapen> {
        let mut seen = Vec::new();
        for (key, value) in self.clone().entries(&format!("struct {structure}"))? {
            let Content::Scalar { text: name, .. } = &key.meant().content else {
                return Err(key.wrong_type("field identifier"));
            };
            let Some(field) = known.iter().find(|field| *field == name) else { continue };
            if seen.contains(field) {
                return Err(self.error(format!("duplicate field `{field}`")));
            }
            seen.push(*field);
            read(field, value.below(name))?;
        }
        Ok(())
    }

    pub(super) fn missing(&self, field: &str) -> Misshapen {
        self.error(format!("missing field `{field}`"))
    }

    fn entries(self, expected: &str) -> Result<Vec<(Self, Self)>, Misshapen> {
        let entries = match &self.meant().content {
            Content::Map(entries) => entries.as_slice(),
            _ if self.is_empty() => &[],
            _ => return Err(self.wrong_type(expected)),
        };
        let item = |node| Self { node, ..self.clone() };
        Ok(entries.iter().map(|(key, value)| (item(key), item(value))).collect())
    }

    fn below(self, name: &str) -> Self {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Self { path, ..self }
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "null" | "Null" | "NULL" | "~")
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// What the library calls a scalar without quotes.
fn scalar_type(text: &str) -> String {
    if text.is_empty() || is_null(text) {
        return "unit value".to_owned();
    }
    if let Some(value) = boolean(text) {
        return format!("boolean `{value}`");
    }
    if let Some(value) = unsigned(text) {
        return if u64::try_from(value).is_ok() {
            format!("integer `{value}`")
        } else {
            format!("integer `{value}` as u128")
        };
    }
    if let Some(value) = negative(text) {
        return if i64::try_from(value).is_ok() {
            format!("integer `{value}`")
        } else {
            format!("integer `{value}` as i128")
        };
    }
    match float(text).filter(|_| !has_leading_zeros(text)) {
        Some(value) if value.to_string().contains('.') || !value.is_finite() => {
            format!("floating point `{value}`")
        }
        Some(value) => format!("floating point `{value}.0`"),
        None => format!("string {text:?}"),
    }
}

/// Digits behind a 0 are a text in YAML 1.2.
fn has_leading_zeros(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
}

pub(super) fn unsigned(text: &str) -> Option<u128> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = digits.strip_prefix(prefix) {
            return if digits.starts_with(['+', '-']) {
                None
            } else {
                u128::from_str_radix(digits, radix).ok()
            };
        }
    }
    if digits.starts_with(['+', '-']) || has_leading_zeros(text) { None } else { digits.parse().ok() }
}

fn negative(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-')?;
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = digits.strip_prefix(prefix) {
            return i128::from_str_radix(&format!("-{digits}"), radix).ok();
        }
    }
    if has_leading_zeros(text) { None } else { text.parse().ok() }
}

pub(super) fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if unsigned.len() < text.len() && unsigned.starts_with(['+', '-']) {
        return None;
    }
    match (unsigned, text) {
        (".inf" | ".Inf" | ".INF", _) => Some(f64::INFINITY),
        (_, "-.inf" | "-.Inf" | "-.INF") => Some(f64::NEG_INFINITY),
        (_, ".nan" | ".NaN" | ".NAN") => Some(f64::NAN),
        _ => unsigned.parse().ok().filter(|value: &f64| value.is_finite()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_typed_as_yaml_1_2_has_them() {
        for (text, expected) in [
            ("~", "unit value"),
            ("yes", "string \"yes\""),
            ("True", "boolean `true`"),
            ("30", "integer `30`"),
            ("+30", "integer `30`"),
            ("-1", "integer `-1`"),
            ("0x1f", "integer `31`"),
            ("0o17", "integer `15`"),
            ("-0b11", "integer `-3`"),
            ("0300", "string \"0300\""),
            ("1_000", "string \"1_000\""),
            ("1:30", "string \"1:30\""),
            ("30.9", "floating point `30.9`"),
            ("1e3", "floating point `1000.0`"),
            ("00.5", "floating point `0.5`"),
            (".inf", "floating point `inf`"),
            ("99999999999999999999", "integer `99999999999999999999` as u128"),
            ("2020-01-01", "string \"2020-01-01\""),
        ] {
            assert_eq!(scalar_type(text), expected, "{text}");
        }
    }
}
