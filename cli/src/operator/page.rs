//! `greenlight page`: all services in a browser.

use super::{Asked, Output};
use crate::say;
use anyhow::Context as _;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Has the page written as everything is now, and says where it can be read.
///
/// # Errors
/// When the function cannot be asked, or fails.
pub(crate) async fn run(asked: &Asked) -> anyhow::Result<ExitCode> {
    let answer = asked.functions().await.lifecycle(&json!({ "command": "page" })).await?;
    match asked.output {
        Output::Json => say::answer(&format!("{answer}\n"))?,
        Output::Text => {
            let link = answer.get("link").and_then(Value::as_str);
            let link = link.context("the lifecycle function's answer holds no link")?;
            say::answer(&say::harmless(&format!("{link}\n")))?;
            let minutes = answer.get("lastsSeconds").and_then(Value::as_u64).unwrap_or_default() / 60;
            say::beside(&format!(
                "it opens the page for {minutes} minutes, sooner over when the function's credentials end; whoever has it can read it"
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}
