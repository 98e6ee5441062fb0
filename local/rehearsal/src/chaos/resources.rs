//! A disk and a memory that run out.

use super::stage::Stage;
use super::until;
use crate::releases::ToldVerdict;
use anyhow::{Context, Result, ensure};
use cloud::{AlarmState, Limits};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// What is left on a disk in MiB: nothing, so that the agent cannot even unpack the bundle, and too little for the release.
const LEFT_MIB: [u64; 2] = [0, 90];

/// Longer than Greenlight and Auto Scaling take to replace all instances, one after the other.
const REPLACED: Duration = Duration::from_secs(90);

/// Longer than `CloudWatch` takes to judge the minutes in which nothing worked.
const JUDGED: Duration = Duration::from_secs(20);

/// So much later than its first request a candidate may be seen to have traffic.
const SEEN: Duration = Duration::from_secs(2);

pub(super) fn no_disk(stage: &Stage<'_>) -> Result<Option<String>> {
    let disk = Limits::of(&stage.an_instance()?).disk;
    Ok(disk
        .is_none()
        .then(|| "the instances share this machine's disk: only root can mount one for each".to_owned()))
}

pub(super) fn no_memory(stage: &Stage<'_>) -> Result<Option<String>> {
    let memory = Limits::of(&stage.an_instance()?).memory;
    Ok(memory
        .is_none()
        .then(|| "the instances share this machine's memory: only root can limit each".to_owned()))
}

/// Fills the disk that a file is on, but for so many MiB.
async fn fill(file: &Path, left_mib: u64) -> Result<()> {
    let script = "mkdir -p \"${1%/*}\" && rm -f \"$1\" && \
        fallocate -l $(($(df --output=avail -B1 \"${1%/*}\" | tail -n 1) - ($2 << 20))) \"$1\"";
    let mut bash = Command::new("bash");
    bash.args(["-c", script, "bash"]).arg(file).arg(left_mib.to_string());
    let said = bash.output().await?;
    ensure!(said.status.success(), "the disk could not be filled: {}", String::from_utf8_lossy(&said.stderr));
    Ok(())
}

/// What fills it is none of Greenlight's, and gone when somebody has looked.
pub(super) async fn disk_is_full(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let instance = stage.an_instance()?;
    let log = instance.root.join("var/log/of-another-program.log");
    let refused = are_refused(stage, &instance.id, &log).await;
    std::fs::remove_file(&log).with_context(|| format!("cannot remove {}", log.display()))?;
    refused?;
    let upload = stage.push(0).await?;
    stage.ended(&upload).await.map(Some)
}

async fn are_refused(stage: &mut Stage<'_>, instance: &str, log: &Path) -> Result<()> {
    for left in LEFT_MIB {
        fill(log, left).await?;
        stage.display().line(&format!("the disk of {instance} has {left} MiB left"));
        let upload = stage.push(0).await?;
        let ended = stage.ends_as(&upload, &["rejected"]).await?;
        let said = ended.reason.to_lowercase();
        let names_it = said.contains("disk") || said.contains("no space left on device");
        ensure!(names_it, "the reason has to be the disk, and is: {}", ended.reason);
        ensure!(said.contains(instance), "the reason names no instance: {}", ended.reason);
    }
    Ok(())
}

/// Both versions share an instance, so that live is ended as well, and nothing can be started there any more. What is left of
/// the instances has to be replaced without anybody's help.
pub(super) async fn memory_is_eaten(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let before = stage.instances()?;
    let memory =
        Limits::of(&stage.an_instance()?).memory.context("the instances have no memory of their own")?;
    let upload = stage.push_as(&json!({ "eatMib": memory })).await?;
    stage.reaches("shifting").await?;
    let began = cloud::now().saturating_sub(SEEN).unwrap_or_default();
    let ended = stage.ended(&upload).await?;
    until("all instances replaced, and healthy", REPLACED, || async {
        let healthy = stage.healthy().await?;
        let now = stage.instances()?;
        let is_new = |id: &String| before.iter().all(|instance| instance.id != *id);
        Ok(now.len() == before.len() && now.iter().all(|one| is_new(&one.id) && healthy.contains(&one.id)))
    })
    .await?;
    stage.excuse(began, "no instance had memory left");
    let mut alarms = stage.product().alarms(stage.service(), "blue")?.to_vec();
    alarms.extend_from_slice(stage.product().alarms(stage.service(), "green")?);
    until("an alarm of the service", JUDGED, || async {
        let transitions = stage.cloud().alarms.transitions();
        let fired = transitions.iter().filter(|one| one.at >= began && one.state == AlarmState::Alarm);
        Ok(fired.into_iter().any(|one| alarms.contains(&one.alarm)))
    })
    .await?;
    Ok(Some(ended))
}
