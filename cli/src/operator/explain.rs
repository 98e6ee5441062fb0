//! `greenlight explain`: a word of the log, for whoever meets it at night. Asks nobody.

use crate::say;
use anyhow::bail;
use clap::Args;
use release::reason::explained::{CAUSES, Explained, REASONS};
use std::process::ExitCode;

/// Which word.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A word of `reasons` or `cause` in the log; without it all of them are listed
    word: Option<String>,
}

impl Arguments {
    /// # Errors
    /// When there is no such word.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let Some(word) = &self.word else {
            let all = REASONS.iter().chain(CAUSES);
            let lines: Vec<String> =
                all.map(|Explained { word, means, .. }| format!("{word:<24} {means}")).collect();
            say::answer(&format!("{}\n", lines.join("\n")))?;
            return Ok(ExitCode::SUCCESS);
        };
        let known: Vec<String> = [("in reasons", REASONS), ("as a cause", CAUSES)]
            .into_iter()
            .flat_map(|(place, list)| {
                list.iter().filter(|known| known.word == word).map(move |known| (place, known))
            })
            .map(|(place, known)| in_full(place, known))
            .collect();
        if known.is_empty() {
            bail!("there is no reason {word:?}: `greenlight explain` lists all");
        }
        say::answer(&known.join("\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn in_full(place: &str, Explained { word, means, todo }: &Explained) -> String {
    format!("{word} ({place})\n  what happened  {means}\n  what to do     {todo}\n")
}
