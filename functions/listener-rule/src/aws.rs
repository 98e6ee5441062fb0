//! The ports, carried out by AWS.

use crate::ports::{Answers, Listener, LiveColour};
use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::operation::create_rule::CreateRuleError;
use aws_sdk_elasticloadbalancingv2::operation::delete_rule::DeleteRuleError;
use aws_sdk_elasticloadbalancingv2::operation::describe_rules::DescribeRulesError;
use aws_sdk_elasticloadbalancingv2::operation::describe_tags::DescribeTagsError;
use aws_sdk_elasticloadbalancingv2::types::{
    HostHeaderConditionConfig, Rule as Described, RuleCondition, RulePriorityPair, Tag,
};
use base_rule::{Change, Owner, Rule, Tags, Wanted};
use greenlight::aws::classify::{failed, failure};
use greenlight::aws::{ledgers, rule};
use greenlight::failure::{Class, Failure};
use greenlight::lambda::Presigned;
use release::{Colour, RuleArn, ServiceName};
use std::collections::BTreeMap;

/// `DescribeTags` takes at most 20 resources (ELB API reference).
const TAGS_PER_CALL: usize = 20;

/// The clients. Built once, outside the handler.
#[derive(Debug)]
pub struct Aws {
    load_balancing: Client,
    s3: aws_sdk_s3::Client,
    presigned: Presigned,
}

impl Aws {
    /// With the configuration of `greenlight::lambda::sdk_config`.
    pub fn new(config: &SdkConfig, presigned: Presigned) -> Self {
        Self { load_balancing: Client::new(config), s3: aws_sdk_s3::Client::new(config), presigned }
    }

    #[cfg(test)]
    async fn mocked(load_balancing: Client) -> Self {
        let nothing = SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest()).build();
        Self { load_balancing, ..Self::new(&nothing, Presigned::new().await.unwrap()) }
    }

    async fn create(&self, weights: release::Weights, owner: &Owner, wanted: &Wanted) -> Result<(), Failure> {
        let attempt = format!("creating the base rule of {} at priority {}", wanted.service, wanted.priority);
        let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
        let call = self
            .load_balancing
            .create_rule()
            .listener_arn(&wanted.listener)
            .priority(i32::try_from(wanted.priority).unwrap_or(i32::MAX))
            .conditions(answers_for(&wanted.hosts))
            .actions(rule::forward(&wanted.groups, weights, None))
            .set_tags(Some(owner.tags(&wanted.service).iter().map(tag).collect()));
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(error.as_service_error(), Some(CreateRuleError::PriorityInUseException(_))) =>
            {
                Err(failed(Class::Conflict, attempt, "a rule is there already, look again", error))
            }
            Err(error) => Err(failure(attempt, error)),
        }
    }

    async fn delete(&self, rule: &RuleArn) -> Result<(), Failure> {
        match self.load_balancing.delete_rule().rule_arn(&rule.0).send().await {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(error.as_service_error(), Some(DeleteRuleError::RuleNotFoundException(_))) =>
            {
                Ok(())
            }
            Err(error) => Err(failure(format!("deleting rule {rule}"), error)),
        }
    }
}

impl Listener for Aws {
    async fn rules(&self, listener: &str) -> Result<Vec<Rule>, Failure> {
        let call = self.load_balancing.describe_rules().listener_arn(listener).page_size(400);
        let pages = call.into_paginator().items().send();
        match pages.collect::<Result<Vec<_>, _>>().await {
            Ok(described) => Ok(described.into_iter().filter_map(read).collect()),
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(DescribeRulesError::ListenerNotFoundException(_))
                ) =>
            {
                Ok(Vec::new())
            }
            Err(error) => Err(failure(format!("reading the rules of listener {listener}"), error)),
        }
    }

    async fn tags(&self, rules: &[RuleArn]) -> Result<BTreeMap<RuleArn, Tags>, Failure> {
        let mut found = BTreeMap::new();
        for some in rules.chunks(TAGS_PER_CALL) {
            let arns = some.iter().map(|rule| rule.0.clone()).collect();
            let attempt = "reading the tags of the listener's rules";
            let described = match self
                .load_balancing
                .describe_tags()
                .set_resource_arns(Some(arns))
                .send()
                .await
            {
                Ok(output) => output.tag_descriptions.unwrap_or_default(),
                Err(error)
                    if matches!(
                        error.as_service_error(),
                        Some(DescribeTagsError::RuleNotFoundException(_))
                    ) =>
                {
                    return Err(failed(Class::Conflict, attempt, "one is gone meanwhile, look again", error));
                }
                Err(error) => return Err(failure(attempt, error)),
            };
            for one in described {
                let tags = one
                    .tags()
                    .iter()
                    .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())));
                let tags = tags.collect();
                found.extend(one.resource_arn.map(|arn| (RuleArn(arn), tags)));
            }
        }
        Ok(found)
    }

    async fn carry_out(
        &self,
        change: &Change,
        owner: &Owner,
        wanted: Option<&Wanted>,
    ) -> Result<(), Failure> {
        match (change, wanted) {
            (Change::Create(weights), Some(wanted)) => self.create(*weights, owner, wanted).await,
            (Change::SetHosts(rule), Some(wanted)) => {
                let call = self.load_balancing.modify_rule().rule_arn(&rule.0);
                let sent = call.conditions(answers_for(&wanted.hosts)).send().await;
                let attempt = || format!("setting the host names of rule {rule} of {}", wanted.service);
                sent.map(drop).map_err(|error| failure(attempt(), error))
            }
            (Change::Move(places), _) => {
                let pair = |(rule, place): &(RuleArn, u32)| {
                    let place = i32::try_from(*place).unwrap_or(i32::MAX);
                    RulePriorityPair::builder().rule_arn(&rule.0).priority(place).build()
                };
                let pairs = places.iter().map(pair).collect();
                let sent =
                    self.load_balancing.set_rule_priorities().set_rule_priorities(Some(pairs)).send().await;
                sent.map(drop)
                    .map_err(|error| failure("setting the priorities of the service's rules", error))
            }
            (Change::Delete(rule), _) => self.delete(rule).await,
            (Change::Create(_) | Change::SetHosts(_), None) => {
                let message = "a rule is to be made or changed, and the template does not say how: report this as a bug";
                Err(Failure::new(Class::Bug, message))
            }
        }
    }
}

/// A rule as AWS describes it; none for the default rule, which has no priority.
fn read(described: Described) -> Option<Rule> {
    let priority = described.priority.as_deref()?.parse().ok()?;
    let conditions = described.conditions().iter();
    let hosts = conditions.filter_map(|condition| condition.host_header_config.as_ref());
    let hosts = hosts.flat_map(|config| config.values().to_vec()).collect();
    let groups =
        described.actions().iter().flat_map(rule::shares).map(|(group, _)| group.to_owned()).collect();
    Some(Rule { arn: RuleArn(described.rule_arn?), priority, hosts, groups, tags: Tags::new() })
}

fn answers_for(hosts: &[String]) -> RuleCondition {
    let config = HostHeaderConditionConfig::builder().set_values(Some(hosts.to_vec())).build();
    RuleCondition::builder().field("host-header").host_header_config(config).build()
}

impl LiveColour for Aws {
    async fn live_colour(&self, bucket: &str, service: &ServiceName) -> Result<Option<Colour>, Failure> {
        let found = ledgers::read(&self.s3, bucket, service).await?;
        Ok(found.and_then(|(ledger, _)| Some(ledger.live?.colour)))
    }
}

impl Answers for Aws {
    async fn put(&self, url: &str, answer: String) -> Result<(), Failure> {
        self.presigned.put(url, answer).await
    }
}

#[cfg(test)]
mod tests;
