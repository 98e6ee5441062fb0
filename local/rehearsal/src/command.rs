//! How a command runs, ends, and is interrupted.

use anyhow::{Context, Result};
use cloud::Places;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Runs a command to its end. It succeeds when the command says that all went as it should.
pub async fn run(command: impl Future<Output = Result<bool>>) -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).init();
    match command.await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command until it ends or is interrupted; one that was interrupted did not go as it should.
///
/// # Errors
/// Those of the command.
pub async fn or_interrupted(command: impl Future<Output = Result<bool>>) -> Result<bool> {
    tokio::select! {
        outcome = command => outcome,
        stopped = interrupted() => stopped.map(|()| false),
    }
}

/// The repository around the working directory.
///
/// # Errors
/// When there is none.
pub fn places() -> Result<Places> {
    Places::find(&std::env::current_dir()?)
}

/// Returns when a person wants the command to end: Ctrl-C at the terminal, or SIGTERM.
///
/// # Errors
/// When the signals cannot be awaited.
pub async fn interrupted() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be awaited")?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.context("Ctrl-C cannot be awaited"),
        _ = terminate.recv() => Ok(()),
    }
}
