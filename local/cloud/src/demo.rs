//! `local demo`: a whole release story, told while it happens.

mod attack;
mod decisions;
mod display;
mod story;

use std::sync::Arc;

use anyhow::{Context, Result};
use visitors::{HostRate, Plan, Visitors};

use crate::cloud::{Cloud, Options};
use crate::places::Places;
use crate::product::Product;
use crate::receipt::Receipt;
use crate::receipt::attack::Attack;
use crate::releases::Releases;
use decisions::Decisions;
pub use display::Display;
use story::Story;

/// Requests a second to each service: more than 500 in total.
const RATES: [u32; 2] = [300, 250];

/// How many times faster AWS's own clocks run in the demo.
pub const SPEED: u32 = 10;

/// Policy times that make a story of minutes out of one of hours. They are real time; an alarm needs up to one of its
/// periods, which is six seconds at the default speed.
const PARAMETERS: [(&str, &str); 8] = [
    ("Strategy", "canary:10%:12s"),
    ("Bake", "7s"),
    ("InstallDeadline", "90s"),
    ("Drain", "3s"),
    ("UnhealthyGrace", "10s"),
    ("UnknownLimit", "30s"),
    ("LookInterval", "2s"),
    ("Architecture", if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }),
];

/// The parameters of the demo, under those that somebody gave.
pub fn parameters(given: &[(String, String)]) -> Vec<(String, String)> {
    let defaults = PARAMETERS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let defaults = defaults.filter(|(name, _)| given.iter().all(|(other, _)| other != name));
    defaults.chain(given.iter().cloned()).collect()
}

/// Runs the story on a local cloud of its own and leaves the receipt in `target/local/receipt.json`. True when it went
/// as it should: every release ended as it had to, and no request was lost.
///
/// # Errors
/// When the local cloud cannot be started or a step of the story does not come about in time.
pub async fn run(places: Places, options: &Options) -> Result<bool> {
    let display = Arc::new(Display::new());
    display.line("starting: emulator, stack, functions, instances, load balancer");
    let cloud = Cloud::start(places, options).await?;
    let told = tell(&cloud, &display, options).await;
    display.finish();
    let receipt = cloud.places.state.join("receipt.json");
    cloud.stop().await;
    let (outcome, written) = told?;
    std::fs::write(&receipt, serde_json::to_vec_pretty(&written)?)
        .with_context(|| format!("cannot write {}", receipt.display()))?;
    display.receipt(&written, &outcome);
    display.line(&format!("receipt: {}", receipt.display()));
    Ok(outcome.is_empty() && written.requests.lost == 0)
}

/// The story's deviations, empty when there were none, and its receipt.
async fn tell(cloud: &Cloud, display: &Arc<Display>, options: &Options) -> Result<(Vec<String>, Receipt)> {
    let product = Product::of(&cloud.stack)?;
    attack::configure(cloud, &product).await?;
    let hosts = product.services.iter().zip(RATES).map(|(service, per_second)| {
        let host = product.host_of(service, &cloud.traffic.history())?;
        Ok(HostRate { host, per_second })
    });
    let hosts: Vec<HostRate> = hosts.collect::<Result<_>>()?;
    let decisions = Decisions::new(&cloud.places.state.join("logs"));
    let watching = tokio::spawn(decisions.show(Arc::clone(display)));
    let releases = Releases::new(&cloud.aws, &cloud.places, product.clone());
    let mut story = Story::new(&releases, &product, display, &cloud.uploads);

    let attacked = hosts.first().map(|rate| rate.host.clone()).context("the story needs a service")?;
    let result = async {
        story.first_releases().await?;
        let visitors =
            Visitors::start(Plan::new(cloud.traffic.address(), hosts)).context("a host name is no header")?;
        let story = async {
            story.with_visitors().await?;
            if !cloud.firewall.is_up() {
                display.line("the stack has no web ACL; nobody attacks");
                return Ok(None);
            }
            attack::run(cloud, &attacked, options, display).await.map(Some)
        };
        let told = tokio::select! {
            told = story => told,
            never = display.watch(&visitors) => match never {},
        };
        let log = visitors.stop().await;
        told.map(|attack| (log, attack))
    }
    .await;
    watching.abort();
    let (log, attack) = result?;
    let ledgers = releases.ledgers().await?;
    let mut receipt = Receipt::draw_up(cloud, &product, &log, &story.uploads, &ledgers)?;
    if let Some(told) = attack {
        let mut attack = Attack::draw_up(&told.attackers, &told.attempts, &log.counts().total());
        told.explain(&mut attack);
        story.deviations.extend(attack.deviations());
        receipt.attack = Some(attack);
    }
    Ok((story.deviations, receipt))
}
