//! Instances that die, fall ill and join.

use super::stage::Stage;
use super::until;
use crate::releases::ToldVerdict;
use anyhow::Result;
use serde_json::json;
use std::time::Duration;

/// Longer than Greenlight and Auto Scaling take to replace an instance.
const REPLACED: Duration = Duration::from_secs(90);

/// Longer than CloudWatch takes to judge two more of its minutes.
const JUDGED: Duration = Duration::from_secs(8);

async fn replaced(stage: &Stage<'_>, instance: &str) -> Result<()> {
    until(&format!("{instance} replaced"), REPLACED, || async {
        let left = stage.instances()?;
        Ok(left.len() > 1 && left.iter().all(|one| one.id != instance))
    })
    .await
}

pub(super) async fn dies_while(stage: &mut Stage<'_>, phase: &str) -> Result<Option<ToldVerdict>> {
    let upload = stage.push(0).await?;
    stage.reaches(phase).await?;
    let instance = stage.an_instance()?;
    stage.lose(&instance.id).await?;
    stage.ended(&upload).await.map(Some)
}

/// The alarm that sees it die belongs to what has just gone live, and must not be held against it.
pub(super) async fn dies_after_success(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let upload = stage.push(0).await?;
    stage.ends_as(&upload, &["live"]).await?;
    let instance = stage.an_instance()?;
    stage.lose(&instance.id).await?;
    replaced(stage, &instance.id).await?;
    tokio::time::sleep(JUDGED).await;
    stage.ended(&upload).await.map(Some)
}

/// The instance lives on without nginx: Greenlight hands it to Auto Scaling once the release is over.
pub(super) async fn nginx_is_killed(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let upload = stage.push(0).await?;
    stage.reaches("shifting").await?;
    let instance = stage.an_instance()?;
    stage.kill_nginx(&instance).await?;
    let ended = stage.ended(&upload).await?;
    Ok(Some(ended))
}

/// The group is as large as before when it is over.
pub(super) async fn one_joins(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let upload = stage.push(0).await?;
    stage.reaches("shifting").await?;
    let scaling = &stage.cloud().scaling;
    let group = stage.an_instance()?.auto_scaling_group;
    let (joined, ended) = tokio::join!(scaling.scale_out(&group), stage.ended(&upload));
    let joined = joined?;
    stage.display().line(&format!("{joined} is in service"));
    let ended = ended?;
    scaling.scale_in(&joined).await?;
    Ok(Some(ended))
}

/// Its health check fails, and nothing else: no request is lost.
pub(super) async fn one_ails(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let colour = stage.live().await?.colour;
    let instance = stage.an_instance()?;
    stage.misbehave(&instance, &colour, &json!({ "unhealthy": true }))?;
    stage.display().line(&format!("{} fails its health checks on {colour}", instance.id));
    replaced(stage, &instance.id).await?;
    stage.display().line(&format!("{} was replaced", instance.id));
    Ok(None)
}

/// It comes back by itself, with both colours: Greenlight has nobody to replace.
pub(super) async fn one_reboots(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let instance = stage.an_instance()?;
    stage.reboot(&[instance]).await?;
    Ok(None)
}

/// Nobody is left to replace them for, so they have to come back by themselves.
pub(super) async fn all_reboot(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let instances = stage.instances()?;
    stage.reboot(&instances).await?;
    Ok(None)
}
