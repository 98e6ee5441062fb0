//! Events that come twice, reversed, together, late or not at all, and metrics that do.

use super::stage::{Live, Stage};
use crate::releases::{ToldVerdict, Upload};
use anyhow::{Context, Result, ensure};
use aws_sdk_cloudwatch::types::StateValue;
use cloud::Knobs;
use codedeploy::Delivery;
use serde_json::json;
use std::time::Duration;

pub(super) async fn uploads_come_twice_and_reversed(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let uploads = &stage.cloud().uploads;
    uploads.set(Knobs { hold: true, duplicate: 4, ..Knobs::default() });
    let first = stage.push(0).await?;
    let second = stage.push(0).await?;
    uploads.set(Knobs { duplicate: 4, ..Knobs::default() });
    let ended = stage.ended(&second).await?;
    // Which of the two functions is faster is not told: the older one is refused or passed over.
    let older = stage.ended(&first).await?;
    ensure!(older.word != "live" || ended.word == "live", "release {} is live", first.number);
    let live = stage.live().await?.number;
    ensure!(live == second.number, "release {live} is live, and {} was the newest", second.number);
    Ok(Some(ended))
}

pub(super) async fn codedeploy_says_nothing(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    stage.cloud().codedeploy.deliver_events(Delivery { lost_percent: 100, ..Delivery::default() });
    let upload = stage.push(0).await?;
    stage.ended(&upload).await.map(Some)
}

/// A drill: nothing is wrong with the candidate but its alarms.
pub(super) async fn two_alarms_fire(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let upload = stage.push(0).await?;
    stage.reaches("shifting").await?;
    let colour = stage.candidate().await?;
    let client = aws_sdk_cloudwatch::Client::new(&stage.cloud().aws);
    let alarms = stage.product().alarms(stage.service(), &colour)?;
    ensure!(alarms.len() > 1, "{colour} has {} alarms", alarms.len());
    for alarm in alarms {
        let request = client.set_alarm_state().alarm_name(alarm).state_value(StateValue::Alarm);
        request.state_reason("a drill").send().await.with_context(|| format!("{alarm} cannot be set"))?;
    }
    let ended = stage.ended(&upload).await?;
    ensure!(ended.reason.contains("alarm"), "the reason has to be the alarm, and is: {}", ended.reason);
    Ok(Some(ended))
}

/// The shift is over before an alarm can see its first minute.
pub(super) async fn metrics_are_late(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let late = Duration::from_mins(4);
    stage.cloud().alarms.set_lateness(Some(late..=late));
    let upload = stage.push(5).await?;
    stage.ended(&upload).await.map(Some)
}

/// The alarm of the live colour puts the previous version back, and `CodeDeploy` gets it again.
pub(super) async fn turns_bad_after_success(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let before = stage.live().await?;
    let upload = stage.push(0).await?;
    stage.ends_as(&upload, &["live"]).await?;
    turns_bad(stage, &upload, &before).await
}

/// Until what was live before has the traffic again.
pub(super) async fn turns_bad(
    stage: &Stage<'_>,
    upload: &Upload,
    before: &Live,
) -> Result<Option<ToldVerdict>> {
    let colour = stage.live().await?.colour;
    for instance in stage.instances()? {
        stage.misbehave(&instance, &colour, &json!({ "errorOneIn": 3 }))?;
    }
    stage.display().line(&format!("release {} answers 500 to one request in three", upload.number));
    let ended = stage.ends_as(upload, &["rejected"]).await?;
    super::until("the previous version live", Duration::from_secs(60), || async {
        Ok(stage.live().await?.number == before.number)
    })
    .await?;
    Ok(Some(ended))
}
