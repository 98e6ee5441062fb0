//! How long a version that fails every request stays, and how many requests it costs.

mod goal;
mod played;

use clap::Parser;
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
}

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { start, seeds, rates } = Cli::parse();
    let options = start.options(played::SPEED, &played::PARAMETERS);
    let rates =
        if rates.is_empty() { goal::GOALS.map(|goal| goal.requests_per_minute).to_vec() } else { rates };
    run(async {
        let output = Path::new("target/bench/detect.json");
        or_interrupted(Box::pin(played::run(&places()?, &options, &rates, seeds, output))).await
    })
    .await
}
