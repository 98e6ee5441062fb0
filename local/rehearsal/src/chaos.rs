//! `local chaos`: what goes wrong on AWS, done to real processes under load, and that everything comes to rest.
//!
//! Each scenario lets something break, mostly while a release moves traffic. Then one question is asked of all of them:
//! is the service at rest on one live colour, and do ledger, rules, `CodeDeploy` and the instances agree?

mod calls;
mod deployments;
mod events;
pub(crate) mod excuse;
mod functions;
mod gates;
mod instances;
mod ledgers;
mod operators;
mod outcome;
mod previews;
mod resources;
pub(crate) mod rest;
mod rules;
mod scenarios;
pub(crate) mod stage;
mod weights;

use crate::display::Display;
use crate::start::Start;
use anyhow::{Context, Result, bail, ensure};
use cloud::{Cloud, Places};
use outcome::{PlayedScenario, Tally};
use scenarios::{SCENARIOS, Scenario, Setting};
use stage::Stage;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use visitors::{HostRate, Plan, Visitors};

/// How much faster AWS's own clocks run than on AWS, unless told otherwise.
const SPEED: u32 = 30;

/// Longer than a release takes that is tried twice and waits for AWS to answer again.
const LIMIT: Duration = Duration::from_secs(240);

/// What is run, and where the tally goes.
#[derive(Debug)]
pub struct Chaos<'a> {
    /// The names of the scenarios; empty for all.
    pub only: &'a [String],
    /// The service that it happens to; none for the first of the stack.
    pub service: Option<&'a str>,
    /// Requests a second.
    pub rate: u32,
    /// `target/chaos/tally.json`.
    pub tally: &'a Path,
}

/// Runs the scenarios. True when all came to rest as they had to and nothing was lost that need not be.
///
/// # Errors
/// When a scenario is not known, or the local cloud cannot be started.
pub async fn run(places: &Places, start: &Start, chaos: &Chaos<'_>) -> Result<bool> {
    let chosen = chosen(chaos.only)?;
    let display = Arc::new(Display::new());
    let (mut outcomes, mut skipped) = (Vec::new(), BTreeMap::new());
    for setting in Setting::ALL {
        let mut left: Vec<&Scenario> = chosen.iter().copied().filter(|one| one.setting == setting).collect();
        left.reverse();
        // A scenario that leaves no rest behind leaves a cloud that the next one cannot be judged on.
        while !left.is_empty() {
            display.line("starting: emulator, stack, functions, instances, load balancer");
            let options = start.options(SPEED, &setting.parameters());
            let options = cloud::Options { functions: setting.functions(places), ..options };
            let cloud = Cloud::start(places.clone(), &options).await?;
            let played =
                on_one_cloud(&cloud, &display, &mut left, chaos, (&mut outcomes, &mut skipped)).await;
            cloud.stop().await;
            played?;
        }
    }
    display.finish();
    let tally = Tally::new(chaos.rate, outcomes, skipped);
    for line in tally.lines() {
        display.line(&line);
    }
    tally.write(chaos.tally)?;
    display.line(&format!("tally: {}", chaos.tally.display()));
    Ok(tally.passed)
}

fn chosen(only: &[String]) -> Result<Vec<&'static Scenario>> {
    let names = || SCENARIOS.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ");
    for name in only {
        ensure!(
            SCENARIOS.iter().any(|one| one.name == name),
            "there is no scenario {name}; there are {}",
            names()
        );
    }
    let is_chosen = |one: &&Scenario| only.is_empty() || only.iter().any(|name| name == one.name);
    Ok(SCENARIOS.iter().filter(is_chosen).collect())
}

/// Plays from the end of the list until one leaves no rest, or none is left.
async fn on_one_cloud(
    cloud: &Cloud,
    display: &Arc<Display>,
    left: &mut Vec<&Scenario>,
    chaos: &Chaos<'_>,
    (outcomes, skipped): (&mut Vec<PlayedScenario>, &mut BTreeMap<&'static str, String>),
) -> Result<()> {
    let mut stage = Stage::new(cloud, Arc::clone(display), chaos.service)?;
    stage.first_release().await?;
    while let Some(scenario) = left.pop() {
        if let Some(why) = scenario.lacks.map_or(Ok(None), |lacks| lacks(&stage))? {
            display.line(&format!("skipped  {}: {why}", scenario.name));
            skipped.insert(scenario.name, why);
            continue;
        }
        let outcome = play(&mut stage, scenario, chaos.rate).await?;
        let rests = outcome.rests;
        display.line(&outcome.line());
        outcomes.push(outcome);
        if !rests {
            return Ok(());
        }
    }
    Ok(())
}

async fn play(stage: &mut Stage<'_>, scenario: &Scenario, rate: u32) -> Result<PlayedScenario> {
    let display = stage.display();
    display.chapter(&format!("{}: {}", scenario.name, scenario.happens));
    let began = Instant::now();
    stage.begin();
    let host = HostRate { host: stage.host().to_owned(), per_second: rate };
    let visitors = Visitors::start(Plan::new(stage.cloud().traffic.address(), vec![host]))
        .context("a host name is no header")?;
    let played = async {
        let played = tokio::time::timeout(LIMIT, (scenario.play)(stage)).await;
        stage.calm();
        let verdict = match played {
            Ok(Ok(verdict)) => Ok(verdict),
            Ok(Err(error)) => Err(format!("{error:#}")),
            Err(_) => Err(format!("it was not over after {} s", LIMIT.as_secs())),
        };
        let rest = rest::until_at_rest(stage).await;
        // So that the last answers tell who carries the traffic.
        tokio::time::sleep(rest::LAST_ANSWERS).await;
        (verdict, rest)
    };
    let (verdict, rest) = tokio::select! {
        played = played => played,
        never = display.watch(&visitors) => match never {},
    };
    let log = visitors.stop().await;
    let mut faults: Vec<String> = Vec::new();
    let verdict = verdict.unwrap_or_else(|error| {
        faults.push(error);
        None
    });
    let ends = verdict.as_ref().map(|verdict| verdict.word.as_str());
    if faults.is_empty() && ends.is_some_and(|word| !scenario.ends.contains(&word)) {
        faults.push(format!(
            "the release had to end as {}, and is {}",
            scenario.ends.join(" or "),
            verdict
                .as_ref()
                .map_or_else(String::new, |verdict| format!("{}: {}", verdict.word, verdict.reason))
        ));
    }
    let rests = rest.is_empty();
    faults.extend(rest);
    if rests {
        faults.extend(rest::answered_by_another(&log, stage.live().await?.number));
    }
    let seen = (&log, stage.host());
    Ok(PlayedScenario::judged(scenario, verdict, faults, rests, seen, stage.excuses(), began.elapsed()))
}

/// Polls until `what` is true.
async fn until<F: Future<Output = Result<bool>>>(
    what: &str,
    limit: Duration,
    mut holds: impl FnMut() -> F,
) -> Result<()> {
    let waited = async {
        while !holds().await? {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    };
    match tokio::time::timeout(limit, waited).await {
        Ok(outcome) => outcome,
        Err(_) => bail!("{what}: not within {} s", limit.as_secs()),
    }
}
