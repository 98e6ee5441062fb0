//! Versions that fail every request, one after another, while visitors come by chance.

use crate::goal::{Row, sum_up};
use crate::rows::Rows;
use anyhow::{Context, Result, bail};
use bench_evidence::random::Random;
use cloud::{Cloud, Options, Places};
use futures::future::try_join_all;
use rehearsal::{Display, Product, Release, Releases, Tally, ToldVerdict, Upload};
use serde_json::json;
use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use visitors::{HostRate, Plan, Visitors};

/// How much faster AWS's own clocks run than on AWS, unless told otherwise: boots, metrics, alarms, deliveries. What hooks and
/// functions do, and with it all that the counts decide by, is as slow as on AWS.
pub(crate) const SPEED: u32 = 20;

/// The template's own policy, where it has to do with how soon a bad version is back.
pub(crate) const PARAMETERS: [(&str, &str); 5] = [
    ("Strategy", "evidence"),
    ("LookInterval", "5s"),
    ("UnknownLimit", "3m"),
    ("Bake", "5m"),
    ("InstallDeadline", "15m"),
];

/// How long visitors come before the first bad version, so that CloudWatch knows how many: it asks for whole minutes.
pub(crate) const BEFORE: Duration = Duration::from_secs(150);

/// Longer than a release that goes back takes: its step has 30 minutes at most.
const LIMIT: Duration = Duration::from_secs(35 * 60);

/// How many connections the visitors share, each a client of its own: of every client the first requests count.
pub(crate) const CONNECTIONS: usize = 200;

/// Plays every rate on a cloud of its own, and writes what was measured after each version. True when nine in ten versions
/// met what is asked at every rate.
///
/// # Errors
/// When the local cloud cannot be started, or a version that fails every request goes live.
pub(crate) async fn run(
    places: &Places,
    options: &Options,
    rates: &[u32],
    seeds: u64,
    output: &Path,
) -> Result<bool> {
    let display = Display::new();
    let rows = Rows::of(output);
    for rate in rates {
        display.line(&format!(
            "starting the local cloud for {rate} requests a minute; AWS's own clocks run {} times as fast",
            options.speed
        ));
        let cloud = Cloud::start(places.clone(), options).await?;
        let played = at_rate(&cloud, &display, *rate, seeds, &rows).await;
        cloud.stop().await;
        played?;
    }
    display.finish();
    let all = rows.all();
    let sums: Vec<(String, bool)> = rates.iter().map(|rate| sum_up(*rate, &all, seeds)).collect();
    for (line, _) in &sums {
        display.line(line);
    }
    display.line(&format!("written to {}", output.display()));
    Ok(sums.iter().all(|(_, met)| *met))
}

/// All services at once, each with a part of the seeds.
async fn at_rate(
    cloud: &Cloud,
    display: &Display,
    rate: u32,
    seeds: u64,
    rows: &Rows<'_, Row>,
) -> Result<()> {
    let product = Product::of(&cloud.stack)?;
    let services = product.services.iter().enumerate().map(|(index, service)| {
        let seeds = (1..=seeds).skip(index).step_by(product.services.len());
        let releases = Releases::new(&cloud.aws, &cloud.places, product.clone());
        let bench = Bench { cloud, display, product: &product, releases, service, rate };
        async move { Box::pin(bench.play(seeds, rows)).await }
    });
    try_join_all(services).await.map(drop)
}

/// One service at one rate.
struct Bench<'a> {
    cloud: &'a Cloud,
    display: &'a Display,
    product: &'a Product,
    releases: Releases,
    service: &'a str,
    rate: u32,
}

impl Bench<'_> {
    async fn play(&self, seeds: impl Iterator<Item = u64>, rows: &Rows<'_, Row>) -> Result<()> {
        self.ended(1, 0, "live").await?;
        let host = self.product.host_of(self.service, &self.cloud.traffic.history())?;
        let hosts = vec![HostRate { host, per_second: 0 }];
        let plan = Plan { connections: CONNECTIONS, ..Plan::new(self.cloud.traffic.address(), hosts) };
        let visitors = Visitors::start(plan).context("a host name is no header")?;
        let warm_up = async {
            tokio::time::sleep(BEFORE).await;
            Ok(())
        };
        self.while_they_come(&visitors, 0, warm_up).await?;
        for (number, seed) in (2..).zip(seeds) {
            visitors.take_log();
            let released = self.ended(number, 1, "rejected");
            let upload = Box::pin(self.while_they_come(&visitors, seed, released)).await?;
            let ledgers = self.releases.ledgers().await?;
            let log = visitors.take_log();
            let tally = Tally::draw_up(self.cloud, self.product, &log, &[upload], &ledgers)?;
            for release in &tally.releases {
                self.note(seed, release, rows)?;
            }
        }
        visitors.stop().await;
        Ok(())
    }

    /// Has visitors come by chance, until this is over.
    async fn while_they_come<T>(
        &self,
        visitors: &Visitors,
        seed: u64,
        meanwhile: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        tokio::select! {
            ended = meanwhile => ended,
            never = come(visitors, self.rate, seed) => match never {},
        }
    }

    /// A release, which has to end like this; `error_one_in` 0 for a good one.
    async fn ended(&self, number: u32, error_one_in: u32, expected: &str) -> Result<Upload> {
        let behaviour = json!({ "errorOneIn": error_one_in });
        let mut upload = self.releases.upload(self.service, number, &behaviour).await?;
        let verdict = self.releases.until(&upload, &["live", "rejected", "superseded"], LIMIT).await?;
        let ToldVerdict { word, reason } = &verdict;
        if word != expected {
            bail!("release {number} of {} had to end as {expected}, and is {word}: {reason}", self.service);
        }
        upload.verdict = Some(verdict);
        Ok(upload)
    }

    fn note(&self, seed: u64, release: &Release, rows: &Rows<'_, Row>) -> Result<()> {
        let Release { number, reason, .. } = release;
        let seconds = |time: Option<u64>| time.map(|time| Duration::from_millis(time).as_secs_f64());
        let Some(first_bad_to_last_bad_s) = seconds(release.first_bad_to_last_bad_ms) else {
            self.display.line(&format!("{} {number}, seed {seed}: nobody asked it: {reason}", self.service));
            return Ok(());
        };
        let row = Row {
            requests_per_minute: self.rate,
            seed,
            first_bad_to_last_bad_s,
            requests_failed: release.failed,
            load_balancer_s: seconds(release.weights_to_traffic_ms).unwrap_or_default(),
            by_counts: reason.contains("odds of"),
        };
        self.display.line(&format!(
            "{} {number}, seed {seed}: back after {first_bad_to_last_bad_s:.1} s, {} failed: {reason}",
            self.service, row.requests_failed
        ));
        rows.add(row)
    }
}

/// Lets requests come, so many a minute on average.
pub(crate) async fn come(visitors: &Visitors, per_minute: u32, seed: u64) -> Infallible {
    let mut random = Random::new(seed);
    let mut at = Instant::now();
    let mut number = seed << 32;
    loop {
        at += Duration::from_secs_f64(random.pause(f64::from(per_minute) / 60.0));
        sleep_until(at).await;
        visitors.ask(0, number);
        number += 1;
    }
}
