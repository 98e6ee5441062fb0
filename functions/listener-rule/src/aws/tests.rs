//! What is asked of AWS, and how its answers are read.

use super::Aws;
use crate::ports::Listener as _;
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::operation::create_rule::CreateRuleOutput;
use aws_sdk_elasticloadbalancingv2::operation::delete_rule::DeleteRuleOutput;
use aws_sdk_elasticloadbalancingv2::operation::describe_rules::DescribeRulesOutput;
use aws_sdk_elasticloadbalancingv2::operation::describe_tags::DescribeTagsOutput;
use aws_sdk_elasticloadbalancingv2::operation::modify_rule::ModifyRuleOutput;
use aws_sdk_elasticloadbalancingv2::operation::set_rule_priorities::SetRulePrioritiesOutput;
use aws_sdk_elasticloadbalancingv2::types::error::{
    ListenerNotFoundException, PriorityInUseException, RuleNotFoundException,
};
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, HostHeaderConditionConfig, Rule as Described, RuleCondition, Tag, TagDescription,
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use base_rule::{Change, Owner, Wanted};
use greenlight::failure::Class;
use release::{Colour, PerColour, RuleArn, ServiceName, Weights};

const LISTENER: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/shop/1/2";

async fn aws(rules: &[&Rule]) -> Aws {
    Aws::mocked(mock_client!(aws_sdk_elasticloadbalancingv2, RuleMode::Sequential, rules)).await
}

fn arn(name: &str) -> RuleArn {
    RuleArn(name.to_owned())
}

fn owner() -> Owner {
    Owner { stack: "arn:stack".to_owned(), resource: "BackendRule".to_owned() }
}

fn wanted() -> Wanted {
    Wanted {
        service: ServiceName::new("backend").unwrap(),
        listener: LISTENER.to_owned(),
        priority: 20,
        hosts: vec!["a.test".to_owned(), "b.test".to_owned()],
        groups: PerColour { blue: "blue".to_owned(), green: "green".to_owned() },
    }
}

fn hosts(condition: &RuleCondition) -> (&str, &[String], bool) {
    let config = condition.host_header_config().unwrap();
    (condition.field().unwrap(), config.values(), condition.values().is_empty())
}

#[tokio::test]
async fn rules_are_read_without_the_default_one_and_a_listener_that_is_gone_has_none() {
    let described = mock!(Client::describe_rules)
        .match_requests(|request| {
            request.listener_arn() == Some(LISTENER) && request.page_size() == Some(400)
        })
        .then_output(|| {
            let config = HostHeaderConditionConfig::builder().values("a.test").values("b.test").build();
            let condition = RuleCondition::builder().field("host-header").host_header_config(config).build();
            let action = Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn("blue").build();
            let rule =
                Described::builder().rule_arn("one").priority("20").conditions(condition).actions(action);
            let default = Described::builder().rule_arn("default").priority("default").is_default(true);
            DescribeRulesOutput::builder().rules(rule.build()).rules(default.build()).build()
        });
    let gone = mock!(Client::describe_rules).then_error(|| {
        aws_sdk_elasticloadbalancingv2::operation::describe_rules::DescribeRulesError::ListenerNotFoundException(
            ListenerNotFoundException::builder().build(),
        )
    });
    let aws = aws(&[&described, &gone]).await;
    let rules = aws.rules(LISTENER).await.unwrap();
    let [rule] = &rules[..] else { panic!("{rules:?}") };
    assert_eq!((rule.arn.0.as_str(), rule.priority, rule.hosts.as_slice()), ("one", 20, &wanted().hosts[..]));
    assert_eq!(rule.groups, ["blue".to_owned()].into());
    assert_eq!(aws.rules(LISTENER).await.unwrap(), []);
}

#[tokio::test]
async fn tags_are_read_for_twenty_rules_at_a_time_and_for_none_without_a_call() {
    let of = |count: usize| {
        mock!(Client::describe_tags)
            .match_requests(move |request| request.resource_arns().len() == count)
            .then_output(|| {
                let tag = Tag::builder().key("greenlight:service").value("backend").build();
                let one = TagDescription::builder().resource_arn("rule-0").tags(tag).build();
                DescribeTagsOutput::builder().tag_descriptions(one).build()
            })
    };
    let aws = aws(&[&of(20), &of(1)]).await;
    assert!(aws.tags(&[]).await.unwrap().is_empty());
    let rules: Vec<RuleArn> = (0..21).map(|number| arn(&format!("rule-{number}"))).collect();
    assert_eq!(aws.tags(&rules).await.unwrap()[&rules[0]]["greenlight:service"], "backend");
}

#[tokio::test]
async fn a_rule_is_created_with_both_groups_its_hosts_and_its_owner() {
    let create = mock!(Client::create_rule)
        .match_requests(|request| {
            let tags: Vec<_> =
                request.tags().iter().map(|tag| (tag.key().unwrap(), tag.value().unwrap())).collect();
            let config = request.actions()[0].forward_config().unwrap();
            let weights: Vec<_> = config
                .target_groups()
                .iter()
                .map(|one| (one.target_group_arn().unwrap(), one.weight().unwrap()))
                .collect();
            request.listener_arn() == Some(LISTENER)
                && request.priority() == Some(20)
                && hosts(&request.conditions()[0]) == ("host-header", &wanted().hosts[..], true)
                && weights == [("blue", 0), ("green", 100)]
                && config.target_group_stickiness_config().is_none()
                && tags
                    == [
                        ("greenlight:resource", "BackendRule"),
                        ("greenlight:service", "backend"),
                        ("greenlight:stack", "arn:stack"),
                    ]
        })
        .then_output(|| CreateRuleOutput::builder().build());
    let taken = mock!(Client::create_rule).then_error(|| {
        aws_sdk_elasticloadbalancingv2::operation::create_rule::CreateRuleError::PriorityInUseException(
            PriorityInUseException::builder().build(),
        )
    });
    let aws = aws(&[&create, &taken]).await;
    let change = Change::Create(Weights::all_on(Colour::Green));
    aws.carry_out(&change, &owner(), Some(&wanted())).await.unwrap();
    let failure = aws.carry_out(&change, &owner(), Some(&wanted())).await.unwrap_err();
    assert_eq!(failure.class(), Class::Conflict);
}

#[tokio::test]
async fn hosts_are_set_without_a_word_about_weights_and_priorities_in_one_call() {
    let modify = mock!(Client::modify_rule)
        .match_requests(|request| {
            request.rule_arn() == Some("one")
                && request.actions().is_empty()
                && hosts(&request.conditions()[0]) == ("host-header", &wanted().hosts[..], true)
        })
        .then_output(|| ModifyRuleOutput::builder().build());
    let places = mock!(Client::set_rule_priorities)
        .match_requests(|request| {
            let pairs: Vec<_> = request
                .rule_priorities()
                .iter()
                .map(|pair| (pair.rule_arn().unwrap(), pair.priority().unwrap()))
                .collect();
            pairs == [("one", 30), ("two", 29)]
        })
        .then_output(|| SetRulePrioritiesOutput::builder().build());
    let aws = aws(&[&modify, &places]).await;
    aws.carry_out(&Change::SetHosts(arn("one")), &owner(), Some(&wanted())).await.unwrap();
    let places = Change::Move(vec![(arn("one"), 30), (arn("two"), 29)]);
    aws.carry_out(&places, &owner(), Some(&wanted())).await.unwrap();
}

#[tokio::test]
async fn a_rule_that_is_gone_is_deleted() {
    let delete = mock!(Client::delete_rule)
        .match_requests(|request| request.rule_arn() == Some("one"))
        .then_output(|| DeleteRuleOutput::builder().build());
    let gone = mock!(Client::delete_rule).then_error(|| {
        aws_sdk_elasticloadbalancingv2::operation::delete_rule::DeleteRuleError::RuleNotFoundException(
            RuleNotFoundException::builder().build(),
        )
    });
    let aws = aws(&[&delete, &gone]).await;
    for _ in 0..2 {
        aws.carry_out(&Change::Delete(arn("one")), &owner(), None).await.unwrap();
    }
}
