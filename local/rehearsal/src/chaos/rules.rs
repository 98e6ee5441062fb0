//! Rules that others change or leave no room for.

use super::stage::Stage;
use crate::releases::ToldVerdict;
use anyhow::{Context, Result, ensure};
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, FixedResponseActionConfig, HostHeaderConditionConfig, RuleCondition,
};
use aws_sdk_elasticloadbalancingv2::{Client, error::ProvideErrorMetadata as _};

/// Far from the priorities of the services, and behind them.
const FILLED_FROM: i32 = 40_000;

fn hosts<'a>(names: impl IntoIterator<Item = &'a str>) -> RuleCondition {
    let names = names.into_iter().map(ToOwned::to_owned).collect();
    let config = HostHeaderConditionConfig::builder().set_values(Some(names)).build();
    RuleCondition::builder().field("host-header").host_header_config(config).build()
}

async fn set_hosts(stage: &Stage<'_>, names: &[&str]) -> Result<()> {
    let client = Client::new(&stage.cloud().aws);
    let rule = stage.product().base_rule(stage.service())?;
    let request = client.modify_rule().rule_arn(rule).conditions(hosts(names.iter().copied()));
    request.send().await.context("the base rule's host names cannot be written")?;
    stage.display().line(&format!("the base rule answers for {}", names.join(", ")));
    Ok(())
}

/// The release's rule keeps the host names that it was created with. It must be known by more than these.
pub(super) async fn hosts_change_while_shifting(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let upload = stage.push(5).await?;
    stage.reaches("shifting").await?;
    let host = stage.host().to_owned();
    set_hosts(stage, &[&host, &format!("www.{host}")]).await?;
    let ended = stage.ended(&upload).await;
    set_hosts(stage, &[&host]).await?;
    ended.map(Some)
}

/// A release that gets no rule ends and says why. It is not to blame: released again when there is room, it goes live.
pub(super) async fn listener_is_full(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let client = Client::new(&stage.cloud().aws);
    let rules = fill(stage, &client).await?;
    stage.display().line(&format!("{} rules of others leave no room for a release's own", rules.len()));
    let upload = stage.push(0).await?;
    let ended = stage.ended(&upload).await;
    for rule in rules {
        client.delete_rule().rule_arn(rule).send().await.context("a rule of others cannot be deleted")?;
    }
    let ended = ended?;
    ensure!(ended.reason.contains("rule"), "the reason has to be the rule, and is: {}", ended.reason);
    let next = stage.push(0).await?;
    stage.ends_as(&next, &["live"]).await?;
    Ok(Some(ended))
}

/// Creates rules until the load balancer takes no more.
async fn fill(stage: &Stage<'_>, client: &Client) -> Result<Vec<String>> {
    let mut rules = Vec::new();
    for priority in FILLED_FROM.. {
        let answer = FixedResponseActionConfig::builder().status_code("404").build();
        let action =
            Action::builder().r#type(ActionTypeEnum::FixedResponse).fixed_response_config(answer).build();
        let request = client.create_rule().listener_arn(&stage.cloud().stack.listener).priority(priority);
        match request.conditions(hosts(["elsewhere.example"])).actions(action).send().await {
            Ok(created) => rules.extend(created.rules().iter().filter_map(|rule| rule.rule_arn.clone())),
            Err(error) if error.code() == Some("TooManyRules") => return Ok(rules),
            Err(error) => return Err(error).context("the listener cannot be filled"),
        }
    }
    Ok(rules)
}
