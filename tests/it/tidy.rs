//! The invariants of ARCHITECTURE.md that source text alone shows.

use crate::template::root;
use crate::tree::files;

/// Lines that a source file may have at most. A file holds one subject.
const LONGEST_FILE: usize = 600;

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
const PURE: [(&str, &[&str]); 8] = [
    ("shared/appspec", &["libyaml-safer", "thiserror"]),
    ("shared/base-rule", &["release", "thiserror"]),
    ("shared/bundle", &["appspec", "bytes", "flate2", "hashbrown", "thiserror"]),
    ("shared/decisions", &["jiff", "release", "serde", "serde_json"]),
    ("shared/duration", &[]),
    ("shared/page", &["jiff", "maud", "release", "serde", "serde_json"]),
    ("shared/release", &["duration", "jiff", "serde", "serde_json", "serde_path_to_error", "thiserror"]),
    (
        "shared/offenders",
        &[
            "aho-corasick",
            "duration",
            "flate2",
            "hashbrown",
            "ipnet",
            "jiff",
            "memchr",
            "serde",
            "serde_json",
            "thiserror",
        ],
    ),
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

/// The AWS SDKs that a source mocks, as their crates are called.
fn mocked(source: &str) -> impl Iterator<Item = String> {
    let mocks = source.split("mock_client!(").skip(1).map(str::trim_start);
    let names = mocks.filter_map(|mock| mock.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next());
    names.filter(|name| name.starts_with("aws_sdk_")).map(|name| name.replace('_', "-"))
}

/// Among the whole workspace another crate's features hide that one is missing.
#[test]
fn the_tests_of_a_crate_that_mocks_an_sdk_compile_alone() {
    let manifests = files("Cargo.toml");
    let mut seen = 0;
    for (path, source) in files(".rs") {
        for sdk in mocked(&source) {
            let of_crate = |(manifest, _): &&(String, String)| {
                manifest.strip_suffix("Cargo.toml").is_some_and(|folder| path.starts_with(folder))
            };
            let (manifest, text) =
                manifests.iter().filter(of_crate).max_by_key(|(name, _)| name.len()).unwrap();
            let for_tests = text.split_once("[dev-dependencies]").map_or("", |(_, rest)| rest);
            let line = format!("{sdk} = {{ workspace = true, features = [\"test-util\"] }}");
            assert!(for_tests.contains(&line), "{path} mocks {sdk}: {manifest} lacks, for tests, {line}");
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} mocks were found");
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
