//! `greenlight doctor --measure`: what Greenlight believes of AWS, held against what AWS does in this account.

mod beliefs;
mod recorded;
mod seen;
#[cfg(test)]
mod tests;
mod watched;

pub(crate) use seen::{
    Account, Boot, Clock, Condition, Expression, Look, Made, Seen, ServiceLook, Told, Transition, Versions,
};

use super::{Asked, FOUND, Output};
use crate::aws::doctor::measure::Measuring;
use crate::{aws, say};
use beliefs::BELIEFS;
use serde::Serialize;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// Between two looks of a watch.
const INTERVAL: Duration = Duration::from_secs(10);
/// The shortest and the longest watch.
const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(3600);
/// After so many looks one hears how far it is.
const TOLD: u32 = 6;

/// What is said of a belief.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    AsAssumed,
    Otherwise,
    NotSeen,
}

impl Verdict {
    const fn words(self) -> &'static str {
        match self {
            Self::AsAssumed => "as assumed",
            Self::Otherwise => "OTHERWISE",
            Self::NotSeen => "not seen",
        }
    }
}

/// What looking tells of a belief.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    verdict: Verdict,
    /// In how many cases.
    samples: usize,
    says: String,
}

impl Outcome {
    fn of(is_so: bool, samples: usize, says: String) -> Self {
        Self { verdict: if is_so { Verdict::AsAssumed } else { Verdict::Otherwise }, samples, says }
    }

    fn not_seen(why: impl Into<String>) -> Self {
        Self { verdict: Verdict::NotSeen, samples: 0, says: why.into() }
    }
}

/// A belief and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Measurement {
    kind: &'static str,
    belief: &'static str,
    assumed: &'static str,
    verdict: Verdict,
    /// What was seen, or why nothing was.
    seen: String,
    /// In how many cases; 0 where nothing was seen.
    samples: usize,
}

/// Each belief, in the order of docs/assumptions.md.
fn measured(seen: &Seen) -> Vec<Measurement> {
    let measured = BELIEFS.iter().map(|belief| {
        let outcome = (belief.compare)(seen).unwrap_or_else(|why| {
            Outcome::not_seen(format!("it could not be looked at: {why}. Looking needs {}", belief.right))
        });
        let Outcome { verdict, samples, says } = outcome;
        let (kind, assumed) = (belief.kind, belief.assumed);
        Measurement { kind, belief: belief.heading, assumed, verdict, seen: says, samples }
    });
    measured.collect()
}

/// How long may be watched.
pub(super) fn a_watch(text: &str) -> Result<Duration, &'static str> {
    let watch = duration::parse(text).filter(|watch| (SHORTEST..=LONGEST).contains(watch));
    watch.ok_or("between 10s and 1h, as 90s or 10m")
}

/// Watches for so long, and says what became of each belief: 0 when nothing is otherwise, 1 when something is.
///
/// # Errors
/// When nobody can read the answer. What cannot be looked at is not seen.
pub(super) async fn run(asked: &Asked, watch: Duration) -> anyhow::Result<ExitCode> {
    let measuring = Measuring::of(&asked.account, &asked.stack).await;
    let times = looks(watch);
    say::beside(&format!(
        "{} looks at the services, one every {} s, then at what AWS has kept: some {} s; nothing is changed",
        times,
        INTERVAL.as_secs(),
        watch.as_secs() + 10
    ));
    let mut all = Vec::new();
    for number in 1..=times {
        all.push(measuring.look(aws::now()).await);
        if number < times {
            if number % TOLD == 0 {
                say::beside(&format!("{number} of {times} looks"));
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
    let measured = measured(&measuring.read(all, aws::now()).await);
    say::answer(&match asked.output {
        Output::Json => format!("{}\n", in_json(&asked.stack, watch, &measured)),
        Output::Text => say::harmless(&in_words(&measured)),
    })?;
    let is_otherwise = measured.iter().any(|one| one.verdict == Verdict::Otherwise);
    Ok(if is_otherwise { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

/// A look at each end of a watch, and those between.
fn looks(watch: Duration) -> u32 {
    u32::try_from(watch.as_secs() / INTERVAL.as_secs()).unwrap_or(u32::MAX).saturating_add(1)
}

fn in_json(stack: &str, watch: Duration, measured: &[Measurement]) -> Value {
    json!({ "stack": stack, "watchedSeconds": watch.as_secs(), "measurements": measured })
}

fn in_words(measured: &[Measurement]) -> String {
    let mut paragraphs = Vec::new();
    for Measurement { kind, belief, assumed, verdict, seen, samples } in measured {
        let cases = match samples {
            0 => String::new(),
            1 => " (1 case)".to_owned(),
            many => format!(" ({many} cases)"),
        };
        paragraphs.push(format!(
            "{}: {belief}  [{kind}]\n  assumed  {assumed}\n  seen     {seen}{cases}\n",
            verdict.words()
        ));
    }
    let of = |verdict: Verdict| measured.iter().filter(move |one| one.verdict == verdict);
    let otherwise: Vec<&str> = of(Verdict::Otherwise).map(|one| one.kind).collect();
    let named = if otherwise.is_empty() { String::new() } else { format!(" ({})", otherwise.join(", ")) };
    paragraphs.push(format!(
        "{} as assumed, {} otherwise{named}, {} not seen. What needs something broken, an instance or a client is in \
         docs/assumptions.md\n",
        of(Verdict::AsAssumed).count(),
        otherwise.len(),
        of(Verdict::NotSeen).count()
    ));
    paragraphs.join("\n")
}
