//! How a sentence is meant.

use serde::Serialize;

/// What a sentence means to its reader, and so its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// It happened.
    #[default]
    Plain,
    /// Nothing happens yet.
    Waits,
    /// A step forward.
    Step,
    /// It went live, or came to rest.
    Good,
    /// It goes back, was refused, or is in trouble.
    Bad,
}
