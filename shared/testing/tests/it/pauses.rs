//! A pause holds the raises of a release, and nothing else.

use super::story::{MINUTE, Story, upload};
use release::{AlarmState, Colour, Command, ReleaseNumber};

#[tokio::test]
async fn a_pause_that_somebody_forgot_delays_no_rollback() {
    for by_alarm in [true, false] {
        let story = Story::with_two().await;
        story.say(Command::Pause).await;
        if by_alarm {
            story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Firing);
            story.tick().await;
        } else {
            story.say(Command::Rollback).await;
        }
        assert_eq!(story.share(Colour::Blue), 1000, "by alarm: {by_alarm}");
        story.after(37).await;
        assert_eq!(story.live(), Some((1, Colour::Blue)));
        story.after(MINUTE).await;
        story.install().await;
        story.codedeploy_agrees().await;
        story.is_at_rest();
    }
}

#[tokio::test]
async fn a_rollback_that_has_to_install_is_not_paused_either() {
    let story = Story::with_two().await;
    story.world.set_health(Colour::Blue, release::TargetHealth::Unhealthy);
    story.say(Command::Pause).await;
    story.say(Command::Rollback).await;
    story.install().await;
    story.after(5).await;
    assert_eq!(story.share(Colour::Blue), 1000);
    story.after(MINUTE).await;
    story.codedeploy_agrees().await;
    assert_eq!(story.live(), Some((1, Colour::Blue)));
}

#[tokio::test]
async fn a_rollback_that_cannot_be_proven_ends_at_its_limit_paused_or_not() {
    let story = Story::with_two().await;
    story.say(Command::Pause).await;
    story.world.set_alarm(Colour::Blue, "backend-blue-errors", AlarmState::Firing);
    story.say(Command::Rollback).await;
    assert_eq!(story.phase(), "baking");
    story.after(15 * MINUTE).await;
    story.minutes(2).await;
    assert_eq!((story.phase(), story.live()), ("idle", Some((2, Colour::Green))));
}

#[tokio::test]
async fn a_release_that_is_paused_for_too_long_ends_before_codedeploys_hour_and_says_why() {
    for with_weight in [false, true] {
        let story = Story::with_live("canary:10%:10m").await;
        for attempt in 1..=2 {
            if attempt == 1 {
                if !with_weight {
                    story.say(Command::Pause).await;
                }
                story.push(2).await;
            }
            assert_eq!(story.ledger().open.as_ref().map(|open| open.attempt), Some(attempt));
            story.install().await;
            if with_weight {
                story.say(Command::Resume).await;
                story.after(5).await;
                story.say(Command::Pause).await;
            }
            story.minutes(42).await;
            assert_eq!((story.phase(), story.share(Colour::Green) > 0), ("shifting", with_weight));
            // Before the hour is over, with ten minutes for the step, one for the bake, and three to spare.
            story.minutes(5).await;
            assert_eq!((story.phase() == "shifting", story.share(Colour::Green)), (false, 0));
            story.minutes(1).await;
        }
        story.is_at_rest();
        let (_, reason) = story.world.told(&upload(2).revision).unwrap();
        assert!(reason.starts_with("paused by an operator"), "{reason}");
        assert!(story.say(Command::Retry).await.changed);
    }
}

#[tokio::test]
async fn a_release_that_was_paused_for_too_long_goes_on_by_itself_after_resume() {
    let story = Story::with_live("AllAtOnce").await;
    story.say(Command::Pause).await;
    story.push(2).await;
    story.install().await;
    story.minutes(57).await;
    story.minutes(2).await;
    let open = story.ledger().open.unwrap();
    assert_eq!((open.upload.number, open.attempt), (ReleaseNumber(2), 2), "the bundle is not to blame");
    story.say(Command::Resume).await;
    story.release_2_goes_live().await;
}

#[tokio::test]
async fn a_pause_holds_no_release_that_was_called_a_success() {
    let story = Story::shifting("AllAtOnce").await;
    for _ in 0..2 {
        story.after(61).await;
    }
    assert_eq!(story.phase(), "promoting");
    story.say(Command::Pause).await;
    // The way back of a pass that was overtaken.
    story.world.drift(release::Weights::all_on(Colour::Blue));
    story.codedeploy_agrees().await;
    story.minutes(3).await;
    assert_eq!(story.live(), Some((2, Colour::Green)), "no hook asks any more, and nobody else can end it");
    story.is_at_rest();
}
