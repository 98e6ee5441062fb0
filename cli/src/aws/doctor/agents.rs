//! CodeDeploy's agent on each instance, by the log that it writes.

use super::why;
use crate::operator::doctor::Looked;
use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::operation::describe_log_streams::DescribeLogStreamsError;
use release::InstanceId;
use std::collections::{BTreeMap, BTreeSet};

/// What agent 1.x writes before its version when it starts (aws-codedeploy-agent, `deploy_agent_version.rb`).
const MARK: &str = "with agent version ";

/// Answers of `FilterLogEvents` that are read for one instance. Each looks through about a megabyte.
const PAGES: usize = 5;

/// The agents among these instances that have written a log; the group is `/greenlight/STACK/SERVICE`.
pub(super) async fn look(
    config: &SdkConfig,
    group: &str,
    instances: &BTreeSet<InstanceId>,
) -> Looked<BTreeMap<InstanceId, Option<String>>> {
    let client = Client::new(config);
    let mut agents = BTreeMap::new();
    for instance in instances {
        let stream = format!("{instance}/agent");
        let call = client.describe_log_streams().log_group_name(group).log_stream_name_prefix(&stream);
        let streams = match call.send().await {
            Ok(output) => output.log_streams().len(),
            // Without the group nothing was written; that it is missing is told of the group.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DescribeLogStreamsError::is_resource_not_found_exception) =>
            {
                0
            }
            Err(error) => return Err(why(error)),
        };
        if streams > 0 {
            agents.insert(instance.clone(), version(&client, group, &stream).await?);
        }
    }
    Ok(agents)
}

async fn version(client: &Client, group: &str, stream: &str) -> Looked<Option<String>> {
    let call = client.filter_log_events().log_group_name(group).log_stream_names(stream);
    let call = call.filter_pattern("\"with agent version\"");
    let (mut last, mut token) = (None, None);
    for _ in 0..PAGES {
        let page = call.clone().set_next_token(token).send().await.map_err(why)?;
        last = page.events().iter().filter_map(|event| told(event.message()?)).next_back().or(last);
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    Ok(last)
}

/// `1.8.1-70` of `… with agent version OFFICIAL_1.8.1-70_rpm.`
fn told(line: &str) -> Option<String> {
    let (_, version) = line.split_once(MARK)?;
    let version = version.split_whitespace().next()?.trim_start_matches("OFFICIAL_");
    let version = version.split('_').next()?.trim_end_matches('.');
    version.starts_with(|letter: char| letter.is_ascii_digit()).then(|| version.chars().take(32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_tells_its_version_when_it_starts() {
        let line = "2026-11-28T03:00:00 INFO  [codedeploy-agent(2681)]: Aws::Plugins::DeployAgentVersion: Version file found \
                    in /opt/codedeploy-agent/.version with agent version OFFICIAL_1.8.1-70_rpm.";
        assert_eq!(told(line).as_deref(), Some("1.8.1-70"));
        assert_eq!(told("with agent version unknown"), None);
        assert_eq!(told("[codedeploy-agent(2681)]: started"), None);
    }
}
