//! `greenlight release upload`: a bundle, under the name that opens a release.

use super::Address;
use super::output::Output;
use crate::aws::{self, Put};
use crate::github::add_to;
use crate::manifest::Manifest;
use crate::say;
use crate::told::{Told, environment};
use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;
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
    told: Told,
    /// How to say it
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    account: aws::Account,
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
    let key = key(arguments, Manifest::of_bundle(bundle)?, environment)?;
    let address = Address { bucket: bucket.clone(), key };
    let client = arguments.account.s3().await;
    let Put::Done(version) = aws::upload_new(&client, bundle, &address).await? else {
        bail!(
            "{address} is there already, and a number means one bundle: run the workflow again, which gives it a new number"
        )
    };
    let uri = address.to_string();
    let text = match arguments.output {
        Output::Json => {
            let Address { bucket, key } = address;
            format!("{}\n", json!({ "uri": uri, "bucket": bucket, "key": key, "versionId": version }))
        }
        Output::Text | Output::Github => format!("{uri}\nversion {version}\n"),
    };
    if arguments.output == Output::Github {
        add_to("GITHUB_OUTPUT", &format!("uri={uri}\nversion-id={version}\n"))?;
    }
    say::answer(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The name that opens the release.
fn key(
    arguments: &Arguments,
    manifest: Option<Manifest>,
    variable: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<String> {
    let Arguments { told, service, .. } = arguments;
    let (number, commit) = manifest.map_or((None, None), |manifest| (manifest.number, manifest.commit));
    let number = told.number(number, &variable)?;
    let number =
        number.context("the release has no number: say --number, or --run-number and --run-attempt")?;
    let commit = told.commit(commit, &variable)?.context("the release names no commit: say --commit")?;
    if service.is_empty() || service.contains('/') {
        bail!("{service:?} is no service: name one of the stack");
    }
    Ok(format!("releases/{service}/{number}-{commit}.zip"))
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

    fn key_of(told: &[&str], manifest: Option<Manifest>) -> String {
        key(&arguments(told), manifest, |name| (name == "GITHUB_RUN_NUMBER").then(|| "9".to_owned())).unwrap()
    }

    #[test]
    fn the_bundle_itself_says_its_name_wherever_it_is_uploaded() {
        let expected = "releases/backend/14201-3f9c2ab41d0e.zip";
        assert_eq!(key_of(&[], Some(manifest())), expected);
        assert_eq!(key_of(&["--number", "14201", "--commit", "3f9c2ab"], Some(manifest())), expected);
    }

    #[test]
    fn a_bundle_that_says_nothing_takes_what_is_told() {
        let told = ["--run-number", "7", "--run-attempt", "2", "--commit", "3f9c2ab"];
        assert_eq!(key_of(&told, None), "releases/backend/702-3f9c2ab.zip");
        assert_eq!(key_of(&["--commit", "3f9c2ab"], None), "releases/backend/901-3f9c2ab.zip");
    }
}
