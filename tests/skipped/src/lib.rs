//! The list of tests that did not run. The test harness cannot skip a test that has started, and counts it as passed.
//!
//! `make test` empties the list, shows it at its end, and fails in CI when a test is in it that had to run.

use std::fmt::Display;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// The list, below the root of the repository.
pub const LIST: &str = "target/skipped.txt";

/// Writes `skipped: TEST: WHY`, a line of its own, to the list. The test returns after that.
///
/// # Panics
/// When the list cannot be written, so that no test is skipped unseen.
pub fn because(test: &str, why: impl Display) {
    note("skipped", test, &why.to_string());
}

/// Writes `not asked for: TEST: WHY` to the list: of a test that needs what no machine has by itself, CI's neither. The
/// test returns after that.
///
/// # Panics
/// When the list cannot be written, so that no test is skipped unseen.
pub fn unless_asked_for(test: &str, why: impl Display) {
    note("not asked for", test, &why.to_string());
}

#[expect(clippy::panic, reason = "a test that can say nothing else fails")]
fn note(what: &str, test: &str, why: &str) {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(LIST);
    if let Err(error) = write(&list, what, test, why) {
        panic!("{test} is skipped ({why}), which cannot be written to {}: {error}", list.display());
    }
}

/// In one write, because tests of several processes append at the same time.
fn write(list: &Path, what: &str, test: &str, why: &str) -> io::Result<()> {
    if let Some(folder) = list.parent() {
        fs::create_dir_all(folder)?;
    }
    let line = format!("{what}: {test}: {}\n", why.replace('\n', " "));
    OpenOptions::new().create(true).append(true).open(list)?.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_test_that_did_not_run_has_one_line() {
        let list = std::env::temp_dir().join(format!("skipped-{}.txt", std::process::id()));
        write(&list, "skipped", "kit::a", "nginx is missing").unwrap();
        write(&list, "not asked for", "agent::b", "two\nlines").unwrap();
        let written = fs::read_to_string(&list).unwrap();
        fs::remove_file(&list).unwrap();
        assert_eq!(written, "skipped: kit::a: nginx is missing\nnot asked for: agent::b: two lines\n");
    }
}
