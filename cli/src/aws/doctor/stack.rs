//! The stack and those that it nests, as CloudFormation knows them.

use super::why;
use crate::operator::doctor::{Looked, Stack};
use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::primitives::DateTime;
use aws_sdk_cloudformation::types::{StackResourceDriftStatus, StackResourceSummary};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The stack, and what AWS calls each resource of its template.
pub(super) async fn look(
    config: &SdkConfig,
    name: &str,
) -> (Looked<Stack>, Looked<BTreeMap<String, String>>) {
    let client = Client::new(config);
    let resources = resources(&client, name).await;
    let names = resources.as_ref().map_err(Clone::clone).map(|resources| {
        let known = resources
            .iter()
            .filter_map(|one| Some((one.logical_resource_id()?, one.physical_resource_id()?)));
        // What a condition leaves out has no name.
        let made = known.filter(|(_, physical)| !physical.is_empty());
        made.map(|(logical, physical)| (logical.to_owned(), physical.to_owned())).collect()
    });
    let stack = match resources {
        Ok(resources) => describe(&client, name, resources).await,
        Err(why) => Err(why),
    };
    (stack, names)
}

async fn resources(client: &Client, stack: &str) -> Looked<Vec<StackResourceSummary>> {
    let pages = client.list_stack_resources().stack_name(stack).into_paginator().items().send();
    pages.collect::<Result<Vec<_>, _>>().await.map_err(why)
}

async fn describe(client: &Client, name: &str, resources: Vec<StackResourceSummary>) -> Looked<Stack> {
    let output = client.describe_stacks().stack_name(name).send().await.map_err(why)?;
    let stack = output.stacks().first().ok_or("CloudFormation answers with no stack")?;
    let mut all = Vec::new();
    for resource in resources {
        if resource.resource_type() == Some("AWS::CloudFormation::Stack")
            && let Some(nested) = resource.physical_resource_id()
        {
            // Drift is looked for in each stack on its own, and one that cannot be read hides no other.
            all.extend(self::resources(client, nested).await.unwrap_or_default());
        }
        all.push(resource);
    }
    let checked = stack.drift_information().and_then(|drift| drift.last_check_timestamp());
    Ok(Stack {
        id: stack.stack_id().unwrap_or_default().to_owned(),
        status: stack.stack_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        reason: stack.stack_status_reason().map(str::to_owned),
        drift_checked: checked.and_then(timestamp),
        drifted: all.iter().filter_map(drifted).collect(),
    })
}

/// What differed from the template when drift was last looked for.
fn drifted(resource: &StackResourceSummary) -> Option<(String, String, String)> {
    let status = resource.drift_information()?.stack_resource_drift_status()?;
    if !matches!(status, StackResourceDriftStatus::Modified | StackResourceDriftStatus::Deleted) {
        return None;
    }
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let names = (text(resource.logical_resource_id()), text(resource.physical_resource_id()));
    Some((names.0, names.1, status.as_str().to_owned()))
}

fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::from_second(time.secs()).ok()
}
