//! How long each phase holds its weight, and whose fault each end is.

use super::limits::ledger;
use release::evidence::{AtMax, BadMinutes, Compared, Points, TimeIsOver};
use release::{Before, Colour, Open, Phase, Promotion, ReleaseNumber, ReturnCause, Shift, Trial};
use std::time::Duration;

fn open(strategy: &str, phase: Phase) -> Open {
    let strategy = strategy.parse().unwrap();
    Open { strategy, phase, bake: Duration::from_secs(420), ..ledger("baking").open.unwrap() }
}

fn step(step: u32) -> Phase {
    Phase::Shifting(Shift { step, ..Shift::default() })
}

/// By evidence the bake comes while a tenth stays on live; with everything on the candidate nothing is waited for any more.
#[test]
fn a_step_is_held_for_its_time_and_the_bake_once() {
    let (baking, promoting) = (Phase::Baking(Trial::default()), Phase::Promoting(Promotion::default()));
    for (strategy, phase, seconds) in [
        ("canary:10%:5m", step(0), 300),
        ("canary:10%:5m", step(1), 0),
        ("canary:10%:5m", baking.clone(), 420),
        ("linear:30%:1m", step(2), 60),
        ("AllAtOnce", baking.clone(), 420),
        ("evidence", step(0), 180),
        ("evidence", step(1), 420),
        ("evidence", baking.clone(), 0),
        ("canary:10%:evidence", step(1), 420),
        ("evidence", promoting, 0),
        ("AllAtOnce", Phase::Installing, 0),
        ("AllAtOnce", Phase::Settling, 0),
    ] {
        let open = open(strategy, phase);
        assert_eq!(open.hold(), Duration::from_secs(seconds), "{strategy} {}", open.phase.word());
    }
}

#[test]
fn the_counts_decide_the_first_step_of_evidence_alone() {
    let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
    for (strategy, phase, latest) in [
        ("evidence(20m)", step(0), minutes(20)),
        ("evidence(20m)", step(1), None),
        ("evidence(20m)", Phase::Baking(Trial::default()), None),
        ("evidence(20m)", Phase::Installing, None),
        ("canary:10%:20m", step(0), None),
    ] {
        assert_eq!(open(strategy, phase.clone()).evidence_step(), latest, "{strategy} {phase:?}");
    }
}

/// A release is tried again where its bundle is not to blame; and an instance that was lost explains only what its loss can cause.
#[test]
fn each_end_is_the_bundles_or_not_and_a_lost_instances_or_not() {
    let compared = Compared {
        candidate: Colour::Green,
        failed: 5,
        requests: 50,
        live_failed: 0,
        live_requests: 450,
        lowest: 10,
        highest: 10,
        odds: 300,
        needed: 200,
    };
    let over = |what| TimeIsOver { what, waited: 30, proven: Points(500), compared };
    let (text, seconds, instance) = (String::new, 7, release::InstanceId("i-1".to_owned()));
    let bundle = [
        ReturnCause::TargetFailed { instance: instance.clone(), detail: text() },
        ReturnCause::DeploymentEnded { status: text(), detail: text() },
        ReturnCause::InstallDeadline { waiting: text() },
        ReturnCause::Refused { detail: text() },
        ReturnCause::Unproven { over: over(AtMax::Back) },
        ReturnCause::Gate { before: Before::Weight, said: text() },
        ReturnCause::Aborted,
        ReturnCause::Superseded { by: ReleaseNumber(3) },
        ReturnCause::PartialSuccess { failed: 1 },
    ];
    let bundle_or_instance = [
        ReturnCause::Alarm { alarm: text() },
        ReturnCause::Worse { compared },
        ReturnCause::Unhealthy { unhealthy: 1, targets: 2 },
        ReturnCause::Silent { seconds },
        ReturnCause::RuleDeleted,
    ];
    let nobody_or_instance = [
        ReturnCause::Past { past: BadMinutes { bad: 3, minutes: 3, week_bad: 0, week: 9 } },
        ReturnCause::FireOnBoth { alarms: Vec::new() },
    ];
    let nobody = [
        ReturnCause::Unproven { over: over(AtMax::Wait) },
        ReturnCause::InstanceLost { instance },
        ReturnCause::NotProven { waiting: text() },
        ReturnCause::NoRule { detail: text() },
        ReturnCause::NoDeployment { waiting: text() },
        ReturnCause::NoInstances,
        ReturnCause::Paused { seconds },
        ReturnCause::Joined { instances: 1 },
    ];
    let all = [
        (&bundle[..], true, false),
        (&bundle_or_instance, true, true),
        (&nobody_or_instance, false, true),
        (&nobody, false, false),
    ];
    for (cause, blames, may_be_lost) in
        all.into_iter().flat_map(|(causes, a, b)| causes.iter().map(move |cause| (cause, a, b)))
    {
        assert_eq!(cause.blames_the_bundle(), blames, "{cause:?}");
        assert_eq!(cause.may_be_a_lost_instance(), may_be_lost, "{cause:?}");
    }
}
