//! What one item of `files` lays down: a walk through the bundle that follows links to folders, as the agents do.

use super::Budget;
use super::copies::{Copy, Source};
use super::paths::enter;
use crate::tree::{Found, Kind, NodeId, Tree};

/// Something that Install lays down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Laid<'p> {
    /// Where on the instance.
    pub(super) place: &'p str,
    pub(super) node: NodeId,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Folder,
    File,
    /// A link that leads to a file or nowhere, and is copied as a link.
    Link,
}

/// Why a walk ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// A link leads to a folder in which it lies.
    Circle { link: NodeId },
    /// A path is longer than the kernel takes.
    TooLong { node: NodeId },
    /// The visitor, or the budget, has had enough.
    Enough,
}

/// Whether to go on below what was visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    In,
    Past,
    Stop,
}

/// Links that a path may go through (Linux: `MAXSYMLINKS`), and its bytes, the zero at its end included (`PATH_MAX`).
const LINKS_PER_PATH: usize = 40;
const PATH_BYTES: usize = 4096;

/// A folder on the way, and what of it was not looked at yet.
struct Level<'t> {
    folder: NodeId,
    /// Bytes of its path on the instance.
    place_bytes: usize,
    /// Links above it, and the last of them.
    links: usize,
    link: Option<NodeId>,
    rest: Box<dyn Iterator<Item = NodeId> + 't>,
}

/// Calls `visit` for everything that a copy lays down, folders before what is in them.
pub(super) fn walk(
    tree: &Tree,
    copy: &Copy<'_>,
    budget: &mut Budget,
    visit: &mut dyn FnMut(&Laid<'_>, &mut Budget) -> Next,
) -> Result<(), Stop> {
    let (what, folder) = match copy.source {
        Source::File(_) => (What::File, None),
        Source::Link(_) => (What::Link, None),
        Source::Folder(folder) => (What::Folder, Some(folder)),
    };
    // One path for all, which grows and shrinks: a quarter of a million of them would cost more than the walk.
    let mut place = copy.place.clone();
    let laid = Laid { place: &place, node: copy.source.node(), what };
    let level = |folder, place_bytes, links, link| Level {
        folder,
        place_bytes,
        links,
        link,
        rest: Box::new(tree.children(folder)),
    };
    let mut open = match (visit(&laid, budget), folder) {
        (Next::Stop, _) => return Err(Stop::Enough),
        (Next::In, Some(folder)) => vec![level(folder, place.len(), 0, None)],
        (Next::In | Next::Past, _) => return Ok(()),
    };
    while let Some(last) = open.last_mut() {
        let Some(node) = last.rest.next() else {
            open.pop();
            continue;
        };
        place.truncate(last.place_bytes);
        enter(&mut place, tree.name(node));
        let is_link = tree.kind(node) == Kind::Link;
        let (links, link) = (last.links + usize::from(is_link), if is_link { Some(node) } else { last.link });
        if !budget.step() {
            return Err(Stop::Enough);
        }
        if place.len() >= PATH_BYTES {
            return Err(Stop::TooLong { node });
        }
        let (what, inner) = if links > LINKS_PER_PATH { (What::Link, None) } else { resolve(tree, node) };
        let laid = Laid { place: &place, node, what };
        match (visit(&laid, budget), inner) {
            (Next::Stop, _) => return Err(Stop::Enough),
            (Next::In, Some(inner)) => {
                if open.iter().any(|level| level.folder == inner) {
                    return Err(Stop::Circle { link: link.unwrap_or(node) });
                }
                open.push(level(inner, place.len(), links, link));
            }
            (Next::In | Next::Past, _) => {}
        }
    }
    Ok(())
}

/// What a node is to Install, and the folder to go on in.
fn resolve(tree: &Tree, node: NodeId) -> (What, Option<NodeId>) {
    match tree.kind(node) {
        Kind::File => (What::File, None),
        Kind::Folder => (What::Folder, Some(node)),
        Kind::Link => match tree.find_target(node) {
            Found::Folder(folder) => (What::Folder, Some(folder)),
            Found::File(_) | Found::Nothing | Found::Outside => (What::Link, None),
        },
    }
}

/// What a copy lays down at a path below its own place; `None` for nothing.
pub(super) fn laid_at(tree: &Tree, copy: &Copy<'_>, below: &str) -> Option<What> {
    let mut at = match copy.source {
        Source::Folder(folder) => folder,
        Source::File(_) => return below.is_empty().then_some(What::File),
        Source::Link(_) => return below.is_empty().then_some(What::Link),
    };
    let mut parts = below.split('/').filter(|part| !part.is_empty()).peekable();
    while let Some(part) = parts.next() {
        match (resolve(tree, tree.child(at, part)?), parts.peek()) {
            ((_, Some(folder)), _) => at = folder,
            ((what, None), None) => return Some(what),
            ((_, None), Some(_)) => return None,
        }
    }
    Some(What::Folder)
}
