//! What is done while no release is open: rollback by an alarm, healing, drift.

use super::story::{MINUTE, Story, says, upload};
use release::{AlarmState, Colour, Command, Drift, Offer, Reason, ScalingProcess, TargetHealth, Weights};
use std::time::Duration;

fn alarm(story: &Story) {
    story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Firing);
}

#[tokio::test]
async fn an_alarm_within_the_window_puts_the_previous_colour_back_and_rejects_the_release() {
    let story = Story::with_two().await;
    story.pass(Duration::from_secs(29 * MINUTE));
    alarm(&story);
    story.tick().await;
    assert_eq!(story.share(Colour::Blue), 1000);
    story.after(36).await;
    assert_eq!((story.live(), story.phase()), (Some((1, Colour::Blue)), "settling"));
    story.after(61).await;
    story.install().await;
    story.codedeploy_agrees().await;
    story.is_at_rest();
    let (verdict, reason) = story.world.told(&upload(2).revision).unwrap();
    assert_eq!(verdict, "rejected");
    insta::assert_snapshot!(reason, @"rolled back after its success - because alarm backend-green-errors fired: see its metric - mend the bundle - push again");
    assert!(matches!(story.push(2).await, Offer::Known { .. }), "it is not tried again by itself");
    story.is_at_rest();
    assert!(story.say(Command::Retry).await.changed, "an operator may");
}

#[tokio::test]
async fn an_alarm_that_an_instances_death_explains_rolls_nothing_back_unless_it_goes_on() {
    for goes_on in [false, true] {
        let story = Story::with_two().await;
        for colour in Colour::BOTH {
            story.world.set_target_health("i-backend-2", colour, TargetHealth::Unhealthy);
        }
        alarm(&story);
        assert!(says(&story.tick().await, "may_be_the_instance"));
        if !goes_on {
            story.after(MINUTE).await;
            story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Ok);
        }
        for _ in 0..4 {
            story.after(MINUTE).await;
        }
        let live = if goes_on { 1 } else { 2 };
        assert_eq!(story.live().unwrap().0, live, "goes on: {goes_on}");
    }
}

#[tokio::test]
async fn after_the_window_an_alarm_changes_nothing() {
    for off in [false, true] {
        let mut story = Story::with_two().await;
        if off {
            story.policy.rollback_window = Duration::ZERO;
        } else {
            story.pass(Duration::from_secs(30 * MINUTE));
        }
        alarm(&story);
        story.tick().await;
        assert_eq!((story.live(), story.share(Colour::Green)), (Some((2, Colour::Green)), 1000));
        story.is_at_rest();
    }
}

#[tokio::test]
async fn the_previous_colour_gets_nothing_when_it_cannot_carry_the_traffic() {
    let story = Story::with_two().await;
    story.world.set_target_health("i-backend-1", Colour::Blue, TargetHealth::Unhealthy);
    alarm(&story);
    let looked = story.tick().await;
    assert!(says(&looked, "live_alarm") && says(&looked, "previous_not_running"));
    assert_eq!(story.share(Colour::Green), 1000);
    story.is_at_rest();
    story.world.set_target_health("i-backend-1", Colour::Blue, TargetHealth::Healthy);
    story.tick().await;
    assert_eq!(story.share(Colour::Blue), 1000);
}

#[tokio::test]
async fn a_colour_on_which_something_else_was_installed_is_not_the_previous_one_any_more() {
    let story = Story::with_two().await;
    story.pass(Duration::from_secs(MINUTE));
    story.push(3).await;
    story.install().await;
    story.say(Command::Abort).await;
    story.after(61).await;
    story.is_at_rest();
    // Nobody took the rejected release down: blue is healthy, and is not release 1.
    alarm(&story);
    story.tick().await;
    assert_eq!((story.live(), story.share(Colour::Green)), (Some((2, Colour::Green)), 1000));
    story.say(Command::Rollback).await;
    assert_eq!(
        (story.phase(), story.share(Colour::Blue)),
        ("installing", 0),
        "its revision is released again"
    );
}

#[tokio::test]
async fn a_rollback_that_is_taken_back_is_not_tried_again_by_the_same_alarm() {
    let story = Story::with_two().await;
    story.world.set_alarm(Colour::Blue, "backend-blue-errors", AlarmState::Firing);
    alarm(&story);
    story.tick().await;
    assert_eq!(story.share(Colour::Blue), 0, "blue is in alarm itself");
    story.say(Command::Abort).await;
    story.tick().await;
    story.is_at_rest();
    assert_eq!(story.live(), Some((2, Colour::Green)));
}

#[tokio::test]
async fn an_operators_rollback_rejects_the_release_too() {
    let story = Story::with_two().await;
    story.say(Command::Rollback).await;
    story.after(36).await;
    assert_eq!(story.live(), Some((1, Colour::Blue)));
    story.after(31).await;
    let (verdict, reason) = story.world.told(&upload(2).revision).unwrap();
    assert_eq!(
        (verdict.as_str(), reason.starts_with("rolled back by an operator")),
        ("rejected", true),
        "{reason}"
    );
}

#[tokio::test]
async fn an_instance_that_stays_unhealthy_on_the_live_colour_is_replaced_once() {
    let story = Story::with_two().await;
    let service = &story.world.service;
    story.world.set_target_health("i-backend-1", Colour::Green, TargetHealth::Unhealthy);
    story.tick().await;
    story.after(299).await;
    assert!(story.world.world.replaced(service).is_empty());
    story.after(1).await;
    story.after(60).await;
    let replaced = story.world.world.replaced(service);
    assert_eq!(replaced.iter().map(|instance| instance.0.as_str()).collect::<Vec<_>>(), ["i-backend-1"]);
    // It is still there and still ill: the pause passes before the next one.
    story.after(299).await;
    assert_eq!(story.world.world.replaced(service).len(), 1);
    story.after(61).await;
    assert_eq!(story.world.world.replaced(service).len(), 2);
}

#[tokio::test]
async fn what_heals_by_itself_or_is_ill_on_the_idle_colour_is_not_replaced() {
    let story = Story::with_two().await;
    for round in 0..10 {
        let health = if round % 2 == 0 { TargetHealth::Unhealthy } else { TargetHealth::Healthy };
        story.world.set_target_health("i-backend-1", Colour::Green, health);
        story.world.set_health(Colour::Blue, TargetHealth::Unhealthy);
        story.after(299).await;
    }
    assert!(story.world.world.replaced(&story.world.service).is_empty());
}

#[tokio::test]
async fn where_no_other_instance_is_healthy_one_is_replaced_after_twice_the_time() {
    let story = Story::with_two().await;
    story.world.set_health(Colour::Green, TargetHealth::Unhealthy);
    story.tick().await;
    let looked = story.after(599).await;
    assert!(says(&looked, "not_replaced"));
    assert!(story.world.world.replaced(&story.world.service).is_empty());
    story.after(60).await;
    assert_eq!(story.world.world.replaced(&story.world.service).len(), 1, "there is nothing left to lose");
    story.after(299).await;
    assert_eq!(story.world.world.replaced(&story.world.service).len(), 1, "one at a time");
}

#[tokio::test]
async fn nothing_is_replaced_during_a_release_and_its_time_starts_anew_after_it() {
    let story = Story::with_two().await;
    story.world.set_target_health("i-backend-1", Colour::Green, TargetHealth::Unhealthy);
    story.tick().await;
    story.push(3).await;
    story.after(600).await;
    story.say(Command::Abort).await;
    story.tick().await;
    story.is_at_rest();
    assert!(story.world.world.replaced(&story.world.service).is_empty());
    assert_eq!(story.ledger().ailing.unwrap().since, story.now());
}

#[tokio::test]
async fn weights_that_nothing_explains_are_put_right_where_the_live_colour_is_healthy() {
    let story = Story::with_two().await;
    story.world.world.set_base(&story.world.service, Weights::all_on(Colour::Blue));
    let looked = story.tick().await;
    assert!(says(&looked, "base_rule_drifted") && says(&looked, "repairs_base_rule"));
    assert_eq!(story.share(Colour::Green), 1000);
    story.is_at_rest();
    assert_eq!(story.ledger().drifted_at, None);
}

#[tokio::test]
async fn weights_that_nothing_explains_are_only_reported_when_the_live_colour_is_ill_or_the_policy_says_so() {
    for ill in [true, false] {
        let mut story = Story::with_two().await;
        if ill {
            story.world.set_health(Colour::Green, TargetHealth::Unhealthy);
        } else {
            story.policy.drift = Drift::Report;
        }
        story.world.world.set_base(&story.world.service, Weights::all_on(Colour::Blue));
        let looked = story.tick().await;
        assert!(says(&looked, "base_rule_drifted") && !says(&looked, "repairs_base_rule"));
        assert_eq!(story.share(Colour::Blue), 1000);
    }
}

#[tokio::test]
async fn a_base_rule_that_drifts_behind_an_open_release_is_right_before_the_way_back_uncovers_it() {
    for drift in [Drift::Repair, Drift::Report] {
        let mut story = Story::with_two().await;
        story.policy.drift = drift;
        story.policy.strategy = "canary:10%:10m".parse().unwrap();
        story.pass(Duration::from_secs(MINUTE));
        story.push(3).await;
        story.install().await;
        story.after(5).await;
        story.world.world.set_base(&story.world.service, Weights::all_on(Colour::Blue));
        story.tick().await;
        assert_eq!(story.share(Colour::Blue), 100);
        story.world.set_alarm(Colour::Blue, "backend-blue-errors", AlarmState::Firing);
        let before = story.world.world.weight_changes(&story.world.service).len();
        story.tick().await;
        let changes = story.world.world.weight_changes(&story.world.service);
        let blue: Vec<u16> =
            changes[before..].iter().map(|change| change.weights.per_mille(Colour::Blue)).collect();
        assert_eq!(blue, [0], "not for a moment does the candidate have more");
        story.after(61).await;
        story.is_at_rest();
    }
}

#[tokio::test]
async fn a_release_rule_that_is_deleted_is_the_way_back_even_when_the_base_rule_has_drifted() {
    let mut story = Story::with_two().await;
    story.policy.strategy = "canary:10%:10m".parse().unwrap();
    story.pass(Duration::from_secs(MINUTE));
    story.push(3).await;
    story.install().await;
    story.after(5).await;
    story.world.world.set_base(&story.world.service, Weights::all_on(Colour::Blue));
    story.world.world.delete_release_rule_by_hand(&story.world.service);
    story.tick().await;
    assert_eq!(story.share(Colour::Green), 1000);
    story.after(61).await;
    story.is_at_rest();
    assert_eq!(story.live(), Some((2, Colour::Green)));
}

#[tokio::test]
async fn processes_that_stay_suspended_after_a_release_are_resumed_or_reported() {
    for (drift, left) in [(Drift::Repair, 0), (Drift::Report, 2)] {
        let mut story = Story::with_two().await;
        story.policy.drift = drift;
        let service = &story.world.service;
        story.world.world.suspend(service, &[ScalingProcess::Terminate, ScalingProcess::AzRebalance]);
        story.after(59).await;
        assert_eq!(story.world.world.suspended_processes(service).len(), 2, "CodeDeploy has its time");
        let looked = story.after(1).await;
        let processes = vec!["AZRebalance".to_owned(), "Terminate".to_owned()];
        let reasons: Vec<&Reason> = looked.passes.iter().flat_map(|pass| &pass.plan.reasons).collect();
        assert!(reasons.contains(&&Reason::ScalingSuspended { processes }));
        assert_eq!(story.world.world.suspended_processes(service).len(), left);
    }
}

#[tokio::test]
async fn a_tick_long_after_a_release_costs_three_calls() {
    let story = Story::with_two().await;
    story.pass(Duration::from_secs(60 * MINUTE));
    story.world.expect_faults(&[]);
    story.tick().await;
    assert_eq!(story.world.world.forget_calls(), 3, "{:?}", story.world.ports().calls());
}
