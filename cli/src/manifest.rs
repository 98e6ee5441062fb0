//! `release.json`: what a bundle says of itself.

use anyhow::Context as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where it lies in a bundle.
pub(crate) const NAME: &str = "release.json";

/// What a bundle says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    /// Its place in the order of releases.
    pub(crate) number: Option<u64>,
    /// What it was built from.
    pub(crate) commit: Option<String>,
    /// When.
    pub(crate) built_at: Option<Timestamp>,
    /// For which processor.
    pub(crate) architecture: String,
}

impl Manifest {
    /// As it is written into the bundle.
    pub(crate) fn to_text(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// What it says, for people.
    pub(crate) fn in_words(&self) -> String {
        let number = self.number.map_or("without a number".to_owned(), |number| format!("release {number}"));
        let commit = self.commit.as_ref().map_or(String::new(), |commit| format!(" of {commit}"));
        format!("{number}{commit}, for {}", self.architecture)
    }

    /// That of a bundle. `None`: it has none, as one that was packed otherwise.
    ///
    /// # Errors
    /// When the file is no ZIP, or what it says cannot be understood.
    #[cfg(feature = "aws")]
    pub(crate) fn of_bundle(bundle: &std::path::Path) -> anyhow::Result<Option<Self>> {
        let name = bundle.display();
        let file = std::fs::File::open(bundle).with_context(|| format!("{name} cannot be read"))?;
        let mut archive = zip::ZipArchive::new(file).with_context(|| format!("{name} is no ZIP"))?;
        let Ok(entry) = archive.by_name(NAME) else { return Ok(None) };
        let manifest = serde_json::from_reader(entry);
        manifest.with_context(|| format!("{NAME} in {name} cannot be understood: pack it anew")).map(Some)
    }
}

/// Seconds since 1970 as an instant.
pub(crate) fn time(seconds: i64) -> anyhow::Result<Timestamp> {
    Timestamp::from_second(seconds).with_context(|| format!("{seconds} s since 1970 is no time"))
}
