//! Items of `files` that put something at one place.

use super::copies::Copy;
use super::paths::below;
use super::walk::{Laid, Next, What, laid_at, walk};
use super::{Budget, at};
use crate::tree::Tree;
use appspec::finding::{Code, Findings, shown};

/// Compares every copy with those before it, and reports the first conflict of each.
pub(super) fn check(tree: &Tree, copies: &[Copy<'_>], budget: &mut Budget, findings: &mut Findings) {
    for (index, copy) in copies.iter().enumerate() {
        let mut earlier = copies.iter().take(index);
        let conflict = earlier.find_map(|earlier| Some((earlier, conflict(tree, earlier, copy, budget)?)));
        if let Some((earlier, Conflict { place, code })) = conflict {
            let (first, second) = (shown(&earlier.reference.source), shown(&copy.reference.source));
            let (what, remedy) = match code {
                Code::CopiedTwice => {
                    (format!("files puts both {first} and {second} at {}", shown(&place)), "keep one")
                }
                _ => (
                    format!(
                        "one of {first} and {second} makes a file at {}, the other a folder",
                        shown(&place)
                    ),
                    "put one of them elsewhere",
                ),
            };
            findings.push(at(copy.reference.position, code, what, remedy));
        }
    }
}

struct Conflict {
    place: String,
    code: Code,
}

fn conflict(tree: &Tree, one: &Copy<'_>, other: &Copy<'_>, budget: &mut Budget) -> Option<Conflict> {
    if !budget.step() {
        return None;
    }
    // The one whose place lies deeper is walked, the other one looked into.
    let (outer, inner) = if below(&other.place, &one.place).is_some() { (one, other) } else { (other, one) };
    below(&inner.place, &outer.place)?;
    if let Some(found) = above(tree, outer, &inner.place) {
        return Some(found);
    }
    let mut found = None;
    let mut visit = |laid: &Laid<'_>, _: &mut Budget| {
        let there = below(laid.place, &outer.place).and_then(|below| laid_at(tree, outer, below));
        let code = match (there, laid.what) {
            (None, _) => return Next::Past,
            (Some(What::Folder), What::Folder) => return Next::In,
            (Some(What::Folder), _) | (_, What::Folder) => Code::FileMeetsFolder,
            (Some(What::File | What::Link), What::File | What::Link) => Code::CopiedTwice,
        };
        found = Some(Conflict { place: laid.place.to_owned(), code });
        Next::Stop
    };
    walk(tree, inner, budget, &mut visit).unwrap_or_default();
    found
}

/// The folders above a place are made where they are missing. One of them may be a file of the other copy.
fn above(tree: &Tree, outer: &Copy<'_>, place: &str) -> Option<Conflict> {
    let ends = place.match_indices('/').map(|(end, _)| end);
    let folders = ends.filter_map(|end| place.get(..end)).filter(|folder| !folder.is_empty());
    let is_file = |folder: &&str| {
        let below = below(folder, &outer.place);
        matches!(below.and_then(|below| laid_at(tree, outer, below)), Some(What::File | What::Link))
    };
    folders
        .into_iter()
        .find(is_file)
        .map(|folder| Conflict { place: folder.to_owned(), code: Code::FileMeetsFolder })
}
