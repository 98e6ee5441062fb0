//! A release by evidence for which too few ask to prove anything: it goes on early where all of them failing would cost no more than
//! the harm, in this hour and in those that the week lets expect, and where its `smoke.txt` shows more than its health.

use super::smoke::{asks, of_path};
use super::story::{Story, says};
use super::traffic::{Ends, Traffic};
use greenlight::failure::Class;
use release::evidence::{AtMax, Published, PublishedMinute, minute_of};
use release::{AlarmState, Colour};
use std::time::Duration;

const HOUR: i64 = 60;

/// Every hour of the week had so many requests, one in each minute until they were through; `hour(n)`: the one that began n hours
/// before the release.
fn had_a_week(story: &Story, hours: i64, hour: impl Fn(i64) -> u64) {
    let now = minute_of(story.now());
    let minutes = (1..=hours * HOUR).rev().filter_map(|ago| {
        let of = (ago - 1) / HOUR + 1;
        let requests = hour(of);
        let came = u64::try_from(of * HOUR - ago).unwrap();
        let blue = Published { requests: 1, answered: 1, failed: 0, refused: 0 };
        (came < requests).then_some(PublishedMinute { minute: now - ago, blue, green: Published::default() })
    });
    story.world.world.publish(&story.world.service, minutes);
}

/// Release 2 is installed on green after such a week, and both instances have told of these paths.
async fn installed(hours: i64, hour: impl Fn(i64) -> u64, paths: &[(&str, u16, u16)]) -> Story {
    let mut story = Story::with_live("AllAtOnce").await;
    story.policy.strategy = "evidence".parse().unwrap();
    story.policy.bake = Duration::from_secs(300);
    had_a_week(&story, hours, hour);
    story.push(2).await;
    story.tick().await;
    story.install().await;
    for instance in ["i-backend-1", "i-backend-2"] {
        story.pass(Duration::from_secs(5));
        let smoked = paths.iter().map(|(path, blue, green)| of_path(path, *blue, *green)).collect();
        asks(&story, instance, smoked).await;
    }
    story.after(5).await;
    assert!(story.share(Colour::Green) > 0);
    story
}

const WELL: [(&str, u16, u16); 2] = [("/healthz", 200, 200), ("/checkout", 200, 200)];

/// After how many seconds it went on.
async fn goes_on_after(story: &Story) -> Option<u64> {
    let mut waited = 0;
    while story.phase() == "shifting" && story.share(Colour::Green) < 900 && waited < 35 * 60 {
        story.after(5).await;
        waited += 5;
    }
    // A tenth stays on live for the bake.
    (story.share(Colour::Green) == 900).then_some(waited)
}

/// Three minutes of weight, and until CloudWatch tells of two whole ones.
const SHORTEST: std::ops::RangeInclusive<u64> = 175..=310;
const LATEST: std::ops::RangeInclusive<u64> = 1_790..=1_815;

#[tokio::test]
async fn at_night_a_version_that_shows_more_than_its_health_goes_on_after_the_shortest_time() {
    let story = installed(7 * 24, |_| 20, &WELL).await;
    let waited = goes_on_after(&story).await.unwrap();
    assert!(SHORTEST.contains(&waited), "{waited}");
    for _ in 0..20 {
        story.after(61).await;
    }
    story.codedeploy_agrees().await;
    assert_eq!(story.live(), Some((2, Colour::Green)));
    let receipts = story.world.world.receipts();
    let receipt = receipts.into_values().find(|receipt| receipt.number.0 == 2).unwrap();
    let why = "little is at stake: at most 20 requests an hour, so 5 until 5 minutes after the bake, and Harm is 10; green answers what smoke.txt names and goes on";
    assert!(receipt.steps.iter().any(|step| step.reason == why), "{:?}", receipt.steps);
}

/// Requests of the hour so many hours ago.
type RequestsOf = Box<dyn Fn(i64) -> u64>;

#[tokio::test]
async fn where_more_is_at_stake_or_cannot_be_known_it_waits_for_its_latest_time() {
    // Thirteen minutes: 46 requests an hour are ten.
    let busy = |at: i64| move |hour: i64| if hour == at { 47 } else { 46 };
    let weeks: [(&str, i64, RequestsOf); 7] = [
        ("the last hour", 7 * 24, Box::new(busy(1))),
        ("this hour of yesterday", 7 * 24, Box::new(busy(24))),
        ("the next hour of yesterday", 7 * 24, Box::new(busy(23))),
        ("this hour a week ago", 7 * 24, Box::new(busy(7 * 24))),
        ("the next hour a week ago", 7 * 24, Box::new(busy(7 * 24 - 1))),
        ("less than six days of history", 6 * 24 - 1, Box::new(|_| 20)),
        ("no history", 0, Box::new(|_| 20)),
    ];
    for (case, hours, hour) in weeks {
        let waited = goes_on_after(&installed(hours, hour, &WELL).await).await.unwrap();
        assert!(LATEST.contains(&waited), "{case}: {waited}");
    }
    for (case, at) in [("two hours ago", 2), ("the hour after the next one of yesterday", 22), ("none", 500)]
    {
        let waited = goes_on_after(&installed(7 * 24, busy(at), &WELL).await).await.unwrap();
        assert!(SHORTEST.contains(&waited), "{case}: {waited}");
    }
}

/// Neither CloudWatch nor an instance tells of now: last week says nothing of this version.
#[tokio::test]
async fn what_nobody_sees_waits_however_little_was_at_stake_last_week() {
    let story = installed(7 * 24, |_| 20, &WELL).await;
    story.refuses(&["published"], Class::Transient);
    let waited = goes_on_after(&story).await;
    assert!(waited.is_none_or(|waited| LATEST.contains(&waited)), "{waited:?}");
}

#[tokio::test]
async fn who_takes_back_what_is_not_proven_gets_nothing_because_little_is_at_stake() {
    for at_max in [AtMax::Wait, AtMax::Back] {
        let mut story = installed(7 * 24, |_| 20, &WELL).await;
        story.policy.at_max = at_max;
        assert_eq!(goes_on_after(&story).await, None, "{at_max:?}");
    }
}

#[tokio::test]
async fn a_version_whose_few_requests_fail_does_not_go_on_because_they_are_few() {
    let story = installed(7 * 24, |_| 20, &WELL).await;
    let first = minute_of(story.now()) + 1;
    let of = |requests, failed| Published { requests, answered: requests - failed, failed, refused: 0 };
    let minutes =
        (first..first + 3).map(|minute| PublishedMinute { minute, blue: of(3, 0), green: of(3, 3) });
    story.world.world.publish(&story.world.service, minutes);
    let waited = goes_on_after(&story).await;
    assert!(waited.is_none_or(|waited| waited > *SHORTEST.end()), "{waited:?}");
}

#[tokio::test]
async fn a_week_that_cannot_be_read_puts_everything_at_stake() {
    let mut story = Story::with_live("AllAtOnce").await;
    story.policy.strategy = "evidence".parse().unwrap();
    story.refuses(&["published"], Class::Permanent);
    story.push(2).await;
    story.tick().await;
    story.install().await;
    for instance in ["i-backend-1", "i-backend-2"] {
        asks(&story, instance, vec![of_path("/checkout", 200, 200)]).await;
    }
    let waited = goes_on_after(&story).await.unwrap();
    assert!(LATEST.contains(&waited), "{waited}");
}

#[tokio::test]
async fn what_shows_no_more_than_its_health_or_fails_as_live_does_waits() {
    let (full, spelled) = ("/healthz?full=1", "//healthz/.");
    let failing = [("/articles", 200, 200), ("/checkout", 500, 500)];
    for paths in [&[][..], &[("/healthz", 200, 200)], &[(full, 200, 200)], &[(spelled, 200, 200)], &failing] {
        let waited = goes_on_after(&installed(7 * 24, |_| 20, paths).await).await.unwrap();
        assert!(LATEST.contains(&waited), "{paths:?}: {waited}");
    }
}

#[tokio::test]
async fn what_comes_meanwhile_is_at_stake_too() {
    // With the 20 of the hour some 26 or 65 come within three minutes.
    for (a_minute, goes_on) in [(2.0, true), (15.0, false)] {
        let story = installed(7 * 24, |_| 20, &WELL).await;
        let rate = |_| a_minute;
        let mut traffic = Traffic::new(&story, 7, &rate, &|_, _| Ends::Well);
        while story.share(Colour::Green) < 900 && traffic.second() < 240 {
            traffic.turn().await;
        }
        assert_eq!(story.share(Colour::Green) == 900, goes_on, "{a_minute} a minute");
    }
}

#[tokio::test]
async fn little_at_stake_goes_round_no_alarm() {
    let story = installed(7 * 24, |_| 20, &WELL).await;
    story.after(60).await;
    story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::NoData);
    assert_eq!(goes_on_after(&story).await, None);
    assert!(!says(&story.after(5).await, "promotes"));
}
