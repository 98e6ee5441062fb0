//! Deployments that are not the release's own, and those that CodeDeploy refuses or does not list yet.

use super::story::{MINUTE, Story, upload};
use greenlight::failure::Class;
use release::{Colour, Command, Creator, DeploymentId, DeploymentStatus, Reason, TargetStatus};
use testing::{At, FaultAt, Kind, Listed};

fn somebody_elses(story: &Story) -> DeploymentId {
    let creator = Creator::Service("autoscaling".to_owned());
    story.world.world.add_deployment(&story.world.service, creator, None, upload(1).revision)
}

fn ends(story: &Story, id: &DeploymentId) {
    let (status, target) = (DeploymentStatus::Succeeded, TargetStatus::Succeeded);
    story.world.world.end(&story.world.service, id, status, &target);
}

#[tokio::test]
async fn a_release_waits_for_somebody_elses_deployment_and_says_whose() {
    let story = Story::with_live("AllAtOnce").await;
    let theirs = somebody_elses(&story);
    story.push(2).await;
    story.minutes(30).await;
    let looked = story.after(MINUTE).await;
    let waiting = looked.passes.iter().flat_map(|pass| &pass.plan.reasons).find_map(|reason| match reason {
        Reason::WaitsForInstallation { waiting } => Some(waiting.clone()),
        _ => None,
    });
    assert_eq!(waiting, Some(format!("deployment {theirs}, created by autoscaling, to end")));
    assert_eq!(
        story.world.world.active_deployment(&story.world.service).unwrap().id,
        theirs,
        "it is not ours to stop"
    );
    ends(&story, &theirs);
    story.tick().await;
    story.after(14 * MINUTE).await;
    assert_eq!(story.phase(), "installing", "the time of the installation counts from here");
    story.world.set_alarm(Colour::Green, "backend-green-errors", release::AlarmState::NoData);
    story.install().await;
    story.after(5).await;
    assert_eq!(story.phase(), "baking", "that of its first raise too");
    story.world.set_alarm(Colour::Green, "backend-green-errors", release::AlarmState::Ok);
    story.release_2_goes_live().await;
}

#[tokio::test]
async fn somebody_elses_deployment_that_never_ends_ends_the_release_without_blame() {
    let story = Story::with_live("AllAtOnce").await;
    let theirs = somebody_elses(&story);
    story.push(2).await;
    story.minutes(58).await;
    assert_eq!(story.phase(), "installing");
    story.minutes(3).await;
    assert_eq!(story.ledger().open.unwrap().attempt, 2, "the bundle is not to blame");
    story.minutes(62).await;
    let (verdict, reason) = story.world.told(&upload(2).revision).unwrap();
    assert!(verdict == "rejected" && reason.contains(&theirs.0), "{verdict} {reason}");
    ends(&story, &theirs);
    story.say(Command::Retry).await;
    story.release_2_goes_live().await;
}

#[tokio::test]
async fn settling_waits_for_somebody_elses_deployment_too() {
    let story = Story::with_two().await;
    story.say(Command::Rollback).await;
    story.after(37).await;
    assert_eq!(story.phase(), "settling");
    let theirs = somebody_elses(&story);
    story.minutes(40).await;
    assert_eq!(story.phase(), "settling");
    ends(&story, &theirs);
    story.tick().await;
    story.install().await;
    story.codedeploy_agrees().await;
    story.is_at_rest();
}

#[tokio::test]
async fn a_deployment_that_a_late_pass_left_is_stopped() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    let description = story.world.newest().unwrap().0;
    story.say(Command::Abort).await;
    story.after(61).await;
    story.is_at_rest();
    let revision = upload(2).revision;
    let left = story.world.world.add_deployment(&story.world.service, Creator::User, description, revision);
    story.push(3).await;
    story.after(5).await;
    story.after(5).await;
    let open = story.ledger().open.unwrap();
    assert!(open.deployment.is_some_and(|ours| ours != left));
    assert_eq!((open.upload.number.0, story.world.is_deploying()), (3, true));
}

#[tokio::test]
async fn a_deployment_that_codedeploy_refuses_is_asked_for_once() {
    let story = Story::with_live("AllAtOnce").await;
    story.refuses(&["create_deployment"], Class::Permanent);
    story.push(2).await;
    story.minutes(2).await;
    assert_eq!(story.phase(), "idle");
    let asked = story.world.ports().calls().iter().filter(|call| **call == "create_deployment").count();
    assert_eq!(asked, 1);
    let (_, reason) = story.world.told(&upload(2).revision).unwrap();
    assert!(reason.starts_with("CodeDeploy refused the deployment"), "{reason}");
}

#[tokio::test]
async fn a_deployment_that_codedeploy_never_opened_does_not_condemn_the_bundle() {
    let story = Story::with_live("AllAtOnce").await;
    story.refuses(&["create_deployment"], Class::Transient);
    story.push(2).await;
    story.minutes(16).await;
    assert_eq!(story.ledger().open.map(|open| open.attempt), Some(2));
    story.world.expect_faults(&[]);
    story.tick().await;
    story.release_2_goes_live().await;
}

#[tokio::test]
async fn a_release_that_ends_looks_for_its_deployment_before_it_says_there_is_none() {
    let story = Story::with_live("AllAtOnce").await;
    let lost = FaultAt { at: At::NthOf("create_deployment", 1), kind: Kind::After(Class::OutcomeUnknown) };
    story.world.expect_faults(&[lost]);
    story.push(2).await;
    assert_eq!(story.ledger().open.unwrap().deployment, None);
    let id = story.world.world.active_deployment(&story.world.service).unwrap().id;
    // The list lags: it does not show the deployment yet.
    story.world.world.list_deployment(&id, Listed::Nowhere);
    story.say(Command::Abort).await;
    story.after(5).await;
    assert_eq!(story.phase(), "returning");
    story.world.world.list_deployment(&id, Listed::Everywhere);
    story.after(5).await;
    story.after(5).await;
    assert!(!story.world.is_deploying());
    story.is_at_rest();
}

#[tokio::test]
async fn a_deployment_that_its_list_leaves_out_is_known_by_being_the_active_one() {
    let story = Story::with_live("AllAtOnce").await;
    let lost = FaultAt { at: At::NthOf("create_deployment", 1), kind: Kind::After(Class::OutcomeUnknown) };
    story.world.expect_faults(&[lost]);
    story.push(2).await;
    let id = story.world.world.active_deployment(&story.world.service).unwrap().id;
    story.world.world.list_deployment(&id, Listed::AsActive);
    story.after(5).await;
    assert_eq!(story.ledger().open.unwrap().deployment, Some(id));
    story.release_2_goes_live().await;
}

#[tokio::test]
async fn a_release_that_is_taken_back_asks_for_no_rule() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    // As a version left it that installed without a rule.
    let mut ledger = story.ledger();
    ledger.open.as_mut().unwrap().rule = None;
    story.world.world.put_ledger(&ledger);
    story.world.world.delete_release_rule_by_hand(&story.world.service);
    story.world.expect_faults(&[]);
    story.world.install_newest();
    story.world.fail_target("i-backend-1", "ApplicationStart: exited with 1");
    story.tick().await;
    assert!(!story.world.ports().calls().contains(&"create_release_rule"));
    assert_eq!(story.world.rules().release, None);
    assert_eq!(story.share(Colour::Blue), 1000);
}
