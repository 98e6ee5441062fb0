//! Paths in a bundle, as the kernel follows them.

use super::{Kind, NodeId, Tree};

/// How many links a path may go through (Linux: `MAXSYMLINKS`).
const LINKS_PER_PATH: usize = 40;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A file, after all links.
    File(NodeId),
    /// A folder, after all links.
    Folder(NodeId),
    /// Nothing, a circle of links, or a link whose target was not read.
    Nothing,
    /// Something outside the bundle.
    Outside,
}

impl Tree {
    /// Follows a path from the root, link by link, so that a path which leaves the bundle is seen even when it leaves
    /// through a link to a link. A leading `/` is the root, as the agent joins paths.
    pub(crate) fn find(&self, path: &str) -> Found {
        self.follow(self.root(), path)
    }

    /// Where a link leads, from the folder that it lies in.
    pub(crate) fn find_target(&self, link: NodeId) -> Found {
        self.follow(self.parent(link).unwrap_or(self.root()), self.name(link))
    }

    fn follow(&self, start: NodeId, path: &str) -> Found {
        let mut todo: Vec<&str> = path.split('/').rev().collect();
        let mut at = start;
        let mut n_links = 0;
        while let Some(part) = todo.pop() {
            // A file has nothing below it, not even itself: `a.sh/` does not open.
            if self.kind(at) == Kind::File {
                return Found::Nothing;
            }
            match part {
                "" | "." => {}
                ".." => match self.parent(at) {
                    None => return Found::Outside,
                    Some(parent) => at = parent,
                },
                _ => match self.child(at, part) {
                    None => return self.lexically(at, &todo),
                    Some(link) if self.kind(link) == Kind::Link => {
                        // A link cannot be made with an empty target.
                        let Some(target) = self.target(link).filter(|target| !target.is_empty()) else {
                            return Found::Nothing;
                        };
                        n_links += 1;
                        if target.starts_with('/') {
                            return Found::Outside;
                        }
                        if n_links > LINKS_PER_PATH {
                            return Found::Nothing;
                        }
                        todo.extend(target.split('/').rev());
                    }
                    Some(node) => at = node,
                },
            }
        }
        if self.kind(at) == Kind::File { Found::File(at) } else { Found::Folder(at) }
    }

    /// After a component that does not exist, only `..` can make the rest of the path leave the bundle.
    fn lexically(&self, here: NodeId, todo: &[&str]) -> Found {
        let mut depth = 1 + std::iter::successors(self.parent(here), |node| self.parent(*node)).count();
        for part in todo.iter().rev() {
            match *part {
                "" | "." => {}
                ".." if depth == 0 => return Found::Outside,
                ".." => depth -= 1,
                _ => depth += 1,
            }
        }
        Found::Nothing
    }
}
