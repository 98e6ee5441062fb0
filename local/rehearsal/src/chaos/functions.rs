//! Functions that are killed while they work, or find no execution free.

use super::stage::Stage;
use crate::releases::ToldVerdict;
use anyhow::{Result, ensure};
use std::time::Duration;

/// Kills the functions whose names end with this, again and again, until it is dropped.
async fn kill(stage: &Stage<'_>, ending: &str, pause: Duration) {
    loop {
        stage.kill_functions(ending);
        tokio::time::sleep(pause).await;
    }
}

/// From the first weight to the end of the shift.
pub(super) async fn lifecycle_is_killed(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let upload = stage.push(0).await?;
    stage.reaches("shifting").await?;
    tokio::select! {
        () = kill(stage, "lifecycle", Duration::from_millis(250)) => {}
        () = tokio::time::sleep(Duration::from_secs(8)) => {}
    }
    stage.ended(&upload).await.map(Some)
}

/// From the installation until all weight is back. Before it an upload could be killed three times over, and then it is
/// its failure queue that keeps the event.
pub(super) async fn all_are_killed(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let upload = stage.push(5).await?;
    stage.reaches("installing").await?;
    tokio::select! {
        () = kill(stage, "", Duration::from_secs(1)) => {}
        ended = async {
            stage.reaches("shifting").await?;
            stage.all_weight_back(Duration::from_secs(60)).await
        } => ended?,
    }
    stage.ended(&upload).await.map(Some)
}

/// All executions that a new account has.
const EXECUTIONS: usize = 10;

/// Other functions take every execution while a bad release has traffic, and leave one when it is time to go back.
pub(super) async fn executions_are_exhausted(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let upload = stage.push(5).await?;
    stage.reaches("shifting").await?;
    let functions = &stage.cloud().functions;
    let before = functions.refused();
    functions.take_elsewhere(EXECUTIONS);
    stage.display().line("no execution is free");
    tokio::time::sleep(Duration::from_secs(5)).await;
    functions.take_elsewhere(EXECUTIONS - 1);
    stage.display().line("one execution is free");
    let ended = stage.ended(&upload).await?;
    let refused = functions.refused() - before;
    ensure!(refused >= 3, "only {refused} invocations found no execution free, and at least 3 had to");
    stage.display().line(&format!("{refused} invocations found no execution free"));
    Ok(Some(ended))
}
