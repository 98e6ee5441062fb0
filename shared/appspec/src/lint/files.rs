//! The `files` section: what Install copies where.

use super::findings::{CopyReference, Lint};
use super::nodes::{as_written, check_keys, get, has_parts, is_mapping, items, present, value};
use crate::finding::{Agent, Code, Fails, shown};
use crate::ruby::{Value, path};
use crate::tree::Node;

pub(super) const KEYS: [&str; 2] = ["source", "destination"];

pub(super) fn check(root: &Node, lint: &mut Lint) {
    for item in items(get(root, "files"), "files", "a list of items with source and destination", lint) {
        if is_mapping(item, "an item of files", "a mapping with source and destination", lint) {
            check_keys(item, &KEYS, lint);
            if let Some(copy) = check_item(item, lint) {
                lint.asks.copies.push(copy);
            }
        }
    }
}

fn check_item(item: &Node, lint: &mut Lint) -> Option<CopyReference> {
    let Some(source) = present(item, "source") else {
        let remedy = "add it; source: / is the whole bundle";
        lint.say(item, Code::NoSource, "an item of files has no source", remedy);
        return None;
    };
    let source_path = path(&value(source));
    let Some(destination) = present(item, "destination") else {
        let what = format!("an item of files has a source ({}) and no destination", shown(&source_path));
        lint.say(item, Code::NoDestination, what, "add it");
        return None;
    };
    let destination_path = path(&value(destination));
    if is_list_of_texts(&value(source)) {
        let what = format!("source {} is a list, of which agent 1.x makes one path", shown(&source_path));
        lint.say(source, Code::Type, what, "write one item per source");
    } else {
        check_text(source, "source", lint);
    }
    if source_path.is_empty() && !has_parts(source) {
        let fails = Fails::With(Agent::Two);
        lint.say_of(fails, source, Code::NoSource, "source is empty", "write source: / for the whole bundle");
    }
    check_text(destination, "destination", lint);
    if !has_parts(destination) {
        check_destination(destination, &destination_path, lint);
    }
    Some(CopyReference { position: item.position(), source: source_path, destination: destination_path })
}

fn is_list_of_texts(value: &Value) -> bool {
    match value {
        Value::List(items) => {
            items.iter().all(|item| matches!(item, Value::Text(_)) || is_list_of_texts(item))
        }
        _ => false,
    }
}

/// Agent 1.x hands the value to calls that take nothing but a text. Agent 2.x makes a text of a number, and stops at a
/// list.
pub(super) fn check_text(node: &Node, key: &str, lint: &mut Lint) {
    if !matches!(value(node), Value::Text(_)) {
        let fails = if has_parts(node) { Fails::Everywhere } else { Code::NotText.fails() };
        let found = as_written(node);
        let what = format!("{key} is {}, which is no text to agent 1.x", shown(&found));
        lint.say_of(fails, node, Code::NotText, what, format!("write {key}: '{}'", shown(&found)));
    }
}

/// Agent 1.x makes the folders that are missing from the top. It finds none of a relative path missing but the one that
/// the agent was started in, and takes `~` for a folder's name when it looks and for a home when it makes it.
fn check_destination(node: &Node, destination: &str, lint: &mut Lint) {
    const REMEDY: &str = "write an absolute path";
    if destination.is_empty() {
        lint.say(node, Code::RelativeDestination, "destination is empty", REMEDY);
    } else if destination.starts_with('~') {
        let what = format!("destination {} starts with ~, which is nobody's home here", shown(destination));
        lint.say(node, Code::RelativeDestination, what, REMEDY);
    } else if !destination.starts_with('/') {
        let what = format!(
            "destination {} is relative: agent 1.x puts it below the folder in which it was started, agent 2.x fails",
            shown(destination)
        );
        lint.say_of(Fails::With(Agent::Two), node, Code::RelativeDestination, what, REMEDY);
    }
}
