//! `local bench`: how fast a bad release is taken back, and that nothing is lost on the way.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::json;
use visitors::{HostRate, Plan, Visitors};

use crate::cloud::{Cloud, Options};
use crate::demo::Display;
use crate::functions::Invocation;
use crate::places::Places;
use crate::product::Product;
use crate::receipt::{Receipt, Release};
use crate::releases::{Releases, Upload};

/// Requests a second: more than 300 while functions, emulator and instances share the machine with them.
const RATE: u32 = 350;

/// Longer than a release or a return takes.
const LIMIT: Duration = Duration::from_secs(100);

/// What was measured, `target/bench/return.json`.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// From CloudWatch's event to the rule without weight for the candidate. The data plane follows at once.
    pub alarm_to_rule_ms: Percentiles,
    /// From CloudWatch's event to the last request that the candidate answered.
    pub alarm_to_last_request_ms: Percentiles,
    /// The most AWS calls that a function made up to the one that deleted the rule, that one included.
    pub aws_calls_max: usize,
    /// Releases that went live.
    pub releases: usize,
    /// Releases that were taken back.
    pub returns: usize,
    /// Requests without an answer from any version.
    pub lost: u64,
}

/// Milliseconds.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Half took no longer.
    pub p50: u64,
    /// All but one in a hundred took no longer.
    pub p99: u64,
}

impl Percentiles {
    fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        let at = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100).max(1);
            values.get(rank - 1).copied().unwrap_or(0)
        };
        Self { p50: at(50), p99: at(99) }
    }
}

/// Lets `returns` bad releases be taken back, after one good release each five, and writes what was measured.
///
/// # Errors
/// When the local cloud cannot be started or a release does not end.
pub async fn run(places: Places, options: &Options, returns: u32, output: &Path) -> Result<bool> {
    let display = Display::new();
    display.line(&format!("starting the local cloud for {returns} returns"));
    let cloud = Cloud::start(places, options).await?;
    cloud.traffic.set_propagation(Duration::ZERO);
    let measured = measure(&cloud, &display, returns).await;
    cloud.stop().await;
    display.finish();
    let measured = measured?;
    let text = serde_json::to_string_pretty(&measured)?;
    if let Some(folder) = output.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    std::fs::write(output, &text).with_context(|| format!("cannot write {}", output.display()))?;
    display.line(&text);
    display.line(&format!("written to {}", output.display()));
    Ok(measured.lost == 0 && measured.returns == usize::try_from(returns)?)
}

async fn measure(cloud: &Cloud, display: &Display, returns: u32) -> Result<Measured> {
    let product = Product::of(&cloud.stack)?;
    let service = product.services.first().context("the template has no service")?.clone();
    let releases = Releases::new(&cloud.aws, &cloud.places, product.clone());
    let mut uploads = vec![ended(&releases, display, &service, 1, 0).await?];
    let host = product.host_of(&service, &cloud.traffic.history())?;
    let visitors =
        Visitors::start(Plan::new(cloud.traffic.address(), vec![HostRate { host, per_second: RATE }]))
            .context("a host name is no header")?;
    let (mut number, mut returned) = (1, 0);
    while returned < returns {
        number += 1;
        // Every sixth release is a good one: the colours swap, so both are returned from.
        let error_one_in = if number % 6 == 0 { 0 } else { 5 };
        uploads.push(ended(&releases, display, &service, number, error_one_in).await?);
        returned += u32::from(error_one_in > 0);
    }
    let log = visitors.stop().await;
    let ledgers = releases.ledgers().await?;
    let receipt = Receipt::draw_up(cloud, &product, &log, &uploads, &ledgers)?;
    let back: Vec<&Release> =
        receipt.releases.iter().filter(|release| release.verdict == "rejected").collect();
    let rule = |release: &&Release| release.alarm_to_weights_ms;
    let last = |release: &&Release| Some(release.alarm_to_weights_ms? + release.weights_to_traffic_ms?);
    Ok(Measured {
        alarm_to_rule_ms: Percentiles::of(back.iter().filter_map(rule).collect()),
        alarm_to_last_request_ms: Percentiles::of(back.iter().filter_map(last).collect()),
        aws_calls_max: cloud.functions.journal().look(calls_up_to_the_delete),
        releases: receipt.releases.iter().filter(|release| release.verdict == "live").count(),
        returns: back.len(),
        lost: receipt.requests.lost,
    })
}

async fn ended(
    releases: &Releases,
    display: &Display,
    service: &str,
    number: u32,
    error_one_in: u32,
) -> Result<Upload> {
    let mut upload = releases.upload(service, number, &json!({ "errorOneIn": error_one_in })).await?;
    let verdict = releases.until(&upload, &["live", "rejected", "superseded"], LIMIT).await?;
    display.line(&format!("release {number}: {} - {}", verdict.word, verdict.reason));
    upload.verdict = Some(verdict);
    Ok(upload)
}

/// How many AWS calls the alarm's function makes up to the one that takes the candidate's weight away.
fn calls_up_to_the_delete(invocations: &[Invocation]) -> usize {
    let deletes = |call: &String| call.ends_with("DeleteRule");
    let by_alarm = invocations.iter().filter(|invocation| invocation.payload.get("alarmData").is_some());
    by_alarm.filter_map(|one| one.calls.iter().position(deletes)).map(|before| before + 1).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        assert_eq!(Percentiles::of((1..=200).collect()), Percentiles { p50: 100, p99: 198 });
        assert_eq!(Percentiles::of(vec![7]), Percentiles { p50: 7, p99: 7 });
        assert_eq!(Percentiles::of(Vec::new()), Percentiles { p50: 0, p99: 0 });
    }
}
