//! Every command of ours that a document shows is one that this program takes.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use crate::Arguments;
use clap::Parser as _;
use clap::error::ErrorKind;
use std::path::{Path, PathBuf};

/// The documents of the repository. What a build or a virtual environment brings is not ours.
fn documents() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("..")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !path.is_symlink() && !name.starts_with('.') {
                if !["target", "node_modules"].contains(&name) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found
}

/// What a document shows of this program: as a line of a block, and between backticks.
fn commands(document: &str) -> Vec<String> {
    let in_blocks = document.lines().filter_map(|line| {
        let command = line.trim();
        command.starts_with("greenlight ").then(|| {
            // What a shell does with it, and what stands beside it.
            let end = [" >", " |", " &&", " #", "  "].iter().filter_map(|end| command.find(end)).min();
            command.split_at(end.unwrap_or(command.len())).0.to_owned()
        })
    });
    let between = document.split('`').skip(1).step_by(2);
    let inline = between.filter(|text| text.starts_with("greenlight ") && !text.contains('\n'));
    in_blocks.chain(inline.map(str::to_owned)).collect()
}

/// As a shell splits it, as far as documents need that.
fn words(command: &str) -> Vec<String> {
    let quoted = command.split('\'').enumerate().flat_map(|(n, part)| match n % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    quoted.collect()
}

#[test]
fn what_documents_show_is_understood() {
    let mut shown = 0;
    for path in documents() {
        for command in commands(&std::fs::read_to_string(&path).unwrap()) {
            shown += 1;
            if let Err(error) = Arguments::try_parse_from(words(&command)) {
                // A sentence may name a command without all that it takes, and the environment may tell the rest.
                let named = [
                    ErrorKind::MissingRequiredArgument,
                    ErrorKind::MissingSubcommand,
                    ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
                ];
                assert!(named.contains(&error.kind()), "{}: `{command}`: {error}", path.display());
            }
        }
    }
    assert!(shown > 30, "only {shown} commands were found: does this test still know one?");
}

#[test]
fn what_is_no_command_is_noticed() {
    let document = "Say `greenlight stauts`.\n\n    greenlight page --colour   what is not there\n";
    let found = commands(document);
    assert_eq!(found, ["greenlight page --colour", "greenlight stauts"]);
    assert!(found.iter().all(|command| Arguments::try_parse_from(words(command)).is_err()));
}
