//! Whether what the AppSpec file names is in the bundle.

use crate::contents::{Contents, Found};
use crate::fault::Findings;
use crate::limits::Limits;
use appspec::{AppSpecFault, AppSpecWarning, CopyReference, ScriptReference};
use std::collections::HashMap;

/// Checks that every script is there.
pub(crate) fn check_scripts(scripts: &[ScriptReference], contents: &Contents, findings: &mut Findings) {
    for script in scripts {
        let (event, location) = (script.event.clone(), script.location.clone());
        warn_of_slash(script.line, "location", &location, findings);
        let fault = match contents.find(&location) {
            Found::File(_) => continue,
            Found::Folder(_) => AppSpecFault::ScriptIsFolder { event, location },
            Found::Outside => AppSpecFault::Leaves { what: "location", path: location },
            Found::Nothing => {
                let program = location.split_whitespace().next().unwrap_or_default();
                let arguments = program != location && matches!(contents.find(program), Found::File(_));
                AppSpecFault::ScriptMissing { event, location, arguments }
            }
        };
        findings.appspec_fault(script.line, fault);
    }
}

/// Checks that every source is there, and what Install would write where.
pub(crate) fn check_copies(
    copies: &[CopyReference],
    contents: &Contents,
    limits: &Limits,
    findings: &mut Findings,
) {
    let mut written = Written { by_place: HashMap::new(), room: limits.written };
    for copy in copies {
        if copy.source != "/" {
            warn_of_slash(copy.line, "source", &copy.source, findings);
        }
        let source_path = copy.source.clone();
        let fault = match contents.find(&source_path) {
            Found::File(path) => written.add(copy, [path.rsplit('/').next().unwrap_or_default()]),
            Found::Folder(path) => written.add(copy, contents.files_below(&path)),
            Found::Outside => Some(AppSpecFault::Leaves { what: "source", path: source_path }),
            Found::Nothing => Some(AppSpecFault::SourceNotInBundle { source_path }),
        };
        if let Some(fault) = fault {
            findings.appspec_fault(copy.line, fault);
        }
    }
}

fn warn_of_slash(line: usize, what: &'static str, path: &str, findings: &mut Findings) {
    if path.starts_with('/') {
        findings.appspec_warn(line, AppSpecWarning::LeadingSlash { what, path: path.to_owned() });
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
    ) -> Option<AppSpecFault> {
        let folder = copy.destination.trim_end_matches('/');
        for file in files {
            self.room = self.room.checked_sub(1)?;
            let destination = format!("{folder}/{}", file.as_ref());
            if let Some(first) = self.by_place.insert(destination.clone(), &copy.source) {
                let (first, second) = (first.to_owned(), copy.source.clone());
                return Some(AppSpecFault::Collision { first, second, destination });
            }
        }
        None
    }
}
