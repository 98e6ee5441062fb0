//! `local up` runs the local cloud; `local demo` tells a whole release story on it; `local chaos` breaks it; `local
//! examples` releases the examples to it as containers.

use clap::{Parser, Subcommand};
use rehearsal::chaos::{self, Chaos};
use rehearsal::command::{or_interrupted, places, run};
use rehearsal::{Start, demo, examples, up};
use std::path::Path;
use std::process::ExitCode;

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
    /// Tell a release story with load on it, and write its tally. Fails when a request was lost.
    Demo(Start),
    /// Release the examples by their own workflow, as containers, each instance with an engine of its own. It needs root.
    Examples(Start),
    /// Break things under load. Fails when a service does not come to rest, or a request is lost that need not be.
    Chaos {
        #[command(flatten)]
        start: Start,
        /// Play this scenario; can be given several times.
        #[arg(long, value_name = "NAME")]
        only: Vec<String>,
        /// The service that it happens to; the first of the stack unless told otherwise.
        #[arg(long, value_name = "NAME")]
        service: Option<String>,
        /// Requests a second.
        #[arg(long, default_value_t = 300)]
        rate: u32,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let asked = Cli::parse().command;
    run(async {
        let places = places()?;
        match asked {
            Command::Up(start) => Box::pin(up::run(places, &start.options(demo::SPEED, &[]))).await,
            Command::Demo(start) => {
                let options = start.options(demo::SPEED, &[]);
                or_interrupted(Box::pin(demo::run(places, &options))).await
            }
            Command::Examples(start) => or_interrupted(Box::pin(examples::run(places, &start))).await,
            Command::Chaos { start, only, service, rate } => {
                let (service, tally) = (service.as_deref(), Path::new("target/chaos/tally.json"));
                let chaos = Chaos { only: &only, service, rate, tally };
                or_interrupted(Box::pin(chaos::run(&places, &start, &chaos))).await
            }
        }
    })
    .await
}
