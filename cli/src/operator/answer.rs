//! What `lifecycle` answers to a command.

use anyhow::Context as _;
use release::{Ledger, Status};
use serde::Deserialize;
use serde_json::Value;

/// How a command was taken. Members that this version does not know are left alone.
#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    changed: bool,
    #[serde(default)]
    refused: bool,
    says: String,
}

impl Told {
    fn read(answer: &Value) -> anyhow::Result<Self> {
        Self::deserialize(answer).context("the lifecycle function's answer is none that this version knows")
    }

    /// What happened, before what is said of it.
    fn in_words(&self, dry_run: bool) -> String {
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

/// What became of a command: of one service, or of each where all were meant.
#[derive(Debug)]
pub(crate) enum Taken {
    One(Told),
    /// By service. `Err`: it failed there, for the reason that the function says.
    Each(Vec<(String, Result<Told, String>)>),
}

impl Taken {
    /// # Errors
    /// When it is no answer to a command.
    pub(crate) fn read(answer: &Value) -> anyhow::Result<Self> {
        let Some(services) = answer.get("services").and_then(Value::as_array) else {
            return Told::read(answer).map(Self::One);
        };
        let each = services.iter().map(|answer| {
            let service = service_of(answer)?;
            let told = error_of(answer).map_or_else(|| Told::read(answer).map(Ok), |error| Ok(Err(error)));
            Ok((service, told?))
        });
        each.collect::<anyhow::Result<_>>().map(Self::Each)
    }

    /// Lines.
    pub(crate) fn in_words(&self, dry_run: bool) -> String {
        match self {
            Self::One(told) => format!("{}\n", told.in_words(dry_run)),
            Self::Each(each) => each
                .iter()
                .map(|(service, told)| match told {
                    Ok(told) => format!("{service}: {}\n", told.in_words(dry_run)),
                    Err(error) => format!("{service}: FAILED, ask once more: {error}\n"),
                })
                .collect(),
        }
    }

    /// Whether of a service nothing is known now.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self, Self::Each(each) if each.iter().any(|(_, told)| told.is_err()))
    }

    /// Whether it means nothing at the moment somewhere.
    pub(crate) fn is_refused(&self) -> bool {
        match self {
            Self::One(told) => told.refused,
            Self::Each(each) => each.iter().any(|(_, told)| told.as_ref().is_ok_and(|told| told.refused)),
        }
    }
}

fn service_of(answer: &Value) -> anyhow::Result<String> {
    let service = answer.get("service").and_then(Value::as_str).map(str::to_owned);
    service.context("the lifecycle function's answer names no service")
}

fn error_of(answer: &Value) -> Option<String> {
    answer.get("error").and_then(Value::as_str).map(str::to_owned)
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
        let service = service_of(answer)?;
        if let Some(error) = error_of(answer) {
            return Ok(Self::Failed { service, error });
        }
        let status = answer.get("status").and_then(|status| Status::deserialize(status).ok());
        Ok(match (ledger(answer).ok(), status) {
            (Some(ledger), Some(status)) => Self::Known { ledger: Box::new(ledger), status },
            _ => {
                let says = answer.get("says").and_then(Value::as_str).unwrap_or_default();
                Self::Told { service, says: says.to_owned() }
            }
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
