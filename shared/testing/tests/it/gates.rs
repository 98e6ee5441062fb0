//! A gate: nothing gets weight, and nothing is called a success, before it has said yes. Silence is no.

use super::story::{MINUTE, Story, says, upload};
use greenlight::failure::Class;
use greenlight::reconcile::{Reconciled, Reported, amend, read, reconcile_from};
use release::{
    AlarmState, Before, Colour, Command, DeploymentStatus, GateAnswer, GateQuestion, GateReport, Policy,
    TargetHealth, Wake, ask_gate,
};
use std::time::Duration;
use testing::{At, FaultAt, Kind};

const DEADLINE: u64 = 120;

/// Release 1 is live on blue, and whatever opens from now on has a gate.
async fn gated(strategy: &str) -> Story {
    let mut story = Story::with_live(strategy).await;
    story.policy.gate = Duration::from_secs(DEADLINE);
    story
}

/// Release 2 is installed on green, and waits for the gate since now.
async fn at_the_gate(strategy: &str) -> Story {
    let story = gated(strategy).await;
    story.push(2).await;
    story.install().await;
    assert!(says(&story.after(5).await, "waits_for_gate"));
    story.world.expect_faults(&[]);
    story
}

/// What the gate would be asked now, which is written down.
async fn question(story: &Story) -> Option<GateQuestion> {
    let now = story.now();
    amend(&*story.world.ports(), &story.world.service, |ledger| ask_gate(ledger, now)).await.unwrap()
}

/// A pass that a hook's question woke is told this of the gate.
async fn hears(story: &Story, report: Option<GateReport>) -> Reconciled {
    let ports = story.world.ports();
    let known = read(&*ports, &story.world.service).await.unwrap();
    let reported = Reported { gate: report, ..Reported::default() };
    reconcile_from(
        &*ports,
        &story.world.service,
        &story.policy,
        story.world.world,
        Wake::Question,
        known,
        reported,
    )
    .await
    .unwrap()
}

/// A hook asks after five seconds, the gate is asked, and says this.
async fn gate_says(story: &Story, answer: GateAnswer) -> Reconciled {
    story.pass(Duration::from_secs(5));
    let question = question(story).await.expect("the gate is asked");
    hears(story, Some(question.answered(answer))).await
}

fn no(reason: &str) -> GateAnswer {
    GateAnswer::No { reason: reason.to_owned() }
}

fn not_yet(why: &str) -> GateAnswer {
    GateAnswer::NotYet { why: why.to_owned() }
}

/// Release 2 has its first yes, has baked, and waits for the second one since now.
async fn before_promotion(strategy: &str) -> Story {
    let story = at_the_gate(strategy).await;
    gate_says(&story, GateAnswer::Yes).await;
    for _ in 0..10 {
        if says(&story.after(61).await, "waits_for_gate") {
            break;
        }
    }
    assert_eq!((story.phase(), story.share(Colour::Green)), ("baking", 1000), "{strategy}");
    story.after(DEADLINE - 60).await;
    assert_eq!(story.phase(), "baking", "{strategy}: it waits");
    story
}

/// The way back is gone to its end; what the verdict says.
async fn goes_back(story: &Story) -> String {
    for _ in 0..3 {
        story.after(61).await;
        story.world.end_newest(DeploymentStatus::Stopped);
    }
    story.tick().await;
    assert_eq!((story.phase(), story.live()), ("idle", Some((1, Colour::Blue))));
    assert_eq!(story.share(Colour::Green), 0);
    story.ledger().releases.pop().unwrap().verdict.reason()
}

fn was_raised(story: &Story) -> bool {
    story.world.ports().calls().contains(&"set_release_weights")
}

#[tokio::test]
async fn nothing_gets_weight_before_the_first_yes_and_nothing_is_a_success_before_the_second() {
    for strategy in ["AllAtOnce", "Canary10Percent5Minutes"] {
        let story = at_the_gate(strategy).await;
        for _ in 0..5 {
            gate_says(&story, not_yet("it said wait")).await;
            story.after(10).await;
        }
        assert_eq!((was_raised(&story), story.share(Colour::Green)), (false, 0), "{strategy}");
        gate_says(&story, GateAnswer::Yes).await;
        assert!(story.share(Colour::Green) > 0, "{strategy}");
        let story = before_promotion(strategy).await;
        gate_says(&story, GateAnswer::Yes).await;
        assert_eq!(story.phase(), "promoting", "{strategy}");
        story.codedeploy_agrees().await;
        assert_eq!(story.live(), Some((2, Colour::Green)), "{strategy}");
        story.is_at_rest();
        let mut receipts = story.world.world.receipts().into_values();
        let receipt = receipts.rfind(|receipt| receipt.number.0 == 2).unwrap();
        assert_eq!(receipt.steps[0].reason, "every green target is healthy, and the gate said yes");
    }
}

#[tokio::test]
async fn a_release_by_evidence_waits_for_its_first_yes_as_well() {
    let story = gated("evidence").await;
    story.push(2).await;
    story.install().await;
    assert!(says(&story.after(15).await, "waits_for_gate"), "instances of an older kit report nothing");
    story.world.expect_faults(&[]);
    story.after(60).await;
    assert_eq!((was_raised(&story), story.share(Colour::Green)), (false, 0));
    gate_says(&story, GateAnswer::Yes).await;
    assert!(story.share(Colour::Green) > 0);
}

#[tokio::test]
async fn a_workflow_that_waits_reads_what_its_release_waits_for_and_nothing_of_what_the_gate_says() {
    let story = at_the_gate("AllAtOnce").await;
    let says = || story.world.world.summary(&story.world.service).unwrap().open.and_then(|open| open.says);
    gate_says(&story, not_yet("it said wait: 10.0.0.7 is slow")).await;
    story.tick().await;
    let waits = "waits for the gate's yes before the first weight, and goes back without it at 2026-01-01T";
    assert!(says().is_some_and(|says| says.starts_with(waits) && !says.contains("10.0.0.7")), "{:?}", says());
    gate_says_later(&story).await;
    story.tick().await;
    assert_eq!(says(), None);
}

#[tokio::test]
async fn silence_is_no_before_the_first_weight_and_before_promotion() {
    let story = at_the_gate("AllAtOnce").await;
    story.after(DEADLINE - 1).await;
    assert_eq!(story.phase(), "baking", "it waits to the end");
    story.after(1).await;
    assert_eq!(
        goes_back(&story).await,
        "the gate gave no yes before the first weight: none within 2m, and no hook's question had it asked; see the gate's log, then retry"
    );
    assert!(!was_raised(&story));
    let story = before_promotion("AllAtOnce").await;
    gate_says(&story, not_yet("it threw TypeError")).await;
    story.after(DEADLINE).await;
    assert_eq!(
        goes_back(&story).await,
        "the gate gave no yes before promotion: none within 2m, at last it threw TypeError; see the gate's log, then retry"
    );
}

#[tokio::test]
async fn a_no_takes_the_release_back_at_once_and_it_is_not_tried_again_by_itself() {
    for paused in [false, true] {
        let story = at_the_gate("Canary10Percent5Minutes").await;
        if paused {
            story.say(Command::Pause).await;
        }
        gate_says(&story, no("a load test runs")).await;
        assert_eq!(story.phase(), "returning", "paused: {paused}");
        let said = "the gate gave no yes before the first weight: it said no, a load test runs; see the gate's log, then retry";
        assert_eq!(goes_back(&story).await, said);
        story.minutes(10).await;
        assert_eq!(story.phase(), "idle");
    }
    let story = before_promotion("Canary10Percent5Minutes").await;
    gate_says(&story, no("conversion fell")).await;
    assert_eq!(story.share(Colour::Green), 0, "all traffic is back in the same pass");
}

#[tokio::test]
async fn neither_a_pause_nor_a_promote_goes_round_a_gate() {
    let story = at_the_gate("Canary10Percent5Minutes").await;
    story.say(Command::Promote).await;
    story.after(30).await;
    assert_eq!(story.share(Colour::Green), 0);
    gate_says(&story, GateAnswer::Yes).await;
    story.after(61).await;
    assert_eq!(story.share(Colour::Green), 1000);
    for _ in 0..2 {
        story.after(5).await;
        assert_eq!(story.phase(), "baking");
    }
    // A yes under a pause is kept, and gives no weight before resume.
    let story = at_the_gate("AllAtOnce").await;
    story.say(Command::Pause).await;
    gate_says(&story, GateAnswer::Yes).await;
    story.after(2 * DEADLINE).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("baking", 0));
    story.say(Command::Resume).await;
    assert_eq!(story.share(Colour::Green), 1000);
}

#[tokio::test]
async fn only_a_yes_to_this_question_in_time_is_a_yes() {
    let story = at_the_gate("AllAtOnce").await;
    let asked = question(&story).await.unwrap();
    let yes = asked.answered(GateAnswer::Yes);
    let others = [
        GateReport { attempt: yes.attempt + 1, ..yes.clone() },
        GateReport { release: upload(3).number, ..yes.clone() },
        GateReport { before: Before::Promotion, ..yes.clone() },
    ];
    for other in others {
        hears(&story, Some(other)).await;
        assert_eq!(story.share(Colour::Green), 0);
    }
    // One that comes when the time is over is too late.
    story.pass(Duration::from_secs(DEADLINE));
    hears(&story, Some(yes)).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));
    // The first yes is none for promotion.
    let story = before_promotion("AllAtOnce").await;
    let asked = question(&story).await.unwrap();
    assert_eq!(asked.before, Before::Promotion);
    hears(&story, Some(GateReport { before: Before::Weight, ..asked.answered(GateAnswer::Yes) })).await;
    assert_eq!(story.phase(), "baking");
}

#[tokio::test]
async fn one_asks_and_asks_again_when_the_answer_is_lost() {
    let story = at_the_gate("AllAtOnce").await;
    assert!(question(&story).await.is_some());
    for _ in 0..2 {
        assert_eq!(question(&story).await, None, "somebody has asked it just now");
        story.pass(Duration::from_secs(7));
    }
    story.pass(Duration::from_secs(1));
    assert!(question(&story).await.is_some());
    gate_says_later(&story).await;
    assert_eq!(question(&story).await, None, "it has said yes");
}

async fn gate_says_later(story: &Story) {
    story.pass(Duration::from_secs(15));
    let question = question(story).await.unwrap();
    hears(story, Some(question.answered(GateAnswer::Yes))).await;
}

#[tokio::test]
async fn what_has_a_yes_and_is_not_proven_any_more_waits_for_its_proof_and_asks_no_second_time() {
    let story = at_the_gate("AllAtOnce").await;
    story.world.set_target_health("i-backend-1", Colour::Green, TargetHealth::Unproven);
    gate_says(&story, GateAnswer::Yes).await;
    assert_eq!(story.share(Colour::Green), 0);
    // Longer than between two questions.
    story.after(20).await;
    assert_eq!(question(&story).await, None);
    story.world.set_health(Colour::Green, TargetHealth::Healthy);
    story.after(5).await;
    assert_eq!(story.share(Colour::Green), 1000);
}

#[tokio::test]
async fn the_gate_is_asked_for_its_yes_only_when_it_is_all_that_is_missing() {
    let story = gated("AllAtOnce").await;
    story.push(2).await;
    story.install().await;
    story.world.set_target_health("i-backend-1", Colour::Green, TargetHealth::Unproven);
    for _ in 0..3 {
        story.after(DEADLINE / 2).await;
        assert_eq!(question(&story).await, None, "an instance is not healthy yet");
    }
    story.world.set_health(Colour::Green, TargetHealth::Healthy);
    assert!(says(&story.after(5).await, "waits_for_gate"), "its time begins now");
    story.after(DEADLINE - 1).await;
    assert_eq!(story.phase(), "baking");
    assert!(question(&story).await.is_some());
}

#[tokio::test]
async fn what_the_gate_has_said_so_far_is_told_to_whoever_asks_for_the_status() {
    let story = at_the_gate("AllAtOnce").await;
    let looked = gate_says(&story, not_yet("it said wait: 2 of 3 done")).await;
    let reasons: Vec<String> =
        looked.passes.iter().flat_map(|pass| &pass.plan.reasons).map(ToString::to_string).collect();
    assert!(reasons.iter().any(|reason| reason.contains("it said wait: 2 of 3 done")), "{reasons:?}");
}

#[tokio::test]
async fn a_pause_ends_early_enough_for_the_answers_that_are_missing() {
    // CodeDeploy's hour for a hook, less a minute to spare, the bake, and two answers, one or none.
    for (answers, gate) in [(2, DEADLINE), (1, DEADLINE), (0, DEADLINE), (0, 0)] {
        let mut story = Story::with_live("AllAtOnce").await;
        story.policy.gate = Duration::from_secs(gate);
        story.push(2).await;
        let opened = story.now();
        story.install().await;
        story.after(5).await;
        story.say(Command::Pause).await;
        if answers < 2 && gate > 0 {
            story.say(Command::Resume).await;
            gate_says(&story, GateAnswer::Yes).await;
            story.say(Command::Pause).await;
        }
        let bake = story.policy.bake.as_secs();
        if answers == 0 && gate > 0 {
            story.say(Command::Resume).await;
            story.after(bake + 1).await;
            story.after(5).await;
            story.say(Command::Pause).await;
            gate_says(&story, GateAnswer::Yes).await;
        } else if answers == 2 {
            gate_says(&story, GateAnswer::Yes).await;
        }
        while story.phase() == "baking" {
            story.after(10).await;
        }
        let took = u64::try_from(story.now().duration_since(opened).as_secs()).unwrap();
        let latest = 3540 - 60 - bake - answers * gate;
        assert!((latest..latest + 15).contains(&took), "{answers} answers: {took} s, and not {latest}");
    }
}

#[tokio::test]
async fn an_alarm_is_the_reason_though_the_gate_says_no_in_the_same_moment() {
    let story = before_promotion("AllAtOnce").await;
    story.pass(Duration::from_secs(5));
    let asked = question(&story).await.unwrap();
    story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Firing);
    hears(&story, Some(asked.answered(no("conversion fell")))).await;
    let reason = goes_back(&story).await;
    assert!(reason.contains("backend-green-errors") && !reason.contains("gate"), "{reason}");
}

#[tokio::test]
async fn a_no_is_written_before_the_traffic_returns_because_another_pass_may_have_promoted() {
    let story = before_promotion("AllAtOnce").await;
    story.pass(Duration::from_secs(5));
    let asked = question(&story).await.unwrap();
    let lost = FaultAt { at: At::Every("write_ledger"), kind: Kind::Before(Class::Transient) };
    story.world.expect_faults(&[lost]);
    hears(&story, Some(asked.answered(no("conversion fell")))).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("baking", 1000));
    story.world.expect_faults(&[]);
    hears(&story, Some(asked.answered(no("conversion fell")))).await;
    assert_eq!((story.phase(), story.share(Colour::Green)), ("returning", 0));
}

#[tokio::test]
async fn an_alarm_or_an_abort_waits_for_no_gate() {
    let story = before_promotion("AllAtOnce").await;
    story.world.set_alarm(Colour::Green, "backend-green-errors", AlarmState::Firing);
    story.tick().await;
    assert_eq!(story.share(Colour::Green), 0);
    let story = before_promotion("AllAtOnce").await;
    story.say(Command::Abort).await;
    assert_eq!(story.share(Colour::Green), 0);
    assert_eq!(question(&story).await, None, "what goes back asks nobody");
}

#[tokio::test]
async fn a_newer_upload_takes_the_place_of_one_that_waits_for_its_first_yes() {
    let story = at_the_gate("AllAtOnce").await;
    story.push(3).await;
    story.minutes(2).await;
    let open = story.ledger().open.unwrap();
    assert_eq!((open.upload.number, open.phase.word()), (upload(3).number, "installing"));
}

#[tokio::test]
async fn a_retry_asks_the_gate_anew_and_without_a_gate_nobody() {
    let mut story = at_the_gate("AllAtOnce").await;
    gate_says(&story, no("not today")).await;
    goes_back(&story).await;
    for has_gate in [true, false] {
        if !has_gate {
            story.policy.gate = Duration::ZERO;
        }
        story.say(Command::Retry).await;
        story.install().await;
        let looked = story.after(5).await;
        assert_eq!((says(&looked, "waits_for_gate"), story.share(Colour::Green) > 0), (has_gate, !has_gate));
        if has_gate {
            gate_says(&story, no("not today either")).await;
            goes_back(&story).await;
        }
    }
}

#[tokio::test]
async fn an_open_release_keeps_the_gate_that_it_opened_with() {
    let mut story = at_the_gate("AllAtOnce").await;
    story.policy.gate = Duration::ZERO;
    story.after(60).await;
    assert_eq!(story.share(Colour::Green), 0, "a setting that is gone is no yes");
    story.after(60).await;
    assert_eq!((story.phase(), story.live()), ("idle", Some((1, Colour::Blue))));
    let mut story = Story::with_live("AllAtOnce").await;
    story.push(2).await;
    story.policy.gate = Duration::from_secs(DEADLINE);
    story.install().await;
    story.after(5).await;
    assert_eq!(story.share(Colour::Green), 1000);
}

#[tokio::test]
async fn a_second_attempt_needs_two_answers_of_its_own() {
    let story = at_the_gate("Canary10Percent5Minutes").await;
    gate_says(&story, GateAnswer::Yes).await;
    story.world.lose_instance("i-backend-1");
    for _ in 0..3 {
        story.after(15).await;
    }
    story.world.end_newest(DeploymentStatus::Stopped);
    story.world.join_instance("i-backend-3", Colour::Blue);
    for _ in 0..3 {
        story.after(61).await;
    }
    let open = story.ledger().open.unwrap();
    assert_eq!((open.upload.number, open.attempt), (upload(2).number, 2));
    story.install().await;
    assert!(says(&story.after(5).await, "waits_for_gate"));
}

#[tokio::test]
async fn what_goes_back_to_an_older_version_and_the_first_release_ask_nobody() {
    let mut story = Story::new("AllAtOnce");
    story.policy.gate = Duration::from_secs(DEADLINE);
    story.push(1).await;
    assert_eq!(story.ledger().open.unwrap().gate, None);
    story.install().await;
    story.codedeploy_agrees().await;
    assert_eq!(story.live(), Some((1, Colour::Blue)));
    let mut story = Story::with_two().await;
    story.policy.gate = Duration::from_secs(DEADLINE);
    story.say(Command::Rollback).await;
    assert_eq!(story.share(Colour::Blue), 1000);
    // One that has to install first, and the settling after it.
    let mut story = Story::with_two().await;
    story.policy.gate = Duration::from_secs(DEADLINE);
    story.world.set_health(Colour::Blue, TargetHealth::Unhealthy);
    story.say(Command::Rollback).await;
    assert_eq!(story.ledger().open.unwrap().gate, None);
    story.install().await;
    story.minutes(3).await;
    assert_eq!(story.phase(), "promoting");
}

#[tokio::test]
async fn a_gate_that_takes_its_time_leaves_the_installation_its_own() {
    let mut story = gated("AllAtOnce").await;
    story.policy.install_deadline = Duration::from_secs(100);
    story.push(2).await;
    story.pass(Duration::from_secs(90));
    story.install().await;
    story.after(5).await;
    // The installation's time is over, and a look that cannot prove everything ends nothing.
    story.pass(Duration::from_secs(60));
    story.world.set_target_health("i-backend-1", Colour::Green, TargetHealth::Unproven);
    story.tick().await;
    story.world.set_health(Colour::Green, TargetHealth::Healthy);
    gate_says(&story, GateAnswer::Yes).await;
    assert_eq!(story.share(Colour::Green), 1000);
}

#[tokio::test]
async fn a_release_that_with_its_gate_fits_no_hook_is_refused_and_says_so() {
    let mut story = gated("linear:10%:4m").await;
    story.policy.gate = Duration::from_secs(10 * MINUTE);
    story.push(2).await;
    let reason = story.ledger().releases.pop().unwrap().verdict.reason();
    assert!(reason.contains("a wait for proof, two answers of the gate and bake"), "{reason}");
    // Two answers that just fit, and a second more.
    for (more, fits) in [(0, true), (1, false)] {
        let mut story = Story::with_live("AllAtOnce").await;
        let without = story.policy.longest(story.policy.strategy, story.policy.bake);
        story.policy.gate =
            Policy::HOOK_TIMEOUT.checked_sub(without).unwrap() / 2 + Duration::from_secs(more);
        story.push(2).await;
        assert_eq!(story.ledger().open.is_some(), fits, "{more} s more");
    }
}
