//! What the failure of a call asks of its caller.

/// The ways in which something can go wrong, named by what to do next: four for a call, and one for the code itself.
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
    /// The code itself is wrong, it panicked: report it.
    Bug,
}

impl Class {
    /// The stable word for logs and for Lambda's `errorType`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Transient => "transient",
            Self::Conflict => "conflict",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Bug => "bug",
        }
    }
}

/// A call that failed, as far as the machine needs to know.
pub trait Failed {
    /// What it asks of the caller.
    fn class(&self) -> Class;

    /// What happened, with every cause, on one line.
    fn told(&self) -> String;
}
