//! Which ways back are taken before the ledger is written: one that a concurrent pass may have overtaken waits for the swap.

use super::limits::ledger;
use release::plan::plan;
use release::{
    AlarmState, Colour, Creator, Deployment, DeploymentId, DeploymentStatus, Ledger, Observation, PerColour,
    Plan, Reading, ReleaseRule, Request, Rules, TargetHealth, Weights,
};
use std::collections::BTreeMap;

/// All is well, and AWS is as the ledger says: the release's rule gives green everything.
pub(crate) fn seen(ledger: &Ledger, status: DeploymentStatus) -> Observation {
    let open = ledger.open.as_ref().unwrap();
    let deployment = Deployment {
        id: open.deployment.clone().unwrap_or(DeploymentId("d-000000003".to_owned())),
        group: "shop-backend".to_owned(),
        status,
        creator: Creator::User,
        description: Some(open.description(&ledger.service)),
        error: None,
        failed: 0,
    };
    let release =
        ReleaseRule { arn: open.rule.clone().unwrap(), weights: Weights::all_on(Colour::Green).into() };
    let healthy = || {
        Reading::Known(open.targets.iter().map(|target| (target.clone(), TargetHealth::Healthy)).collect())
    };
    let ok =
        |colour: &str| Reading::Known(BTreeMap::from([(format!("backend-{colour}-errors"), AlarmState::Ok)]));
    Observation {
        deployment: Reading::Known(Some(deployment)),
        rules: Reading::Known(Rules {
            base: Weights::all_on(Colour::Blue).into(),
            release: Some(release),
            preview: None,
        }),
        health: PerColour { blue: healthy(), green: healthy() },
        alarms: PerColour { blue: ok("blue"), green: ok("green") },
        ..Observation::default()
    }
}

fn planned(ledger: &Ledger, seen: &Observation) -> Plan {
    plan(ledger.clone(), seen, &super::pass::policy(), ledger.open.as_ref().unwrap().since)
}

pub(crate) fn words(actions: &[release::Action]) -> Vec<&'static str> {
    actions.iter().map(release::Action::word).collect()
}

/// An alarm needs no proof: its way back goes first, whatever CodeDeploy has called the deployment meanwhile.
#[test]
fn an_alarm_takes_the_traffic_back_before_the_ledger_is_written() {
    for (name, status) in [
        ("baking", DeploymentStatus::Active),
        ("promoting", DeploymentStatus::Active),
        ("baking", DeploymentStatus::Succeeded),
    ] {
        let ledger = ledger(name);
        let mut seen = seen(&ledger, status);
        let firing = BTreeMap::from([("backend-green-errors".to_owned(), AlarmState::Firing)]);
        seen.alarms.green = Reading::Known(firing);
        let plan = planned(&ledger, &seen);
        assert_eq!(plan.ledger.phase(), "returning", "{name} {status:?}");
        assert_eq!(words(&plan.back), ["delete_release_rule"], "{name} {status:?}");
    }
}

/// Success was called and instances failed: nobody else knows better.
#[test]
fn a_success_in_part_is_taken_back_before_the_ledger_is_written() {
    let ledger = ledger("promoting");
    let mut seen = seen(&ledger, DeploymentStatus::Succeeded);
    let Reading::Known(Some(deployment)) = &mut seen.deployment else { panic!() };
    deployment.failed = 1;
    let plan = planned(&ledger, &seen);
    assert_eq!((words(&plan.back), plan.ledger.phase()), (vec!["delete_release_rule"], "returning"));
}

/// Who has called the deployment a success may have promoted the release: then only the swap says that it was not.
#[test]
fn an_abort_acts_first_unless_codedeploy_has_called_it_a_success() {
    for (status, before, after) in [
        (DeploymentStatus::Active, vec!["delete_release_rule"], vec!["stop_deployment"]),
        (DeploymentStatus::Succeeded, vec![], vec!["delete_release_rule"]),
    ] {
        let mut ledger = ledger("baking");
        ledger.open.as_mut().unwrap().request = Some(Request::Abort);
        let plan = planned(&ledger, &seen(&ledger, status));
        assert_eq!(plan.ledger.phase(), "returning");
        assert_eq!((words(&plan.back), words(&plan.forward)), (before, after), "{status:?}");
    }
}
