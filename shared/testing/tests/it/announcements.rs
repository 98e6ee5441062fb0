//! What the topic hears.

use super::story::Story;
use greenlight::failure::Class;
use release::{AlarmState, Colour, Command, DeploymentStatus, ReleaseRule, RuleArn, Wake, Weights};
use testing::{At, FaultAt, Kind};

/// The subjects of all messages, in order.
fn heard(story: &Story) -> Vec<String> {
    story.world.world.announced().iter().map(|announcement| announcement.subject("shop")).collect()
}

fn tries(story: &Story) -> usize {
    story.world.ports().calls().iter().filter(|call| **call == "announce").count()
}

#[tokio::test]
async fn a_release_that_went_live_is_announced_once_by_the_tick_after_it() {
    let story = Story::with_live("AllAtOnce").await;
    story.after(600).await;
    let before = heard(&story).len();
    story.release(2).await;
    assert_eq!(heard(&story).len(), before, "others are awake in the second in which it ends");
    for _ in 0..20 {
        story.after(60).await;
    }
    assert_eq!(heard(&story)[before..], ["[shop] backend 2 is live"]);
}

#[tokio::test]
async fn a_release_that_an_alarm_took_back_is_announced_with_the_alarm() {
    let story = Story::shifting("Canary10Percent5Minutes").await;
    story.world.set_alarm(Colour::Green, "a", AlarmState::Firing);
    story.tick().await;
    for _ in 0..3 {
        story.world.end_newest(DeploymentStatus::Stopped);
        story.after(61).await;
    }
    let told = story.world.world.announced().pop().unwrap();
    insta::assert_snapshot!("mail", told.mail("shop"));
    let mut chat = told.chat("shop");
    // The order in which they are written is none of the schema, and depends on what else is built.
    chat.sort_all_objects();
    insta::assert_snapshot!("chat", serde_json::to_string_pretty(&chat).unwrap());
    let mut event = told.event("shop");
    event.sort_all_objects();
    insta::assert_snapshot!("event", serde_json::to_string_pretty(&event).unwrap());
    assert_eq!(told.kind(), "rejected");
    let mut metrics = told.metrics("shop", story.now());
    metrics.sort_all_objects();
    insta::assert_snapshot!("metrics", serde_json::to_string_pretty(&metrics).unwrap());
}

/// Somebody had paused it to have a look, and what was paused went by itself.
#[tokio::test]
async fn a_pause_that_outlives_its_release_is_told_with_its_end() {
    for paused in [true, false] {
        let story = Story::shifting("Canary10Percent5Minutes").await;
        if paused {
            story.say(Command::Pause).await;
        }
        story.world.set_alarm(Colour::Green, "a", AlarmState::Firing);
        story.tick().await;
        for _ in 0..3 {
            story.world.end_newest(DeploymentStatus::Stopped);
            story.after(61).await;
        }
        let told = story.world.world.announced().pop().unwrap().mail("shop");
        assert_eq!(told.contains("greenlight resume backend: it is paused"), paused, "{told}");
    }
}

/// What a hook has printed last is in the reason, and a bundle's hooks print what they like.
#[tokio::test]
async fn a_bundles_own_words_call_nobody_and_break_no_line() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    let words = "\u{e9}\u{7}<!channel> @here <https://example.com|log in>\r\nSubject: paid".repeat(40);
    story.world.fail_target("i-backend-1", &words);
    story.tick().await;
    for _ in 0..3 {
        story.world.end_newest(DeploymentStatus::Stopped);
        story.after(61).await;
    }
    let told = story.world.world.announced().pop().unwrap();
    let subject = told.subject("shop");
    assert!(subject.starts_with("[shop] backend 2 is rejected: ") && subject.len() <= 99, "{subject}");
    assert!(subject.chars().all(|letter| (' '..='~').contains(&letter)), "{subject}");
    assert!(subject.contains("i-backend-1: ? <!channel>"), "{subject}");
    assert!(told.mail("shop").lines().all(|line| line.len() <= 1_200 && !line.starts_with("Subject")));
    let chat = told.chat("shop");
    let shown = [&chat["content"]["title"], &chat["content"]["description"], &chat["metadata"]["summary"]];
    for text in shown.map(|text| text.as_str().unwrap()) {
        let is_markup = |letter: char| "<>@".contains(letter) || letter.is_control();
        assert!(text.contains("channel") || text == subject, "{text}");
        assert!(!text.contains(is_markup), "{text}");
    }
}

#[tokio::test]
async fn who_is_passed_over_hears_by_what() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    story.push(3).await;
    for _ in 0..3 {
        story.world.end_newest(DeploymentStatus::Stopped);
        story.after(61).await;
    }
    assert!(heard(&story).contains(&"[shop] backend 2 is superseded by 3".to_owned()), "{:?}", heard(&story));
}

#[tokio::test]
async fn a_rollback_says_which_release_is_back_and_who_wanted_it() {
    let story = Story::with_two().await;
    story.say(Command::Rollback).await;
    for _ in 0..6 {
        story.after(61).await;
    }
    let back = "[shop] backend is rolled back to 1: an operator asked for it".to_owned();
    assert_eq!(heard(&story).iter().filter(|subject| **subject == back).count(), 1, "{:?}", heard(&story));
}

#[tokio::test]
async fn a_rollback_by_alarm_names_the_alarm() {
    let story = Story::with_two().await;
    story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Firing);
    for _ in 0..4 {
        story.after(61).await;
    }
    let back = "[shop] backend is rolled back to 1: alarm backend-green-errors fired after the release";
    assert!(heard(&story).contains(&back.to_owned()), "{:?}", heard(&story));
}

/// A rollback has made release 1 live, and CodeDeploy fails to install it for new instances.
async fn settling_fails() -> Story {
    let story = Story::with_two().await;
    story.say(Command::Rollback).await;
    story.after(37).await;
    for _ in 0..3 {
        story.after(61).await;
        assert_eq!((story.phase(), story.world.is_deploying()), ("settling", true));
        story.world.end_newest(DeploymentStatus::Failed);
    }
    story
}

const UNSETTLED: &str = "[shop] backend needs an operator: new instances would boot another release";

#[tokio::test]
async fn settling_that_was_given_up_calls_an_operator() {
    let story = settling_fails().await;
    for _ in 0..10 {
        story.after(61).await;
    }
    assert_eq!((story.phase(), story.ledger().unsettled), ("idle", true));
    assert_eq!(
        heard(&story).iter().filter(|subject| *subject == UNSETTLED).count(),
        1,
        "{:?}",
        heard(&story)
    );
}

#[tokio::test]
async fn settling_that_makes_room_for_a_bundle_calls_nobody() {
    let story = settling_fails().await;
    story.offer(super::story::upload(3)).await;
    for _ in 0..10 {
        story.after(61).await;
    }
    assert_eq!(story.ledger().open.unwrap().upload.number.0, 3);
    assert!(!heard(&story).contains(&UNSETTLED.to_owned()), "{:?}", heard(&story));
}

#[tokio::test]
async fn a_rule_in_the_way_calls_an_operator() {
    let story = Story::with_live("AllAtOnce").await;
    let (arn, weights) = (RuleArn("arn:strange".to_owned()), Weights::all_on(Colour::Blue).into());
    story.world.world.put_release_rule_as(&story.world.service, ReleaseRule { arn, weights });
    story.after(60).await;
    let needs = "[shop] backend needs an operator: a rule that is not ours keeps releases from opening";
    assert!(heard(&story).contains(&needs.to_owned()), "{:?}", heard(&story));
}

#[tokio::test]
async fn traffic_that_keeps_a_bundle_waiting_says_what_to_do() {
    let story = Story::with_live("AllAtOnce").await;
    story.base_rule_moves(Weights::all_on(Colour::Green));
    story.push(2).await;
    for _ in 0..6 {
        story.after(60).await;
    }
    let mail = story.world.world.announced().pop().unwrap().mail("shop");
    assert!(mail.contains("elsewhere: set all weight of the base rule on blue"), "{mail}");
}

#[tokio::test]
async fn traffic_that_stays_elsewhere_calls_an_operator_once_a_day() {
    let story = Story::with_live("AllAtOnce").await;
    story.after(600).await;
    let before = heard(&story).len();
    story.base_rule_moves(Weights::all_on(Colour::Green));
    story.after(60).await;
    story.after(240).await;
    assert_eq!(heard(&story).len(), before, "it may be repaired yet");
    for _ in 0..10 {
        story.after(60).await;
    }
    let needs = "[shop] backend needs an operator: its traffic is not where the ledger says";
    assert_eq!(heard(&story)[before..], [needs]);
    story.after(86_400).await;
    assert_eq!(heard(&story)[before..], [needs, needs]);
}

#[tokio::test]
async fn a_topic_that_cannot_be_reached_holds_up_nothing_and_hears_it_a_tick_later() {
    let story = Story::with_live("AllAtOnce").await;
    story.after(600).await;
    let before = heard(&story).len();
    story.release(2).await;
    let once = FaultAt { at: At::NthOf("announce", 1), kind: Kind::Before(Class::Transient) };
    story.world.expect_faults(&[once]);
    story.after(60).await;
    assert_eq!((heard(&story).len(), story.live()), (before, Some((2, Colour::Green))));
    story.after(60).await;
    assert_eq!(heard(&story)[before..], ["[shop] backend 2 is live"]);
}

#[tokio::test]
async fn an_announcement_is_given_up_after_five_minutes() {
    let story = Story::with_live("AllAtOnce").await;
    story.after(600).await;
    story.refuses(&["announce"], Class::Permanent);
    story.release(2).await;
    for _ in 0..20 {
        story.after(60).await;
    }
    assert!((2..=5).contains(&tries(&story)), "{}", tries(&story));
    assert_eq!(story.live(), Some((2, Colour::Green)));
}

#[tokio::test]
async fn a_hooks_question_announces_nothing() {
    let story = Story::with_live("Canary10Percent5Minutes").await;
    story.push(2).await;
    story.world.install_newest();
    story.pass(std::time::Duration::from_secs(30));
    story.world.expect_faults(&[]);
    story.wake(Wake::Question).await;
    assert_eq!(tries(&story), 0);
}
