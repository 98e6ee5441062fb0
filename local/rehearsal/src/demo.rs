//! `local demo`: a whole release story, told while it happens.

mod attack;
mod decisions;
mod story;

use self::decisions::Decisions;
use crate::display::Display;
use crate::product::Product;
use crate::releases::Releases;
use crate::tally::Tally;
use crate::tally::attack::Attack;
use anyhow::{Context, Result};
use attack::Told;
use cloud::{Cloud, Options, Places};
use jiff::Timestamp;
use story::Story;
use visitors::{Counts, HostRate, Log, Plan, Visitors};

/// Requests a second to each service: more than 500 in total.
const RATES: [u32; 2] = [300, 250];

/// How many times faster AWS's own clocks run in the demo.
pub const SPEED: u32 = 20;

/// Runs the story on a local cloud of its own and leaves the tally in `target/local/tally.json`. True when it went
/// as it should: every release ended as it had to, and no request was lost.
///
/// # Errors
/// When the local cloud cannot be started or a step of the story does not come about in time.
pub async fn run(places: Places, options: &Options) -> Result<bool> {
    let display = Display::new();
    display.line("starting: emulator, stack, functions, instances, load balancer");
    let cloud = Cloud::start(places, options).await?;
    let told = tell(&cloud, &display, options).await;
    display.finish();
    let file = cloud.places.state.join("tally.json");
    cloud.stop().await;
    let (tally, deviations) = told?;
    std::fs::write(&file, serde_json::to_vec_pretty(&tally)?)
        .with_context(|| format!("cannot write {}", file.display()))?;
    display.chapter("Tally");
    let deviating = deviations.iter().map(|deviation| format!("NOT AS IT HAD TO BE: {deviation}"));
    for line in tally.lines().into_iter().chain(deviating) {
        display.print(&line);
    }
    display.line(&format!("tally: {}", file.display()));
    Ok(deviations.is_empty())
}

/// The story's tally, and what went otherwise than it had to.
async fn tell(cloud: &Cloud, display: &Display, options: &Options) -> Result<(Tally, Vec<String>)> {
    let product = Product::of(&cloud.stack)?;
    attack::configure(cloud, &product).await?;
    let releases = Releases::new(&cloud.aws, &cloud.places, product.clone());
    let mut story = Story::new(&releases, &product, display, &cloud.uploads);
    let mut decisions = Decisions::new(&cloud.places.state.join("logs"));
    display.hold_back();
    let played = tokio::select! {
        played = play(cloud, &product, &mut story, display, options) => played,
        never = decisions.show(display, &cloud.functions) => match never {},
    };
    decisions.tell(display, Timestamp::MAX).await;
    display.hold_no_more();
    let (log, attack) = played?;
    let ledgers = releases.ledgers().await?;
    let Story { uploads, mut deviations, .. } = story;
    let mut tally = Tally::draw_up(cloud, &product, &log, &uploads, &ledgers)?;
    if let Some(told) = attack {
        let mut attack = Attack::draw_up(&told.attackers, &told.attempts, &Counts::of(&log).total());
        attack.add_office(&told.office);
        told.explain(&mut attack);
        deviations.extend(attack.deviations());
        tally.attack = Some(attack);
    }
    if tally.requests.lost > 0 {
        deviations.push(format!("{} requests were lost", tally.requests.lost));
    }
    Ok((tally, deviations))
}

/// The first releases, then everything that happens while people visit.
async fn play(
    cloud: &Cloud,
    product: &Product,
    story: &mut Story<'_>,
    display: &Display,
    options: &Options,
) -> Result<(Log, Option<Told>)> {
    let hosts = product.services.iter().zip(RATES).map(|(service, per_second)| {
        let host = product.host_of(service, &cloud.traffic.history())?;
        Ok(HostRate { host, per_second })
    });
    let hosts: Vec<HostRate> = hosts.collect::<Result<_>>()?;
    let attacked = hosts.first().map(|rate| rate.host.clone()).context("the story needs a service")?;
    story.first_releases().await?;
    let visitors =
        Visitors::start(Plan::new(cloud.traffic.address(), hosts)).context("a host name is no header")?;
    let office = attack::office(cloud, &attacked)?;
    let visited = async {
        story.with_visitors().await?;
        if !cloud.firewall.is_up() {
            display.line("the stack has no web ACL; nobody attacks");
            return Ok(None);
        }
        attack::run(cloud, &attacked, options, display).await.map(Some)
    };
    let mut attack = tokio::select! {
        attack = visited => attack,
        never = display.watch(&visitors) => match never {},
    };
    display.line("no visitor comes any more; the last ones get their answers");
    let log = visitors.stop().await;
    let logged_in = office.stop().await;
    if let Ok(Some(told)) = &mut attack {
        told.office = logged_in;
    }
    attack.map(|attack| (log, attack))
}
