//! Shifting and baking: weight is raised step by step, each raise proven safe in its own pass.

use super::evidence::{Decision, order};
use super::preview::Previewing;
use super::watch::Watch;
use super::{Planning, schedule, schedule::since};
use crate::evidence::{Counted, Share};
use crate::smoke::{self, Smokes};
use crate::{
    Action, AlarmState, Before, Colour, Drift, Held, InstanceId, Open, Phase, Promotion, Purpose, Raised,
    Reading, Reason, Request, ReturnCause, Rules, Shift, TargetHealth, Weights,
};
use std::time::Duration;

/// For how long the first weight waits for what instances have counted: three questions of a hook. An older kit counts nothing.
const FIRST_REPORTS: Duration = Duration::from_secs(15);

/// Whose first report is still to come, before a first weight by budget: failures that nobody reports stay unknown
/// for minutes, so that only a small share may be risked. CodeDeploy tells that a hook has begun before that asks its first question.
fn silent(open: &Open) -> Option<&InstanceId> {
    let by_budget = open.strategy.by_evidence().is_some_and(|by| by.percent.is_none());
    let counts = by_budget && !open.had_weight() && open.targets.len() <= Counted::INSTANCES;
    let told = |instance: &&InstanceId| {
        open.counted.as_ref().is_some_and(|counted| counted.reports.contains_key(*instance))
    };
    open.targets.iter().filter(|_| counts).find(|instance| !told(instance))
}

impl Planning<'_> {
    pub(super) fn shifting(&mut self, mut open: Open) {
        match self.watch(&mut open) {
            Watch::Back(cause) => return self.take_back(open, cause),
            Watch::Hold => return self.keep(open),
            Watch::Fine => {}
        }
        let Some(live) = self.live_colour() else { return self.keep(open) };
        let Some(rules) = self.seen.rules.known().cloned() else { return self.keep(open) };
        if open.rule.is_none() {
            return self.without_its_rule(open);
        }
        if self.mends_odd_rule(&mut open, &rules, live) {
            return self.keep(open);
        }
        // Behind the release's rule the base rule gets no request, until the way back uncovers it.
        if !rules.base.are_all_on(live) {
            self.because(Reason::BaseRuleDrifted { weights: rules.base.clone() });
            if self.policy.drift == Drift::Repair {
                self.forward.push(Action::SetBaseWeights { weights: Weights::all_on(live) });
            }
        }
        match self.previews(&mut open) {
            Previewing::Over => {}
            Previewing::Stands => {
                open.phase.awaits_no_proof();
                return self.keep(open);
            }
            Previewing::Leaves(waiting) => return self.wait_for_proof(open, waiting),
        }
        let intended = open.intended_share().weights(open.colour);
        let share = release_share(&rules, open.colour);
        if share > intended.per_mille(open.colour) {
            if let Some(rule) = &rules.release {
                self.because(Reason::LowersDrift { weights: rule.weights.clone() });
            }
            // Commit first: without the swap an overtaken pass would lower a weight that was raised since.
            self.ledger.looked_at = Some(self.now);
            self.set_weights(&open, live);
            return self.keep(open);
        }
        if share < intended.per_mille(open.colour) {
            // The raise was decided and never arrived: its time starts again when it does.
            open.phase.misses_its_raise();
            let phase = open.phase.clone();
            return self.raise(open, phase);
        }
        open.phase.has_its_raise();
        if matches!(open.phase, Phase::Baking(_))
            && self.ledger.emptied_at.is_none_or(|emptied| emptied < open.since)
        {
            // Seen, not only asked for: the drain of the live colour counts from here.
            self.ledger.emptied_at = Some(self.now);
        }
        self.next_step(open);
    }

    /// Phases with weight need a rule to move it by. A rollback enters them before the rule is seen.
    fn without_its_rule(&mut self, mut open: Open) {
        let refused = open.rule_refused.is_some() || self.is_in_the_way(&open);
        if open.purpose == Purpose::Rollback && refused && self.prove(&open).is_ok() {
            return self.roll_back_by_the_base_rule(open);
        }
        self.repair_rule(&mut open);
        self.again = !refused;
        if open.rule.is_some() {
            return self.keep(open);
        }
        let limit = match open.purpose {
            Purpose::Rollback => self.policy.unknown_limit,
            Purpose::Release | Purpose::Settle | Purpose::Drill | Purpose::Reinstall => {
                self.policy.install_deadline
            }
        };
        if schedule::since(open.could_begin_at(), self.now) >= limit {
            let detail = self.why_no_rule(&open);
            return self.take_back(open, ReturnCause::NoRule { detail });
        }
        self.keep(open);
    }

    pub(super) fn is_paused(&self, open: &Open) -> bool {
        schedule::is_paused(&self.ledger, open)
    }

    fn hold_for_pause(&mut self, mut open: Open) {
        self.because(Reason::Paused);
        open.phase.awaits_no_proof();
        self.keep(open);
    }

    fn next_step(&mut self, mut open: Open) {
        if self.is_paused(&open) {
            return self.hold_for_pause(open);
        }
        let hurries = open.is_requested(Request::Hurry);
        match self.by_evidence(&mut open).filter(|_| !hurries) {
            Some(Decision::Back(cause)) => return self.take_back(open, cause),
            Some(Decision::Raises(share)) => {
                let phase = open.phase.clone();
                return self.raise_to(open, phase, Some(share));
            }
            Some(Decision::Stays) => {
                open.phase.awaits_no_proof();
                return self.keep(open);
            }
            Some(Decision::GoesOn) | None => {}
        }
        let remaining = schedule::remaining(&open, self.now);
        if !remaining.is_zero() {
            open.phase.awaits_no_proof();
            self.because(Reason::WaitsForTime {
                seconds: remaining.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX),
            });
            return self.keep(open);
        }
        self.say_if_nothing_counted(&open);
        let next = match &open.phase {
            Phase::Shifting(shift) if !hurries && open.strategy.step(shift.step + 1).is_some() => {
                Phase::Shifting(Shift { step: shift.step + 1, ..shift.clone() })
            }
            Phase::Shifting(shift) => Phase::Baking(shift.trial.clone()),
            Phase::Baking(trial) => {
                let promotion = Promotion { trial: trial.clone(), ..Promotion::default() };
                if !self.passes_gate(&mut open, Before::Promotion) {
                    return self.keep(open);
                }
                self.because(Reason::Promotes);
                self.again = true;
                return self.enter(open, Phase::Promoting(promotion));
            }
            Phase::Installing
            | Phase::Promoting(_)
            | Phase::Returning(_)
            | Phase::Settling
            | Phase::Drilling
            | Phase::Leaving(_) => {
                return self.keep(open);
            }
        };
        self.raise(open, next);
    }

    /// Raises to what `phase` asks for if that is proven safe by this very pass.
    pub(super) fn raise(&mut self, open: Open, phase: Phase) {
        self.raise_to(open, phase, None);
    }

    /// Raises to a share within an evidence step, or to what `phase` asks for.
    fn raise_to(&mut self, mut open: Open, phase: Phase, share: Option<Share>) {
        if self.is_paused(&open) {
            return self.hold_for_pause(open);
        }
        if self.seen.health.of(open.colour.other()) == &Reading::NotRead {
            // It became due while this pass looked.
            self.again = true;
            return self.keep(open);
        }
        if let Err(waiting) = self.prove(&open) {
            return self.wait_for_proof(open, waiting);
        }
        // Nothing is told any more once it has weight.
        let tells = open.waits_for_smoke();
        match smoke::judge(&open.smoke, &open.targets, open.colour, tells) {
            Smokes::Fine => {}
            Smokes::Missing(instance) => {
                let waiting = format!("{} to tell what smoke.txt names", instance.0);
                return self.wait_for_proof(open, waiting);
            }
            Smokes::Fails { instance, seen } => {
                return self.take_back(open, ReturnCause::TargetFailed { instance, detail: seen });
            }
        }
        if let Some(instance) = silent(&open).filter(|_| since(open.since, self.now) < FIRST_REPORTS) {
            self.because(Reason::NotProven {
                waiting: format!("{} to tell what it has counted", instance.0),
            });
            return self.keep(open);
        }
        if !open.had_weight() && !self.passes_gate(&mut open, Before::Weight) {
            return self.keep(open);
        }
        if !open.had_weight() && open.strategy.by_evidence().is_some() {
            let is_fine = smoke::shows_more_than_health(&open.smoke, &open.targets, open.colour);
            open.counted.get_or_insert_default().smoke_is_fine = is_fine;
        }
        open.smoke.clear();
        let why = self.why_raised(&open);
        let was_lost = open.phase.trial().is_some_and(|trial| trial.raised == Raised::Missing);
        if let Some(counted) = open.counted.as_mut().filter(|_| was_lost) {
            counted.order_anew(self.now);
        }
        open.phase = phase;
        if let Some(trial) = open.phase.trial_mut() {
            trial.raised = Raised::Decided;
        }
        open.phase.awaits_no_proof();
        open.since = self.now;
        order(&mut open, share, self.policy, self.now);
        self.note_raise(&mut open, why);
        self.because(Reason::Raises { percent: open.intended_percent() });
        self.set_weights(&open, open.colour.other());
        self.keep(open);
    }

    /// Why the candidate may have more, for the receipt.
    fn why_raised(&self, open: &Open) -> String {
        let judged = self.reasons.iter().rev().find_map(|reason| match reason {
            Reason::Judged { judgement } => Some(judgement.to_string()),
            _ => None,
        });
        match judged {
            _ if open.is_requested(Request::Hurry) => "an operator wants the rest at once".to_owned(),
            _ if !open.had_weight() => {
                let gate = if open.gate.is_some() { ", and the gate said yes" } else { "" };
                format!("every {} target is healthy{gate}", open.colour)
            }
            Some(judged) => judged,
            None => "the time of the share before is over".to_owned(),
        }
    }

    /// Notes for the receipt which share the candidate has from now on.
    pub(super) fn note_raise(&self, open: &mut Open, reason: String) {
        let step = Held {
            attempt: open.attempt,
            percent: open.intended_percent(),
            since: self.now,
            reason,
            until: None,
            requests: None,
        };
        let counted = open.counted.as_ref().map(|counted| counted.sums());
        open.course.0.raised(step, counted);
    }

    fn set_weights(&mut self, open: &Open, live: Colour) {
        let Some(rule) = open.rule.clone() else { return };
        let weights = open.intended_share().weights(live.other());
        self.forward.push(Action::SetReleaseWeights { rule, weights });
    }

    pub(super) fn wait_for_proof(&mut self, mut open: Open, waiting: String) {
        let had_weight = open.had_weight();
        let trial = open.phase.trial_mut();
        let start = trial.map_or(self.now, |trial| *trial.unproven_since.get_or_insert(self.now));
        let (start, limit) = if had_weight {
            (start, self.policy.unknown_limit)
        } else {
            (open.could_begin_at(), schedule::to_first_weight(&open, self.policy))
        };
        if schedule::since(start, self.now) >= limit {
            let cause = self.joined(&open).unwrap_or(ReturnCause::NotProven { waiting });
            return self.take_back(open, cause);
        }
        self.because(Reason::NotProven { waiting });
        self.keep(open);
    }

    /// Instances that joined on the live colour and have no candidate, when nothing else is wrong: every instance of
    /// the deployment is healthy.
    fn joined(&self, open: &Open) -> Option<ReturnCause> {
        let live = self.seen.health.of(open.colour.other()).known()?;
        let joined = live.iter().filter(|(instance, health)| {
            **health == TargetHealth::Healthy && !open.targets.contains(instance)
        });
        let instances = joined.count();
        let healthy = open.targets.iter().all(|instance| self.seen.is_healthy(open.colour, instance));
        (instances > 0 && healthy).then_some(ReturnCause::Joined { instances })
    }

    /// What a raise must prove now: every target of the deployment healthy, capacity at least that of the live colour,
    /// every candidate alarm OK, no failed instance. An ALB does not fail over between groups.
    ///
    /// So the candidate is never worse than the live colour in a fact that both have: while a live alarm fires, the
    /// same alarm of the candidate must not.
    pub(super) fn prove(&self, open: &Open) -> Result<(), String> {
        let unproven: Vec<String> = open
            .targets
            .iter()
            .filter(|instance| !self.seen.is_healthy(open.colour, instance))
            .map(|instance| format!("{instance} to be healthy"))
            .collect();
        if !unproven.is_empty() {
            return Err(unproven.join(", "));
        }
        let (Some(candidate), Some(live)) =
            (self.seen.healthy_count(open.colour), self.seen.healthy_count(open.colour.other()))
        else {
            return Err("the health of both colours to be read".to_owned());
        };
        if candidate == 0 || candidate < live {
            return Err(format!(
                "capacity: {candidate} healthy candidate targets, {live} on the live colour"
            ));
        }
        let Some(alarms) = self.seen.alarms.of(open.colour).known() else {
            return Err("the candidate's alarms to be read".to_owned());
        };
        if let Some((alarm, _)) = alarms.iter().find(|(_, state)| **state != AlarmState::Ok) {
            return Err(format!("alarm {alarm} to be OK"));
        }
        match self.seen.deployment.known() {
            Some(Some(deployment)) if deployment.failed > 0 => {
                Err(format!("{} instances failed in deployment {}", deployment.failed, deployment.id))
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn release_share(rules: &Rules, candidate: Colour) -> u16 {
    rules.release.as_ref().map_or(0, |rule| rule.weights.per_mille(candidate))
}
