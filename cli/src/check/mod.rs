//! `greenlight bundle check`: the judge of uploads, at hand.

mod local;
mod report;

use crate::archive::{Archive, Form};
use crate::say;
use anyhow::Context as _;
use appspec::finding::{Agent, Finding, Severity};
use bundle::{Expected, Inspection, Limits, inspect};
use clap::{Args, ValueEnum};
use report::Report;
use std::fs::File;
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
    /// The version of an object; without it the newest
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "ID")]
    version_id: Option<String>,
    #[cfg(feature = "aws")]
    #[command(flatten)]
    account: crate::aws::Account,
}

/// A line of agents.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Line {
    /// 1.x
    #[value(name = "1")]
    One,
    /// 2.x
    #[value(name = "2")]
    Two,
}

impl Line {
    pub(crate) fn agent(self) -> Agent {
        match self {
            Self::One => Agent::One,
            Self::Two => Agent::Two,
        }
    }
}

/// A form of the answer.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Output {
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
    let Checked { inspection, folder } = check(arguments).await?;
    let agent = arguments.agent.agent();
    let refused = tell(&arguments.bundle, folder.as_deref(), &inspection, agent, arguments.output)?;
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Says what was found, and whether it is refused.
pub(crate) fn tell(
    bundle: &str,
    folder: Option<&Path>,
    inspection: &Inspection,
    agent: Agent,
    output: Output,
) -> anyhow::Result<bool> {
    let said = Report { bundle, folder, inspection, agent };
    let text = match output {
        Output::Text => said.text(),
        Output::Json => format!("{:#}\n", said.json()),
        Output::Sarif => format!("{:#}\n", said.sarif()),
        Output::Github => said.github(),
    };
    say::answer(&text)?;
    Ok(inspection.findings.refuse(agent))
}

/// What the judge says of a bundle.
#[cfg(feature = "aws")]
pub(crate) struct Judged {
    /// For people.
    pub(crate) text: String,
    /// For programs.
    pub(crate) json: serde_json::Value,
    /// Whether the bundle would be refused.
    pub(crate) refused: bool,
}

/// Judges a bundle of this machine, or a folder that is to be one.
///
/// # Errors
/// When it cannot be read.
#[cfg(feature = "aws")]
pub(crate) async fn judge(bundle: &str, agent: Agent) -> anyhow::Result<Judged> {
    let Checked { inspection, folder } = check_path(bundle).await?;
    let said = Report { bundle, folder: folder.as_deref(), inspection: &inspection, agent };
    Ok(Judged { text: said.text(), json: said.json(), refused: inspection.findings.refuse(agent) })
}

struct Checked {
    inspection: Inspection,
    /// The folder that was packed, where it was one: annotations point into it.
    folder: Option<PathBuf>,
}

async fn check(arguments: &Arguments) -> anyhow::Result<Checked> {
    let bundle = arguments.bundle.as_str();
    if bundle.starts_with("s3://") {
        return check_object(arguments).await;
    }
    #[cfg(feature = "aws")]
    if arguments.version_id.is_some() || arguments.account.names_another_cloud() {
        anyhow::bail!("--version-id and --endpoint-url are for an object of S3, and {bundle} is none");
    }
    check_path(bundle).await
}

async fn check_path(bundle: &str) -> anyhow::Result<Checked> {
    let path = Path::new(bundle);
    let what = std::fs::metadata(path).with_context(|| format!("{bundle} cannot be read"))?;
    if !what.is_dir() {
        let zip = File::open(path).with_context(|| format!("{bundle} cannot be read"))?;
        return Ok(Checked { inspection: file(zip, Vec::new()).await?, folder: None });
    }
    let temporary = tempfile::tempfile().context("there is no room for a packed bundle")?;
    let mut archive = Archive::new(temporary, Form::Glance);
    archive.add_folder(path, "", |_| false)?;
    let (zip, odd_names) = archive.finish()?;
    Ok(Checked { inspection: file(zip, odd_names).await?, folder: Some(path.to_owned()) })
}

/// What is found in a ZIP on this machine, beside what could not be packed into it.
pub(crate) async fn file(zip: File, odd_names: Vec<Finding>) -> anyhow::Result<Inspection> {
    let zip = local::LocalFile::new(zip)?;
    let mut inspection = inspect(&zip, &Limits::default(), Expected::default()).await?;
    inspection.findings.extend(odd_names);
    local::check_contents(&zip, &mut inspection.findings);
    inspection.findings.sort();
    Ok(inspection)
}

#[cfg(feature = "aws")]
async fn check_object(arguments: &Arguments) -> anyhow::Result<Checked> {
    let address = crate::release::address(&arguments.bundle)?;
    let client = arguments.account.s3().await;
    let object = crate::aws::object(client, address, arguments.version_id.clone()).await?;
    let inspection = inspect(&object, &Limits::default(), Expected::default()).await?;
    Ok(Checked { inspection, folder: None })
}

#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "the other one waits for S3")]
async fn check_object(arguments: &Arguments) -> anyhow::Result<Checked> {
    anyhow::bail!(
        "this greenlight was built without AWS and cannot read {}: download it first",
        arguments.bundle
    )
}

/// Errors before warnings, each in the order of the files.
const SEVERITIES: [Severity; 2] = [Severity::Error, Severity::Warning];
