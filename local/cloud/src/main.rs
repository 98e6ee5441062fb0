//! `local up` runs the local cloud; `local demo` shows a whole release on it.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use local::bench;
use local::chaos::{self, Chaos};
use local::cloud::{Cloud, Options};
use local::demo::{self, Display};
use local::places::Places;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Parser)]
#[command(about = "The release pipeline on one machine, without an AWS account")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the local cloud and keep it running.
    Up(Start),
    /// Tell a release story with load on it, and write a receipt. Fails when a request was lost.
    Demo(Start),
    /// Measure how fast bad releases are taken back. Fails when a request was lost.
    Bench {
        #[command(flatten)]
        start: Start,
        /// How many releases are taken back.
        #[arg(long, default_value_t = 20)]
        returns: u32,
    },
    /// Break things under load. Fails when a service does not come to rest, or a request is lost that need not be.
    Chaos {
        #[command(flatten)]
        start: Start,
        /// Play this scenario; can be given several times.
        #[arg(long, value_name = "NAME")]
        only: Vec<String>,
        /// Requests a second.
        #[arg(long, default_value_t = 300)]
        rate: u32,
    },
}

#[derive(Debug, Args)]
struct Start {
    /// How many times faster AWS's own clocks run [default: 10; 20 for bench and chaos].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=60))]
    speed: Option<u32>,
    /// A value for a parameter of the template.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// The port of the endpoint that plays AWS.
    #[arg(long, default_value_t = 4566)]
    port: u16,
    /// The port of the load balancer.
    #[arg(long, default_value_t = 8000)]
    load_balancer_port: u16,
    /// Every how many seconds the web ACL's log is delivered; AWS does it every 300.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=300))]
    waf_log_interval: u64,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Start {
    fn options(self) -> Options {
        let parameters = demo::parameters(&self.parameters);
        Options { parameters, ..self.bare_options(demo::SPEED) }
    }

    /// Without the demo's times.
    fn bare_options(self, speed: u32) -> Options {
        Options {
            speed: self.speed.unwrap_or(speed),
            parameters: self.parameters,
            gateway_port: self.port,
            load_balancer_port: self.load_balancer_port,
            waf_log_interval: Duration::from_secs(self.waf_log_interval),
            ..Options::default()
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()),
        )
        .init();
    let outcome = match Cli::parse().command {
        Command::Up(start) => up(start.options()).await,
        Command::Demo(start) => demo(start.options()).await,
        Command::Bench { start, returns } => bench(start.bare_options(bench::SPEED), returns).await,
        Command::Chaos { start, only, rate } => chaos(start.bare_options(chaos::SPEED), &only, rate).await,
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn up(options: Options) -> Result<ExitCode> {
    let display = Display::new();
    display.line("starting: emulator, stack, functions, instances, load balancer");
    let cloud = tokio::select! {
        cloud = Cloud::start(places()?, &options) => cloud?,
        stopped = interrupted() => return stopped.map(|()| ExitCode::SUCCESS),
    };
    display.running(&cloud, &options)?;
    interrupted().await?;
    display.line("stopping");
    cloud.stop().await;
    display.finish();
    Ok(ExitCode::SUCCESS)
}

async fn demo(options: Options) -> Result<ExitCode> {
    let went_well = tokio::select! {
        outcome = demo::run(places()?, &options) => outcome?,
        stopped = interrupted() => stopped.map(|()| false)?,
    };
    Ok(if went_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn bench(options: Options, returns: u32) -> Result<ExitCode> {
    let output = Path::new("target/bench/return.json");
    let went_well = tokio::select! {
        outcome = bench::run(places()?, &options, returns, output) => outcome?,
        stopped = interrupted() => stopped.map(|()| false)?,
    };
    Ok(if went_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn chaos(options: Options, only: &[String], rate: u32) -> Result<ExitCode> {
    let (places, receipt) = (places()?, Path::new("target/chaos/receipt.json"));
    let chaos = Chaos { only, rate, receipt };
    let went_well = tokio::select! {
        outcome = chaos::run(&places, &options, &chaos) => outcome?,
        stopped = interrupted() => stopped.map(|()| false)?,
    };
    Ok(if went_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn places() -> Result<Places> {
    Places::find(&std::env::current_dir()?)
}

/// Somebody wants it to end, at the terminal or from outside.
async fn interrupted() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be awaited")?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.context("Ctrl-C cannot be awaited"),
        _ = terminate.recv() => Ok(()),
    }
}
