//! What an author should know of an AppSpec file, each finding with its place and none left out.
//!
//! What an agent refuses, and what Install or the service refuse later, fails with that agent. Whether a script is in
//! the bundle is asked elsewhere.

mod files;
mod findings;
mod hooks;
mod nodes;
mod permissions;

pub use findings::{Asks, CopyReference, Lint, PermissionReference, ScriptReference};

use crate::agent1::{self, AppSpec};
use crate::agent2;
use crate::file_exists_behavior::FileExistsBehavior;
use crate::finding::{Agent, Code, Fails, Finding, shown};
use crate::ruby::{self, Unloadable, Value};
use crate::tree::{self, Content, Document, Node, Rest};
use nodes::{as_written, check_keys, get, has_parts, is_truthy, present, text, value};
use std::collections::BTreeSet;

const KEYS: [&str; 6] = ["version", "os", "hooks", "files", "permissions", "file_exists_behavior"];

/// Looks at a file's bytes.
pub fn lint(bytes: &[u8]) -> Lint {
    let mut lint = Lint::default();
    if let Some(root) = read(bytes, &mut lint) {
        check_version(&root, &mut lint);
        check_os(&root, &mut lint);
        hooks::check(&root, &mut lint);
        files::check(&root, &mut lint);
        permissions::check(&root, &mut lint);
        check_file_exists_behavior(&root, &mut lint);
        check_keys(&root, &KEYS, &mut lint);
    }
    say_what_an_agent_refuses(bytes, &mut lint);
    lint.findings.sort();
    lint
}

/// The verdicts are the agents'. Where one refuses a file for something that no rule above explains, its own sentence
/// is the finding.
fn say_what_an_agent_refuses(bytes: &[u8], lint: &mut Lint) {
    let whole = |code, what: String| Finding::new(code, what, "correct it").of(agent1::FILE_NAME);
    if !lint.findings.refuse(Agent::One)
        && let Err(refusal) = AppSpec::parse(bytes)
    {
        lint.findings.push(whole(Code::RefusedByAgent1, format!("agent 1.x says: {refusal}")));
    }
    if !lint.findings.refuse(Agent::Two)
        && let Err(refusal) = agent2::judge(bytes)
    {
        let finding = whole(Code::RefusedByAgent2, format!("agent 2.x says: {refusal}"));
        lint.findings.push(match refusal.position {
            Some(position) => finding.at(position.line, position.column),
            None => finding,
        });
    }
}

/// The root, when it is a mapping.
fn read(bytes: &[u8], lint: &mut Lint) -> Option<Node> {
    let top = Node::top();
    let Ok(text) = std::str::from_utf8(bytes) else {
        lint.say(&top, Code::NotUtf8, "the file is not UTF-8 text", "save it as UTF-8");
        return None;
    };
    let without_mark = text.strip_prefix('\u{feff}');
    if without_mark.is_some() {
        let what = "the file starts with a byte order mark";
        lint.say(&top, Code::ByteOrderMark, what, "save it as UTF-8 without one");
    }
    let Document { root, rest } = match tree::read(without_mark.unwrap_or(text)) {
        Ok(document) => document,
        Err(error) => {
            let what = format!("the file is not valid YAML, {}", error.detail);
            lint.say(&Node::nothing(error.place), Code::Syntax, what, "correct it");
            return None;
        }
    };
    if let Some(root) = &root {
        note_unloadable(root, lint);
        note_duplicate_keys(root, Read::Keys(&KEYS), lint);
    }
    match rest {
        Rest::Nothing => {}
        Rest::Document(place) => {
            let what = "a second document starts here";
            lint.say(&Node::nothing(place), Code::SecondDocument, what, "remove it");
        }
        // What follows the first document is not read by agent 1.x, but by agent 2.x, and is hardly meant so.
        Rest::Rubbish(error) => {
            let what = format!("what follows the first document is not valid YAML, {}", error.detail);
            lint.say(&Node::nothing(error.place), Code::SecondDocument, what, "correct or remove it");
        }
    }
    let Some(root) = root.filter(is_truthy) else {
        let remedy = "write at least version, os and hooks";
        lint.say(&top, Code::Empty, "the file is empty", remedy);
        return None;
    };
    if !matches!(root.content, Content::Map(_)) {
        let remedy = "start with version: 0.0 and os: linux";
        lint.say(&root, Code::NotAMapping, "the file is not a mapping", remedy);
        return None;
    }
    Some(root)
}

fn note_unloadable(root: &Node, lint: &mut Lint) {
    for (node, why) in ruby::unloadable(root) {
        match (why, node.written_tag(), &node.content) {
            (Unloadable::Alias, ..) => {
                // An alias without its anchor is an error to the other reader, too.
                let fails = match node.content {
                    Content::Alias(None) => Fails::Everywhere,
                    _ => Code::Alias.fails(),
                };
                let what = "an alias (*name) stands for a value from elsewhere";
                lint.say_of(fails, node, Code::Alias, what, "write the value out");
            }
            (Unloadable::Class(_), None, Content::Scalar { text, .. }) => {
                lint.say(node, Code::Date, format!("{} is a date", shown(text)), "put it in quotes");
            }
            (Unloadable::Class(_), tag, _) => {
                let what = format!("tag {} asks for an object", shown(&tag.unwrap_or_default()));
                lint.say(node, Code::Tag, what, "remove the tag");
            }
            (Unloadable::Number { .. }, ..) => {
                let what = format!("{} looks like a number and is none", shown(&as_written(node)));
                lint.say(node, Code::Number, what, "put it in quotes");
            }
        }
    }
}

/// What agent 2.x reads of a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    /// The keys that it knows, each once; it passes over others.
    Keys(&'static [&'static str]),
    /// Whatever there is, as among the events; the last of a name counts.
    All,
    Nothing,
}

fn note_duplicate_keys(node: &Node, read: Read, lint: &mut Lint) {
    if let Content::List(items) = &node.content {
        for item in items {
            note_duplicate_keys(item, read, lint);
        }
    }
    let mut seen = BTreeSet::new();
    for (key, value) in node.entries() {
        // Neither agent reads a key that is a list or a mapping, and comparing such keys is costly.
        let name = if has_parts(key) { String::new() } else { text(key) };
        let known = matches!(read, Read::Keys(keys) if keys.contains(&name.as_str()));
        if !has_parts(key) && !seen.insert(name.clone()) {
            let fails = if known { Code::DuplicateKey.fails() } else { Fails::Nowhere };
            let what = format!("key {} is given twice: the last one counts for agent 1.x", shown(&name));
            lint.say_of(fails, key, Code::DuplicateKey, what, "remove the one that is not meant");
        }
        let below = match (read, name.as_str()) {
            (Read::All, _) => Read::Keys(&hooks::KEYS),
            (Read::Keys(_), "hooks") if known => Read::All,
            (Read::Keys(_), "files") if known => Read::Keys(&files::KEYS),
            (Read::Keys(_), "permissions") if known => Read::Keys(&permissions::KEYS),
            (Read::Keys(_), "context") if known => Read::Keys(&permissions::CONTEXT_KEYS),
            (Read::Keys(_) | Read::Nothing, _) => Read::Nothing,
        };
        note_duplicate_keys(value, below, lint);
    }
}

fn check_version(root: &Node, lint: &mut Lint) {
    const REMEDY: &str = "write version: 0.0";
    let Some(version) = get(root, "version") else {
        return lint.say(root, Code::Version, "version is missing", REMEDY);
    };
    let what = match value(version) {
        Value::Int(0) | Value::Float(0.0) => return,
        Value::Text(text) if text.trim() == "0.0" => {
            "version is a text, and CodeDeploy wants a number".into()
        }
        Value::Nil => "version is empty".into(),
        _ => format!("version is {}, and CodeDeploy knows only 0.0", shown(&text(version))),
    };
    let second_takes_it = version.is_plain() && agent2::is_version(&as_written(version));
    let fails = if second_takes_it { Fails::With(Agent::One) } else { Fails::Everywhere };
    lint.say_of(fails, version, Code::Version, what, REMEDY);
}

fn check_os(root: &Node, lint: &mut Lint) {
    let Some(os) = get(root, "os") else {
        let elsewhere = if get(root, "Resources").is_some() {
            ", and the file looks like one for Lambda or ECS"
        } else {
            ""
        };
        return lint.say(root, Code::Os, format!("os is missing{elsewhere}"), "write os: linux");
    };
    let what = match value(os) {
        Value::Text(os) if os == "linux" => return,
        Value::Nil => "os is empty".to_owned(),
        _ => format!("os is {}, and the instances are Linux", shown(&text(os))),
    };
    // Agent 2.x does not ask what it runs on.
    let fails = if matches!(value(os), Value::Text(os) if os == "windows") {
        Fails::With(Agent::One)
    } else {
        Fails::Everywhere
    };
    lint.say_of(fails, os, Code::Os, what, "write os: linux, in lower case");
}

fn check_file_exists_behavior(root: &Node, lint: &mut Lint) {
    let Some(behavior) = present(root, "file_exists_behavior") else { return };
    let found = text(behavior);
    if !matches!(value(behavior), Value::Text(_)) || FileExistsBehavior::parse(&found).is_none() {
        let what = format!("file_exists_behavior is {}", shown(&found));
        lint.say(
            behavior,
            Code::FileExistsBehavior,
            what,
            "write DISALLOW, OVERWRITE or RETAIN, in capitals",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_rule_explains_is_said_in_the_agents_own_words() {
        let mut lint = Lint::default();
        say_what_an_agent_refuses(b"version: 1.0\nos: linux\n", &mut lint);
        let said: Vec<_> = lint.findings.listed().iter().map(|finding| finding.code).collect();
        assert_eq!(said, [Code::RefusedByAgent1, Code::RefusedByAgent2]);
        for finding in lint.findings.listed() {
            assert!(finding.what.contains("says: ") && finding.what.contains("version"), "{finding}");
        }
    }
}
