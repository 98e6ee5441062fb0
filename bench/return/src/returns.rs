//! One release after another, most of them bad, and how each was taken back.

use crate::percentiles::Percentiles;
use anyhow::{Context, Result};
use cloud::{Cloud, Invocation, Options, Places, Propagation};
use rehearsal::{Display, Product, Release, Releases, Tally, Upload};
use serde::Serialize;
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::Instant;
use visitors::{HostRate, Plan, Visitors};

/// Requests a second: more than 300 while functions, emulator and instances share the machine with them.
const RATE: u32 = 350;

/// Longer than a release or a return takes.
const LIMIT: Duration = Duration::from_secs(100);

/// How much faster AWS's own clocks run than on AWS, unless told otherwise: an alarm looks every second.
pub(crate) const SPEED: u32 = 60;

/// After so many returns comes a good release, so that the colours swap and both are returned from.
const RETURNS_TO_A_RELEASE: u32 = 10;

/// What makes a return cheap: one instance, and no time in which nothing happens.
pub(crate) const PARAMETERS: [(&str, &str); 9] = [
    ("DesiredInstances", "1"),
    ("Strategy", "canary:20%:8s"),
    ("Bake", "2s"),
    ("InstallDeadline", "60s"),
    ("Drain", "1s"),
    ("UnknownLimit", "30s"),
    ("LookInterval", "1s"),
    ("RollbackWindow", "0"),
    ("HealAfter", "0"),
];

/// What was measured, `target/bench/return.json`.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// From CloudWatch's event to the rule without weight for the candidate. The data plane follows at once.
    pub(crate) alarm_to_rule_ms: Percentiles,
    /// From CloudWatch's event to the last request that the candidate answered.
    pub(crate) alarm_to_last_request_ms: Percentiles,
    /// The most AWS calls that a function made up to the one that deleted the rule, that one included. A tick asks for
    /// the ledgers of all services, which count.
    pub(crate) aws_calls_max: usize,
    /// Releases that went live.
    pub(crate) releases: usize,
    /// Releases that were taken back because of an alarm.
    pub(crate) returns: usize,
    /// Requests without an answer from any version.
    pub(crate) lost: u64,
    /// How many were sent.
    pub(crate) requests: u64,
    /// Calls of `plan` a second on one core, in the middle of a shift, as `bench-plan` measures them; none where that
    /// program was not built.
    pub(crate) plan_per_second: Option<u64>,
}

/// Lets `returns` bad releases be taken back, with a good one before each ten, and writes what was measured. True when
/// all came back and no request was lost.
///
/// # Errors
/// When the local cloud cannot be started or a release does not end.
pub(crate) async fn run(places: Places, options: &Options, returns: u32, output: &Path) -> Result<bool> {
    let display = Display::new();
    let plan_per_second = plan_per_second(&places, &display).await?;
    display.line(&format!("starting the local cloud for {returns} returns"));
    let cloud = Cloud::start(places, options).await?;
    cloud.traffic.set_propagation(Propagation::After([Duration::ZERO; 2]));
    cloud.functions.set_cold_start(Duration::ZERO);
    let measured = measure(&cloud, &display, returns).await;
    cloud.stop().await;
    display.finish();
    let measured = Measured { plan_per_second, ..measured? };
    let text = serde_json::to_string_pretty(&measured)?;
    if let Some(folder) = output.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    std::fs::write(output, &text).with_context(|| format!("cannot write {}", output.display()))?;
    display.print(&text);
    display.line(&format!("written to {}", output.display()));
    Ok(measured.lost == 0 && measured.returns == usize::try_from(returns)?)
}

/// What `bench-plan` says of a pass in the middle of a shift.
async fn plan_per_second(places: &Places, display: &Display) -> Result<Option<u64>> {
    let program = places.root.join("target/prove/bench-plan");
    if !program.exists() {
        display.line(&format!(
            "{} is missing, so plan is not measured; make bench builds it",
            program.display()
        ));
        return Ok(None);
    }
    let output = Command::new(&program).kill_on_drop(true).output();
    let Ok(output) = tokio::time::timeout(LIMIT, output).await else {
        display.line(&format!("{} has measured nothing within {} s", program.display(), LIMIT.as_secs()));
        return Ok(None);
    };
    let output = output.with_context(|| format!("cannot start {}", program.display()))?;
    Ok(shifting_speed(&String::from_utf8_lossy(&output.stdout)))
}

/// The number of the line `shifting: N plans a second`.
fn shifting_speed(said: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.strip_prefix("shifting: "))?;
    line.split(' ').next()?.parse().ok()
}

/// One release after another, each measured when it has ended: the ledger remembers only the last ones.
struct Bench<'a> {
    cloud: &'a Cloud,
    display: &'a Display,
    product: Product,
    releases: Releases,
    service: String,
    number: u32,
    live: usize,
    back: Vec<Release>,
    aws_calls_max: usize,
}

async fn measure(cloud: &Cloud, display: &Display, returns: u32) -> Result<Measured> {
    let product = Product::of(&cloud.stack)?;
    let service = product.services.first().context("the template has no service")?.clone();
    let host = product.host_of(&service, &cloud.traffic.history())?;
    let releases = Releases::new(&cloud.aws, &cloud.places, product.clone());
    let mut bench = Bench {
        cloud,
        display,
        product,
        releases,
        service,
        number: 0,
        live: 0,
        back: Vec::new(),
        aws_calls_max: 0,
    };
    bench.ended(0).await?;
    bench.live += 1;
    let visitors =
        Visitors::start(Plan::new(cloud.traffic.address(), vec![HostRate { host, per_second: RATE }]))
            .context("a host name is no header")?;
    let began = Instant::now();
    for returned in 0..returns {
        if returned % RETURNS_TO_A_RELEASE == 0 {
            bench.one(&visitors, 0).await?;
            bench.tell(returned, returns, began);
        }
        bench.one(&visitors, 5).await?;
    }
    bench.tell(returns, returns, began);
    let counts = visitors.counts();
    visitors.stop().await;
    let rule = |release: &Release| release.alarm_to_weights_ms;
    let last = |release: &Release| Some(release.alarm_to_weights_ms? + release.weights_to_traffic_ms?);
    Ok(Measured {
        alarm_to_rule_ms: Percentiles::of(bench.back.iter().filter_map(rule).collect()),
        alarm_to_last_request_ms: Percentiles::of(bench.back.iter().filter_map(last).collect()),
        aws_calls_max: bench.aws_calls_max,
        releases: bench.live,
        returns: bench.back.iter().filter(|release| rule(release).is_some()).count(),
        lost: counts.lost(),
        requests: counts.requests(),
        plan_per_second: None,
    })
}

impl Bench<'_> {
    /// A release with visitors, and what became of it.
    async fn one(&mut self, visitors: &Visitors, error_one_in: u32) -> Result<()> {
        let journal = self.cloud.functions.journal();
        // What the last release still does is not counted for this one.
        while !journal.is_idle() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let before = journal.look(<[Invocation]>::len);
        let upload = self.ended(error_one_in).await?;
        let log = visitors.take_log();
        let ledgers = self.releases.ledgers().await?;
        let tally = Tally::draw_up(self.cloud, &self.product, &log, &[upload], &ledgers)?;
        for release in tally.releases {
            match release.verdict.as_str() {
                "live" => self.live += 1,
                _ => {
                    let calls =
                        journal.look(|all| calls_up_to_the_delete(all.get(before..).unwrap_or_default()));
                    self.aws_calls_max = self.aws_calls_max.max(calls);
                    self.back.push(release);
                }
            }
        }
        Ok(())
    }

    async fn ended(&mut self, error_one_in: u32) -> Result<Upload> {
        self.number += 1;
        let behaviour = json!({ "errorOneIn": error_one_in });
        let mut upload = self.releases.upload(&self.service, self.number, &behaviour).await?;
        let verdict = self.releases.until(&upload, &["live", "rejected", "superseded"], LIMIT).await?;
        let expected = if error_one_in == 0 { "live" } else { "rejected" };
        if verdict.word != expected || (error_one_in > 0 && !verdict.reason.contains("alarm")) {
            self.display.line(&format!("release {}: {} - {}", self.number, verdict.word, verdict.reason));
        }
        upload.verdict = Some(verdict);
        Ok(upload)
    }

    fn tell(&self, returned: u32, returns: u32, began: Instant) {
        let rule =
            Percentiles::of(self.back.iter().filter_map(|release| release.alarm_to_weights_ms).collect());
        let left = began.elapsed() / returned.max(1) * (returns - returned);
        let left = if returned == 0 { String::new() } else { format!(", {} s to go", left.as_secs()) };
        self.display.line(&format!(
            "{returned} of {returns} returns, {} releases live; alarm to rule {} ms in the median, {} ms at p99{left}",
            self.live, rule.p50, rule.p99
        ));
    }
}

/// How many AWS calls a function makes up to the one that takes the candidate's weight away.
fn calls_up_to_the_delete(invocations: &[Invocation]) -> usize {
    let deletes = |call: &String| call.ends_with("DeleteRule");
    let before = invocations.iter().filter_map(|one| one.calls.iter().position(deletes));
    before.map(|before| before + 1).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_is_that_of_a_shift() {
        let said =
            "idle: 3000000 plans a second\nshifting: 1234567 plans a second\nbaking: 1 plans a second\n";
        assert_eq!(shifting_speed(said), Some(1_234_567));
        assert_eq!(shifting_speed("nothing"), None);
    }
}
