//! YAML as agent 1.x reads it: Ruby's Psych 4, through `YAML.load`.
//!
//! Only the first document counts. Aliases, dates, times and objects are errors there, and so are they here: a tree
//! keeps them as [`Unloadable`], so that a lint can report each of them and [`load`] the first.

mod scalar;
mod value;

pub(crate) use value::{Unloadable, Value, path, strip};

use crate::tree::{Content, Document, Node};
use std::collections::BTreeMap;

/// What Ruby makes of a node, the parts that it would not load included.
pub(crate) fn value(node: &Node) -> Value {
    if let Some(class) = class_of_tag(node) {
        return Value::Unloadable(Unloadable::Class(class));
    }
    match &node.content {
        Content::Alias(_) => Value::Unloadable(Unloadable::Alias),
        Content::Scalar { text, quoted, .. } => scalar_value(node, text, *quoted),
        Content::List(items) if is_ordered_map(node) => {
            let mut map = Hash::default();
            for item in items {
                let (key, of_key) = first_and_last(item);
                map.set(key.map_or(Value::Nil, value), of_key.map_or(Value::Nil, value));
            }
            Value::Map(map.entries)
        }
        Content::List(items) => Value::List(items.iter().map(value).collect()),
        Content::Map(entries) => {
            let mut map = Hash::default();
            for (key, node) in entries {
                let (key, value) = (value(key), value(node));
                match merged(&key, &value) {
                    Some(entries) => entries.into_iter().for_each(|(key, value)| map.set(key, value)),
                    None => map.set(key, value),
                }
            }
            Value::Map(map.entries)
        }
    }
}

fn is_ordered_map(node: &Node) -> bool {
    matches!(node.tag.as_deref(), Some("!omap" | "tag:yaml.org,2002:omap"))
}

/// The first and last of what a node has in it; Psych expects a key and its value there.
fn first_and_last(node: &Node) -> (Option<&Node>, Option<&Node>) {
    match &node.content {
        Content::List(items) => (items.first(), items.last()),
        Content::Map(entries) => {
            (entries.first().map(|(key, _)| key), entries.last().map(|(_, value)| value))
        }
        Content::Scalar { .. } | Content::Alias(_) => (None, None),
    }
}

/// The entries that `<<` brings into a map: those of a map, or of a list of maps, of which the first counts most.
fn merged(key: &Value, value: &Value) -> Option<Vec<(Value, Value)>> {
    if !matches!(key, Value::Text(key) if key == "<<") {
        return None;
    }
    let entries = |value: &Value| if let Value::Map(entries) = value { Some(entries.clone()) } else { None };
    match value {
        Value::List(items) => {
            let maps: Option<Vec<_>> = items.iter().rev().map(entries).collect();
            Some(maps?.into_iter().flatten().collect())
        }
        value => entries(value),
    }
}

/// A map under construction: a repeated key keeps its first place and gets the last value.
#[derive(Default)]
struct Hash {
    entries: Vec<(Value, Value)>,
    /// Places in `entries` by the key's `inspect`, which tells `1` from `'1'`.
    places: BTreeMap<String, usize>,
}

impl Hash {
    fn set(&mut self, key: Value, value: Value) {
        let place = *self.places.entry(key.inspect()).or_insert(self.entries.len());
        match self.entries.get_mut(place) {
            Some((_, old)) => *old = value,
            None => self.entries.push((key, value)),
        }
    }
}

fn scalar_value(node: &Node, text: &str, quoted: bool) -> Value {
    if quoted {
        return Value::text(text);
    }
    match node.tag.as_deref() {
        Some("!str" | "!ruby/string" | "tag:yaml.org,2002:str") => Value::text(text),
        Some("!float" | "tag:yaml.org,2002:float") => match scalar::resolve(text) {
            #[expect(clippy::cast_precision_loss, reason = "Ruby's Float() rounds as well")]
            Value::Int(value) => Value::Float(value as f64),
            value @ (Value::Float(_) | Value::Unloadable(_)) => value,
            _ => Value::Unloadable(Unloadable::Number { class: "Float", text: text.to_owned() }),
        },
        Some(tag) if tag.starts_with("!ruby/sym") => Value::Symbol(text.to_owned()),
        _ => scalar::resolve(text),
    }
}

/// The class of the object that a tag asks for, where a safe load refuses it. Psych looks for other tags on a scalar
/// than on a list or a mapping, for none on a scalar in quotes, and passes over those that it does not know.
fn class_of_tag(node: &Node) -> Option<String> {
    let tag = node.tag.as_deref()?;
    let (kind, named) = tag.split_once(':').unwrap_or((tag, ""));
    let where_named = Some(named).filter(|named| !named.is_empty());
    let class = match (&node.content, kind) {
        (Content::Scalar { text, quoted: false, .. }, _) => match kind {
            "!ruby/class" | "!ruby/module" => Some(text.as_str()),
            "!ruby/regexp" => Some("Regexp"),
            "!ruby/range" => Some("Range"),
            "!str" | "!ruby/string" => where_named,
            "!ruby/object" => where_named
                .filter(|class| matches!(*class, "BigDecimal" | "DateTime" | "Complex" | "Rational")),
            _ => None,
        },
        (Content::List(_), "!seq" | "!ruby/array") => where_named,
        // Psych takes the colon for optional and the rest for the name.
        (Content::Map(_), _)
            if !matches!(kind, "!ruby/object" | "!ruby/struct" | "!ruby/exception")
                && ["!ruby/object", "!ruby/struct", "!ruby/exception"]
                    .iter()
                    .any(|known| tag.starts_with(known)) =>
        {
            Some(tag)
        }
        (Content::Map(_), _) => match kind {
            _ if matches!(tag, "!set" | "tag:yaml.org,2002:set") => Some("Psych::Set"),
            _ if matches!(tag, "!omap" | "tag:yaml.org,2002:omap") => Some("Psych::Omap"),
            "!ruby/object" => where_named.or(Some("Object")).filter(|class| *class != "Hash"),
            "!ruby/struct" => where_named.or(Some("Struct")),
            "!ruby/exception" => where_named.or(Some("Exception")),
            "!ruby/range" => Some("Range"),
            "!str" | "!map" => where_named,
            "!ruby/string" | "!ruby/array" | "!ruby/hash" | "!ruby/hash-with-ivars" | "!ruby/marshalable" => {
                where_named
            }
            _ => None,
        },
        _ => None,
    };
    class.map(str::to_owned)
}

/// What Ruby raises an error at, in the order in which it would.
pub(crate) fn unloadable(node: &Node) -> Vec<(&Node, Unloadable)> {
    let mut found = Vec::new();
    collect_unloadable(node, &mut found);
    found
}

fn collect_unloadable<'a>(node: &'a Node, found: &mut Vec<(&'a Node, Unloadable)>) {
    if let Some(class) = class_of_tag(node) {
        return found.push((node, Unloadable::Class(class)));
    }
    match &node.content {
        Content::Scalar { .. } | Content::Alias(_) => {
            if let Value::Unloadable(why) = value(node) {
                found.push((node, why));
            }
        }
        Content::List(items) => items.iter().for_each(|item| collect_unloadable(item, found)),
        Content::Map(entries) => {
            for (key, value) in entries {
                collect_unloadable(key, found);
                collect_unloadable(value, found);
            }
        }
    }
}

/// Loads the first document. `Ok(None)` is Ruby's `false`: no document, or nothing but comments and blanks.
pub(crate) fn load(document: &Document) -> Result<Option<Value>, Unloadable> {
    let Some(root) = &document.root else { return Ok(None) };
    match unloadable(root).into_iter().next() {
        Some((_, why)) => Err(why),
        None => Ok(Some(value(root)).filter(Value::is_truthy)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A scalar's class and `inspect`, or the error, as in the table.
    fn as_ruby_says(text: &str) -> String {
        let value = scalar::resolve(text);
        match &value {
            Value::Unloadable(Unloadable::Class(class)) => {
                format!("DisallowedClass\tTried to load unspecified class: {class}")
            }
            Value::Unloadable(Unloadable::Number { class, text }) => {
                format!("ArgumentError\tinvalid value for {class}(): {text:?}")
            }
            value => format!("{}\t{}", value.class(), value.inspect()),
        }
    }

    /// What Ruby 3.1.2 (Psych 4.0.3) makes of each scalar was written down by Ruby itself.
    #[test]
    fn scalars_are_what_ruby_says_they_are() {
        let table = include_str!("../../corpus/scalars.tsv");
        let mut wrong = Vec::new();
        let mut n_scalars = 0;
        for line in table.lines().skip(1) {
            let (scalar, theirs) = line.split_once('\t').unwrap();
            let text: String = serde_json::from_str(scalar).unwrap();
            let ours = as_ruby_says(&text);
            if ours != theirs {
                wrong.push(format!("{scalar}: Ruby says {theirs}, we say {ours}"));
            }
            n_scalars += 1;
        }
        assert!(n_scalars > 90, "only {n_scalars} scalars");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
