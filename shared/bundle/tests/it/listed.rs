//! Bundles as text: what is in them, and what is said of them.
//!
//! A file begins with a sentence, then come the codes of the errors for each agent and those of the warnings for agent 1,
//! then the bundle's entries: `-- path mode --` and the content, or `-- path -> target --`. In a content `\\r` is a
//! carriage return, `\\x41` a byte.

use crate::bundles::{Object, Zip, look};
use appspec::finding::{Agent, Severity};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A bundle and what its file expects.
pub(crate) struct Listed {
    pub(crate) expected: String,
    pub(crate) bytes: Vec<u8>,
}

/// Reads the text of a bundle.
pub(crate) fn read(text: &str) -> Listed {
    let (head, entries) = text.split_once("-- ").unwrap_or((text, ""));
    let expected = head.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    let mut zip = Zip::new();
    for entry in format!("\n{entries}").split("\n-- ").filter(|entry| !entry.is_empty()) {
        let entry = entry.trim_start_matches('\n');
        let (title, content) = entry.split_once(" --\n").unwrap_or((entry.trim_end_matches(" --"), ""));
        let end = if content.is_empty() || content.ends_with('\n') { "" } else { "\n" };
        zip = add(zip, title, unescaped(&format!("{content}{end}")));
    }
    Listed { expected, bytes: zip.bytes() }
}

/// Adds an entry by its title: `path`, `path 0755` or `path -> target`.
fn add(zip: Zip, title: &str, content: Vec<u8>) -> Zip {
    if let Some((name, target)) = title.split_once(" -> ") {
        return zip.link(name, target);
    }
    let mode = title.rsplit_once(' ').filter(|(_, mode)| mode.len() == 4);
    match mode.and_then(|(name, mode)| Some((name, u32::from_str_radix(mode, 8).ok()?))) {
        Some((name, mode)) => zip.file_of_mode(name, mode, content),
        None => zip.file(title, content),
    }
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, part) in text.replace("\\r", "\r").split("\\x").enumerate() {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if index > 0 => {
                bytes.push(byte);
                bytes.extend(part.bytes().skip(2));
            }
            _ => bytes.extend(part.bytes()),
        }
    }
    bytes
}

/// What is said of it, in the form of the file's head.
pub(crate) fn said(bytes: Vec<u8>) -> String {
    let findings = look(&Object::new(bytes)).findings;
    let codes = |severity, agent| {
        let codes: BTreeSet<String> =
            findings.of_severity(severity, agent).map(|f| f.code.to_string()).collect();
        codes.into_iter().collect::<Vec<_>>().join(" ")
    };
    let mut said = String::new();
    for (label, severity, agent) in [
        ("agent 1", Severity::Error, Agent::One),
        ("agent 2", Severity::Error, Agent::Two),
        ("warnings", Severity::Warning, Agent::One),
    ] {
        writeln!(said, "{}", format!("{label}: {}", codes(severity, agent)).trim_end()).unwrap();
    }
    said.trim_end().to_owned()
}

#[test]
fn each_bundle_is_judged_as_its_file_says() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bundles");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut wrong = Vec::new();
    for file in &files {
        let Listed { expected, bytes } = read(&std::fs::read_to_string(file).unwrap());
        let expected = expected.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        let said = said(bytes);
        if said != expected {
            wrong.push(format!("{}\n  expected:\n{expected}\n  said:\n{said}", file.display()));
        }
    }
    assert!(files.len() >= 45, "only {} bundles", files.len());
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), files.len(), wrong.join("\n"));
}
