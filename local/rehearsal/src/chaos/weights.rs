//! Weights that others write, or that a load balancer takes over late.

use super::stage::Stage;
use super::until;
use crate::releases::ToldVerdict;
use anyhow::{Context, Result, ensure};
use aws_sdk_elasticloadbalancingv2::types::{Action, ActionTypeEnum, ForwardActionConfig, TargetGroupTuple};
use cloud::Propagation;
use std::time::Duration;
use tokio::time::Instant;

/// All weight of the base rule on blue would take what is live on green from its users.
const LIVE: &str = "green";

/// Longer than a tick takes to see it, and the next pass to put it right.
const REPAIRED: Duration = Duration::from_secs(30);

/// The drain that the scenarios run with.
const DRAIN: Duration = Duration::from_secs(2);

/// By so much two polls may see two things apart from when they were.
const LOOKED: Duration = Duration::from_millis(200);

async fn give_blue_everything(stage: &Stage<'_>) -> Result<()> {
    let tuple = |colour: &str, weight| -> Result<TargetGroupTuple> {
        let group = stage.product().target_group(stage.service(), colour)?;
        Ok(TargetGroupTuple::builder().target_group_arn(group).weight(weight).build())
    };
    let forward = ForwardActionConfig::builder()
        .target_groups(tuple("blue", 100)?)
        .target_groups(tuple("green", 0)?)
        .build();
    let action = Action::builder().r#type(ActionTypeEnum::Forward).forward_config(forward).build();
    let client = aws_sdk_elasticloadbalancingv2::Client::new(&stage.cloud().aws);
    let rule = stage.product().base_rule(stage.service())?;
    client
        .modify_rule()
        .rule_arn(rule)
        .actions(action)
        .send()
        .await
        .context("the base rule cannot be written")?;
    stage.display().line("the base rule is all on blue, by another hand");
    Ok(())
}

/// Deleting the release's rule must not uncover the base rule as it is now.
pub(super) async fn reset_while_shifting(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    stage.go_live_on(LIVE).await?;
    let upload = stage.push(5).await?;
    stage.reaches("shifting").await?;
    give_blue_everything(stage).await?;
    stage.ended(&upload).await.map(Some)
}

/// Users are on the idle colour, which still runs, until the next tick.
pub(super) async fn reset_at_rest(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    stage.go_live_on(LIVE).await?;
    give_blue_everything(stage).await?;
    let live = stage.product().target_group(stage.service(), LIVE)?.to_owned();
    until("all weight on the live colour", REPAIRED, || async { Ok(stage.carries_all(&live)) }).await?;
    stage.display().line("all weight is on green again");
    Ok(None)
}

/// What is pushed must not be installed on the colour that users are on at that moment, nor before that colour has
/// drained.
pub(super) async fn reset_before_push(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    stage.go_live_on(LIVE).await?;
    give_blue_everything(stage).await?;
    let upload = stage.push(0).await?;
    let live = stage.product().target_group(stage.service(), LIVE)?.to_owned();
    until("all weight on the live colour", REPAIRED, || async { Ok(stage.carries_all(&live)) }).await?;
    let repaired = Instant::now();
    stage.reaches("installing").await?;
    let drained = repaired.elapsed();
    ensure!(
        drained + LOOKED >= DRAIN,
        "the installation began {} ms after blue had lost its traffic, and the drain is {} ms",
        drained.as_millis(),
        DRAIN.as_millis()
    );
    stage.ended(&upload).await.map(Some)
}

/// One node goes on as before for a minute after each change of a rule, which is as long as a colour drains.
pub(super) async fn a_node_moves_late(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let late = Propagation::After([Duration::ZERO, Duration::from_mins(1)]);
    stage.cloud().traffic.set_propagation(late);
    let bad = stage.push(5).await?;
    stage.ends_as(&bad, &["rejected"]).await?;
    let upload = stage.push(0).await?;
    stage.ended(&upload).await.map(Some)
}
