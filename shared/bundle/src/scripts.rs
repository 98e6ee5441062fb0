//! The scripts that hooks name: whether they are there, and whether an agent can start them.

use crate::tree::{Found, NodeId, Tree};
use appspec::ScriptReference;
use appspec::finding::{Agent, Code, Fails, Finding, Findings, shown};

/// Looks the scripts up.
pub(crate) fn check(tree: &Tree, scripts: &[ScriptReference], findings: &mut Findings) {
    for script in scripts {
        if script.location.starts_with('/') {
            let what = format!("location {} starts with /", shown(&script.location));
            findings.push(at(script, Code::LeadingSlash, what, "write it without the slash"));
        }
        match look_up(tree, script) {
            Ok(_) => check_path(script, findings),
            Err(finding) if script.runs => findings.push(finding),
            // What never runs need not be there.
            Err(finding) => findings.push(finding.fails(Fails::Nowhere)),
        }
    }
}

/// The file of a script.
pub(crate) fn look_up(tree: &Tree, script: &ScriptReference) -> Result<NodeId, Finding> {
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
