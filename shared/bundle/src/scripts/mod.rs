//! The scripts that hooks name: whether they are there, and whether an agent can start them.

mod shebang;
mod shell;

use crate::texts::Text;
use crate::tree::{Found, NodeId, Tree};
use appspec::ScriptReference;
use appspec::finding::{Agent, Code, Fails, Finding, Findings, shown};
use shebang::Starter;
use std::collections::{BTreeMap, BTreeSet};

/// The files whose text says something, the most important first.
pub(crate) fn wanted(tree: &Tree, scripts: &[ScriptReference]) -> Vec<NodeId> {
    scripts.iter().filter(|script| script.runs).filter_map(|script| look_up(tree, script).ok()).collect()
}

/// Looks the scripts up, and at their texts, as far as those were read.
pub(crate) fn check(
    tree: &Tree,
    scripts: &[ScriptReference],
    texts: &BTreeMap<NodeId, Text>,
    findings: &mut Findings,
) {
    let mut seen = BTreeSet::new();
    for script in scripts {
        match look_up(tree, script) {
            Ok(file) => {
                check_path(script, findings);
                if let Some(text) = texts.get(&file).filter(|_| script.runs && seen.insert(file)) {
                    check_text(script, text, findings);
                }
            }
            Err(finding) if script.runs => findings.push(finding),
            // What never runs need not be there.
            Err(finding) => findings.push(finding.fails(Fails::Nowhere)),
        }
    }
}

fn check_text(script: &ScriptReference, Text { bytes, is_whole }: &Text, findings: &mut Findings) {
    if shebang::check(script, bytes, *is_whole, findings) != Starter::Shell {
        return;
    }
    if bytes.windows(2).any(|pair| pair == b"\r\n") {
        let what = format!("script {} has lines that end in a carriage return", shown(&script.location));
        findings.push(at(script, Code::CarriageReturn, what, shebang::REMEDY_LINES));
    }
    shell::check(script, &String::from_utf8_lossy(bytes), findings);
}

/// The file of a script.
fn look_up(tree: &Tree, script: &ScriptReference) -> Result<NodeId, Finding> {
    let (event, location) = (shown(&script.event), shown(&script.location));
    let program = script.location.split_whitespace().next().unwrap_or_default();
    let (code, what, remedy) = match tree.find(&script.location) {
        Found::File(file) => return Ok(file),
        Found::Folder(_) => {
            let what = format!("{event} runs {location}, which is a folder");
            (Code::ScriptIsFolder, what, "name the script in it")
        }
        Found::Outside => {
            let what = format!("location {location} leaves the bundle");
            (Code::Leaves, what, "use a path below the bundle's root")
        }
        Found::Nothing if program != script.location && matches!(tree.find(program), Found::File(_)) => {
            let what = format!("{event} runs {location}, and a location takes no arguments");
            (Code::Arguments, what, "put them into a script")
        }
        Found::Nothing => {
            let what = format!("{event} runs {location}, which is not in the bundle");
            (Code::ScriptMissing, what, "add it, or correct the location (capitals count)")
        }
    };
    Err(at(script, code, what, remedy))
}

/// Agent 1.x joins the path into a line for a shell (`hook_executor.rb`), 2.x only for another user (`script.rs`).
fn check_path(script: &ScriptReference, findings: &mut Findings) {
    let location = script.location.as_str();
    let means_something = |c: char| c.is_whitespace() || "&()$'\"`;<>|\\".contains(c);
    let braces = location.split_once('{').is_some_and(|(_, rest)| rest.contains(',') && rest.contains('}'));
    let found = location.chars().find(|c| means_something(*c)).or(braces.then_some('{'));
    if let Some(c) = found {
        let what = format!("the path of script {} has {} in it", shown(location), name_of(c));
        let finding = at(script, Code::ShellPath, what, "rename it: letters, digits, - _ . and / are safe");
        let fails = if script.runas { Fails::Everywhere } else { Fails::With(Agent::One) };
        findings.push(if script.runs { finding.fails(fails) } else { finding.fails(Fails::Nowhere) });
    }
}

fn name_of(c: char) -> String {
    if c.is_whitespace() { "white space".to_owned() } else { c.to_string() }
}

fn at(script: &ScriptReference, code: Code, what: String, remedy: &str) -> Finding {
    let position = script.position;
    Finding::new(code, what, remedy).of(appspec::agent1::FILE_NAME).at(position.line, position.column)
}
