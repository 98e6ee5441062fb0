//! `migrate`: what the kit runs once a release, before it has any traffic (`instance/hooks/migrate.sh`).

use crate::kit::staged;
use crate::tree::{Found, Kind, NodeId, Tree};
use appspec::finding::{Code, Finding, Findings, shown};
use appspec::{Asks, ScriptReference};

/// Its name, beside what starts the bundle.
const NAME: &str = "migrate";

/// Says where the bundle has one that nothing runs.
pub(crate) fn check(tree: &Tree, asks: &Asks, findings: &mut Findings) {
    let Some(file) = in_bundle(tree, asks) else { return };
    let runs_it = |script: &ScriptReference| {
        let folder = script.location.rsplit_once('/').map_or("", |(folder, _)| folder);
        matches!(tree.find(&format!("{folder}/migrate.sh")), Found::File(_))
    };
    if !asks.scripts.iter().any(runs_it) {
        let place = tree.path(file);
        let what = format!("{} is there, and no hook of the bundle runs it", shown(&place));
        let remedy = "pack with the instance/bundle of this Greenlight";
        findings.push(Finding::new(Code::MigrateUnrun, what, remedy).of(&place));
    }
}

/// A folder of that name is the version's own.
fn in_bundle(tree: &Tree, asks: &Asks) -> Option<NodeId> {
    staged(&asks.copies).find_map(|copy| match tree.find(&copy.source) {
        Found::Folder(folder) => tree.child(folder, NAME).filter(|node| tree.kind(*node) == Kind::File),
        _ => None,
    })
}
