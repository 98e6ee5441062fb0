//! Rules that others change or leave no room for.

use super::stage::Stage;
use crate::releases::ToldVerdict;
use anyhow::{Context, Result, ensure};
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, FixedResponseActionConfig, HostHeaderConditionConfig, Rule, RuleCondition,
};
use aws_sdk_elasticloadbalancingv2::{Client, error::ProvideErrorMetadata as _};
use std::collections::{BTreeMap, BTreeSet};

/// Far from the priorities of the services, and behind them.
const FILLED_FROM: i32 = 40_000;

fn hosts<'a>(names: impl IntoIterator<Item = &'a str>) -> RuleCondition {
    let names = names.into_iter().map(ToOwned::to_owned).collect();
    let config = HostHeaderConditionConfig::builder().set_values(Some(names)).build();
    RuleCondition::builder().field("host-header").host_header_config(config).build()
}

/// A stack update gives the service these host names: the custom resource writes them.
async fn set_hosts(stage: &Stage<'_>, names: &[&str]) -> Result<()> {
    let mut parameter = stage.service().to_owned();
    parameter.get_mut(..1).context("the service has no name")?.make_ascii_uppercase();
    let hosts = names.join(",");
    stage.cloud().update(&[(format!("{parameter}Host"), hosts.clone())]).await?;
    stage.display().line(&format!("the stack is updated: {} answers for {hosts}", stage.service()));
    Ok(())
}

/// The host names of the service's rules, by priority: the base rule, and that of a release as long as it is open.
async fn hosts_of_rules(stage: &Stage<'_>) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let client = Client::new(&stage.cloud().aws);
    let described = client.describe_rules().listener_arn(&stage.cloud().stack.listener).send().await?;
    let group = stage.product().target_group(stage.service(), "blue")?;
    let ours = described.rules().iter().filter(|rule| {
        let forwards = rule.actions().iter().filter_map(Action::forward_config);
        let mut named = forwards.flat_map(|config| config.target_groups().to_vec());
        named.any(|one| one.target_group_arn() == Some(group))
    });
    let hosts = |rule: &Rule| {
        let configs = rule.conditions().iter().filter_map(RuleCondition::host_header_config);
        configs.flat_map(HostHeaderConditionConfig::values).cloned().collect()
    };
    Ok(ours.map(|rule| (rule.priority.clone().unwrap_or_default(), hosts(rule))).collect())
}

/// Base rule and release's rule get the host names together, and no weight moves but by the release.
pub(super) async fn hosts_change_while_shifting(stage: &mut Stage<'_>) -> Result<Option<ToldVerdict>> {
    let upload = stage.push(5).await?;
    stage.reaches("shifting").await?;
    let host = stage.host().to_owned();
    let second = format!("www.{host}");
    set_hosts(stage, &[&host, &second]).await?;
    let rules = hosts_of_rules(stage).await?;
    let both = BTreeSet::from([host.clone(), second]);
    ensure!(
        !rules.is_empty() && rules.values().all(|hosts| *hosts == both),
        "the rules answer for {rules:?}"
    );
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
