//! What an error asks of its caller.

use release::{LedgerError, NewerSchema};
use std::fmt;

/// The four ways in which a call can go wrong, named by what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The input is bad: record it and tell the user. A repeat fails the same way.
    Permanent,
    /// Nothing was done (throttled, unavailable, refused connection): try again.
    Transient,
    /// Another writer was first: read again, decide again.
    Conflict,
    /// The call may have been carried out, the answer was lost: read back before repeating it.
    OutcomeUnknown,
}

impl Class {
    /// The stable word for logs and for Lambda's `errorType`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Transient => "transient",
            Self::Conflict => "conflict",
            Self::OutcomeUnknown => "outcome_unknown",
        }
    }
}

/// A failed call: what was attempted on which object, how it failed, and what that asks of the caller.
#[derive(Debug)]
pub struct Failure {
    class: Class,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Failure {
    /// A failure of `class`; `message` says what happened to which object and what to do next.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), source: None }
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
                "{attempt} failed, it is not a ledger of this version of Greenlight: restore an earlier version of the object"
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

    /// What the failure asks of the caller.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Whether another writer was first.
    pub fn is_conflict(&self) -> bool {
        self.class == Class::Conflict
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

/// The error and all that caused it, on one line, outermost first.
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
    text
}

/// The beginning of a text from outside, as much as a message or a log line repeats of it. What somebody else wrote may
/// be megabytes long; Lambda answers with 6 MB at most, and CloudWatch cuts longer lines.
#[derive(Clone, Copy)]
pub struct Excerpt<'a>(pub &'a str);

impl Excerpt<'_> {
    /// Letters that are repeated.
    pub const LETTERS: usize = 200;

    fn show(&self, f: &mut fmt::Formatter<'_>, kept: impl FnOnce(&str) -> String) -> fmt::Result {
        let end = self.0.char_indices().nth(Self::LETTERS).map(|(end, _)| end);
        match end.and_then(|end| self.0.get(..end)) {
            Some(beginning) => write!(f, "{}… ({} bytes)", kept(beginning), self.0.len()),
            None => f.write_str(&kept(self.0)),
        }
    }
}

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(f, str::to_owned)
    }
}

/// In quotation marks.
impl fmt::Debug for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(f, |text| format!("{text:?}"))
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
        assert_eq!(Excerpt(&long).to_string(), format!("{}… (200000 bytes)", "ü".repeat(200)));
        assert_eq!(format!("{:?}", Excerpt(&long)), format!("\"{}\"… (200000 bytes)", "ü".repeat(200)));
    }

    #[test]
    fn a_chain_names_every_cause_once() {
        let inner = Failure::new(Class::Transient, "connection refused");
        let outer = Failure::new(Class::Transient, "rule arn:1 could not be read").caused_by(inner);
        assert_eq!(chain(&outer), "rule arn:1 could not be read: connection refused");
    }
}
