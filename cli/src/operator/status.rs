//! `greenlight status`: how services are, once or again and again.

use super::answer::Shown;
use super::{Asked, Output, text};
use crate::aws::functions::Functions;
use crate::{UNREADABLE, fit, say};
use clap::Args;
use release::Command;
use serde_json::{Value, json};
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

/// Which services.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The service, as `backend`; without it all of them
    service: Option<String>,
    /// Look again every five seconds, until it is interrupted
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    asked: Asked,
}

/// Between two looks. Each asks AWS some ten things for every service.
const INTERVAL: Duration = Duration::from_secs(5);

/// Clears the terminal.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Says how services are.
///
/// # Errors
/// When the function cannot be asked. While watching that is said, and asked again.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let functions = arguments.asked.functions().await;
    if !arguments.watch {
        let (text, failed) = look(arguments, &functions).await?;
        say::answer(&text)?;
        return Ok(if failed { ExitCode::from(UNREADABLE) } else { ExitCode::SUCCESS });
    }
    let clear =
        if std::io::stdout().is_terminal() && arguments.asked.output == Output::Text { CLEAR } else { "" };
    let mut last = String::new();
    loop {
        let text = match look(arguments, &functions).await {
            Ok((text, _)) => text,
            Err(error) => format!("{error:#}\n"),
        };
        // Without a terminal only what has changed is worth a line.
        if !clear.is_empty() || text != last {
            say::answer(&format!("{clear}{text}"))?;
        }
        last = text;
        tokio::time::sleep(INTERVAL).await;
    }
}

/// What is said, and whether a service could not be read.
async fn look(arguments: &Arguments, functions: &Functions<'_>) -> anyhow::Result<(String, bool)> {
    let mut payload = json!({ "command": Command::Status });
    if let Some(service) = &arguments.service {
        payload["service"] = json!(service);
    }
    let answer = functions.lifecycle(&payload).await?;
    let services = answer.get("services").and_then(Value::as_array);
    let services = services.map_or_else(|| vec![&answer], |services| services.iter().collect());
    let shown = services.into_iter().map(Shown::read).collect::<anyhow::Result<Vec<_>>>()?;
    let failed = shown.iter().any(|shown| matches!(shown, Shown::Failed { .. }));
    let text = match arguments.asked.output {
        Output::Json => format!("{answer}\n"),
        Output::Text => {
            let pages = shown.iter().map(text::status).collect::<Vec<_>>().join("\n");
            fit::for_terminal(&say::harmless(&pages), text::HANG)
        }
    };
    Ok((text, failed))
}
