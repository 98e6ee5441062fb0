//! The release's own rule, when it cannot be created or is not its own.

use super::story::{MINUTE, SECOND, Story, upload};
use greenlight::failure::Class;
use release::{
    AlarmState, Colour, Command, DeploymentStatus, Offer, ReleaseRule, RuleArn, TargetHealth, Weights,
};

fn stranger(weights: Weights) -> ReleaseRule {
    ReleaseRule { arn: RuleArn("arn:strange".to_owned()), weights: weights.into() }
}

#[tokio::test]
async fn a_rollback_needs_no_rule_of_its_own_where_the_load_balancer_refuses_one() {
    for by_alarm in [true, false] {
        let story = Story::with_two().await;
        story.refuses(&["create_release_rule"], Class::Permanent);
        if by_alarm {
            story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Firing);
            story.tick().await;
        } else {
            story.say(Command::Rollback).await;
        }
        assert_eq!(story.share(Colour::Blue), 1000, "by alarm: {by_alarm}");
        assert_eq!((story.live(), story.phase()), (Some((1, Colour::Blue)), "settling"));
        assert!(!story.world.is_deploying(), "green serves late requests");
        story.after(MINUTE).await;
        story.install().await;
        story.codedeploy_agrees().await;
        story.is_at_rest();
    }
}

#[tokio::test]
async fn a_rollback_goes_around_a_strangers_rule() {
    let story = Story::with_two().await;
    let rule = stranger(Weights::all_on(Colour::Green));
    story.world.world.put_release_rule_as(&story.world.service, rule.clone());
    story.say(Command::Rollback).await;
    story.tick().await;
    assert!(story.world.rules().base.are_all_on(Colour::Blue));
    assert_eq!((story.live(), story.world.rules().release), (Some((1, Colour::Blue)), Some(rule)));
}

#[tokio::test]
async fn a_refused_rollback_to_a_colour_that_is_not_proven_moves_nothing_and_ends() {
    let story = Story::with_two().await;
    story.refuses(&["create_release_rule"], Class::Permanent);
    story.world.set_alarm(Colour::Blue, "backend-blue-errors", AlarmState::Firing);
    story.say(Command::Rollback).await;
    story.minutes(2).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("baking", 1000));
    story.minutes(2).await;
    assert_eq!((story.phase(), story.live()), ("idle", Some((2, Colour::Green))));
    let reason = story.ledger().releases.last().unwrap().verdict.reason();
    assert!(reason.contains("create_release_rule was made to fail"), "the load balancer's words: {reason}");
    assert_eq!(story.push(3).await, Offer::Opens);
}

#[tokio::test]
async fn a_rule_that_cannot_be_created_for_a_while_delays_a_rollback_only_so_long() {
    let story = Story::with_two().await;
    story.refuses(&["create_release_rule"], Class::Transient);
    story.say(Command::Rollback).await;
    story.after(MINUTE).await;
    story.world.expect_faults(&[]);
    story.after(5).await;
    assert_eq!(story.share(Colour::Blue), 1000);
}

#[tokio::test]
async fn a_release_whose_rule_cannot_be_created_ends_at_its_deadline_without_blame() {
    for why in ["refused", "stranger", "unreadable tags"] {
        let story = Story::with_live("Canary10Percent5Minutes").await;
        let words = match why {
            "refused" => {
                story.refuses(&["create_release_rule"], Class::Permanent);
                "create_release_rule was made to fail"
            }
            "stranger" => {
                let rule = stranger(Weights::all_on(Colour::Blue));
                story.world.world.put_release_rule_as(&story.world.service, rule);
                "rule arn:strange stands at the priority that is reserved for releases"
            }
            _ => {
                let rule = stranger(Weights::all_on(Colour::Blue));
                story.world.world.put_release_rule_as(&story.world.service, rule);
                story.push(2).await;
                story.refuses(&["rule_owner"], Class::Permanent);
                "the tags of rule arn:strange could not be read"
            }
        };
        if why != "unreadable tags" {
            story.push(2).await;
        }
        for attempt in [1, 2] {
            assert_eq!(story.ledger().open.map(|open| open.attempt), Some(attempt), "{why}");
            story.tick().await;
            story.install().await;
            story.after(14 * MINUTE).await;
            assert_eq!((story.phase(), story.share(Colour::Green)), ("installing", 0), "{why}");
            assert!(story.say(Command::Status).await.says.contains("0 %"), "it says what is so");
            story.after(MINUTE).await;
            story.after(15).await;
        }
        story.world.expect_faults(&[]);
        story.tick().await;
        assert_eq!((story.phase(), story.live()), ("idle", Some((1, Colour::Blue))), "{why}");
        let reason = story.ledger().releases.last().unwrap().verdict.reason();
        assert!(reason.contains(words), "{why}: {reason}");
        assert_eq!(story.push(3).await, Offer::Opens, "nothing is blocked");
    }
}

#[tokio::test]
async fn a_rule_of_an_earlier_attempt_is_replaced_and_not_taken_over() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    let first = story.world.rules().release.unwrap();
    story.say(Command::Abort).await;
    story.minutes(1).await;
    story.is_at_rest();
    story.refuses(&["create_release_rule"], Class::Transient);
    story.say(Command::Retry).await;
    // A late pass still holds the first attempt's rule.
    story.world.world.put_release_rule_as(&story.world.service, first.clone());
    story.world.expect_faults(&[]);
    story.tick().await;
    story.tick().await;
    let second = story.world.rules().release.unwrap();
    assert_ne!(second.arn, first.arn);
    assert_eq!(story.ledger().open.unwrap().rule, Some(second.arn));
}

#[tokio::test]
async fn an_adopted_rule_is_the_attempts_own() {
    let story = Story::with_live("AllAtOnce").await;
    let lost = testing::FaultAt {
        at: testing::At::NthOf("create_release_rule", 1),
        kind: testing::Kind::After(Class::OutcomeUnknown),
    };
    story.world.expect_faults(&[lost]);
    story.push(2).await;
    story.world.expect_faults(&[]);
    story.tick().await;
    assert_eq!(story.ledger().open.unwrap().rule, story.world.rules().release.map(|rule| rule.arn));
    story.release_2_goes_live().await;
}

#[tokio::test]
async fn a_rule_is_made_up_for_only_while_the_base_rule_is_on_live() {
    let mut story = Story::with_two().await;
    story.policy.drift = release::Drift::Report;
    story.pass(60 * SECOND);
    story.refuses(&["create_release_rule"], Class::Transient);
    story.push(3).await;
    story.world.set_health(Colour::Green, TargetHealth::Unhealthy);
    story.base_rule_moves(Weights::all_on(Colour::Blue));
    story.world.expect_faults(&[]);
    story.minutes(3).await;
    assert_eq!(story.share(Colour::Green), 0, "green is unfit, and a new rule would give it everything");
    story.say(Command::Abort).await;
    story.world.end_newest(DeploymentStatus::Stopped);
    assert_eq!(story.world.told(&upload(3).revision), None);
}

/// One that was not created yet is waited for: behind its own rule a rollback has a way back, by the base rule alone it has none.
#[tokio::test]
async fn a_rollback_whose_rule_is_late_leaves_the_base_rule_where_it_is() {
    let story = Story::with_two().await;
    story.refuses(&["create_release_rule"], Class::Transient);
    story.say(Command::Rollback).await;
    story.after(MINUTE).await;
    assert!(story.world.rules().base.are_all_on(Colour::Green) && story.world.rules().release.is_none());
    assert_eq!(story.phase(), "baking");
    story.world.expect_faults(&[]);
    story.after(5).await;
    let rules = story.world.rules();
    assert!(rules.base.are_all_on(Colour::Green), "{}", rules.base);
    assert!(rules.release.is_some_and(|rule| rule.weights.are_all_on(Colour::Blue)));
}
