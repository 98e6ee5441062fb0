//! What a GitHub workflow reads: commands in its log, and files that it names.

/// What a message of a command may not hold as it is (actions/toolkit, "commands").
pub(crate) fn in_message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The same of a property.
pub(crate) fn in_property(text: &str) -> String {
    in_message(text).replace(':', "%3A").replace(',', "%2C")
}

/// Adds to a file that the workflow names in a variable, as `GITHUB_OUTPUT`. Outside a workflow there is none.
///
/// # Errors
/// When it is named and cannot be written.
#[cfg(feature = "aws")]
pub(crate) fn add_to(variable: &str, text: &str) -> anyhow::Result<()> {
    let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()) else { return Ok(()) };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(&path);
    let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    anyhow::Context::with_context(written, || {
        format!("{}, which {variable} names, cannot be written", path.to_string_lossy())
    })
}
