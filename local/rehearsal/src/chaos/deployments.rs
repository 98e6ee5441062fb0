//! Deployments of others in the group.

use super::stage::Stage;
use crate::releases::ToldVerdict;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::time::Duration;

/// Long enough for a release to try, and to be refused, more than once.
const IN_THE_WAY: Duration = Duration::from_secs(8);

/// Somebody deploys what is live once more, by hand, and stops it again. Meanwhile `CodeDeploy` takes no deployment of
/// ours, and what somebody else deploys may change nothing.
pub(super) async fn anothers_is_in_the_way(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let codedeploy = &stage.cloud().codedeploy;
    let group = stage.product().deployment_group(stage.service())?;
    let of = json!({ "applicationName": stage.product().application, "deploymentGroupName": group });
    let described = codedeploy.call("GetDeploymentGroup", of.clone()).await?;
    let mut order = of;
    order["revision"] = described["deploymentGroupInfo"]["targetRevision"].clone();
    order["deploymentConfigName"] = json!("CodeDeployDefault.AllAtOnce");
    order["fileExistsBehavior"] = json!("OVERWRITE");
    let created = codedeploy.call("CreateDeployment", order).await?;
    let theirs = created["deploymentId"].as_str().context("CodeDeploy names no deployment")?.to_owned();
    stage.display().line(&format!("somebody has created {theirs}"));
    let upload = stage.push(0).await?;
    tokio::time::sleep(IN_THE_WAY).await;
    let ledger = stage.ledger().await?;
    ensure!(ledger["open"]["deployment"] != theirs, "a deployment of somebody else was adopted");
    let stopped = stage.cloud().codedeploy.call("StopDeployment", json!({ "deploymentId": theirs })).await;
    stage.display().line(&match stopped {
        Ok(_) => format!("somebody stops {theirs}"),
        Err(error) => format!("{theirs} has ended already: {}", error.message),
    });
    stage.ended(&upload).await.map(Some)
}
