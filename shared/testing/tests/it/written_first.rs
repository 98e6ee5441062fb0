//! Nothing goes forward that was not written first: the swap proves that the pass was not overtaken.

use super::story::Story;
use greenlight::reconcile::Reconciled;
use release::{Colour, Drift, ScalingProcess, Weights};
use std::time::Duration;

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
async fn processes_are_resumed_only_after_a_swap() {
    let mut story = Story::with_live("AllAtOnce").await;
    story.policy.drift = Drift::Repair;
    story.tick().await;
    story.world.world.suspend(&story.world.service, &[ScalingProcess::Terminate]);
    is_written_before(&story.after(61).await, "resume_processes");
    assert_eq!(story.world.world.suspended_processes(&story.world.service), []);
}
