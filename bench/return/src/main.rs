//! How fast a bad release is taken back, and that nothing is lost on the way.

mod percentiles;
mod returns;

use clap::Parser;
use rehearsal::Start;
use rehearsal::command::{or_interrupted, places, run};
use std::path::Path;
use std::process::ExitCode;

/// Let bad releases be taken back under load on a local cloud. Fails when one is not, or a request was lost.
#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    start: Start,
    /// How many releases are taken back.
    #[arg(long, default_value_t = 20)]
    returns: u32,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { start, returns } = Cli::parse();
    let options = start.options(returns::SPEED, &returns::PARAMETERS);
    run(async {
        let output = Path::new("target/bench/return.json");
        or_interrupted(Box::pin(returns::run(places()?, &options, returns, output))).await
    })
    .await
}
