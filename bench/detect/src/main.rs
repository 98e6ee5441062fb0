//! How long a version that fails every request stays, and how many requests it costs; and cases that are hard to judge.

mod cases;
mod goal;
mod left;
mod played;
mod rows;
mod staged;

use clap::{Parser, Subcommand};
use rehearsal::Start;
use rehearsal::command::{or_interrupted, places, run};
use std::path::Path;
use std::process::ExitCode;

/// Release versions that fail every request, by evidence, to visitors who come by chance. Fails when too few are back in time
/// and at the cost that is allowed.
#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    start: Start,
    /// How many such versions are released at each rate; each has visitors of its own.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// Requests a minute; can be given several times [default: 3000, 60 and 3].
    #[arg(long = "rate", value_name = "REQUESTS")]
    rates: Vec<u32>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play what is hard to judge: versions that hang, outages, scanners, silence. Fails when one does not end as it must.
    Cases {
        /// Those with these names; all of them unless told otherwise.
        names: Vec<String>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { start, seeds, rates, command } = Cli::parse();
    if let Some(Command::Cases { names }) = command {
        let output = Path::new("target/bench/cases.json");
        return run(async {
            or_interrupted(Box::pin(staged::run(&places()?, &start, &names, output))).await
        })
        .await;
    }
    let options = start.options(played::SPEED, &played::PARAMETERS);
    let rates =
        if rates.is_empty() { goal::GOALS.map(|goal| goal.requests_per_minute).to_vec() } else { rates };
    run(async {
        let output = Path::new("target/bench/detect.json");
        or_interrupted(Box::pin(played::run(&places()?, &options, &rates, seeds, output))).await
    })
    .await
}
