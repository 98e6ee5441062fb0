//! The way back needs no look: rules that cannot be read, understood or believed.

use super::story::{MINUTE, Story, says};
use greenlight::failure::Class;
use release::{AlarmState, Colour, Odd, PerColour, Routing, Wake, Weights};
use std::time::Duration;

/// What a rule does that a change of weights would remove, and whether that gives green anything.
fn odd(gives_green: bool) -> Routing {
    let gives = PerColour { blue: true, green: gives_green };
    Routing::Odd(Odd {
        why: "rule has other actions than one forward action".to_owned(),
        gives,
        plain: false,
        gone: false,
    })
}

/// Both weights are 0: every request is answered with 503.
fn nobody() -> Routing {
    let why = "both colours have weight 0".to_owned();
    Routing::Odd(Odd { why, gives: PerColour::default(), plain: true, gone: false })
}

/// Somebody has deleted the base rule.
fn gone() -> Routing {
    let why =
        "the base rule is not on the listener: deploy the stack with another Bake, which makes it again"
            .to_owned();
    Routing::Odd(Odd { why, gives: PerColour::default(), plain: false, gone: true })
}

fn alarm(story: &Story) {
    story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Firing);
}

#[tokio::test]
async fn an_alarm_takes_a_release_back_whose_rules_cannot_be_read() {
    for class in [Class::Permanent, Class::Transient] {
        let story = Story::shifting("Canary10Percent5Minutes").await;
        story.refuses(&["rules"], class);
        alarm(&story);
        story.try_wake(Wake::Event).await.ok();
        assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0), "{class:?}");
        story.pass(Duration::from_secs(600));
        story.try_wake(Wake::Event).await.ok();
        assert_eq!(story.phase(), "returning", "nobody has seen that no rule gives it weight");
        story.world.expect_faults(&[]);
        story.tick().await;
        story.after(MINUTE).await;
        story.is_at_rest();
    }
}

#[tokio::test]
async fn rules_that_are_unreadable_for_too_long_are_the_way_back() {
    let story = Story::shifting("canary:10%:20m").await;
    story.refuses(&["rules"], Class::Transient);
    for _ in 0..4 {
        assert_eq!(story.share(Colour::Green), 100);
        story.pass(Duration::from_secs(MINUTE));
        story.try_wake(Wake::Event).await.ok();
    }
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));
}

#[tokio::test]
async fn a_maintenance_page_on_the_base_rule_hides_no_release() {
    let story = Story::shifting("canary:10%:20m").await;
    story.base_rule_moves(odd(false));
    let looked = story.after(5).await;
    assert!(says(&looked, "unknown"), "a raise would make the way back to the page longer");
    assert_eq!(story.share(Colour::Green), 100);
    alarm(&story);
    story.tick().await;
    assert_eq!((story.share(Colour::Green), story.world.rules().release), (0, None));
    story.after(MINUTE).await;
    assert_eq!(
        (story.phase(), story.world.rules().base),
        ("idle", odd(false)),
        "whoever put it there takes it away"
    );
}

#[tokio::test]
async fn a_maintenance_page_that_stays_keeps_no_release_for_ever() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    story.base_rule_moves(odd(false));
    story.install().await;
    story.minutes(16).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));
    story.minutes(16).await;
    assert_eq!(story.phase(), "idle");
    let reason = story.ledger().releases.last().unwrap().verdict.reason();
    assert!(reason.contains("base rule: rule has other actions"), "{reason}");
}

#[tokio::test]
async fn an_odd_base_rule_that_would_give_the_candidate_requests_is_not_uncovered() {
    let story = Story::shifting("canary:10%:20m").await;
    story.base_rule_moves(odd(true));
    alarm(&story);
    story.tick().await;
    assert_eq!(story.share(Colour::Green), 0);
    story.minutes(5).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));
    story.base_rule_moves(Weights::all_on(Colour::Blue));
    story.tick().await;
    story.after(MINUTE).await;
    story.is_at_rest();
}

#[tokio::test]
async fn a_base_rule_without_weights_is_mended_before_the_way_back_uncovers_it() {
    let story = Story::shifting("canary:10%:20m").await;
    story.base_rule_moves(nobody());
    alarm(&story);
    story.tick().await;
    assert_eq!(story.share(Colour::Blue), 1000);
    story.after(MINUTE).await;
    story.is_at_rest();
}

#[tokio::test]
async fn a_release_rule_that_serves_nobody_returns_its_traffic_and_is_raised_again_by_proof() {
    for routing in [nobody(), odd(false)] {
        let story = Story::shifting("canary:10%:20m").await;
        let rule = story.world.rules().release.unwrap();
        let changed = release::ReleaseRule { weights: routing, ..rule };
        story.world.world.put_release_rule_as(&story.world.service, changed);
        story.after(5).await;
        assert_eq!(story.share(Colour::Blue), 1000);
        story.after(5).await;
        assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 100));
    }
}

#[tokio::test]
async fn the_way_back_deletes_a_rule_that_the_list_lacks() {
    let story = Story::with_live("Canary10Percent5Minutes").await;
    story.push(2).await;
    story.install().await;
    // From here on lists show no rule of the release, for longer than one incomplete answer.
    let rule = story.world.rules().release.unwrap();
    story.world.world.delete_release_rule_by_hand(&story.world.service);
    story.world.world.rules_lag(&story.world.service, usize::MAX);
    let weights = Weights::share(Colour::Green, 10).into();
    story.world.world.put_release_rule_as(&story.world.service, release::ReleaseRule { weights, ..rule });
    story.after(5).await;
    story.after(10).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));
}

#[tokio::test]
async fn one_incomplete_list_of_rules_takes_nothing_back() {
    for phase in ["shifting", "promoting"] {
        let story = Story::shifting("AllAtOnce").await;
        if phase == "promoting" {
            story.after(MINUTE).await;
        }
        let rule = story.world.rules().release.unwrap();
        story.world.world.delete_release_rule_by_hand(&story.world.service);
        story.world.world.rules_lag(&story.world.service, 1);
        story.world.world.put_release_rule_as(&story.world.service, rule);
        if phase == "promoting" {
            story.world.end_newest(release::DeploymentStatus::Succeeded);
        }
        let looked = story.after(5).await;
        assert!(says(&looked, "missing"), "{phase}");
        assert_eq!(story.share(Colour::Green), 1000);
        story.after(61).await;
        story.after(5).await;
        story.codedeploy_agrees().await;
        assert_eq!(story.live(), Some((2, Colour::Green)), "{phase}");
    }
}

#[tokio::test]
async fn a_list_that_lags_behind_the_rule_of_a_rollback_does_not_end_it() {
    let story = Story::with_two().await;
    story.world.world.rules_lag(&story.world.service, 3);
    story.say(release::Command::Rollback).await;
    story.after(5).await;
    assert_eq!(story.share(Colour::Blue), 1000);
    story.after(31).await;
    assert_eq!(story.live(), Some((1, Colour::Blue)));
}

#[tokio::test]
async fn the_only_rule_that_leads_to_the_service_stays_when_its_release_is_taken_back() {
    let mut story = Story::shifting("canary:10%:20m").await;
    story.policy.drain = Duration::ZERO;
    let rule = story.world.rules().release.unwrap().arn;
    story.base_rule_moves(gone());
    alarm(&story);
    story.tick().await;
    assert_eq!((story.phase(), story.share(Colour::Blue)), ("returning", 1000));
    // A raise that was decided before has kept the rule's ARN.
    story.after(20).await;
    story.world.drift(Weights::share(Colour::Green, 50));
    story.after(5).await;
    assert_eq!((story.phase(), story.share(Colour::Blue)), ("returning", 1000));
    story.after(35).await;
    assert_eq!(story.phase(), "returning", "a raise may still be late");
    story.after(1).await;
    story.tick().await;
    assert_eq!((story.phase(), story.share(Colour::Blue)), ("idle", 1000));
    assert_eq!(story.world.rules().release.map(|found| found.arn), Some(rule));
}

#[tokio::test]
async fn after_a_base_rule_that_was_deleted_is_made_anew_the_release_that_waited_opens() {
    for made_with in [Colour::Blue, Colour::Green] {
        let mut story = Story::shifting("canary:10%:20m").await;
        story.policy.drift = release::Drift::Repair;
        story.base_rule_moves(gone());
        story.minutes(4).await;
        assert_eq!((story.phase(), story.share(Colour::Blue)), ("returning", 1000), "unknown for too long");
        story.push(3).await;
        story.minutes(3).await;
        assert_eq!((story.phase(), story.share(Colour::Blue)), ("idle", 1000));
        let looked = story.tick().await;
        assert!(says(&looked, "waits_for_base_rule"), "release 3 is not lost");
        story.base_rule_moves(Weights::all_on(made_with));
        story.minutes(3).await;
        let open = story.ledger().open.unwrap();
        assert_eq!((open.upload.number.0, story.share(Colour::Blue)), (3, 1000), "{made_with}");
    }
}

#[tokio::test]
async fn a_release_whose_rules_are_all_deleted_ends() {
    let story = Story::shifting("canary:10%:20m").await;
    story.base_rule_moves(gone());
    story.world.world.delete_release_rule_by_hand(&story.world.service);
    story.minutes(20).await;
    assert_eq!(story.phase(), "idle");
}

#[tokio::test]
async fn a_rule_that_covers_a_drifted_base_rule_is_not_deleted_unseen() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    story.base_rule_moves(Weights::all_on(Colour::Green));
    story.offer(super::story::upload(3)).await;
    for _ in 0..2 {
        story.pass(Duration::from_secs(5));
        story.wake(Wake::Question).await;
    }
    story.base_rule_moves(Weights::all_on(Colour::Green));
    assert!(story.world.rules().release.is_some(), "it goes when the base rule was seen right");
    story.refuses(&["rules"], Class::Transient);
    story.try_wake(Wake::Event).await.ok();
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));
}

#[tokio::test]
async fn moments_in_which_something_cannot_be_read_do_not_add_up() {
    let story = Story::shifting("canary:10%:20m").await;
    for _ in 0..3 {
        story.refuses(&["alarm_states"], Class::Transient);
        story.minutes(2).await;
        story.refuses(&[], Class::Transient);
        story.minutes(1).await;
    }
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 100));
}
