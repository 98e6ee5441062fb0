//! The invariants of ARCHITECTURE.md that text alone shows.

use crate::template::root;
use std::path::Path;

/// Lines that a source file may have at most. A file holds one subject.
const LONGEST_FILE: usize = 600;

/// Every file of the project with this ending, by path from the root; what is built or installed is not looked at.
fn files(ending: &str) -> Vec<(String, String)> {
    let root = root();
    let mut found = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && (!name.starts_with('.') || name == ".ci" || name == ".config") {
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

/// The lines of a source that are code, by number.
fn code(source: &str) -> impl Iterator<Item = (usize, &str)> {
    source
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn only_adapters_and_the_wiring_name_the_aws_sdk() {
    for (path, source) in files(".rs") {
        let at_the_edge = path.starts_with("shared/src/aws/")
            || path == "shared/src/aws.rs"
            || path == "shared/src/lambda.rs"
            || path.starts_with("shared/src/lambda/")
            || path.starts_with("local/")
            || path.starts_with("tests/")
            || path.contains("/src/aws")
            || path.ends_with("/main.rs");
        for (number, line) in code(&source) {
            assert!(at_the_edge || !line.contains("aws_sdk_"), "{path}:{number} names an AWS SDK: {line}");
        }
    }
}

/// Packages that decide and never act, and all that each may depend on.
const PURE: [(&str, &[&str]); 2] = [
    ("shared/duration", &[]),
    ("shared/release", &["duration", "jiff", "serde", "serde_json", "serde_path_to_error", "thiserror"]),
];

#[test]
fn what_decides_depends_on_nothing_that_acts() {
    for (package, allowed) in PURE {
        let manifest = std::fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split_once("\n[dependencies]\n").map_or("", |(_, rest)| rest);
        let dependencies = dependencies.split("\n[").next().unwrap();
        for line in
            dependencies.lines().filter(|line| !line.trim_start().starts_with('#') && !line.is_empty())
        {
            let name = line.split(['.', ' ', '=']).next().unwrap();
            assert!(allowed.contains(&name), "{package} decides, and must not depend on {name}");
        }
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    for ending in [".rs", ".py", ".sh"] {
        for (path, source) in files(ending) {
            let lines = source.lines().count();
            assert!(
                lines <= LONGEST_FILE,
                "{path} has {lines} lines, more than {LONGEST_FILE}: split it by subject"
            );
        }
    }
}

#[test]
fn versions_stand_in_the_workspace_manifest_only() {
    let manifests = files("Cargo.toml");
    assert!(manifests.len() > 5);
    for (path, source) in manifests.into_iter().filter(|(path, _)| path != "Cargo.toml") {
        let mut in_dependencies = false;
        for (index, line) in source.lines().enumerate() {
            if line.starts_with('[') {
                in_dependencies = line.contains("dependencies");
            } else if in_dependencies && line.contains('=') {
                assert!(
                    line.contains("workspace = true") || line.contains("path = \".\""),
                    "{path}:{}: no version here: {line}",
                    index + 1
                );
            }
        }
    }
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not find itself.
    let words = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X"].concat()];
    for ending in [".rs", ".py", ".sh", ".toml", ".yaml", ".yml", ".md", "Makefile"] {
        for (path, source) in files(ending) {
            for (index, line) in source.lines().enumerate() {
                for word in &words {
                    assert!(!line.contains(word.as_str()), "{path}:{} leaves something: {line}", index + 1);
                }
            }
        }
    }
}

#[test]
fn every_relative_link_in_the_documents_leads_somewhere() {
    let root = root();
    for (path, source) in files(".md") {
        let folder = root.join(&path).parent().unwrap().to_owned();
        for link in source.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            let (target, _) = link.split_once('#').unwrap_or((link, ""));
            let elsewhere = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            assert!(
                elsewhere || folder.join(target).exists(),
                "{path} links to {target}, which is not there"
            );
        }
    }
}

#[test]
fn every_test_that_the_architecture_names_is_there() {
    let document = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let named: Vec<(&str, &str)> =
        document.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::")).collect();
    assert!(!named.is_empty());
    for (module, test) in named {
        let source =
            std::fs::read_to_string(root().join(format!("tests/it/{module}.rs"))).unwrap_or_default();
        assert!(
            source.contains(&format!("fn {test}()")),
            "ARCHITECTURE.md names {module}::{test}, which is not there"
        );
    }
}
