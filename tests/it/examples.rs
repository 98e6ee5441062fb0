//! The examples' own tests, as a team's workflow runs them.

use crate::template::root;
use std::path::Path;
use std::process::Command;

#[expect(clippy::disallowed_methods, reason = "npm has to find node, and node its shell")]
fn command(program: &Path, folder: &Path) -> Command {
    let bin = root().join(".venv/bin");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command.current_dir(folder).env("PATH", format!("{}:{path}", bin.display()));
    command
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{command:?}: {}", said.join("\n"));
}

/// Runs the tests of an example on a copy, so that nothing is left in its folder.
fn its_own_tests_pass(example: &str) {
    let npm = root().join(".venv/bin/npm");
    if !npm.exists() {
        return skipped::because(&format!("examples::{example}"), "no npm; `make prepare` puts it there");
    }
    let copies = root().join("target/examples");
    std::fs::create_dir_all(&copies).unwrap();
    let (source, copy) = (root().join("examples").join(example), copies.join(example));
    // `--delete` would need rsync; what a former run has left must not count.
    succeed(
        Command::new("rm").arg("-rf").arg(copy.join("src")).arg(copy.join("test")).arg(copy.join("dist")),
    );
    succeed(Command::new("cp").arg("-R").arg(&source).arg(&copies));
    succeed(command(&npm, &copy).args(["ci", "--no-audit", "--no-fund", "--prefer-offline"]));
    succeed(command(&npm, &copy).arg("test"));
}

#[test]
fn backend() {
    its_own_tests_pass("backend");
}

#[test]
fn frontend() {
    its_own_tests_pass("frontend");
}
