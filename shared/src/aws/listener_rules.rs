//! The listener's rules of a service.
//!
//! `ModifyRule` has no precondition: the last writer wins. A late writer is harmless all the same, because each release
//! has a rule of its own, and the way back deletes that rule and its ARN.

use super::Aws;
use super::classify::{failed, failure, incomplete};
use super::rule::{ServiceRules, StickinessConfig, forward};
use crate::failure::{Class, Failure};
use crate::ports::{ListenerRules, PortResult};
use crate::settings::ServiceSettings;
use aws_sdk_elasticloadbalancingv2::operation::create_rule::CreateRuleError;
use aws_sdk_elasticloadbalancingv2::operation::delete_rule::DeleteRuleError;
use aws_sdk_elasticloadbalancingv2::operation::describe_tags::DescribeTagsError;
use aws_sdk_elasticloadbalancingv2::operation::modify_rule::ModifyRuleError;
use aws_sdk_elasticloadbalancingv2::types::{Tag, TagDescription};
use release::{Colour, Description, ReleaseNumber, RuleArn, RuleOwner, Rules, ServiceName, Weights};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The stickiness of each service's rules as it was last read. `ModifyRule` replaces the whole action, so it is
/// sent again with every change of weights; a pass has read the rules before it changes one.
#[derive(Debug, Default)]
pub(super) struct Stickiness(Mutex<BTreeMap<ServiceName, Option<StickinessConfig>>>);

impl Stickiness {
    fn remember(&self, service: &ServiceName, config: Option<StickinessConfig>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(service.clone(), config);
    }

    fn of(&self, service: &ServiceName) -> Result<Option<StickinessConfig>, NeverRead> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(service).cloned().ok_or(NeverRead)
    }
}

/// The service's rules were not read yet in this process.
struct NeverRead;

impl Aws {
    /// The service's rules among all of the listener's. The largest page holds 400, a load balancer 100 rules by
    /// default (`DescribeRules` in the ELB API reference; ELB user guide, quotas): one call.
    pub(super) async fn read_rules(&self, service: &ServiceName) -> Result<ServiceRules, Failure> {
        let own = self.service(service)?;
        let listener = &self.settings.listener_arn;
        let attempt = format!("reading the rules of listener {listener}");
        let pages = self
            .load_balancing
            .describe_rules()
            .listener_arn(listener)
            .page_size(400)
            .into_paginator()
            .items()
            .send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(|error| failure(attempt, error))?;
        let rules = ServiceRules::among(&all, service, own, listener)?;
        self.stickiness.remember(service, rules.stickiness.clone());
        Ok(rules)
    }

    async fn stickiness(&self, service: &ServiceName) -> Result<Option<StickinessConfig>, Failure> {
        match self.stickiness.of(service) {
            Ok(known) => Ok(known),
            Err(NeverRead) => Ok(self.read_rules(service).await?.stickiness),
        }
    }

    async fn set_weights(
        &self,
        service: &ServiceName,
        rule: &str,
        weights: Weights,
        gone: Gone,
    ) -> PortResult<()> {
        let own = self.service(service)?;
        let attempt = format!("setting {weights} on rule {rule} of {service}");
        let action = forward(&own.target_groups, weights, self.stickiness(service).await?);
        match self.load_balancing.modify_rule().rule_arn(rule).actions(action).send().await {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(error.as_service_error(), Some(ModifyRuleError::RuleNotFoundException(_))) =>
            {
                Err(failed(gone.class, attempt, gone.next, error))
            }
            Err(error) => Err(failure(attempt, error)),
        }
    }
}

impl Aws {
    /// A rule that is gone is no failure.
    async fn delete_rule(&self, service: &ServiceName, rule: &RuleArn) -> Result<(), Failure> {
        match self.load_balancing.delete_rule().rule_arn(&rule.0).send().await {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(error.as_service_error(), Some(DeleteRuleError::RuleNotFoundException(_))) =>
            {
                Ok(())
            }
            Err(error) => Err(failure(format!("deleting rule {rule} of {service}"), error)),
        }
    }
}

/// What it means that a rule is gone.
struct Gone {
    class: Class,
    next: &'static str,
}

impl ListenerRules for Aws {
    async fn rules(&self, service: &ServiceName) -> PortResult<Rules> {
        Ok(self.read_rules(service).await?.weights)
    }

    async fn rule_owner(&self, service: &ServiceName, rule: &RuleArn) -> PortResult<Option<RuleOwner>> {
        let attempt = format!("reading the tags of rule {rule}");
        let tags = match self.load_balancing.describe_tags().resource_arns(&rule.0).send().await {
            Ok(output) => output.tag_descriptions.unwrap_or_default(),
            Err(error)
                if matches!(error.as_service_error(), Some(DescribeTagsError::RuleNotFoundException(_))) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(failure(attempt, error)),
        };
        let value = |key: &str| {
            let mut all = tags.iter().flat_map(TagDescription::tags);
            all.find(|tag| tag.key() == Some(key)).and_then(|tag| tag.value())
        };
        if value("greenlight:service") != Some(service.as_str()) || value("greenlight:preview").is_some() {
            return Ok(None);
        }
        let number = value("greenlight:release").and_then(|text| text.parse().ok()).map(ReleaseNumber);
        let attempt = value("greenlight:attempt").and_then(|text| text.parse().ok());
        let candidate = value("greenlight:candidate").and_then(Colour::from_word);
        Ok(number.zip(attempt).map(|(number, attempt)| RuleOwner { number, attempt, candidate }))
    }

    async fn create_release_rule(
        &self,
        service: &ServiceName,
        live: Colour,
        release: &Description,
    ) -> PortResult<RuleArn> {
        let own: &ServiceSettings = self.service(service)?;
        let ServiceRules { base, stickiness, .. } = self.read_rules(service).await?;
        let base = base?;
        let attempt = format!(
            "creating the rule of release {} of {service} at priority {}",
            release.number, base.release_priority
        );
        let tag = |key: &str, value: String| Tag::builder().key(key).value(value).build();
        let call = self
            .load_balancing
            .create_rule()
            .listener_arn(&self.settings.listener_arn)
            .priority(base.release_priority)
            .set_conditions(Some(base.conditions))
            .set_transforms(base.transforms)
            .actions(forward(&own.target_groups, Weights::all_on(live), stickiness))
            .tags(tag("greenlight:service", service.to_string()))
            .tags(tag("greenlight:release", release.number.to_string()))
            .tags(tag("greenlight:attempt", release.attempt.to_string()))
            .tags(tag("greenlight:candidate", release.colour.to_string()));
        match call.send().await {
            Ok(output) => {
                let arn = output.rules.unwrap_or_default().into_iter().find_map(|rule| rule.rule_arn);
                arn.map(RuleArn).ok_or_else(|| incomplete(attempt, "the rule's ARN"))
            }
            Err(error)
                if matches!(error.as_service_error(), Some(CreateRuleError::PriorityInUseException(_))) =>
            {
                Err(failed(
                    Class::Conflict,
                    attempt,
                    "a rule is there already: a release is open or its rule was left over, read again",
                    error,
                ))
            }
            Err(error) => Err(failure(attempt, error)),
        }
    }

    async fn set_release_weights(
        &self,
        service: &ServiceName,
        rule: &RuleArn,
        weights: Weights,
    ) -> PortResult<()> {
        let gone =
            Gone { class: Class::Conflict, next: "the rule is gone: the way back was taken, read again" };
        self.set_weights(service, &rule.0, weights, gone).await
    }

    async fn delete_release_rule(&self, service: &ServiceName, rule: &RuleArn) -> PortResult<()> {
        self.delete_rule(service, rule).await
    }

    async fn create_preview_rule(&self, service: &ServiceName, release: &Description) -> PortResult<RuleArn> {
        let base = self.read_rules(service).await?.base?;
        self.make_preview_rule(service, release, base).await
    }

    async fn delete_preview_rule(&self, service: &ServiceName, rule: &RuleArn) -> PortResult<()> {
        self.delete_rule(service, rule).await
    }

    async fn set_base_weights(&self, service: &ServiceName, weights: Weights) -> PortResult<()> {
        let base = self.service(service)?.base_rule_arn.clone();
        let gone = Gone {
            class: Class::Permanent,
            next: "the service's base rule is gone: deploy the stack with another Bake, which makes it again (docs/operating.md)",
        };
        self.set_weights(service, &base, weights, gone).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::{BASE_RULE, BLUE, GREEN, aws, backend, captured, description, query_error};
    use aws_sdk_elasticloadbalancingv2::Client;
    use aws_sdk_elasticloadbalancingv2::operation::create_rule::CreateRuleOutput;
    use aws_sdk_elasticloadbalancingv2::operation::delete_rule::DeleteRuleOutput;
    use aws_sdk_elasticloadbalancingv2::operation::describe_rules::DescribeRulesOutput;
    use aws_sdk_elasticloadbalancingv2::operation::describe_tags::DescribeTagsOutput;
    use aws_sdk_elasticloadbalancingv2::operation::modify_rule::ModifyRuleOutput;
    use aws_sdk_elasticloadbalancingv2::types::{
        Action, ActionTypeEnum, ForwardActionConfig, HostHeaderConditionConfig, Rule as ListenerRule,
        RuleCondition, TargetGroupTuple,
    };
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use release::{ReleaseRule, Routing};

    const RELEASE_RULE: &str =
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/shop/1/2/release";

    fn action(weights: &[(&str, i32)]) -> Action {
        let tuples = weights.iter().map(|(group, weight)| {
            TargetGroupTuple::builder().target_group_arn(*group).weight(*weight).build()
        });
        let config = ForwardActionConfig::builder()
            .set_target_groups(Some(tuples.collect()))
            .target_group_stickiness_config(
                StickinessConfig::builder().enabled(true).duration_seconds(60).build(),
            );
        Action::builder().r#type(ActionTypeEnum::Forward).forward_config(config.build()).build()
    }

    fn host(name: &str) -> RuleCondition {
        let config = HostHeaderConditionConfig::builder().values(name).build();
        RuleCondition::builder().field("host-header").values(name).host_header_config(config).build()
    }

    fn rule(arn: &str, priority: &str, host_name: &str, action: Action) -> ListenerRule {
        ListenerRule::builder()
            .rule_arn(arn)
            .priority(priority)
            .conditions(host(host_name))
            .actions(action)
            .build()
    }

    fn base() -> ListenerRule {
        rule(BASE_RULE, "20", "api.shop.test", action(&[(BLUE, 100), (GREEN, 0)]))
    }

    fn described(rules: Vec<ListenerRule>) -> Rule {
        mock!(Client::describe_rules)
            .match_requests(|request| request.page_size() == Some(400) && request.listener_arn().is_some())
            .then_output(move || DescribeRulesOutput::builder().set_rules(Some(rules.clone())).build())
    }

    fn aws_with(rules: &[&Rule]) -> Aws {
        aws().with_load_balancing(mock_client!(aws_sdk_elasticloadbalancingv2, RuleMode::Sequential, rules))
    }

    async fn read(rules: Vec<ListenerRule>) -> PortResult<Rules> {
        aws_with(&[&described(rules)]).rules(&backend()).await
    }

    #[tokio::test]
    async fn both_rules_of_a_service_are_found_among_others() {
        let other = rule("arn:other", "9", "shop.test", action(&[("arn:elsewhere", 1)]));
        let default =
            ListenerRule::builder().rule_arn("arn:default").priority("default").is_default(true).build();
        let release = rule(RELEASE_RULE, "19", "API.shop.test", action(&[(BLUE, 90), (GREEN, 10)]));
        let seen = read(vec![other, release, base(), default]).await.unwrap();
        let expected = ReleaseRule {
            arn: RuleArn(RELEASE_RULE.to_owned()),
            weights: Weights::share(Colour::Green, 10).into(),
        };
        let expected =
            Rules { base: Weights::all_on(Colour::Blue).into(), release: Some(expected), preview: None };
        assert_eq!(seen, expected);
    }

    #[tokio::test]
    async fn a_rule_that_names_one_group_without_weight_gives_it_everything() {
        let only = Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(GREEN).build();
        let seen = read(vec![rule(BASE_RULE, "20", "api.shop.test", only)]).await.unwrap();
        assert!(seen.base.are_all_on(Colour::Green), "{}", seen.base);
    }

    #[tokio::test]
    async fn a_base_rule_that_leaves_no_place_for_a_release_says_so() {
        let rules = vec![rule(BASE_RULE, "1", "api.shop.test", action(&[(BLUE, 1)]))];
        let failure = read(rules).await.unwrap_err();
        assert_eq!(failure.class(), Class::Permanent);
        assert!(failure.to_string().contains("leaves no priority"), "{failure}");
    }

    #[tokio::test]
    async fn a_base_rule_that_was_deleted_hides_no_release_and_no_rule_is_made_without_it() {
        let other = rule("arn:other", "3", "api.shop.test", action(&[(BLUE, 1)]));
        let release = rule(RELEASE_RULE, "19", "api.shop.test", action(&[(BLUE, 90), (GREEN, 10)]));
        let seen = read(vec![other.clone(), release]).await.unwrap();
        assert!(seen.base.is_gone() && !seen.base.gives(Colour::Blue), "{}", seen.base);
        let found = seen.release.unwrap();
        assert_eq!((found.arn.0.as_str(), found.weights.per_mille(Colour::Green)), (RELEASE_RULE, 100));
        let described = described(vec![other]);
        let refused =
            aws_with(&[&described]).create_release_rule(&backend(), Colour::Blue, &description()).await;
        let failure = refused.unwrap_err();
        assert_eq!(failure.class(), Class::Permanent);
        assert!(failure.to_string().contains("is not on listener"), "{failure}");
    }

    #[tokio::test]
    async fn a_rule_that_is_not_as_the_stack_made_it_says_so_and_hides_no_other() {
        let release = || rule(RELEASE_RULE, "19", "old.shop.test", action(&[(BLUE, 90), (GREEN, 10)]));
        let page = Action::builder().r#type(ActionTypeEnum::FixedResponse).build();
        let login = Action::builder().r#type(ActionTypeEnum::AuthenticateOidc).build();
        let with_login = || {
            let rule = base();
            ListenerRule::builder()
                .rule_arn(BASE_RULE)
                .priority("20")
                .actions(login.clone())
                .set_conditions(rule.conditions)
                .actions(action(&[(BLUE, 0), (GREEN, 5)]))
                .build()
        };
        let with = |action: Action| rule(BASE_RULE, "20", "api.shop.test", action);
        for (base, says, gives_green, plain) in [
            (with(action(&[(BLUE, 1), ("arn:elsewhere", 1)])), "arn:elsewhere", false, false),
            (with(action(&[(GREEN, 1), ("arn:elsewhere", 1)])), "arn:elsewhere", true, false),
            (with(action(&[(BLUE, 0), (GREEN, 0)])), "no request would be served", false, true),
            (with(page), "one forward action", false, false),
            (with_login(), "one forward action", true, false),
        ] {
            let seen = read(vec![base, release()]).await.unwrap();
            let Routing::Odd(odd) = &seen.base else { panic!("{} was understood", seen.base) };
            assert!(odd.why.contains(says), "{}", odd.why);
            assert_eq!((seen.base.gives(Colour::Green), odd.plain), (gives_green, plain), "{}", odd.why);
            let found = seen.release.unwrap();
            assert_eq!((found.arn.0.as_str(), found.weights.per_mille(Colour::Green)), (RELEASE_RULE, 100));
        }
        let odd_release = rule(RELEASE_RULE, "19", "api.shop.test", action(&[(BLUE, 0), (GREEN, 0)]));
        let seen = read(vec![base(), odd_release]).await.unwrap();
        assert!(seen.base.are_all_on(Colour::Blue));
        assert!(matches!(seen.release.unwrap().weights, Routing::Odd(_)));
    }

    #[tokio::test]
    async fn whose_a_rule_is_its_tags_say_for_this_service_only() {
        for (service, owner) in [("backend", Some((142, 1, Some(Colour::Green)))), ("frontend", None)] {
            let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
            let tags = vec![
                tag("greenlight:service", service),
                tag("greenlight:release", "142"),
                tag("greenlight:attempt", "1"),
                tag("greenlight:candidate", "green"),
            ];
            let described = mock!(Client::describe_tags).then_output(move || {
                let of_the_rule = TagDescription::builder().set_tags(Some(tags.clone())).build();
                DescribeTagsOutput::builder().tag_descriptions(of_the_rule).build()
            });
            let arn = RuleArn(RELEASE_RULE.to_owned());
            let found = aws_with(&[&described]).rule_owner(&backend(), &arn).await.unwrap();
            let found = found.map(|owner| (owner.number.0, owner.attempt, owner.candidate));
            assert_eq!(found, owner, "{service}");
        }
    }

    #[tokio::test]
    async fn a_release_rule_is_a_copy_of_the_base_rule_one_priority_above() {
        let create = mock!(Client::create_rule)
            .match_requests(|request| {
                let condition = &request.conditions()[0];
                let tags: Vec<_> = request
                    .tags()
                    .iter()
                    .map(|tag| (tag.key().unwrap_or(""), tag.value().unwrap_or("")))
                    .collect();
                request.priority() == Some(19)
                    && request.conditions().len() == 1
                    && condition.values().is_empty()
                    && condition.host_header_config().unwrap().values() == ["api.shop.test"]
                    && request.actions()[0] == action(&[(BLUE, 100), (GREEN, 0)])
                    && tags
                        == [
                            ("greenlight:service", "backend"),
                            ("greenlight:release", "142"),
                            ("greenlight:attempt", "1"),
                            ("greenlight:candidate", "green"),
                        ]
            })
            .then_output(|| {
                CreateRuleOutput::builder()
                    .rules(ListenerRule::builder().rule_arn(RELEASE_RULE).build())
                    .build()
            });
        let aws = aws_with(&[&described(vec![base()]), &create]);
        let arn = aws.create_release_rule(&backend(), Colour::Blue, &description()).await.unwrap();
        assert_eq!(arn.0, RELEASE_RULE);
    }

    #[tokio::test]
    async fn a_priority_in_use_is_a_conflict_and_a_full_listener_is_permanent() {
        for (code, class) in [("PriorityInUse", Class::Conflict), ("TooManyRules", Class::Permanent)] {
            let create = mock!(Client::create_rule).then_http_response(move || query_error(400, code));
            let aws = aws_with(&[&described(vec![base()]), &create]);
            let failure =
                aws.create_release_rule(&backend(), Colour::Blue, &description()).await.unwrap_err();
            assert_eq!(failure.class(), class, "{code}");
            assert!(failure.to_string().contains("release 142 of backend at priority 19"), "{failure}");
        }
    }

    #[tokio::test]
    async fn setting_weights_sends_the_stickiness_again_and_reads_it_only_once() {
        let modify = || {
            mock!(Client::modify_rule)
                .match_requests(|request| {
                    let expected = action(&[(BLUE, 90), (GREEN, 10)]);
                    request.rule_arn() == Some(RELEASE_RULE) && request.actions() == [expected]
                })
                .then_output(|| ModifyRuleOutput::builder().build())
        };
        let describe = described(vec![base()]);
        let aws = aws_with(&[&describe, &modify(), &modify()]);
        for _ in 0..2 {
            let rule = RuleArn(RELEASE_RULE.to_owned());
            aws.set_release_weights(&backend(), &rule, Weights::share(Colour::Green, 10)).await.unwrap();
        }
        assert_eq!(describe.num_calls(), 1);
    }

    #[tokio::test]
    async fn a_rule_that_is_gone_means_another_thing_for_each_call() {
        let gone = || mock!(Client::modify_rule).then_http_response(|| query_error(400, "RuleNotFound"));
        let arn = RuleArn(RELEASE_RULE.to_owned());
        let aws = aws_with(&[&described(vec![base()]), &gone(), &gone()]);
        let late =
            aws.set_release_weights(&backend(), &arn, Weights::all_on(Colour::Green)).await.unwrap_err();
        assert!(late.is_conflict() && late.to_string().contains("the way back was taken"), "{late}");
        let lost = aws.set_base_weights(&backend(), Weights::all_on(Colour::Green)).await.unwrap_err();
        assert_eq!(lost.class(), Class::Permanent);
        let delete = mock!(Client::delete_rule).then_http_response(|| query_error(400, "RuleNotFound"));
        aws_with(&[&delete]).delete_release_rule(&backend(), &arn).await.unwrap();
    }

    #[tokio::test]
    async fn a_release_rule_is_deleted_by_its_arn() {
        let delete = mock!(Client::delete_rule)
            .match_requests(|request| request.rule_arn() == Some(RELEASE_RULE))
            .then_output(|| DeleteRuleOutput::builder().build());
        aws_with(&[&delete])
            .delete_release_rule(&backend(), &RuleArn(RELEASE_RULE.to_owned()))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn the_request_that_moves_traffic_is_pinned() {
        let (http, request) = captured();
        let config = aws_sdk_elasticloadbalancingv2::Config::builder()
            .with_test_defaults_v2()
            .http_client(http)
            .build();
        let aws = aws().with_load_balancing(Client::from_conf(config));
        aws.stickiness.remember(&backend(), Some(StickinessConfig::builder().enabled(false).build()));
        aws.set_base_weights(&backend(), Weights::share(Colour::Green, 25)).await.unwrap_err();
        let request = request.expect_request();
        let body = String::from_utf8(request.body().bytes().unwrap().to_vec()).unwrap();
        insta::assert_snapshot!(body.replace('&', "\n"));
    }
}
