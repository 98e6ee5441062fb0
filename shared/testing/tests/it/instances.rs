//! Instances that die, join, or are missing from one answer: what the bundle is not to blame for.

use super::story::{MINUTE, Story, says, upload};
use release::{AlarmState, Colour, DeploymentStatus, Purpose, ReleaseNumber, TargetHealth, Verdict};

fn attempt(story: &Story) -> Option<u32> {
    story.ledger().open.map(|open| open.attempt)
}

fn last_verdict(story: &Story) -> Verdict {
    let releases = story.ledger().releases;
    releases.into_iter().rev().find(|past| past.purpose == Purpose::Release).unwrap().verdict
}

#[tokio::test]
async fn one_incomplete_list_of_targets_takes_no_release_back() {
    let story = Story::shifting("AllAtOnce").await;
    for _ in 0..3 {
        story.world.lose_instance("i-backend-2");
        assert!(says(&story.after(5).await, "missing"));
        for colour in Colour::BOTH {
            story.world.set_target_health("i-backend-2", colour, TargetHealth::Healthy);
        }
        story.after(5).await;
    }
    assert_eq!((story.phase(), story.share(Colour::Green)), ("baking", 1000));
    assert_eq!(story.ledger().open.unwrap().missing_since, None);
}

#[tokio::test]
async fn one_incomplete_list_of_targets_ends_no_installation() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    story.tick().await;
    story.world.lose_instance("i-backend-2");
    story.after(5).await;
    assert_eq!((story.phase(), attempt(&story)), ("installing", Some(1)));
    story.after(10).await;
    story.after(5).await;
    assert_eq!((story.phase(), attempt(&story)), ("installing", Some(2)), "with who is left");
}

#[tokio::test]
async fn a_deployment_that_one_answer_does_not_know_goes_on() {
    let story = Story::shifting("AllAtOnce").await;
    let known = story.ledger();
    let mut forgotten = known.clone();
    forgotten.open.as_mut().unwrap().deployment = Some(release::DeploymentId("d-UNKNOWN".to_owned()));
    story.world.world.put_ledger(&forgotten);
    assert!(says(&story.after(5).await, "missing"));
    assert_eq!(story.share(Colour::Green), 1000);
    story.after(10).await;
    assert_eq!(story.share(Colour::Green), 0, "it is gone for good");
}

#[tokio::test]
async fn an_instance_that_dies_after_its_hook_heard_succeeded_does_not_condemn_the_bundle() {
    let story = Story::shifting("AllAtOnce").await;
    story.after(MINUTE).await;
    assert_eq!(story.phase(), "promoting");
    story.world.lose_instance("i-backend-2");
    story.world.fail_target("i-backend-2", "failed without a failed event: the instance may have gone away");
    story.world.world.hooks_heard_succeeded(&story.world.service);
    story.tick().await;
    story.world.join_instance("i-backend-3", Colour::Blue);
    story.after(MINUTE).await;
    assert_eq!(attempt(&story), Some(2));
    story.release_2_goes_live().await;
}

#[tokio::test]
async fn a_failed_instance_that_is_still_there_is_the_bundles_fault() {
    let story = Story::shifting("AllAtOnce").await;
    story.after(MINUTE).await;
    story.world.fail_target("i-backend-2", "ValidateService: exited with 1");
    story.world.world.hooks_heard_succeeded(&story.world.service);
    story.tick().await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));
    story.after(MINUTE).await;
    assert!(matches!(last_verdict(&story), Verdict::Rejected { .. }));
    assert_eq!(story.live(), Some((1, Colour::Blue)));
    // CodeDeploy has called it a success, so the live revision is deployed once more.
    assert_eq!(story.phase(), "settling");
    story.install().await;
    story.codedeploy_agrees().await;
    story.is_at_rest();
}

#[tokio::test]
async fn an_empty_group_is_told_as_such_and_the_release_waits_for_an_instance() {
    let story = Story::with_live("AllAtOnce").await;
    for instance in ["i-backend-1", "i-backend-2"] {
        story.world.lose_instance(instance);
    }
    story.push(2).await;
    // CodeDeploy ends a deployment to a group without instances at once.
    story.world.end_newest(DeploymentStatus::Succeeded);
    story.minutes(10).await;
    assert_eq!((story.phase(), attempt(&story)), ("returning", Some(1)));
    story.world.join_instance("i-backend-3", Colour::Blue);
    story.after(MINUTE).await;
    assert_eq!(attempt(&story), Some(2));
    story.release_2_goes_live().await;
}

#[tokio::test]
async fn an_empty_group_that_stays_empty_ends_the_release_with_the_reason() {
    let story = Story::with_live("AllAtOnce").await;
    for instance in ["i-backend-1", "i-backend-2"] {
        story.world.lose_instance(instance);
    }
    story.push(2).await;
    for _ in 0..2 {
        story.world.end_newest(DeploymentStatus::Succeeded);
        story.after(5).await;
        story.minutes(16).await;
    }
    let (_, reason) = story.world.told(&upload(2).revision).unwrap();
    insta::assert_snapshot!(reason, @"the deployment group has no instances - so nothing was installed: start one - then retry");
}

#[tokio::test]
async fn a_first_release_to_an_empty_group_ends_and_each_plan_says_why() {
    let story = Story::new("AllAtOnce");
    story.world.set_health(Colour::Blue, TargetHealth::Unhealthy);
    for instance in ["i-backend-1", "i-backend-2"] {
        story.world.lose_instance(instance);
    }
    story.push(1).await;
    for _ in 0..2 {
        story.world.end_newest(DeploymentStatus::Succeeded);
        story.minutes(2).await;
    }
    let looked = story.after(MINUTE).await;
    assert_eq!((story.phase(), story.ledger().unsettled), ("idle", false), "there is nothing to settle on");
    assert!(looked.passes.iter().all(|pass| !pass.plan.reasons.is_empty()));
}

#[tokio::test]
async fn a_service_that_grows_and_grows_keeps_its_good_release() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    for newcomer in 3..=6 {
        story.world.join_instance(&format!("i-backend-{newcomer}"), Colour::Blue);
        story.minutes(9).await;
        assert_eq!(
            story.share(Colour::Green),
            0,
            "with less capacity than the live colour nothing is raised"
        );
        story.minutes(2).await;
        assert_eq!(attempt(&story), Some(newcomer - 1));
        story.install().await;
        story.after(5).await;
        assert_eq!(story.share(Colour::Green), 100);
    }
    story.minutes(6).await;
    assert_eq!(story.phase(), "promoting");
    story.codedeploy_agrees().await;
    assert_eq!(story.live(), Some((2, Colour::Green)));
}

#[tokio::test]
async fn a_raise_that_stays_unproven_for_another_reason_uses_its_attempts_up() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    for tries in 1..=2 {
        story.world.set_target_health("i-backend-2", Colour::Green, TargetHealth::Unproven);
        story.world.join_instance(&format!("i-backend-{}", 2 + tries), Colour::Blue);
        story.minutes(11).await;
        if tries == 1 {
            assert_eq!(attempt(&story), Some(2));
            story.install().await;
            story.after(5).await;
        }
    }
    assert!(matches!(last_verdict(&story), Verdict::Rejected { .. }), "{}", story.phase());
}

#[tokio::test]
async fn installed_is_not_healthy() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    story.world.install_newest();
    story.world.set_target_health("i-backend-2", Colour::Green, TargetHealth::Unproven);
    story.minutes(2).await;
    assert_eq!(story.phase(), "installing");
    story.world.set_target_health("i-backend-2", Colour::Green, TargetHealth::Healthy);
    story.tick().await;
    assert_eq!(story.phase(), "baking");
}

#[tokio::test]
async fn a_deployment_with_a_failed_instance_gets_no_more_weight() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    story.world.fail_target("i-backend-2", "ValidateService: exited with 1");
    story.minutes(6).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 100));
    story.minutes(4).await;
    assert_eq!(story.share(Colour::Green), 0);
}

#[tokio::test]
async fn health_that_flaps_does_not_add_up() {
    let story = Story::shifting("canary:10%:10m").await;
    for _ in 0..10 {
        story.world.set_target_health("i-backend-2", Colour::Green, TargetHealth::Unhealthy);
        story.after(25).await;
        story.world.set_target_health("i-backend-2", Colour::Green, TargetHealth::Healthy);
        story.after(10).await;
    }
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 100));
}

#[tokio::test]
async fn an_instance_that_died_just_now_explains_the_alarm_whoever_else_is_ill() {
    let story = Story::with_two().await;
    for colour in Colour::BOTH {
        story.world.set_target_health("i-backend-3", colour, TargetHealth::Healthy);
        story.world.set_target_health("i-backend-1", colour, TargetHealth::Unhealthy);
    }
    story.minutes(4).await;
    for colour in Colour::BOTH {
        story.world.set_target_health("i-backend-2", colour, TargetHealth::Unhealthy);
    }
    story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Firing);
    assert!(says(&story.after(5).await, "may_be_the_instance"));
    story.minutes(2).await;
    assert_eq!(story.share(Colour::Blue), 0);
    story.minutes(1).await;
    assert_eq!(story.share(Colour::Blue), 1000, "its death explains no alarm that goes on");
    assert_eq!(story.ledger().open.unwrap().upload.number, ReleaseNumber(1));
}
