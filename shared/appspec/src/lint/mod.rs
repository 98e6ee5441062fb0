//! What an author should know of an AppSpec file, each fault with its line and none left out.
//!
//! What agent 1.8.1 refuses is a fault, and so is what Install or the service refuse later. What agent 1.x accepts and
//! 2.x does not, and what does nothing, is a warning. Whether a script is in the bundle is asked elsewhere.

mod fault;
mod files;
mod findings;
mod hooks;
mod nodes;
mod permissions;

pub use fault::{AppSpecFault, AppSpecWarning};
pub use findings::{CopyReference, Finding, Lint, ScriptReference};

use crate::file_exists_behavior::FileExistsBehavior;
use crate::ruby::{self, Unloadable, Value};
use crate::tree::{self, Content, Document, Node, Rest};
use nodes::{alike, as_written, get, has_parts, is_truthy, present, text, value};

const KEYS: [&str; 6] = ["version", "os", "hooks", "files", "permissions", "file_exists_behavior"];

/// Looks at a file's bytes.
pub fn lint(bytes: &[u8]) -> Lint {
    let mut findings = Lint::default();
    if let Some(root) = read(bytes, &mut findings) {
        check_version(&root, &mut findings);
        check_os(&root, &mut findings);
        findings.scripts = hooks::check(&root, &mut findings);
        findings.copies = files::check(&root, &mut findings);
        permissions::check(&root, &mut findings);
        check_file_exists_behavior(&root, &mut findings);
        check_keys(&root, &mut findings);
    }
    findings.faults.sort_by_key(|finding| finding.line);
    findings.warnings.sort_by_key(|finding| finding.line);
    findings
}

/// The root, when it is a mapping.
fn read(bytes: &[u8], findings: &mut Lint) -> Option<Node> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        findings.fault(1, AppSpecFault::NotUtf8);
        return None;
    };
    let without_mark = text.strip_prefix('\u{feff}');
    if without_mark.is_some() {
        findings.fault(1, AppSpecFault::ByteOrderMark);
    }
    let Document { root, rest } = match tree::read(without_mark.unwrap_or(text)) {
        // What follows the first document is not read by agent 1.x, but by agent 2.x, and is hardly meant so.
        Ok(Document { rest: Rest::Rubbish(error), .. }) | Err(error) => {
            findings.fault(error.place.line, AppSpecFault::Syntax { detail: error.detail });
            return None;
        }
        Ok(document) => document,
    };
    if let Some(root) = &root {
        note_unloadable(root, findings);
        note_duplicate_keys(root, findings);
    }
    if let Rest::Document { line } = rest {
        findings.warn(line, AppSpecWarning::SecondDocument);
    }
    let Some(root) = root.filter(is_truthy) else {
        findings.fault(1, AppSpecFault::Empty);
        return None;
    };
    if !matches!(root.content, Content::Map(_)) {
        findings.fault(root.line(), AppSpecFault::NotAMapping);
        return None;
    }
    Some(root)
}

fn note_unloadable(root: &Node, findings: &mut Lint) {
    for (node, why) in ruby::unloadable(root) {
        let fault = match (why, node.written_tag(), &node.content) {
            (Unloadable::Alias, ..) => AppSpecFault::Alias,
            (Unloadable::Class(_), None, Content::Scalar { text, .. }) => {
                AppSpecFault::Date { text: text.clone() }
            }
            (Unloadable::Class(_), tag, _) => AppSpecFault::RubyTag { tag: tag.unwrap_or_default() },
            (Unloadable::Number { .. }, ..) => AppSpecFault::Number { text: as_written(node) },
        };
        findings.fault(node.line(), fault);
    }
}

fn note_duplicate_keys(node: &Node, findings: &mut Lint) {
    if let Content::List(items) = &node.content {
        for item in items {
            note_duplicate_keys(item, findings);
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    for (key, value) in node.entries() {
        // Neither agent reads a key that is a list or a mapping, and comparing such keys is costly.
        if !has_parts(key) && !seen.insert(text(key)) {
            findings.warn(key.line(), AppSpecWarning::DuplicateKey { key: text(key) });
        }
        note_duplicate_keys(value, findings);
    }
}

fn check_version(root: &Node, findings: &mut Lint) {
    let Some(version) = get(root, "version") else {
        return findings.fault(root.line(), AppSpecFault::VersionMissing);
    };
    let fault = match value(version) {
        Value::Int(0) | Value::Float(0.0) => return,
        Value::Text(text) if text.trim() == "0.0" => AppSpecFault::VersionQuoted,
        Value::Nil => AppSpecFault::VersionMissing,
        _ => AppSpecFault::Version { found: text(version) },
    };
    findings.fault(version.line(), fault);
}

fn check_os(root: &Node, findings: &mut Lint) {
    let other_platform = get(root, "Resources").is_some();
    let Some(os) = get(root, "os") else {
        return findings.fault(root.line(), AppSpecFault::OsMissing { other_platform });
    };
    match value(os) {
        Value::Nil => findings.fault(os.line(), AppSpecFault::OsMissing { other_platform }),
        Value::Text(os) if os == "linux" => {}
        _ => findings.fault(os.line(), AppSpecFault::Os { found: text(os) }),
    }
}

fn check_file_exists_behavior(root: &Node, findings: &mut Lint) {
    let Some(behavior) = present(root, "file_exists_behavior") else { return };
    let found = text(behavior);
    if !matches!(value(behavior), Value::Text(_)) || FileExistsBehavior::parse(&found).is_none() {
        findings.fault(behavior.line(), AppSpecFault::FileExistsBehavior { found });
    }
}

fn check_keys(root: &Node, findings: &mut Lint) {
    for (key, _) in root.entries() {
        let text = text(key);
        if !KEYS.contains(&text.as_str()) {
            let meant = alike(&text, &KEYS);
            findings.warn(key.line(), AppSpecWarning::UnknownKey { key: text, meant });
        }
    }
}
