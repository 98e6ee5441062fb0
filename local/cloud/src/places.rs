//! Where everything lies: the product, its tools, and what the local cloud writes.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// Folders and programs, all below the root of the repository but the binaries.
#[derive(Debug, Clone)]
pub struct Places {
    /// The folder that holds `template.yaml`.
    pub root: PathBuf,
    /// Emptied at every start: logs, instances, the tally.
    pub state: PathBuf,
    /// The folder of the running program, where cargo puts the binaries of the same profile.
    pub binaries: PathBuf,
}

impl Places {
    /// Below the nearest folder, from `start` upwards, that has a `template.yaml`.
    ///
    /// # Errors
    /// When there is none, or the system does not tell where the running program lies.
    pub fn find(start: &Path) -> Result<Self> {
        let Some(root) = start.ancestors().find(|folder| folder.join("template.yaml").is_file()) else {
            bail!("no template.yaml in {} or above; run this inside the repository", start.display());
        };
        let program = std::env::current_exe().context("the system does not tell where this program lies")?;
        let binaries = program.parent().context("this program lies in no folder")?.to_owned();
        Ok(Self { root: root.to_owned(), state: root.join("target/local"), binaries })
    }

    /// The product's template.
    pub fn template(&self) -> PathBuf {
        self.root.join("template.yaml")
    }

    /// Python with the emulator and the SAM translator.
    pub fn python(&self) -> PathBuf {
        self.root.join(".venv/bin/python")
    }

    /// A tool from the virtual environment.
    pub fn tool(&self, name: &str) -> PathBuf {
        self.root.join(".venv/bin").join(name)
    }

    /// A script of the emulator.
    pub fn emulator(&self, script: &str) -> PathBuf {
        self.root.join("local/cloud/emulator").join(script)
    }

    /// A function's binary, or the program that is released.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    /// The kit that every bundle carries.
    pub fn kit(&self) -> PathBuf {
        self.root.join("instance")
    }

    /// A log.
    pub fn log(&self, name: &str) -> PathBuf {
        self.state.join("logs").join(name)
    }

    /// AWS's Runtime Interface Emulator for this processor, as the aws-sam-cli wheel carries it.
    ///
    /// # Errors
    /// When the virtual environment has none.
    pub fn runtime_emulator(&self) -> Result<PathBuf> {
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
        let name = format!("samcli/local/rapid/aws-lambda-rie-{architecture}");
        let lib = self.root.join(".venv/lib");
        let versions = std::fs::read_dir(&lib).into_iter().flatten().flatten();
        let found = versions
            .map(|version| version.path().join("site-packages").join(&name))
            .find(|path| path.is_file());
        match found {
            Some(path) => Ok(path),
            None => bail!("no {name} below {}; run make to install aws-sam-cli", lib.display()),
        }
    }
}
