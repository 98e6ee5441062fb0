//! Lists that AWS keeps: rules, deployments, the firewall's logs.

use super::super::why;
use crate::operator::doctor::Looked;
use crate::operator::doctor::measure::{Condition, Made};
use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancingv2::types::RuleCondition;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error;
use greenlight::aws::Aws;
use greenlight::settings::Settings;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Answers of `DescribeRules` that are read: a listener has a hundred rules, unless AWS was asked for more.
const PAGES: usize = 5;
/// Deployments of a service that are read: the most that `BatchGetDeployments` takes (CodeDeploy API reference).
const DEPLOYMENTS: usize = 25;
const HOUR: i64 = 3600;

pub(super) async fn conditions(config: &SdkConfig, listener: &str) -> Looked<Vec<Condition>> {
    let client = aws_sdk_elasticloadbalancingv2::Client::new(config);
    let (mut found, mut marker) = (Vec::new(), None);
    for _ in 0..PAGES {
        let call = client.describe_rules().listener_arn(listener).set_marker(marker);
        let output = call.send().await.map_err(why)?;
        for rule in output.rules() {
            let arn = rule.rule_arn().unwrap_or_default();
            let conditions = rule.conditions().iter();
            found.extend(conditions.map(|one| Condition { rule: arn.to_owned(), others: others(one) }));
        }
        marker = output.next_marker().map(str::to_owned);
        if marker.is_none() {
            break;
        }
    }
    Ok(found)
}

/// What a condition has that `CreateRule` may refuse, or that a copy would lack.
fn others(condition: &RuleCondition) -> Vec<&'static str> {
    let hosts = condition.host_header_config();
    // The one of a preview.
    let is_of_header = condition.field() == Some("http-header");
    let all = [
        ("PathPatternConfig", condition.path_pattern_config().is_some()),
        ("HttpHeaderConfig", condition.http_header_config().is_some() && !is_of_header),
        ("QueryStringConfig", condition.query_string_config().is_some()),
        ("HttpRequestMethodConfig", condition.http_request_method_config().is_some()),
        ("SourceIpConfig", condition.source_ip_config().is_some()),
        ("RegexValues", condition.regex_values.is_some()),
        ("HostHeaderConfig.RegexValues", hosts.is_some_and(|hosts| hosts.regex_values.is_some())),
        ("HostHeaderConfig without Values", hosts.is_some_and(|hosts| hosts.values().is_empty())),
    ];
    all.into_iter().filter(|(_, is_there)| *is_there).map(|(member, _)| member).collect()
}

/// The newest of each service.
pub(super) async fn deployments(aws: &Aws) -> Looked<Vec<Made>> {
    let Settings { services, application, .. } = aws.settings();
    let mut found = Vec::new();
    for service in services.values() {
        let list = aws.codedeploy().list_deployments().application_name(application);
        let list = list.deployment_group_name(&service.deployment_group).send().await.map_err(why)?;
        let ids: Vec<String> = list.deployments().iter().take(DEPLOYMENTS).cloned().collect();
        if ids.is_empty() {
            continue;
        }
        let output = aws
            .codedeploy()
            .batch_get_deployments()
            .set_deployment_ids(Some(ids))
            .send()
            .await
            .map_err(why)?;
        found.extend(output.deployments_info().iter().map(|info| Made {
            id: info.deployment_id().unwrap_or_default().to_owned(),
            creator: info.creator().map(|creator| creator.as_str().to_owned()).unwrap_or_default(),
            has_description: info.description().is_some_and(|description| !description.is_empty()),
            has_succeeded: info.status().is_some_and(|status| status.as_str() == "Succeeded"),
        }));
    }
    Ok(found)
}

/// How late each log of this hour and of the one before came. Its key has the time at which it begins (WAF developer guide,
/// "Sending web ACL traffic logs to an Amazon S3 bucket").
pub(super) async fn firewall_logs(
    client: &aws_sdk_s3::Client,
    stack: &str,
    settings: &Settings,
    now: Timestamp,
) -> Looked<Option<Vec<i64>>> {
    let mut place = settings.listener_arn.split(':').skip(3);
    let region = place.next().unwrap_or_default();
    let account = place.next().unwrap_or_default();
    let bucket = format!("aws-waf-logs-{stack}-{account}-{region}");
    let mut late = Vec::new();
    for ago in [HOUR, 0] {
        let hour = Timestamp::from_second(now.as_second() - ago).map_err(|error| error.to_string())?;
        let hour = hour.strftime("%Y/%m/%d/%H/");
        let prefix = format!("AWSLogs/{account}/WAFLogs/{region}/{stack}/{hour}");
        let output = match client.list_objects_v2().bucket(&bucket).prefix(prefix).send().await {
            Ok(output) => output,
            Err(error) if error.as_service_error().is_some_and(ListObjectsV2Error::is_no_such_bucket) => {
                return Ok(None);
            }
            Err(error) => return Err(why(error)),
        };
        for object in output.contents() {
            let began = object.key().and_then(began);
            late.extend(object.last_modified().zip(began).map(|(at, began)| at.secs() - began.as_second()));
        }
    }
    Ok(Some(late))
}

/// 03:05 of `AWSLogs/…/2026/11/28/03/05/123456789012_waflogs_….log.gz`.
fn began(key: &str) -> Option<Timestamp> {
    let mut parts = key.rsplit('/').skip(1);
    let mut next = || parts.next()?.parse::<i16>().ok();
    let (minute, hour, day, month, year) = (next()?, next()?, next()?, next()?, next()?);
    let small = |number: i16| i8::try_from(number).ok();
    let time = DateTime::new(year, small(month)?, small(day)?, small(hour)?, small(minute)?, 0, 0).ok()?;
    time.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_elasticloadbalancingv2::types::{HostHeaderConditionConfig, PathPatternConditionConfig};

    #[test]
    fn a_log_says_in_its_key_when_it_begins() {
        let key =
            "AWSLogs/123456789012/WAFLogs/eu-west-1/shop/2026/11/28/03/05/123456789012_waflogs_1.log.gz";
        assert_eq!(began(key), Some("2026-11-28T03:05:00Z".parse().unwrap()));
        assert_eq!(began("AWSLogs/123456789012/else.log.gz"), None);
    }

    #[test]
    fn a_condition_with_more_than_hosts_is_noticed() {
        let hosts = HostHeaderConditionConfig::builder().values("shop.example.com").build();
        let plain = RuleCondition::builder()
            .field("host-header")
            .values("shop.example.com")
            .host_header_config(hosts);
        assert_eq!(others(&plain.clone().build()), Vec::<&str>::new());
        let path = PathPatternConditionConfig::builder().build();
        assert_eq!(others(&plain.path_pattern_config(path).build()), ["PathPatternConfig"]);
    }
}
