//! AWS's errors, as the JSON 1.1 protocol carries them.

use serde_json::{Value, json};

/// An answer other than success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// AWS's name of the error, like `DeploymentDoesNotExistException`.
    pub code: &'static str,
    /// Text for people; AWS changes its wording.
    pub message: String,
    /// 400 for everything that the caller did.
    pub http_status: u16,
}

impl ApiError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), http_status: 400 }
    }

    /// The body that an SDK reads the code from.
    pub fn body(&self) -> Value {
        json!({ "__type": self.code, "message": self.message })
    }
}
