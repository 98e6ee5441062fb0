//! `greenlight`: what an operator and a build have.

#[cfg(feature = "aws")]
mod aws;
mod check;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Releases of web services on EC2, without a lost request.
#[derive(Debug, Parser)]
#[command(name = "greenlight", version)]
struct Arguments {
    #[command(subcommand)]
    about: About,
}

#[derive(Debug, Subcommand)]
enum About {
    /// Bundles: what CodeDeploy installs.
    #[command(subcommand)]
    Bundle(Bundle),
}

#[derive(Debug, Subcommand)]
enum Bundle {
    /// Says what would fail on an instance; silent when nothing would.
    ///
    /// Ends with 0 when the bundle is good, 1 when it would be refused, 2 when the command is not understood, and 3 when
    /// the bundle cannot be read.
    Check(check::Arguments),
}

/// The bundle, or whatever else was asked for, could not be read.
const UNREADABLE: u8 = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Arguments { about: About::Bundle(Bundle::Check(arguments)) } = Arguments::parse();
    match check::run(&arguments).await {
        Ok(code) => code,
        Err(error) => {
            check::say_error(&format!("greenlight: {error:#}\n"));
            ExitCode::from(UNREADABLE)
        }
    }
}
