//! Previews: their secrets in S3, and their rules.

use super::Aws;
use super::classify::{failed, failure, incomplete};
use super::rule::BaseRule;
use crate::failure::{Class, Failure, chain};
use crate::ports::{PortResult, PreviewSecrets};
use crate::secret::Secret;
use aws_sdk_elasticloadbalancingv2::operation::create_rule::CreateRuleError;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, ForwardActionConfig, HttpHeaderConditionConfig, RuleCondition, Tag,
    TargetGroupTuple,
};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use release::{Description, Preview, RuleArn, ServiceName};
use std::io::Read as _;

/// Values that the conditions of one rule may have (Elastic Load Balancing quotas, "Condition values per rule").
const MOST_VALUES: usize = 5;

fn key(service: &ServiceName) -> String {
    format!("preview/{service}")
}

impl PreviewSecrets for Aws {
    async fn preview_secret(&self, service: &ServiceName) -> PortResult<Option<Secret>> {
        let bucket = &self.settings.state_bucket;
        let attempt = format!("reading the preview's secret s3://{bucket}/{}", key(service));
        let output = match self.s3.get_object().bucket(bucket).key(key(service)).send().await {
            Ok(output) => output,
            Err(error) if matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_))) => {
                return Ok(None);
            }
            Err(error) => return Err(failure(attempt, error)),
        };
        let bytes = output.body.collect().await.map_err(|error| {
            Failure::new(Class::Transient, format!("{attempt} broke off, ask once more")).caused_by(error)
        })?;
        let secret = std::str::from_utf8(&bytes.into_bytes()).ok().and_then(Secret::stored);
        // What is there instead may be one all the same: it is not repeated.
        let wrong = || {
            Failure::new(
                Class::Permanent,
                format!("{attempt} found none: greenlight preview --rotate makes one"),
            )
        };
        secret.map(Some).ok_or_else(wrong)
    }

    /// `PutObject`, without a precondition.
    async fn make_preview_secret(&self, service: &ServiceName) -> PortResult<()> {
        let bucket = &self.settings.state_bucket;
        let attempt = format!("writing the preview's secret s3://{bucket}/{}", key(service));
        let mut random = [0; 16];
        // The kernel's, which Lambda has as every Linux does.
        let read = std::fs::File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut random));
        read.map_err(|error| {
            Failure::new(
                Class::Transient,
                format!("{attempt} failed, there are no random bytes: ask once more"),
            )
            .caused_by(error)
        })?;
        let body = ByteStream::from(Secret::of(random).reveal().as_bytes().to_vec());
        let write = self.s3.put_object().bucket(bucket).key(key(service)).content_type("text/plain");
        write.body(body).send().await.map_err(|error| failure(attempt, error))?;
        Ok(())
    }

    async fn hosts(&self, service: &ServiceName) -> PortResult<Vec<String>> {
        let conditions = self.read_rules(service).await?.base?.conditions;
        let hosts = conditions.iter().filter_map(RuleCondition::host_header_config);
        Ok(hosts.flat_map(|hosts| hosts.values().iter().cloned()).collect())
    }
}

impl Aws {
    /// Behind the base rule's conditions and the header's, everything goes to the candidate.
    pub(super) async fn make_preview_rule(
        &self,
        service: &ServiceName,
        release: &Description,
        base: BaseRule,
    ) -> Result<RuleArn, Failure> {
        let own = self.service(service)?;
        let priority = base.release_priority - 1;
        let attempt = format!("creating the preview's rule of release {} of {service}", release.number);
        let refused = |why: &str| Failure::new(Class::Permanent, format!("{attempt} failed: {why}"));
        if priority < 1 {
            return Err(refused("no priority is left for it, give the base rule priority 3 or more"));
        }
        if base.conditions.iter().map(values).sum::<usize>() >= MOST_VALUES {
            return Err(refused(
                "a rule takes five values in its conditions, one of them is the header's: give the service four hosts at most",
            ));
        }
        let Some(secret) = self.preview_secret(service).await? else {
            return Err(refused("its secret is gone, ask for the preview once more, which makes one"));
        };
        let header = HttpHeaderConditionConfig::builder()
            .http_header_name(Preview::HEADER)
            .values(secret.reveal())
            .build();
        let tag = |key: &str, value: String| Tag::builder().key(key).value(value).build();
        let call = self
            .load_balancing
            .create_rule()
            .listener_arn(&self.settings.listener_arn)
            .priority(priority)
            .set_conditions(Some(base.conditions))
            .conditions(RuleCondition::builder().field("http-header").http_header_config(header).build())
            .set_transforms(base.transforms)
            .actions(all_to(own.target_groups.of(release.colour)))
            .tags(tag("greenlight:service", service.to_string()))
            .tags(tag("greenlight:preview", release.number.to_string()))
            // By this tag alone a function may delete a rule.
            .tags(tag("greenlight:release", release.number.to_string()))
            .tags(tag("greenlight:attempt", release.attempt.to_string()))
            .tags(tag("greenlight:candidate", release.colour.to_string()));
        let failure = match call.send().await {
            Ok(output) => {
                let arn = output.rules.unwrap_or_default().into_iter().find_map(|rule| rule.rule_arn);
                return arn.map(RuleArn).ok_or_else(|| incomplete(attempt, "the rule's ARN"));
            }
            Err(error)
                if matches!(error.as_service_error(), Some(CreateRuleError::PriorityInUseException(_))) =>
            {
                let next =
                    format!("a rule is there already: move it from priority {priority}, if it is not ours");
                failed(Class::Conflict, attempt.clone(), &next, error)
            }
            Err(error) => failure(attempt.clone(), error),
        };
        // What is said of it is logged and kept, and AWS may repeat what it was sent.
        let repeats = chain(&failure).contains(secret.reveal());
        Err(if repeats { Failure::new(failure.class(), format!("{attempt} was refused")) } else { failure })
    }
}

fn all_to(group: &str) -> Action {
    let tuple = TargetGroupTuple::builder().target_group_arn(group).weight(1).build();
    let config = ForwardActionConfig::builder().target_groups(tuple).build();
    Action::builder().r#type(ActionTypeEnum::Forward).forward_config(config).build()
}

/// How many values a condition has.
fn values(condition: &RuleCondition) -> usize {
    let hosts = condition.host_header_config().map_or(0, |hosts| hosts.values().len());
    let paths = condition.path_pattern_config().map_or(0, |paths| paths.values().len());
    (hosts + paths).max(condition.values().len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::{BASE_RULE, BLUE, GREEN, aws, backend, description, query_error};
    use crate::ports::ListenerRules as _;
    use aws_sdk_elasticloadbalancingv2::Client;
    use aws_sdk_elasticloadbalancingv2::operation::create_rule::CreateRuleOutput;
    use aws_sdk_elasticloadbalancingv2::operation::describe_rules::DescribeRulesOutput;
    use aws_sdk_elasticloadbalancingv2::types::{HostHeaderConditionConfig, Rule as ListenerRule};
    use aws_sdk_s3::operation::get_object::GetObjectOutput;
    use aws_sdk_s3::operation::put_object::PutObjectOutput;
    use aws_sdk_s3::types::error::NoSuchKey;
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

    const SECRET: &str = "00112233445566778899aabbccddeeff";
    const PREVIEW_RULE: &str =
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/shop/1/2/preview";

    fn stored(text: &'static str) -> Rule {
        mock!(aws_sdk_s3::Client::get_object)
            .match_requests(|request| {
                request.bucket() == Some("shop-state") && request.key() == Some("preview/backend")
            })
            .then_output(move || {
                GetObjectOutput::builder().body(ByteStream::from_static(text.as_bytes())).build()
            })
    }

    fn missing() -> Rule {
        mock!(aws_sdk_s3::Client::get_object)
            .then_error(|| GetObjectError::NoSuchKey(NoSuchKey::builder().build()))
    }

    fn rule(arn: &str, priority: &str, hosts: &[&str], header: Option<&str>, group: &str) -> ListenerRule {
        let hosts = HostHeaderConditionConfig::builder()
            .set_values(Some(hosts.iter().map(ToString::to_string).collect()));
        let header = header.map(|name| {
            let config = HttpHeaderConditionConfig::builder().http_header_name(name).values(SECRET).build();
            RuleCondition::builder().field("http-header").http_header_config(config).build()
        });
        let host = RuleCondition::builder().field("host-header").host_header_config(hosts.build()).build();
        let rule = ListenerRule::builder().rule_arn(arn).priority(priority).conditions(host);
        let rule = match header {
            Some(header) => rule.conditions(header),
            None => rule,
        };
        rule.actions(all_to(group)).build()
    }

    fn base(priority: &str, hosts: &[&str]) -> ListenerRule {
        rule(BASE_RULE, priority, hosts, None, BLUE)
    }

    fn described(rules: Vec<ListenerRule>) -> Rule {
        mock!(Client::describe_rules)
            .then_output(move || DescribeRulesOutput::builder().set_rules(Some(rules.clone())).build())
    }

    fn aws_with(rules: &[&Rule], secret: &Rule) -> Aws {
        aws()
            .with_load_balancing(mock_client!(aws_sdk_elasticloadbalancingv2, RuleMode::Sequential, rules))
            .with_s3(mock_client!(aws_sdk_s3, RuleMode::MatchAny, &[secret]))
    }

    #[tokio::test]
    async fn a_previews_rule_leads_the_header_with_the_secret_to_the_candidate_alone() {
        let created = mock!(Client::create_rule)
            .match_requests(|request| {
                let [host, header] = request.conditions() else { return false };
                let header = header.http_header_config().unwrap();
                let tag = |key: &str| {
                    let found = request.tags().iter().find(|tag| tag.key() == Some(key));
                    found.and_then(Tag::value)
                };
                let groups = request.actions()[0].forward_config().unwrap().target_groups();
                request.priority() == Some(18)
                    && host.field() == Some("host-header")
                    && header.http_header_name() == Some("X-Greenlight-Preview")
                    && header.values() == [SECRET]
                    && groups.len() == 1
                    && groups[0].target_group_arn() == Some(GREEN)
                    && tag("greenlight:service") == Some("backend")
                    && tag("greenlight:preview") == tag("greenlight:release")
                    && tag("greenlight:release").is_some()
            })
            .then_output(|| {
                let made = ListenerRule::builder().rule_arn(PREVIEW_RULE).build();
                CreateRuleOutput::builder().rules(made).build()
            });
        let rules = described(vec![base("20", &["api.shop.test"])]);
        let aws = aws_with(&[&rules, &created], &stored(SECRET));
        let arn = aws.create_preview_rule(&backend(), &description()).await.unwrap();
        assert_eq!(arn.0, PREVIEW_RULE);
    }

    #[tokio::test]
    async fn a_previews_rule_that_cannot_be_says_what_to_do() {
        let five = ["a.test", "b.test", "c.test", "d.test", "e.test"];
        for (base, secret, says) in [
            (base("2", &["api.shop.test"]), stored(SECRET), "priority 3 or more"),
            (base("20", &five), stored(SECRET), "four hosts at most"),
            (base("20", &["api.shop.test"]), missing(), "once more"),
            (base("20", &["api.shop.test"]), stored("*"), "--rotate"),
        ] {
            let rules = described(vec![base]);
            let aws = aws_with(&[&rules], &secret);
            let failure = aws.create_preview_rule(&backend(), &description()).await.unwrap_err();
            assert_eq!(failure.class(), Class::Permanent);
            assert!(failure.to_string().contains(says), "{failure}");
        }
    }

    #[tokio::test]
    async fn a_priority_in_use_is_a_conflict_and_no_failure_repeats_the_secret() {
        for (status, code, class) in
            [(400, "PriorityInUse", Class::Conflict), (400, "ValidationError", Class::Permanent)]
        {
            let refused = mock!(Client::create_rule).then_http_response(move || query_error(status, code));
            let rules = described(vec![base("20", &["api.shop.test"])]);
            let aws = aws_with(&[&rules, &refused], &stored(SECRET));
            let failure = aws.create_preview_rule(&backend(), &description()).await.unwrap_err();
            assert_eq!(failure.class(), class, "{code}");
            assert!(!chain(&failure).contains(SECRET), "{failure}");
        }
    }

    #[tokio::test]
    async fn the_hosts_are_those_of_the_base_rule() {
        let rules = described(vec![base("20", &["api.shop.test", "*.shop.test"])]);
        let hosts = aws_with(&[&rules], &missing()).hosts(&backend()).await.unwrap();
        assert_eq!(hosts, ["api.shop.test", "*.shop.test"]);
    }

    #[tokio::test]
    async fn a_previews_rule_is_known_by_its_place_its_header_and_its_group() {
        let header = Some("x-greenlight-preview");
        for (found, is_one) in [
            (rule(PREVIEW_RULE, "18", &["api.shop.test"], header, GREEN), true),
            (rule(PREVIEW_RULE, "18", &["api.shop.test"], header, "arn:elsewhere"), false),
            (rule(PREVIEW_RULE, "18", &["api.shop.test"], Some("x-tenant"), GREEN), false),
            (rule(PREVIEW_RULE, "18", &["api.shop.test"], None, GREEN), false),
            // Somebody else's: it would be deleted. Nor is one taken for a release's rule.
            (rule(PREVIEW_RULE, "7", &["api.shop.test"], header, GREEN), false),
            (rule(PREVIEW_RULE, "19", &["api.shop.test"], header, GREEN), false),
        ] {
            let rules = described(vec![found.clone(), base("20", &["api.shop.test"])]);
            let seen = aws_with(&[&rules], &missing()).rules(&backend()).await.unwrap();
            assert_eq!((seen.preview.is_some(), seen.release), (is_one, None), "{found:?}");
        }
    }

    #[tokio::test]
    async fn a_secret_is_made_anew_each_time_and_no_object_is_none() {
        let missing = missing();
        assert_eq!(aws_with(&[], &missing).preview_secret(&backend()).await.unwrap(), None);
        let written = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = std::sync::Arc::clone(&written);
        let write = mock!(aws_sdk_s3::Client::put_object)
            .match_requests(move |request| {
                seen.lock().unwrap().push(request.body().bytes().unwrap().to_vec());
                request.bucket() == Some("shop-state") && request.key() == Some("preview/backend")
            })
            .then_output(|| PutObjectOutput::builder().build());
        let aws = aws_with(&[], &write);
        for _ in 0..2 {
            aws.make_preview_secret(&backend()).await.unwrap();
        }
        let written = written.lock().unwrap().clone();
        let secrets: Vec<_> =
            written.iter().map(|bytes| Secret::stored(std::str::from_utf8(bytes).unwrap())).collect();
        assert!(secrets.iter().all(Option::is_some) && secrets.first() != secrets.last());
    }
}
