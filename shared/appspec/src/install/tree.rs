//! A bundle as it lies unpacked on an instance, and paths in it as the kernel follows them.

/// How many links a path may go through (Linux: `MAXSYMLINKS`).
const LINKS_PER_PATH: usize = 40;

/// What has a name in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link and its target; `None` where that was not read.
    Link(Option<&'a str>),
}

/// Everything in a bundle, below the folder that the agent takes as its root. Paths have no slash at their ends, and
/// no part that is empty or a dot; the root is empty.
pub trait BundleTree {
    /// What lies at a path, its last part not followed. The root is a folder.
    fn kind(&self, path: &str) -> Option<Kind<'_>>;

    /// The names in a folder, each once.
    fn children(&self, folder: &str) -> impl Iterator<Item = (&str, Kind<'_>)>;
}

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A file, by its path without links.
    File(String),
    /// A folder, by its path without links; empty for the root.
    Folder(String),
    /// Nothing, or a circle of links.
    Nothing,
    /// Something outside the bundle.
    Outside,
}

/// Follows a path from the bundle's root, link by link as the kernel does, so that a path which leaves the bundle is
/// seen even when it leaves through a link to a link. A leading `/` is the root, as the agent joins paths.
pub fn find(tree: &impl BundleTree, path: &str) -> Found {
    follow(tree, "", path)
}

/// The same, starting in a folder whose path has no links.
pub(crate) fn follow(tree: &impl BundleTree, folder: &str, path: &str) -> Found {
    let parts = |path: &str| path.split('/').rev().map(str::to_owned).collect::<Vec<_>>();
    let mut todo = parts(path);
    let mut at = folder.to_owned();
    let mut n_links = 0;
    while let Some(part) = todo.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." if at.is_empty() => return Found::Outside,
            ".." => {
                at.truncate(at.rfind('/').unwrap_or(0));
                continue;
            }
            _ => {}
        }
        let parent = at.len();
        if parent > 0 {
            at.push('/');
        }
        at.push_str(&part);
        match tree.kind(&at) {
            Some(Kind::Link(target)) => {
                let Some(target) = target else { return Found::Nothing };
                n_links += 1;
                if target.starts_with('/') {
                    return Found::Outside;
                }
                if n_links > LINKS_PER_PATH {
                    return Found::Nothing;
                }
                at.truncate(parent);
                todo.extend(parts(target));
            }
            // A file has nothing below it, not even itself: `a.sh/` does not open.
            Some(Kind::File) if !todo.is_empty() => return Found::Nothing,
            Some(_) => {}
            None => return lexically(&at, &todo),
        }
    }
    match tree.kind(&at) {
        Some(Kind::File) => Found::File(at),
        Some(Kind::Folder) => Found::Folder(at),
        Some(Kind::Link(_)) | None => Found::Nothing,
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
