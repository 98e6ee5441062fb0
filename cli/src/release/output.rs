//! How a release is told.

use crate::github::in_message;
use crate::say;
use clap::ValueEnum;

/// A form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// For programs
    Json,
    /// For people, with the annotations, outputs and summary of a GitHub workflow
    Github,
}

impl Output {
    /// Shows a sentence on the page of a workflow's run; elsewhere it says nothing.
    pub(crate) fn annotate(self, level: &str, text: &str) -> anyhow::Result<()> {
        if self != Self::Github {
            return Ok(());
        }
        say::answer(&format!("::{level} title=Release::{}\n", in_message(text)))
    }
}
