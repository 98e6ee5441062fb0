//! `greenlight plan`: what a release would meet, before its bundle is uploaded.

use super::{Asked, Output, REFUSED};
use crate::check::{self, Line};
use crate::manifest::Manifest;
use crate::say;
use anyhow::Context as _;
use clap::Args;
use release::Forecast;
use serde::Deserialize as _;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Which release.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The bundle, or a folder that is to be one
    bundle: String,
    /// Whose release it would be
    #[arg(long)]
    service: String,
    /// Its number [default: the bundle's own, or the next one]
    #[arg(long)]
    number: Option<u64>,
    /// The `CodeDeploy` agent on the instances
    #[arg(long, value_enum, default_value_t = Line::One)]
    agent: Line,
    #[command(flatten)]
    asked: Asked,
}

impl Arguments {
    /// # Errors
    /// When the bundle cannot be read, or the function cannot be asked.
    pub(crate) async fn run(&self) -> anyhow::Result<ExitCode> {
        let Self { bundle, service, number, agent, asked } = self;
        let judged = check::judge(bundle, agent.agent()).await?;
        let number = match number {
            Some(number) => Some(*number),
            None if Path::new(bundle).is_file() => {
                Manifest::of_bundle(Path::new(bundle))?.and_then(|manifest| manifest.number)
            }
            None => None,
        };
        let mut payload = json!({ "command": "plan", "service": service });
        if let Some(number) = number {
            payload["number"] = json!(number);
        }
        let answer = asked.functions().await.lifecycle(&payload).await?;
        let forecast = answer.get("forecast").context("the lifecycle function's answer foretells nothing")?;
        let forecast = Forecast::deserialize(forecast)
            .context("the lifecycle function's answer is none that this version knows")?;
        say::answer(&match asked.output {
            Output::Json => format!("{}\n", json!({ "bundle": judged.json, "plan": answer })),
            Output::Text => {
                let strategy = answer.get("strategy").and_then(Value::as_str).unwrap_or("?");
                say::harmless(&format!(
                    "{}{}",
                    judged.text,
                    text(service, number, strategy, &judged, &forecast)
                ))
            }
        })?;
        let goes = !judged.refused && forecast.against.is_empty();
        Ok(if goes { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
    }
}

/// First whether it would go, then its way.
fn text(
    service: &str,
    number: Option<u64>,
    strategy: &str,
    judged: &check::Judged,
    forecast: &Forecast,
) -> String {
    let release = number.map_or("a release".to_owned(), |number| format!("release {number}"));
    let would = match (judged.refused, forecast.against.is_empty(), forecast.doubts.is_empty()) {
        (true, ..) => "would be refused: mend the bundle",
        (false, false, _) => "would not go live as things are",
        (false, true, false) => "has nothing against it, and a doubt",
        (false, true, true) => "would open now",
    };
    let mut lines = vec![format!("{release} of {service} by {strategy} {would}")];
    lines.extend(forecast.against.iter().map(|why| format!("  against  {why}")));
    lines.extend(forecast.doubts.iter().map(|doubt| format!("  doubt    {doubt}")));
    for (n, step) in forecast.steps.iter().enumerate() {
        let name = if n == 0 { "way" } else { "" };
        let time = duration::show(Duration::from_secs(step.seconds));
        lines.push(format!("  {name:<7}  {:>3} % for {time}, until {}", step.percent, step.until));
    }
    let longest = forecast.longest_seconds.div_ceil(60);
    lines.push(format!(
        "  longest  {longest} min from its opening to success, the installation's deadline included"
    ));
    lines.extend(forecast.proof.iter().map(|proof| format!("  proof    {proof}")));
    lines.push(
        "  back     by deleting one rule: within seconds of what the instances count, and 2 to 4 minutes after the first \
         failure where an alarm has to say it"
            .to_owned(),
    );
    lines.push("nothing was changed\n".to_owned());
    lines.join("\n")
}
