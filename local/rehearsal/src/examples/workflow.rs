//! The action of `examples/.github`, run as GitHub runs it: its own steps, in order, with the environment that they name.

use anyhow::{Context, Result, bail};
use cloud::{Cloud, Places, REGION};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tokio::process::Command;

const ACTION: &str = "examples/.github/actions/release/action.yml";

/// It is built already.
const LEFT_OUT: &str = "Build greenlight";

#[derive(Debug, Deserialize)]
struct Action {
    runs: Runs,
}

#[derive(Debug, Deserialize)]
struct Runs {
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Step {
    id: Option<String>,
    name: Option<String>,
    /// None for another action, as the one that gets credentials.
    run: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

/// How a run of the workflow ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    /// The name and the exit code of the step that failed.
    pub(super) failed: Option<(String, Option<i32>)>,
    /// What its steps have printed.
    pub(super) said: String,
}

/// One example, in a repository of its own.
#[derive(Debug)]
pub(super) struct Workflow {
    service: String,
    folder: PathBuf,
    steps: Vec<Step>,
    environment: BTreeMap<String, String>,
    inputs: BTreeMap<String, String>,
}

impl Workflow {
    /// A copy of the example that is called like the service. `words` are for `docker build`.
    pub(super) fn new(cloud: &Cloud, service: &str, bucket: &str, words: &str) -> Result<Self> {
        let Places { root, state, binaries } = &cloud.places;
        let folder = state.join("examples").join(service);
        fs::create_dir_all(&folder)?;
        copy(&root.join("examples").join(service), &folder.join(service))?;
        // Nobody reaches the authorities' address from a machine without the internet, and no database is asked here.
        fs::write(folder.join(service).join("rds-ca.pem"), "")?;
        let (program, programs) = (binaries.join("greenlight"), folder.join("greenlight/bin"));
        anyhow::ensure!(
            program.exists(),
            "{} is missing; build it with cargo build -p cli",
            program.display()
        );
        fs::create_dir_all(&programs)?;
        std::os::unix::fs::symlink(&program, programs.join("greenlight"))?;
        let action =
            fs::read_to_string(root.join(ACTION)).with_context(|| format!("{ACTION} cannot be read"))?;
        let action: Action =
            serde_saphyr::from_str(&action).with_context(|| format!("{ACTION} is no action"))?;
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
        let inputs = [
            ("service", service),
            ("folder", service),
            ("architecture", architecture),
            ("bucket", bucket),
            ("build-arguments", words),
        ];
        let path = |name: &str| folder.join(name).display().to_string();
        let environment = [
            ("RUNNER_TEMP", folder.display().to_string()),
            ("GITHUB_OUTPUT", path("outputs")),
            ("GITHUB_STEP_SUMMARY", path("summary.md")),
            ("GITHUB_RUN_ATTEMPT", "1".to_owned()),
            ("AWS_ENDPOINT_URL", cloud.endpoint.clone()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "me".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ];
        Ok(Self {
            service: service.to_owned(),
            environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
            inputs: inputs.map(|(name, value)| (format!("inputs.{name}"), value.to_owned())).into(),
            steps: action.runs.steps,
            folder,
        })
    }

    /// A commit that changes one line of the example.
    pub(super) fn change(&self, file: &str, line: &str, to: &str) -> Result<()> {
        let file = self.folder.join(&self.service).join(file);
        let text = fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        anyhow::ensure!(text.contains(line), "{} does not say {line}", file.display());
        Ok(fs::write(file, text.replace(line, to))?)
    }

    /// Runs every step until one fails.
    pub(super) async fn run(&self, number: u32) -> Result<Ended> {
        let (mut known, mut said) = (self.inputs.clone(), String::new());
        known.insert("github.run_number".to_owned(), number.to_string());
        known.insert("github.run_attempt".to_owned(), "1".to_owned());
        for step in self.steps.iter().filter(|step| step.name.as_deref() != Some(LEFT_OUT)) {
            let Some(script) = &step.run else { continue };
            let outputs = self.folder.join("outputs");
            fs::write(&outputs, "")?;
            let mut bash = Command::new("bash");
            bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]).current_dir(&self.folder);
            bash.envs(&self.environment).env("GITHUB_RUN_NUMBER", number.to_string());
            bash.env("GITHUB_SHA", format!("{number:040x}"));
            for (name, value) in &step.env {
                bash.env(name, filled(value, &known)?);
            }
            let output = bash.kill_on_drop(true).output().await.context("bash cannot be started")?;
            let name = step.name.clone().unwrap_or_default();
            let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
            said.extend(["--- ", name.as_str(), "\n", &out, &err]);
            if !output.status.success() {
                return Ok(Ended { failed: Some((name, output.status.code())), said });
            }
            let Some(id) = &step.id else { continue };
            for line in fs::read_to_string(&outputs)?.lines() {
                let (name, value) = line.split_once('=').with_context(|| format!("{line} is no output"))?;
                known.insert(format!("steps.{id}.outputs.{name}"), value.to_owned());
            }
        }
        Ok(Ended { failed: None, said })
    }

    /// Removes the image that a run has built, which would not outlive its runner.
    pub(super) async fn clean(&self, number: u32) -> Result<()> {
        let image = format!("{}:{}", self.service, number * 100 + 1);
        let _was_not_built = Command::new("docker").args(["image", "rm", &image]).output().await?;
        Ok(())
    }
}

/// Removes what the builds have left without a name.
pub(super) async fn prune() -> Result<()> {
    let words = ["image", "prune", "--force", "--filter", "label=greenlight=examples"];
    let _was_none = Command::new("docker").args(words).output().await?;
    Ok(())
}

/// A value of a step's environment, whose expressions are names.
fn filled(value: &str, known: &BTreeMap<String, String>) -> Result<String> {
    let mut filled = String::new();
    let mut rest = value;
    while let Some((before, expression)) = rest.split_once("${{") {
        let Some((name, after)) = expression.split_once("}}") else { bail!("{value} has no end") };
        let known = known.get(name.trim()).with_context(|| format!("nothing is known of {name}"))?;
        filled.push_str(before);
        filled.push_str(known);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = std::process::Command::new("cp").arg("-R").arg(from).arg(to).status()?;
    anyhow::ensure!(copied.success(), "{} cannot be copied", from.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_what_is_known_by_its_name() {
        let known = BTreeMap::from([("inputs.service".to_owned(), "backend".to_owned())]);
        assert_eq!(filled("a ${{ inputs.service }} b", &known).unwrap(), "a backend b");
        assert!(filled("${{ inputs.other }}", &known).is_err());
    }
}
