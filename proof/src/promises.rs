//! The rules that say that it works, judged like those of [`crate::safety`]: from outside.
//!
//! A plan that does nothing is safe. These rules are what such a plan breaks.

use crate::invocation::{Blind, Breakage};
use crate::rule::Rule;
use crate::safety::is_fit;
use crate::world::World;
use release::evidence::{Published, PublishedMinute};
use release::plan::{Action, Plan};
use release::{
    AlarmState, Colour, DeploymentStatus, Ledger, Observation, Open, Past, Phase, Policy, Promotion, Purpose,
    Request, Strategy, TargetHealth, Upload, Verdict, Weights,
};
use std::time::Duration;

/// The releases that an upload has had, and whether another one is under way or waits.
fn account(ledger: &Ledger, upload: &Upload) -> (usize, bool) {
    let is = |other: &Upload| other.revision == upload.revision;
    let ended =
        ledger.releases.iter().filter(|past| past.purpose == Purpose::Release && is(&past.upload)).count();
    let open = ledger.open.as_ref().filter(|open| open.purpose == Purpose::Release);
    let under_way = open.is_some_and(|open| is(&open.upload)) || ledger.pending.as_ref().is_some_and(is);
    (ended, under_way)
}

/// What is under way ends once, with one verdict, and a verdict that was written stays, but for a rollback.
pub fn one_verdict(world: &mut World, before: &Ledger, next: &Ledger) {
    let open = before.open.as_ref().filter(|open| open.purpose == Purpose::Release).map(|open| &open.upload);
    for upload in open.into_iter().chain(&before.pending) {
        let ((ended, _), (ends, under_way)) = (account(before, upload), account(next, upload));
        if ends != ended + usize::from(!under_way) {
            world.break_rule(Rule::OneVerdict);
        }
    }
    let rolls_back = before.open.as_ref().is_some_and(|open| open.rolls_back.is_some());
    let stays = |(past, still): (&Past, &Past)| {
        past.verdict == still.verdict || rolls_back && past.verdict == Verdict::Live
    };
    if !before.releases.iter().zip(&next.releases).all(stays) {
        world.break_rule(Rule::OneVerdict);
    }
}

/// A rollback that an operator has asked for is forgotten only by the opening that carries it out, or by the end of it.
pub fn rollback_begins(world: &mut World, before: &Ledger, next: &Ledger) {
    let begins = next.open.as_ref().is_some_and(|open| open.rolls_back.is_some());
    if before.rollback && !next.rollback && !begins && next.releases.len() == before.releases.len() {
        world.break_rule(Rule::AskedIsDone);
    }
}

/// The steps come in the strategy's order, each for its time, and after the last the bake. `promote` skips the rest. A
/// rollback has no steps, and the first release has nothing to protect.
pub fn steps_are_held(world: &mut World, before: &Ledger, next: &Ledger) {
    let (Some(then), Some(now)) = (&before.open, &next.open) else { return };
    let same = (then.attempt, &then.upload, then.purpose) == (now.attempt, &now.upload, now.purpose);
    let raises = now.intended_percent() > then.intended_percent() || matches!(now.phase, Phase::Promoting(_));
    let leaves = std::mem::discriminant(&then.phase) != std::mem::discriminant(&now.phase)
        || then.intended_percent() != now.intended_percent();
    if !same || !raises || !leaves || now.purpose != Purpose::Release || before.live.is_none() {
        return;
    }
    let hurries = then.is_requested(Request::Hurry);
    let (least, percent) = held(then);
    let waited = Duration::try_from(now.since.duration_since(then.since)).unwrap_or(Duration::ZERO);
    let in_order = now.intended_percent() == percent
        && matches!(now.phase, Phase::Promoting(_)) == matches!(then.phase, Phase::Baking(_));
    if !hurries && (waited < least || !in_order) {
        world.break_rule(Rule::StepHeld);
    }
}

/// How long an open release stays where it is, and the share that follows.
fn held(open: &Open) -> (Duration, u8) {
    let percent = |strategy: &Strategy, step: u32| strategy.step(step).map_or(100, |step| step.percent);
    match &open.phase {
        Phase::Installing => (Duration::ZERO, percent(&open.strategy, 0)),
        // By evidence the bake comes before the last raise.
        Phase::Shifting(shift) if shift.step == 1 && open.strategy.by_evidence().is_some() => {
            (open.bake, 100)
        }
        Phase::Baking(_) if open.strategy.by_evidence().is_some() => (Duration::ZERO, 100),
        Phase::Shifting(shift) => {
            let hold = open.strategy.step(shift.step).map_or(Duration::ZERO, |step| step.hold);
            (hold, percent(&open.strategy, shift.step + 1))
        }
        Phase::Baking(_) => (open.bake, 100),
        Phase::Promoting(_) | Phase::Returning(_) | Phase::Settling | Phase::Drilling | Phase::Leaving(_) => {
            (Duration::ZERO, 0)
        }
    }
}

/// Minutes of a candidate: whether all of them were answered, whether none was, and the same of the live colour.
fn answers(minutes: &[PublishedMinute], candidate: Colour) -> (bool, bool, bool) {
    let all = |of: fn(&Published) -> bool, colour: Colour| {
        minutes.iter().all(|minute| minute.of(colour).requests > 0 && of(&minute.of(colour)))
    };
    let well = |published: &Published| published.answered == published.requests;
    let badly = |published: &Published| published.failed == published.requests;
    (all(well, candidate), all(badly, candidate), all(well, candidate.other()))
}

/// The counted share goes on only when the newest minutes were answered well, or at the latest time, and then not if they were
/// worse than live's. An operator's `promote` needs no proof.
pub fn proven_first(world: &mut World, before: &Ledger, next: &Ledger) {
    let (Some(then), Some(now)) = (&before.open, &next.open) else { return };
    let same = (then.attempt, &then.upload, then.purpose) == (now.attempt, &now.upload, now.purpose);
    let goes_on = now.evidence_step().is_none() && now.intended_percent() > then.intended_percent();
    let Some(latest) = then.evidence_step().filter(|_| same && goes_on && !then.is_requested(Request::Hurry))
    else {
        return;
    };
    let counted = now.counted.as_ref();
    let minutes = counted.map_or(&[][..], |counted| &counted.published);
    let newest = minutes.get(minutes.len().saturating_sub(3)..).unwrap_or_default();
    let (well, badly, live_well) = answers(newest, now.colour);
    let began = counted.and_then(|counted| counted.orders.first()).map_or(now.since, |order| order.at);
    let waited = Duration::try_from(now.since.duration_since(began)).unwrap_or(Duration::ZERO);
    if waited < latest && (newest.len() < 3 || !well) {
        world.break_rule(Rule::ProvenFirst);
    }
    if newest.len() == 3 && badly && live_well {
        world.break_rule(Rule::WorseReturns);
    }
}

/// Success is written only when the gate has said yes to it.
pub fn gate_first(world: &mut World, before: &Ledger, next: &Ledger) {
    let Some(open) = next.open.as_ref().filter(|open| matches!(open.phase, Phase::Promoting(_))) else {
        return;
    };
    if world.lacks_yes(before, open, release::Before::Promotion) {
        world.break_rule(Rule::GateFirst);
    }
}

/// Four whole minutes in which the candidate failed everything, and live nothing, leave no doubt.
fn worse_returns(world: &mut World, seen: &Observation, ledger: &Ledger, plan: &Plan) {
    let Some(open) = ledger.open.as_ref().filter(|open| open.had_weight()) else { return };
    let Some(minutes) = seen.published.known().filter(|minutes| minutes.len() > 4) else { return };
    let (_, badly, live_well) = answers(minutes, open.colour);
    let returns = plan
        .ledger
        .open
        .as_ref()
        .is_none_or(|open| matches!(open.phase, Phase::Returning(_) | Phase::Settling));
    if badly && live_well && !returns {
        world.break_rule(Rule::WorseReturns);
    }
}

/// Judges what a pass has decided by what it saw.
pub fn decided(world: &mut World, policy: &Policy, seen: &Observation, ledger: &Ledger, plan: &Plan) {
    candidate_returns(world, seen, ledger, plan);
    worse_returns(world, seen, ledger, plan);
    alarm_rolls_back(world, policy, seen, ledger, plan);
    drill_waits(world, policy, seen, ledger, plan);
    drill_is_obeyed(world, seen, ledger, plan);
    preview_goes(world, seen, ledger, plan);
}

/// A pass that takes a release back has the preview's rule deleted that it sees, or that the ledger knows. It waits for it in
/// nothing else: of that `ComesToRest` tells, where no such rule can be deleted.
fn preview_goes(world: &mut World, seen: &Observation, ledger: &Ledger, plan: &Plan) {
    let returns = plan.ledger.open.as_ref().is_some_and(|open| matches!(open.phase, Phase::Returning(_)));
    let known = ledger.open.as_ref().and_then(|open| open.preview.as_ref()?.rule.as_ref());
    let rule = seen.rules.known().and_then(|rules| rules.preview.as_ref()).or(known);
    let deletes = |rule| {
        plan.actions()
            .any(|action| matches!(action, Action::DeletePreviewRule { rule: gone } if gone == rule))
    };
    if returns && rule.is_some_and(|rule| !deletes(rule)) {
        world.break_rule(Rule::PreviewGoes);
    }
}

/// A pass that sees a candidate with weight, whose alarm fires, takes its weight in this very pass. Not once CodeDeploy
/// calls the release a success: then it goes live, and an alarm rolls it back.
fn candidate_returns(world: &mut World, seen: &Observation, ledger: &Ledger, plan: &Plan) {
    let (Some(open), Some(live)) = (&ledger.open, &ledger.live) else { return };
    let (Some(rules), false) = (seen.rules.known(), open.colour == live.colour) else { return };
    let gives = rules.release.as_ref().filter(|rule| rule.weights.gives(open.colour));
    let Some(rule) = gives.filter(|rule| open.rule.as_ref() == Some(&rule.arn)) else { return };
    let deployment = seen.deployment.known().and_then(Option::as_ref);
    let agreed = deployment.is_some_and(|deployment| deployment.status == DeploymentStatus::Succeeded)
        || matches!(&open.phase, Phase::Promoting(promotion) if promotion.agreed);
    let takes = plan.actions().any(|action| match action {
        Action::DeleteReleaseRule { rule: gone } => *gone == rule.arn,
        Action::SetReleaseWeights { weights, .. } => weights.of(open.colour) == 0,
        _ => false,
    });
    if fires(seen, open.colour) && !fires(seen, live.colour) && open.had_weight() && !agreed && !takes {
        world.break_rule(Rule::AlarmReturns);
    }
}

/// An alarm of what went live is answered by a rollback, if the previous colour is proven fit and no instance is down
/// on both colours, which would explain the alarm. Once for a release, within the window, and not onto what was rejected.
fn alarm_rolls_back(world: &mut World, policy: &Policy, seen: &Observation, ledger: &Ledger, plan: &Plan) {
    let (None, Some(live), Some(previous)) = (&ledger.open, &ledger.live, &ledger.previous) else { return };
    let tried = |past: &Past| past.purpose == Purpose::Rollback && past.opened_at >= live.since;
    let last = ledger
        .releases
        .iter()
        .rfind(|past| past.purpose == Purpose::Release && past.upload == previous.upload);
    let rejected = last.is_some_and(|past| matches!(past.verdict, Verdict::Rejected { .. }));
    let age = world.tick - crate::world::tick_of(live.since).min(world.tick);
    let base =
        seen.rules.known().is_some_and(|rules| rules.base.are_all_on(live.colour) && rules.release.is_none());
    let down = seen
        .health
        .of(live.colour)
        .known()
        .is_some_and(|targets| targets.keys().any(|id| seen.serves_neither(id)));
    let due = fires(seen, live.colour)
        && base
        && is_fit(seen, previous.colour)
        && !down
        && !previous.overwritten
        && !rejected
        && crate::world::TICK * u32::from(age) < policy.rollback_window
        && !ledger.releases.iter().any(tried);
    let begins = plan.ledger.open.as_ref().is_some_and(|open| open.rolls_back.is_some());
    if due && !begins {
        world.break_rule(Rule::AlarmRollsBack);
    }
}

fn fires(seen: &Observation, colour: Colour) -> bool {
    let alarms = seen.alarms.of(colour).known();
    alarms.is_some_and(|alarms| alarms.values().any(|state| *state == AlarmState::Firing))
}

/// A pause holds every raise of a release. A rollback is a way back, which no pause delays.
pub fn pause_holds(world: &mut World, plan: &Plan, colour: Colour) {
    let open = plan.ledger.open.as_ref().filter(|open| open.colour == colour);
    if plan.ledger.paused
        && open.is_some_and(|open| open.rolls_back.is_none() && !matches!(open.phase, Phase::Promoting(_)))
    {
        world.break_rule(Rule::PauseHolds);
    }
}

/// A drill replaces what the idle colour runs: not while an alarm of what went live lately, or an operator, may need it. And
/// nothing is healed while it is open: not while the live colour is not proven well.
fn drill_waits(world: &mut World, policy: &Policy, seen: &Observation, ledger: &Ledger, plan: &Plan) {
    let begins = plan.ledger.open.as_ref().filter(|open| open.purpose == Purpose::Drill);
    let Some(open) = begins.filter(|_| ledger.open.is_none()) else { return };
    let runs = ledger.previous.as_ref().is_some_and(|previous| !previous.overwritten);
    let lately = ledger.live.as_ref().is_none_or(|live| {
        let live_for = Duration::try_from(open.opened_at.duration_since(live.since));
        let live_for = live_for.unwrap_or_default();
        let lacks_requests = live.watched.is_some_and(|watched| watched.lacks_requests(live_for));
        live_for < policy.rollback_window || !policy.rollback_window.is_zero() && lacks_requests
    });
    let live = open.colour.other();
    let targets = seen.health.of(live).known();
    let is_well = targets.is_some_and(|targets| {
        !targets.is_empty() && targets.values().all(|health| *health == TargetHealth::Healthy)
    });
    let is_quiet = seen.alarms.of(live).known().is_some() && !fires(seen, live);
    let is_due = ledger.pending.is_none() && !ledger.rollback && !ledger.paused;
    if !is_due || runs && lately || !is_well || !is_quiet {
        world.break_rule(Rule::DrillIsHarmless);
    }
}

/// A pass that sees the rule of an installed drill, and the alarm fire that it has set, takes the drill back.
fn drill_is_obeyed(world: &mut World, seen: &Observation, ledger: &Ledger, plan: &Plan) {
    let Some(open) = ledger.open.as_ref().filter(|open| open.phase == Phase::Drilling) else { return };
    let rule = seen.rules.known().and_then(|rules| rules.release.as_ref());
    let stands = rule.is_some_and(|rule| open.rule.as_ref() == Some(&rule.arn));
    let goes_back = plan.ledger.open.as_ref().is_none_or(|open| matches!(open.phase, Phase::Returning(_)));
    if open.alarm_set.is_some() && stands && fires(seen, open.colour) && !goes_back {
        world.break_rule(Rule::DrillIsObeyed);
    }
}

/// What the tags of the uploads do not say.
pub fn untold(world: &World) -> Option<String> {
    let ledger = world.ledger_or_new();
    let last = |past: &&Past| {
        let later = ledger
            .releases
            .iter()
            .rfind(|other| other.purpose == Purpose::Release && other.upload == past.upload);
        later == Some(*past)
    };
    let ended = ledger.releases.iter().filter(|past| past.purpose == Purpose::Release).filter(last);
    // While another release of it waits, nothing is final.
    let ended = ended.filter(|past| !account(&ledger, &past.upload).1);
    let wrong = ended.filter(|past| world.tag(past.upload.number) != Some(past.verdict.word()));
    let wrong = wrong.filter(|past| past.untold_for.is_none()).map(|past| past.upload.number.0).next()?;
    Some(format!("the last verdict on {wrong} is not what its tag says"))
}

/// Whether a firing candidate has weight although every pass has had its turn.
pub fn still_fires(world: &World, before: Weights) -> Option<String> {
    if by_hand(world) {
        return None;
    }
    let ledger = world.ledger_or_new();
    let (open, live) = (ledger.open.as_ref()?, ledger.live.as_ref()?);
    let candidate = live.colour.other();
    let agreed = open.purpose == Purpose::Release && world.last_successful() == Some(open.upload.number);
    // What nobody can read, no pass can act on. How long that may last, `still_blind` asks.
    let unread = match world.breakage {
        Some(Breakage::Reads(Blind::Alarms)) => true,
        // The base rule of a rollback is asked to move and not seen to have moved: it can neither end nor go back.
        Some(Breakage::Reads(Blind::Rules)) => {
            matches!(open.phase, Phase::Promoting(Promotion { agreed: true, .. }))
        }
        _ => false,
    };
    let kept = *world.firing.of(candidate)
        && !*world.silent.of(candidate)
        && !*world.firing.of(live.colour)
        && before.of(candidate) > 0
        && world.traffic().of(candidate) > 0
        && !agreed
        && !unread
        && open.had_weight();
    kept.then(|| {
        format!(
            "the alarm of {candidate} fires, and it has {} after every pass had its turn",
            world.traffic()
        )
    })
}

/// Whether a candidate has weight although facts were unreadable for so long. What CodeDeploy calls a success goes live.
pub fn still_blind(world: &World) -> Option<String> {
    if by_hand(world) {
        return None;
    }
    let ledger = world.ledger_or_new();
    let (open, live) = (ledger.open.as_ref()?, ledger.live.as_ref()?);
    let agreed =
        world.last_successful() == Some(open.upload.number) || matches!(open.phase, Phase::Promoting(_));
    let kept =
        open.colour != live.colour && open.had_weight() && world.traffic().of(open.colour) > 0 && !agreed;
    kept.then(|| format!("{} has {} and nobody can see how it does", open.colour, world.traffic()))
}

/// Another hand gave the candidate its weight, by the base rule, while nobody can read the rules: nothing tells of it.
fn by_hand(world: &World) -> bool {
    let unreadable = matches!(world.breakage, Some(Breakage::Reads(Blind::Rules)));
    unreadable && world.history.drifted && world.rule.is_none()
}
