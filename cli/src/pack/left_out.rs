//! What stays behind when a folder is packed.

use bundle::secrets;

/// Folders of development, wherever they lie.
const FOLDERS: [&str; 8] =
    [".git", ".github", ".idea", ".svn", ".vscode", "__pycache__", ".pytest_cache", ".nyc_output"];

/// Files of development, wherever they lie.
const FILES: [&str; 5] = [".DS_Store", ".dockerignore", ".editorconfig", ".gitattributes", ".gitignore"];

/// Why something stays behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// A key or a password, by its name.
    Secret,
    /// Of no use on an instance.
    Development,
}

/// Whether what has this path in the folder stays behind.
pub(crate) fn why(path: &str) -> Option<Why> {
    let name = path.rsplit('/').next().unwrap_or_default();
    // npm leaves its cache beside the modules.
    if FOLDERS.contains(&name) || FILES.contains(&name) || path.ends_with("node_modules/.cache") {
        return Some(Why::Development);
    }
    secrets::by_name(path).map(|_| Why::Secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_development_stay_behind_and_the_rest_goes() {
        let cases = [
            (".env", Some(Why::Secret)),
            ("config/.env.production", Some(Why::Secret)),
            ("keys/server.key", Some(Why::Secret)),
            (".git", Some(Why::Development)),
            ("lib/__pycache__", Some(Why::Development)),
            ("node_modules/.cache", Some(Why::Development)),
            (".env.example", None),
            ("node_modules/express/index.js", None),
            (".npmrc", None),
            ("gitignore", None),
        ];
        for (path, expected) in cases {
            assert_eq!(why(path), expected, "{path}");
        }
    }
}
