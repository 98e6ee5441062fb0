//! The AppSpec file, judged as the CodeDeploy agent 1.8 judges it.
//!
//! What the agent refuses is a fault, what it accepts and its 2.x rewrite does not is a warning. The rules are
//! the agent's (github.com/aws/aws-codedeploy-agent, `application_specification`), checked in `tests/agent`
//! against its verdicts. Pure: text in, findings out; whether a script is in the bundle is asked elsewhere.

mod fault;
mod files;
mod hooks;
mod permissions;
mod psych;
mod yaml;

pub use fault::{AppSpecFault, AppSpecWarning};

use super::fault::Findings;
use psych::Value;
use yaml::{Content, Document, Node, Note};

/// The parts of an AppSpec file that name files of the bundle.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AppSpec {
    pub(crate) scripts: Vec<Script>,
    pub(crate) copies: Vec<Copy>,
}

/// A script of a lifecycle event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) line: usize,
    pub(crate) event: String,
    pub(crate) location: String,
}

/// An item of `files`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) line: usize,
    pub(crate) source: String,
    pub(crate) destination: String,
}

const KEYS: [&str; 6] = ["version", "os", "hooks", "files", "permissions", "file_exists_behavior"];

/// Judges the file and returns what it refers to.
pub(crate) fn check(bytes: &[u8], findings: &mut Findings) -> AppSpec {
    let mut appspec = AppSpec::default();
    let Some(root) = read(bytes, findings) else { return appspec };
    check_version(&root, findings);
    check_os(&root, findings);
    appspec.scripts = hooks::check(&root, findings);
    appspec.copies = files::check(&root, findings);
    permissions::check(&root, findings);
    check_file_exists_behavior(&root, findings);
    check_keys(&root, findings);
    appspec
}

fn read(bytes: &[u8], findings: &mut Findings) -> Option<Node> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        findings.appspec_fault(1, AppSpecFault::NotUtf8);
        return None;
    };
    let text = if let Some(text) = text.strip_prefix('\u{feff}') {
        findings.appspec_fault(1, AppSpecFault::ByteOrderMark);
        text
    } else {
        text
    };
    if let Some((line, _)) = text.split('\n').enumerate().find(|(_, line)| line.chars().any(is_control)) {
        let detail = "a control character is not allowed in it".to_owned();
        findings.appspec_fault(line + 1, AppSpecFault::Syntax { detail });
        return None;
    }
    let Document { root, notes } = match yaml::read(text) {
        Ok(document) => document,
        Err(error) => {
            findings.appspec_fault(error.line, AppSpecFault::Syntax { detail: error.detail });
            return None;
        }
    };
    for note in notes {
        match note {
            Note::Alias { line } => findings.appspec_fault(line, AppSpecFault::Alias),
            Note::RubyTag { line, tag } => findings.appspec_fault(line, AppSpecFault::RubyTag { tag }),
            Note::Date { line, text } => findings.appspec_fault(line, AppSpecFault::Date { text }),
            Note::DuplicateKey { line, key } => {
                findings.appspec_warn(line, AppSpecWarning::DuplicateKey { key });
            }
            Note::SecondDocument { line } => findings.appspec_warn(line, AppSpecWarning::SecondDocument),
        }
    }
    let Some(root) = root.filter(|root| !root.is_null()) else {
        findings.appspec_fault(1, AppSpecFault::Empty);
        return None;
    };
    if !matches!(root.content, Content::Map(_)) {
        findings.appspec_fault(root.line, AppSpecFault::NotAMapping);
        return None;
    }
    Some(root)
}

/// The characters that YAML does not allow in a stream, tab and carriage return apart.
fn is_control(character: char) -> bool {
    character.is_control() && !matches!(character, '\t' | '\r' | '\u{85}')
}

fn check_version(root: &Node, findings: &mut Findings) {
    let Some(version) = root.get("version") else {
        return findings.appspec_fault(root.line, AppSpecFault::VersionMissing);
    };
    let fault = match version.value() {
        Some(Value::Int(0) | Value::Float(0.0)) => return,
        Some(Value::Text(text)) if text.trim() == "0.0" => AppSpecFault::VersionQuoted,
        Some(Value::Null) => AppSpecFault::VersionMissing,
        _ => AppSpecFault::Version { found: version.text() },
    };
    findings.appspec_fault(version.line, fault);
}

fn check_os(root: &Node, findings: &mut Findings) {
    let other_platform = root.get("Resources").is_some();
    match root.get("os") {
        None => findings.appspec_fault(root.line, AppSpecFault::OsMissing { other_platform }),
        Some(os) if os.is_null() => {
            findings.appspec_fault(os.line, AppSpecFault::OsMissing { other_platform });
        }
        Some(os) if os.value() == Some(Value::Text("linux".to_owned())) => {}
        Some(os) => findings.appspec_fault(os.line, AppSpecFault::Os { found: os.text() }),
    }
}

fn check_file_exists_behavior(root: &Node, findings: &mut Findings) {
    let Some(behavior) = root.get("file_exists_behavior").filter(|node| !node.is_null()) else { return };
    let found = behavior.text();
    if !matches!(behavior.value(), Some(Value::Text(_)))
        || !["DISALLOW", "OVERWRITE", "RETAIN"].contains(&found.as_str())
    {
        findings.appspec_fault(behavior.line, AppSpecFault::FileExistsBehavior { found });
    }
}

fn check_keys(root: &Node, findings: &mut Findings) {
    for (key, _) in root.entries() {
        let text = key.text();
        if !KEYS.contains(&text.as_str()) {
            let meant = alike(&text, &KEYS);
            findings.appspec_warn(key.line, AppSpecWarning::UnknownKey { key: text, meant });
        }
    }
}

/// The name that differs from `text` only in capitals, underscores and dashes.
fn alike(text: &str, names: &[&'static str]) -> Option<&'static str> {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let text = plain(text);
    names.iter().copied().find(|name| plain(name) == text)
}

/// A list; absent, empty and `false` are no items. Anything else is a fault.
fn items<'a>(
    node: Option<&'a Node>,
    what: &str,
    expected: &'static str,
    findings: &mut Findings,
) -> &'a [Node] {
    let Some(node) = node else { return &[] };
    match &node.content {
        Content::List(items) => items,
        Content::Map(entries) if entries.is_empty() => &[],
        Content::Scalar(_) if matches!(node.value(), Some(Value::Null | Value::Bool(false))) => &[],
        Content::Scalar(_) | Content::Map(_) => {
            findings.appspec_fault(node.line, AppSpecFault::Shape { what: what.to_owned(), expected });
            &[]
        }
    }
}

/// Whether the node is a mapping; a fault if not.
fn is_mapping(node: &Node, what: &str, expected: &'static str, findings: &mut Findings) -> bool {
    let mapping = matches!(node.content, Content::Map(_));
    if !mapping {
        findings.appspec_fault(node.line, AppSpecFault::Shape { what: what.to_owned(), expected });
    }
    mapping
}

/// The value of `key`, if it is there and not null.
fn present<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    node.get(key).filter(|value| !value.is_null())
}
