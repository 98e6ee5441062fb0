//! What `lifecycle` answers to a command.

use anyhow::Context as _;
use release::{Ledger, Status};
use serde::Deserialize;
use serde_json::Value;

/// How a command was taken. Members that this version does not know are left alone.
#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    pub(crate) changed: bool,
    #[serde(default)]
    pub(crate) refused: bool,
    says: String,
}

impl Told {
    /// # Errors
    /// When it is no answer to a command.
    pub(crate) fn read(answer: &Value) -> anyhow::Result<Self> {
        Self::deserialize(answer).context("the lifecycle function's answer is none that this version knows")
    }

    /// What happened, before what is said of it.
    pub(crate) fn in_words(&self, dry_run: bool) -> String {
        let Self { changed, refused, says } = self;
        match (changed, refused, dry_run) {
            (_, true, _) => format!("nothing was changed: {says}"),
            (true, false, true) => format!("would change: {says}"),
            (false, false, true) => format!("would change nothing: {says}"),
            (true, false, false) => says.clone(),
            (false, false, false) => format!("it is so already: {says}"),
        }
    }
}

/// What `status` answers of one service.
#[derive(Debug)]
pub(crate) enum Shown {
    /// It was looked at.
    Known { ledger: Box<Ledger>, status: Status },
    /// It could not be, for the reason that the function says.
    Failed { service: String, error: String },
    /// It is told by a version with another format: its sentence.
    Told { service: String, says: String },
}

impl Shown {
    /// # Errors
    /// When it is no answer to `status`.
    pub(crate) fn read(answer: &Value) -> anyhow::Result<Self> {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        let service = text("service").context("the lifecycle function's answer names no service")?;
        if let Some(error) = text("error") {
            return Ok(Self::Failed { service, error });
        }
        let status = answer.get("status").and_then(|status| Status::deserialize(status).ok());
        Ok(match (ledger(answer).ok(), status) {
            (Some(ledger), Some(status)) => Self::Known { ledger: Box::new(ledger), status },
            _ => Self::Told { service, says: text("says").unwrap_or_default() },
        })
    }
}

/// The service's ledger.
///
/// # Errors
/// When there is none, or a newer version wrote it.
pub(crate) fn ledger(answer: &Value) -> anyhow::Result<Ledger> {
    let ledger = answer.get("ledger").context("the lifecycle function's answer holds no ledger")?;
    Ok(Ledger::from_json(&serde_json::to_vec(ledger)?)?)
}
