//! The life of a stack, on the emulator: what its custom resources do to the listener's rules.

use crate::end_to_end::local;
use crate::template::root;
use std::process::Command;

const TEST: &str = "stack::its_rules_are_made_changed_refused_and_removed";

#[test]
fn its_rules_are_made_changed_refused_and_removed() {
    let root = root();
    let binaries = local().parent().unwrap().to_owned();
    for needed in [binaries.join("listener-rule"), root.join(".venv/bin/python")] {
        if !needed.exists() {
            skipped::because(TEST, format_args!("no {}; `make test` puts it there", needed.display()));
            return;
        }
    }
    let mut python = Command::new(root.join(".venv/bin/python"));
    python.env("PYTHONDONTWRITEBYTECODE", "1").arg(root.join("tests/stack/life.py")).arg(binaries);
    let played = python.current_dir(&root).output().unwrap();
    let told = String::from_utf8_lossy(&played.stdout);
    assert!(played.status.success(), "{told}\n{}", String::from_utf8_lossy(&played.stderr));
}
