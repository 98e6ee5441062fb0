//! The files of a bundle as they will lie on an instance, in memory that grows with the directory's bytes only.
//!
//! A folder's name is kept once, however many paths go through it, and a node takes sixteen bytes: so a quarter of a
//! million files fit, and a path of a hundred folders costs no more than its letters.

mod build;
mod find;

pub(crate) use build::{Builder, Clash};
pub(crate) use find::Found;

use crate::zip::{Entries, Entry};
use std::collections::BTreeMap;

/// The name that the service tells the agent to look for (CodeDeploy user guide, limits).
pub(crate) const APPSPEC: &str = "appspec.yml";

const NO_ENTRY: u32 = u32::MAX;
const NO_PARENT: u32 = u32::MAX;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    File,
    Link,
}

impl Kind {
    /// Of an entry that is no link: unzip goes by the slash, whatever the mode says.
    pub(crate) fn of_name(name: &str) -> Self {
        if name.ends_with('/') { Self::Folder } else { Self::File }
    }
}

/// A node, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(u32);

#[derive(Debug, Clone, Copy)]
struct Node {
    parent: u32,
    name_at: u32,
    entry: u32,
    name_length: u8,
    kind: Kind,
    /// That it is a file with entries below it was said.
    told: bool,
}

/// Everything in the bundle, below the folder that the agent takes as its root.
#[derive(Debug)]
pub(crate) struct Tree {
    names: String,
    nodes: Vec<Node>,
    /// All nodes, by parent and then by name.
    sorted: Vec<u32>,
    root: u32,
    entries: Entries,
    /// Where the links lead, once that was read.
    targets: BTreeMap<NodeId, String>,
}

fn index(number: u32) -> Option<usize> {
    usize::try_from(number).ok()
}

impl Tree {
    /// The agent's root. Where all lies in one folder, and in it something named like an AppSpec file, it is that folder.
    pub(crate) fn root(&self) -> NodeId {
        NodeId(self.root)
    }

    /// What has this name in a folder.
    pub(crate) fn child(&self, folder: NodeId, name: &str) -> Option<NodeId> {
        let below = self.below(folder.0);
        let at = below.binary_search_by(|node| self.name(NodeId(*node)).cmp(name)).ok()?;
        below.get(at).copied().map(NodeId)
    }

    /// What lies in a folder, by name.
    pub(crate) fn children(&self, folder: NodeId) -> impl Iterator<Item = NodeId> {
        self.below(folder.0).iter().copied().map(NodeId)
    }

    /// The folder that it lies in; none of the root.
    pub(crate) fn parent(&self, node: NodeId) -> Option<NodeId> {
        if node.0 == self.root { None } else { self.node(node.0).map(|there| NodeId(there.parent)) }
    }

    /// Its own name.
    pub(crate) fn name(&self, node: NodeId) -> &str {
        self.node(node.0).map_or("", |there| self.name_of(there))
    }

    /// What it is.
    pub(crate) fn kind(&self, node: NodeId) -> Kind {
        self.node(node.0).map_or(Kind::Folder, |there| there.kind)
    }

    /// Its path from the root, for people.
    pub(crate) fn path(&self, node: NodeId) -> String {
        let mut parts: Vec<&str> = Vec::new();
        let mut at = node;
        while let Some(parent) = self.parent(at) {
            parts.push(self.name(at));
            at = parent;
        }
        parts.reverse();
        parts.join("/")
    }

    /// Its bytes, unpacked.
    pub(crate) fn bytes(&self, node: NodeId) -> u64 {
        self.entry(node).map_or(0, |entry| entry.unpacked_bytes)
    }

    /// Where a link leads, if that was read.
    pub(crate) fn target(&self, link: NodeId) -> Option<&str> {
        self.targets.get(&link).map(String::as_str)
    }

    /// Notes where a link leads.
    pub(crate) fn set_target(&mut self, link: NodeId, target: String) {
        self.targets.insert(link, target);
    }

    /// The entry that stands for it; none of a folder that only lies above others.
    pub(crate) fn entry(&self, node: NodeId) -> Option<&Entry> {
        self.entries.get(self.node(node.0)?.entry)
    }

    /// All entries.
    pub(crate) fn entries(&self) -> &Entries {
        &self.entries
    }

    /// Every link.
    pub(crate) fn links(&self) -> impl Iterator<Item = NodeId> {
        self.all().filter(|node| self.kind(*node) == Kind::Link)
    }

    /// The highest file that is named like an AppSpec file.
    pub(crate) fn like_appspec(&self) -> Option<String> {
        let known = ["appspec.yml", "appspec.yaml", "appspec.json"];
        let is_named = |node: &NodeId| known.iter().any(|known| self.name(*node).eq_ignore_ascii_case(known));
        let named = self.all().filter(|node| self.kind(*node) != Kind::Folder).filter(is_named);
        named.map(|node| self.path(node)).min_by_key(|path| (path.matches('/').count(), path.clone()))
    }

    fn all(&self) -> impl Iterator<Item = NodeId> {
        (0..).take(self.nodes.len()).map(NodeId)
    }

    fn node(&self, node: u32) -> Option<&Node> {
        self.nodes.get(index(node)?)
    }

    fn name_of(&self, node: &Node) -> &str {
        let start = index(node.name_at).unwrap_or(usize::MAX);
        self.names.get(start..start.saturating_add(node.name_length.into())).unwrap_or_default()
    }

    /// The nodes in a folder, by name.
    fn below(&self, folder: u32) -> &[u32] {
        let parent = |node: &u32| self.node(*node).map_or(NO_PARENT, |there| there.parent);
        let start = self.sorted.partition_point(|node| parent(node) < folder);
        let rest = self.sorted.get(start..).unwrap_or_default();
        rest.get(..rest.partition_point(|node| parent(node) == folder)).unwrap_or_default()
    }

    /// What the agent does when the root holds one folder alone, and in it something named like an AppSpec file.
    fn strip_single_folder(&mut self) {
        let &[folder] = self.below(self.root) else { return };
        let named_appspec = |node: NodeId| self.name(node).to_ascii_lowercase().contains("appspec");
        if self.kind(NodeId(folder)) == Kind::Folder && self.children(NodeId(folder)).any(named_appspec) {
            self.root = folder;
        }
    }
}
