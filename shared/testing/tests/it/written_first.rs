//! Nothing goes forward that was not written first: the swap proves that the pass was not overtaken.

use super::story::Story;
use greenlight::failure::Class;
use greenlight::reconcile::Reconciled;
use release::{AlarmState, Colour, Drift, ScalingProcess, Wake, Weights};
use std::time::Duration;
use testing::{At, FaultAt, Kind};

#[track_caller]
fn is_written_before(reconciled: &Reconciled, action: &str) {
    let done: Vec<&str> = reconciled.passes[0].done.iter().map(|(word, _)| word.as_str()).collect();
    let acted = done.iter().position(|word| *word == action);
    assert!(acted.is_some_and(|acted| done[..acted].contains(&"commit")), "{action} in {done:?}");
}

#[tokio::test]
async fn the_base_rule_behind_a_release_is_repaired_only_after_a_swap() {
    let mut story = Story::with_live("AllAtOnce").await;
    story.policy.drift = Drift::Repair;
    story.policy.bake = Duration::from_mins(10);
    story.push(2).await;
    story.install().await;
    story.after(5).await;
    story.after(5).await;
    story.world.world.set_base(&story.world.service, Weights::all_on(Colour::Green));
    is_written_before(&story.after(5).await, "set_base_weights");
    assert!(story.world.rules().base.are_all_on(Colour::Blue));
}

#[tokio::test]
async fn a_way_back_returns_traffic_at_once_and_moves_the_base_rule_behind_it_after_a_swap() {
    let story = Story::shifting("canary:10%:20m").await;
    story.base_rule_moves(Weights::all_on(Colour::Green));
    story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Firing);
    let lost = FaultAt { at: At::NthOf("write_ledger", 1), kind: Kind::Before(Class::Conflict) };
    story.world.expect_faults(&[lost]);
    story.wake(Wake::Question).await;
    assert_eq!(story.share(Colour::Green), 0, "the release's rule needs no swap");
    assert!(story.world.rules().base.are_all_on(Colour::Green), "whoever was first counts no drain for it");
    story.world.expect_faults(&[]);
    is_written_before(&story.after(5).await, "set_base_weights");
    assert_eq!((story.share(Colour::Green), story.phase()), (0, "returning"));
    story.after(59).await;
    assert_eq!(story.phase(), "returning", "green serves late requests");
    story.after(1).await;
    story.is_at_rest();
}

#[tokio::test]
async fn processes_are_resumed_only_after_a_swap() {
    let mut story = Story::with_live("AllAtOnce").await;
    story.policy.drift = Drift::Repair;
    story.tick().await;
    story.world.world.suspend(&story.world.service, &[ScalingProcess::Terminate]);
    is_written_before(&story.after(61).await, "resume_processes");
    assert_eq!(story.world.world.suspended_processes(&story.world.service), []);
}
