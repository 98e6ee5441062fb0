//! After its success a version is compared with the service's own week, minute by minute, as long as it may be taken back by itself.

use super::story::{MINUTE, Story, says, upload};
use greenlight::failure::Class;
use release::evidence::{Published, PublishedMinute, minute_of};
use release::{AlarmState, Colour, TargetHealth};
use std::time::Duration;

const DAY: i64 = 24 * 60;
const LIVE_AGAIN: Option<(u64, Colour)> = Some((1, Colour::Blue));
const STAYS: Option<(u64, Colour)> = Some((2, Colour::Green));

/// Release 2 has taken all traffic from release 1, with so many days of a calm week before it. The window is 30 minutes.
async fn went_live(days: i64, little: bool) -> Story {
    let mut story = Story::with_live("AllAtOnce").await;
    story.policy.strategy = "evidence".parse().unwrap();
    story.policy.rollback_window = Duration::from_secs(30 * MINUTE);
    story.policy.unknown_limit = Duration::from_secs(3 * MINUTE);
    let requests = if little { 0 } else { 100 };
    let now = minute_of(story.now());
    let calm = |ago| PublishedMinute {
        minute: now - ago,
        blue: answers(if ago % 60 == 0 { 1 } else { requests }, 0),
        green: Published::default(),
    };
    story.world.world.publish(&story.world.service, (1..=days * DAY).rev().map(calm));
    story.push(2).await;
    story.tick().await;
    story.install().await;
    for instance in ["i-backend-1", "i-backend-2"].into_iter().filter(|_| little) {
        let smoked = super::smoke::of_path("/checkout", 200, 200);
        super::smoke::asks(&story, instance, vec![smoked]).await;
    }
    for _ in 0..80 {
        story.after(60).await;
        if story.phase() == "promoting" {
            break;
        }
    }
    story.codedeploy_agrees().await;
    story.after(5).await;
    assert_eq!(story.live(), STAYS);
    story
}

fn answers(requests: u64, failed: u64) -> Published {
    Published { requests, answered: requests - failed, failed, refused: 0 }
}

/// So many minutes pass, of which each `every`th has a request to the live colour, which fails or not. What is live then.
async fn minutes(story: &Story, count: i64, every: i64, fails: bool) -> Option<(u64, Colour)> {
    for _ in 0..count {
        let minute = minute_of(story.now());
        if minute % every == 0 {
            let green = answers(1, u64::from(fails));
            let published = PublishedMinute { minute, blue: Published::default(), green };
            story.world.world.publish(&story.world.service, [published]);
        }
        story.after(MINUTE).await;
        if story.phase() != "idle" {
            break;
        }
    }
    for _ in 0..2 {
        story.after(36).await;
    }
    story.live()
}

#[tokio::test]
async fn minutes_that_the_week_does_not_explain_take_a_version_back_after_its_success() {
    let story = went_live(7, false).await;
    assert_eq!(minutes(&story, 12, 1, true).await, LIVE_AGAIN);
    let (verdict, reason) = story.world.told(&upload(2).revision).unwrap();
    assert_eq!(verdict, "rejected");
    insta::assert_snapshot!(reason, @"rolled back after its success - because 7 of 7 minutes since it took all traffic were bad - 0 of 10080 in the week before: nobody can say whose fault it is - see the application s log - then retry - or mend the bundle");
    assert_eq!(minutes(&story, 12, 1, true).await, LIVE_AGAIN, "once for a release");
}

#[tokio::test]
async fn what_ends_before_the_patience_is_over_takes_nothing_back_and_neither_does_what_begins_after_the_window()
 {
    let story = went_live(7, false).await;
    assert_eq!(minutes(&story, 4, 1, true).await, STAYS);
    assert_eq!(minutes(&story, 30, 1, false).await, STAYS);
    assert_eq!(minutes(&story, 30, 1, true).await, STAYS);
    story.is_at_rest();
}

#[tokio::test]
async fn what_went_on_because_little_was_at_stake_is_watched_until_enough_came() {
    let story = went_live(7, true).await;
    assert_eq!(
        minutes(&story, 100, 20, true).await,
        LIVE_AGAIN,
        "one request in twenty minutes, and each fails"
    );
    let story = went_live(7, true).await;
    assert_eq!(minutes(&story, 220, 20, false).await, STAYS);
    assert_eq!(minutes(&story, 100, 20, true).await, STAYS, "ten minutes with requests were fine");
    let story = went_live(7, true).await;
    assert_eq!(minutes(&story, 24 * 60, 24 * 60 + 1, true).await, STAYS);
    assert_eq!(minutes(&story, 100, 20, true).await, STAYS, "a day is over");
}

#[tokio::test]
async fn an_alarm_takes_back_within_the_window_alone_also_where_little_was_at_stake() {
    let story = went_live(7, true).await;
    story.pass(Duration::from_secs(31 * MINUTE));
    story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Firing);
    assert_eq!(minutes(&story, 5, 100_000, true).await, STAYS);
}

#[tokio::test]
async fn with_no_rollback_window_nothing_is_taken_back_by_itself() {
    let mut story = went_live(7, true).await;
    story.policy.rollback_window = Duration::ZERO;
    assert_eq!(minutes(&story, 100, 2, true).await, STAYS);
}

#[tokio::test]
async fn bad_minutes_put_nothing_on_a_colour_that_cannot_carry_it() {
    let story = went_live(7, false).await;
    story.world.set_target_health("i-backend-1", Colour::Blue, TargetHealth::Unhealthy);
    assert_eq!(minutes(&story, 12, 1, true).await, STAYS);
    story.world.set_target_health("i-backend-1", Colour::Blue, TargetHealth::Healthy);
    assert_eq!(minutes(&story, 3, 1, true).await, LIVE_AGAIN);
}

#[tokio::test]
async fn cloudwatch_is_asked_every_two_minutes_and_then_every_fifteen_and_not_at_all_without_a_week() {
    for (days, little, most) in [(7, false, 15), (3, false, 0), (7, true, 30 + 2 * 4)] {
        let story = went_live(days, little).await;
        story.world.world.forget_calls();
        for _ in 0..3 * 60 * 2 {
            story.after(30).await;
        }
        let asked = story.world.world.count("published");
        assert!(
            asked <= most && asked + 3 >= most && (most > 0 || asked == 0),
            "{days} days, {little}: {asked} of {most}"
        );
    }
}

#[tokio::test]
async fn counts_that_cannot_be_read_speak_against_nobody() {
    let story = went_live(7, false).await;
    story.refuses(&["published"], Class::Transient);
    assert_eq!(minutes(&story, 12, 1, true).await, STAYS);
    story.after(MINUTE).await;
    let tells = says(&story.tick().await, "counts_unreadable");
    assert!(tells || says(&story.after(MINUTE).await, "counts_unreadable"));
}
