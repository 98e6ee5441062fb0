//! Who is kept out: what an operator says to `waf-logs`.

use super::{Asked, Output};
use crate::say;
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;

/// All who are blocked, or whoever is in a network.
#[derive(Debug, Args)]
pub(crate) struct Listed {
    /// Only this address or network
    network: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

/// A network about which something ends.
#[derive(Debug, Args)]
pub(crate) struct Network {
    /// An address, or a network as 203.0.113.0/24
    network: String,
    #[command(flatten)]
    asked: Asked,
}

/// A network about which something begins.
#[derive(Debug, Args)]
pub(crate) struct Changed {
    /// An address, or a network as 203.0.113.0/24
    network: String,
    /// For how long, as 90s, 5m, 2h or 7d; without it for good
    #[arg(long = "for", value_name = "TIME")]
    time: Option<String>,
    /// Why, for whoever reads it later
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

impl Listed {
    /// # Errors
    /// When the function cannot be asked, or fails.
    pub(crate) async fn run(&self) -> anyhow::Result<ExitCode> {
        let mut payload = json!({ "command": "blocked" });
        if let Some(network) = &self.network {
            payload["network"] = json!(network);
        }
        let answer = self.asked.functions().await.waf_logs(&payload).await?;
        say::answer(&match self.asked.output {
            Output::Json => format!("{answer}\n"),
            Output::Text => say::harmless(&listed(&answer)),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Network {
    /// # Errors
    /// When the function cannot be asked, or refuses.
    pub(crate) async fn run(&self, command: &str) -> anyhow::Result<ExitCode> {
        send(&self.asked, &json!({ "command": command, "network": self.network })).await
    }
}

impl Changed {
    /// # Errors
    /// When the function cannot be asked, or refuses.
    pub(crate) async fn run(&self, command: &str) -> anyhow::Result<ExitCode> {
        let mut payload = json!({ "command": command, "network": self.network });
        for (name, value) in [("time", &self.time), ("note", &self.note)] {
            if let Some(value) = value {
                payload[name] = json!(value);
            }
        }
        send(&self.asked, &payload).await
    }
}

async fn send(asked: &Asked, payload: &Value) -> anyhow::Result<ExitCode> {
    let answer = asked.functions().await.waf_logs(payload).await?;
    say::answer(&match asked.output {
        Output::Json => format!("{answer}\n"),
        Output::Text => say::harmless(&done(&answer)),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The network as it is judged: of an IPv6 address its prefix.
fn done(answer: &Value) -> String {
    format!(
        "{} {}: done; the firewall follows within a minute or two\n",
        text(answer, "done"),
        text(answer, "network")
    )
}

fn listed(answer: &Value) -> String {
    let list = |name: &str| answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let blocked = list("blocked");
    let mut lines: Vec<String> = blocked.iter().map(|ban| text(ban, "summary").to_owned()).collect();
    let total = answer.get("total").and_then(Value::as_u64).unwrap_or_default();
    let shown = u64::try_from(blocked.len()).unwrap_or(u64::MAX);
    if lines.is_empty() {
        lines.push("nobody is blocked".to_owned());
    } else if shown < total {
        lines.push(format!("{shown} of {total} are shown"));
    }
    let challenged = list("challenged");
    if !challenged.is_empty() {
        let networks: Vec<&str> = challenged.iter().filter_map(Value::as_str).collect();
        lines.push(format!("challenged: {}", networks.join(", ")));
    }
    format!("{}\n", lines.join("\n"))
}
