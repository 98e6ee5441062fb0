//! What a drill has replaced is installed again, and left running.

use super::drills::{ALARM, asks, at_rest, drilling};
use super::story::{Story, says, upload};
use greenlight::failure::Class;
use release::{
    AlarmState, Answer, Asker, Colour, Command, CommandAnswer, DeploymentId, DeploymentStatus, InstanceId,
    LifecycleEvent, Offer, Purpose, Question, Reinstalled, TargetHealth, Verdict, accept_freeze, answer,
};
use std::time::Duration;

/// The same colour, after the drill's hooks have taken it down; its reinstallation is open.
async fn drilled() -> Story {
    let story = drilling().await;
    story.after(2).await;
    story.world.set_health(Colour::Green, TargetHealth::Unhealthy);
    let open = story.ledger().open.unwrap();
    assert_eq!((open.purpose, open.upload, open.colour), (Purpose::Reinstall, upload(2), Colour::Green));
    story
}

/// The same when every instance is healthy, and the hooks hear that they leave it running.
async fn leaving() -> Story {
    let story = drilled().await;
    story.install().await;
    assert_eq!(story.phase(), "leaving");
    story
}

/// Where a reinstallation is open it goes well.
pub(crate) async fn comes_back(story: &Story) {
    if story.ledger().open.is_none_or(|open| open.purpose != Purpose::Reinstall) {
        return;
    }
    story.install().await;
    hooks_end(story).await;
    story.after(21).await;
}

/// Every hook has ended with 1, and CodeDeploy calls that failed.
async fn hooks_end(story: &Story) {
    story.world.end_newest(DeploymentStatus::Failed);
    story.after(5).await;
}

fn last(story: &Story) -> Reinstalled {
    *story.ledger().reinstalled.unwrap()
}

fn why_not(story: &Story) -> String {
    last(story).why_not.unwrap_or_default()
}

fn is_overwritten(story: &Story) -> bool {
    story.ledger().previous.unwrap().overwritten
}

/// What a hook of this deployment hears now.
fn hears(story: &Story, id: &DeploymentId, event: LifecycleEvent) -> Answer {
    let ledger = story.ledger();
    let question = Question {
        service: None,
        deployment_id: id.clone(),
        deployment_group_id: String::new(),
        lifecycle_event: event,
        instance_id: InstanceId("i-backend-1".to_owned()),
    };
    let asker = Asker::in_ledger(&ledger, id).unwrap();
    answer(&ledger, &story.policy, story.now(), &question, &asker, None)
}

fn deployment(story: &Story) -> DeploymentId {
    story.ledger().open.unwrap().deployment.unwrap()
}

/// Said by an operator, who has to hear that it is begun, and how.
async fn rolls_back(story: &Story) -> CommandAnswer {
    let answer = story.say(Command::Rollback).await;
    assert!(answer.changed, "{}", answer.says);
    answer
}

#[tokio::test]
async fn after_a_drill_a_rollback_takes_seconds_as_before_it() {
    let story = drilled().await;
    let before = story.world.world.weight_changes(&story.world.service).len();
    assert!(is_overwritten(&story));
    story.install().await;
    assert!(is_overwritten(&story), "nothing is believed before it was seen");
    hooks_end(&story).await;
    assert!(is_overwritten(&story), "an older kit may have taken it down a moment ago");
    assert_eq!(story.phase(), "leaving");
    story.after(21).await;
    story.is_at_rest();
    assert!(!is_overwritten(&story));
    assert_eq!(
        last(&story).to_string(),
        "release 2 stands by again: a rollback to it takes seconds, while it has as many healthy instances as the live one",
        "what new instances boot is the live release all the same"
    );
    assert_eq!(story.world.world.weight_changes(&story.world.service).len(), before, "no traffic moved");
    assert!(story.ledger().releases.iter().all(|past| past.purpose != Purpose::Reinstall));
    assert!(story.world.world.announced().iter().all(|told| told.kind() != "needs-operator"));
    story.world.set_alarm(Colour::Green, ALARM, AlarmState::Ok);
    rolls_back(&story).await;
    let open = story.ledger().open.unwrap();
    assert_eq!((open.purpose, open.upload, open.phase.word()), (Purpose::Rollback, upload(2), "baking"));
    story.after(5).await;
    assert_eq!(story.share(Colour::Green), 1000);
}

#[tokio::test]
async fn every_hook_hears_the_same_and_one_that_asks_late_too() {
    let story = drilled().await;
    story.tick().await;
    let id = deployment(&story);
    let leaves = Answer::Failed {
        reason: "release 2 stands by again and is left running; its deployment ends as failed on purpose, so that new instances boot the live release".to_owned(),
        leave_running: true,
    };
    let migrates = hears(&story, &id, LifecycleEvent::ApplicationStart);
    assert_eq!(migrates, Answer::Migrate { migrate: false }, "it ran before");
    let installs = hears(&story, &id, LifecycleEvent::BeforeInstall);
    assert!(matches!(installs, Answer::Install { colour: Colour::Green, release: 2, .. }), "{installs:?}");
    let waits = hears(&story, &id, LifecycleEvent::ValidateService);
    assert!(matches!(waits, Answer::Wait { weight: 0, phase: "installing", .. }), "{waits:?}");
    story.install().await;
    assert_eq!(hears(&story, &id, LifecycleEvent::ValidateService), leaves);
    assert_eq!(
        serde_json::to_value(&leaves).unwrap()["leaveRunning"],
        serde_json::json!(true),
        "docs/hook-protocol.md names it so"
    );
    story.tick().await;
    assert!(story.world.is_deploying(), "a hook that is ended takes its colour down: nobody stops it");
    hooks_end(&story).await;
    assert_eq!(hears(&story, &id, LifecycleEvent::ValidateService), leaves);
    story.refuses(&["delete_release_rule"], Class::Transient);
    story.after(21).await;
    assert_eq!(
        (story.phase(), hears(&story, &id, LifecycleEvent::ValidateService)),
        ("returning", leaves.clone())
    );
    story.world.expect_faults(&[]);
    story.after(5).await;
    assert_eq!((story.phase(), hears(&story, &id, LifecycleEvent::ValidateService)), ("idle", leaves));
}

/// Its kit does not know that it is to leave the version running.
#[tokio::test]
async fn an_older_kit_takes_it_down_and_then_nobody_believes_that_it_runs() {
    let story = leaving().await;
    let id = deployment(&story);
    hooks_end(&story).await;
    story.world.set_health(Colour::Green, TargetHealth::Unhealthy);
    story.after(21).await;
    story.is_at_rest();
    assert!(is_overwritten(&story) && why_not(&story).contains("not healthy on green"), "{}", last(&story));
    let late = hears(&story, &id, LifecycleEvent::ValidateService);
    assert!(matches!(late, Answer::Failed { leave_running: false, .. }), "{late:?}");
    rolls_back(&story).await;
    let open = story.ledger().open.unwrap();
    assert_eq!((open.purpose, open.phase.word()), (Purpose::Release, "installing"));
}

#[tokio::test]
async fn what_did_not_stand_by_before_a_drill_is_not_installed_after_it() {
    for overwritten in [true, false] {
        let story = at_rest().await;
        if overwritten {
            let mut ledger = story.ledger();
            ledger.previous.as_mut().unwrap().overwritten = true;
            story.world.world.put_ledger(&ledger);
        } else {
            story.world.set_target_health("i-backend-2", Colour::Green, TargetHealth::Unhealthy);
        }
        asks(&story).await;
        story.install().await;
        story.after(5).await;
        story.after(2).await;
        story.is_at_rest();
        assert!(is_overwritten(&story) && story.ledger().drilled.is_some(), "{overwritten}");
    }
}

#[tokio::test]
async fn a_bundle_takes_its_place_at_once() {
    for installed in [false, true] {
        let story = if installed { leaving().await } else { drilled().await };
        assert!(matches!(story.push(4).await, Offer::Supersedes { .. }));
        story.after(5).await;
        assert_eq!(story.ledger().open.unwrap().upload, upload(4));
        assert_eq!((why_not(&story).as_str(), is_overwritten(&story)), ("superseded by 4", true));
    }
}

/// Nothing makes the previous version ready sooner than what installs it already.
#[tokio::test]
async fn a_rollback_waits_for_it_and_then_takes_seconds() {
    for installed in [false, true] {
        let story = if installed { leaving().await } else { drilled().await };
        let says = rolls_back(&story).await.says;
        assert!(says.contains("at once if it stands by on green by then"), "{says}");
        let bundle = story.push(4).await;
        assert!(matches!(bundle, Offer::Waits { .. }), "a bundle takes no way back away: {bundle:?}");
        assert_eq!(story.ledger().open.unwrap().purpose, Purpose::Reinstall);
        comes_back(&story).await;
        let open = story.ledger().open.unwrap();
        assert_eq!((open.purpose, open.upload, open.phase.word()), (Purpose::Rollback, upload(2), "baking"));
    }
}

#[tokio::test]
async fn an_abort_gives_it_up_and_a_rollback_that_waits_installs() {
    for rollback in [false, true] {
        let story = leaving().await;
        if rollback {
            rolls_back(&story).await;
        }
        assert!(story.say(Command::Abort).await.changed);
        story.after(5).await;
        assert_eq!((why_not(&story).as_str(), is_overwritten(&story)), ("aborted by an operator", true));
        let open = story.ledger().open.map(|open| (open.purpose, open.phase.word()));
        assert_eq!(open, rollback.then_some((Purpose::Release, "installing")));
    }
}

#[tokio::test]
async fn one_that_cannot_be_installed_is_tried_once_and_calls_nobody() {
    let story = drilled().await;
    story.world.fail_target("i-backend-1", "ApplicationStart: no space left on device");
    story.tick().await;
    story.minutes(5).await;
    story.is_at_rest();
    assert!(is_overwritten(&story) && why_not(&story).contains("no space left"), "{}", last(&story));
    assert!(story.world.world.announced().iter().all(|told| told.kind() != "needs-operator"));
}

/// The agent ends the hooks of a deployment that is stopped, and they take their colour down.
#[tokio::test]
async fn hooks_that_do_not_end_in_time_are_ended_and_not_believed() {
    let story = leaving().await;
    story.after(179).await;
    assert_eq!(story.phase(), "leaving");
    story.after(2).await;
    story.after(5).await;
    story.is_at_rest();
    assert!(is_overwritten(&story) && why_not(&story).contains("did not end in time"), "{}", last(&story));
}

#[tokio::test]
async fn what_nobody_can_read_proves_nothing() {
    for unread in ["target_health", "deployment"] {
        let story = leaving().await;
        story.refuses(&[unread], Class::Transient);
        story.world.end_newest(DeploymentStatus::Failed);
        for _ in 0..5 {
            story.after(60).await;
        }
        assert!(is_overwritten(&story), "{unread}");
        story.world.expect_faults(&[]);
        story.minutes(2).await;
        story.is_at_rest();
        assert!(is_overwritten(&story) && why_not(&story).contains("in time"), "{unread}: {}", last(&story));
    }
}

#[tokio::test]
async fn no_pause_no_freeze_and_no_alarm_of_its_colour_holds_it_up() {
    let story = drilled().await;
    let (now, until) = (story.now(), story.now().checked_add(Duration::from_secs(3600)).unwrap());
    story.say(Command::Pause).await;
    story.try_amend(|ledger| accept_freeze(&ledger, until, "holidays", now)).await.unwrap();
    story.world.set_alarm(Colour::Green, ALARM, AlarmState::Firing);
    let again = asks(&story).await;
    assert!(!again.changed, "{}", again.says);
    comes_back(&story).await;
    story.is_at_rest();
    assert!(!is_overwritten(&story));
}

/// As long as it is open nothing is healed.
#[tokio::test]
async fn it_waits_for_a_live_colour_that_is_well_and_no_release_waits_for_it() {
    let story = drilling().await;
    story.world.set_target_health("i-backend-1", Colour::Blue, TargetHealth::Unhealthy);
    story.after(2).await;
    let waits = story.tick().await;
    assert!(story.phase() == "idle" && says(&waits, "waits_to_reinstall"));
    let drill = asks(&story).await;
    assert!(drill.refused && drill.says.contains("release 2 is to be installed again"), "{}", drill.says);
    story.world.set_target_health("i-backend-1", Colour::Blue, TargetHealth::Healthy);
    story.tick().await;
    assert_eq!(story.ledger().open.unwrap().purpose, Purpose::Reinstall);
    let story = drilling().await;
    story.world.set_target_health("i-backend-1", Colour::Blue, TargetHealth::Unhealthy);
    story.after(2).await;
    story.push(4).await;
    assert_eq!(story.ledger().open.unwrap().upload, upload(4));
    let previous = story.ledger().previous.unwrap();
    assert!(previous.overwritten && !previous.comes_back);
}

/// New instances would boot it: that is set right like any other.
/// Nothing is healed while it is open, and what it is for can wait.
#[tokio::test]
async fn a_live_colour_that_falls_ill_while_it_is_installed_ends_it() {
    let story = drilled().await;
    story.world.set_target_health("i-backend-1", Colour::Blue, TargetHealth::Unproven);
    story.after(5).await;
    assert_eq!(story.phase(), "installing", "nothing is known of it");
    story.world.set_target_health("i-backend-1", Colour::Blue, TargetHealth::Unhealthy);
    story.after(5).await;
    let says = "it does not stand by: i-backend-1 of blue has become unhealthy, which has the traffic and is healed first";
    assert_eq!((story.phase(), why_not(&story).as_str()), ("idle", says));
}

#[tokio::test]
async fn how_long_an_instance_was_ill_before_it_counts_for_nothing_after_it() {
    let story = drilling().await;
    story.world.set_target_health("i-backend-1", Colour::Blue, TargetHealth::Unhealthy);
    story.after(2).await;
    let mut ledger = story.ledger();
    let ailing = serde_json::json!({ "instance": "i-backend-1", "since": story.now() });
    ledger.ailing = Some(serde_json::from_value(ailing).unwrap());
    story.world.world.put_ledger(&ledger);
    story.world.set_target_health("i-backend-1", Colour::Blue, TargetHealth::Healthy);
    story.tick().await;
    let ledger = story.ledger();
    assert_eq!((ledger.open.map(|open| open.purpose), ledger.ailing), (Some(Purpose::Reinstall), None));
}

#[tokio::test]
async fn one_that_succeeds_all_the_same_is_settled() {
    let story = leaving().await;
    story.world.end_newest(DeploymentStatus::Succeeded);
    story.after(5).await;
    story.after(5).await;
    assert_eq!(story.ledger().open.unwrap().purpose, Purpose::Settle);
    story.install().await;
    story.codedeploy_agrees().await;
    story.is_at_rest();
    assert_eq!(story.ledger().previous, None, "settling has replaced it");
    assert!(matches!(story.ledger().releases.last().unwrap().verdict, Verdict::Live));
}

#[tokio::test]
async fn an_instance_that_goes_takes_the_others_nothing() {
    for is_listed in [false, true] {
        let story = leaving().await;
        if is_listed {
            for colour in Colour::BOTH {
                story.world.set_target_health("i-backend-2", colour, TargetHealth::Gone);
            }
        } else {
            story.world.lose_instance("i-backend-2");
        }
        story.world.join_instance("i-backend-3", Colour::Blue);
        hooks_end(&story).await;
        story.after(21).await;
        story.is_at_rest();
        assert!(!is_overwritten(&story), "{}", last(&story));
        rolls_back(&story).await;
        let open = story.ledger().open.unwrap();
        assert_eq!(
            open.purpose,
            Purpose::Release,
            "two carry the traffic, and one stands by: it is installed"
        );
    }
}

#[tokio::test]
async fn the_next_drill_and_its_reinstallation_have_attempts_of_their_own() {
    let story = drilled().await;
    let first = story.ledger().open.unwrap().attempt;
    comes_back(&story).await;
    story.world.set_alarm(Colour::Green, ALARM, AlarmState::Ok);
    story.after(60).await;
    asks(&story).await;
    story.install().await;
    story.after(5).await;
    story.after(2).await;
    let open = story.ledger().open.unwrap();
    assert_eq!((open.purpose, open.attempt), (Purpose::Reinstall, first + 1));
}
