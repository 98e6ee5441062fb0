//! What an operator did and thinks of no more.

use super::events::turns_bad;
use super::stage::Stage;
use crate::releases::ToldVerdict;
use anyhow::{Result, ensure};
use std::time::Duration;

/// Longer than a drill takes.
const DRILL: Duration = Duration::from_secs(90);

/// A drill under traffic: the alarm that it sets takes it back, and users see nothing of it.
pub(super) async fn a_drill_is_held(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let (live, weights) = (stage.live().await?, stage.changes_of_weight().len());
    let answer = stage.command("drill").await?;
    ensure!(answer["refused"] == false, "the drill is refused: {}", answer["says"]);
    super::until("the end of the drill", DRILL, || async {
        let ledger = stage.ledger().await?;
        Ok(ledger["open"].is_null() && !ledger["drilled"].is_null())
    })
    .await?;
    let drilled = &stage.ledger().await?["drilled"];
    ensure!(drilled["ended"] == "passed", "the drill has to pass, and says: {drilled}");
    stage.display().line(&format!(
        "the rule was gone after {}, and all was as before after {}",
        drilled["rule_gone_after"], drilled["as_before_after"]
    ));
    ensure!(stage.live().await? == live, "the drill has changed what is live");
    let one_colour = |weights: &Vec<u16>| weights.iter().filter(|weight| **weight > 0).count() == 1;
    let changes = stage.changes_of_weight().split_off(weights);
    ensure!(changes.iter().all(one_colour), "the drill has had weight: {changes:?}");
    Ok(None)
}

/// A pause stops releases. It must not stop the way back from what is live and has turned bad.
pub(super) async fn pause_is_forgotten(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let before = stage.live().await?;
    let upload = stage.push(0).await?;
    stage.ends_as(&upload, &["live"]).await?;
    stage.command("pause").await?;
    let ended = turns_bad(stage, &upload, &before).await?;
    ensure!(stage.ledger().await?["paused"] == true, "the pause was lifted, and nobody has lifted it");
    stage.command("resume").await?;
    Ok(ended)
}
