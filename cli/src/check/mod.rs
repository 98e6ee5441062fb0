//! `greenlight bundle check`: the judge of uploads, at hand.

mod folder;
mod local;
mod report;

use anyhow::{Context as _, bail};
use appspec::finding::{Agent, Severity};
use bundle::{Expected, Inspection, Limits, inspect};
use clap::{Args, ValueEnum};
use report::Report;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What to check, and how to say it.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A ZIP, a folder that is to be one, or `s3://bucket/key`
    bundle: String,
    /// The CodeDeploy agent on the instances: what it fails on is an error, what only the other fails on a warning
    #[arg(long, value_enum, default_value_t = Line::One)]
    agent: Line,
    /// How to say it
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    object: Object,
}

/// Which object of S3 is meant, in the words of the AWS CLI. Region and credentials come from where it has them, too.
#[derive(Debug, Args)]
pub(crate) struct Object {
    /// The version of the object; without it the newest
    #[arg(long, value_name = "ID")]
    pub(crate) version_id: Option<String>,
    /// Where S3 is, if not at AWS
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
}

/// A line of agents.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Line {
    /// 1.x
    #[value(name = "1")]
    One,
    /// 2.x
    #[value(name = "2")]
    Two,
}

/// A form of the answer.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    /// For people; nothing when there is nothing to say
    Text,
    /// One object with all that is known of each finding
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of a GitHub workflow
    Github,
}

/// Checks, says, and tells the outcome.
///
/// # Errors
/// When the bundle cannot be read.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Checked { inspection, folder } = check(&arguments.bundle, &arguments.object).await?;
    let agent = match arguments.agent {
        Line::One => Agent::One,
        Line::Two => Agent::Two,
    };
    let report =
        Report { bundle: &arguments.bundle, folder: folder.as_deref(), inspection: &inspection, agent };
    let text = match arguments.output {
        Output::Text => report.text(),
        Output::Json => format!("{:#}\n", report.json()),
        Output::Sarif => format!("{:#}\n", report.sarif()),
        Output::Github => report.github(),
    };
    std::io::stdout().write_all(text.as_bytes()).context("the answer could not be written")?;
    Ok(if inspection.findings.refuse(agent) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Says why there is no answer, where answers do not go. There is nobody to tell if that fails, too.
pub(crate) fn say_error(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap_or_default();
}

struct Checked {
    inspection: Inspection,
    /// The folder that was packed, where it was one: annotations point into it.
    folder: Option<PathBuf>,
}

async fn check(bundle: &str, which: &Object) -> anyhow::Result<Checked> {
    let limits = Limits::default();
    if let Some(object) = bundle.strip_prefix("s3://") {
        return match object.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty()) {
            Some((bucket, key)) => check_object(bucket, key, which, &limits).await,
            None => bail!("{bundle} names no object: write s3://bucket/key"),
        };
    }
    if which.version_id.is_some() || which.endpoint_url.is_some() {
        bail!(
            "--version-id and --endpoint-url are for an object of S3, and {bundle} is none: write s3://bucket/key"
        );
    }
    let path = Path::new(bundle);
    let what = std::fs::metadata(path).with_context(|| format!("{bundle} cannot be read"))?;
    let (file, folder, odd_names) = if what.is_dir() {
        let (file, odd_names) = folder::pack(path)?;
        (file, Some(path.to_owned()), odd_names)
    } else {
        (File::open(path).with_context(|| format!("{bundle} cannot be read"))?, None, Vec::new())
    };
    let file = local::LocalFile::new(file)?;
    let mut inspection = inspect(&file, &limits, Expected::default()).await?;
    inspection.findings.extend(odd_names);
    local::check_contents(&file, &mut inspection.findings);
    inspection.findings.sort();
    Ok(Checked { inspection, folder })
}

#[cfg(feature = "aws")]
async fn check_object(bucket: &str, key: &str, which: &Object, limits: &Limits) -> anyhow::Result<Checked> {
    let object = crate::aws::object(bucket, key, which).await?;
    let inspection = inspect(&object, limits, Expected::default()).await?;
    Ok(Checked { inspection, folder: None })
}

#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "the other one waits for S3")]
async fn check_object(bucket: &str, key: &str, _: &Object, _: &Limits) -> anyhow::Result<Checked> {
    bail!("this greenlight was built without AWS and cannot read s3://{bucket}/{key}: download it first")
}

/// Errors before warnings, each in the order of the files.
const SEVERITIES: [Severity; 2] = [Severity::Error, Severity::Warning];
