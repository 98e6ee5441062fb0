//! Releases that go on, or back, by what was counted: request by request.

use super::story::{Story, says, upload};
use super::traffic::{Ends, Kit, Traffic};
use greenlight::failure::Class;
use jiff::Timestamp;
use release::evidence::{AtMax, Published, PublishedMinute, minute_of};
use release::{AlarmState, Colour, Raised, Reason, ReleaseRule, TargetHealth, Verdict, Wake};
use std::cell::Cell;
use std::time::Duration;

/// CloudWatch has minutes of a week with so many requests on blue, and in each a failure of every `one_in`-th.
fn had_a_week(story: &Story, requests: u64, failed_in: impl Fn(i64) -> u64) {
    let now = minute_of(story.now());
    let minutes = (now - 7 * 24 * 60..now).map(|minute| {
        let failed = failed_in(now - minute);
        let blue = Published { requests, answered: requests - failed, failed, refused: 0 };
        PublishedMinute { minute, blue, green: Published::default() }
    });
    story.world.world.publish(&story.world.service, minutes.filter(|_| requests > 0));
}

/// Release 2 is installed on green; the service had so many requests in each minute of the week before.
pub(crate) async fn installed(strategy: &str, requests: u64) -> Story {
    let mut story = Story::with_live("AllAtOnce").await;
    story.policy.strategy = strategy.parse().unwrap();
    story.policy.bake = Duration::from_secs(300);
    had_a_week(&story, requests, |_| 0);
    story.push(2).await;
    story.tick().await;
    story.install().await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", 0));
    story
}

fn calm(_: i64, _: Colour) -> Ends {
    Ends::Well
}

pub(crate) fn green_always_fails(_: i64, colour: Colour) -> Ends {
    if colour == Colour::Green { Ends::Failed(0) } else { Ends::Well }
}

fn verdict(story: &Story) -> String {
    match story.ledger().releases.last().map(|past| past.verdict.clone()) {
        Some(Verdict::Rejected { reason }) => reason,
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn a_version_that_always_fails_is_back_soon_and_costs_little_at_any_traffic() {
    for (rate, seconds, most) in [(3_u32, 12 * 60, 12), (60, 90, 25), (3_000, 20, 50)] {
        let mut good = 0;
        for seed in 1..=20 {
            let story = installed("evidence", rate.into()).await;
            let a_minute = |_| f64::from(rate);
            let mut traffic = Traffic::new(&story, seed, &a_minute, &green_always_fails);
            let mut first_failed = None;
            while story.phase() == "shifting" && traffic.second() < 40 * 60 {
                traffic.turn().await;
                first_failed = first_failed.or((traffic.failed > 0).then(|| traffic.second()));
            }
            let took = traffic.second() - first_failed.unwrap_or(0);
            let is_back = story.phase() == "returning" && story.share(Colour::Green) == 0;
            good += u32::from(is_back && took <= seconds && traffic.failed <= most);
        }
        assert!(good >= 18, "only {good} of 20 at {rate} a minute");
    }
}

#[tokio::test]
async fn a_good_version_goes_on_by_evidence_bakes_beside_the_live_one_and_goes_live() {
    let story = installed("evidence", 60).await;
    let mut traffic = Traffic::new(&story, 7, &|_| 60.0, &calm);
    let mut shares = Vec::new();
    while matches!(story.phase(), "shifting" | "baking") {
        traffic.turn().await;
        let share = story.share(Colour::Green);
        if shares.last() != Some(&share) {
            shares.push(share);
        }
    }
    // In thousandths, rounded up: 30 % as soon as every instance has reported, 90 % for the bake, and everything.
    assert_eq!(shares, [296, 900, 1000]);
    story.codedeploy_agrees().await;
    assert_eq!(story.live(), Some((2, Colour::Green)));
    story.is_at_rest();
}

/// What nobody reports stays unknown for minutes, and only little may be risked then.
#[tokio::test]
async fn the_first_share_by_budget_waits_for_every_instances_first_report_or_fifteen_seconds() {
    let story = installed("evidence", 60).await;
    let mut traffic = Traffic::new(&story, 7, &|_| 60.0, &calm);
    traffic.turn().await;
    assert_eq!(story.share(Colour::Green), 296, "each has told");

    let story = installed("evidence", 60).await;
    story.after(5).await;
    let reconciled = story.after(9).await;
    assert_eq!(story.share(Colour::Green), 0);
    let waits = &reconciled.passes.last().unwrap().plan.reasons;
    let waiting = "i-backend-1 to tell what it has counted".to_owned();
    assert!(waits.contains(&Reason::NotProven { waiting }), "{waits:?}");
    story.after(1).await;
    assert_eq!(story.share(Colour::Green), 31, "an older kit tells nothing");

    let story = installed("canary:10%:evidence(30m)", 60).await;
    story.after(5).await;
    assert_eq!(story.share(Colour::Green), 97, "its share is given");
}

#[tokio::test]
async fn a_share_that_is_given_stays_until_the_evidence_is_there() {
    let story = installed("canary:10%:evidence(30m)", 600).await;
    let mut traffic = Traffic::new(&story, 7, &|_| 600.0, &calm);
    traffic.turn().await;
    assert_eq!(story.share(Colour::Green), 97);
    let weights = story.world.rules().release.unwrap().weights;
    assert_eq!(weights.to_string(), "blue 901 green 96", "a prime sum");
    while story.share(Colour::Green) == 97 {
        assert!(traffic.second() < 1_700, "never on by evidence");
        traffic.turn().await;
    }
    assert!(traffic.second() > 180 && story.share(Colour::Green) == 900);
}

#[tokio::test]
async fn a_version_that_hangs_is_taken_back_with_reports_and_without() {
    let hangs = |_, colour| if colour == Colour::Green { Ends::Hangs } else { Ends::Well };
    for kit in [Kit::Counts, Kit::Old] {
        let story = installed("evidence", 60).await;
        let mut traffic = Traffic::new(&story, 3, &|_| 60.0, &hangs).reported_by(kit);
        traffic.while_it_is_tried(29).await;
        let share = story.share(Colour::Green);
        match kit {
            Kit::Old => assert!(share < 900, "on by evidence: {share}"),
            _ => assert_eq!((story.phase(), share), ("returning", 0)),
        }
    }
}

#[tokio::test]
async fn one_client_that_repeats_a_broken_link_takes_nothing_back() {
    for seed in 1..=3 {
        let story = installed("evidence", 60).await;
        let mut traffic = Traffic::new(&story, seed, &|_| 60.0, &calm);
        while matches!(story.phase(), "shifting" | "baking") {
            // Five times a second, for three minutes.
            traffic.broken_links = if (60..240).contains(&traffic.second()) { 25 } else { 0 };
            traffic.turn().await;
        }
        assert_eq!(story.phase(), "promoting", "{}", verdict(&story));
    }
}

#[tokio::test]
async fn an_outage_of_what_both_colours_use_blames_nobody() {
    // The candidate fails at once, the live one after its time-out of 50 s.
    let outage = |second, colour| match (second, colour) {
        (300..480, Colour::Green) => Ends::Failed(0),
        (300..480, Colour::Blue) => Ends::Failed(50),
        _ => Ends::Well,
    };
    for seed in 1..=3 {
        let story = installed("canary:10%:evidence(30m)", 60).await;
        let mut traffic = Traffic::new(&story, seed, &|_| 60.0, &outage);
        while matches!(story.phase(), "shifting" | "baking") {
            traffic.turn().await;
        }
        assert_eq!(story.phase(), "promoting", "{:?}", story.ledger().open.map(|open| open.phase));
    }
}

#[tokio::test]
async fn what_makes_both_colours_bad_goes_back_without_blame_and_is_tried_once_more() {
    let both = |second, _| if second >= 300 { Ends::Failed(0) } else { Ends::Well };
    let story = installed("canary:10%:evidence(30m)", 60).await;
    let mut traffic = Traffic::new(&story, 3, &|_| 60.0, &both);
    traffic.while_it_is_tried(30).await;
    assert_eq!(story.phase(), "returning");
    story.minutes(3).await;
    let ledger = story.ledger();
    assert_eq!((ledger.phase(), ledger.open.unwrap().attempt), ("installing", 2));
    // The second time it is rejected, and the reason says that nobody is to blame.
    story.install().await;
    let mut traffic = Traffic::new(&story, 4, &|_| 60.0, &|_, _| Ends::Failed(0));
    traffic.while_it_is_tried(30).await;
    story.minutes(3).await;
    story.is_at_rest();
    assert!(verdict(&story).contains("nobody can say whose fault it is"), "{}", verdict(&story));
}

#[tokio::test]
async fn silence_is_no_health_and_at_its_latest_time_the_setting_decides() {
    for (at_max, until) in
        [(AtMax::GoOn, "promoting"), (AtMax::Wait, "returning"), (AtMax::Back, "returning")]
    {
        for kit in [Kit::Counts, Kit::Old] {
            let mut story = installed("evidence", 0).await;
            story.policy.at_max = at_max;
            let mut traffic = Traffic::new(&story, 1, &|_| 0.0, &calm).reported_by(kit);
            while traffic.second() < 29 * 60 + 50 {
                traffic.turn().await;
                assert!(story.share(Colour::Green) < 900, "{kit:?} after {} s", traffic.second());
            }
            let opened = story.ledger().open.unwrap().opened_at;
            traffic.while_it_is_tried(60).await;
            assert_eq!(story.phase(), until, "{at_max:?} {kit:?}");
            let open = story.ledger().open.unwrap();
            let waited = story.now().duration_since(opened).as_secs();
            match at_max {
                AtMax::GoOn => {}
                AtMax::Back => assert!(waited < 31 * 60, "{waited}"),
                // Before CodeDeploy ends the hooks, and what it would still need fits no more.
                AtMax::Wait => assert!((50 * 60..58 * 60).contains(&waited), "{waited}"),
            }
            if let release::Phase::Returning(back) = &open.phase {
                assert_eq!(back.cause.blames_the_bundle(), at_max == AtMax::Back);
            }
        }
    }
}

#[tokio::test]
async fn a_share_that_did_not_arrive_has_its_time_from_when_it_does() {
    let mut story = installed("evidence", 0).await;
    story.policy.at_max = AtMax::GoOn;
    story.refuses(&["set_release_weights"], Class::Transient);
    for _ in 0..10 {
        story.pass(Duration::from_secs(60));
        story.try_wake(Wake::Question).await.unwrap();
    }
    assert_eq!(story.share(Colour::Green), 0, "decided ten minutes ago");
    story.world.expect_faults(&[]);
    let mut traffic = Traffic::new(&story, 1, &|_| 0.0, &calm);
    while traffic.second() < 29 * 60 {
        traffic.turn().await;
        let share = story.share(Colour::Green);
        assert!((1..900).contains(&share), "{share} after {} s", traffic.second());
    }
    traffic.while_it_is_tried(60).await;
    assert_eq!(story.phase(), "promoting", "{}", verdict(&story));
}

/// A pass may look after a raise was written and before it is made.
#[tokio::test]
async fn a_share_that_arrives_after_it_was_missed_keeps_its_time() {
    let story = installed("canary:10%:evidence(10m)", 60).await;
    let (world, service) = (&story.world.world, &story.world.service);
    let raised = || {
        let open = story.ledger().open.unwrap();
        (open.phase.trial().unwrap().raised, open.counted.unwrap().orders[0].at)
    };
    story.refuses(&["set_release_weights"], Class::Transient);
    story.after(10).await;
    let ordered_at = story.now();
    assert_eq!(raised(), (Raised::Decided, ordered_at));
    world.set_instance_health(service, "i-backend-3", Colour::Blue, TargetHealth::Healthy);
    story.after(10).await;
    assert_eq!(raised(), (Raised::Missing, ordered_at), "and cannot be made once more");
    let rule = story.world.rules().release.unwrap();
    let weights = story.ledger().open.unwrap().intended_share().weights(Colour::Green).into();
    world.put_release_rule_as(service, ReleaseRule { weights, ..rule });
    world.remove_instance(service, "i-backend-3");
    story.world.expect_faults(&[]);
    story.after(10).await;
    assert_eq!(raised(), (Raised::Decided, ordered_at));
}

/// The rate of the night would allow a version that fails one request in five.
#[tokio::test]
async fn a_quiet_night_before_a_busy_morning_acquits_nobody_who_is_bad_for_the_morning() {
    let morning = |second| if second < 15 * 60 { 1.0 } else { 600.0 };
    let fails_some = |second: i64, colour| {
        if colour == Colour::Green && (second / 5) % 20 == 0 { Ends::Failed(0) } else { Ends::Well }
    };
    let story = installed("evidence", 1).await;
    let mut traffic = Traffic::new(&story, 5, &morning, &fails_some);
    traffic.while_it_is_tried(29).await;
    assert_eq!(story.phase(), "returning", "{} s", traffic.second());

    let story = installed("evidence", 1).await;
    let mut traffic = Traffic::new(&story, 5, &morning, &calm);
    traffic.while_it_is_tried(40).await;
    assert_eq!(story.phase(), "promoting");
}

#[tokio::test]
async fn reports_that_are_lost_leave_the_decision_to_cloudwatch() {
    for kit in [Kit::Old, Kit::LostAfter(60)] {
        let story = installed("evidence", 6).await;
        let mut traffic = Traffic::new(&story, 3, &|_| 6.0, &calm).reported_by(kit);
        traffic.while_it_is_tried(45).await;
        assert_eq!(story.phase(), "promoting", "{kit:?}");
        assert!(traffic.second() < 30 * 60, "by evidence and not by time: {kit:?}");

        let bad = |second, colour| if second >= 60 { green_always_fails(second, colour) } else { Ends::Well };
        let story = installed("evidence", 6).await;
        let mut traffic = Traffic::new(&story, 3, &|_| 6.0, &bad).reported_by(kit);
        let took = traffic.while_it_is_tried(29).await;
        assert_eq!((story.phase(), took < 12 * 60), ("returning", true), "{kit:?} after {took} s");
    }
}

#[tokio::test]
async fn an_instance_that_lies_can_stop_a_release_and_let_none_go_on() {
    let story = installed("evidence", 60).await;
    let mut traffic = Traffic::new(&story, 3, &|_| 60.0, &calm).reported_by(Kit::Blames);
    traffic.while_it_is_tried(29).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));

    let story = installed("evidence", 60).await;
    let mut traffic = Traffic::new(&story, 3, &|_| 60.0, &green_always_fails).reported_by(Kit::Praises);
    let mut highest = 0;
    while matches!(story.phase(), "shifting" | "baking") && traffic.second() < 29 * 60 {
        traffic.turn().await;
        highest = highest.max(story.share(Colour::Green));
    }
    // What contradicts CloudWatch is left out, and CloudWatch convicts.
    assert_eq!((story.phase(), highest < 900), ("returning", true));
}

#[tokio::test]
async fn during_the_bake_the_rest_on_live_still_convicts() {
    let fails_from = Cell::new(i64::MAX);
    let later_bad = |second: i64, colour| {
        if second >= fails_from.get() { green_always_fails(second, colour) } else { Ends::Well }
    };
    let story = installed("evidence", 60).await;
    let mut traffic = Traffic::new(&story, 3, &|_| 60.0, &later_bad);
    while story.share(Colour::Green) != 900 {
        assert!(traffic.second() < 29 * 60, "not on by evidence");
        traffic.turn().await;
    }
    fails_from.set(traffic.second() + 60);
    traffic.while_it_is_tried(10).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));
    story.minutes(3).await;
    assert!(verdict(&story).contains("odds of"), "{}", verdict(&story));
}

fn asked(story: &Story) -> usize {
    story.world.world.count("published")
}

#[tokio::test]
async fn cloudwatch_is_asked_once_for_the_week_and_then_at_most_once_a_minute() {
    let story = installed("evidence", 60).await;
    assert_eq!(asked(&story), 1, "the week");
    let mut traffic = Traffic::new(&story, 3, &|_| 60.0, &calm);
    let (mut minutes, before) = (0, asked(&story));
    while matches!(story.phase(), "shifting" | "baking") {
        let minute = minute_of(story.now());
        traffic.turn().await;
        minutes += usize::from(minute_of(story.now()) > minute);
        assert!(asked(&story) - before <= minutes, "{} calls in {minutes} minutes", asked(&story) - before);
    }
    story.codedeploy_agrees().await;
    let after = asked(&story);
    story.minutes(10).await;
    assert_eq!(asked(&story), after, "no release is open");

    let story = Story::with_live("canary:10%:5m").await;
    story.release(2).await;
    assert_eq!(asked(&story), 0, "nothing is asked for in a release by time");
}

#[tokio::test]
async fn counts_that_cannot_be_read_are_neither_verdict_and_are_not_asked_for_more_often() {
    let story = installed("evidence", 60).await;
    story.refuses(&["published"], Class::Transient);
    let mut traffic = Traffic::new(&story, 3, &|_| 60.0, &calm);
    let mut said = false;
    while traffic.second() < 29 * 60 {
        let reconciled = traffic.turn().await;
        said |= reconciled.iter().any(|reconciled| says(reconciled, "counts_unreadable"));
        assert_eq!((story.phase(), story.share(Colour::Green) < 900), ("shifting", true));
    }
    let calls = story.world.ports().calls();
    let asked = calls.iter().filter(|call| **call == "published").count();
    assert!((20..=30).contains(&asked), "{asked} calls in 29 minutes");
    assert!(said, "nobody is told");
    traffic.while_it_is_tried(20).await;
    assert_eq!(story.phase(), "promoting", "at the latest time AtMax decides");
}

#[tokio::test]
async fn an_operator_in_a_hurry_needs_no_evidence_and_a_pause_holds_it() {
    let story = installed("evidence", 60).await;
    story.say(release::Command::Pause).await;
    let mut traffic = Traffic::new(&story, 3, &|_| 60.0, &calm);
    for _ in 0..24 {
        traffic.turn().await;
    }
    assert_eq!(story.share(Colour::Green), 0);
    story.say(release::Command::Promote).await;
    for _ in 0..24 {
        traffic.turn().await;
    }
    assert_eq!((story.phase(), story.share(Colour::Green)), ("promoting", 1000));
}

#[tokio::test]
async fn a_release_by_evidence_that_cannot_fit_into_the_hour_is_refused() {
    let mut story = Story::with_live("AllAtOnce").await;
    story.policy.strategy = "evidence(50m)".parse().unwrap();
    story.offer(upload(2)).await;
    let reconciled = story.tick().await;
    assert!(says(&reconciled, "too_long"));
}

#[tokio::test]
async fn what_is_counted_is_stored_and_read_again() {
    let story = installed("evidence", 60).await;
    let mut traffic = Traffic::new(&story, 3, &|_| 60.0, &calm);
    traffic.while_it_is_tried(6).await;
    let counted = story.ledger().open.unwrap().counted.unwrap();
    assert!(counted.week.is_some_and(|week| week.rate == 60) && !counted.published.is_empty());
    let text = story.world.world.ledger_text(&story.world.service).unwrap();
    assert!(text.len() < 40_000, "{} bytes", text.len());
    // As a version before this one has stored it.
    let mut older: serde_json::Value = serde_json::from_str(&text).unwrap();
    let members = older["open"]["counted"].as_object_mut().unwrap();
    members.remove("asked_at");
    members.remove("week");
    let read = release::Ledger::from_json(older.to_string().as_bytes()).unwrap();
    let read = read.open.unwrap().counted.unwrap();
    assert_eq!((read.asked_at, read.week, read.orders), (None::<Timestamp>, None, counted.orders));
}

/// The errors alarm of each colour.
fn set_alarms(story: &Story, state: AlarmState) {
    for colour in Colour::BOTH {
        story.world.set_alarm(colour, &format!("backend-{colour}-errors"), state);
    }
}

const FIRING: AlarmState = AlarmState::Firing;

#[tokio::test]
async fn alarms_that_fire_on_both_colours_while_the_counts_blame_neither_hold_the_weight_and_go_by() {
    for strategy in ["evidence", "canary:10%:10m"] {
        let outage = |second, _| if (120..240).contains(&second) { Ends::Failed(0) } else { Ends::Well };
        let story = installed(strategy, 60).await;
        let mut traffic = Traffic::new(&story, 3, &|_| 60.0, &outage);
        traffic.while_it_is_tried(3).await;
        set_alarms(&story, FIRING);
        let share = story.share(Colour::Green);
        for _ in 0..30 {
            let [_, reconciled] = traffic.turn().await;
            assert!(says(&reconciled, "fire_on_both"), "{strategy}");
            assert_eq!((story.phase(), story.share(Colour::Green)), ("shifting", share), "{strategy}");
        }
        set_alarms(&story, AlarmState::Ok);
        traffic.while_it_is_tried(40).await;
        assert_eq!(story.phase(), "promoting", "{strategy}");
    }
}

#[tokio::test]
async fn alarms_that_fire_on_both_colours_for_too_long_take_a_release_back_without_blame() {
    let both = |second, _| if second >= 120 { Ends::Failed(0) } else { Ends::Well };
    let story = installed("evidence", 60).await;
    for attempt in 1..=2 {
        let mut traffic = Traffic::new(&story, 3, &|_| 60.0, &both);
        traffic.while_it_is_tried(3).await;
        set_alarms(&story, FIRING);
        let held = traffic.while_it_is_tried(10).await;
        assert_eq!(
            (story.phase(), held),
            ("returning", 185),
            "attempt {attempt}: the first look, and UnknownLimit"
        );
        set_alarms(&story, AlarmState::Ok);
        story.minutes(3).await;
        if attempt == 1 {
            assert_eq!(story.ledger().open.map(|open| open.attempt), Some(2));
            story.install().await;
        }
    }
    story.is_at_rest();
    let reason = verdict(&story);
    assert!(reason.contains("backend-green-errors, backend-blue-errors"), "{reason}");
}

#[tokio::test]
async fn alarms_that_fire_on_both_colours_excuse_nobody_whom_the_counts_blame_or_do_not_see() {
    // The live version fails some requests, and the candidate all.
    let worse = |second: i64, colour| {
        if colour == Colour::Green || second % 50 < 5 { Ends::Failed(0) } else { Ends::Well }
    };
    let story = installed("canary:10%:10m", 600).await;
    let mut traffic = Traffic::new(&story, 3, &|_| 600.0, &worse);
    while story.share(Colour::Green) == 0 {
        traffic.turn().await;
    }
    set_alarms(&story, FIRING);
    let took = traffic.while_it_is_tried(10).await;
    assert_eq!((story.phase(), took <= 30), ("returning", true), "{took} s");

    // An older kit, and a strategy that reads no metrics.
    let story = installed("canary:10%:10m", 60).await;
    let mut traffic = Traffic::new(&story, 3, &|_| 60.0, &calm).reported_by(Kit::Old);
    traffic.while_it_is_tried(3).await;
    set_alarms(&story, FIRING);
    traffic.turn().await;
    assert_eq!(story.phase(), "returning");
    story.minutes(3).await;
    assert!(verdict(&story).contains("alarm backend-green-errors fired"), "{}", verdict(&story));

    // A candidate that has all the traffic is compared with nobody.
    let story = installed("canary:10%:60s", 60).await;
    let mut traffic = Traffic::new(&story, 3, &|_| 60.0, &calm);
    while story.phase() != "baking" {
        traffic.turn().await;
    }
    set_alarms(&story, FIRING);
    traffic.turn().await;
    assert_eq!(story.phase(), "returning");

    // One of its alarms fires on both, another on the candidate alone.
    let story = installed("evidence", 60).await;
    let mut traffic = Traffic::new(&story, 3, &|_| 60.0, &calm);
    traffic.while_it_is_tried(3).await;
    set_alarms(&story, FIRING);
    story.world.set_alarm(Colour::Green, "backend-green-slow", FIRING);
    traffic.turn().await;
    assert_eq!(story.phase(), "returning");

    // The candidate's own alarm decides, whatever else fires on live.
    let story = installed("evidence", 60).await;
    let mut traffic = Traffic::new(&story, 3, &|_| 60.0, &calm);
    traffic.while_it_is_tried(3).await;
    story.world.set_alarm(Colour::Green, "backend-green-errors", FIRING);
    story.world.set_alarm(Colour::Blue, "backend-blue-slow", FIRING);
    traffic.turn().await;
    assert_eq!(story.phase(), "returning");
}

#[tokio::test]
async fn a_step_that_is_over_before_requests_count_says_so() {
    let said = |strategy: &'static str| async move {
        let story = installed(strategy, 60).await;
        let mut traffic = Traffic::new(&story, 3, &|_| 60.0, &calm);
        let mut said = false;
        while story.phase() == "shifting" {
            said |= traffic.turn().await.iter().any(|reconciled| says(reconciled, "not_counted"));
        }
        said
    };
    assert!(said("canary:10%:10s").await);
    assert!(!said("canary:10%:30s").await);
}
