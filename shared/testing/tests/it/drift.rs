//! Traffic that is not where the ledger says: nothing opens, and an emergency is not stuck.

use super::story::{MINUTE, Story, says};
use greenlight::failure::Class;
use release::{
    Answer, Asker, Colour, Command, DeploymentStatus, Drift, InstanceId, Ledger, LifecycleEvent, Odd, Offer,
    PerColour, Question, Reason, ReleaseNumber, ReleaseRule, Routing, RuleArn, TargetHealth, Weights, answer,
};

fn on(colour: Colour) -> Routing {
    Weights::all_on(colour).into()
}

/// A maintenance page, which a change of weights would remove.
fn page() -> Routing {
    let why = "rule base has other actions than one forward action".to_owned();
    Routing::Odd(Odd { why, gives: PerColour::default(), plain: false, gone: false })
}

fn opened(story: &Story) -> Option<(u64, Colour)> {
    story.ledger().open.map(|open| (open.upload.number.0, open.colour))
}

#[tokio::test]
async fn a_push_after_a_stack_update_waits_until_the_colour_that_had_the_traffic_has_drained() {
    let story = Story::with_two().await;
    story.pass(std::time::Duration::from_secs(3600));
    story.base_rule_moves(on(Colour::Blue));
    assert_eq!(story.push(3).await, Offer::Opens);
    assert_eq!(story.share(Colour::Green), 1000, "repaired: green is healthy");
    assert!(!story.world.is_deploying(), "blue serves late requests");
    story.after(59).await;
    assert!(!story.world.is_deploying());
    story.after(1).await;
    assert_eq!(opened(&story), Some((3, Colour::Blue)));
}

#[tokio::test]
async fn a_push_while_the_base_rule_is_reported_and_not_repaired_waits_and_says_what_to_do() {
    let mut story = Story::with_two().await;
    story.policy.drift = Drift::Report;
    story.base_rule_moves(on(Colour::Blue));
    story.push(3).await;
    story.minutes(30).await;
    let looked = story.after(MINUTE).await;
    assert_eq!((opened(&story), story.share(Colour::Green)), (None, 0));
    assert_eq!(story.ledger().pending.map(|upload| upload.number), Some(ReleaseNumber(3)), "nothing is lost");
    let todo = looked.passes.iter().flat_map(|pass| &pass.plan.reasons).find_map(|reason| match reason {
        Reason::WaitsForBaseRule { todo } => Some(todo.clone()),
        _ => None,
    });
    insta::assert_snapshot!(todo.unwrap(), @"set all weight of the base rule on green; or set all of it on blue and send rollback, which makes release 1 live where it is");
    story.base_rule_moves(on(Colour::Green));
    story.after(5).await;
    assert_eq!(opened(&story), None, "blue had traffic a moment ago");
    story.after(MINUTE).await;
    assert_eq!(opened(&story), Some((3, Colour::Blue)));
}

#[tokio::test]
async fn no_unfit_colour_gets_traffic_because_a_release_opens() {
    for drift in [Drift::Repair, Drift::Report] {
        let mut story = Story::with_two().await;
        story.policy.drift = drift;
        story.world.set_health(Colour::Green, TargetHealth::Unhealthy);
        story.base_rule_moves(on(Colour::Blue));
        story.minutes(2).await;
        story.push(3).await;
        assert_eq!((story.share(Colour::Green), story.world.is_deploying()), (0, false), "{drift:?}");
    }
}

#[tokio::test]
async fn the_fix_is_not_stuck_behind_a_rollback_by_hand() {
    let story = Story::with_two().await;
    story.pass(std::time::Duration::from_secs(3600));
    story.world.set_health(Colour::Green, TargetHealth::Unhealthy);
    story.base_rule_moves(on(Colour::Blue));
    story.push(3).await;
    story.minutes(2).await;
    assert_eq!(story.live(), Some((2, Colour::Green)), "it may still recover");
    let looked = story.after(MINUTE).await;
    assert!(says(&looked, "adopts_rollback"));
    assert_eq!((story.live(), story.share(Colour::Blue)), (Some((1, Colour::Blue)), 1000));
    story.after(MINUTE).await;
    assert_eq!(opened(&story), Some((3, Colour::Green)), "green has drained, and the fix goes there");
    assert_eq!(story.share(Colour::Blue), 1000);
    let (verdict, reason) = story.world.told(&super::story::upload(2).revision).unwrap();
    assert!(verdict == "rejected" && reason.starts_with("rolled back by an operator"), "{verdict} {reason}");
}

#[tokio::test]
async fn a_rollback_by_hand_is_adopted_at_once_by_command_and_settles() {
    let mut story = Story::with_two().await;
    story.policy.drift = Drift::Report;
    story.base_rule_moves(on(Colour::Blue));
    story.tick().await;
    story.say(Command::Rollback).await;
    assert_eq!((story.live(), story.phase()), (Some((1, Colour::Blue)), "settling"));
    assert!(!story.world.is_deploying(), "green had traffic a moment ago");
    story.after(MINUTE).await;
    story.install().await;
    story.codedeploy_agrees().await;
    story.is_at_rest();
}

#[tokio::test]
async fn a_colour_that_cannot_carry_the_traffic_or_runs_something_else_is_not_adopted() {
    for overwritten in [false, true] {
        let story = Story::with_two().await;
        story.world.set_health(Colour::Green, TargetHealth::Unhealthy);
        if overwritten {
            let mut ledger = story.ledger();
            ledger.previous.as_mut().unwrap().overwritten = true;
            story.world.world.put_ledger(&ledger);
        } else {
            story.world.set_health(Colour::Blue, TargetHealth::Unhealthy);
        }
        story.base_rule_moves(on(Colour::Blue));
        story.push(3).await;
        story.minutes(30).await;
        assert_eq!((story.live(), opened(&story)), (Some((2, Colour::Green)), None));
        assert!(story.ledger().pending.is_some());
    }
}

#[tokio::test]
async fn an_operators_rollback_waits_for_a_repair_and_is_then_carried_out() {
    let story = Story::with_two().await;
    story.base_rule_moves(Weights::share(Colour::Blue, 50));
    story.say(Command::Rollback).await;
    story.after(37).await;
    assert_eq!((story.live(), story.share(Colour::Blue)), (Some((1, Colour::Blue)), 1000));
}

#[tokio::test]
async fn a_maintenance_page_is_left_alone_and_nothing_opens_behind_it() {
    let story = Story::with_two().await;
    story.base_rule_moves(page());
    story.push(3).await;
    story.minutes(10).await;
    assert_eq!((opened(&story), story.world.rules().base), (None, page()));
    story.base_rule_moves(on(Colour::Green));
    story.after(5).await;
    story.after(MINUTE).await;
    assert_eq!(opened(&story), Some((3, Colour::Blue)));
}

#[tokio::test]
async fn a_release_does_not_open_before_the_rules_were_read() {
    let story = Story::with_two().await;
    story.refuses(&["rules"], greenlight::failure::Class::Transient);
    story.push(3).await;
    story.minutes(3).await;
    assert!(!story.world.is_deploying());
    story.world.expect_faults(&[]);
    story.after(5).await;
    assert_eq!(opened(&story), Some((3, Colour::Blue)));
}

/// A rollback has made release 1 live on blue, and green waits for its drain before it gets release 1 as well.
async fn settling() -> Story {
    let story = Story::with_two().await;
    story.pass(std::time::Duration::from_secs(3600));
    story.say(Command::Rollback).await;
    story.after(37).await;
    assert_eq!((story.live(), story.phase()), (Some((1, Colour::Blue)), "settling"));
    story
}

#[tokio::test]
async fn settling_begins_only_when_the_base_rule_is_seen_on_live_and_the_other_colour_has_drained() {
    for fit in [true, false] {
        let story = settling().await;
        if !fit {
            story.world.set_health(Colour::Blue, TargetHealth::Unhealthy);
        }
        story.base_rule_moves(on(Colour::Green));
        story.after(MINUTE).await;
        assert!(!story.world.is_deploying(), "green had the traffic a moment ago");
        assert_eq!(
            story.share(Colour::Blue),
            if fit { 1000 } else { 0 },
            "repaired only where that is proven safe"
        );
        story.minutes(3).await;
        assert_eq!(story.world.is_deploying(), fit);
    }
}

#[tokio::test]
async fn settling_stops_when_the_colour_that_it_installs_on_gets_the_traffic() {
    let mut story = settling().await;
    story.policy.drift = Drift::Report;
    story.after(MINUTE).await;
    assert!(story.world.is_deploying());
    story.base_rule_moves(on(Colour::Green));
    story.after(5).await;
    assert!(!story.world.is_deploying());
    story.minutes(10).await;
    assert!(!story.world.is_deploying());
    story.base_rule_moves(on(Colour::Blue));
    story.after(5).await;
    story.after(MINUTE).await;
    story.install().await;
    story.codedeploy_agrees().await;
    story.is_at_rest();
}

#[tokio::test]
async fn an_abort_ends_settling_that_waits_for_the_base_rule() {
    let mut story = settling().await;
    story.policy.drift = Drift::Report;
    story.base_rule_moves(on(Colour::Green));
    story.minutes(3).await;
    story.say(Command::Abort).await;
    assert_eq!(story.phase(), "idle");
    assert_eq!(story.world.newest().unwrap().1, DeploymentStatus::Succeeded);
}

#[tokio::test]
async fn a_lost_ledger_takes_no_serving_colour_down() {
    let story = Story::with_live("AllAtOnce").await;
    story.world.world.put_ledger(&Ledger::new(story.world.service.clone()));
    story.push(2).await;
    assert_eq!(opened(&story), Some((2, Colour::Green)), "blue carries all traffic and is healthy");
    story.install().await;
    story.codedeploy_agrees().await;
    assert_eq!((story.live(), story.share(Colour::Green)), (Some((2, Colour::Green)), 1000));
    story.push(3).await;
    assert!(!story.world.is_deploying(), "blue serves late requests");
    story.after(MINUTE).await;
    assert_eq!(opened(&story), Some((3, Colour::Blue)));
}

#[tokio::test]
async fn a_ledger_that_was_lost_under_a_release_opens_nothing_where_both_colours_serve() {
    for owned in [true, false] {
        let story = Story::shifting("canary:50%:10m").await;
        story.world.world.put_ledger(&Ledger::new(story.world.service.clone()));
        story.world.end_newest(DeploymentStatus::Stopped);
        if !owned {
            let arn = RuleArn("arn:strange".to_owned());
            story.world.world.delete_release_rule_by_hand(&story.world.service);
            let weights = Weights::share(Colour::Green, 50).into();
            story.world.world.put_release_rule_as(&story.world.service, ReleaseRule { arn, weights });
        }
        story.push(3).await;
        assert!(!story.world.is_deploying(), "green had half of the traffic a moment ago");
        story.after(MINUTE).await;
        assert_eq!(opened(&story), owned.then_some((3, Colour::Green)));
        assert_eq!(story.share(Colour::Green), if owned { 0 } else { 500 });
    }
}

#[tokio::test]
async fn a_rule_that_a_restored_ledger_does_not_know_goes_only_when_the_live_colour_can_carry_the_traffic() {
    for fit in [true, false] {
        let story = Story::with_live("AllAtOnce").await;
        let earlier = story.ledger();
        story.push(2).await;
        story.install().await;
        story.after(5).await;
        assert_eq!(story.share(Colour::Green), 1000);
        story.world.world.put_ledger(&earlier);
        if !fit {
            story.world.set_health(Colour::Blue, TargetHealth::Unhealthy);
        }
        story.tick().await;
        assert_eq!(story.share(Colour::Blue), if fit { 1000 } else { 0 });
        story.world.end_newest(DeploymentStatus::Stopped);
        story.push(3).await;
        assert!(!story.world.is_deploying(), "green has the traffic, or had it a moment ago");
        story.after(MINUTE).await;
        assert_eq!(opened(&story), fit.then_some((3, Colour::Green)));
    }
}

#[tokio::test]
async fn a_strangers_rule_is_never_deleted() {
    let story = Story::with_two().await;
    let arn = RuleArn("arn:strange".to_owned());
    let stranger = ReleaseRule { arn, weights: Weights::all_on(Colour::Green).into() };
    story.world.world.put_release_rule_as(&story.world.service, stranger.clone());
    let looked = story.after(5).await;
    assert!(says(&looked, "strangers_rule"));
    story.after(MINUTE).await;
    story.push(3).await;
    story.say(Command::Abort).await;
    story.minutes(3).await;
    assert_eq!(story.phase(), "idle");
    assert_eq!(story.world.rules().release, Some(stranger));
}

#[tokio::test]
async fn a_rule_left_over_stays_while_the_base_rule_is_wrong() {
    let mut story = Story::with_two().await;
    story.policy.drift = Drift::Report;
    story.after(MINUTE).await;
    story.push(3).await;
    let left_over = story.world.rules().release.unwrap();
    story.say(Command::Abort).await;
    story.minutes(2).await;
    story.world.world.put_release_rule_as(&story.world.service, left_over.clone());
    story.base_rule_moves(on(Colour::Blue));
    story.minutes(2).await;
    assert_eq!(story.world.rules().release, Some(left_over), "it would uncover the base rule");
    story.base_rule_moves(on(Colour::Green));
    story.tick().await;
    story.is_at_rest();
}

#[tokio::test]
async fn no_colour_is_taken_down_to_settle_while_the_base_rule_may_be_on_it() {
    let story = Story::with_two().await;
    story.say(Command::Rollback).await;
    story.after(36).await;
    story.after(61).await;
    assert_eq!((story.phase(), story.world.is_deploying()), ("settling", true));
    let asks = || {
        let ledger = story.ledger();
        let id = ledger.open.as_ref().unwrap().deployment.clone().unwrap();
        let question = Question {
            service: None,
            deployment_id: id,
            deployment_group_id: String::new(),
            lifecycle_event: LifecycleEvent::BeforeInstall,
            instance_id: InstanceId("i-1".to_owned()),
        };
        answer(&ledger, &story.policy, story.now(), &question, &Asker::Open, None)
    };
    assert!(matches!(asks(), Answer::Install { colour: Colour::Green, .. }));
    story.base_rule_moves(on(Colour::Green));
    story.refuses(&["stop_deployment"], Class::Transient);
    story.tick().await;
    let Answer::Failed { reason, .. } = asks() else { panic!("green has the traffic") };
    assert!(reason.contains("perhaps on green"), "{reason}");
    story.base_rule_moves(on(Colour::Blue));
    story.tick().await;
    assert!(matches!(asks(), Answer::Failed { .. }), "green serves late requests");
}

#[tokio::test]
async fn a_push_while_the_base_rule_is_gone_waits_and_says_what_makes_it_again() {
    let story = Story::with_two().await;
    story.after(2 * MINUTE).await;
    let why = "the base rule is not on the listener".to_owned();
    story.base_rule_moves(Routing::Odd(Odd { why, gives: PerColour::default(), plain: false, gone: true }));
    story.push(3).await;
    let looked = story.after(MINUTE).await;
    assert_eq!(opened(&story), None);
    let todo = looked.passes.iter().flat_map(|pass| &pass.plan.reasons).find_map(|reason| match reason {
        Reason::WaitsForBaseRule { todo } => Some(todo.clone()),
        _ => None,
    });
    insta::assert_snapshot!(todo.unwrap(), @"deploy the stack with another Bake, which makes the base rule again");
}
