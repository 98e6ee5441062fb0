//! The files of this repository.

use crate::template::root;
use std::path::Path;

/// Every file of the project with this ending, by path from the root; what is built or installed is not looked at.
pub(crate) fn files(ending: &str) -> Vec<(String, String)> {
    let root = root();
    let mut found = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target"
                    && (!name.starts_with('.') || [".ci", ".config", ".github"].contains(&name.as_str()))
                {
                    open.push(path);
                }
            } else if name.ends_with(ending) {
                // Samples of broken text are among the files.
                let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
                found.push((relative(&root, &path), text));
            }
        }
    }
    found.sort();
    found
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap().to_string_lossy().into_owned()
}
