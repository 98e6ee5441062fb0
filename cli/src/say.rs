//! Where an answer goes, and where goes what is none.

use anyhow::Context as _;
use std::io::Write as _;

/// Says what was asked for.
///
/// # Errors
/// When nobody can read it, as behind a pipe that is closed.
pub(crate) fn answer(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("the answer could not be written")
}

/// Says a line where answers do not go. There is nobody to tell if that fails.
pub(crate) fn beside(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap_or_default();
}

/// A text in which nothing moves a terminal's cursor, whatever a script or a client has put into it: each control character
/// but the end of a line becomes a blank.
pub(crate) fn harmless(text: &str) -> String {
    text.replace(|letter: char| letter.is_control() && letter != '\n', " ")
}
