//! Functions that are killed while they work.

use super::stage::Stage;
use crate::releases::ToldVerdict;
use anyhow::Result;
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
