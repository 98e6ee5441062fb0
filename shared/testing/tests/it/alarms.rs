//! What alarms, and their absence, do to an open release.

use super::story::{Story, upload};
use greenlight::reconcile::Reconciled;
use release::{AlarmState, Colour, Reason, Wake};
use std::time::Duration;

const ALARM: &str = "backend-green-errors";

fn says(reconciled: &Reconciled, reason: &Reason) -> bool {
    reconciled.passes.iter().any(|pass| pass.plan.reasons.contains(reason))
}

/// A release that is installed, with its candidate's alarm in this state, one look before its first raise.
async fn before_the_first_raise(state: AlarmState) -> Story {
    let story = Story::with_live("Canary10Percent5Minutes").await;
    story.push(2).await;
    story.world.set_alarm(Colour::Green, ALARM, state);
    story.install().await;
    story
}

#[tokio::test]
async fn an_alarm_that_does_not_exist_holds_the_raise_by_name() {
    let story = before_the_first_raise(AlarmState::Missing).await;
    let looked = story.after(5).await;
    assert!(says(&looked, &Reason::AlarmsMissing { alarms: vec![ALARM.to_owned()] }));
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 0));
    story.world.set_alarm(Colour::Green, ALARM, AlarmState::Ok);
    story.after(5).await;
    assert_eq!(story.share(Colour::Green), 100);
}

#[tokio::test]
async fn an_alarm_without_data_holds_until_it_is_ok() {
    let story = before_the_first_raise(AlarmState::NoData).await;
    let looked = story.after(5).await;
    assert!(says(&looked, &Reason::AlarmsWithoutData { alarms: vec![ALARM.to_owned()] }));
    assert_eq!(story.share(Colour::Green), 0);
    story.world.set_alarm(Colour::Green, ALARM, AlarmState::Ok);
    story.after(60).await;
    assert_eq!(story.share(Colour::Green), 100);
}

#[tokio::test]
async fn an_alarm_that_never_says_anything_ends_the_release_at_the_deadline_and_says_why() {
    for (state, advice) in [
        (AlarmState::NoData, "let it treat missing data as not breaching"),
        (AlarmState::Missing, "create it or take it from the colour's list"),
    ] {
        let story = before_the_first_raise(state).await;
        // Not to blame, so it is tried once more.
        for _ in 0..2 {
            story.after(900).await;
            assert_eq!(story.share(Colour::Green), 0);
            story.after(5).await;
            if story.phase() == "installing" {
                story.install().await;
            }
        }
        story.is_at_rest();
        let reason = story.ledger().releases.last().unwrap().verdict.reason();
        assert!(reason.contains(ALARM) && reason.contains(advice), "{reason}");
    }
}

#[tokio::test]
async fn an_alarm_that_is_deleted_under_traffic_holds_and_then_takes_the_release_back() {
    let story = before_the_first_raise(AlarmState::Ok).await;
    story.after(5).await;
    story.world.set_alarm(Colour::Green, ALARM, AlarmState::Missing);
    story.after(5).await;
    story.after(179).await;
    assert_eq!(story.share(Colour::Green), 100, "unknown means hold");
    story.after(1).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));
}

#[tokio::test]
async fn a_release_that_opens_while_the_live_colour_is_in_alarm_says_fix_forward_and_must_not_be_worse() {
    let story = Story::with_live("Canary10Percent5Minutes").await;
    story.world.set_alarm(Colour::Blue, "backend-blue-errors", AlarmState::Firing);
    let fix_forward = Reason::FixForward { alarms: vec!["backend-blue-errors".to_owned()] };
    story.offer(upload(2)).await;
    let opened = story.tick().await;
    let opening = opened
        .passes
        .iter()
        .find(|pass| pass.plan.reasons.iter().any(|reason| matches!(reason, Reason::Opens { .. })));
    assert!(opening.unwrap().plan.reasons.contains(&fix_forward), "the record of the opening says so");
    story.install().await;
    story.world.set_alarm(Colour::Green, ALARM, AlarmState::Firing);
    story.after(5).await;
    assert_eq!(story.share(Colour::Green), 0, "a candidate that is as bad gets nothing");
    story.world.set_alarm(Colour::Green, ALARM, AlarmState::Ok);
    assert!(says(&story.after(5).await, &fix_forward));
    assert_eq!(story.share(Colour::Green), 100);
}

/// A release with 10 % of the traffic, whose hooks have asked every five seconds for so long.
async fn asked_for(seconds: u64) -> Story {
    let mut story = Story::with_live("canary:10%:20m").await;
    story.policy.silence_limit = Duration::from_secs(180);
    story.push(2).await;
    story.pass(Duration::from_secs(600));
    story.install().await;
    for _ in 0..seconds / 5 {
        story.pass(Duration::from_secs(5));
        story.wake(Wake::Question).await;
    }
    story.after(5).await;
    assert_eq!(story.share(Colour::Green), 100);
    story
}

#[tokio::test]
async fn a_candidate_whose_hooks_fall_silent_goes_back_by_the_tick() {
    let story = asked_for(300).await;
    story.after(174).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 100));
    story.after(1).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));
    story.after(61).await;
    story.is_at_rest();
    let (verdict, reason) = story.world.told(&upload(2).revision).unwrap();
    assert_eq!(verdict, "rejected");
    insta::assert_snapshot!(reason, @"no hook has asked for 180 s: see the log of the lifecycle function and the instances - then retry");
}

#[tokio::test]
async fn a_question_after_a_long_silence_ends_the_silence() {
    let story = asked_for(10).await;
    story.pass(Duration::from_secs(500));
    story.wake(Wake::Question).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 100));
}

#[tokio::test]
async fn hooks_that_never_asked_are_silent_from_the_first_raise_on() {
    let story = asked_for(0).await;
    story.after(170).await;
    assert_eq!(story.share(Colour::Green), 100);
    story.after(5).await;
    assert_eq!(story.share(Colour::Green), 0);
}
