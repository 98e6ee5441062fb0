//! The items of `files`, one by one.

use super::paths::{below, expand, join};
use super::walk::{Laid, Next, Stop, What, laid_at, walk};
use super::{Budget, at};
use crate::tree::{Found, Kind, NodeId, Tree};
use appspec::CopyReference;
use appspec::finding::{Code, Fails, Findings, shown};

/// An item of `files` whose source is in the bundle.
#[derive(Debug)]
pub(super) struct Copy<'a> {
    pub(super) reference: &'a CopyReference,
    pub(super) source: Source,
    /// Where the file, or the folder's content, is put.
    pub(super) place: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Folder(NodeId),
    File(NodeId),
    Link(NodeId),
}

impl Source {
    pub(super) fn node(self) -> NodeId {
        match self {
            Self::Folder(node) | Self::File(node) | Self::Link(node) => node,
        }
    }
}

/// Looks the sources up.
pub(super) fn resolve<'a>(
    tree: &Tree,
    references: &'a [CopyReference],
    findings: &mut Findings,
) -> Vec<Copy<'a>> {
    let mut copies = Vec::new();
    for reference in references {
        let CopyReference { position, source, destination } = reference;
        let name = shown(source);
        let destination = expand(destination);
        let in_folder = || {
            let name = source.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            join(&destination, name)
        };
        let (source, place) = match tree.find(source) {
            Found::Folder(folder) => (Source::Folder(folder), destination),
            Found::File(file) => match link_at(tree, source) {
                Some(link) => (Source::Link(link), in_folder()),
                None => (Source::File(file), in_folder()),
            },
            Found::Outside => {
                let what = format!("source {name} leaves the bundle");
                findings.push(at(*position, Code::Leaves, what, "use a path below the bundle's root"));
                continue;
            }
            Found::Nothing => {
                let what = format!("files copies {name}, which is not in the bundle");
                let remedy = "add it, or correct the source (capitals count)";
                findings.push(at(*position, Code::SourceMissing, what, remedy));
                continue;
            }
        };
        copies.push(Copy { reference, source, place });
    }
    copies
}

/// The link that a path ends in, if it ends in one.
fn link_at(tree: &Tree, path: &str) -> Option<NodeId> {
    let (folder, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path));
    let Found::Folder(folder) = tree.find(folder) else { return None };
    tree.child(folder, name).filter(|node| tree.kind(*node) == Kind::Link)
}

/// Says what is wrong with each copy, and keeps those that come to an end.
pub(super) fn check_each<'a>(
    tree: &Tree,
    copies: Vec<Copy<'a>>,
    budget: &mut Budget,
    findings: &mut Findings,
) -> Vec<Copy<'a>> {
    let ends: Vec<bool> = copies.iter().map(|copy| check(tree, copy, &copies, budget, findings)).collect();
    copies.into_iter().zip(ends).filter_map(|(copy, ends)| ends.then_some(copy)).collect()
}

/// Whether the copy comes to an end.
fn check(
    tree: &Tree,
    copy: &Copy<'_>,
    all: &[Copy<'_>],
    budget: &mut Budget,
    findings: &mut Findings,
) -> bool {
    check_state(copy, findings);
    // Links may multiply what is copied; a few of them are nothing special.
    let most = tree.entries().len().saturating_mul(4).saturating_add(1000);
    let (mut laid_down, mut lost) = (0_usize, None);
    let mut visit = |laid: &Laid<'_>, budget: &mut Budget| {
        laid_down += 1;
        if lost.is_none()
            && is_lost(tree, laid, all, budget)
            && matches!(tree.find_target(laid.node), Found::File(_))
        {
            lost = Some(laid.node);
        }
        if laid_down > most { Next::Stop } else { Next::In }
    };
    let stop = walk(tree, copy, budget, &mut visit).err();
    let source = shown(&copy.reference.source);
    let shown_link = |link| (shown(&tree.path(link)), shown(tree.target(link).unwrap_or_default()));
    let mut say = |code, what, remedy: &str| findings.push(at(copy.reference.position, code, what, remedy));
    if let Some(Stop::Circle { link }) = stop {
        let (link, target) = shown_link(link);
        let what = format!("source {source} holds {link}, a link to {target}, a folder that it lies in");
        say(Code::LinkCircle, what, "remove the link");
    }
    if let Some(Stop::TooLong { node }) = stop {
        let what =
            format!("the path of {} is longer than Linux allows at its destination", shown(&tree.path(node)));
        say(Code::LongName, what, "shorten it, or the destination");
    }
    if laid_down > most {
        let what = format!("links make more than {most} files and folders of source {source}");
        say(Code::ManyFiles, what, "replace links to folders by what they are for");
    }
    if let Some(link) = lost {
        let (link, target) = shown_link(link);
        let what = format!("source {source} holds {link}, a link to {target}, which is not copied with it");
        say(Code::LinkLeavesSource, what, "copy what it leads to, or the folder above");
    }
    stop.is_none()
}

/// Whether a link is copied and what it leads to is not, so that it leads nowhere on the instance.
pub(super) fn is_lost(tree: &Tree, laid: &Laid<'_>, copies: &[Copy<'_>], budget: &mut Budget) -> bool {
    if laid.what != What::Link {
        return false;
    }
    let Some(target) = tree.target(laid.node).filter(|target| !target.starts_with('/')) else { return false };
    let folder = laid.place.rsplit_once('/').map_or("", |(folder, _)| folder);
    let target = expand(&format!("{folder}/{target}"));
    let mut lays_it = |copy: &Copy<'_>| {
        !budget.step() || below(&target, &copy.place).and_then(|below| laid_at(tree, copy, below)).is_some()
    };
    !copies.iter().any(&mut lays_it)
}

/// What Install laid down it deletes before it lays down the next revision.
fn check_state(copy: &Copy<'_>, findings: &mut Findings) {
    const KIT: &str = "/opt/greenlight";
    const STAGING: &str = "/opt/greenlight/staging";
    const NGINX: &str = "/etc/nginx";
    let place = copy.place.as_str();
    let within = |folder| below(place, folder).is_some();
    let destination = shown(&copy.reference.destination);
    let position = copy.reference.position;
    if within(KIT) && !within(STAGING) {
        let what = format!("destination {destination} lies where the kit keeps the colours");
        findings.push(at(position, Code::StateOverwritten, what, format!("write destination: {STAGING}")));
    } else if within(NGINX) {
        let what =
            format!("destination {destination} holds the configuration that says which colour is live");
        let remedy = "let user data or the kit write nginx's configuration";
        findings.push(at(position, Code::StateOverwritten, what, remedy).fails(Fails::Nowhere));
    }
}
