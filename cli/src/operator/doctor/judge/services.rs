//! What belongs to one service.

use super::stack::{alarm, log_group};
use super::{Found, counted};
use crate::operator::doctor::facts::{AlarmState, Facts, Group, Service};
use release::{Colour, Creator, InstanceId, Ledger, Rules, Statement, TargetHealth};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn judge(service: &Service, facts: &Facts, found: &mut Found<'_>) {
    let name = &service.name;
    match &service.ledger {
        Ok(ledger) => of_the_ledger(service, ledger, found),
        Err(why) => found.say(
            "ledger_unreadable",
            format!("the ledger of {name}"),
            format!("cannot be read: {why}"),
            format!(
                "if it is broken, restore the newest version of ledger/{name}.json that can be read (docs/operating.md); else \
                 look with credentials that allow lambda:InvokeFunction on {}-lifecycle",
                facts.name
            ),
        ),
    }
    let ledger = service.ledger.as_ref().ok();
    let right = "elasticloadbalancing:DescribeRules";
    if let Some(rules) = found.seen(&format!("the rules of {name}"), &service.rules, right) {
        of_the_rules(service, rules, ledger, found);
    }
    of_the_alarms(service, facts, ledger, found);
    of_the_deployment(service, ledger, found);
    let group = found.seen(
        &format!("the Auto Scaling group of {name}"),
        &service.group,
        "autoscaling:DescribeAutoScalingGroups",
    );
    if let Some(group) = group {
        of_the_group(group, ledger, found);
        of_the_targets(service, group, ledger, found);
        of_the_agents(service, group, found);
    }
    log_group(&format!("/greenlight/{}/{name}", facts.name), facts, found);
}

fn of_the_ledger(service: &Service, ledger: &Ledger, found: &mut Found<'_>) {
    let name = &service.name;
    if ledger.paused && ledger.open.is_some() {
        found.say(
            "paused",
            name.as_str(),
            format!(
                "is paused by an operator{}: the open release gets no more traffic, and ends when an hour is over",
                Statement::bracketed(ledger.pause_said.as_ref())
            ),
            format!("greenlight resume {name}, or greenlight abort {name}"),
        );
    }
    if let Some(why) = ledger.releases.last().and_then(|last| last.untold_for.as_ref()) {
        found.say(
            "verdict_untold",
            name.as_str(),
            format!("has a last release whose verdict could not be written onto the bundle: {why}"),
            "whoever waits for it waits in vain: tell them. Mend what is said, or upload again",
        );
    }
}

fn of_the_rules(service: &Service, rules: &Rules, ledger: Option<&Ledger>, found: &mut Found<'_>) {
    let name = &service.name;
    let object = format!("the base rule of {name}");
    let live = ledger.and_then(|ledger| ledger.live.as_ref()).map(|live| live.colour);
    if rules.base.is_gone() {
        found.say(
            "base_rule_gone",
            object,
            "is not on the listener: without an open release nobody reaches the service",
            "deploy the stack with another Bake, which makes it again",
        );
    } else if let Some(live) = live.filter(|live| !rules.base.are_all_on(*live)) {
        found.say(
            "base_rule_drifted",
            object,
            format!("says {}, and all traffic belongs on {live}: no release opens", rules.base),
            "docs/operating.md, \"Traffic that is not where the ledger says\"",
        );
    }
    let Some(rule) = &rules.release else { return };
    let object = format!("rule {}", rule.arn);
    let right = "elasticloadbalancing:DescribeTags";
    let owner = service.rule_owner.as_ref().and_then(|owner| found.seen(&object, owner, right));
    match owner {
        Some(None) => found.say(
            "strangers_rule",
            object,
            format!(
                "stands at the priority before the base rule of {name}, where a release's belongs: none opens"
            ),
            "give it another priority: aws elbv2 set-rule-priorities",
        ),
        Some(Some(owner)) if ledger.is_some_and(|ledger| ledger.open.is_none()) => found.say(
            "rule_left_over",
            object,
            format!("is the rule of release {}, and no release of {name} is open", owner.number),
            format!("the next pass deletes it; if it stands in two minutes: greenlight logs {name}"),
        ),
        _ => {}
    }
}

fn of_the_alarms(service: &Service, facts: &Facts, ledger: Option<&Ledger>, found: &mut Found<'_>) {
    // That they could not be read is said once.
    let Ok(alarms) = &facts.alarms else { return };
    let live = ledger.and_then(|ledger| ledger.live.as_ref()).map(|live| live.colour);
    for colour in Colour::BOTH {
        for name in service.alarms.of(colour) {
            alarm(name, alarms, found);
            let fires = alarms.get(name).is_some_and(|alarm| alarm.state == AlarmState::Firing);
            if fires && live == Some(colour) {
                found.say(
                    "live_alarm_fires",
                    format!("alarm {name}"),
                    format!("fires on {colour}, which users of {} get", service.name),
                    format!(
                        "greenlight status {0}; if the version is to blame, greenlight rollback {0}, or upload the fix: \
                         an alarm of the live version does not stop it",
                        service.name
                    ),
                );
            }
        }
    }
}

fn of_the_deployment(service: &Service, ledger: Option<&Ledger>, found: &mut Found<'_>) {
    let right = "codedeploy:ListDeployments and codedeploy:BatchGetDeployments";
    let object = format!("the deployments of {}", service.name);
    let Some(Some(active)) = found.seen(&object, &service.active, right) else { return };
    let open = ledger.and_then(|ledger| ledger.open.as_ref());
    let is_ours =
        active.description.is_some() || open.is_some_and(|open| open.deployment.as_ref() == Some(&active.id));
    if is_ours || active.creator != Creator::User {
        return;
    }
    found.say(
        "deployment_in_the_way",
        format!("deployment {}", active.id),
        format!(
            "was made by hand and runs in the group of {}: no release opens before it ends",
            service.name
        ),
        format!("wait for it, or aws deploy stop-deployment --deployment-id {}", active.id),
    );
}

fn of_the_group(group: &Group, ledger: Option<&Ledger>, found: &mut Found<'_>) {
    let object = format!("Auto Scaling group {}", group.name);
    let is_open = ledger.is_some_and(|ledger| ledger.open.is_some());
    if !group.suspended.is_empty() && !is_open {
        let names = group.suspended.join(" ");
        found.say(
            "scaling_suspended",
            &object,
            format!("does not do all of its work: {names} suspended, and no release is open"),
            format!(
                "aws autoscaling resume-processes --auto-scaling-group-name {} --scaling-processes {names}",
                group.name
            ),
        );
    }
    let serving = group.in_service.len();
    if serving < group.desired {
        found.say(
            "instances_missing",
            &object,
            format!("has {} in service, and should have {}", counted(serving, "instance"), group.desired),
            format!("aws autoscaling describe-scaling-activities --auto-scaling-group-name {}", group.name),
        );
    }
}

fn of_the_targets(service: &Service, group: &Group, ledger: Option<&Ledger>, found: &mut Found<'_>) {
    let live = ledger.and_then(|ledger| ledger.live.as_ref()).map(|live| live.colour);
    for colour in Colour::BOTH {
        let object = format!("the {colour} targets of {}", service.name);
        let right = "elasticloadbalancing:DescribeTargetHealth";
        let Some(targets) = found.seen(&object, service.health.of(colour), right) else { continue };
        let is_registered = |instance: &&InstanceId| {
            targets.get(*instance).is_some_and(|health| *health != TargetHealth::Gone)
        };
        let missing = group.in_service.iter().filter(|instance| !is_registered(instance));
        for instance in missing {
            found.say(
                "instance_not_registered",
                format!("instance {instance}"),
                format!("is in service and no target of {colour}: a release would wait for it"),
                "end it, and Auto Scaling starts another: aws autoscaling terminate-instance-in-auto-scaling-group \
                 --no-should-decrement-desired-capacity --instance-id …",
            );
        }
        if live == Some(colour) {
            unreachable(service, colour, targets, &group.in_service, found);
        }
    }
}

fn unreachable(
    service: &Service,
    colour: Colour,
    targets: &BTreeMap<InstanceId, TargetHealth>,
    in_service: &BTreeSet<InstanceId>,
    found: &mut Found<'_>,
) {
    let ill = targets.iter().filter(|(_, health)| **health == TargetHealth::Unhealthy);
    for (instance, _) in ill.filter(|(instance, _)| in_service.contains(*instance)) {
        found.say(
            "instance_unreachable",
            format!("instance {instance}"),
            format!("does not answer its health checks on {colour}, which users of {} get", service.name),
            format!(
                "read its log: aws logs tail /greenlight/{}/{} --log-stream-name-prefix {instance}; HealAfter replaces it",
                found.stack, service.name
            ),
        );
    }
}

fn of_the_agents(service: &Service, group: &Group, found: &mut Found<'_>) {
    let object = format!("the agents of {}", service.name);
    let right = "logs:DescribeLogStreams and logs:FilterLogEvents";
    let Some(agents) = found.seen(&object, &service.agents, right) else { return };
    for instance in &group.in_service {
        let says = match agents.get(instance) {
            None => {
                "has no log of CodeDeploy's agent: the agent does not run there, or its log does not leave it"
                    .to_owned()
            }
            Some(Some(version)) if line(version).is_some_and(|line| line != service.agent_line) => format!(
                "runs agent {version}, and bundles are judged for agent {}.x (AgentVersion)",
                service.agent_line
            ),
            Some(_) => continue,
        };
        found.say(
            "agent_wrong",
            format!("instance {instance}"),
            says,
            format!(
                "look at its boot (aws logs tail /greenlight/{}/{} --log-stream-name-prefix {instance}/boot), or replace it \
                 with an instance refresh",
                found.stack, service.name
            ),
        );
    }
    let versions: BTreeSet<&str> = agents
        .iter()
        .filter(|(instance, _)| group.in_service.contains(*instance))
        .filter_map(|(_, version)| version.as_deref())
        .collect();
    if versions.len() > 1 {
        let versions: Vec<&str> = versions.into_iter().collect();
        found.say(
            "agents_differ",
            object,
            format!("are not of one version: {}", versions.join(", ")),
            "an instance refresh gives all of them today's agent",
        );
    }
}

/// `1` of `1.8.1-70`.
fn line(version: &str) -> Option<&str> {
    version.split('.').next().filter(|line| !line.is_empty())
}
