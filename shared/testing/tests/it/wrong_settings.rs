//! A setting that is wrong opens no release, and keeps nothing from coming back.

use super::story::{Story, says};
use release::{AlarmState, Colour, Command, Policy, TargetHealth};

/// The service's functions start anew, with a wrong setting or with none.
fn deployed(story: &mut Story, is_sound: bool) {
    story.policy = Policy { is_sound, ..story.policy };
}

#[tokio::test]
async fn a_release_waits_until_the_settings_are_right_and_then_opens_by_itself() {
    let mut story = Story::with_live("AllAtOnce").await;
    deployed(&mut story, false);
    story.push(2).await;
    for _ in 0..5 {
        assert!(says(&story.after(60).await, "wrong_settings"));
    }
    assert_eq!((story.phase(), story.live()), ("idle", Some((1, Colour::Blue))));
    let needs = "[shop] backend needs an operator: a setting is wrong, and no release opens";
    let announced = story.world.world.announced();
    assert_eq!(announced.iter().filter(|told| told.subject("shop") == needs).count(), 1);
    deployed(&mut story, true);
    story.after(60).await;
    story.release_2_goes_live().await;
}

#[tokio::test]
async fn the_first_release_of_a_service_waits_too() {
    let mut story = Story::new("AllAtOnce");
    deployed(&mut story, false);
    story.push(1).await;
    assert!(says(&story.after(60).await, "wrong_settings"));
    assert_eq!(story.phase(), "idle");
}

#[tokio::test]
async fn an_open_release_whose_alarm_fires_is_taken_back() {
    let mut story = Story::shifting("Canary10Percent5Minutes").await;
    deployed(&mut story, false);
    story.world.set_alarm(Colour::Green, "a", AlarmState::Firing);
    story.tick().await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));
}

#[tokio::test]
async fn an_open_release_goes_on_by_what_it_was_opened_with() {
    let mut story = Story::shifting("Canary10Percent5Minutes").await;
    deployed(&mut story, false);
    story.policy.strategy = release::Strategy::AllAtOnce;
    story.after(60).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 100));
    story.release_2_goes_live().await;
}

#[tokio::test]
async fn a_rollback_works() {
    let mut story = Story::with_two().await;
    deployed(&mut story, false);
    story.push(3).await;
    story.say(Command::Rollback).await;
    assert_eq!(story.share(Colour::Blue), 1000, "{}", story.phase());
}

#[tokio::test]
async fn a_sick_instance_is_replaced_while_a_release_waits() {
    let mut story = Story::with_two().await;
    deployed(&mut story, false);
    story.push(3).await;
    story.world.set_target_health("i-backend-1", Colour::Green, TargetHealth::Unhealthy);
    story.minutes(8).await;
    assert_eq!(story.world.world.replaced(&story.world.service).len(), 1);
    assert!(story.ledger().pending.is_some());
}
