//! How agent 2.x says no.

use super::reading::Misshapen;
use crate::finding::Position;
use std::fmt;

/// Why the agent refuses the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The deployment failed because {reason}")]
pub struct Refusal {
    /// What follows "The deployment failed because".
    pub reason: String,
    /// Where, if it says so.
    pub position: Option<Position>,
}

impl Refusal {
    pub(super) fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), position: None }
    }

    pub(super) fn yaml(detail: impl fmt::Display) -> Self {
        Self::because(format!("of a YAML parsing error: {detail}"))
    }
}

impl From<Misshapen> for Refusal {
    fn from(error: Misshapen) -> Self {
        Self { position: Some(error.position()), ..Self::yaml(error) }
    }
}
