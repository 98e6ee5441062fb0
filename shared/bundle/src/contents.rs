//! The files of a bundle as they will lie on an instance: names, folders, symbolic links, and where the
//! AppSpec file is.
//!
//! Pure: entries in, a tree out. Paths are resolved the way the kernel does it, link by link, so that a
//! path which leaves the bundle is seen even when it leaves through a link to a link.

use crate::archive::Entry;
use crate::fault::{ContentsFault, ContentsWarning, Findings};
use std::collections::{BTreeMap, BTreeSet};

/// The name that the service tells the agent to look for (CodeDeploy user guide, limits).
pub(crate) const APPSPEC: &str = "appspec.yml";

/// How many links a path may go through (Linux: `MAXSYMLINKS`).
const LINKS_PER_PATH: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    File,
    Link,
}

/// Everything in the bundle, below the folder that the agent takes as its root.
#[derive(Debug)]
pub(crate) struct Contents {
    /// By path without leading and trailing `/`; the index is that of the entry.
    nodes: BTreeMap<String, (Kind, Option<usize>)>,
    /// Targets of the links, once they have been read.
    targets: BTreeMap<String, String>,
}

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// A file, by its path without links.
    File(String),
    /// A folder, by its path without links; empty for the root.
    Folder(String),
    /// Nothing, or a circle of links.
    Nothing,
    /// Something outside the bundle.
    Outside,
}

impl Contents {
    /// Arranges the entries. At most `listed` faults are reported one by one.
    pub(crate) fn arrange(entries: &[Entry], listed: usize, findings: &mut Findings) -> Self {
        let mut nodes: BTreeMap<String, (Kind, Option<usize>)> = BTreeMap::new();
        let mut faults = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            match path_of(&entry.name) {
                // A folder of its own, `./`, as some tools write it for the root.
                Ok(path) if path.is_empty() => {}
                Ok(path) => {
                    let kind = if entry.symlink {
                        Kind::Link
                    } else if entry.name.ends_with('/') {
                        Kind::Folder
                    } else {
                        Kind::File
                    };
                    let earlier = nodes.insert(path, (kind, Some(index)));
                    if earlier.is_some_and(|(earlier, _)| (earlier, kind) != (Kind::Folder, Kind::Folder)) {
                        faults.push(ContentsFault::Duplicate { entry: entry.name.clone() });
                    }
                }
                Err(fault) => faults.push(fault),
            }
        }
        faults.extend(add_folders(&mut nodes));
        let more = faults.len().saturating_sub(listed);
        faults.truncate(listed);
        for fault in faults {
            findings.fault(fault);
        }
        if more > 0 {
            findings.fault(ContentsFault::More { more });
        }
        if let Some(entry) = entries.iter().find(|entry| entry.name.contains('\\')) {
            findings.warn(ContentsWarning::Backslash { entry: entry.name.clone() });
        }
        let mut contents = Self { nodes, targets: BTreeMap::new() };
        contents.strip_single_folder();
        contents
    }

    /// What the agent does when the root holds one folder alone, and in it something named like an AppSpec file.
    fn strip_single_folder(&mut self) {
        let mut at_root = self.nodes.iter().filter(|(path, _)| !path.contains('/'));
        let (Some((folder, (Kind::Folder, _))), None) = (at_root.next(), at_root.next()) else { return };
        let prefix = format!("{folder}/");
        let named_appspec =
            |path: &&str| !path.contains('/') && path.to_ascii_lowercase().contains("appspec");
        if !self.nodes.keys().filter_map(|path| path.strip_prefix(&prefix)).any(|path| named_appspec(&path)) {
            return;
        }
        let below = |(path, node): (String, _)| Some((path.strip_prefix(&prefix)?.to_owned(), node));
        self.nodes = std::mem::take(&mut self.nodes).into_iter().filter_map(below).collect();
    }

    /// The entry of the AppSpec file; links have been read by now.
    pub(crate) fn appspec(&self) -> Result<usize, ContentsFault> {
        if let Found::File(path) = self.find(APPSPEC)
            && let Some((_, Some(index))) = self.nodes.get(&path)
        {
            return Ok(*index);
        }
        let named = |path: &&String| {
            let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
            matches!(name.as_str(), "appspec.yml" | "appspec.yaml" | "appspec.json")
        };
        let files = self.nodes.iter().filter(|(_, (kind, _))| *kind != Kind::Folder).map(|(path, _)| path);
        let mut candidates: Vec<&String> = files.filter(named).collect();
        candidates.sort_by_key(|path| path.matches('/').count());
        Err(ContentsFault::NoAppSpec { instead: candidates.first().map(|path| (*path).clone()) })
    }

    /// The links: their paths and the indexes of their entries.
    pub(crate) fn links(&self) -> Vec<(String, usize)> {
        let link = |(path, node): (&String, &(Kind, Option<usize>))| match node {
            (Kind::Link, Some(index)) => Some((path.clone(), *index)),
            _ => None,
        };
        self.nodes.iter().filter_map(link).collect()
    }

    /// Notes where the links lead and reports those that leave the bundle.
    pub(crate) fn set_targets(
        &mut self,
        targets: BTreeMap<String, String>,
        listed: usize,
        findings: &mut Findings,
    ) {
        self.targets = targets;
        let leaving: Vec<_> =
            self.targets.iter().filter(|(path, _)| self.find(path) == Found::Outside).collect();
        for (entry, target) in leaving.iter().take(listed) {
            findings.fault(ContentsFault::LinkLeaves { entry: (*entry).clone(), target: (*target).clone() });
        }
        if leaving.len() > listed {
            findings.fault(ContentsFault::More { more: leaving.len() - listed });
        }
    }

    /// Follows a path from the bundle's root. A leading `/` is the root, as the agent joins paths.
    pub(crate) fn find(&self, path: &str) -> Found {
        let parts = |path: &str| path.split('/').rev().map(str::to_owned).collect::<Vec<_>>();
        let mut todo = parts(path);
        let mut at: Vec<String> = Vec::new();
        let mut n_links = 0;
        while let Some(part) = todo.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    if at.pop().is_none() {
                        return Found::Outside;
                    }
                    continue;
                }
                _ => at.push(part),
            }
            let here = at.join("/");
            match self.nodes.get(&here) {
                Some((Kind::Link, _)) => {
                    let Some(target) = self.targets.get(&here) else { return Found::Nothing };
                    n_links += 1;
                    if target.starts_with('/') {
                        return Found::Outside;
                    }
                    if n_links > LINKS_PER_PATH {
                        return Found::Nothing;
                    }
                    at.pop();
                    todo.extend(parts(target));
                }
                // A file has nothing below it, not even itself: `a.sh/` does not open.
                Some((Kind::File, _)) if !todo.is_empty() => return Found::Nothing,
                Some(_) => {}
                None => return lexically(&here, &todo),
            }
        }
        let path = at.join("/");
        match self.nodes.get(&path) {
            Some((Kind::File, _)) => Found::File(path),
            Some((Kind::Folder, _)) => Found::Folder(path),
            None if path.is_empty() => Found::Folder(path),
            Some((Kind::Link, _)) | None => Found::Nothing,
        }
    }

    /// The files and links at or below a path, each with its path relative to it.
    pub(crate) fn files_below<'a>(&'a self, folder: &str) -> impl Iterator<Item = &'a str> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let from = prefix.clone();
        self.nodes
            .range(from..)
            .map_while(move |(path, (kind, _))| Some((path.strip_prefix(&prefix)?, *kind)))
            .filter(|(_, kind)| *kind != Kind::Folder)
            .map(|(path, _)| path)
    }
}

/// After a component that does not exist, only `..` can make the rest of the path leave the bundle.
fn lexically(here: &str, todo: &[String]) -> Found {
    let mut depth = here.split('/').count();
    for part in todo.iter().rev() {
        match part.as_str() {
            "" | "." => {}
            ".." if depth == 0 => return Found::Outside,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    Found::Nothing
}

/// An entry's name as a path below the root.
fn path_of(name: &str) -> Result<String, ContentsFault> {
    let entry = || name.to_owned();
    let drive = matches!(name.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    if name.is_empty() || name.contains('\0') {
        return Err(ContentsFault::Unnameable { entry: entry() });
    }
    if name.starts_with(['/', '\\']) || drive {
        return Err(ContentsFault::Absolute { entry: entry() });
    }
    if name.split(['/', '\\']).any(|part| part == "..") {
        return Err(ContentsFault::Climbs { entry: entry() });
    }
    Ok(name.split('/').filter(|part| !matches!(*part, "" | ".")).collect::<Vec<_>>().join("/"))
}

/// Adds the folders that entries lie in, and reports entries that lie in a file.
fn add_folders(nodes: &mut BTreeMap<String, (Kind, Option<usize>)>) -> Vec<ContentsFault> {
    let mut parents = BTreeSet::new();
    for path in nodes.keys() {
        let mut path = path.as_str();
        while let Some((parent, _)) = path.rsplit_once('/') {
            if !parents.insert(parent.to_owned()) {
                break;
            }
            path = parent;
        }
    }
    let mut faults = Vec::new();
    for parent in parents {
        match nodes.get(&parent) {
            None => {
                nodes.insert(parent, (Kind::Folder, None));
            }
            Some((Kind::Folder, _)) => {}
            Some((Kind::File | Kind::Link, _)) => {
                faults.push(ContentsFault::FileAboveEntries { entry: parent });
            }
        }
    }
    faults
}
