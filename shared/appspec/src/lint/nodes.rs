//! Nodes as the checks look at them: through Ruby's eyes, and each fault of form said where it stands.

use super::findings::Lint;
use crate::finding::{Code, shown};
use crate::ruby::{self, Unloadable, Value};
use crate::tree::{Content, Node};

/// Says which keys of a mapping the agent does not know.
pub(super) fn check_keys(node: &Node, known: &[&'static str], lint: &mut Lint) {
    for (key, _) in node.entries() {
        let found = text(key);
        if !known.contains(&found.as_str()) {
            let meant = alike(&found, known).map(|name| format!("write {name}, if that is meant, or "));
            // Many take it for an option of files.
            let overwrite = (found == "overwrite").then(|| {
                "write file_exists_behavior: OVERWRITE beside version, if that is meant, or ".to_owned()
            });
            let remedy = format!("{}remove it", meant.or(overwrite).unwrap_or_default());
            lint.say(key, Code::UnknownKey, format!("key {} is ignored", shown(&found)), remedy);
        }
    }
}

/// The name that differs from `text` only in capitals, underscores and dashes.
pub(super) fn alike(text: &str, names: &[&'static str]) -> Option<&'static str> {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let text = plain(text);
    names.iter().copied().find(|name| plain(name) == text)
}

/// As Ruby sees it. An alias has its own fault, and nothing is said of what it stands for.
pub(super) fn value(node: &Node) -> Value {
    match ruby::value(node) {
        Value::Unloadable(Unloadable::Alias) => Value::Nil,
        value => value,
    }
}

/// Whether it is absent in all but name: empty, `~`, `null`.
pub(super) fn is_null(node: &Node) -> bool {
    !has_parts(node) && value(node).is_nil()
}

/// Whether it is there and not `false`.
pub(super) fn is_truthy(node: &Node) -> bool {
    has_parts(node) || value(node).is_truthy()
}

/// Whether it is a list or a mapping.
pub(super) fn has_parts(node: &Node) -> bool {
    matches!(node.content, Content::List(_) | Content::Map(_))
}

/// What Ruby's `to_s` makes of it.
pub(super) fn text(node: &Node) -> String {
    value(node).to_s()
}

/// A scalar as it stands in the file; anything else as Ruby writes it.
pub(super) fn as_written(node: &Node) -> String {
    if let Content::Scalar { text, .. } = &node.content { text.clone() } else { text(node) }
}

/// The value of `key`: the last one, as agent 1.x has it.
pub(super) fn get<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    let is_key = |name: &Node| !has_parts(name) && matches!(value(name), Value::Text(name) if name == key);
    node.entries().iter().rev().find(|(name, _)| is_key(name)).map(|(_, value)| value)
}

/// The value of `key`, if it is there and not null.
pub(super) fn present<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    get(node, key).filter(|node| !is_null(node))
}

/// A list; absent, empty and `false` are no items. Anything else is a fault.
pub(super) fn items<'a>(
    node: Option<&'a Node>,
    what: &str,
    expected: &'static str,
    lint: &mut Lint,
) -> &'a [Node] {
    let Some(node) = node else { return &[] };
    match &node.content {
        Content::List(items) => items,
        Content::Map(entries) if entries.is_empty() => &[],
        _ if !is_truthy(node) => &[],
        _ => {
            say_shape(node, what, expected, lint);
            &[]
        }
    }
}

/// Whether the node is a mapping; a fault if not.
pub(super) fn is_mapping(node: &Node, what: &str, expected: &'static str, lint: &mut Lint) -> bool {
    let mapping = matches!(node.content, Content::Map(_));
    if !mapping {
        say_shape(node, what, expected, lint);
    }
    mapping
}

pub(super) fn say_shape(node: &Node, what: &str, expected: &'static str, lint: &mut Lint) {
    lint.say(
        node,
        Code::Shape,
        format!("{what} is something else than {expected}"),
        format!("write {expected}"),
    );
}
