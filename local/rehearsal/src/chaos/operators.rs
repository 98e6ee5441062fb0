//! What an operator did and thinks of no more.

use super::events::turns_bad;
use super::stage::Stage;
use crate::releases::ToldVerdict;
use anyhow::{Result, ensure};

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
