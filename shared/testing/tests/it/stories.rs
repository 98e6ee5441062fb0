//! How releases go, one behaviour a test.

use super::story::{SECOND, Story, upload};
use release::{
    AlarmState, Colour, Command, DeploymentStatus, Offer, Refusal, ReleaseNumber, TargetHealth, Weights,
};

#[tokio::test]
async fn the_first_release_takes_all_weight_at_once() {
    let story = Story::new("Canary10Percent5Minutes");
    story.world.set_health(Colour::Blue, TargetHealth::Unhealthy);
    assert_eq!(story.push(1).await, Offer::Opens);
    assert_eq!(story.phase(), "installing");
    story.install().await;
    assert_eq!(story.phase(), "promoting");
    story.codedeploy_agrees().await;
    assert_eq!(story.live(), Some((1, Colour::Blue)));
    story.is_at_rest();
    assert_eq!(story.world.told(&upload(1).revision).unwrap().0, "live");
}

#[tokio::test]
async fn a_canary_moves_by_its_steps_bakes_and_goes_live() {
    let story = Story::with_live("Canary10Percent5Minutes").await;
    story.push(2).await;
    assert_eq!(story.share(Colour::Green), 0);
    story.install().await;
    story.after(5).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 100));
    story.after(299).await;
    assert_eq!(story.share(Colour::Green), 100);
    story.after(1).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("baking", 1000));
    story.after(60).await;
    assert_eq!(story.phase(), "promoting");
    assert!(story.world.rules().base.are_all_on(Colour::Blue), "the base rule waits for CodeDeploy");
    story.codedeploy_agrees().await;
    assert_eq!(story.live(), Some((2, Colour::Green)));
    story.is_at_rest();
}

#[tokio::test]
async fn a_candidate_alarm_returns_all_traffic_and_rejects_the_release() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Firing);
    story.tick().await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));
    story.after(61).await;
    story.is_at_rest();
    let (verdict, reason) = story.world.told(&upload(2).revision).unwrap();
    assert_eq!(verdict, "rejected");
    insta::assert_snapshot!(reason, @"alarm backend-green-errors fired on the candidate colour: see its metric - mend the bundle - push again");
    assert!(matches!(story.push(2).await, Offer::Known { .. }), "the same object again is the same release");
    story.is_at_rest();
}

#[tokio::test]
async fn a_firing_alarm_on_the_live_colour_does_not_stop_the_release_that_mends_it() {
    let story = Story::with_live("AllAtOnce").await;
    story.world.set_alarm(Colour::Blue, "backend-blue-errors", AlarmState::Firing);
    story.push(2).await;
    story.install().await;
    story.after(5).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("baking", 1000));
}

#[tokio::test]
async fn no_weight_moves_to_a_colour_that_is_not_proven_healthy_now() {
    let story = Story::with_live("Canary10Percent5Minutes").await;
    story.push(2).await;
    story.install().await;
    story.world.set_target_health("i-backend-2", Colour::Green, TargetHealth::Unproven);
    story.after(5).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 0));
    story.world.set_target_health("i-backend-2", Colour::Green, TargetHealth::Healthy);
    story.world.join_instance("i-backend-3", Colour::Blue);
    story.after(5).await;
    assert_eq!(story.share(Colour::Green), 0, "two candidates must not replace three");
    story.world.lose_instance("i-backend-3");
    story.after(5).await;
    assert_eq!(story.share(Colour::Green), 100);
}

#[tokio::test]
async fn unhealthy_targets_return_traffic_after_the_grace_and_not_before() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    story.world.set_target_health("i-backend-1", Colour::Green, TargetHealth::Unhealthy);
    story.after(5).await;
    assert_eq!(story.phase(), "shifting");
    story.after(29).await;
    assert_eq!(story.phase(), "shifting");
    story.after(1).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));
}

#[tokio::test]
async fn an_instance_that_dies_does_not_condemn_the_bundle() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    story.world.lose_instance("i-backend-2");
    story.after(5).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 100), "a list may be incomplete");
    story.after(10).await;
    assert_eq!(story.phase(), "returning");
    story.world.join_instance("i-backend-3", Colour::Blue);
    story.after(61).await;
    let open = story.ledger().open.unwrap();
    assert_eq!((open.attempt, open.upload.number), (2, ReleaseNumber(2)));
    story.release_2_goes_live().await;
}

#[tokio::test]
async fn an_instance_whose_death_fires_an_alarm_first_does_not_condemn_the_bundle() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    story.world.set_alarm(Colour::Green, "a", AlarmState::Firing);
    story.after(5).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));
    for colour in Colour::BOTH {
        story.world.set_target_health("i-backend-2", colour, TargetHealth::Unhealthy);
    }
    story.after(61).await;
    assert_eq!(story.phase(), "returning", "the next try would find a dead instance");
    story.world.lose_instance("i-backend-2");
    story.world.join_instance("i-backend-3", Colour::Blue);
    story.world.set_alarm(Colour::Green, "a", AlarmState::Ok);
    story.after(20).await;
    assert_eq!(story.ledger().open.unwrap().attempt, 2);
}

#[tokio::test]
async fn a_lost_instance_that_nobody_replaces_is_not_waited_for_for_ever() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    story.world.lose_instance("i-backend-2");
    story.after(5).await;
    story.after(10).await;
    story.after(899).await;
    assert_eq!(story.phase(), "returning");
    story.after(1).await;
    assert_eq!(story.ledger().open.unwrap().attempt, 2);
}

#[tokio::test]
async fn a_service_that_grows_during_a_release_gets_it_once_more_with_the_newcomer() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    story.world.join_instance("i-backend-3", Colour::Blue);
    story.after(301).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 100), "it may still become healthy");
    story.world.expect_faults(&[]);
    story.after(180).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));
    let calls = story.world.ports().calls();
    let first = |name: &str| calls.iter().position(|call| *call == name).unwrap();
    assert!(
        first("write_ledger") < first("delete_release_rule"),
        "who looks meanwhile would find the rule gone and blame somebody's hand: {calls:?}"
    );
    story.after(61).await;
    assert_eq!(story.ledger().open.unwrap().attempt, 2);
    story.release_2_goes_live().await;
}

#[tokio::test]
async fn a_failed_hook_rejects_the_release_with_the_hooks_words() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    story.world.install_newest();
    story.world.fail_target("i-backend-1", "ApplicationStart: start.sh exited with 1: port in use");
    story.tick().await;
    story.tick().await;
    story.is_at_rest();
    let (_, reason) = story.world.told(&upload(2).revision).unwrap();
    insta::assert_snapshot!(reason, @"installation failed on i-backend-1: ApplicationStart: start.sh exited with 1: port in use");
}

#[tokio::test]
async fn installation_ends_at_its_deadline() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    story.after(899).await;
    assert_eq!(story.phase(), "installing");
    story.after(1).await;
    story.tick().await;
    story.is_at_rest();
    assert_eq!(story.world.told(&upload(2).revision).unwrap().0, "rejected");
}

#[tokio::test]
async fn a_newer_push_supersedes_what_has_no_weight_and_waits_for_what_has() {
    let story = Story::with_live("Canary10Percent5Minutes").await;
    story.push(2).await;
    assert_eq!(story.push(3).await, Offer::Supersedes { open: ReleaseNumber(2) });
    story.tick().await;
    assert_eq!(story.ledger().open.unwrap().upload.number, ReleaseNumber(3));
    assert_eq!(
        story.world.told(&upload(2).revision).unwrap(),
        ("superseded".to_owned(), "superseded by 3".to_owned())
    );
    story.install().await;
    story.after(5).await;
    assert_eq!(story.push(4).await, Offer::Waits { open: ReleaseNumber(3) });
    assert_eq!(story.push(5).await, Offer::Waits { open: ReleaseNumber(3) });
    story.tick().await;
    assert_eq!(story.world.told(&upload(4).revision).unwrap().0, "superseded", "only the newest waits");
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 100));
}

#[tokio::test]
async fn an_older_release_never_replaces_a_newer_one_by_itself() {
    let story = Story::with_live("AllAtOnce").await;
    for number in [7, 5] {
        let offer = story.push(number).await;
        match number {
            7 => assert_eq!(offer, Offer::Opens),
            _ => assert_eq!(
                offer,
                Offer::Refused(Refusal::OlderThanOpen { number: ReleaseNumber(5), open: ReleaseNumber(7) })
            ),
        }
    }
    let other_bytes = release::Upload { revision: upload(99).revision, ..upload(7) };
    assert_eq!(
        story.offer(other_bytes).await,
        Offer::Refused(Refusal::NumberUsed { number: ReleaseNumber(7) })
    );
}

#[tokio::test]
async fn a_push_during_the_shift_opens_when_the_release_has_ended() {
    let story = Story::shifting("AllAtOnce").await;
    story.push(3).await;
    story.after(60).await;
    story.codedeploy_agrees().await;
    let ledger = story.ledger();
    assert_eq!(story.live(), Some((2, Colour::Green)));
    assert_eq!(
        ledger.open.map(|open| (open.upload.number, open.colour)),
        Some((ReleaseNumber(3), Colour::Blue))
    );
}

#[tokio::test]
async fn pause_holds_the_weight_and_the_way_back_stays_open() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    assert!(story.say(Command::Pause).await.changed);
    story.after(1000).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 100));
    story.world.set_alarm(Colour::Green, "a", AlarmState::Firing);
    story.tick().await;
    assert_eq!(story.share(Colour::Green), 0);
}

#[tokio::test]
async fn promote_skips_the_steps_and_the_bake() {
    let story = Story::with_live("Linear10PercentEvery1Minute").await;
    assert!(!story.say(Command::Promote).await.changed);
    story.push(2).await;
    story.install().await;
    story.after(5).await;
    assert!(story.say(Command::Promote).await.changed);
    assert_eq!(story.share(Colour::Green), 1000);
    story.tick().await;
    assert_eq!(
        story.phase(),
        "baking",
        "a pass that is late may still be about to create the release's rule"
    );
    story.after(31).await;
    assert_eq!(story.phase(), "promoting");
}

#[tokio::test]
async fn abort_gives_up_in_every_phase_and_means_nothing_when_idle() {
    let story = Story::with_live("AllAtOnce").await;
    assert!(!story.say(Command::Abort).await.changed);
    for (number, go_on) in [(2, 0), (3, 1), (4, 2), (5, 3)] {
        story.push(number).await;
        if go_on > 0 {
            story.install().await;
        }
        if go_on > 1 {
            story.after(5).await;
        }
        if go_on > 2 {
            story.after(60).await;
            assert_eq!(story.phase(), "promoting");
        }
        story.say(Command::Abort).await;
        story.after(61).await;
        story.tick().await;
        story.is_at_rest();
        assert_eq!(story.live(), Some((1, Colour::Blue)));
    }
}

#[tokio::test]
async fn an_abort_that_crosses_codedeploys_success_settles_on_the_live_revision() {
    let story = Story::shifting("AllAtOnce").await;
    story.after(60).await;
    assert_eq!(story.phase(), "promoting");
    story.say(Command::Abort).await;
    // The hooks had heard "succeeded" before the abort; StopDeployment came too late.
    story.world.end_newest(DeploymentStatus::Succeeded);
    story.after(61).await;
    assert_eq!(story.phase(), "settling");
    story.install().await;
    story.codedeploy_agrees().await;
    story.is_at_rest();
    assert_eq!(story.live(), Some((1, Colour::Blue)));
}

#[tokio::test]
async fn rollback_puts_the_previous_colour_back_at_once_and_settles() {
    let story = Story::with_live("AllAtOnce").await;
    assert!(!story.say(Command::Rollback).await.changed);
    story.release(2).await;
    assert!(story.say(Command::Rollback).await.changed);
    assert_eq!(story.share(Colour::Blue), 1000);
    story.after(36).await;
    assert_eq!(story.live(), Some((1, Colour::Blue)));
    assert_eq!(story.phase(), "settling");
    assert!(!story.world.is_deploying(), "green still serves late requests");
    story.after(61).await;
    story.install().await;
    story.codedeploy_agrees().await;
    story.is_at_rest();
}

#[tokio::test]
async fn rollback_to_a_colour_that_is_down_is_a_release_of_its_revision() {
    let story = Story::with_live("Canary10Percent5Minutes").await;
    story.release(2).await;
    story.world.set_health(Colour::Blue, TargetHealth::Unhealthy);
    story.say(Command::Rollback).await;
    let open = story.ledger().open.unwrap();
    assert_eq!((open.upload.number, open.colour), (ReleaseNumber(1), Colour::Blue));
    assert_eq!(open.strategy.to_string(), "AllAtOnce");
    assert_eq!(story.share(Colour::Green), 1000);
}

#[tokio::test]
async fn a_rejected_release_gets_weight_again_only_by_retry() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    story.say(Command::Abort).await;
    story.tick().await;
    story.push(2).await;
    story.is_at_rest();
    assert!(story.say(Command::Retry).await.changed);
    assert_eq!(story.ledger().open.unwrap().upload.number, ReleaseNumber(2));
}

#[tokio::test]
async fn a_strategy_that_does_not_fit_a_hook_is_refused_when_the_release_opens() {
    let mut story = Story::with_live("AllAtOnce").await;
    story.policy.strategy = "Linear10PercentEvery10Minutes".parse().unwrap();
    story.push(2).await;
    story.tick().await;
    story.is_at_rest();
    let (verdict, reason) = story.world.told(&upload(2).revision).unwrap();
    assert_eq!(verdict, "rejected");
    assert!(reason.contains("choose a shorter strategy"), "{reason}");
}

/// 15 minutes to install, 3 for a proof, and one to bake leave 40 of the 59 that a hook waits.
#[tokio::test]
async fn a_strategy_that_just_fits_a_hook_is_taken() {
    for (strategy, phase) in [("canary:10%:40m", "installing"), ("canary:10%:2401s", "idle")] {
        let mut story = Story::with_live("AllAtOnce").await;
        story.policy.strategy = strategy.parse().unwrap();
        story.push(2).await;
        assert_eq!(story.phase(), phase, "{strategy}");
    }
}

#[tokio::test]
async fn a_rule_deleted_by_another_hand_is_the_way_back() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    story.world.world.delete_release_rule_by_hand(&story.world.service);
    story.after(5).await;
    story.after(10).await;
    assert_eq!(story.phase(), "returning");
    story.after(61).await;
    story.is_at_rest();
}

#[tokio::test]
async fn an_unexplained_share_above_the_decided_one_is_lowered() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    story.world.drift(Weights::share(Colour::Green, 70));
    story.tick().await;
    assert_eq!(story.share(Colour::Green), 100);
}

#[tokio::test]
async fn the_drain_passes_before_a_colour_that_had_weight_may_go_down() {
    let story = Story::shifting("AllAtOnce").await;
    story.say(Command::Abort).await;
    story.pass(59 * SECOND);
    story.tick().await;
    assert_eq!(story.phase(), "returning");
    story.after(1).await;
    story.is_at_rest();
}
