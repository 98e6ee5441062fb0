//! `greenlight`: what an operator and a build have.

mod archive;
#[cfg(feature = "aws")]
mod aws;
mod check;
#[cfg(all(test, feature = "aws"))]
mod documented;
#[cfg(feature = "aws")]
mod fit;
mod github;
mod kit;
mod manifest;
#[cfg(feature = "aws")]
mod operator;
mod pack;
#[cfg(feature = "aws")]
mod release;
mod say;
mod told;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
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
    /// Releases: bundles on their way to being live.
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    Release(Release),
    #[cfg(feature = "aws")]
    #[command(flatten)]
    Operator(operator::Operator),
    /// Writes what a shell needs to complete these commands: see docs/operating.md for where it goes.
    Completions {
        /// For which shell
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
enum Bundle {
    /// Says what would fail on an instance; silent when nothing would.
    ///
    /// Ends with 0 when the bundle is good, 1 when it would be refused, 2 when the command is not understood, and 3 when
    /// the bundle cannot be read.
    Check(check::Arguments),
    /// Packs a program and the kit into a bundle, and checks it.
    ///
    /// The same program gives the same bytes. Secrets and what is of use to developers only are left out. Ends as `check`
    /// does; a bundle that would be refused is not written.
    Pack(pack::Arguments),
}

#[cfg(feature = "aws")]
#[derive(Debug, Subcommand)]
enum Release {
    /// Uploads a bundle under the name that opens its release.
    ///
    /// Ends with 0 when it is there, 2 when the command is not understood, and 3 when it could not be uploaded.
    Upload(release::upload::Arguments),
    /// Waits for the verdict, and says each step on the way.
    ///
    /// Ends with 0 when the release is live, 1 when it was rejected or taken back, 2 when the command is not understood,
    /// 3 when the upload cannot be read or the credentials have expired, 4 when a newer release took its place, and 5 when the time is over.
    Wait(release::wait::Arguments),
}

/// The bundle, or whatever else was asked for, could not be read.
const UNREADABLE: u8 = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse().about {
        About::Bundle(Bundle::Check(arguments)) => check::run(&arguments).await,
        About::Bundle(Bundle::Pack(arguments)) => pack::run(&arguments).await,
        #[cfg(feature = "aws")]
        About::Release(Release::Upload(arguments)) => release::upload::run(&arguments).await,
        #[cfg(feature = "aws")]
        About::Release(Release::Wait(arguments)) => release::wait::run(&arguments).await,
        #[cfg(feature = "aws")]
        About::Operator(operator) => operator.run().await,
        About::Completions { shell } => completions(shell),
    };
    outcome.unwrap_or_else(|error| {
        say::beside(&format!("greenlight: {error:#}"));
        ExitCode::from(UNREADABLE)
    })
}

fn completions(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "greenlight", &mut script);
    say::answer(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
