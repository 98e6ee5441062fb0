//! What a pass decides on one look, where two rules would say different things.

use super::limits::ledger;
use super::written_first::{seen, words};
use jiff::{SignedDuration, Timestamp};
use release::plan::plan;
use release::{
    Action, Ailing, AlarmState, Colour, DeploymentStatus, InstanceId, Ledger, Observation, Phase, Plan,
    Policy, Promotion, Purpose, Reading, Reason, ReleaseRule, ReturnCause, RuleOwner, Target, TargetHealth,
    TargetStatus, UnknownFields, Weights,
};
use std::collections::BTreeMap;
use std::time::Duration;

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// As the template has it.
fn policy() -> Policy {
    Policy {
        install_deadline: minutes(15),
        drain: minutes(1),
        unhealthy_grace: Duration::from_secs(30),
        unknown_limit: minutes(3),
        ..super::pass::policy()
    }
}

fn since(ledger: &Ledger, seconds: i64) -> Timestamp {
    ledger.open.as_ref().unwrap().since + SignedDuration::from_secs(seconds)
}

fn planned(ledger: &Ledger, seen: &Observation, seconds: i64) -> Plan {
    plan(ledger.clone(), seen, &policy(), since(ledger, seconds))
}

/// The cause for which the open release goes back, if it does.
fn cause(plan: &Plan) -> Option<ReturnCause> {
    match &plan.ledger.open.as_ref()?.phase {
        Phase::Returning(back) => Some(back.cause.clone()),
        _ => None,
    }
}

fn says(plan: &Plan, word: &str) -> bool {
    plan.reasons.iter().any(|reason| reason.word() == word)
}

fn rules(seen: &mut Observation) -> &mut release::Rules {
    let Reading::Known(rules) = &mut seen.rules else { panic!("the rules are read in each case") };
    rules
}

fn targets(status: &TargetStatus) -> Reading<Vec<Target>> {
    let of = |name: &str| Target { instance: InstanceId(name.to_owned()), status: status.clone() };
    Reading::Known(["i-backend-1", "i-backend-2"].map(of).to_vec())
}

fn health(of: &[(&str, TargetHealth)]) -> Reading<BTreeMap<InstanceId, TargetHealth>> {
    Reading::Known(of.iter().map(|(name, health)| (InstanceId((*name).to_owned()), *health)).collect())
}

const BOTH: [(&str, TargetHealth); 2] =
    [("i-backend-1", TargetHealth::Healthy), ("i-backend-2", TargetHealth::Healthy)];

/// Instances that joined on live have no candidate: that is why capacity is missing, and how many they are is said. Where none
/// joined, what is missing is said.
#[test]
fn who_waits_too_long_for_its_first_weight_says_for_what() {
    let ledger = ledger("shifting-before-the-first-weight");
    let mut grown = seen(&ledger, DeploymentStatus::Active);
    rules(&mut grown).release.as_mut().unwrap().weights = Weights::all_on(Colour::Blue).into();
    grown.health.blue = health(&[
        BOTH[0],
        BOTH[1],
        ("i-backend-3", TargetHealth::Healthy),
        ("i-backend-4", TargetHealth::Unhealthy),
    ]);
    assert_eq!(cause(&planned(&ledger, &grown, 60)), None);
    assert_eq!(cause(&planned(&ledger, &grown, 15 * 60)), Some(ReturnCause::Joined { instances: 1 }));
    let mut alarm = seen(&ledger, DeploymentStatus::Active);
    alarm.rules = grown.rules.clone();
    let firing = BTreeMap::from([("backend-green-errors".to_owned(), AlarmState::Firing)]);
    alarm.alarms.green = Reading::Known(firing);
    let waiting = "alarm backend-green-errors to be OK".to_owned();
    assert_eq!(cause(&planned(&ledger, &alarm, 15 * 60)), Some(ReturnCause::NotProven { waiting }));
}

/// CodeDeploy's end of a deployment takes a release back, but for the success that the release waits for. What stopped it may be the
/// way back that another function took.
#[test]
fn how_codedeploy_ended_it_is_why_it_goes_back() {
    let gone = |seen: &mut Observation| rules(seen).release = None;
    for (name, status, loses_its_rule, word) in [
        ("baking", DeploymentStatus::Active, false, None),
        ("baking", DeploymentStatus::Failed, false, Some("deployment_ended")),
        ("baking", DeploymentStatus::Succeeded, false, Some("deployment_ended")),
        ("baking", DeploymentStatus::Stopped, false, Some("deployment_ended")),
        ("baking", DeploymentStatus::Stopped, true, Some("rule_deleted")),
        ("baking", DeploymentStatus::Failed, true, Some("deployment_ended")),
        ("promoting", DeploymentStatus::Active, false, None),
        ("promoting", DeploymentStatus::Succeeded, false, None),
        ("promoting", DeploymentStatus::Failed, false, Some("deployment_ended")),
        ("promoting", DeploymentStatus::Stopped, false, Some("deployment_ended")),
    ] {
        let ledger = ledger(name);
        let mut seen = seen(&ledger, status);
        if loses_its_rule {
            gone(&mut seen);
        }
        let told = cause(&planned(&ledger, &seen, 5))
            .map(|cause| serde_json::to_value(cause).unwrap()["cause"].clone());
        assert_eq!(told, word.map(serde_json::Value::from), "{name} {status:?}, rule gone: {loses_its_rule}");
    }
}

/// Hooks ask while a release has weight that may still be taken back; a rollback has none.
#[test]
fn silence_counts_where_hooks_ask() {
    let limit = Policy { silence_limit: minutes(3), ..policy() };
    for (name, purpose, silent) in [
        ("baking", Purpose::Release, true),
        ("baking", Purpose::Rollback, false),
        ("promoting", Purpose::Release, false),
        ("shifting-before-the-first-weight", Purpose::Release, false),
    ] {
        let mut ledger = ledger(name);
        ledger.open.as_mut().unwrap().purpose = purpose;
        for (seconds, too_long) in [(179, false), (180, true)] {
            ledger.looked_at = Some(since(&ledger, 0));
            let seen = seen(&ledger, DeploymentStatus::Active);
            let plan = plan(ledger.clone(), &seen, &limit, since(&ledger, seconds));
            let is_silent = matches!(cause(&plan), Some(ReturnCause::Silent { .. }));
            assert_eq!(is_silent, silent && too_long, "{name} {purpose:?} after {seconds} s");
            let never = planned(&ledger, &seen, seconds);
            assert!(!matches!(cause(&never), Some(ReturnCause::Silent { .. })), "0 is never");
        }
    }
}

/// The steps that remain and the bake must fit before CodeDeploy ends the hooks.
#[test]
fn only_a_pause_lasts_too_long_for_the_hooks() {
    let mut ledger = ledger("baking");
    let opened = ledger.open.as_ref().unwrap().opened_at;
    // 59 minutes without a minute between two looks and a minute of bake.
    for (paused, seconds, too_long) in [(true, 3_419, false), (true, 3_420, true), (false, 3_420, false)] {
        ledger.paused = paused;
        let now = opened + SignedDuration::from_secs(seconds);
        let plan = plan(ledger.clone(), &seen(&ledger, DeploymentStatus::Active), &policy(), now);
        let seconds = u64::try_from(seconds).unwrap();
        assert_eq!(cause(&plan), too_long.then_some(ReturnCause::Paused { seconds }), "paused: {paused}");
    }
}

/// A release that is being installed for its deadline, by what it lacks.
#[test]
fn an_installation_that_takes_too_long_says_what_it_lacked() {
    let (installing, validating) = (TargetStatus::Installing, TargetStatus::Validating);
    let no_rule = |detail: &str| ReturnCause::NoRule { detail: detail.to_owned() };
    let refused = Some("the load balancer has no rule left".to_owned());
    for (has_rule, has_deployment, status, expected) in [
        (false, true, &validating, no_rule("the load balancer has no rule left")),
        (false, false, &installing, no_rule("the load balancer has no rule left")),
        (
            false,
            true,
            &installing,
            ReturnCause::InstallDeadline {
                waiting: "i-backend-1 to reach ValidateService, i-backend-2 to reach ValidateService"
                    .to_owned(),
            },
        ),
        (
            true,
            true,
            &validating,
            ReturnCause::InstallDeadline { waiting: "the last look came too late".to_owned() },
        ),
        (
            true,
            false,
            &installing,
            ReturnCause::NoDeployment {
                waiting: "the deployment to be created: see the function's log".to_owned(),
            },
        ),
    ] {
        let mut ledger = ledger("installing");
        let mut seen = seen(&ledger, DeploymentStatus::Active);
        let open = ledger.open.as_mut().unwrap();
        if !has_rule {
            (open.rule, open.rule_refused) = (None, refused.clone());
            rules(&mut seen).release = None;
        }
        if !has_deployment {
            open.deployment = None;
        }
        seen.targets = targets(status);
        (seen.health.blue, seen.health.green) = (health(&BOTH), health(&BOTH));
        assert_eq!(cause(&planned(&ledger, &seen, 15 * 60 - 1)), None);
        assert_eq!(cause(&planned(&ledger, &seen, 15 * 60)), Some(expected));
        if !has_rule {
            rules(&mut seen).base = Weights::all_on(Colour::Green).into();
            let told = cause(&planned(&ledger, &seen, 15 * 60));
            let is_drifted = matches!(&told, Some(ReturnCause::NoRule { detail }) if detail.starts_with("the base rule to be on blue"));
            assert!(is_drifted || *status == installing && has_deployment, "{told:?}");
        }
    }
}

#[test]
fn what_is_installed_waits_for_its_rule_and_adopts_one_that_is_its_own() {
    let mut ledger = ledger("installing");
    let mut seen = seen(&ledger, DeploymentStatus::Active);
    seen.targets = targets(&TargetStatus::Validating);
    (seen.health.blue, seen.health.green) = (health(&BOTH), health(&BOTH));
    assert_eq!(planned(&ledger, &seen, 60).ledger.phase(), "shifting");
    let rule = ledger.open.as_mut().unwrap().rule.take();
    let stands = rules(&mut seen).release.take();
    let plan = planned(&ledger, &seen, 60);
    assert_eq!((plan.ledger.phase(), words(&plan.forward)), ("installing", vec!["create_release_rule"]));
    rules(&mut seen).release = stands;
    let open = ledger.open.as_ref().unwrap();
    let owner = RuleOwner::of(&open.description(&ledger.service));
    seen.rule_owner = Reading::Known(Some(owner));
    let plan = planned(&ledger, &seen, 60);
    assert!(says(&plan, "adopts_rule"));
    assert_eq!(plan.ledger.open.unwrap().rule, rule);
    // That of another attempt is deleted, because a late writer may hold its ARN.
    seen.rule_owner = Reading::Known(Some(RuleOwner { attempt: owner.attempt + 1, ..owner }));
    let plan = planned(&ledger, &seen, 60);
    assert_eq!(words(&plan.forward), ["delete_release_rule", "create_release_rule"]);
}

/// An answer without the deployment that is known asks for no second one.
#[test]
fn a_deployment_that_is_not_listed_is_not_created_again() {
    let ledger = ledger("installing");
    let mut seen = seen(&ledger, DeploymentStatus::Active);
    seen.deployment = Reading::Known(None);
    let plan = planned(&ledger, &seen, 60);
    assert_eq!((plan.ledger.phase(), words(&plan.forward)), ("installing", vec![]));
    assert!(says(&plan, "unknown"));
}

#[test]
fn a_success_without_an_instance_is_none_and_a_failure_is_what_codedeploy_says() {
    let ledger = ledger("installing");
    for (status, listed, none) in [
        (DeploymentStatus::Succeeded, false, true),
        (DeploymentStatus::Failed, false, false),
        (DeploymentStatus::Succeeded, true, false),
    ] {
        let mut seen = seen(&ledger, status);
        seen.health.green = health(&BOTH);
        seen.targets = if listed { targets(&TargetStatus::Succeeded) } else { Reading::Known(Vec::new()) };
        let told = cause(&planned(&ledger, &seen, 60)).unwrap();
        assert_eq!(told == ReturnCause::NoInstances, none, "{status:?}: {told:?}");
        assert_eq!(matches!(told, ReturnCause::DeploymentEnded { .. }), !none, "{status:?}: {told:?}");
    }
}

/// A promoting release whose rule is gone from the ledger, because it was deleted or never made.
fn without_rule(change: impl Fn(&mut Ledger, &mut Observation)) -> Plan {
    let mut ledger = ledger("promoting");
    let mut seen = seen(&ledger, DeploymentStatus::Succeeded);
    rules(&mut seen).release = None;
    let open = ledger.open.as_mut().unwrap();
    (open.rule, open.phase) = (None, Phase::Promoting(Promotion { agreed: true, ..Promotion::default() }));
    change(&mut ledger, &mut seen);
    planned(&ledger, &seen, 5)
}

#[test]
fn a_promotion_without_a_rule_goes_by_where_the_base_rule_is() {
    let lost = without_rule(|_, _| {});
    assert!(says(&lost, "missing") && !says(&lost, "went_live"), "a way back that was late has won");
    let moved =
        |_: &mut Ledger, seen: &mut Observation| rules(seen).base = Weights::all_on(Colour::Green).into();
    let live = without_rule(moved);
    assert!(says(&live, "went_live"));
    assert_eq!(live.ledger.live.as_ref().unwrap().colour, Colour::Green);
    let left_over = without_rule(|ledger, seen| {
        moved(ledger, seen);
        let arn = release::RuleArn("rule/left".to_owned());
        rules(seen).release = Some(ReleaseRule { arn, weights: Weights::all_on(Colour::Green).into() });
        let owner = RuleOwner::of(&ledger.open.as_ref().unwrap().description(&ledger.service));
        seen.rule_owner = Reading::Known(Some(owner));
    });
    assert_eq!(
        (left_over.ledger.phase(), words(&left_over.forward)),
        ("promoting", vec!["delete_release_rule"])
    );
    let refused = without_rule(|ledger, _| {
        let open = ledger.open.as_mut().unwrap();
        (open.rule_refused, open.purpose) = (Some("no rule is left".to_owned()), Purpose::Rollback);
    });
    assert_eq!(words(&refused.forward), ["set_base_weights"]);
}

/// By the base rule alone a rollback is watched until that was seen to have moved; behind its own rule nothing is left to see.
#[test]
fn a_promotion_counts_as_agreed_when_its_base_rule_moves_unless_it_has_no_rule_of_its_own() {
    let agreed = |purpose, has_rule: bool| {
        let mut ledger = ledger("promoting");
        let mut seen = seen(&ledger, DeploymentStatus::Succeeded);
        let open = ledger.open.as_mut().unwrap();
        open.purpose = purpose;
        if !has_rule {
            (open.rule, open.rule_refused) = (None, Some("no rule is left".to_owned()));
            rules(&mut seen).release = None;
        }
        let plan = planned(&ledger, &seen, 5);
        assert_eq!(words(&plan.forward), ["set_base_weights"], "{purpose:?}");
        matches!(plan.ledger.open.unwrap().phase, Phase::Promoting(Promotion { agreed: true, .. }))
    };
    assert!(agreed(Purpose::Release, true) && agreed(Purpose::Rollback, true));
    assert!(!agreed(Purpose::Rollback, false));
}

/// Between two replacements a pause passes, to the second.
#[test]
fn the_next_ill_instance_is_replaced_when_the_pause_is_over() {
    let mut ledger = ledger("idle");
    let live = ledger.live.as_ref().unwrap().since;
    let now = live + SignedDuration::from_mins(60);
    let policy = Policy { heal_after: minutes(5), ..policy() };
    let mut seen = Observation::default();
    let base = Weights::all_on(Colour::Blue).into();
    seen.rules = Reading::Known(release::Rules { base, release: None, preview: None });
    seen.health.blue = health(&[("i-backend-1", TargetHealth::Unhealthy), BOTH[1]]);
    let instance = InstanceId("i-backend-1".to_owned());
    let ill = Ailing { instance: instance.clone(), since: live, unknown_fields: UnknownFields::default() };
    for (ago, replaces) in [(0, false), (150, false), (299, false), (300, true), (900, true)] {
        ledger.ailing = Some(ill.clone());
        ledger.healed_at = Some(now - SignedDuration::from_secs(ago));
        let plan = plan(ledger.clone(), &seen, &policy, now);
        let replaced = plan.forward.contains(&Action::ReplaceInstance { instance: instance.clone() });
        assert_eq!(
            (replaced, says(&plan, "not_replaced")),
            (replaces, !replaces),
            "{ago} s after the last one"
        );
    }
}

/// What is so in a ledger that is not in the one that is stored.
type Change = fn(&mut Ledger);

/// Who waits while the base rule is elsewhere hears what to do, and nobody else is told anything.
#[test]
fn what_is_to_be_done_about_a_base_rule_is_told_to_who_waits_for_it() {
    let both = "set all weight of the base rule on green; or set all of it on blue and send rollback, which makes release 1 live where it is";
    let one = "set all weight of the base rule on green";
    let cases: [(Change, Option<&str>); 5] = [
        (|_| {}, None),
        (|ledger| ledger.unsettled = true, Some(both)),
        (|ledger| ledger.rollback = true, Some(both)),
        (
            |ledger| {
                ledger.unsettled = true;
                ledger.previous.as_mut().unwrap().overwritten = true;
            },
            Some(one),
        ),
        (
            |ledger| {
                ledger.unsettled = true;
                ledger.previous.as_mut().unwrap().colour = Colour::Green;
            },
            Some(one),
        ),
    ];
    for (change, expected) in cases {
        let mut ledger = ledger("idle-with-a-previous-release");
        let now = ledger.live.as_ref().unwrap().since + SignedDuration::from_mins(60);
        ledger.drifted_at = Some(now);
        change(&mut ledger);
        let mut seen = Observation::default();
        let base = Weights::all_on(Colour::Blue).into();
        seen.rules = Reading::Known(release::Rules { base, release: None, preview: None });
        let plan = plan(ledger, &seen, &policy(), now);
        let todo = plan.reasons.iter().find_map(|reason| match reason {
            Reason::WaitsForBaseRule { todo } => Some(todo.as_str()),
            _ => None,
        });
        assert_eq!(todo, expected);
    }
}
