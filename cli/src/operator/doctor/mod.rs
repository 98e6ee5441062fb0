//! `greenlight doctor`: what is wrong with a stack, before or after somebody has noticed.

mod facts;
mod judge;
pub(crate) mod measure;

pub(crate) use facts::{
    Alarm, AlarmState, Alias, Bucket, Canary, Counts, Facts, Firewall, Function, FunctionState, Group, Held,
    Looked, Queue, Rule, Sample, Schedule, Service, Stack, Topic,
};

use super::answer::Shown;
use super::{Asked, Output};
use crate::{aws, say};
use clap::Args;
use judge::{Finding, findings};
use release::{Command, Ledger};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

/// Which stack.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  greenlight doctor
  greenlight doctor --stack shop --profile production --region eu-west-1
  greenlight doctor --output json | jq -r '.findings[].kind'
  greenlight doctor --measure --for 10m

It changes nothing, and reads with your credentials: AWS's ReadOnlyAccess, lambda:InvokeFunction on STACK-lifecycle:operators, and \
sqs:ReceiveMessage to show what lies in the queues. What it may not read it says, and looks at the rest.")]
pub(crate) struct Arguments {
    /// Instead: what docs/assumptions.md believes of AWS, and what is seen of it in this account
    #[arg(long)]
    measure: bool,
    /// How long to watch for it, between 10s and 1h
    #[arg(long = "for", value_name = "TIME", value_parser = measure::a_watch, default_value = "1m", requires = "measure")]
    watch: Duration,
    #[command(flatten)]
    asked: Asked,
}

/// Something is wrong.
const FOUND: u8 = 1;

impl Arguments {
    /// Says what is wrong, or what was measured: 0 when nothing is, 1 when something is.
    ///
    /// # Errors
    /// When nobody can read the answer. What cannot be looked at is a finding.
    pub(crate) async fn run(&self) -> anyhow::Result<ExitCode> {
        let Self { measure, watch, asked } = self;
        if *measure {
            return measure::run(asked, *watch).await;
        }
        let ledgers = ledgers(asked).await;
        let facts = aws::doctor::look(&asked.account, &asked.stack, ledgers, aws::now()).await;
        let findings = findings(&facts);
        say::answer(&match asked.output {
            Output::Json => format!("{}\n", in_json(&facts, &findings)),
            Output::Text => say::harmless(&in_words(&facts, &findings)),
        })?;
        Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
    }
}

/// The ledger of each service, as the lifecycle function reads it.
///
/// # Errors
/// Why it does not answer.
async fn ledgers(asked: &Asked) -> Looked<BTreeMap<String, Looked<Ledger>>> {
    let answer = asked.functions().await.lifecycle(&json!({ "command": Command::Status })).await;
    let answer = answer.map_err(|error| format!("{error:#}"))?;
    let services = answer.get("services").and_then(Value::as_array).ok_or("it names no services")?;
    let shown = services.iter().map(Shown::read).collect::<anyhow::Result<Vec<_>>>();
    let shown = shown.map_err(|error| format!("{error:#}"))?;
    Ok(shown.into_iter().map(ledger).collect())
}

fn ledger(shown: Shown) -> (String, Looked<Ledger>) {
    match shown {
        Shown::Known { ledger, .. } => (ledger.service.to_string(), Ok(*ledger)),
        Shown::Failed { service, error } => (service, Err(error)),
        Shown::Told { service, .. } => {
            (service, Err("the stack runs another version of Greenlight than this program".to_owned()))
        }
    }
}

/// Account and region of an ARN.
fn place(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.split(':').skip(3);
    let region = parts.next()?;
    Some((parts.next()?, region))
}

fn in_json(facts: &Facts, findings: &[Finding]) -> Value {
    let stack = facts.stack.as_ref().ok();
    let (account, region) = stack.and_then(|stack| place(&stack.id)).unzip();
    json!({
        "stack": facts.name,
        "account": account,
        "region": region,
        "status": stack.map(|stack| &stack.status),
        "driftLastLookedFor": stack.and_then(|stack| stack.drift_checked),
        "findings": findings,
    })
}

fn in_words(facts: &Facts, findings: &[Finding]) -> String {
    let name = &facts.name;
    let mut lines = Vec::new();
    if let Ok(stack) = &facts.stack {
        let place = place(&stack.id);
        let place = place.map(|(account, region)| format!(", account {account}, region {region}"));
        lines.push(format!("stack {name}{}: {}", place.unwrap_or_default(), stack.status));
        lines.push(match stack.drift_checked {
            Some(at) => format!("drift was last looked for at {}", at.strftime("%Y-%m-%d %H:%M UTC")),
            None => format!(
                "drift was never looked for: aws cloudformation detect-stack-drift --stack-name {name}, then ask again"
            ),
        });
    }
    for (number, finding) in findings.iter().enumerate() {
        let Finding { kind, object, says, todo } = finding;
        lines.push(format!("\n{}. {object} {says}  [{kind}]\n   {todo}", number + 1));
    }
    lines.push(match findings.len() {
        0 => "nothing is wrong with it".to_owned(),
        1 => "\n1 thing is wrong".to_owned(),
        many => format!("\n{many} things are wrong"),
    });
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::judge::sound;
    use super::*;

    #[test]
    fn findings_are_numbered_and_say_what_to_do() {
        let mut facts = sound();
        assert_eq!(
            in_words(&facts, &findings(&facts)),
            "stack greenlight, account 123456789012, region eu-west-1: UPDATE_COMPLETE\n\
             drift was last looked for at 2026-11-28 03:00 UTC\nnothing is wrong with it\n"
        );
        facts.topic = Err("AccessDenied".to_owned());
        facts.functions[0].state.as_mut().unwrap().reserved = Some(0);
        facts.stack.as_mut().unwrap().drift_checked = None;
        insta::assert_snapshot!(in_words(&facts, &findings(&facts)));
        let said = in_json(&facts, &findings(&facts));
        assert_eq!(said["account"], "123456789012");
        assert_eq!(said["findings"][0]["kind"], "function_stopped");
        assert_eq!(said["findings"].as_array().unwrap().len(), 2);
    }
}
