//! What could be wrong with a drill.

use super::{Mutant, is_in, with_good_health};
use crate::machine::Machine;
use jiff::Timestamp;
use release::plan::{Action, Plan};
use release::{
    AlarmState, Answer, Asker, Colour, Ledger, Observation, Phase, Policy, Question, Reading, TargetHealth,
    Weights, answer, plan,
};
use std::time::Duration;

/// Of what follows a drill: a schedule that comes so far is rare.
pub(super) const fn mutant(name: &'static str, break_it: fn(&mut Machine)) -> Mutant {
    Mutant { name, break_it, catch: crate::drills::first_broken }
}

/// As though a drill were a release by `AllAtOnce`.
pub(super) fn gives_a_drill_weight(
    ledger: Ledger,
    seen: &Observation,
    policy: &Policy,
    now: Timestamp,
) -> Plan {
    let mut decided = plan(ledger, seen, policy, now);
    if let Some(open) = decided.ledger.open.as_ref().filter(|open| open.phase == Phase::Drilling)
        && let Some(rule) = open.rule.clone()
    {
        decided.forward.push(Action::SetReleaseWeights { rule, weights: Weights::all_on(open.colour) });
    }
    decided
}

pub(super) fn drills_too_early(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let rollback_window = if ledger.drill.is_some() { Duration::ZERO } else { policy.rollback_window };
    plan(ledger, seen, &Policy { rollback_window, ..*policy }, now)
}

/// Takes the live colour for well as soon as a drill is asked for, whatever was seen of it.
pub(super) fn drills_with_an_ill_live_colour(
    ledger: Ledger,
    seen: &Observation,
    policy: &Policy,
    now: Timestamp,
) -> Plan {
    let mut bent = seen.clone();
    if let Some(live) = ledger.live.as_ref().filter(|_| ledger.drill.is_some()) {
        if let Reading::Known(targets) = bent.health.of_mut(live.colour) {
            for health in targets.values_mut() {
                *health = TargetHealth::Healthy;
            }
        }
        if let Reading::Known(alarms) = bent.alarms.of_mut(live.colour) {
            for state in alarms.values_mut() {
                *state = AlarmState::Ok;
            }
        }
    }
    plan(ledger, &bent, policy, now)
}

/// A drill whose alarm is judged as any other candidate's: without weight it decides nothing.
pub(super) fn obeys_no_drill(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let mut bent = seen.clone();
    if is_in(&ledger, "drilling") {
        bent.ok_since.clear();
        for colour in Colour::BOTH {
            if let Reading::Known(alarms) = bent.alarms.of_mut(colour) {
                for state in alarms.values_mut() {
                    *state = AlarmState::Ok;
                }
            }
        }
    }
    plan(ledger, &bent, policy, now)
}

/// As though a reinstallation were to be what new instances boot.
pub(super) fn calls_it_a_success(
    ledger: &Ledger,
    policy: &Policy,
    now: Timestamp,
    question: &Question,
    asker: &Asker,
    healthy: Option<bool>,
) -> Answer {
    match answer(ledger, policy, now, question, asker, healthy) {
        Answer::Failed { leave_running: true, .. } => Answer::Succeeded,
        heard => heard,
    }
}

/// As though every kit left running what it is told to.
pub(super) fn unseen(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let bent = if is_in(&ledger, "leaving") { with_good_health(&ledger, seen, false) } else { seen.clone() };
    plan(ledger, &bent, policy, now)
}
