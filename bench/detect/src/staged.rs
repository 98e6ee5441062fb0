//! The cases, played on a local cloud of each policy: one after another on each service, and on both services at once.

use crate::cases::{Beside, Case, Comes, Policy, Row, chosen};
use crate::left::Left;
use crate::played::{BEFORE, CONNECTIONS, SPEED, come};
use crate::rows::Rows;
use anyhow::{Context, Result};
use cloud::{Cloud, Places};
use futures::future::try_join_all;
use jiff::Timestamp;
use rehearsal::{Display, Product, Releases, Start, misbehave};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::future::pending;
use std::net::IpAddr;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;
use visitors::{Attack, Attacker, HostRate, Plan, Visitors};

/// Two attempts of an evidence step, with their installations.
const LIMIT: Duration = Duration::from_mins(75);
/// How long a user waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// A tick writes it.
const RECEIPT: Duration = Duration::from_mins(2);
/// From the first weight to the morning.
const NIGHT: Duration = Duration::from_mins(4);
const NIGHTLY: u32 = 1;
const IN_THE_MORNING: u32 = 600;
/// From the first weight to the outage.
const WELL: Duration = Duration::from_mins(1);
const OUTAGE: Duration = Duration::from_mins(2);
/// Requests of the scanner and of the broken link's client, a second.
const SCANS: u32 = 5;
const REPEATS: u32 = 2;

/// Plays these cases, or all, and writes what became of them after each. True when every one ended as it must.
///
/// # Errors
/// When there is no such case, the local cloud cannot be started, or a release does not end.
pub(crate) async fn run(places: &Places, start: &Start, names: &[String], output: &Path) -> Result<bool> {
    let cases = chosen(names)?;
    let display = Display::new();
    let rows = Rows::of(output);
    for policy in Policy::ALL {
        let cases: Vec<&'static Case> = cases.iter().filter(|case| case.policy == policy).copied().collect();
        if cases.is_empty() {
            continue;
        }
        let options = start.options(SPEED, &policy.parameters());
        display.line(&format!(
            "starting the local cloud for {} cases; AWS's own clocks run {} times as fast",
            cases.len(),
            options.speed
        ));
        let cloud = Cloud::start(places.clone(), &options).await?;
        let played = on_both_services(&cloud, &display, &cases, &rows).await;
        cloud.stop().await;
        played?;
    }
    display.finish();
    let rows = rows.all();
    let wrong = rows.iter().filter(|row| row.wrong.is_some()).count();
    display.line(&format!("{} of {} cases ended as they must", rows.len() - wrong, rows.len()));
    display.line(&format!("written to {}", output.display()));
    Ok(wrong == 0)
}

async fn on_both_services(
    cloud: &Cloud,
    display: &Display,
    cases: &[&'static Case],
    rows: &Rows<'_, Row>,
) -> Result<()> {
    let product = Product::of(&cloud.stack)?;
    let services = product.services.iter().enumerate().map(|(index, service)| {
        let cases = cases.iter().skip(index).step_by(product.services.len()).copied();
        let releases = Releases::new(&cloud.aws, &cloud.places, product.clone());
        let mut stage = Stage { cloud, display, product: &product, releases, service, number: 0 };
        async move {
            for (seed, case) in (1..).zip(cases) {
                let row = Box::pin(stage.play(case, seed)).await?;
                display.line(&row.line());
                rows.add(row)?;
            }
            Ok(())
        }
    });
    try_join_all(services).await.map(drop)
}

/// One service.
struct Stage<'a> {
    cloud: &'a Cloud,
    display: &'a Display,
    product: &'a Product,
    releases: Releases,
    service: &'a str,
    number: u32,
}

impl Stage<'_> {
    async fn play(&mut self, case: &'static Case, seed: u64) -> Result<Row> {
        if self.number == 0 {
            let first = self.upload("{}", None).await?;
            self.releases.until(&first, &["live"], LIMIT).await?;
        }
        self.misbehave(&[&self.live_colour().await?], &serde_json::from_str(case.live)?)?;
        let host = self.product.host_of(self.service, &self.cloud.traffic.history())?;
        let beside = self.beside(case, &host)?;
        let hosts = vec![HostRate { host, per_second: 0 }];
        let plan = Plan {
            connections: CONNECTIONS,
            timeout: PATIENCE,
            ..Plan::new(self.cloud.traffic.address(), hosts)
        };
        let visitors = Visitors::start(plan).context("a host name is no header")?;
        self.warm_up(case, &visitors).await;
        visitors.take_log();
        self.display.line(&format!("{} is released on {}", case.name, self.service));
        let upload = self.upload(case.candidate, case.smoke).await?;
        let morning = OnceLock::new();
        let verdict = tokio::select! {
            verdict = self.releases.until(&upload, &["live", "rejected", "superseded"], LIMIT) => verdict?,
            never = self.users(case, &visitors, seed, &morning) => match never? {},
            never = self.meanwhile(case) => match never? {},
        };
        if let Some(attack) = beside {
            attack.stop().await;
        }
        let log = visitors.stop().await;
        let left = self.releases.receipt(&upload, RECEIPT).await?;
        let left: Left = serde_json::from_value(left).context("this is no receipt")?;
        let from = morning.get().copied().or_else(|| left.first_weight()).unwrap_or(upload.at);
        Ok(Row::of(case, &verdict, &left, &log, from))
    }

    async fn upload(&mut self, behaviour: &str, smoke: Option<&str>) -> Result<rehearsal::Upload> {
        self.number += 1;
        let behaviour = serde_json::from_str(behaviour)?;
        self.releases.upload_with(self.service, self.number, &behaviour, smoke).await
    }

    /// Lets visitors come until CloudWatch knows how many: it asks for whole minutes.
    async fn warm_up(&self, case: &Case, visitors: &Visitors) {
        let per_minute = match case.comes {
            Comes::Nobody => return,
            Comes::Steadily(per_minute) => per_minute,
            Comes::NightThenMorning => NIGHTLY,
        };
        tokio::select! {
            () = tokio::time::sleep(BEFORE) => {}
            never = come(visitors, per_minute, 0) => match never {},
        }
    }

    /// The users; notes when it is morning.
    async fn users(
        &self,
        case: &Case,
        visitors: &Visitors,
        seed: u64,
        morning: &OnceLock<Timestamp>,
    ) -> Result<Infallible> {
        let per_minute = match case.comes {
            Comes::Nobody => return pending().await,
            Comes::Steadily(per_minute) => per_minute,
            Comes::NightThenMorning => {
                tokio::select! {
                    over = self.after_first_weight(NIGHT) => over?,
                    never = come(visitors, NIGHTLY, seed) => match never {},
                }
                morning.get_or_init(cloud::now);
                IN_THE_MORNING
            }
        };
        Ok(come(visitors, per_minute, seed).await)
    }

    async fn after_first_weight(&self, time: Duration) -> Result<()> {
        self.releases.until_shifting(self.service, LIMIT).await?;
        tokio::time::sleep(time).await;
        Ok(())
    }

    async fn meanwhile(&self, case: &Case) -> Result<Infallible> {
        if case.beside == Beside::Outage {
            self.after_first_weight(WELL).await?;
            self.misbehave(&["blue", "green"], &json!({ "errorOneIn": 1 }))?;
            self.display.line("everything fails on both colours");
            tokio::time::sleep(OUTAGE).await;
            self.misbehave(&["blue", "green"], &json!({}))?;
            self.display.line("both colours are well again");
        }
        pending().await
    }

    /// What runs on these colours behaves so from its next health check on.
    fn misbehave(&self, colours: &[&str], behaviour: &Value) -> Result<()> {
        let group = self.product.auto_scaling_group(self.service)?;
        for instance in self.cloud.fleet.in_service(group) {
            for colour in colours {
                misbehave(&instance, self.service, colour, behaviour)?;
            }
        }
        Ok(())
    }

    async fn live_colour(&self) -> Result<String> {
        let ledgers = self.releases.ledgers().await?;
        let ledger = ledgers.iter().find(|(service, _)| service == self.service);
        let colour = ledger.and_then(|(_, ledger)| ledger.pointer("/live/colour")?.as_str());
        Ok(colour.with_context(|| format!("no version of {} is live", self.service))?.to_owned())
    }

    fn beside(&self, case: &Case, host: &str) -> Result<Option<Attack>> {
        let address = IpAddr::from([198, 51, 100, 7]);
        let client = match case.beside {
            Beside::Nothing | Beside::Outage => return Ok(None),
            Beside::BrokenLink => Attacker::broken_link(address, REPEATS),
            Beside::Scanner => Attacker::scanner(address, SCANS),
        };
        Ok(Some(
            Attack::start(self.cloud.traffic.address(), host, &[client])
                .context("a host name is no header")?,
        ))
    }
}
