//! `local examples`: the examples' own images, built, packed, uploaded and waited for by the workflow that users copy, on
//! instances with an engine of their own each.

mod workflow;

use crate::chaos::excuse::Losses;
use crate::chaos::rest;
use crate::chaos::stage::Stage;
use crate::display::Display;
use crate::product::Product;
use crate::start::Start;
use anyhow::{Context, Result, ensure};
use cloud::{Cloud, Options, Places};
use codedeploy::Engine;
use futures::future::try_join_all;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::process::Command;
use visitors::{Counts, HostRate, Log, Plan, Visitors};
use workflow::{Ended, Workflow};

/// How many times faster than AWS's its clocks run: as in the demo, with time for engines that load images side by side.
const SPEED: u32 = 20;
const PARAMETERS: [(&str, &str); 2] = [("InstallDeadline", "4m"), ("UnhealthyGrace", "15s")];

/// Room for the images of both colours, and three bundles with their images.
const DISK_MIB: u64 = 3_072;

/// Requests a second to each example.
const RATE: u32 = 100;

/// What the images are built on, and words that let this machine build them: a proxy may stand before the registries.
const BASE: &str = "greenlight-node:22";
const WORDS: &str = "--network host --build-arg BASE=greenlight-node:22 --build-arg RDS_CA=rds-ca.pem";

/// How to break each example: a file, a line of it, and what fails whoever asks for the first page.
const BROKEN: [(&str, &str, &str, &str); 2] = [
    (
        "backend",
        "src/controller.ts",
        "return releaseOf(process.env);",
        "throw new Error('broken on purpose');",
    ),
    ("frontend", "src/server.js", "response.writeHead(200,", "response.writeHead(500,"),
];

/// `greenlight release wait` says so of a rejected release.
const REJECTED: i32 = 1;

/// What came of it, as `target/local/examples.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Tally {
    passed: bool,
    releases: Vec<Release>,
    requests: u64,
    per_second: f64,
    /// Requests that got no answer although a healthy colour was there.
    lost: u64,
    /// Requests that were under way to the instance that was switched off, or sent until it was seen.
    lost_by_the_data_plane: u64,
    /// Answers that said 5xx: the broken releases' own.
    errors: u64,
    seconds: u64,
    /// What went otherwise than it had to.
    faults: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Release {
    service: String,
    run: u32,
    /// Whether the workflow succeeded.
    is_live: bool,
    seconds: u64,
}

/// Releases both examples three times, the third time broken, and switches an instance off and on. True when all went as
/// it should and no request was lost.
///
/// # Errors
/// When Docker, or anything else that it needs, is missing.
pub async fn run(places: Places, start: &Start) -> Result<bool> {
    let display = Arc::new(Display::new());
    display.line("starting: emulator, stack, functions, instances, load balancer");
    let options = Options { disk_mib: DISK_MIB, ..start.options(SPEED, &PARAMETERS) };
    let cloud = Cloud::start(places, &options).await?;
    let played = play(&cloud, &display).await;
    let file = cloud.places.state.join("examples.json");
    cloud.stop().await;
    display.finish();
    let tally = played?;
    std::fs::write(&file, serde_json::to_vec_pretty(&tally)?)
        .with_context(|| format!("cannot write {}", file.display()))?;
    let Tally { requests, lost, lost_by_the_data_plane, errors, seconds, .. } = &tally;
    display.line(&format!(
        "{requests} requests, {lost} lost, {lost_by_the_data_plane} by the data plane, {errors} errors, {seconds} s"
    ));
    for fault in &tally.faults {
        display.line(&format!("NOT AS IT HAD TO BE: {fault}"));
    }
    display.line(&format!("tally: {}", file.display()));
    Ok(tally.passed)
}

async fn play(cloud: &Cloud, display: &Arc<Display>) -> Result<Tally> {
    let began = Instant::now();
    let product = Product::of(&cloud.stack)?;
    let workflows =
        BROKEN.iter().map(|(service, ..)| Workflow::new(cloud, service, &product.artifacts, WORDS));
    let workflows: Vec<Workflow> = workflows.collect::<Result<_>>()?;
    let backend = Stage::new(cloud, Arc::clone(display), Some("backend"))?;
    let mut frontend = Stage::new(cloud, Arc::clone(display), Some("frontend"))?;

    display.chapter("An engine on each instance, and the images' base");
    let mut engines = engines(cloud, &product).await?;
    base(cloud).await?;
    let mut story = Story { display, workflows: &workflows, releases: Vec::new(), faults: Vec::new() };
    story.push(1, None).await?;

    let rate = |stage: &Stage<'_>| HostRate { host: stage.host().to_owned(), per_second: RATE };
    let hosts = vec![rate(&backend), rate(&frontend)];
    let visitors =
        Visitors::start(Plan::new(cloud.traffic.address(), hosts)).context("a host name is no header")?;
    let visited = async {
        story.push(2, None).await?;
        for (workflow, (_, file, line, to)) in workflows.iter().zip(BROKEN) {
            workflow.change(file, line, to)?;
        }
        story.push(3, Some(REJECTED)).await?;
        display.chapter("An instance of the frontend is switched off and on");
        let instance = frontend.an_instance()?;
        let one = std::slice::from_ref(&instance);
        frontend.switch_off(one).await?;
        let engine = engines.remove(&instance.id).context("an instance has no engine")?;
        let engine = tokio::task::spawn_blocking(move || {
            let mut engine = engine;
            engine.restart().map(|()| engine)
        });
        engines.insert(instance.id.clone(), engine.await??);
        frontend.switch_on(one).await?;
        for stage in [&backend, &frontend] {
            story.faults.extend(rest::until_at_rest(stage).await);
            let live = stage.live().await?.number;
            if live != LIVE {
                story.faults.push(format!("release {live} of {} is live, and not {LIVE}", stage.host()));
            }
        }
        tokio::time::sleep(rest::LAST_ANSWERS).await;
        Ok::<_, anyhow::Error>(())
    };
    let visited = tokio::select! {
        visited = visited => visited,
        never = display.watch(&visitors) => match never {},
    };
    let log = visitors.stop().await;
    // They take a while to end, and hold what the cloud takes back.
    tokio::task::spawn_blocking(move || drop(engines)).await?;
    workflow::prune().await?;
    visited?;
    let Story { releases, faults, .. } = story;
    Ok(tally(releases, faults, &log, &[&backend, &frontend], began.elapsed()))
}

/// The number of the second run: run x 100 + attempt.
const LIVE: u32 = 201;

fn tally(
    releases: Vec<Release>,
    mut faults: Vec<String>,
    log: &Log,
    stages: &[&Stage<'_>],
    took: Duration,
) -> Tally {
    let (mut lost, mut lost_by_the_data_plane) = (0, 0);
    for stage in stages {
        let losses = Losses::of(log, stage.host(), stage.excuses());
        lost += losses.needless;
        lost_by_the_data_plane += losses.by_the_data_plane;
        let host = stage.host();
        faults.extend(
            losses.first.map(|first| format!("{} requests to {host} were lost, {first}", losses.needless)),
        );
    }
    let counts = Counts::of(log).total();
    Tally {
        passed: faults.is_empty(),
        releases,
        requests: counts.all(),
        per_second: log.per_second().round(),
        lost,
        lost_by_the_data_plane,
        errors: counts.errors,
        seconds: took.as_secs(),
        faults,
    }
}

/// What is pushed, and how it has to end.
struct Story<'a> {
    display: &'a Display,
    workflows: &'a [Workflow],
    releases: Vec<Release>,
    faults: Vec<String>,
}

impl Story<'_> {
    /// Both examples at the same time. `code` is what the wait has to end with, if not with success.
    async fn push(&mut self, run: u32, code: Option<i32>) -> Result<()> {
        self.display
            .chapter(&format!("Run {run} of both workflows{}", if code.is_some() { ", broken" } else { "" }));
        let timed = |workflow| async move {
            let began = Instant::now();
            Ok::<_, anyhow::Error>((Workflow::run(workflow, run).await?, began.elapsed().as_secs()))
        };
        let ended = try_join_all(self.workflows.iter().map(timed)).await?;
        for workflow in self.workflows {
            workflow.clean(run).await?;
        }
        for ((service, ..), (Ended { failed, said }, seconds)) in BROKEN.iter().zip(ended) {
            let expected = code.map(|code| ("Wait for the verdict".to_owned(), Some(code)));
            let last = said.lines().rev().find(|line| !line.starts_with("::")).unwrap_or_default();
            self.display.line(&format!("{service} {run}, {seconds} s: {last}"));
            if failed != expected {
                self.faults.push(format!("run {run} of {service} ended as {failed:?}:\n{said}"));
                ensure!(run > 1, "run {run} of {service} ended as {failed:?}:\n{said}");
            }
            self.releases.push(Release {
                service: (*service).to_owned(),
                run,
                is_live: failed.is_none(),
                seconds,
            });
        }
        Ok(())
    }
}

/// One for each instance, by its id.
async fn engines(cloud: &Cloud, product: &Product) -> Result<BTreeMap<String, Engine>> {
    let mut instances = Vec::new();
    for service in &product.services {
        instances.extend(cloud.fleet.in_service(product.auto_scaling_group(service)?));
    }
    let started = instances.into_iter().map(|instance| async move {
        let engine =
            tokio::task::spawn_blocking(move || Engine::start(&instance).map(|engine| (instance.id, engine)));
        Ok::<_, anyhow::Error>(engine.await??)
    });
    Ok(try_join_all(started).await?.into_iter().collect())
}

async fn base(cloud: &Cloud) -> Result<()> {
    let mut script = Command::new(cloud.places.python());
    let output =
        script.arg(cloud.places.root.join("local/node-image")).arg(BASE).kill_on_drop(true).output().await?;
    ensure!(output.status.success(), "the images' base: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
