//! Proof that the proof can fail: broken variants of the decision, of the order of effects and of what is said.
//!
//! Each is a wrapper around a production function: it bends what goes in or what comes out. Production has no
//! switches for it.

mod drills;
mod preview;

use crate::evidence;
use crate::machine::Machine;
use crate::rule::Rule;
use crate::simulation::first_failure;
use jiff::Timestamp;
use release::evidence::Week;
use release::pass::{Decisions, WithoutLedger};
use release::plan::{Action, Effect, Plan, Reads, reads};
use release::{
    AlarmState, Answer, Asker, Before, ByEvidence, Colour, Deployment, DeploymentStatus, GateAnswer,
    InstanceId, Ledger, Observation, Offer, Open, PerColour, Phase, Policy, Purpose, Question, Reading,
    Reason, Request, ReturnCause, RuleOwner, Rules, Strategy, TargetHealth, Upload, Verdict, Weights,
    accept_upload, answer, ask_gate, plan,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// A broken variant.
#[derive(Debug, Clone, Copy)]
pub struct Mutant {
    /// What is wrong with it.
    pub name: &'static str,
    /// How it is made of production's.
    break_it: fn(&mut Machine),
    /// What has to catch it.
    catch: fn(Machine) -> Option<Rule>,
}

/// How many schedules a mutant may survive.
pub const SCHEDULES: u64 = 30_000;

impl Mutant {
    /// What is under proof instead of production's.
    pub fn machine(&self) -> Machine {
        let mut machine = Machine::default();
        (self.break_it)(&mut machine);
        machine
    }

    /// The rule that catches it, if any does.
    pub fn caught_by(&self) -> Option<Rule> {
        (self.catch)(self.machine())
    }
}

fn by_schedules(machine: Machine) -> Option<Rule> {
    first_failure(0..SCHEDULES, machine).map(|failed| failed.violation.rule)
}

fn by_counts(machine: Machine) -> Option<Rule> {
    evidence::first_broken(machine).map(|(rule, _)| rule)
}

const fn mutant(name: &'static str, break_it: fn(&mut Machine)) -> Mutant {
    Mutant { name, break_it, catch: by_schedules }
}

/// Of the judge: only releases by evidence can catch it.
const fn of_judge(name: &'static str, break_it: fn(&mut Machine)) -> Mutant {
    Mutant { name, break_it, catch: by_counts }
}

/// All of them.
pub const ALL: &[Mutant] = &[
    mutant("raises without looking at health", |machine| machine.decisions.plan = raises_without_health),
    mutant("raises without looking at alarms", |machine| machine.decisions.plan = ignores_alarms),
    mutant("raises without comparing capacity", |machine| machine.decisions.plan = ignores_capacity),
    mutant("takes what is unknown for good", |machine| machine.decisions.plan = takes_unknown_for_good),
    mutant("raises on the base rule", |machine| machine.decisions.plan = raises_on_the_base_rule),
    mutant("acts before it commits", |machine| machine.decisions.effects = acts_before_commit),
    mutant("says succeeded before it is written", |machine| machine.answer = says_succeeded_too_early),
    mutant("moves the base rule before CodeDeploy agrees", |machine| {
        machine.decisions.plan = moves_base_too_early;
    }),
    mutant("deletes the release's rule before the base rule has moved", |machine| {
        machine.decisions.plan = deletes_rule_first;
    }),
    mutant("never settles", |machine| machine.decisions.plan = never_settles),
    mutant("lets an older release replace a newer one", |machine| machine.accept = lets_older_win),
    mutant("adopts nothing after a lost reply", |machine| machine.decisions.plan = adopts_nothing),
    mutant("counts attempts from one at each opening", |machine| machine.decisions.plan = counts_from_one),
    mutant("returns without a drain", |machine| machine.decisions.plan = returns_without_drain),
    mutant("opens without waiting for the drain", |machine| machine.decisions.plan = opens_without_drain),
    mutant("installs on the live colour", |machine| machine.decisions.plan = installs_on_live),
    mutant("tries a rejected release again by itself", |machine| {
        machine.decisions.plan = tries_rejected_again;
    }),
    mutant("forgets the rule on the way back", |machine| machine.decisions.plan = keeps_the_rule),
    mutant("forgets to stop the deployment", |machine| machine.decisions.plan = keeps_the_deployment),
    mutant("waits for ever when CodeDeploy fails", |machine| machine.decisions.plan = waits_for_ever),
    mutant("does not watch the targets", |machine| machine.decisions.plan = ignores_unhealthy),
    mutant("replaces a ledger that has changed", |machine| machine.swaps = false),
    mutant("goes on after it lost the swap", |machine| machine.decisions.follows = |_, _| true),
    mutant("goes on raising on the way back", |machine| machine.decisions.plan = raises_on_the_way_back),
    mutant("gives up every release before it has weight", |machine| machine.decisions.plan = gives_up),
    mutant("lets no alarm judge in bake and promoting", |machine| {
        machine.decisions.plan = ignores_late_alarms;
    }),
    mutant("only holds when the candidate's alarm fires", |machine| machine.decisions.plan = only_holds),
    mutant("never rolls back by alarm", |machine| machine.decisions.plan = never_rolls_back),
    mutant("forgets an operator's rollback", |machine| machine.decisions.plan = forgets_rollback),
    mutant("ignores a pause", |machine| {
        (machine.decisions.plan, machine.decisions.reads) = (ignores_pause, reads_whatever_is_paused);
    }),
    mutant("throws away the upload that waits", |machine| machine.decisions.plan = throws_away),
    mutant("skips all steps and the bake", |machine| machine.decisions.plan = skips_steps),
    mutant("tells no verdict", |machine| machine.decisions.plan = tells_nothing),
    mutant("takes the base rule for the live colour without a ledger", |machine| {
        machine.decisions.without_ledger = believes_the_base_rule;
    }),
    mutant("opens while the base rule is elsewhere", |machine| machine.decisions.plan = sees_no_drift),
    mutant("deletes no rule that it cannot see", |machine| machine.decisions.plan = has_to_see),
    mutant("lets a pause hold a rollback", |machine| machine.decisions.plan = pauses_rollbacks),
    mutant("asks for a rule that is refused for ever", |machine| machine.decisions.plan = asks_for_ever),
    mutant("opens releases without their gate", |machine| machine.decisions.plan = has_no_gate),
    mutant("takes a gate's silence for yes", |machine| machine.decisions.plan = takes_silence_for_yes),
    mutant("gives a drill weight", |machine| machine.decisions.plan = drills::gives_a_drill_weight),
    mutant("drills while a rollback may be needed", |machine| {
        machine.decisions.plan = drills::drills_too_early;
    }),
    mutant("drills while the live colour is ill", |machine| {
        machine.decisions.plan = drills::drills_with_an_ill_live_colour;
    }),
    mutant("obeys no alarm without weight", |machine| machine.decisions.plan = drills::obeys_no_drill),
    drills::mutant("calls a reinstallation a success", |machine| machine.answer = drills::calls_it_a_success),
    drills::mutant("believes unseen that it runs on", |machine| machine.decisions.plan = drills::unseen),
    mutant("takes a gate's first yes for both", |machine| machine.decisions.plan = asks_a_gate_once),
    mutant("gives weight while a preview stands", |machine| {
        machine.decisions.plan = preview::sees_no_preview;
    }),
    mutant("forgets the preview on the way back", |machine| {
        machine.decisions.plan = preview::keeps_the_preview;
    }),
    mutant("waits for the preview's rule on the way back", |machine| {
        machine.decisions.plan = preview::returns_without_preview;
    }),
    of_judge("goes on without evidence", |machine| machine.decisions.plan = needs_no_evidence),
    of_judge("goes on at any traffic as though little were at stake", |machine| {
        machine.decisions.plan = sees_little_at_stake;
    }),
    of_judge("lets no count take back", |machine| machine.decisions.plan = ignores_counts),
    of_judge("compares no more during the bake", |machine| machine.decisions.plan = compares_no_more),
    of_judge("holds what is worse instead of taking it back", |machine| {
        machine.decisions.plan = only_holds_what_is_worse;
    }),
];

fn known(
    targets: &Reading<BTreeMap<InstanceId, TargetHealth>>,
    open: Option<&Open>,
) -> BTreeMap<InstanceId, TargetHealth> {
    let seen = targets.known().map(|targets| targets.keys().cloned().collect::<Vec<_>>());
    let instances = seen.or_else(|| open.map(|open| open.targets.clone())).unwrap_or_default();
    instances.into_iter().map(|instance| (instance, TargetHealth::Healthy)).collect()
}

fn with_good_health(ledger: &Ledger, seen: &Observation, only_unknown: bool) -> Observation {
    let mut bent = seen.clone();
    for colour in Colour::BOTH {
        let health = bent.health.of_mut(colour);
        let is_unknown = matches!(health, Reading::Unknown(_));
        if is_unknown || (!only_unknown && health.known().is_some()) {
            *health = Reading::Known(known(health, ledger.open.as_ref()));
        }
    }
    bent
}

fn with_good_alarms(seen: &Observation, only_unknown: bool) -> Observation {
    let mut bent = seen.clone();
    for colour in Colour::BOTH {
        let alarms = bent.alarms.of_mut(colour);
        match alarms {
            Reading::Unknown(_) => *alarms = Reading::Known(BTreeMap::new()),
            Reading::Known(states) if !only_unknown => {
                *states = states.keys().map(|name| (name.clone(), AlarmState::Ok)).collect();
            }
            Reading::Known(_) | Reading::NotRead => {}
        }
    }
    bent
}

fn with_status(seen: &Observation, status: DeploymentStatus) -> Observation {
    let mut bent = seen.clone();
    if let Reading::Known(Some(Deployment { status: seen, .. })) = &mut bent.deployment {
        *seen = status;
    }
    bent
}

fn raises_without_health(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let bent = with_good_health(&ledger, seen, false);
    plan(ledger, &bent, policy, now)
}

fn ignores_alarms(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    plan(ledger, &with_good_alarms(seen, false), policy, now)
}

fn ignores_capacity(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let mut bent = seen.clone();
    if let Some(open) = &ledger.open {
        *bent.health.of_mut(open.colour.other()) = Reading::Known(BTreeMap::new());
    }
    plan(ledger, &bent, policy, now)
}

fn takes_unknown_for_good(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let bent = with_good_alarms(&with_good_health(&ledger, seen, true), true);
    plan(ledger, &bent, policy, now)
}

fn ignores_unhealthy(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let raises_nothing = ledger.open.as_ref().is_some_and(Open::had_weight);
    if raises_nothing {
        raises_without_health(ledger, seen, policy, now)
    } else {
        plan(ledger, seen, policy, now)
    }
}

fn raises_on_the_base_rule(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let mut decided = plan(ledger, seen, policy, now);
    for action in &mut decided.forward {
        if let Action::SetReleaseWeights { weights, .. } = action {
            *action = Action::SetBaseWeights { weights: *weights };
        }
    }
    decided
}

fn acts_before_commit(before: &Ledger, plan: &Plan) -> Vec<Effect> {
    let commit = (plan.ledger != *before).then_some(Effect::Commit);
    plan.actions().cloned().map(Effect::Act).chain(commit).collect()
}

fn says_succeeded_too_early(
    ledger: &Ledger,
    policy: &Policy,
    now: Timestamp,
    question: &Question,
    asker: &Asker,
    healthy: Option<bool>,
) -> Answer {
    let bakes = ledger.open.as_ref().is_some_and(|open| matches!(open.phase, Phase::Baking(_)));
    if bakes && *asker == Asker::Open && question.validates() {
        return Answer::Succeeded;
    }
    answer(ledger, policy, now, question, asker, healthy)
}

fn is_in(ledger: &Ledger, wanted: &str) -> bool {
    ledger.phase() == wanted
}

fn moves_base_too_early(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let agreed = with_status(seen, DeploymentStatus::Succeeded);
    let bent = if is_in(&ledger, "promoting") { &agreed } else { seen };
    plan(ledger, bent, policy, now)
}

fn waits_for_ever(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let failed = seen
        .deployment
        .known()
        .and_then(Option::as_ref)
        .is_some_and(|seen| seen.status != DeploymentStatus::Succeeded);
    let active = with_status(seen, DeploymentStatus::Active);
    let bent = if is_in(&ledger, "promoting") && failed { &active } else { seen };
    plan(ledger, bent, policy, now)
}

fn deletes_rule_first(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let rule = ledger.open.as_ref().and_then(|open| open.rule.clone());
    let mut decided = plan(ledger, seen, policy, now);
    let moves = decided.forward.iter().any(|action| matches!(action, Action::SetBaseWeights { .. }));
    if let Some(rule) = rule.filter(|_| moves && is_in(&decided.ledger, "promoting")) {
        decided.forward.insert(0, Action::DeleteReleaseRule { rule });
    }
    decided
}

fn never_settles(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let mut decided = plan(ledger, seen, policy, now);
    decided.ledger.unsettled = false;
    if decided.ledger.open.as_ref().is_some_and(|open| open.purpose == Purpose::Settle) {
        decided.ledger.open = None;
        decided.forward.retain(|action| !matches!(action, Action::CreateDeployment { .. }));
    }
    decided
}

fn lets_older_win(ledger: Ledger, upload: Upload, _: bool, now: Timestamp) -> (Ledger, Offer) {
    accept_upload(ledger, upload, true, now)
}

fn adopts_nothing(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let mut bent = seen.clone();
    if ledger.open.as_ref().is_some_and(|open| open.deployment.is_none()) && bent.deployment.known().is_some()
    {
        bent.deployment = Reading::Known(None);
    }
    plan(ledger, &bent, policy, now)
}

fn counts_from_one(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let was_open = ledger.open.is_some();
    let mut decided = plan(ledger, seen, policy, now);
    if let Some(open) = decided.ledger.open.as_mut().filter(|_| !was_open) {
        (open.attempt, open.first_attempt) = (1, 1);
        for action in &mut decided.forward {
            if let Action::CreateDeployment { description, .. }
            | Action::CreateReleaseRule { release: description, .. } = action
            {
                description.attempt = 1;
            }
        }
    }
    decided
}

fn returns_without_drain(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    plan(ledger, seen, &Policy { drain: Duration::ZERO, ..*policy }, now)
}

fn opens_without_drain(mut ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    ledger.emptied_at = None;
    plan(ledger, seen, policy, now)
}

fn installs_on_live(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let was_open = ledger.open.is_some();
    let mut decided = plan(ledger, seen, policy, now);
    let live = decided.ledger.live.as_ref().map(|live| live.colour);
    if let (false, Some(live), Some(open)) = (was_open, live, decided.ledger.open.as_mut()) {
        open.colour = live;
        for action in &mut decided.forward {
            if let Action::CreateDeployment { description, .. } = action {
                description.colour = live;
            }
        }
    }
    decided
}

fn tries_rejected_again(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let ended = ledger.releases.len();
    let mut decided = plan(ledger, seen, policy, now);
    if let Some(past) = decided.ledger.releases.get(ended)
        && matches!(past.verdict, Verdict::Rejected { .. })
        && past.purpose == Purpose::Release
    {
        decided.ledger.pending = Some(past.upload.clone());
    }
    decided
}

fn keeps_the_rule(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let mut bent = seen.clone();
    if is_in(&ledger, "returning")
        && let Reading::Known(rules) = &mut bent.rules
    {
        rules.release = None;
    }
    let mut decided = plan(ledger, &bent, policy, now);
    if is_in(&decided.ledger, "returning") {
        decided.back.retain(|action| !matches!(action, Action::DeleteReleaseRule { .. }));
    }
    decided
}

fn keeps_the_deployment(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let stopped = with_status(seen, DeploymentStatus::Stopped);
    let bent = if is_in(&ledger, "returning") { &stopped } else { seen };
    let mut decided = plan(ledger, bent, policy, now);
    decided.forward.retain(|action| !matches!(action, Action::StopDeployment { .. }));
    decided
}

fn raises_on_the_way_back(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let mut decided = plan(ledger, seen, policy, now);
    if let Some(open) = decided.ledger.open.as_ref().filter(|open| matches!(open.phase, Phase::Returning(_)))
        && let Some(rule) = &open.rule
    {
        decided.back.clear();
        decided
            .forward
            .push(Action::SetReleaseWeights { rule: rule.clone(), weights: Weights::all_on(open.colour) });
    }
    decided
}

fn believes_the_base_rule(
    rules: &Rules,
    _: Option<&RuleOwner>,
    alarms: &PerColour<BTreeMap<String, AlarmState>>,
    _: &PerColour<Option<usize>>,
    _: Option<&Deployment>,
) -> WithoutLedger {
    let live = Colour::BOTH.into_iter().find(|colour| rules.base.are_all_on(*colour));
    let healthy = PerColour {
        blue: Some(usize::from(live == Some(Colour::Blue))),
        green: Some(usize::from(live == Some(Colour::Green))),
    };
    (Decisions::default().without_ledger)(rules, None, alarms, &healthy, None)
}

/// Nothing is open, and what another hand did to the base rule is not seen.
fn sees_no_drift(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let mut bent = seen.clone();
    if let (None, Some(live), Reading::Known(rules)) = (&ledger.open, &ledger.live, &mut bent.rules) {
        rules.base = Weights::all_on(live.colour).into();
    }
    plan(ledger, &bent, policy, now)
}

fn has_to_see(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let mut decided = plan(ledger, seen, policy, now);
    if seen.rules.known().is_none() {
        decided.back.retain(|action| !matches!(action, Action::DeleteReleaseRule { .. }));
    }
    decided
}

fn pauses_rollbacks(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let rolls_back = ledger.open.as_ref().is_some_and(|open| open.purpose == Purpose::Rollback);
    if ledger.paused && rolls_back {
        let reasons = vec![Reason::Paused];
        return Plan { ledger, back: Vec::new(), forward: Vec::new(), reasons, again: false };
    }
    plan(ledger, seen, policy, now)
}

fn asks_for_ever(mut ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let protects = ledger.live.is_some();
    let lacks_its_rule =
        |open: &&mut Open| open.rule.is_none() && open.purpose != Purpose::Settle && protects;
    let Some(open) = ledger.open.as_mut().filter(lacks_its_rule) else {
        return plan(ledger, seen, policy, now);
    };
    open.rule_refused = None;
    let patient = Policy { install_deadline: Duration::MAX, unknown_limit: Duration::MAX, ..*policy };
    plan(ledger, seen, &patient, now)
}

fn gives_up(mut ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    if let Some(open) = ledger.open.as_mut().filter(|open| open.phase == Phase::Installing) {
        open.request = Some(Request::Abort);
    }
    plan(ledger, seen, policy, now)
}

fn ignores_late_alarms(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let late = matches!(ledger.phase(), "baking" | "promoting");
    let bent = if late { with_good_alarms(seen, false) } else { seen.clone() };
    plan(ledger, &bent, policy, now)
}

fn only_holds(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let open = ledger.open.as_ref().filter(|open| open.had_weight()).map(|open| open.colour);
    let alarms = open.and_then(|colour| seen.alarms.of(colour).known());
    if alarms.is_some_and(|alarms| alarms.values().any(|state| *state == AlarmState::Firing)) {
        let reasons = vec![Reason::Paused];
        return Plan { ledger, back: Vec::new(), forward: Vec::new(), reasons, again: false };
    }
    plan(ledger, seen, policy, now)
}

fn never_rolls_back(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    plan(ledger, seen, &Policy { rollback_window: Duration::ZERO, ..*policy }, now)
}

fn forgets_rollback(mut ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    ledger.rollback = false;
    plan(ledger, seen, policy, now)
}

fn ignores_pause(mut ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let paused = std::mem::take(&mut ledger.paused);
    let mut decided = plan(ledger, seen, policy, now);
    decided.ledger.paused = paused;
    decided
}

fn reads_whatever_is_paused(ledger: &Ledger, policy: &Policy, now: Timestamp) -> Reads {
    reads(&Ledger { paused: false, ..ledger.clone() }, policy, now)
}

fn has_no_gate(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    plan(ledger, seen, &Policy { gate: Duration::ZERO, ..*policy }, now)
}

fn takes_silence_for_yes(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let mut bent = seen.clone();
    if bent.gate.is_none() {
        let question = ask_gate(ledger.clone(), now).1;
        bent.gate = question.map(|question| question.answered(GateAnswer::Yes));
    }
    plan(ledger, &bent, policy, now)
}

fn sees_little_at_stake(mut ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let open = ledger.open.as_mut();
    if let Some(counted) = open.filter(|open| open.had_weight()).and_then(|open| open.counted.as_mut()) {
        counted.smoke_is_fine = true;
        counted.week = counted.week.map(|week| Week { hour: Some(0), ..week });
    }
    plan(ledger, seen, policy, now)
}

fn asks_a_gate_once(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let mut decided = plan(ledger, seen, policy, now);
    let gate = decided.ledger.open.as_mut().and_then(|open| open.gate.as_mut());
    if let Some(gate) = gate.filter(|gate| gate.before == Before::Promotion) {
        gate.said = Some(GateAnswer::Yes);
    }
    decided
}

fn throws_away(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let waits = ledger.open.is_some();
    let mut decided = plan(ledger, seen, policy, now);
    if waits {
        decided.ledger.pending = None;
    }
    decided
}

fn skips_steps(mut ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let request = ledger.open.as_mut().map(|open| {
        let asked = open.request;
        open.request.get_or_insert(Request::Hurry);
        asked
    });
    let mut decided = plan(ledger, seen, policy, now);
    if let (Some(asked), Some(open)) = (request, decided.ledger.open.as_mut()) {
        open.request = asked;
    }
    decided
}

fn tells_nothing(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let mut decided = plan(ledger, seen, policy, now);
    decided.forward.retain(|action| !matches!(action, Action::TellVerdict { .. }));
    decided.ledger.releases.iter_mut().for_each(|past| past.told = true);
    decided
}

/// The time of an evidence step is over at once.
fn needs_no_evidence(mut ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let strategy = ledger.open.as_ref().map(|open| open.strategy);
    if let Some(open) = &mut ledger.open
        && let Strategy::Evidence(by) = open.strategy
    {
        open.strategy = Strategy::Evidence(ByEvidence { latest: Duration::ZERO, ..by });
    }
    let mut decided = plan(ledger, seen, policy, now);
    if let (Some(strategy), Some(open)) = (strategy, &mut decided.ledger.open) {
        open.strategy = strategy;
    }
    decided
}

fn with_fine_counts(seen: &Observation) -> Observation {
    let mut bent = seen.clone();
    if let Reading::Known(minutes) = &mut bent.published {
        for published in minutes.iter_mut().flat_map(|minute| [&mut minute.blue, &mut minute.green]) {
            (published.answered, published.failed) = (published.requests, 0);
        }
    }
    bent
}

fn ignores_counts(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    plan(ledger, &with_fine_counts(seen), policy, now)
}

fn compares_no_more(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let bakes = ledger.open.as_ref().is_some_and(|open| open.evidence_step().is_none());
    if bakes { ignores_counts(ledger, seen, policy, now) } else { plan(ledger, seen, policy, now) }
}

fn only_holds_what_is_worse(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let decided = plan(ledger.clone(), seen, policy, now);
    let is_worse = |reason: &Reason| matches!(reason, Reason::Returns { cause: ReturnCause::Worse { .. } });
    if !decided.reasons.iter().any(is_worse) {
        return decided;
    }
    let reasons = vec![Reason::Paused];
    Plan { ledger, back: Vec::new(), forward: Vec::new(), reasons, again: false }
}
