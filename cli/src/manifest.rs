//! `release.json`: what a bundle says of itself.

use anyhow::{Context as _, bail};
use clap::Args;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where it lies in a bundle.
pub(crate) const NAME: &str = "release.json";

/// Attempts of one workflow run that have numbers of their own: GitHub allows a run to be repeated for 30 days, and
/// nobody does so a hundred times.
const ATTEMPTS: u64 = 100;

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

/// The number of a release, as it is told.
#[derive(Debug, Args)]
pub(crate) struct Numbering {
    /// Its place in the order of releases; each must be above the one before
    #[arg(long, conflicts_with = "run")]
    number: Option<u64>,
    /// The workflow's run: with its attempt it makes the number, run x 100 + attempt, so that a repeated run is newer
    #[arg(long = "run-number", env = "GITHUB_RUN_NUMBER")]
    run: Option<u64>,
    /// The attempt of that run, from 1 to 99
    #[arg(long = "run-attempt", env = "GITHUB_RUN_ATTEMPT", default_value_t = 1)]
    attempt: u64,
}

impl Numbering {
    /// The number, if one was told.
    ///
    /// # Errors
    /// When it is none that a release can have.
    pub(crate) fn number(&self) -> anyhow::Result<Option<u64>> {
        match (self.number, self.run) {
            (Some(0), _) | (None, Some(0)) => bail!("numbers of releases begin with 1"),
            (Some(number), _) => Ok(Some(number)),
            (None, None) => Ok(None),
            (None, Some(_)) if !(1..ATTEMPTS).contains(&self.attempt) => {
                bail!("attempt {} is none of 1 to 99: start a new run", self.attempt)
            }
            (None, Some(run)) => run
                .checked_mul(ATTEMPTS)
                .and_then(|number| number.checked_add(self.attempt))
                .with_context(|| format!("run {run} is too large"))
                .map(Some),
        }
    }
}

/// Digits of a commit that are kept. Its whole hash makes keys that nobody can read.
const COMMIT_DIGITS: usize = 12;

/// A commit, shortened.
///
/// # Errors
/// When it is none.
pub(crate) fn commit(mut text: String) -> anyhow::Result<String> {
    let is_hash = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if !is_hash || !(7..=40).contains(&text.len()) {
        bail!("commit {text:?} is not 7 to 40 hexadecimal digits in lower case");
    }
    text.truncate(COMMIT_DIGITS);
    Ok(text)
}

/// Seconds since 1970 as an instant.
pub(crate) fn time(seconds: i64) -> anyhow::Result<Timestamp> {
    Timestamp::from_second(seconds).with_context(|| format!("{seconds} s since 1970 is no time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: Option<u64>, run: Option<u64>, attempt: u64) -> Result<Option<u64>, String> {
        Numbering { number, run, attempt }.number().map_err(|error| error.to_string())
    }

    #[test]
    fn a_repeated_run_has_a_higher_number_and_a_later_run_a_higher_one_still() {
        assert_eq!(number(None, Some(142), 1), Ok(Some(14_201)));
        assert_eq!(number(None, Some(142), 99), Ok(Some(14_299)));
        assert_eq!(number(None, Some(143), 1), Ok(Some(14_301)));
        assert_eq!(number(Some(7), None, 1), Ok(Some(7)));
        assert_eq!(number(None, None, 1), Ok(None));
    }

    #[test]
    fn a_number_that_would_break_the_order_is_refused() {
        for refused in [
            number(None, Some(142), 100),
            number(None, Some(142), 0),
            number(Some(0), None, 1),
            number(None, Some(u64::MAX), 1),
        ] {
            assert!(refused.is_err(), "{refused:?}");
        }
    }

    #[test]
    fn a_commit_is_a_hash() {
        assert_eq!(commit("3f9c2ab41d0e5566778899aabbccddeeff001122".into()).unwrap(), "3f9c2ab41d0e");
        for text in ["3f9c2a", "main", "3F9C2AB", ""] {
            assert!(commit(text.into()).is_err(), "{text}");
        }
    }
}
