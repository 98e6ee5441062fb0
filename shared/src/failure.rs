//! What an error asks of its caller.

pub use release::pass::Class;
use release::pass::Failed;
use release::{LedgerError, NewerSchema};
use std::fmt;

/// A failed call: what was attempted on which object, how it failed, and what that asks of the caller.
#[derive(Debug)]
pub struct Failure {
    class: Class,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    recorded: bool,
}

impl Failure {
    /// A failure of `class`; `message` says what happened to which object and what to do next.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), source: None, recorded: false }
    }

    /// A panic that was caught while `attempt`. The panic's own record says where it happened.
    pub fn panicked(attempt: &str) -> Self {
        let message =
            format!("{attempt} met a bug in Greenlight: report it with the log of this request's id");
        Self::new(Class::Bug, message).recorded()
    }

    /// Keeps the error that caused this one for [`chain`].
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// A ledger that was fetched and cannot be read; `attempt` says which.
    pub fn of_ledger(attempt: &str, error: LedgerError) -> Self {
        let message = match &error {
            LedgerError::Newer(_) => format!("{attempt} failed"),
            LedgerError::Malformed { .. } => format!(
                "{attempt} failed, it is not a ledger of this version of Greenlight: restore the newest version of the object that is one (docs/operating.md)"
            ),
        };
        Self::new(Class::Permanent, message).caused_by(error)
    }

    /// The schema that kept a ledger from being read, where only a newer version of Greenlight reads it.
    pub fn newer_schema(&self) -> Option<&NewerSchema> {
        match self.source.as_deref()?.downcast_ref()? {
            LedgerError::Newer(newer) => Some(newer),
            LedgerError::Malformed { .. } => None,
        }
    }

    /// It stands in the log, with what was known where it was met. Nothing is written a second time.
    #[must_use]
    pub fn recorded(mut self) -> Self {
        self.recorded = true;
        self
    }

    /// Whether it stands in the log.
    pub fn is_recorded(&self) -> bool {
        self.recorded
    }

    /// What the failure asks of the caller.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Whether another writer was first.
    pub fn is_conflict(&self) -> bool {
        self.class == Class::Conflict
    }
}

impl Failed for Failure {
    fn class(&self) -> Class {
        self.class
    }

    fn told(&self) -> String {
        chain(self)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as &(dyn std::error::Error + 'static))
    }
}

/// Bytes of a [`chain`] at most. It is a last bound: what came in is cut where it is quoted.
const LONGEST_CHAIN: usize = 4096;

/// The error and all that caused it, on one line, outermost first. The end of more than 4,096 bytes is cut off.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !cause_text.is_empty() && !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    match text.get(..text.floor_char_boundary(LONGEST_CHAIN)) {
        Some(beginning) if beginning.len() < text.len() => format!("{beginning}… ({} bytes)", text.len()),
        _ => text,
    }
}

/// The beginning of a text from outside, as much as a message or a log line repeats of it: 256 bytes, control
/// characters escaped. What somebody else wrote may be megabytes long. Lambda answers with 6 MB at most, and CloudWatch
/// cuts longer lines.
#[derive(Clone, Copy)]
pub struct Excerpt<'a>(pub &'a str);

/// The beginning of an object's key from outside: 1,024 bytes, S3's limit (S3 user guide, "Naming Amazon S3 objects").
#[derive(Clone, Copy)]
pub struct KeyExcerpt<'a>(pub &'a str);

impl Excerpt<'_> {
    /// Bytes that are repeated.
    pub const BYTES: usize = 256;
}

impl KeyExcerpt<'_> {
    /// Bytes that are repeated.
    pub const BYTES: usize = 1024;
}

/// As much of `text` as `bytes` hold. In quotation marks, quotation marks are escaped too.
fn beginning(text: &str, bytes: usize, in_quotes: bool) -> String {
    let quote = if in_quotes { "\"" } else { "" };
    let mut shown = quote.to_owned();
    for letter in text.chars() {
        let before = shown.len();
        if letter.is_control() || in_quotes && matches!(letter, '"' | '\\') {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
        if shown.len() > bytes + quote.len() {
            shown.truncate(before);
            return format!("{shown}{quote}… ({} bytes)", text.len());
        }
    }
    shown + quote
}

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&beginning(self.0, Self::BYTES, false))
    }
}

/// In quotation marks.
impl fmt::Debug for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&beginning(self.0, Self::BYTES, true))
    }
}

impl fmt::Display for KeyExcerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&beginning(self.0, Self::BYTES, false))
    }
}

/// In quotation marks.
impl fmt::Debug for KeyExcerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&beginning(self.0, Self::BYTES, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_text_the_beginning_is_repeated() {
        assert_eq!(Excerpt("billing").to_string(), "billing");
        assert_eq!(format!("{:?}", Excerpt("a\nb")), r#""a\nb""#);
        let long = "ü".repeat(100_000);
        assert_eq!(Excerpt(&long).to_string(), format!("{}… (200000 bytes)", "ü".repeat(128)));
        assert_eq!(format!("{:?}", Excerpt(&long)), format!("\"{}\"… (200000 bytes)", "ü".repeat(128)));
        assert_eq!(KeyExcerpt(&long).to_string(), format!("{}… (200000 bytes)", "ü".repeat(512)));
    }

    #[test]
    fn what_an_excerpt_repeats_is_bounded_after_it_was_escaped_and_leaves_a_terminal_alone() {
        assert_eq!(Excerpt("a\u{1b}[31m\r\n\tb").to_string(), r"a\u{1b}[31m\r\n\tb");
        assert_eq!(format!("{:?}", Excerpt(r#"say "a\b""#)), r#""say \"a\\b\"""#);
        let controls = "\u{1}".repeat(1_000);
        assert_eq!(Excerpt(&controls).to_string(), format!("{}… (1000 bytes)", r"\u{1}".repeat(51)));
        let exact = "x".repeat(Excerpt::BYTES);
        assert_eq!(Excerpt(&exact).to_string(), exact);
    }

    #[test]
    fn no_chain_grows_with_what_is_quoted_in_it() {
        let failure = Failure::new(Class::Permanent, "reading failed").caused_by("x".repeat(1_000_000));
        assert!(chain(&failure).len() < 4_200);
        assert!(chain(&failure).ends_with("… (1000016 bytes)"));
    }

    #[test]
    fn a_chain_names_every_cause_once() {
        let inner = Failure::new(Class::Transient, "connection refused");
        let outer = Failure::new(Class::Transient, "rule arn:1 could not be read").caused_by(inner);
        assert_eq!(chain(&outer), "rule arn:1 could not be read: connection refused");
    }
}
