//! Whether what the AppSpec file names is in the bundle.

use crate::tree::{APPSPEC, Found, NodeId, Tree};
use appspec::finding::{Code, Fails, Finding, Findings, Position, shown};
use appspec::{CopyReference, ScriptReference};
use std::collections::HashMap;

/// Checks that every script is there.
pub(crate) fn check_scripts(scripts: &[ScriptReference], tree: &Tree, findings: &mut Findings) {
    for script in scripts {
        let (event, location) = (shown(&script.event), script.location.as_str());
        let name = shown(location);
        warn_of_slash(script.position, "location", location, findings);
        let (code, what, remedy) = match tree.find(location) {
            Found::File(_) => continue,
            Found::Folder(_) => (
                Code::ScriptIsFolder,
                format!("{event} runs {name}, which is a folder"),
                "name the script in it",
            ),
            Found::Outside => (Code::Leaves, format!("location {name} leaves the bundle"), STAY),
            Found::Nothing => {
                let program = location.split_whitespace().next().unwrap_or_default();
                if program != location && matches!(tree.find(program), Found::File(_)) {
                    let what = format!("{event} runs {name}, and a location takes no arguments");
                    (Code::Arguments, what, "put them into a script")
                } else {
                    let what = format!("{event} runs {name}, which is not in the bundle");
                    (Code::ScriptMissing, what, "add it, or correct the location (capitals count)")
                }
            }
        };
        let finding = at(script.position, code, what, remedy);
        findings.push(if script.runs { finding } else { finding.fails(Fails::Nowhere) });
    }
}

const STAY: &str = "use a path below the bundle's root";

/// Checks that every source is there, and what Install would write where.
pub(crate) fn check_copies(copies: &[CopyReference], tree: &Tree, findings: &mut Findings) {
    let mut written = Written { by_place: HashMap::new(), room: WRITTEN };
    for copy in copies {
        if copy.source != "/" {
            warn_of_slash(copy.position, "source", &copy.source, findings);
        }
        let name = shown(&copy.source);
        let finding = match tree.find(&copy.source) {
            Found::File(file) => written.add(copy, [tree.name(file)]),
            Found::Folder(folder) => written.add(copy, files_below(tree, folder)),
            Found::Outside => {
                Some(at(copy.position, Code::Leaves, format!("source {name} leaves the bundle"), STAY))
            }
            Found::Nothing => {
                let what = format!("files copies {name}, which is not in the bundle");
                let remedy = "add it, or correct the source (capitals count)";
                Some(at(copy.position, Code::SourceMissing, what, remedy))
            }
        };
        if let Some(finding) = finding {
            findings.push(finding);
        }
    }
}

const WRITTEN: usize = 200_000;

fn files_below(tree: &Tree, folder: NodeId) -> Vec<String> {
    let mut files = Vec::new();
    let mut todo: Vec<NodeId> = tree.children(folder).collect();
    let skip = tree.path(folder).len() + usize::from(folder != tree.root());
    while let Some(node) = todo.pop() {
        if tree.kind(node) == crate::tree::Kind::Folder {
            todo.extend(tree.children(node));
        } else {
            files.push(tree.path(node).get(skip..).unwrap_or_default().to_owned());
        }
    }
    files.sort();
    files
}

fn at(position: Position, code: Code, what: String, remedy: &str) -> Finding {
    Finding::new(code, what, remedy).of(APPSPEC).at(position.line, position.column)
}

fn warn_of_slash(position: Position, what: &'static str, path: &str, findings: &mut Findings) {
    if path.starts_with('/') {
        let found = format!("{what} {} starts with /", shown(path));
        findings.push(at(position, Code::LeadingSlash, found, "write it without the slash"));
    }
}

/// Which source writes which place.
struct Written<'a> {
    by_place: HashMap<String, &'a str>,
    room: usize,
}

impl<'a> Written<'a> {
    /// Notes the places that a copy writes. The first one that another copy writes too is a fault, because Install
    /// refuses it.
    fn add(
        &mut self,
        copy: &'a CopyReference,
        files: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Option<Finding> {
        let folder = copy.destination.trim_end_matches('/');
        for file in files {
            self.room = self.room.checked_sub(1)?;
            let destination = format!("{folder}/{}", file.as_ref());
            if let Some(first) = self.by_place.insert(destination.clone(), &copy.source) {
                let (first, second) = (shown(first), shown(&copy.source));
                let what = format!("files puts both {first} and {second} at {}", shown(&destination));
                return Some(at(copy.position, Code::CopiedTwice, what, "keep one"));
            }
        }
        None
    }
}
