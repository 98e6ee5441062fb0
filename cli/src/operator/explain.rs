//! `greenlight explain`: a word of the log or of `status`, for whoever meets it at night. Asks nobody.

use crate::say;
use anyhow::bail;
use clap::Args;
use release::Command;
use release::phases::{ExplainedPhase, PHASES};
use release::reason::explained::{CAUSES, Explained, REASONS};
use std::process::ExitCode;

/// Which word.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A phase, or a word of `reasons` or `cause` in the log; without it all of them are listed
    word: Option<String>,
}

impl Arguments {
    /// # Errors
    /// When there is no such word.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let Some(word) = &self.word else {
            let phases = PHASES.iter().map(|phase| (phase.word, phase.means));
            let reasons = REASONS.iter().chain(CAUSES).map(|reason| (reason.word, reason.means));
            let lines: Vec<String> =
                phases.chain(reasons).map(|(word, means)| format!("{word:<24} {means}")).collect();
            say::answer(&format!("{}\n", lines.join("\n")))?;
            return Ok(ExitCode::SUCCESS);
        };
        let phase = PHASES.iter().filter(|known| known.word == word).map(phase_in_full);
        let reasons = [("in reasons", REASONS), ("as a cause", CAUSES)]
            .into_iter()
            .flat_map(|(place, list)| {
                list.iter().filter(|known| known.word == word).map(move |known| (place, known))
            })
            .map(|(place, known)| in_full(place, known));
        let known: Vec<String> = phase.chain(reasons).collect();
        if known.is_empty() {
            bail!("there is no reason or phase {word:?}: `greenlight explain` lists all");
        }
        say::answer(&known.join("\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn phase_in_full(phase: &ExplainedPhase) -> String {
    let ExplainedPhase { word, means, waits_for, next, .. } = phase;
    let mut lines = vec![
        format!("{word} (a phase)"),
        format!("  what it is     {means}"),
        format!("  waits for      {waits_for}"),
        format!("  then           {next}"),
    ];
    let does =
        |(command, effect): (Command, Option<_>)| Some(format!("  {:<14} {}", command.word(), effect?));
    lines.extend(phase.commands().filter_map(does));
    let nothing = phase.commands().filter(|(_, effect)| effect.is_none());
    let nothing: Vec<&str> = nothing.map(|(command, _)| command.word()).collect();
    lines.push(format!("  means nothing  {}\n", nothing.join(", ")));
    lines.join("\n")
}

fn in_full(place: &str, Explained { word, means, todo }: &Explained) -> String {
    format!("{word} ({place})\n  what happened  {means}\n  what to do     {todo}\n")
}
