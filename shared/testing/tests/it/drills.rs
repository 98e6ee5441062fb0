//! A drill: the way back, played without users.

use super::reinstalls::comes_back;
use super::story::{Story, says, upload};
use greenlight::failure::Class;
use release::evidence::{Watched, Week, minute_of};
use release::{
    AlarmState, Colour, Command, CommandAnswer, DeploymentStatus, DrillEnd, Drilled, Offer, Purpose,
    Statement, TargetHealth, Weights, accept_drill,
};
use std::time::Duration;
use testing::{At, FaultAt, Kind};

pub(crate) const ALARM: &str = "backend-green-errors";

/// What an operator hears who asks for a drill, and says why.
pub(crate) async fn asks(story: &Story) -> CommandAnswer {
    let said = Statement::new("first Monday", Some("anna"));
    let (policy, now) = (story.policy, story.now());
    let change = |ledger| accept_drill(&ledger, &policy, said.as_ref(), now);
    let answer = story.try_amend(change).await.unwrap();
    story.tick().await;
    answer
}

/// A service on which release 3 is live on blue, and release 2 on green, some time after its rollback window.
pub(crate) async fn at_rest() -> Story {
    let mut story = Story::with_live("AllAtOnce").await;
    story.policy.rollback_window = Duration::from_secs(1800);
    story.release(2).await;
    story.after(3600).await;
    story.release(3).await;
    story.after(3600).await;
    assert_eq!(story.live(), Some((3, Colour::Blue)));
    story
}

/// The same with a drill whose alarm is set.
pub(crate) async fn drilling() -> Story {
    let story = at_rest().await;
    assert!(asks(&story).await.changed);
    story.install().await;
    story.after(5).await;
    assert_eq!(story.phase(), "drilling");
    story
}

/// The hooks of the drill hear that it is over and take green down, CodeDeploy says so, and what the drill has replaced is
/// installed again.
async fn stops(story: &Story) {
    let newest = story.world.newest().and_then(|(description, _)| description).unwrap();
    if newest.purpose == Purpose::Drill {
        story.world.end_newest(DeploymentStatus::Stopped);
    }
    story.world.set_health(Colour::Green, TargetHealth::Unhealthy);
    story.after(5).await;
    comes_back(story).await;
}

fn last(story: &Story) -> Drilled {
    *story.ledger().drilled.unwrap()
}

/// Green never had a share, and nothing tells of a release.
fn nobody_noticed(story: &Story, before: usize) {
    let changes = story.world.world.weight_changes(&story.world.service);
    assert!(
        changes[before..].iter().all(|change| change.weights.per_mille(Colour::Green) == 0),
        "{changes:?}"
    );
    assert_eq!(story.ledger().releases.iter().filter(|past| past.purpose == Purpose::Drill).count(), 0);
    story.is_at_rest();
}

#[tokio::test]
async fn a_drill_says_beforehand_what_it_replaces_and_how_long_the_way_back_took() {
    let story = at_rest().await;
    let told = story.world.told(&upload(3).revision);
    let receipts = story.world.world.receipts().len();
    let before = story.world.world.weight_changes(&story.world.service).len();
    let answer = asks(&story).await;
    assert_eq!(
        answer.says,
        "a drill: release 3 is installed once more, on green, without traffic; release 2 there is replaced, and installed again after the drill if it can take the traffic now; until then a rollback to it takes an installation; then an alarm of green is set, and the way back has to be taken within 60 s"
    );
    assert_eq!((story.phase(), story.share(Colour::Green)), ("installing", 0));
    let again = asks(&story).await;
    assert_eq!((again.changed, again.refused), (false, false), "an answer may be lost: {}", again.says);
    assert!(story.ledger().previous.unwrap().overwritten);
    story.install().await;
    story.after(5).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("drilling", 0));
    story.after(2).await;
    let after = story.ledger().open.unwrap();
    assert_eq!((after.purpose, after.upload), (Purpose::Reinstall, upload(2)), "obeyed at weight 0");
    story.world.set_alarm(Colour::Green, ALARM, AlarmState::Ok);
    stops(&story).await;
    let drilled = last(&story);
    assert_eq!((&drilled.end, drilled.alarm.as_deref()), (&DrillEnd::Passed, Some(ALARM)));
    assert_eq!(
        drilled.to_string(),
        "the drill with release 3 passed; from the setting of alarm backend-green-errors the rule was gone after 2.0 s, and all was as before after 2.0 s (anna: first Monday)"
    );
    nobody_noticed(&story, before);
    assert_eq!(story.world.told(&upload(3).revision), told);
    assert_eq!(story.world.world.receipts().len(), receipts);
    assert!(!story.ledger().previous.unwrap().overwritten);
    // The next release has a number and attempts of its own.
    assert_eq!(story.push(4).await, Offer::Opens);
    assert_eq!(story.ledger().open.unwrap().attempt, 1);
}

#[tokio::test]
async fn an_alarm_that_is_over_when_somebody_looks_was_heard_all_the_same() {
    let story = drilling().await;
    story.pass(Duration::from_secs(1));
    story.world.set_alarm(Colour::Green, ALARM, AlarmState::Ok);
    story.after(3).await;
    assert_eq!(last(&story).end, DrillEnd::Passed);
}

#[tokio::test]
async fn a_drill_is_refused_while_something_else_needs_its_colour() {
    let refused = async |story: &Story, why: &str| {
        let answer = asks(story).await;
        assert!(answer.refused && answer.says.contains(why), "{why}: {}", answer.says);
        assert_ne!(story.ledger().open.map(|open| open.purpose), Some(Purpose::Drill));
    };
    refused(&Story::new("AllAtOnce"), "no release is live yet").await;
    let mut story = Story::with_live("AllAtOnce").await;
    story.policy.rollback_window = Duration::from_secs(1800);
    story.release(2).await;
    story.after(120).await;
    refused(&story, "release 1 must stand by for another").await;
    story.after(1800).await;
    story.say(Command::Pause).await;
    refused(&story, "paused: say resume first").await;
    story.say(Command::Resume).await;
    let until = story.now().checked_add(Duration::from_secs(3600)).unwrap();
    let now = story.now();
    story.try_amend(|ledger| release::accept_freeze(&ledger, until, "holidays", now)).await.unwrap();
    refused(&story, "or until thaw: holidays").await;
    story.try_amend(|ledger| release::accept_thaw(&ledger, now)).await.unwrap();
    story.push(3).await;
    refused(&story, "release 3 is installing: wait for its end").await;
    story.say(Command::Abort).await;
    story.after(61).await;
    stops(&story).await;
    story.base_rule_moves(Weights::all_on(Colour::Blue));
    story.after(60).await;
    refused(&story, "not where the ledger says").await;
}

/// What nobody has seen when the operator was answered, the pass that begins it has.
#[tokio::test]
async fn a_drill_that_something_comes_before_is_not_held_later() {
    let story = at_rest().await;
    story.base_rule_moves(Weights::all_on(Colour::Green));
    let (policy, now) = (story.policy, story.now());
    story.try_amend(|ledger| accept_drill(&ledger, &policy, None, now)).await.unwrap();
    assert!(says(&story.tick().await, "drill_not_held"));
    story.base_rule_moves(Weights::all_on(Colour::Blue));
    story.minutes(3).await;
    assert_eq!((story.phase(), story.ledger().drilled), ("idle", None));
}

#[tokio::test]
async fn a_bundle_ends_a_drill_and_opens_next() {
    for installed in [false, true] {
        let story = if installed { drilling().await } else { at_rest().await };
        if !installed {
            asks(&story).await;
        }
        assert!(matches!(story.push(4).await, Offer::Supersedes { .. }));
        story.after(5).await;
        assert_eq!(story.ledger().open.unwrap().upload, upload(4));
        assert_eq!(last(&story).end, DrillEnd::GivenUp("superseded by 4".to_owned()));
    }
}

#[tokio::test]
async fn an_abort_gives_a_drill_up() {
    let story = drilling().await;
    assert!(story.say(Command::Abort).await.changed);
    stops(&story).await;
    assert_eq!(last(&story).end, DrillEnd::GivenUp("aborted by an operator".to_owned()));
    story.is_at_rest();
    assert!(story.world.world.announced().iter().all(|told| told.kind() != "needs-operator"));
}

/// Which subjects an operator was sent.
fn called(story: &Story) -> Vec<String> {
    let told = story.world.world.announced();
    let needs = told.iter().filter(|told| told.kind() == "needs-operator");
    needs.map(|told| told.subject("shop")).collect()
}

#[tokio::test]
async fn a_drill_whose_alarm_cannot_be_set_fails_and_calls_an_operator_once() {
    let story = at_rest().await;
    asks(&story).await;
    story.refuses(&["set_alarm"], Class::Permanent);
    story.install().await;
    story.after(5).await;
    story.after(5).await;
    stops(&story).await;
    assert!(matches!(last(&story).end, DrillEnd::Failed(why) if why.contains("cannot be set")));
    story.minutes(10).await;
    let called = called(&story);
    assert_eq!(called.len(), 1, "{called:?}");
    assert!(called[0].starts_with("[shop] backend needs an operator: the drill failed"), "{called:?}");
    story.is_at_rest();
}

#[tokio::test]
async fn a_call_that_sets_the_alarm_and_is_lost_is_made_again() {
    let story = at_rest().await;
    asks(&story).await;
    let lost = FaultAt { at: At::NthOf("set_alarm", 1), kind: Kind::Before(Class::Transient) };
    story.world.expect_faults(&[lost]);
    story.install().await;
    story.after(5).await;
    story.after(5).await;
    story.after(11).await;
    story.after(5).await;
    assert_eq!(last(&story).end, DrillEnd::Passed);
}

#[tokio::test]
async fn a_drill_whose_alarm_nobody_sees_fire_fails_after_a_minute() {
    let story = at_rest().await;
    asks(&story).await;
    // CloudWatch takes the call and does nothing.
    story.install().await;
    story.refuses(&["alarm_states"], Class::Transient);
    for _ in 0..40 {
        story.after(5).await;
    }
    stops(&story).await;
    assert!(matches!(last(&story).end, DrillEnd::Failed(_)), "{:?}", last(&story));
    story.world.expect_faults(&[]);
    story.world.set_alarm(Colour::Green, ALARM, AlarmState::Ok);
    story.after(60).await;
    comes_back(&story).await;
    story.is_at_rest();
}

#[tokio::test]
async fn a_drill_that_cannot_be_installed_fails_with_the_hooks_words() {
    let story = at_rest().await;
    asks(&story).await;
    story.world.fail_target("i-backend-1", "ApplicationStart: no space left on device");
    story.tick().await;
    stops(&story).await;
    assert!(matches!(last(&story).end, DrillEnd::Failed(why) if why.contains("no space left")));
    story.is_at_rest();
}

#[tokio::test]
async fn a_rule_that_does_not_go_within_a_minute_fails_the_drill() {
    let story = drilling().await;
    story.refuses(&["delete_release_rule"], Class::Transient);
    for _ in 0..13 {
        story.after(5).await;
    }
    story.world.expect_faults(&[]);
    story.after(5).await;
    stops(&story).await;
    let drilled = last(&story);
    assert!(
        matches!(&drilled.end, DrillEnd::Failed(why) if why.contains("not gone within 60 s")),
        "{drilled}"
    );
    story.is_at_rest();
}

/// Whatever is stored of a drill, it gets no weight.
#[tokio::test]
async fn a_ledger_that_says_that_a_drill_bakes_gives_it_nothing() {
    for phase in ["baking", "promoting", "shifting"] {
        let story = drilling().await;
        let mut text: serde_json::Value =
            serde_json::from_str(&story.world.world.ledger_text(&story.world.service).unwrap()).unwrap();
        let trial =
            serde_json::json!({ "raised": "decided", "unhealthy_since": null, "unknown_since": null });
        text["open"]["phase"] = phase.into();
        text["open"]["state"] = match phase {
            "baking" => trial,
            "promoting" => serde_json::json!({ "agreed": true, "trial": trial }),
            _ => serde_json::json!({ "step": 0, "trial": trial }),
        };
        story.world.world.put_ledger_text(&story.world.service, text.to_string());
        let before = story.world.world.weight_changes(&story.world.service).len();
        for _ in 0..20 {
            story.after(10).await;
        }
        stops(&story).await;
        for _ in 0..12 {
            story.after(10).await;
        }
        nobody_noticed(&story, before);
    }
}

/// As long as a drill is open nothing of the live colour is healed or taken back by itself.
#[tokio::test]
async fn a_drill_is_not_begun_while_the_live_colour_is_ill() {
    for heals in [true, false] {
        let mut story = at_rest().await;
        if heals {
            story.policy.heal_after = Duration::from_secs(300);
        }
        story.world.set_target_health("i-backend-1", Colour::Blue, TargetHealth::Unhealthy);
        asks(&story).await;
        assert_eq!((story.phase(), story.ledger().drilled), ("idle", None), "no pass had seen it before");
        let ailing = story.ledger().ailing;
        let answer = asks(&story).await;
        if heals {
            assert!(answer.refused && answer.says.contains("i-backend-1 of blue is ill"), "{}", answer.says);
            assert_eq!(story.ledger().ailing, ailing, "its time goes on");
            story.minutes(6).await;
            assert_eq!(story.world.world.replaced(&story.world.service).len(), 1);
        }
        assert!(!story.ledger().previous.unwrap().overwritten);
        story.world.set_target_health("i-backend-1", Colour::Blue, TargetHealth::Healthy);
        story.minutes(1).await;
        asks(&story).await;
        assert_eq!(story.phase(), "installing");
    }
}

#[tokio::test]
async fn a_drill_is_not_begun_while_an_alarm_of_the_live_colour_fires_or_is_unknown() {
    let story = at_rest().await;
    let is_not_held = async |why: &str| {
        let (policy, now) = (story.policy, story.now());
        story.try_amend(|ledger| accept_drill(&ledger, &policy, None, now)).await.unwrap();
        let done = story.tick().await;
        assert!(says(&done, "drill_not_held"), "{why}");
        assert_eq!((story.phase(), story.ledger().drill), ("idle", None), "{why}");
    };
    story.world.set_alarm(Colour::Blue, "backend-blue-errors", AlarmState::Firing);
    is_not_held("it fires").await;
    story.world.set_alarm(Colour::Blue, "backend-blue-errors", AlarmState::Ok);
    for unread in ["alarm_states", "target_health"] {
        story.refuses(&[unread], Class::Transient);
        is_not_held(unread).await;
    }
    story.world.expect_faults(&[]);
    asks(&story).await;
    assert_eq!(story.phase(), "installing");
}

/// Nothing that stops a release delays a rollback.
#[tokio::test]
async fn a_rollback_gives_a_drill_up_and_begins_when_it_has_ended() {
    for phase in ["installing", "drilling"] {
        let story = if phase == "installing" { at_rest().await } else { drilling().await };
        if phase == "installing" {
            assert!(asks(&story).await.changed);
        }
        assert_eq!(story.phase(), phase);
        let answer = story.say(Command::Rollback).await;
        assert!(
            answer.changed && answer.says.contains("then release 2 is installed again on green"),
            "{phase}: {}",
            answer.says
        );
        story.after(5).await;
        let open = story.ledger().open.unwrap();
        assert_eq!((open.purpose, open.upload), (Purpose::Release, upload(2)), "{phase}");
        assert!(open.rolls_back.is_some() && !story.ledger().rollback, "{phase}");
        assert!(matches!(last(&story).end, DrillEnd::GivenUp(_)), "{phase}: {:?}", last(&story).end);
    }
}

#[tokio::test]
async fn a_drill_waits_for_what_went_on_because_little_was_at_stake() {
    let story = at_rest().await;
    let week = Week::default();
    let from = minute_of(story.now());
    story
        .try_amend(|mut ledger| {
            let live = ledger.live.as_mut().unwrap();
            live.watched = Some(Watched { week, from, little: true, minutes: 0, asked_at: None });
            let answer = CommandAnswer { changed: true, refused: false, says: String::new() };
            (ledger, answer)
        })
        .await
        .unwrap();
    let answer = asks(&story).await;
    assert!(
        answer.refused && answer.says.contains("release 2 must stand by until they have"),
        "{}",
        answer.says
    );
    story.after(24 * 3600).await;
    assert!(asks(&story).await.changed, "a day is over");
}
