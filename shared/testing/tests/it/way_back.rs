//! The way back when the state bucket refuses.

use super::story::{SECOND, Story, upload};
use greenlight::failure::Class;
use greenlight::reconcile::{NoLedger, Reconciled, reconcile_all};
use release::pass::WayBack;
use release::{AlarmState, Colour, Creator, DeploymentStatus, TargetHealth, Wake, Weights};
use std::collections::BTreeMap;
use testing::{At, FaultAt, Faulty, Kind, World};

fn refuses(calls: &[&'static str]) -> Vec<FaultAt> {
    let fault = |name: &&'static str| FaultAt { at: At::Every(name), kind: Kind::Before(Class::Permanent) };
    calls.iter().map(fault).collect()
}

/// What the alarm function and the tick do.
async fn wake(story: &Story) -> Result<Reconciled, NoLedger> {
    let services = std::iter::once((&story.world.service, &story.policy));
    reconcile_all(&*story.world.ports(), services, story.world.world, Wake::Event).await.remove(0).1
}

async fn shifting() -> Story {
    let story = Story::shifting("canary:10%:20m").await;
    assert_eq!(story.share(Colour::Green), 100);
    story
}

fn alarm(story: &Story) {
    story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Firing);
}

#[tokio::test]
async fn a_ledger_that_cannot_be_read_does_not_keep_the_traffic_on_a_bad_candidate() {
    let story = shifting().await;
    alarm(&story);
    story.world.expect_faults(&refuses(&["read_ledger", "write_ledger"]));
    let no_ledger = wake(&story).await.unwrap_err();
    let WayBack::Taken { candidate, alarm, stopped, .. } = no_ledger.way_back.unwrap() else {
        panic!("it was not taken")
    };
    assert_eq!((candidate, alarm.as_str(), stopped.is_some()), (Colour::Green, "backend-green-errors", true));
    assert_eq!(story.share(Colour::Green), 0);
    let calls = story.world.ports().calls();
    let gone = calls.iter().position(|call| *call == "delete_release_rule").unwrap();
    assert!(gone < 8, "{calls:?}");
    assert_eq!(story.world.newest().unwrap().1, DeploymentStatus::Stopped);
    // The bucket answers again: the ledger learns what was done, and why.
    story.world.expect_faults(&[]);
    story.tick().await;
    assert_eq!(story.phase(), "returning");
    story.after(61).await;
    story.is_at_rest();
    let reason = story.ledger().releases.last().unwrap().verdict.reason();
    assert!(reason.starts_with("alarm backend-green-errors fired"), "{reason}");
}

#[tokio::test]
async fn an_alarm_that_is_over_before_the_ledger_can_be_read_is_the_reason_all_the_same() {
    // With and without a deployment that could be stopped meanwhile.
    for refused in [&["read_ledger"][..], &["read_ledger", "stop_deployment"]] {
        for strategy in ["canary:10%:20m", "evidence", "AllAtOnce"] {
            let story = Story::shifting(strategy).await;
            story.after(10).await;
            assert!(story.share(Colour::Green) > 0);
            story.pass(SECOND * 20);
            alarm(&story);
            story.world.expect_faults(&refuses(refused));
            wake(&story).await.unwrap_err();
            assert_eq!(story.share(Colour::Green), 0);
            story.pass(SECOND * 240);
            story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Ok);
            story.world.expect_faults(&[]);
            story.after(60).await;
            story.after(60).await;
            story.minutes(3).await;
            story.is_at_rest();
            let reason = story.ledger().releases.last().unwrap().verdict.reason();
            assert!(reason.starts_with("alarm backend-green-errors fired"), "{strategy}: {reason}");
        }
    }
}

#[tokio::test]
async fn a_rule_that_is_deleted_by_hand_is_told_as_such_whatever_fired_before_the_last_raise_or_on_live() {
    for had_weight in [false, true] {
        let story = Story::with_live("canary:10%:20m").await;
        story.push(2).await;
        // It holds the first raise.
        alarm(&story);
        story.install().await;
        story.after(5).await;
        story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Ok);
        if had_weight {
            story.after(5).await;
            story.pass(SECOND * 60);
            for state in [AlarmState::Firing, AlarmState::Ok] {
                story.world.set_alarm(Colour::Blue, "backend-blue-errors", state);
            }
        }
        assert_eq!(story.share(Colour::Green) > 0, had_weight);
        story.world.world.delete_release_rule_by_hand(&story.world.service);
        story.after(5).await;
        story.after(11).await;
        story.minutes(3).await;
        story.is_at_rest();
        let reason = story.ledger().releases.last().unwrap().verdict.reason();
        assert!(reason.starts_with("the release's rule was deleted"), "{reason}");
    }
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_does_not_either() {
    let story = shifting().await;
    alarm(&story);
    story.world.expect_faults(&refuses(&["write_ledger"]));
    assert!(!wake(&story).await.unwrap().failures.is_empty());
    assert_eq!(story.share(Colour::Green), 0);
    let calls = story.world.ports().calls();
    let at = |name: &str| calls.iter().position(|call| *call == name).unwrap();
    assert!(at("delete_release_rule") < 6 && at("delete_release_rule") < at("write_ledger"), "{calls:?}");
    story.world.expect_faults(&[]);
    story.tick().await;
    story.after(61).await;
    story.is_at_rest();
}

#[tokio::test]
async fn without_a_firing_alarm_of_the_candidate_nothing_is_changed() {
    for (colour, state) in [
        (Colour::Blue, AlarmState::Firing),
        (Colour::Green, AlarmState::NoData),
        (Colour::Green, AlarmState::Missing),
    ] {
        let story = shifting().await;
        story.world.set_alarm(colour, "x", state);
        story.world.expect_faults(&refuses(&["read_ledger"]));
        assert_eq!(wake(&story).await.unwrap_err().way_back.unwrap(), WayBack::NotNeeded);
        assert_eq!(story.share(Colour::Green), 100);
        assert!(story.world.is_deploying());
    }
}

#[tokio::test]
async fn the_open_deployment_names_the_candidate_whatever_the_base_rule_says() {
    for base in [Weights::all_on(Colour::Green), Weights::share(Colour::Green, 50)] {
        let story = shifting().await;
        story.world.world.set_base(&story.world.service, base);
        story.world.expect_faults(&refuses(&["read_ledger"]));
        // Where the base rule is believed, the live colour is taken for the candidate.
        story.world.set_alarm(Colour::Blue, "backend-blue-errors", AlarmState::Firing);
        assert_eq!(wake(&story).await.unwrap_err().way_back.unwrap(), WayBack::NotNeeded);
        assert_eq!(story.share(Colour::Green), 100);
        // Without the release's rule traffic would follow the base rule: the rule stays, with nothing for the candidate.
        alarm(&story);
        let taken = wake(&story).await.unwrap_err().way_back.unwrap();
        assert!(matches!(taken, WayBack::Taken { candidate: Colour::Green, by: "set_release_weights", .. }));
        assert_eq!(story.share(Colour::Green), 0);
        assert_eq!(story.world.newest().unwrap().1, DeploymentStatus::Stopped);
    }
}

#[tokio::test]
async fn without_a_ledger_only_a_deployment_on_the_candidate_is_stopped() {
    let story = shifting().await;
    let mut description = story.world.newest().unwrap().0.unwrap();
    story.world.end_newest(DeploymentStatus::Stopped);
    // A late pass of an earlier release has left one on the colour that is live.
    description.colour = Colour::Blue;
    let service = &story.world.service;
    let left =
        story.world.world.add_deployment(service, Creator::User, Some(description), upload(1).revision);
    alarm(&story);
    story.world.expect_faults(&refuses(&["read_ledger"]));
    let taken = wake(&story).await.unwrap_err().way_back.unwrap();
    assert!(matches!(taken, WayBack::Taken { candidate: Colour::Green, stopped: None, .. }), "{taken:?}");
    assert_eq!(story.world.world.active_deployment(service).map(|active| active.id), Some(left));
}

#[tokio::test]
async fn where_neither_tags_nor_codedeploy_nor_the_base_rule_name_the_candidate_nothing_is_changed() {
    let story = shifting().await;
    alarm(&story);
    story.world.world.set_base(&story.world.service, Weights::share(Colour::Green, 50));
    story.world.expect_faults(&refuses(&["read_ledger", "active_deployment", "rule_owner"]));
    let held = wake(&story).await.unwrap_err().way_back.unwrap();
    assert_eq!(held, WayBack::NoCandidate { alarm: "backend-green-errors".to_owned() });
    assert_eq!(story.share(Colour::Green), 100);
}

#[tokio::test]
async fn the_tags_of_the_rule_name_the_candidate_where_codedeploy_and_the_base_rule_do_not() {
    let story = shifting().await;
    alarm(&story);
    story.world.world.set_base(&story.world.service, Weights::share(Colour::Green, 50));
    story.world.expect_faults(&refuses(&["read_ledger", "active_deployment"]));
    let taken = wake(&story).await.unwrap_err().way_back.unwrap();
    assert!(matches!(taken, WayBack::Taken { candidate: Colour::Green, .. }), "{taken:?}");
    assert_eq!(story.share(Colour::Green), 0);
}

#[tokio::test]
async fn without_a_ledger_an_alarm_of_the_live_colour_moves_nothing_to_where_another_hand_has_set_the_base_rule()
 {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    story.world.end_newest(DeploymentStatus::Failed);
    // Behind the release's rule, all of which is on blue.
    story.base_rule_moves(Weights::all_on(Colour::Green));
    story.world.set_health(Colour::Green, TargetHealth::Healthy);
    story.world.set_alarm(Colour::Blue, "backend-blue-errors", AlarmState::Firing);
    story.refuses(&["read_ledger"], Class::Permanent);
    assert_eq!(wake(&story).await.unwrap_err().way_back.unwrap(), WayBack::NotNeeded);
    assert_eq!(story.share(Colour::Blue), 1000);
}

#[tokio::test]
async fn without_a_ledger_an_alarm_takes_nothing_from_what_codedeploy_has_called_a_success() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    story.install().await;
    while story.phase() != "promoting" {
        story.after(61).await;
    }
    story.refuses(&["delete_release_rule"], Class::Transient);
    story.codedeploy_agrees().await;
    assert!(story.world.rules().release.is_some() && story.world.rules().base.are_all_on(Colour::Green));
    alarm(&story);
    story.refuses(&["read_ledger"], Class::Permanent);
    assert_eq!(wake(&story).await.unwrap_err().way_back.unwrap(), WayBack::NotNeeded);
    assert_eq!(story.share(Colour::Green), 1000);
}

#[tokio::test]
async fn unreadable_alarms_or_rules_change_nothing_and_are_a_failure() {
    for call in ["alarm_states", "rules"] {
        let story = shifting().await;
        alarm(&story);
        story.world.expect_faults(&refuses(&["read_ledger", call]));
        assert!(wake(&story).await.unwrap_err().way_back.is_err());
        assert_eq!(story.share(Colour::Green), 100);
    }
}

#[tokio::test]
async fn a_deployment_that_cannot_be_stopped_is_stopped_by_a_later_pass() {
    for call in ["active_deployment", "stop_deployment"] {
        let story = shifting().await;
        alarm(&story);
        story.world.expect_faults(&refuses(&["read_ledger", call]));
        let taken = wake(&story).await.unwrap_err().way_back.unwrap();
        assert!(matches!(taken, WayBack::Taken { stopped: None, not_stopped: Some(_), .. }), "{taken:?}");
        assert_eq!(story.share(Colour::Green), 0);
        story.world.expect_faults(&[]);
        story.tick().await;
        story.after(61).await;
        story.is_at_rest();
    }
}

#[tokio::test]
async fn whatever_the_ledger_says_it_heals_after_the_way_back_was_taken_without_it() {
    // The bucket lost the last writes: the ledger is one of an earlier time.
    for earlier in ["idle", "installing", "shifting"] {
        let story = Story::with_live("canary:10%:20m").await;
        let mut ledger = story.ledger();
        for (phase, go_on) in [("installing", 0), ("shifting", 1)] {
            match go_on {
                0 => drop(story.push(2).await),
                _ => story.install().await,
            }
            if earlier == phase {
                ledger = story.ledger();
            }
        }
        story.after(5).await;
        assert_eq!(story.share(Colour::Green), 100);
        alarm(&story);
        story.world.expect_faults(&refuses(&["read_ledger"]));
        assert!(wake(&story).await.is_err());
        story.world.expect_faults(&[]);
        story.world.world.put_ledger(&ledger);
        for _ in 0..5 {
            story.after(61).await;
        }
        story.is_at_rest();
        assert_eq!(story.live(), Some((1, Colour::Blue)), "with a ledger that was {earlier}");
        assert_eq!(story.share(Colour::Green), 0);
    }
}

#[tokio::test]
async fn a_bug_keeps_no_firing_candidate_from_being_taken_back() {
    let story = shifting().await;
    alarm(&story);
    let ports = Faulty::new(story.world.world, []).meanwhile(At::NthOf("deployment", 1), || panic!("a bug"));
    let services = std::iter::once((&story.world.service, &story.policy));
    let mut done = reconcile_all(&ports, services, story.world.world, Wake::Event).await;
    let no_ledger = done.remove(0).1.unwrap_err();
    assert_eq!(no_ledger.failure.class(), Class::Bug);
    assert!(matches!(no_ledger.way_back, Ok(WayBack::Taken { candidate: Colour::Green, .. })));
    assert_eq!(story.share(Colour::Green), 0);
}

#[tokio::test]
async fn a_bug_that_one_service_meets_keeps_no_other_from_being_carried_on() {
    let world = World::new(&["backend", "frontend"]);
    let policy = super::story::policy("AllAtOnce");
    let services = ["backend", "frontend"].map(testing::service);
    let all = || services.iter().map(|service| (service, &policy));
    for bugs in [1, 2] {
        let ports = Faulty::new(&world, []);
        let ports = ports.meanwhile(At::NthOf("read_ledger", bugs), || panic!("a bug"));
        let done = reconcile_all(&ports, all(), &world, Wake::Event).await;
        let done: BTreeMap<_, _> = done.into_iter().map(|(service, done)| (service, done.is_ok())).collect();
        assert_eq!(done.values().filter(|done| **done).count(), 1, "{done:?}");
    }
}

#[tokio::test]
async fn without_a_ledger_a_base_rule_on_a_colour_that_is_down_is_not_believed() {
    let story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    story.world.end_newest(DeploymentStatus::Failed);
    story.world.set_alarm(Colour::Blue, "backend-blue-errors", AlarmState::Firing);
    story.base_rule_moves(Weights::all_on(Colour::Green));
    story.refuses(&["read_ledger", "rule_owner"], Class::Permanent);
    let no_ledger = wake(&story).await.unwrap_err();
    assert!(matches!(no_ledger.way_back, Ok(WayBack::NoCandidate { .. })), "{:?}", no_ledger.way_back);
    assert_eq!(story.share(Colour::Green), 0);
}
