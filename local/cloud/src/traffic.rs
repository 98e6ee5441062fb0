//! The load balancer's data plane, fed from the rules and groups that the emulator holds.

use crate::chance::Chance;
use crate::clock;
use crate::instances::Addresses;
use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types as api;
use jiff::Timestamp;
use load_balancer::{
    FixedResponse, Forward, Handle, HeaderCondition, HealthCheck, ListenerAction, Metrics, Routing, Rule,
    Target, TargetGroup, TargetHealth,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Who gets what from a moment on: for each host, the weights of its target groups by ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    /// When the rules were changed.
    pub changed: Timestamp,
    /// For each host of a rule, the target groups of the rule that wins.
    pub hosts: BTreeMap<String, BTreeMap<String, u16>>,
}

/// Of how many nodes the load balancer consists: AWS wants two zones, and puts at least one node into each.
pub(crate) const NODES: usize = 2;

/// How late a node of an ALB carries out a change of a rule. AWS publishes no figures; users report seconds, weights
/// that came back for 30 s at a promotion (argo-rollouts #2064), and no more 503s once the old side was kept for 120 s
/// (argo-rollouts #4595).
const PROPAGATION: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(30);

/// How long after a change of a rule each node carries it out, on AWS's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// Each change on each node by itself, 2 to 30 s.
    AsOnAws,
    /// Always so long, one time for each node.
    After([Duration; NODES]),
}

impl Propagation {
    /// Of the change with this number.
    fn delays(self, chance: Chance, number: u64) -> [Duration; NODES] {
        if let Self::After(delays) = self {
            return delays;
        }
        std::array::from_fn(|node| chance.within(&PROPAGATION, (number, node)))
    }
}

/// How long a listener's load balancer waits for a target and for an idle client. It is as long here as on AWS, whatever
/// the speed, because nginx waits as long as there as well.
///
/// # Errors
/// When the emulator does not answer.
pub(crate) async fn idle_timeout(aws: &SdkConfig, listener: &str) -> Result<Duration> {
    let client = Client::new(aws);
    let described = client.describe_listeners().listener_arns(listener).send().await?;
    let balancer = described.listeners().first().and_then(api::Listener::load_balancer_arn);
    let balancer = balancer.with_context(|| format!("listener {listener} has no load balancer"))?;
    let described = client.describe_load_balancer_attributes().load_balancer_arn(balancer).send().await?;
    let own = described.attributes().iter().find(|own| own.key() == Some("idle_timeout.timeout_seconds"));
    let seconds = own.and_then(|own| own.value()).and_then(|value| value.parse().ok());
    // Source: Elastic Load Balancing user guide, "Connection idle timeout": 60 s by default.
    Ok(Duration::from_secs(seconds.unwrap_or(60)))
}

/// The running data plane and how it learns of changes.
#[derive(Debug)]
pub struct Traffic {
    handle: Handle,
    client: Client,
    listener: String,
    addresses: Addresses,
    speed: u32,
    propagation: Mutex<Propagation>,
    chance: Chance,
    changes: AtomicU64,
    history: Mutex<Vec<Weights>>,
    retried: AtomicU64,
}

impl Traffic {
    /// Takes over a data plane. `speed` divides the times of health checks and of propagation, `chance` decides how late
    /// each change is.
    pub(crate) fn new(
        handle: Handle,
        aws: &SdkConfig,
        listener: String,
        addresses: Addresses,
        speed: u32,
        chance: Chance,
    ) -> Self {
        Self {
            handle,
            client: Client::new(aws),
            listener,
            addresses,
            speed,
            propagation: Mutex::new(Propagation::AsOnAws),
            chance,
            changes: AtomicU64::default(),
            history: Mutex::default(),
            retried: AtomicU64::default(),
        }
    }

    /// Where visitors go.
    pub fn address(&self) -> SocketAddr {
        self.handle.address()
    }

    /// How long after a change of a rule the data plane carries it out, from the next change on.
    pub fn set_propagation(&self, propagation: Propagation) {
        *self.propagation.lock().unwrap_or_else(PoisonError::into_inner) = propagation;
    }

    /// Every change of weights so far.
    pub fn history(&self) -> Vec<Weights> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The health of a group's targets; none when there is no such group.
    pub fn target_health(&self, arn: &str) -> Option<Vec<TargetHealth>> {
        self.handle.target_health(arn)
    }

    /// What each node has counted since the last call.
    pub fn take_metrics(&self) -> Vec<Metrics> {
        let nodes = self.handle.take_metrics();
        let retried = nodes.iter().map(|node| node.load_balancer.retried).sum();
        self.retried.fetch_add(retried, Ordering::Relaxed);
        nodes
    }

    /// How many requests the load balancer has sent again on a fresh connection, up to the last period of metrics.
    pub fn retried(&self) -> u64 {
        self.retried.load(Ordering::Relaxed)
    }

    /// Reads groups and rules, and carries them out at once.
    ///
    /// # Errors
    /// When the emulator does not answer or a group is described in a way that the data plane does not know.
    pub async fn load(&self) -> Result<()> {
        self.load_targets().await?;
        self.handle.set_routing(&self.routing().await?);
        Ok(())
    }

    /// Reads the groups and their targets.
    ///
    /// # Errors
    /// As [`Traffic::load`].
    pub async fn load_targets(&self) -> Result<()> {
        let mut groups = Vec::new();
        for group in self.client.describe_target_groups().send().await?.target_groups() {
            groups.push(self.target_group(group).await?);
        }
        self.handle.set_target_groups(groups);
        Ok(())
    }

    /// Reads the rules, and lets each node carry them out when it learns of them.
    ///
    /// # Errors
    /// As [`Traffic::load`].
    pub async fn rules_changed(&self) -> Result<()> {
        let routing = self.routing().await?;
        let change = self.changes.fetch_add(1, Ordering::Relaxed);
        let propagation = *self.propagation.lock().unwrap_or_else(PoisonError::into_inner);
        let delays = propagation.delays(self.chance, change).map(|delay| delay / self.speed);
        self.handle.set_routing_after(&delays, &routing);
        Ok(())
    }

    async fn target_group(&self, group: &api::TargetGroup) -> Result<TargetGroup> {
        let arn = group.target_group_arn().context("a target group has no ARN")?;
        let port = group.port().and_then(|port| u16::try_from(port).ok()).unwrap_or(80);
        let seconds = |value: Option<i32>, default: u64| {
            Duration::from_secs(value.and_then(|value| u64::try_from(value).ok()).unwrap_or(default))
                / self.speed
        };
        let count = |value: Option<i32>, default| {
            value.and_then(|value| u32::try_from(value).ok()).unwrap_or(default)
        };
        let matcher = group.matcher().and_then(|matcher| matcher.http_code()).unwrap_or("200");
        let health_check = HealthCheck {
            path: group.health_check_path().unwrap_or("/").to_owned(),
            interval: seconds(group.health_check_interval_seconds(), 30),
            // A busy machine answers no faster because the clock does.
            timeout: seconds(group.health_check_timeout_seconds(), 5) * self.speed,
            healthy_threshold: count(group.healthy_threshold_count(), 5),
            unhealthy_threshold: count(group.unhealthy_threshold_count(), 2),
            matcher: matcher.parse().with_context(|| format!("target group {arn}"))?,
        };
        let registered = self.client.describe_target_health().target_group_arn(arn).send().await?;
        let mut described = TargetGroup::new(arn, health_check);
        for target in registered.target_health_descriptions().iter().filter_map(|one| one.target()) {
            let Some(id) = target.id() else { continue };
            let Some(ip) = self.addresses.of(id) else { continue };
            let port = target.port().and_then(|port| u16::try_from(port).ok()).unwrap_or(port);
            described = described
                .with_target(Target { id: id.to_owned(), address: SocketAddr::new(ip.into(), port) });
        }
        Ok(described)
    }

    async fn routing(&self) -> Result<Routing> {
        let described = self.client.describe_rules().listener_arn(&self.listener).send().await?;
        let (mut rules, mut default) = (Vec::new(), None);
        for rule in described.rules() {
            let action = rule.actions().iter().find_map(action);
            match (rule.priority().and_then(|priority| priority.parse().ok()), action) {
                (Some(priority), Some(action)) => {
                    rules.push(Rule { priority, hosts: hosts(rule), headers: headers(rule), action });
                }
                (None, action) => default = action,
                (Some(_), None) => {
                    tracing::warn!(rule = ?rule.rule_arn(), "the data plane does not know this rule's action");
                }
            }
        }
        rules.sort_by_key(|rule| rule.priority);
        self.remember(&rules);
        let routing = Routing::new(rules);
        Ok(match default {
            Some(default) => Routing { default, ..routing },
            None => routing,
        })
    }

    fn remember(&self, rules: &[Rule]) {
        let mut hosts = BTreeMap::new();
        // What a header leads elsewhere is nobody's share of the traffic.
        for rule in rules.iter().filter(|rule| rule.headers.is_empty()) {
            let ListenerAction::Forward(forwards) = &rule.action else { continue };
            let weights: BTreeMap<String, u16> =
                forwards.iter().map(|forward| (forward.target_group.clone(), forward.weight)).collect();
            for host in &rule.hosts {
                hosts.entry(host.clone()).or_insert_with(|| weights.clone());
            }
        }
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        if history.last().is_none_or(|last| last.hosts != hosts) {
            history.push(Weights { changed: clock::now(), hosts });
        }
    }
}

fn hosts(rule: &api::Rule) -> Vec<String> {
    let conditions = rule.conditions().iter().filter_map(api::RuleCondition::host_header_config);
    conditions.flat_map(api::HostHeaderConditionConfig::values).cloned().collect()
}

fn headers(rule: &api::Rule) -> Vec<HeaderCondition> {
    let conditions = rule.conditions().iter().filter_map(api::RuleCondition::http_header_config);
    let read = |condition: &api::HttpHeaderConditionConfig| {
        let name = condition.http_header_name()?.to_owned();
        Some(HeaderCondition { name, values: condition.values().to_vec() })
    };
    conditions.filter_map(read).collect()
}

fn action(action: &api::Action) -> Option<ListenerAction> {
    if let Some(fixed) = action.fixed_response_config() {
        let status = fixed.status_code().and_then(|code| code.parse().ok()).unwrap_or(500);
        let body = fixed.message_body().unwrap_or_default().to_owned();
        return Some(ListenerAction::FixedResponse(FixedResponse { body, ..FixedResponse::new(status) }));
    }
    let groups = action.forward_config()?.target_groups();
    let forwards = groups.iter().filter_map(|group| {
        let weight = group.weight().and_then(|weight| u16::try_from(weight).ok()).unwrap_or(1);
        Some(Forward { target_group: group.target_group_arn()?.to_owned(), weight })
    });
    Some(ListenerAction::Forward(forwards.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_learn_of_a_change_each_at_its_own_time() {
        let mut apart = 0;
        for change in 0..200 {
            let delays = Propagation::AsOnAws.delays(Chance(1), change);
            assert!(delays.iter().all(|delay| PROPAGATION.contains(delay)), "{delays:?}");
            assert_eq!(delays, Propagation::AsOnAws.delays(Chance(1), change), "the seed decides");
            apart += usize::from(delays[0].abs_diff(delays[1]) > Duration::from_secs(5));
        }
        assert!(apart > 100, "{apart} of 200");
        let minute = [Duration::ZERO, Duration::from_mins(1)];
        assert_eq!(Propagation::After(minute).delays(Chance(1), 0), minute);
    }
}
