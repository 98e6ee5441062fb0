//! What belongs to each service, read as the functions read it.

use super::{agents, cause, why};
use crate::operator::doctor::{Group, Looked, Service};
use aws_config::SdkConfig;
use aws_sdk_autoscaling::types::LifecycleState;
use greenlight::aws::Aws;
use greenlight::ports::{Deployments as _, ListenerRules as _, TargetGroups as _};
use greenlight::settings::{ServiceSettings, Settings};
use release::{Colour, InstanceId, Ledger, PerColour, ServiceName};
use std::collections::BTreeMap;

pub(super) async fn look(
    config: &SdkConfig,
    stack: &str,
    settings: &Settings,
    ledgers: &Looked<BTreeMap<String, Looked<Ledger>>>,
) -> Vec<Service> {
    let aws = Aws::new(settings.clone(), config);
    let mut services = Vec::new();
    for (name, own) in &settings.services {
        services.push(of_one(&aws, config, stack, (name, own), ledgers).await);
    }
    services
}

async fn of_one(
    aws: &Aws,
    config: &SdkConfig,
    stack: &str,
    (name, own): (&ServiceName, &ServiceSettings),
    ledgers: &Looked<BTreeMap<String, Looked<Ledger>>>,
) -> Service {
    let rules = aws.rules(name).await.map_err(|failure| cause(&failure));
    let at_its_place = rules.as_ref().ok().and_then(|rules| rules.release.as_ref());
    let rule_owner = match at_its_place {
        Some(rule) => Some(aws.rule_owner(name, &rule.arn).await.map_err(|failure| cause(&failure))),
        None => None,
    };
    let group = group(config, &own.auto_scaling_group).await;
    let agents = match &group {
        Ok(group) => agents::look(config, &format!("/greenlight/{stack}/{name}"), &group.in_service).await,
        // That the group is unknown is said once.
        Err(_) => Ok(BTreeMap::new()),
    };
    Service {
        name: name.clone(),
        ledger: match ledgers {
            Ok(ledgers) => ledgers
                .get(name.as_str())
                .cloned()
                .unwrap_or_else(|| Err(format!("{stack}-lifecycle does not know this service"))),
            Err(why) => Err(why.clone()),
        },
        rules,
        rule_owner,
        health: PerColour {
            blue: aws.target_health(name, Colour::Blue).await.map_err(|failure| cause(&failure)),
            green: aws.target_health(name, Colour::Green).await.map_err(|failure| cause(&failure)),
        },
        alarms: own.alarms.clone(),
        active: aws.active_deployment(name).await.map_err(|failure| cause(&failure)),
        group,
        agents,
        agent_line: aws.settings().instances.agent.as_str(),
    }
}

pub(super) async fn group(config: &SdkConfig, name: &str) -> Looked<Group> {
    let client = aws_sdk_autoscaling::Client::new(config);
    let output = client.describe_auto_scaling_groups().auto_scaling_group_names(name).send().await;
    let output = output.map_err(why)?;
    let found = output.auto_scaling_groups().first().ok_or_else(|| format!("there is no group {name}"))?;
    let in_service =
        found.instances().iter().filter(|one| one.lifecycle_state() == Some(&LifecycleState::InService));
    let suspended = found.suspended_processes().iter().filter_map(|process| process.process_name());
    Ok(Group {
        name: name.to_owned(),
        desired: usize::try_from(found.desired_capacity().unwrap_or_default()).unwrap_or_default(),
        in_service: in_service
            .filter_map(|one| one.instance_id())
            .map(|id| InstanceId(id.to_owned()))
            .collect(),
        suspended: suspended.map(str::to_owned).collect(),
    })
}
