//! A preview: before its first weight a candidate can be asked by a header, and gets no weight while it can.

use super::story::{MINUTE, Story, says};
use greenlight::failure::Class;
use greenlight::reconcile::amend;
use release::{
    AlarmState, Colour, Command, CommandAnswer, DeploymentStatus, Preview, RuleArn, TargetHealth, Verdict,
    accept_preview,
};
use std::time::Duration;
use testing::{At, FaultAt, Kind};

/// How long after its rule was asked for a late call may still make it.
const LATE: u64 = 36;

async fn asks_for(story: &Story, seconds: u64) -> CommandAnswer {
    asks(story, Some(Duration::from_secs(seconds))).await
}

async fn asks(story: &Story, lasts: Option<Duration>) -> CommandAnswer {
    let now = story.now();
    let ports = story.world.ports();
    let answer = amend(&*ports, &story.world.service, |ledger| accept_preview(&ledger, lasts, now)).await;
    story.tick().await;
    answer.unwrap()
}

fn rule(story: &Story) -> Option<RuleArn> {
    story.world.world.preview_rule(&story.world.service)
}

fn calls(story: &Story, name: &str) -> usize {
    story.world.ports().calls().iter().filter(|call| **call == name).count()
}

/// Release 2 is installed on green, and its preview of five minutes stands since now.
async fn previewed(strategy: &str) -> Story {
    let story = Story::with_live(strategy).await;
    story.push(2).await;
    assert!(asks_for(&story, 300).await.changed);
    assert_eq!(rule(&story), None, "nothing can be asked yet");
    story.install().await;
    story.after(5).await;
    assert!(rule(&story).is_some(), "{strategy}");
    story.world.expect_faults(&[]);
    story
}

/// Release 2 is given up or taken back, to its end: nothing of it is left.
async fn is_taken_back(story: &Story) -> Verdict {
    for _ in 0..3 {
        story.after(61).await;
        story.world.end_newest(DeploymentStatus::Stopped);
    }
    story.tick().await;
    assert_eq!((story.phase(), story.live()), ("idle", Some((1, Colour::Blue))));
    story.is_at_rest();
    story.ledger().releases.pop().unwrap().verdict
}

#[tokio::test]
async fn while_a_preview_stands_the_first_weight_waits_and_its_rule_is_gone_before() {
    for strategy in ["AllAtOnce", "Canary10Percent5Minutes", "evidence"] {
        let story = previewed(strategy).await;
        for _ in 0..29 {
            assert!(says(&story.after(10).await, "previews"), "{strategy}");
            assert_eq!((story.share(Colour::Green), rule(&story).is_some()), (0, true), "{strategy}");
        }
        assert_eq!(calls(&story, "create_preview_rule"), 0, "one is enough");
        story.after(10).await;
        let calls = story.world.ports().calls();
        let of = |name| calls.iter().position(|call| *call == name);
        let (deleted, raised) = (of("delete_preview_rule").unwrap(), of("set_release_weights").unwrap());
        let looked = calls[deleted..raised].contains(&"rules");
        assert!(deleted < raised && looked, "{strategy}: {calls:?}");
        assert_eq!((rule(&story), story.share(Colour::Green) > 0), (None, true), "{strategy}");
    }
}

#[tokio::test]
async fn a_previewed_release_goes_live_as_every_other() {
    let story = previewed("AllAtOnce").await;
    story.after(300).await;
    story.minutes(2).await;
    story.codedeploy_agrees().await;
    assert_eq!(story.live(), Some((2, Colour::Green)));
    story.is_at_rest();
}

#[tokio::test]
async fn no_minute_in_which_a_preview_stood_is_asked_of_cloudwatch() {
    let story = previewed("evidence").await;
    story.after(300).await;
    let first = story.now();
    assert!(story.share(Colour::Green) > 0);
    let counted = story.ledger().open.unwrap().counted.unwrap();
    assert!(counted.counts_from().unwrap() >= first, "evidence begins with the first weight");
    assert!(counted.orders.iter().all(|order| order.at >= first));
}

#[tokio::test]
async fn resume_and_promote_end_a_preview_and_a_late_call_makes_no_rule_behind_the_weight() {
    for command in [Command::Resume, Command::Promote] {
        let story = previewed("Canary10Percent5Minutes").await;
        assert!(story.say(command).await.changed);
        assert_eq!((rule(&story), story.share(Colour::Green)), (None, 0), "{command:?}");
        story.after(LATE - 6).await;
        assert_eq!(story.share(Colour::Green), 0, "{command:?}: a call may still be under way");
        story.after(6).await;
        assert!(story.share(Colour::Green) > 0, "{command:?}");
    }
    let story = previewed("AllAtOnce").await;
    story.say(Command::Pause).await;
    story.after(300).await;
    assert_eq!((rule(&story), story.share(Colour::Green)), (None, 0), "a pause keeps no preview");
    assert!(says(&story.after(60).await, "paused"));
}

#[tokio::test]
async fn a_preview_that_begins_late_takes_no_release_back() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    story.install().await;
    story.say(Command::Pause).await;
    story.minutes(20).await;
    assert!(asks_for(&story, 300).await.changed);
    story.after(5).await;
    assert!(rule(&story).is_some(), "longer after it could begin than an installation may take");
    story.minutes(6).await;
    assert_eq!((story.phase(), rule(&story), story.share(Colour::Green)), ("baking", None, 0));
    story.say(Command::Resume).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("baking", 1000));
    // Not so late that no pause stands any more, either, and facts may be unknown for a moment when it ends.
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    story.install().await;
    story.say(Command::Pause).await;
    story.minutes(20).await;
    asks_for(&story, 300).await;
    story.after(5).await;
    assert!(story.say(Command::Resume).await.says.contains("still paused"));
    story.refuses(&["alarms"], Class::Transient);
    story.say(Command::Resume).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("baking", 0));
    story.world.expect_faults(&[]);
    story.after(LATE).await;
    assert_eq!(story.share(Colour::Green), 1000);
}

#[tokio::test]
async fn resume_ends_a_preview_and_lifts_no_pause_of_somebody_else() {
    let story = previewed("AllAtOnce").await;
    story.say(Command::Pause).await;
    let says = story.say(Command::Resume).await.says;
    assert_eq!(says, "the preview of release 2 is over; still paused: resume once more");
    story.after(300).await;
    assert_eq!((rule(&story), story.share(Colour::Green), story.ledger().paused), (None, 0, true));
    assert_eq!(story.say(Command::Resume).await.says, "goes on (baking)");
    assert_eq!((story.share(Colour::Green), story.ledger().paused), (1000, false));
}

#[tokio::test]
async fn what_takes_a_release_back_takes_its_preview_and_waits_for_nothing() {
    let aborted = previewed("AllAtOnce").await;
    aborted.say(Command::Abort).await;
    assert_eq!((rule(&aborted), aborted.world.rules().release), (None, None), "both in the same wake");
    assert!(matches!(is_taken_back(&aborted).await, Verdict::Rejected { .. }));

    let failed = previewed("AllAtOnce").await;
    failed.world.set_target_health("i-backend-1", Colour::Green, TargetHealth::Unhealthy);
    failed.after(5).await;
    failed.after(30).await;
    assert_eq!((failed.phase(), rule(&failed)), ("idle", None));

    let superseded = previewed("AllAtOnce").await;
    superseded.push(3).await;
    let opened = superseded.ledger().open.map(|open| open.upload.number.0);
    assert_eq!((superseded.phase(), opened, rule(&superseded)), ("installing", Some(3), None));
}

#[tokio::test]
async fn a_previews_rule_that_cannot_be_deleted_holds_the_weight_for_a_time_and_no_way_back() {
    for class in [Class::Permanent, Class::Transient] {
        let story = previewed("AllAtOnce").await;
        story.refuses(&["delete_preview_rule"], class);
        story.after(300).await;
        story.minutes(14).await;
        assert_eq!((story.phase(), story.share(Colour::Green)), ("baking", 0), "{class:?}");
        story.minutes(2).await;
        let ledger = story.ledger();
        let open = ledger.open.unwrap();
        assert_eq!(
            (open.phase.word(), open.attempt),
            ("installing", 2),
            "{class:?}: it waits for no preview"
        );
        assert!(rule(&story).is_some() && open.preview.is_none());
        // As soon as it can be it is, and the release goes on.
        story.world.expect_faults(&[]);
        story.install().await;
        story.after(5).await;
        assert_eq!((rule(&story), story.share(Colour::Green)), (None, 1000), "{class:?}");
    }
}

#[tokio::test]
async fn a_release_whose_preview_gets_no_rule_goes_on_without_one() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    asks_for(&story, 300).await;
    story.refuses(&["create_preview_rule"], Class::Permanent);
    story.install().await;
    assert!(says(&story.after(5).await, "no_preview"));
    story.after(LATE).await;
    assert_eq!(story.share(Colour::Green), 1000);

    // A rule that is not ours stands there, or the load balancer is out of order.
    for class in [Class::Conflict, Class::Transient] {
        let story = Story::with_live("AllAtOnce").await;
        story.push(2).await;
        asks_for(&story, 300).await;
        story.refuses(&["create_preview_rule"], class);
        story.install().await;
        story.after(5).await;
        story.after(50).await;
        assert_eq!(story.share(Colour::Green), 0, "{class:?}: it is asked for again");
        assert!(says(&story.after(10).await, "no_preview"), "{class:?}");
        let why = story.ledger().open.unwrap().preview.unwrap().refused.unwrap();
        assert_eq!(why.contains("none within 60 s"), class == Class::Transient, "{why}");
        story.after(LATE).await;
        assert_eq!(story.share(Colour::Green), 1000, "{class:?}");
    }
}

#[tokio::test]
async fn a_lost_reply_leaves_no_rule_that_nobody_knows() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    asks_for(&story, 300).await;
    let lost = Kind::After(Class::OutcomeUnknown);
    story.world.expect_faults(&[FaultAt { at: At::NthOf("create_preview_rule", 1), kind: lost }]);
    story.install().await;
    story.after(5).await;
    let unknown = rule(&story).unwrap();
    story.after(11).await;
    story.after(5).await;
    let known = story.ledger().open.unwrap().preview.unwrap().rule;
    assert!(known.is_some() && known == rule(&story) && known != Some(unknown));
}

#[tokio::test]
async fn a_left_over_preview_is_cleared_in_every_phase_that_looks() {
    let story = Story::with_live("Canary10Percent5Minutes").await;
    let put = || story.world.world.put_preview_rule(&story.world.service, Some("arn:left-over"));
    put();
    assert!(says(&story.after(60).await, "deletes_preview"));
    story.is_at_rest();
    story.push(2).await;
    story.install().await;
    story.after(5).await;
    assert_eq!(story.share(Colour::Green), 100);
    put();
    story.after(60).await;
    assert_eq!((rule(&story), story.share(Colour::Green)), (None, 100));
}

#[tokio::test]
async fn a_preview_that_is_asked_for_again_stays_and_with_another_time_begins_anew() {
    let story = previewed("AllAtOnce").await;
    let same = asks_for(&story, 300).await;
    assert!(!same.changed && !same.refused && same.says.contains("until"), "{}", same.says);
    story.after(200).await;
    assert!(asks_for(&story, 240).await.changed);
    story.after(230).await;
    assert_eq!((rule(&story).is_some(), story.share(Colour::Green)), (true, 0));
    story.after(10).await;
    assert_eq!((rule(&story), story.share(Colour::Green)), (None, 1000));
    assert_eq!(calls(&story, "create_preview_rule"), 0, "it is the same rule");
}

#[tokio::test]
async fn who_asks_for_a_preview_without_a_time_changes_none_that_stands() {
    let story = previewed("AllAtOnce").await;
    let until = story.ledger().open.unwrap().preview.unwrap().until.unwrap();
    story.after(100).await;
    let same = asks(&story, None).await;
    assert!(!same.changed && !same.refused, "{}", same.says);
    assert_eq!(same.says, format!("release 2 can be asked with the header until {until}"));
    let shorter = asks_for(&story, 60).await;
    assert!(shorter.changed, "{}", shorter.says);
    let says = format!("that is sooner than before: it was until {until}");
    assert!(shorter.says.ends_with(&says), "{}", shorter.says);
    assert!(!asks_for(&story, 400).await.says.contains("sooner than before"));

    let early = Story::with_live("AllAtOnce").await;
    early.push(2).await;
    assert!(asks_for(&early, 1200).await.changed);
    let same = asks(&early, None).await;
    assert!(!same.changed && same.says.contains("for 20m from when"), "{}", same.says);
    let shorter = asks_for(&early, 300).await.says;
    assert!(shorter.ends_with("that is less than before: it was 20m"), "{shorter}");
}

#[tokio::test]
async fn another_attempt_has_the_preview_again_that_had_not_ended() {
    for ended in [false, true] {
        let story = previewed("AllAtOnce").await;
        if ended {
            story.say(Command::Resume).await;
        }
        story.world.lose_instance("i-backend-2");
        story.after(5).await;
        story.after(10).await;
        assert_eq!((story.phase(), rule(&story)), ("returning", None));
        story.world.join_instance("i-backend-3", Colour::Blue);
        story.after(61).await;
        let open = story.ledger().open.unwrap();
        let asked = open.preview.map(|preview| (preview.lasts, preview.begun_at));
        let expected = (!ended).then_some((Duration::from_secs(300), None));
        assert_eq!((open.attempt, asked), (2, expected), "{ended}");
    }
}

#[tokio::test]
async fn a_preview_means_something_only_before_a_release_has_weight() {
    let refused = |answer: CommandAnswer| {
        assert!(answer.refused && !answer.changed, "{}", answer.says);
        answer.says
    };
    let idle = Story::with_live("Canary10Percent5Minutes").await;
    assert!(refused(idle.say(Command::Preview).await).contains("no release is open"));
    idle.push(2).await;
    assert!(refused(asks_for(&idle, 59).await).contains("1m at least and 30m at most"));
    assert!(refused(asks_for(&idle, 1801).await).contains("1m at least and 30m at most"));
    idle.install().await;
    idle.after(5).await;
    assert!(refused(idle.say(Command::Preview).await).contains("before a release has traffic"));
    idle.say(Command::Abort).await;
    assert!(refused(idle.say(Command::Preview).await).contains("is being given up"));
    let first = Story::new("AllAtOnce");
    first.push(1).await;
    assert!(refused(first.say(Command::Preview).await).contains("the first of its service"));
    let returns = Story::with_two().await;
    returns.say(Command::Rollback).await;
    assert!(refused(returns.say(Command::Preview).await).contains("for releases alone"));
}

#[tokio::test]
async fn a_preview_leaves_what_the_rest_of_its_release_needs_of_the_hour() {
    let mut story = Story::with_live("AllAtOnce").await;
    story.policy.bake = Duration::from_secs(30 * MINUTE);
    story.policy.install_deadline = Duration::from_secs(20 * MINUTE);
    story.push(2).await;
    let says = asks_for(&story, 30 * MINUTE).await.says;
    assert!(says.contains("has 28m to spare; ask for 28m or less"), "{says}");
    assert!(asks_for(&story, 20 * MINUTE).await.changed);
    // The installation takes so long that less is left.
    story.after(15 * MINUTE).await;
    story.install().await;
    story.after(5).await;
    let until = story.ledger().open.unwrap().preview.unwrap().until.unwrap();
    let opened = story.ledger().open.unwrap().opened_at;
    assert_eq!(until.duration_since(opened).as_mins(), 28);
}

#[tokio::test]
async fn the_alarms_of_a_candidate_that_is_previewed_hold_its_weight_and_take_nothing_back() {
    let story = previewed("AllAtOnce").await;
    story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Firing);
    story.after(60).await;
    assert!(rule(&story).is_some(), "whoever looks may see it fail");
    story.after(240).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("baking", 0));
    story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Ok);
    story.after(60).await;
    assert_eq!(story.share(Colour::Green), 1000);
}

#[tokio::test]
async fn who_waits_for_a_previewed_release_reads_it_and_so_does_status() {
    let story = previewed("AllAtOnce").await;
    story.tick().await;
    let says = story.world.world.summary(&story.world.service).unwrap().open.and_then(|open| open.says);
    assert!(says.is_some_and(|says| says.starts_with("a preview stands")));
    let status = story.say(Command::Status).await.says;
    assert!(status.contains("a preview stands, no traffic before it is over at"), "{status}");
    assert_eq!(Preview::USUAL, Duration::from_secs(600));
}
