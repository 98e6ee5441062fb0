//! Bundles as text: what is in them, and what is said of them.
//!
//! A file begins with a sentence, then come the codes of the errors for each agent and those of the warnings for agent 1,
//! then the bundle's entries: `-- path mode --` and the content, or `-- path -> target --`.

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
        let content = if content.is_empty() || content.ends_with('\n') {
            content.to_owned()
        } else {
            format!("{content}\n")
        };
        zip = match title.split_once(" -> ") {
            Some((name, target)) => zip.link(name, target),
            None => match title
                .rsplit_once(' ')
                .and_then(|(name, mode)| Some((name, u32::from_str_radix(mode, 8).ok()?)))
            {
                Some((name, mode)) if title.ends_with(&format!("{mode:04o}")) => {
                    zip.file_of_mode(name, mode, content)
                }
                _ => zip.file(title, content),
            },
        };
    }
    Listed { expected, bytes: zip.bytes() }
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
