//! What the agent reports of a lifecycle event, and how it words what failed.

use std::{fmt, path::Path};

/// The lifecycle event's error codes of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorCode {
    /// Nothing failed.
    Success,
    /// The script is not in the bundle (agent code 1).
    ScriptMissing,
    /// chmod failed (agent code 2).
    ScriptNotExecutable,
    /// The time-out passed (agent code 3).
    ScriptTimedOut,
    /// Any other exit status than 0 (agent code 4).
    ScriptFailed,
    /// Everything else: agent codes 5, 6 (outputs left open) and 7 (agent restarted).
    UnknownError,
}

impl ErrorCode {
    /// The API's word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::ScriptMissing => "ScriptMissing",
            Self::ScriptNotExecutable => "ScriptNotExecutable",
            Self::ScriptTimedOut => "ScriptTimedOut",
            Self::ScriptFailed => "ScriptFailed",
            Self::UnknownError => "UnknownError",
        }
    }
}

/// What the agent reports of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diagnostics {
    /// What went wrong.
    pub(crate) error_code: ErrorCode,
    /// The script as appspec.yml names it; empty outside hooks.
    pub(crate) script_name: String,
    /// CodeDeploy's sentence for people.
    pub(crate) message: String,
    /// The last lines of the scripts' output, under 2,048 characters.
    pub(crate) log_tail: String,
}

impl Diagnostics {
    pub(crate) fn success(log_tail: String) -> Self {
        Self {
            error_code: ErrorCode::Success,
            script_name: String::new(),
            message: "Succeeded".to_owned(),
            log_tail,
        }
    }

    pub(crate) fn unknown(message: impl fmt::Display) -> Self {
        Self {
            error_code: ErrorCode::UnknownError,
            script_name: String::new(),
            message: message.to_string(),
            log_tail: String::new(),
        }
    }

    /// Whether the event succeeded.
    pub(crate) fn succeeded(&self) -> bool {
        self.error_code == ErrorCode::Success
    }
}

/// An I/O error with its path, as Ruby words it.
pub(crate) fn at(path: &Path) -> impl Fn(std::io::Error) -> String + '_ {
    move |error| {
        let text = error.to_string();
        let text = text.split(" (os error").next().unwrap_or_default().to_owned();
        format!("{text} - {}", path.display())
    }
}
