//! A gate, which is a function of whoever runs the service, says no, nothing, or changes its mind.

use super::stage::Stage;
use crate::releases::{ToldVerdict, Upload};
use anyhow::{Context, Result, ensure};
use cloud::{Function, Places};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// Its name, which is the stack's parameter `Gate`.
pub(super) const GATE: &str = "shop-gate";

/// What Lambda gives a function by default: so many megabytes and seconds.
const MEMORY: u64 = 128;
const TIMEOUT: u64 = 3;

fn file(places: &Places, name: &str) -> PathBuf {
    places.state.join("functions").join(GATE).join(name)
}

/// The function, which no template of the product describes.
pub(super) fn function(places: &Places) -> Function {
    let path = |name| file(places, name).display().to_string();
    Function {
        name: GATE.to_owned(),
        binary: places.root.join("local/rehearsal/gate/bootstrap").display().to_string(),
        environment: BTreeMap::from([
            ("GATE_SAYS".to_owned(), path("says")),
            ("GATE_HEARD".to_owned(), path("heard")),
        ]),
        memory: MEMORY,
        timeout: TIMEOUT,
        retries: 0,
        failures: None,
        aliases: Vec::new(),
    }
}

/// What the gate says from now on; `None`: nothing.
fn says(stage: &Stage<'_>, answer: Option<&str>) -> Result<()> {
    let file = file(&stage.cloud().places, "says");
    match answer {
        // Renamed, so that nobody reads half of it.
        Some(answer) => {
            let whole = file.with_extension("whole");
            fs::write(&whole, answer)?;
            fs::rename(&whole, &file)?;
        }
        None => fs::remove_file(&file).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?,
    }
    stage.display().line(&format!("the gate says {}", answer.unwrap_or("nothing")));
    Ok(())
}

/// What it was asked about a release: before which step, in order.
fn was_asked(stage: &Stage<'_>, upload: &Upload) -> Result<Vec<String>> {
    let heard =
        fs::read_to_string(file(&stage.cloud().places, "heard")).context("the gate was never asked")?;
    let questions = heard.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_this = questions
        .filter(|question| question["release"] == upload.number && question["service"] == stage.service());
    Ok(of_this.filter_map(|question| Some(question["before"].as_str()?.to_owned())).collect())
}

/// A release ends without ever having had weight, and its verdict says this, as a tag can: no comma is allowed in one.
async fn ends_without_weight(stage: &mut Stage<'_>, reason: &str) -> Result<Option<ToldVerdict>> {
    let before = stage.changes_of_weight();
    let upload = stage.push(0).await?;
    let ended = stage.ended(&upload).await?;
    ensure!(ended.reason.contains(reason), "the reason has to say {reason:?}, and is: {}", ended.reason);
    let had_weight = stage.changes_of_weight().into_iter().skip(before.len()).any(|weights| {
        let with_weight = weights.iter().filter(|weight| **weight > 0).count();
        with_weight != 1
    });
    ensure!(!had_weight, "the candidate has had weight");
    let asked = was_asked(stage, &upload)?;
    let for_weight_alone = !asked.is_empty() && asked.iter().all(|before| before == "weight");
    ensure!(for_weight_alone, "it was asked before {asked:?}");
    Ok(Some(ended))
}

pub(super) async fn says_no(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    says(stage, Some(r#"{"answer": "no", "reason": "a load test runs"}"#))?;
    let reason = "the gate gave no yes before the first weight: it said no - a load test runs";
    ends_without_weight(stage, reason).await
}

pub(super) async fn is_silent(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    says(stage, None)?;
    let reason = "the gate gave no yes before the first weight: none within 30s - at last it ran into its own time-out";
    ends_without_weight(stage, reason).await
}

pub(super) async fn says_yes(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    says(stage, Some(r#"{"answer": "yes"}"#))?;
    let upload = stage.push(0).await?;
    let ended = stage.ended(&upload).await?;
    let asked = was_asked(stage, &upload)?;
    ensure!(asked.first().is_some_and(|before| before == "weight"), "{asked:?}");
    ensure!(asked.last().is_some_and(|before| before == "promotion"), "{asked:?}");
    Ok(Some(ended))
}

pub(super) async fn changes_its_mind(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    says(stage, Some(r#"{"answer": "yes"}"#))?;
    let upload = stage.push(0).await?;
    stage.reaches("shifting").await?;
    says(stage, Some(r#"{"answer": "no", "reason": "conversion fell"}"#))?;
    let ended = stage.ended(&upload).await?;
    let reason = "the gate gave no yes before promotion: it said no - conversion fell";
    ensure!(ended.reason.contains(reason), "the reason has to say {reason:?}, and is: {}", ended.reason);
    Ok(Some(ended))
}
