//! What the requests of both colours, as instances count them, do to an open release.

use super::story::{Story, says};
use greenlight::failure::Class;
use greenlight::reconcile::{Reconciled, read, reconcile_from};
use release::evidence::{Count, MinuteCount, Report, minute_of};
use release::{Colour, InstanceId, ReturnCause, Verdict, Wake};
use std::time::Duration;
use testing::{At, FaultAt, Kind};

/// So many requests came to a colour in this minute, and so many of them failed.
fn count(arrived: u64, failed: u64) -> Count {
    Count { arrived, failed, ..Count::default() }
}

/// Both hooks ask. All that came in this minute came to the first instance.
async fn reports(story: &Story, blue: Count, green: Count) -> Reconciled {
    asks(story, "i-backend-2", count(0, 0), count(0, 0)).await;
    asks(story, "i-backend-1", blue, green).await
}

async fn asks(story: &Story, instance: &str, blue: Count, green: Count) -> Reconciled {
    let minute = MinuteCount { minute: minute_of(story.now()), blue, green };
    let report = Report { instance: InstanceId(instance.to_owned()), minutes: vec![minute] };
    let (ports, world) = (story.world.ports(), &story.world);
    let known = read(&*ports, &world.service).await.unwrap();
    let woken = (&story.policy, world.world, Wake::Question);
    reconcile_from(&*ports, &world.service, woken.0, woken.1, woken.2, known, Some(report)).await.unwrap()
}

/// Release 2 has a tenth of the traffic since just now, and its instances have reported before.
async fn raised() -> Story {
    let story = Story::with_live("canary:10%:20m").await;
    story.push(2).await;
    story.world.install_newest();
    reports(&story, count(0, 0), count(0, 0)).await;
    story.after(5).await;
    assert_eq!(story.share(Colour::Green), 100);
    story
}

/// Its warm-up is over, too.
async fn warmed_up() -> Story {
    let story = raised().await;
    story.pass(Duration::from_secs(60));
    reports(&story, count(0, 0), count(0, 0)).await;
    story
}

#[tokio::test]
async fn a_candidate_that_fails_every_request_is_taken_back_though_no_alarm_fires() {
    let story = warmed_up().await;
    let reconciled = reports(&story, count(45, 0), count(5, 5)).await;
    assert!(says(&reconciled, "returns"));
    assert_eq!(story.share(Colour::Green), 0);
    story.minutes(3).await;
    story.is_at_rest();
    let Verdict::Rejected { reason } = story.ledger().releases.last().unwrap().verdict.clone() else {
        panic!("not rejected")
    };
    let said = "green failed 5 of 5, blue 0 of 45 requests, and each had 10 chances in 100 to go to green";
    assert!(reason.starts_with(said), "{reason}");
}

/// Two hooks that ask in the same moments: one alone knows what convicts, and writes after the other each time.
#[tokio::test]
async fn why_a_release_was_taken_back_is_written_though_another_hook_wrote_first() {
    let story = warmed_up().await;
    asks(&story, "i-backend-2", count(0, 0), count(0, 0)).await;
    let overtaken = FaultAt { at: At::NthOf("write_ledger", 1), kind: Kind::Before(Class::Conflict) };
    story.world.expect_faults(&[overtaken]);
    asks(&story, "i-backend-1", count(45, 0), count(5, 5)).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));
    story.minutes(3).await;
    let Verdict::Rejected { reason } = story.ledger().releases.last().unwrap().verdict.clone() else {
        panic!("not rejected")
    };
    assert!(reason.starts_with("green failed 5 of 5"), "{reason}");
}

#[tokio::test]
async fn while_one_instance_reports_nothing_the_others_take_nothing_back() {
    let story = raised().await;
    story.pass(Duration::from_secs(60));
    for turn in 0..3 {
        asks(&story, "i-backend-1", count(45 * turn, 0), count(5 * turn, 5 * turn)).await;
    }
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 100));
}

/// One hook that asks first in each interval would else be the only one that is heard.
#[tokio::test]
async fn a_report_that_is_missing_or_late_is_asked_for_out_of_turn() {
    let story = raised().await;
    let needs = |instance: &str| {
        let looks = Duration::from_secs(5);
        story.ledger().open.unwrap().needs_report(&InstanceId(instance.to_owned()), looks, story.now())
    };
    story.pass(Duration::from_secs(15));
    asks(&story, "i-backend-1", count(0, 0), count(0, 0)).await;
    assert!(!needs("i-backend-1") && needs("i-backend-2") && !needs("i-backend-3"));
    asks(&story, "i-backend-2", count(0, 0), count(0, 0)).await;
    assert!(!needs("i-backend-2"));
    story.pass(Duration::from_secs(14));
    assert!(!needs("i-backend-1"));
}

#[tokio::test]
async fn an_outage_of_both_colours_takes_nothing_back() {
    let story = warmed_up().await;
    for turn in 1..=10 {
        reports(&story, count(9 * turn, 9 * turn), count(turn, turn)).await;
    }
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 100));
}

#[tokio::test]
async fn live_requests_without_an_answer_may_have_failed_as_well() {
    let story = warmed_up().await;
    reports(&story, Count { open: 45, ..count(45, 0) }, count(5, 5)).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 100));
    reports(&story, count(45, 0), count(5, 5)).await;
    assert_eq!(story.share(Colour::Green), 0);
}

#[tokio::test]
async fn what_was_counted_during_the_warm_up_takes_nothing_back() {
    let story = raised().await;
    story.pass(Duration::from_secs(5));
    reports(&story, count(45, 0), count(5, 5)).await;
    story.pass(Duration::from_secs(30));
    reports(&story, count(90, 0), count(10, 5)).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 100));
    reports(&story, count(135, 0), count(15, 10)).await;
    assert_eq!(story.share(Colour::Green), 0);
}

#[tokio::test]
async fn a_report_that_is_old_takes_nothing_back() {
    for (seconds, left) in [(25, 0), (31, 100)] {
        let story = warmed_up().await;
        let mut ledger = story.ledger();
        let counted = ledger.open.as_mut().unwrap().counted.as_mut().unwrap();
        for minute in counted.reports.values_mut().filter_map(|reported| reported.minutes.last_mut()) {
            (minute.blue, minute.green) = (count(45, 0), count(5, 5));
        }
        story.world.world.put_ledger(&ledger);
        story.after(seconds).await;
        assert_eq!(story.share(Colour::Green), left, "after {seconds} s");
    }
}

#[tokio::test]
async fn counts_are_kept_while_a_release_is_open_and_only_then() {
    let story = warmed_up().await;
    for turn in 0..60 {
        if story.phase() == "promoting" {
            break;
        }
        reports(&story, count(turn, 0), count(0, 0)).await;
        let kept = serde_json::to_string(&story.ledger().open.unwrap().counted).unwrap();
        assert!(kept.len() < 20_000, "{} bytes", kept.len());
        story.pass(Duration::from_secs(60));
    }
    story.codedeploy_agrees().await;
    story.is_at_rest();
    assert!(!story.world.world.ledger_text(&story.world.service).unwrap().contains("counted"));
}

#[tokio::test]
async fn the_first_release_has_nothing_to_be_compared_with() {
    let story = Story::new("AllAtOnce");
    story.push(1).await;
    story.world.install_newest();
    reports(&story, count(0, 0), count(9, 9)).await;
    assert!(story.ledger().open.is_none_or(|open| open.counted.is_none()));
}

#[test]
fn a_conviction_blames_the_bundle_unless_an_instance_was_lost() {
    let compared = release::evidence::Compared {
        candidate: Colour::Green,
        failed: 5,
        requests: 5,
        live_failed: 0,
        live_requests: 45,
        lowest: 10,
        highest: 10,
        odds: 686,
        needed: 200,
    };
    let cause = ReturnCause::Worse { compared };
    assert!(cause.blames_the_bundle() && cause.may_be_a_lost_instance());
    let kept: ReturnCause = serde_json::from_str(&serde_json::to_string(&cause).unwrap()).unwrap();
    assert_eq!(kept, cause);
}
