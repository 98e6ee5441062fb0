//! AWS that throttles, hangs, loses its answers, and a state bucket that is closed.

use super::stage::Stage;
use super::until;
use crate::releases::{ToldVerdict, Upload};
use anyhow::{Result, ensure};
use cloud::{AlarmState, FaultKind};
use std::collections::BTreeMap;
use std::time::Duration;

/// Waits for the end of a release, during which at least so many calls must have failed: a fault that hit no call
/// proves nothing.
async fn ended_after(stage: &Stage<'_>, struck: u64, upload: &Upload) -> Result<Option<ToldVerdict>> {
    let ended = stage.ended(upload).await?;
    let met = stage.struck();
    ensure!(met >= struck, "only {met} calls met the fault, and at least {struck} had to");
    stage.display().line(&format!("{met} calls went wrong"));
    Ok(Some(ended))
}

/// What the functions ask while they release.
const ASKED: [&str; 4] = ["elasticloadbalancing:*", "codedeploy:*", "monitoring:*", "s3:*"];

/// Long enough for the alarm and the polls behind it to meet the fault.
const WHILE: Duration = Duration::from_secs(5);

/// Longer than an alarm fires whose metric is well again.
const OVER: Duration = Duration::from_secs(40);

pub(super) async fn throttled(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let upload = stage.push(0).await?;
    stage.reaches("installing").await?;
    for _ in 0..4 {
        stage.faults(&ASKED.map(|operation| (operation, FaultKind::Throttle, 0, 10)));
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    stage.calm();
    ended_after(stage, 20, &upload).await
}

pub(super) async fn timed_out(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let upload = stage.push(0).await?;
    stage.reaches("shifting").await?;
    stage.faults(&[
        ("elasticloadbalancing:DescribeTargetHealth", FaultKind::TimeOut, 0, 2),
        ("codedeploy:GetDeployment", FaultKind::TimeOut, 2, 1),
        ("elasticloadbalancing:ModifyRule", FaultKind::TimeOut, 0, 1),
        ("s3:PutObject", FaultKind::TimeOut, 3, 1),
    ]);
    ended_after(stage, 3, &upload).await
}

pub(super) async fn answers_are_lost(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    stage.faults(&[
        ("elasticloadbalancing:CreateRule", FaultKind::LoseReply, 0, 1),
        ("elasticloadbalancing:ModifyRule", FaultKind::LoseReply, 0, 2),
        ("elasticloadbalancing:DeleteRule", FaultKind::LoseReply, 0, 1),
        ("codedeploy:CreateDeployment", FaultKind::LoseReply, 0, 1),
        ("s3:PutObject", FaultKind::LoseReply, 1, 4),
    ]);
    let upload = stage.push(0).await?;
    ended_after(stage, 6, &upload).await
}

pub(super) async fn state_bucket_refuses_writes(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let upload = stage.push(0).await?;
    stage.reaches("shifting").await?;
    stage.faults(&[("s3:PutObject", FaultKind::Refuse, 0, u32::MAX)]);
    tokio::time::sleep(WHILE).await;
    stage.calm();
    ended_after(stage, 3, &upload).await
}

/// The weight has to be back before the bucket opens again.
/// Until the alarm that took the release back is over: its verdict names the alarm all the same, or what was counted.
pub(super) async fn state_bucket_is_closed(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let before = stage.cloud().alarms.transitions().len();
    let upload = stage.push(5).await?;
    stage.reaches("shifting").await?;
    stage.faults(&[
        ("s3:GetObject", FaultKind::Refuse, 0, u32::MAX),
        ("s3:PutObject", FaultKind::Refuse, 0, u32::MAX),
    ]);
    stage.display().line("the state bucket is closed");
    stage.all_weight_back(Duration::from_secs(20)).await?;
    stage.display().line("all weight is back, without a ledger");
    until("an alarm that has fired, and none that still does", OVER, || async {
        let transitions = stage.cloud().alarms.transitions();
        let states = transitions.iter().skip(before).map(|one| (&one.alarm, one.state));
        let fired = states.clone().any(|(_, state)| state == AlarmState::Alarm);
        let last: BTreeMap<_, _> = states.collect();
        Ok(fired && last.values().all(|state| *state != AlarmState::Alarm))
    })
    .await?;
    stage.calm();
    let ended = ended_after(stage, 3, &upload).await?;
    let reason = ended.as_ref().map_or("", |told| told.reason.as_str());
    ensure!(!reason.contains("was deleted"), "the verdict does not say what took it back: {reason}");
    Ok(ended)
}
