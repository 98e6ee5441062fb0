//! What comes first, and what must be seen again: the swap, the drain, the proof.

use super::story::{MINUTE, Story};
use greenlight::failure::Class;
use release::{AlarmState, Colour, Command, ReleaseRule, RuleArn, TargetHealth, Weights};
use testing::{At, FaultAt, Kind};

fn overtaken() -> FaultAt {
    FaultAt { at: At::NthOf("write_ledger", 1), kind: Kind::Before(Class::Conflict) }
}

fn done(story: &Story, call: &str) -> Option<usize> {
    story.world.ports().calls().iter().position(|name| *name == call)
}

#[tokio::test]
async fn a_share_above_the_decided_one_is_lowered_only_after_the_swap() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    story.world.drift(Weights::share(Colour::Green, 70));
    story.world.expect_faults(&[]);
    story.after(5).await;
    assert!(done(&story, "write_ledger").unwrap() < done(&story, "set_release_weights").unwrap());
    assert_eq!(story.share(Colour::Green), 100);
}

#[tokio::test]
async fn a_way_back_deletes_a_rule_of_another_attempt_only_after_the_swap() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    let first = story.world.rules().release.unwrap();
    story.say(Command::Abort).await;
    story.after(MINUTE).await;
    story.say(Command::Retry).await;
    story.install().await;
    // The first attempt's rule stands where the second one's did.
    story.world.world.delete_release_rule_by_hand(&story.world.service);
    story.world.world.put_release_rule_as(&story.world.service, first.clone());
    story.try_amend(|ledger| release::accept_command(&ledger, Command::Abort)).await.unwrap();
    story.pass(std::time::Duration::from_secs(5));
    story.wake(release::Wake::Question).await;
    assert_eq!((story.phase(), story.world.rules().release), ("returning", Some(first.clone())));
    story.world.expect_faults(&[overtaken()]);
    story.pass(std::time::Duration::from_secs(5));
    story.try_wake(release::Wake::Question).await.ok();
    assert_eq!(story.world.rules().release, Some(first), "the swap was lost");
    story.world.expect_faults(&[]);
    story.minutes(3).await;
    story.is_at_rest();
}

#[tokio::test]
async fn the_drain_starts_anew_when_weight_comes_back_on_the_way_back() {
    let story = Story::shifting("AllAtOnce").await;
    story.say(Command::Abort).await;
    story.after(50).await;
    assert_eq!(story.phase(), "returning");
    // A stack update, or a pass that was long delayed.
    story.base_rule_moves(Weights::all_on(Colour::Green));
    story.after(5).await;
    assert_eq!(story.share(Colour::Green), 0, "put right");
    story.after(10).await;
    assert_eq!(story.phase(), "returning", "green serves late requests");
    story.after(50).await;
    story.is_at_rest();
}

#[tokio::test]
async fn a_weight_that_is_lowered_late_in_the_bake_is_proven_again() {
    let mut story = Story::with_live("AllAtOnce").await;
    story.policy.bake = std::time::Duration::from_secs(10 * MINUTE);
    story.push(2).await;
    story.install().await;
    story.after(5).await;
    story.minutes(4).await;
    story.world.drift(Weights::share(Colour::Green, 50));
    story.tick().await;
    // The first pass has not read what a raise must prove, and the one that follows at once has.
    assert_eq!((story.phase(), story.share(Colour::Green)), ("baking", 1000));
}

#[tokio::test]
async fn a_raise_that_stays_unproven_ends_after_its_limit_and_not_before() {
    let mut story = Story::with_live("AllAtOnce").await;
    story.policy.bake = std::time::Duration::from_secs(10 * MINUTE);
    story.push(2).await;
    story.install().await;
    story.after(5).await;
    story.minutes(4).await;
    story.world.drift(Weights::share(Colour::Green, 50));
    story.world.join_instance("i-backend-3", Colour::Blue);
    story.minutes(3).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("baking", 500));
    story.minutes(1).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));
}

#[tokio::test]
async fn an_alarm_still_rolls_back_the_third_release() {
    let story = Story::with_two().await;
    story.after(MINUTE).await;
    story.release(3).await;
    assert_eq!(story.live(), Some((3, Colour::Blue)));
    story.world.set_alarm(Colour::Blue, "backend-blue-errors", AlarmState::Firing);
    story.after(5).await;
    assert_eq!((story.share(Colour::Green), story.phase()), (1000, "baking"));
}

#[tokio::test]
async fn a_bundle_that_waits_through_a_repair_waits_for_the_drain_after_it() {
    let story = Story::with_two().await;
    story.pass(std::time::Duration::from_secs(10 * MINUTE));
    story.base_rule_moves(Weights::share(Colour::Blue, 50));
    story.push(3).await;
    assert_eq!((story.share(Colour::Blue), story.world.is_deploying()), (0, false));
    story.after(59).await;
    assert!(!story.world.is_deploying());
    story.after(1).await;
    assert!(story.world.is_deploying());
}

#[tokio::test]
async fn a_base_rule_that_moves_late_leaves_a_colour_that_drains_from_then_on() {
    let story = Story::with_two().await;
    let refused = FaultAt { at: At::Every("create_release_rule"), kind: Kind::Before(Class::Permanent) };
    let late = FaultAt { at: At::NthOf("set_base_weights", 1), kind: Kind::Before(Class::OutcomeUnknown) };
    story.world.expect_faults(&[refused, late]);
    story.say(Command::Rollback).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("promoting", 1000));
    story.pass(std::time::Duration::from_secs(50));
    // Now the call arrives whose answer was lost.
    story.base_rule_moves(Weights::all_on(Colour::Blue));
    story.tick().await;
    assert_eq!((story.live(), story.phase()), (Some((1, Colour::Blue)), "settling"));
    story.after(59).await;
    assert!(!story.world.is_deploying(), "green serves late requests");
    story.after(1).await;
    assert!(story.world.is_deploying());
}

#[tokio::test]
async fn the_way_back_of_a_rule_that_is_not_known_by_its_arn_is_seen_to_be_needed() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    story.say(Command::Abort).await;
    let arn = RuleArn("arn:strange".to_owned());
    let weights = Weights::share(Colour::Green, 10).into();
    story.world.world.put_release_rule_as(&story.world.service, ReleaseRule { arn, weights });
    story.minutes(5).await;
    assert_eq!(story.phase(), "returning", "a stranger's rule gives the candidate requests");
    story.world.world.delete_release_rule_by_hand(&story.world.service);
    story.after(5).await;
    story.after(MINUTE).await;
    story.is_at_rest();
}

#[tokio::test]
async fn a_weight_that_is_lowered_while_promoting_is_proven_again_before_it_is_raised() {
    let story = Story::shifting("AllAtOnce").await;
    story.after(MINUTE).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("promoting", 1000));
    story.world.drift(Weights::share(Colour::Green, 50));
    story.world.set_health(Colour::Green, TargetHealth::Unhealthy);
    story.codedeploy_agrees().await;
    for _ in 0..4 {
        story.after(5).await;
        assert_ne!(story.share(Colour::Green), 1000, "raised onto what is ill");
    }
}
