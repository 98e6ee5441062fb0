//! `greenlight release upload`: a bundle, under the name that opens a release.

use crate::github::add_to;
use crate::manifest::{self, Manifest};
use crate::{aws, check};
use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// What to upload, and where.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What `bundle pack` wrote
    bundle: PathBuf,
    /// The stack's artifact bucket (output `ArtifactBucketName`)
    #[arg(long, env = "GREENLIGHT_ARTIFACTS")]
    bucket: String,
    /// Whose release it is
    #[arg(long)]
    service: String,
    #[command(flatten)]
    number: manifest::Numbering,
    /// The commit that it was built from, where the bundle does not say it
    #[arg(long, env = "GITHUB_SHA")]
    commit: Option<String>,
    /// How to say it
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    account: aws::Account,
}

/// A form of the answer.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// For programs
    Json,
    /// For people, with the annotations, outputs and summary of a GitHub workflow
    Github,
}

/// Bytes of the largest object that one PUT takes (S3 user guide, "Uploading objects").
const LARGEST: u64 = 5 * 1024 * 1024 * 1024;

/// Uploads, unless the name is taken: a number means one bundle.
///
/// # Errors
/// When it cannot be read or written, or another bundle has that name.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { bundle, bucket, .. } = arguments;
    let name = bundle.display();
    let bytes = std::fs::metadata(bundle).with_context(|| format!("{name} cannot be read"))?.len();
    if bytes > LARGEST {
        bail!(
            "{name} has {bytes} bytes, and S3 takes {LARGEST} at once: pull the image from a registry instead"
        );
    }
    let key = key(arguments, Manifest::of_bundle(bundle)?)?;
    let client = arguments.account.s3().await;
    let Some(version) = aws::upload_new(&client, bundle, bucket, &key).await? else {
        bail!(
            "s3://{bucket}/{key} is there already, and a number means one bundle: run the workflow again, which gives it a new number"
        )
    };
    let uri = format!("s3://{bucket}/{key}");
    let text = match arguments.output {
        Output::Json => {
            format!("{}\n", json!({ "uri": uri, "bucket": bucket, "key": key, "versionId": version }))
        }
        Output::Text | Output::Github => format!("{uri}\nversion {version}\n"),
    };
    if matches!(arguments.output, Output::Github) {
        add_to("GITHUB_OUTPUT", &format!("uri={uri}\nversion-id={version}\n"))?;
    }
    std::io::stdout().write_all(text.as_bytes()).context("the answer could not be written")?;
    Ok(ExitCode::SUCCESS)
}

/// The name that opens the release. What the bundle says of itself counts; what is told beside it must agree.
fn key(arguments: &Arguments, manifest: Option<Manifest>) -> anyhow::Result<String> {
    let told = (arguments.number.number()?, arguments.commit.clone().map(manifest::commit).transpose()?);
    let (number, commit) = match manifest.map(|manifest| (manifest.number, manifest.commit)) {
        Some((number, commit)) => (one("number", number, told.0)?, one("commit", commit, told.1)?),
        None => told,
    };
    let number =
        number.context("the release has no number: say --number, or --run-number and --run-attempt")?;
    let commit = commit.context("the release names no commit: say --commit")?;
    let service = &arguments.service;
    if service.is_empty() || service.contains('/') {
        bail!("{service:?} is no service: name one of the stack");
    }
    Ok(format!("releases/{service}/{number}-{commit}.zip"))
}

fn one<T: PartialEq + std::fmt::Display>(
    what: &str,
    bundle: Option<T>,
    told: Option<T>,
) -> anyhow::Result<Option<T>> {
    match (bundle, told) {
        (Some(bundle), Some(told)) if bundle != told => {
            bail!("the bundle's {what} is {bundle}, and {told} was told: pack it anew, or tell none")
        }
        (bundle, told) => Ok(bundle.or(told)),
    }
}

/// Warnings go where answers do not.
pub(crate) fn warn(text: &str) {
    check::say_error(&format!("{text}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn arguments(told: &[&str]) -> Arguments {
        let fixed = ["upload", "b.zip", "--bucket", "b", "--service", "backend"];
        Command::parse_from(fixed.iter().chain(told)).arguments
    }

    fn manifest() -> Manifest {
        Manifest {
            number: Some(14_201),
            commit: Some("3f9c2ab41d0e".into()),
            built_at: None,
            architecture: "arm64".into(),
        }
    }

    #[test]
    fn the_bundle_itself_says_its_name() {
        let key = key(&arguments(&["--number", "14201", "--commit", "3f9c2ab41d0e5566"]), Some(manifest()));
        assert_eq!(key.unwrap(), "releases/backend/14201-3f9c2ab41d0e.zip");
    }

    #[test]
    fn another_number_than_the_bundle_says_is_refused() {
        let error = key(&arguments(&["--number", "14202", "--commit", "3f9c2ab41d0e"]), Some(manifest()))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the bundle's number is 14201, and 14202 was told: pack it anew, or tell none"
        );
    }

    #[test]
    fn a_bundle_that_says_nothing_takes_what_is_told() {
        let told = ["--run-number", "7", "--run-attempt", "2", "--commit", "3f9c2ab"];
        assert_eq!(key(&arguments(&told), None).unwrap(), "releases/backend/702-3f9c2ab.zip");
    }
}
