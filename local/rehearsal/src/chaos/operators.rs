//! What an operator did and thinks of no more.

use super::events::turns_bad;
use super::stage::{Live, Stage};
use crate::releases::ToldVerdict;
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

/// Longer than a drill takes.
const DRILL: Duration = Duration::from_secs(90);

/// Longer than what it has replaced takes to be installed again, and to be believed.
const REINSTALLED: Duration = Duration::from_secs(90);

/// So soon the version that stands by has all the traffic; an installation takes longer.
const SECONDS: Duration = Duration::from_secs(10);

/// A drill under traffic: the alarm that it sets takes it back, and users see nothing of it. What it has replaced stands by
/// again afterwards: a rollback takes seconds, as before the drill.
pub(super) async fn a_drill_is_held(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let previous = stage.live().await?;
    let upload = stage.push(0).await?;
    stage.ends_as(&upload, &["live"]).await?;
    let (live, weights) = (stage.live().await?, stage.changes_of_weight().len());
    let answer = stage.command("drill").await?;
    ensure!(answer["refused"] == false, "the drill is refused: {}", answer["says"]);
    super::until("the end of the drill", DRILL, || async {
        let ledger = stage.ledger().await?;
        Ok(!ledger["drilled"].is_null())
    })
    .await?;
    let drilled = &stage.ledger().await?["drilled"];
    ensure!(drilled["ended"] == "passed", "the drill has to pass, and says: {drilled}");
    stage.display().line(&format!(
        "the rule was gone after {}, and all was as before after {}",
        drilled["rule_gone_after"], drilled["as_before_after"]
    ));
    super::until("the previous version installed again", REINSTALLED, || async {
        let ledger = stage.ledger().await?;
        Ok(ledger["open"].is_null() && !ledger["reinstalled"].is_null())
    })
    .await?;
    let ledger = stage.ledger().await?;
    ensure!(
        ledger["previous"]["overwritten"] == false,
        "the previous version has to stand by: {}",
        ledger["reinstalled"]
    );
    ensure!(stage.live().await? == live, "the drill has changed what is live");
    let one_colour = |weights: &Vec<u16>| weights.iter().filter(|weight| **weight > 0).count() == 1;
    let changes = stage.changes_of_weight().split_off(weights);
    ensure!(changes.iter().all(one_colour), "the drill has had weight: {changes:?}");
    rolls_back_at_once(stage, &previous).await?;
    Ok(None)
}

async fn rolls_back_at_once(stage: &Stage<'_>, previous: &Live) -> Result<()> {
    let began = Instant::now();
    stage.command("rollback").await?;
    let group = stage.product().target_group(stage.service(), &previous.colour)?;
    super::until("all traffic on the previous version", SECONDS, || async { Ok(stage.carries_all(group)) })
        .await?;
    stage.display().line(&format!(
        "release {} has all the traffic {} ms after the command",
        previous.number,
        began.elapsed().as_millis()
    ));
    super::until("the previous version live", Duration::from_secs(60), || async {
        Ok(stage.live().await?.number == previous.number)
    })
    .await
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
