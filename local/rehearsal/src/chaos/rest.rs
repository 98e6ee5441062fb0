//! The one question after every scenario: at rest, on one live colour, and do all agree?

use super::stage::{Live, Stage};
use anyhow::{Context, Result};
use aws_sdk_elasticloadbalancingv2::types::{ForwardActionConfig, HostHeaderConditionConfig};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;
use visitors::Log;

/// How long a service may take to come to rest once AWS works again. It covers a lost instance that Auto Scaling
/// replaces and `CodeDeploy` installs on, and a hook that waits for a function's time-out.
const LIMIT: Duration = Duration::from_secs(90);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(300);

/// Visitors stay for so long after everything is at rest.
pub(crate) const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// How many answers tell who carries the traffic.
const ANSWERS: usize = 50;

/// Waits until nothing speaks against rest, twice in a row; else what still does.
pub(crate) async fn until_at_rest(stage: &Stage<'_>) -> Vec<String> {
    let began = Instant::now();
    let mut calm = 0;
    loop {
        let against = disagreements(stage).await.unwrap_or_else(|error| vec![format!("{error:#}")]);
        calm = if against.is_empty() { calm + 1 } else { 0 };
        if calm == 2 {
            return Vec::new();
        }
        if began.elapsed() > LIMIT {
            return against.into_iter().map(|one| format!("after {} s: {one}", LIMIT.as_secs())).collect();
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether nothing speaks against rest at this moment.
pub(super) async fn is_at_rest(stage: &Stage<'_>) -> bool {
    disagreements(stage).await.is_ok_and(|against| against.is_empty())
}

/// What ledger, rules, `CodeDeploy`, Auto Scaling and load balancer do not agree on.
async fn disagreements(stage: &Stage<'_>) -> Result<Vec<String>> {
    let ledger = stage.ledger().await?;
    let mut against = Vec::new();
    for (field, at_rest) in [("open", Value::Null), ("pending", Value::Null), ("unsettled", json!(false))] {
        if ledger[field] != at_rest {
            against.push(format!("the ledger's {field} is {}", short(&ledger[field])));
        }
    }
    let live = stage.live().await?;
    against.extend(rules(stage, &live).await?);
    against.extend(deployments(stage, &live).await?);
    against.extend(targets(stage, &live)?);
    Ok(against)
}

/// One rule for the host, with all weight on the live colour.
async fn rules(stage: &Stage<'_>, live: &Live) -> Result<Vec<String>> {
    let mut against = Vec::new();
    let client = aws_sdk_elasticloadbalancingv2::Client::new(&stage.cloud().aws);
    let described = client.describe_rules().listener_arn(&stage.cloud().stack.listener).send().await?;
    let ours = described.rules().iter().filter(|rule| {
        let hosts = rule.conditions().iter().filter_map(|condition| condition.host_header_config());
        hosts.flat_map(HostHeaderConditionConfig::values).any(|host| host == stage.host())
    });
    let ours: Vec<_> = ours.collect();
    if ours.len() != 1 {
        against.push(format!(
            "{} rules answer for {}, and not the base rule alone",
            ours.len(),
            stage.host()
        ));
    }
    let group = stage.product().target_group(stage.service(), &live.colour)?;
    for rule in ours {
        let forwards = rule.actions().iter().filter_map(|action| action.forward_config());
        for tuple in forwards.flat_map(ForwardActionConfig::target_groups) {
            let (is_live, weight) = (tuple.target_group_arn() == Some(group), tuple.weight().unwrap_or(0));
            if is_live != (weight > 0) {
                let colour = if is_live { "the live" } else { "the idle" };
                against.push(format!("{colour} colour has weight {weight}"));
            }
        }
    }
    Ok(against)
}

/// No deployment runs, and the last successful one is what is live.
async fn deployments(stage: &Stage<'_>, live: &Live) -> Result<Vec<String>> {
    let mut against = Vec::new();
    let codedeploy = &stage.cloud().codedeploy;
    let group = stage.product().deployment_group(stage.service())?;
    let of = json!({ "applicationName": stage.product().application, "deploymentGroupName": group });
    let mut running = of.clone();
    running["includeOnlyStatuses"] = json!(["Created", "Queued", "InProgress"]);
    let listed = codedeploy.call("ListDeployments", running).await?;
    if listed["deployments"].as_array().is_some_and(|deployments| !deployments.is_empty()) {
        against.push(format!("deployments still run: {}", listed["deployments"]));
    }
    let described = codedeploy.call("GetDeploymentGroup", of).await?;
    let revision = described
        .pointer("/deploymentGroupInfo/targetRevision/s3Location")
        .context("CodeDeploy knows no successful revision")?;
    if revision["key"] != live.key || revision["version"] != live.version {
        against.push(format!(
            "CodeDeploy's last successful revision is {}, live is {}",
            revision["key"], live.key
        ));
    }
    Ok(against)
}

/// Every instance of the service is healthy on the live colour, and there is one.
fn targets(stage: &Stage<'_>, live: &Live) -> Result<Vec<String>> {
    let mut against = Vec::new();
    if stage.cloud().scaling.is_replacing() {
        against.push("Auto Scaling still replaces an instance".to_owned());
    }
    let group = stage.product().target_group(stage.service(), &live.colour)?;
    let health = stage.cloud().traffic.target_health(group).unwrap_or_default();
    for instance in stage.instances()? {
        let health = health.iter().find(|one| one.target.id == instance.id).map(|one| one.state.as_str());
        if health != Some("healthy") {
            let health = health.unwrap_or("not registered");
            against.push(format!("{} is {health} on {}, the live colour", instance.id, live.colour));
        }
    }
    if health.is_empty() {
        against.push("no instance is there".to_owned());
    }
    Ok(against)
}

/// The last answers have to come from what is live.
pub(super) fn answered_by_another(log: &Log, live: u32) -> Option<String> {
    let other = |record: &&visitors::VisitRecord| record.release() != Some(live);
    let others = log.records().iter().rev().take(ANSWERS).filter(other).count();
    (others > 0).then(|| {
        format!("{others} of the last {ANSWERS} answers were not given by release {live}, which is live")
    })
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    text.chars().take(160).collect()
}
