//! `greenlight show`: the receipt of a release, as a page of text.

use super::text::{ago, named};
use super::{Asked, Output};
use crate::aws::receipts;
use crate::{fit, say};
use anyhow::Context as _;
use clap::Args;
use release::evidence::{Requests, Sums};
use release::{By, Colour, Command, PerColour, Receipt, ReleaseNumber, ServiceName};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// Which release.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The service, as `backend`
    service: String,
    /// The release's number
    number: Option<u64>,
    #[command(flatten)]
    asked: Asked,
}

impl Arguments {
    /// # Errors
    /// When the function cannot be asked where receipts are, or there is none.
    pub(crate) async fn run(&self) -> anyhow::Result<ExitCode> {
        let Self { service, number, asked } = self;
        let payload = json!({ "command": Command::Status, "service": service });
        let answer = asked.functions().await.lifecycle(&payload).await?;
        let bucket = answer.get("stateBucket").and_then(Value::as_str);
        let bucket = bucket.context(
            "the stack's functions are older than this program: they do not say where receipts are",
        )?;
        let service = ServiceName::new(service.clone())?;
        let receipt = receipts::last(&asked.account, bucket, &service, number.map(ReleaseNumber)).await?;
        say::answer(&match asked.output {
            Output::Json => format!("{}\n", json!(receipt)),
            Output::Text => {
                let page = format!("{}{}", page(&receipt), under_way(&answer).unwrap_or_default());
                fit::for_terminal(&say::harmless(&page), HANG)
            }
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The column in which what stands behind the first word of a line begins.
const HANG: usize = 11;

/// What has no receipt yet.
fn under_way(answer: &Value) -> Option<String> {
    let summary = answer.get("summary")?;
    let (open, service) = (summary.get("open")?.get("number")?, summary.get("service")?.as_str()?);
    Some(format!("  now      {open} is under way: greenlight status {service}\n"))
}

/// First how it ended, then the way there.
fn page(receipt: &Receipt) -> String {
    let Receipt { service, number, commit, verdict, opened_at, closed_at, reason, .. } = receipt;
    let what = named(receipt.purpose);
    let mut lines = vec![
        format!("{what} {number} ({commit}) of {service}: {}", verdict.as_str()),
        format!(
            "  ended    {}, after {}",
            closed_at.strftime("%Y-%m-%d %H:%M:%S UTC"),
            ago(*opened_at, *closed_at)
        ),
        format!("  why      {reason}"),
    ];
    if let Some(failed) = receipt.failed_by_candidate {
        lines.push(format!(
            "  harm     at least {failed} requests, of those that were counted, were failed by this version; slow answers are none"
        ));
    }
    lines.push(format!(
        "  way      {}, bake {}, attempt {}, on {}{}",
        receipt.strategy,
        duration::show(Duration::from_secs(receipt.bake_seconds)),
        receipt.attempt,
        receipt.colour,
        receipt.deployment.as_ref().map(|id| format!(", deployment {id}")).unwrap_or_default(),
    ));
    lines.push(match &receipt.by {
        By::Upload => "  by       whoever uploaded the bundle".to_owned(),
        By::Operator => "  by       an operator".to_owned(),
        By::Alarm(alarm) => format!("  by       alarm {alarm}"),
        By::Minutes => "  by       bad minutes after the release".to_owned(),
    });
    lines.extend(receipt.said.as_ref().map(|said| format!("  said     {said}")));
    lines.push(format!(
        "  bundle   s3://{}/{}, version {}",
        receipt.bundle.bucket, receipt.bundle.key, receipt.bundle.version
    ));
    for step in &receipt.steps {
        let held = step.until.map(|until| format!(" for {}", ago(step.since, until))).unwrap_or_default();
        lines.push(format!(
            "  {}  {:>3} %{held}: {}",
            step.since.strftime("%H:%M:%S"),
            step.percent,
            step.reason
        ));
        lines.extend(step.requests.iter().flat_map(sums).map(|line| format!("             {line}")));
    }
    if receipt.steps.is_empty() {
        lines.push("  it never had traffic".to_owned());
    }
    let read = receipt.cloudwatch;
    let dollars = f64::from(read.micro_usd) / 1e6;
    lines.push(format!("  CloudWatch was read {} times, for {dollars:.4} US dollars", read.reads));
    lines.push(String::new());
    lines.join("\n")
}

pub(super) fn sums(sums: &Sums) -> Vec<String> {
    let counted = [("by the instances", &sums.instances), ("by CloudWatch", &sums.cloudwatch)];
    let counted = counted.into_iter().filter_map(|(by, counted)| Some((by, counted.as_ref()?)));
    // Where no request was counted yet, nothing is known.
    let counted =
        counted.filter(|(_, counted)| Colour::BOTH.iter().any(|colour| counted.of(*colour).requests > 0));
    counted.map(|(by, counted)| format!("{} ({by})", failures(counted))).collect()
}

fn failures(counted: &PerColour<Requests>) -> String {
    let of = |colour: Colour| {
        let Requests { requests, failed } = counted.of(colour);
        format!("{colour} failed {failed} of {requests}")
    };
    Colour::BOTH.map(of).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_was_counted_nothing_is_said_of_it() {
        let receipt = include_bytes!("../../../shared/release/tests/receipts/rejected.json");
        let mut counted: Sums = serde_json::from_slice::<Receipt>(receipt).unwrap().requests;
        assert_eq!(sums(&counted).len(), 2);
        counted.instances = Some(PerColour { blue: Requests::default(), green: Requests::default() });
        assert_eq!(sums(&counted).len(), 1);
    }

    #[test]
    fn what_has_no_receipt_yet_is_named_beneath_the_one_that_is_shown() {
        let shown = |open: Value| under_way(&json!({ "summary": { "service": "backend", "open": open } }));
        let says = "  now      42 is under way: greenlight status backend\n";
        assert_eq!(shown(json!({ "number": 42 })).as_deref(), Some(says));
        assert_eq!(shown(Value::Null), None);
    }

    #[test]
    fn a_receipt_is_a_page() {
        let receipt = include_bytes!("../../../shared/release/tests/receipts/rejected.json");
        insta::assert_snapshot!(page(&serde_json::from_slice(receipt).unwrap()));
    }
}
