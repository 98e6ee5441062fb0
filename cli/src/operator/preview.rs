//! `greenlight preview`: the header that leads to a candidate before it has traffic.

use super::{Asked, a_time};
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;

/// A preview, or a new secret for those that come.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The service, as `backend`
    service: String,
    /// For how long, from 1m to 30m; without it 10m
    #[arg(long = "for", value_name = "TIME", value_parser = a_time, conflicts_with = "rotate")]
    time: Option<String>,
    /// Only make a new secret: the header that was told before leads nowhere any more
    #[arg(long)]
    rotate: bool,
    /// Only say what it would do
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    asked: Asked,
}

impl Arguments {
    /// # Errors
    /// When the function cannot be asked, or fails.
    pub(crate) async fn run(&self) -> anyhow::Result<ExitCode> {
        let Self { service, time, rotate, dry_run, asked } = self;
        let mut payload = json!({ "command": "preview", "service": service });
        if let Some(time) = time {
            payload["time"] = json!(time);
        }
        if *rotate {
            payload["rotate"] = json!(true);
        }
        asked.change_saying(payload, *dry_run, lines).await
    }
}

/// The header, and a line for a shell. A name with a wildcard is no address.
fn lines(answer: &Value) -> String {
    let preview = &answer["preview"];
    let (Some(header), Some(value)) = (preview["header"].as_str(), preview["value"].as_str()) else {
        return String::new();
    };
    let hosts = preview["hosts"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let host = hosts.into_iter().find(|host| !host.contains(['*', '?'])).unwrap_or("HOST");
    format!("{header}: {value}\ncurl -H '{header}: {value}' https://{host}/\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_told_with_a_line_for_a_shell_and_not_where_there_is_none() {
        let told = |hosts: &[&str]| {
            let preview =
                json!({"header": "X-Greenlight-Preview", "value": "0a1b", "hosts": hosts, "until": null});
            lines(&json!({ "says": "so", "preview": preview }))
        };
        assert_eq!(
            told(&["*.shop.test", "api.shop.test"]),
            "X-Greenlight-Preview: 0a1b\ncurl -H 'X-Greenlight-Preview: 0a1b' https://api.shop.test/\n"
        );
        assert!(told(&["*.shop.test"]).ends_with("https://HOST/\n"));
        assert_eq!(lines(&json!({"says": "so", "refused": true})), "");
    }
}
