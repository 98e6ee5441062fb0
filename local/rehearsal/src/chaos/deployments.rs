//! Deployments of others in the group.

use super::stage::Stage;
use super::until;
use crate::releases::ToldVerdict;
use anyhow::{Context, Result, ensure};
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::process::Command;

/// Longer than a deployment takes to be refused, by hand on its instances or ours by `CodeDeploy`.
const REFUSED: Duration = Duration::from_secs(30);

/// A bundle that nobody refuses and that takes its time.
const SLOW: &str =
    "version: 0.0\nos: linux\nhooks:\n  BeforeInstall:\n    - location: slow.sh\n      timeout: 60\n";

/// Somebody deploys by hand what is live, which the kit refuses; and then a bundle without the kit. Meanwhile `CodeDeploy`
/// takes no deployment of ours.
pub(super) async fn anothers_is_in_the_way(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let codedeploy = &stage.cloud().codedeploy;
    let group = stage.product().deployment_group(stage.service())?;
    let of = json!({ "applicationName": stage.product().application, "deploymentGroupName": group });
    let described = codedeploy.call("GetDeploymentGroup", of).await?;
    let theirs = create(stage, &described["deploymentGroupInfo"]["targetRevision"]).await?;
    until("the end of the deployment of what is live", REFUSED, || async {
        Ok(status(stage, &theirs).await?["status"] == "Failed")
    })
    .await?;
    let said = last_words(stage, &theirs).await?;
    ensure!(said.contains("Greenlight refuses this deployment"), "the kit has not refused {theirs}: {said}");

    let theirs = create(stage, &upload_by_hand(stage).await?).await?;
    let asked_before = asked_for_deployments(stage);
    let upload = stage.push(0).await?;
    until("a deployment of ours refused", REFUSED, || async {
        Ok(asked_for_deployments(stage) > asked_before)
    })
    .await?;
    // As long as theirs is open, ours was refused.
    let open = status(stage, &theirs).await?;
    ensure!(open["status"] == "InProgress", "{theirs} was in nobody's way: {open}");
    let ledger = stage.ledger().await?;
    ensure!(ledger["open"]["deployment"] != theirs, "a deployment of somebody else was adopted");
    codedeploy.call("StopDeployment", json!({ "deploymentId": theirs })).await?;
    stage.display().line(&format!("somebody stops {theirs}"));
    stage.ended(&upload).await.map(Some)
}

async fn create(stage: &Stage<'_>, revision: &Value) -> Result<String> {
    let order = json!({
        "applicationName": stage.product().application,
        "deploymentGroupName": stage.product().deployment_group(stage.service())?,
        "revision": revision,
        "deploymentConfigName": "CodeDeployDefault.AllAtOnce",
        "fileExistsBehavior": "OVERWRITE",
    });
    let created = stage.cloud().codedeploy.call("CreateDeployment", order).await?;
    let id = created["deploymentId"].as_str().context("CodeDeploy names no deployment")?.to_owned();
    stage.display().line(&format!("somebody has created {id}"));
    Ok(id)
}

async fn status(stage: &Stage<'_>, deployment: &str) -> Result<Value> {
    let of = json!({ "deploymentId": deployment });
    let mut answer = stage.cloud().codedeploy.call("GetDeployment", of).await?;
    Ok(answer["deploymentInfo"].take())
}

/// What the hooks of a deployment have said on its instances, as far as `CodeDeploy` keeps it.
async fn last_words(stage: &Stage<'_>, deployment: &str) -> Result<String> {
    let codedeploy = &stage.cloud().codedeploy;
    let of = json!({ "deploymentId": deployment });
    let listed = codedeploy.call("ListDeploymentTargets", of).await?;
    let of = json!({ "deploymentId": deployment, "targetIds": listed["targetIds"] });
    Ok(codedeploy.call("BatchGetDeploymentTargets", of).await?.to_string())
}

/// How often the functions have asked for a deployment.
fn asked_for_deployments(stage: &Stage<'_>) -> usize {
    let asks = |call: &&String| *call == "codedeploy:CreateDeployment";
    stage.cloud().functions.journal().look(|all| all.iter().flat_map(|one| &one.calls).filter(asks).count())
}

/// Uploads [`SLOW`] beside the releases and answers its revision.
async fn upload_by_hand(stage: &Stage<'_>) -> Result<Value> {
    let folder = stage.cloud().places.state.join("bundles/by-hand");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("appspec.yml"), SLOW)?;
    std::fs::write(folder.join("slow.sh"), "#!/bin/sh\nexec sleep 25\n")?;
    let mut zip = Command::new("zip");
    let zipped =
        zip.args(["-q", "../by-hand.zip", "appspec.yml", "slow.sh"]).current_dir(&folder).status().await;
    ensure!(zipped.context("cannot start zip")?.success(), "zip failed");
    let body = ByteStream::from_path(folder.with_extension("zip")).await?;
    let (bucket, key) = (&stage.product().artifacts, "by-hand/slow.zip");
    let s3 = aws_sdk_s3::Client::new(&stage.cloud().aws);
    let put = s3.put_object().bucket(bucket).key(key).body(body).send().await?;
    let location = json!({ "bucket": bucket, "key": key, "bundleType": "zip", "version": put.version_id() });
    Ok(json!({ "revisionType": "S3", "s3Location": location }))
}
