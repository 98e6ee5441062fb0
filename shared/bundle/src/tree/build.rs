//! Puts a tree together, entry by entry.

use super::{Kind, NO_ENTRY, NO_PARENT, Node, NodeId, Tree, index};
use crate::zip::{Entries, Entry};
use hashbrown::HashTable;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};

/// Why an entry has no place of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clash {
    /// Another entry has the place.
    Duplicate,
    /// This file has entries below it; said once for each.
    FileAboveEntries(NodeId),
    /// There is no room for so many.
    Full,
}

/// A tree that is being put together.
#[derive(Debug)]
pub(crate) struct Builder {
    tree: Tree,
    /// The nodes, by parent and name.
    table: HashTable<u32>,
    hasher: RandomState,
    /// Where the entry before lies: the next one mostly lies there too.
    last_folder: String,
    last_folder_node: u32,
    most_nodes: usize,
    most_name_bytes: usize,
}

impl Builder {
    /// Without entries, and with room for so many entries, nodes and bytes of names.
    pub(crate) fn new(entries: usize, most_nodes: usize, most_name_bytes: usize) -> Self {
        let mut tree = Tree {
            names: String::new(),
            nodes: Vec::new(),
            sorted: Vec::new(),
            root: 0,
            entries: Entries::with_capacity(entries),
            targets: BTreeMap::new(),
        };
        tree.nodes.push(Node {
            parent: NO_PARENT,
            name_at: 0,
            entry: NO_ENTRY,
            name_length: 0,
            kind: Kind::Folder,
            told: false,
        });
        Self {
            tree,
            table: HashTable::with_capacity(entries.min(most_nodes)),
            hasher: RandomState::new(),
            last_folder: String::new(),
            last_folder_node: 0,
            most_nodes,
            most_name_bytes,
        }
    }

    /// Keeps an entry that has no place in the tree, because its bytes still lie in the file.
    pub(crate) fn keep(&mut self, entry: Entry) -> u32 {
        self.tree.entries.push(entry)
    }

    /// Puts an entry at its place, and makes the folders that it lies in.
    pub(crate) fn add(&mut self, path: &str, kind: Kind, entry: Entry) -> Result<(), Clash> {
        let entry = self.keep(entry);
        let (folder, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path));
        let is_known = !folder.is_empty() && folder == self.last_folder;
        let (path, mut at) = if is_known { (name, self.last_folder_node) } else { (path, 0) };
        let mut parts = path.split('/').filter(|part| !matches!(*part, "" | ".")).peekable();
        while let Some(part) = parts.next() {
            let is_last = parts.peek().is_none();
            if is_last && !is_known {
                folder.clone_into(&mut self.last_folder);
                self.last_folder_node = at;
            }
            let (kind, entry) = if is_last { (kind, entry) } else { (Kind::Folder, NO_ENTRY) };
            let hash = hash(&self.hasher, at, part);
            let tree = &self.tree;
            let is_there = |node: &u32| {
                tree.node(*node).is_some_and(|there| there.parent == at && tree.name_of(there) == part)
            };
            at = match self.table.find(hash, is_there) {
                Some(&node) => {
                    self.meet(node, kind, entry)?;
                    node
                }
                None => self.insert(hash, part, Node { kind, ..self.child_of(at, entry) })?,
            };
        }
        Ok(())
    }

    fn child_of(&self, parent: u32, entry: u32) -> Node {
        let name_at = u32::try_from(self.tree.names.len()).unwrap_or(u32::MAX);
        Node { parent, name_at, entry, name_length: 0, kind: Kind::Folder, told: false }
    }

    /// An entry, or a folder above one, at a place that is taken.
    fn meet(&mut self, number: u32, kind: Kind, entry: u32) -> Result<(), Clash> {
        let Some(there) = index(number).and_then(|at| self.tree.nodes.get_mut(at)) else { return Ok(()) };
        if (there.kind, kind) == (Kind::Folder, Kind::Folder) {
            if entry != NO_ENTRY {
                there.entry = entry;
            }
            return Ok(());
        }
        if entry != NO_ENTRY && there.entry != NO_ENTRY {
            return Err(Clash::Duplicate);
        }
        // One of the two is a folder only because of what lies in it.
        if there.entry == NO_ENTRY {
            there.entry = entry;
        }
        if std::mem::replace(&mut there.told, true) {
            Ok(())
        } else {
            Err(Clash::FileAboveEntries(NodeId(number)))
        }
    }

    fn insert(&mut self, hash: u64, name: &str, node: Node) -> Result<u32, Clash> {
        let Self { tree, table, hasher, most_nodes, most_name_bytes, .. } = self;
        let has_room = tree.nodes.len() < *most_nodes && tree.names.len() + name.len() <= *most_name_bytes;
        let (Ok(number), Ok(name_length), true) =
            (u32::try_from(tree.nodes.len()), u8::try_from(name.len()), has_room)
        else {
            return Err(Clash::Full);
        };
        tree.names.push_str(name);
        tree.nodes.push(Node { name_length, ..node });
        let tree = &*tree;
        let rehash = |node: &u32| {
            tree.node(*node).map_or(0, |there| self::hash(hasher, there.parent, tree.name_of(there)))
        };
        table.insert_unique(hash, number, rehash);
        Ok(number)
    }

    /// The path of a node, before the tree is finished.
    pub(crate) fn path(&self, node: NodeId) -> String {
        self.tree.path(node)
    }

    /// The tree, with the root that the agent takes.
    pub(crate) fn finish(self) -> Tree {
        let Self { mut tree, table, .. } = self;
        drop(table);
        let mut sorted: Vec<u32> = (0..).take(tree.nodes.len()).collect();
        let parent = |node: &u32| tree.node(*node).map_or(NO_PARENT, |there| there.parent);
        let name = |node: &u32| tree.name(NodeId(*node));
        // Nearly in order already: a node comes after its parent, and most folders come whole.
        sorted.sort_by_key(parent);
        for folder in sorted.chunk_by_mut(|a, b| parent(a) == parent(b)) {
            folder.sort_unstable_by(|a, b| name(a).cmp(name(b)));
        }
        tree.sorted = sorted;
        tree.strip_single_folder();
        tree
    }
}

impl Tree {
    /// Checks that the entries lie one after another before the directory; the error names one that does not.
    pub(crate) fn place(&mut self, directory_start: u64) -> Result<(), String> {
        let Err(number) = self.entries.place(directory_start) else { return Ok(()) };
        let named = self.all().find(|node| self.node(node.0).is_some_and(|there| there.entry == number));
        Err(named.map_or_else(|| format!("number {}", u64::from(number) + 1), |node| self.path(node)))
    }
}

/// With a key of its own for each tree: nobody can choose names that fall together.
fn hash(hasher: &RandomState, parent: u32, name: &str) -> u64 {
    let mut state = hasher.build_hasher();
    state.write_u32(parent);
    state.write(name.as_bytes());
    state.finish()
}
