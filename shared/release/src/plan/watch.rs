//! What takes a release back while its candidate may carry traffic, whatever else it waits for.

use super::Planning;
use super::installing::ended;
use super::schedule::{latest_resume, since, to_first_weight};
use crate::{
    AlarmState, Colour, DeploymentStatus, Open, Phase, Purpose, Reading, Reason, Request, ReturnCause,
    Routing, TargetHealth,
};
use std::collections::BTreeMap;

/// Whether a pass may go on.
pub(super) enum Watch {
    /// Nothing speaks against it.
    Fine,
    /// The weight stays where it is.
    Hold,
    /// All weight goes back.
    Back(ReturnCause),
}

impl Planning<'_> {
    pub(super) fn watch(&mut self, open: &mut Open) -> Watch {
        if open.is_requested(Request::Abort) {
            return Watch::Back(ReturnCause::Aborted);
        }
        let newer = self.ledger.next_upload(self.now).filter(|newer| open.yields_to(newer.number));
        if let Some(newer) = newer {
            return Watch::Back(ReturnCause::Superseded { by: newer.number });
        }
        // The alarm first: a concurrent pass may have taken its way back already, and the reason stays the alarm.
        let on_both = self.fire_on_both(open);
        if let Some(alarm) = self.firing(open).filter(|_| on_both.is_empty()) {
            return Watch::Back(ReturnCause::Alarm { alarm });
        }
        if let Some(cause) = self.convicted(open) {
            return Watch::Back(cause);
        }
        if let Some(cause) = self.ended(open) {
            // `without_ledger` deletes the rule and stops the deployment. CodeDeploy then reports a manual stop, which
            // would hide the cause.
            let was_taken = self.is_stopped() && self.rule_is_gone(open);
            return Watch::Back(if was_taken { self.why_the_rule_is_gone(open) } else { cause });
        }
        if let Some(cause) = self.silent(open) {
            return Watch::Back(cause);
        }
        if let Some(cause) = self.paused_too_long(open) {
            return Watch::Back(cause);
        }
        if let Some(cause) = self.refused_by_gate(open) {
            return Watch::Back(cause);
        }
        self.note_fix_forward(open.colour.other());
        let health = self.unhealthy(open);
        if matches!(health, Watch::Back(_)) {
            return health;
        }
        let Some(cause) = self.missing(open) else {
            open.missing_since = None;
            return if matches!(health, Watch::Fine) { self.unknown(open, on_both) } else { health };
        };
        // Without the release's rule traffic follows the base rule, and that one is no incomplete answer.
        let by_rule = matches!(cause, ReturnCause::RuleDeleted | ReturnCause::Alarm { .. });
        let uncovered = by_rule && !self.is_on_live();
        if uncovered || self.is_gone_for_good(open, &cause) { Watch::Back(cause) } else { Watch::Hold }
    }

    fn ended(&self, open: &Open) -> Option<ReturnCause> {
        let deployment = self.seen.deployment.known()?.as_ref()?;
        let agrees =
            deployment.status == DeploymentStatus::Succeeded && matches!(open.phase, Phase::Promoting(_));
        if agrees { None } else { ended(deployment, self.seen, open) }
    }

    /// A pause that leaves no time for what remains: the hooks would be ended by CodeDeploy, which says nothing of a
    /// pause.
    fn paused_too_long(&self, open: &Open) -> Option<ReturnCause> {
        let waited = since(open.could_begin_at(), self.now);
        let asks = matches!(open.phase, Phase::Shifting(_) | Phase::Baking(_));
        let too_long = self.is_paused(open) && asks && waited >= latest_resume(open, self.now);
        too_long.then_some(ReturnCause::Paused { seconds: waited.as_secs() })
    }

    fn is_stopped(&self) -> bool {
        let deployment = self.seen.deployment.known().and_then(Option::as_ref);
        deployment.is_some_and(|deployment| deployment.status == DeploymentStatus::Stopped)
    }

    /// A firing candidate alarm. On a colour without weight an alarm decides nothing: it may well be down.
    fn firing(&self, open: &Open) -> Option<String> {
        let alarms = self.seen.alarms.of(open.colour).known().filter(|_| open.had_weight())?;
        first_firing(alarms)
    }

    /// The candidate's firing alarms and their counterparts on live, where each has one that fires as well, both colours are
    /// compared, and the counts blame nobody: something that both use is broken. The colours share their instances, so it may be
    /// the candidate that broke it, which no comparison can see.
    fn fire_on_both(&self, open: &Open) -> Vec<String> {
        let (candidate, live) = (open.colour, open.colour.other());
        let [Some(ours), Some(lives)] = [candidate, live].map(|colour| self.seen.alarms.of(colour).known())
        else {
            return Vec::new();
        };
        let firing = ours.iter().filter(|(_, state)| **state == AlarmState::Firing);
        let both: Option<Vec<String>> = firing
            .map(|(alarm, _)| {
                let (before, after) = alarm.rsplit_once(&candidate.to_string())?;
                let counterpart = format!("{before}{live}{after}");
                let fires = lives.get(&counterpart) == Some(&AlarmState::Firing);
                fires.then(|| [alarm.clone(), counterpart])
            })
            .try_fold(Vec::new(), |all, pair| Some([all, pair?.to_vec()].concat()));
        both.filter(|_| self.blame_nobody(open)).unwrap_or_default()
    }

    /// The dead man's switch: while the candidate has weight, its hooks wait in `ValidateService` and keep asking. A
    /// rollback has no hooks, and after "succeeded" no hook asks any more.
    fn silent(&self, open: &Open) -> Option<ReturnCause> {
        let limit = self.policy.silence_limit;
        let asks =
            open.purpose == Purpose::Release && matches!(open.phase, Phase::Shifting(_) | Phase::Baking(_));
        let silence = since(self.ledger.looked_at?, self.now);
        let too_long = asks && open.had_weight() && !limit.is_zero() && silence >= limit;
        too_long.then_some(ReturnCause::Silent { seconds: silence.as_secs() })
    }

    /// Notes that alarms of the live colour fire while a release opens or goes on: the release may be what mends them.
    pub(super) fn note_fix_forward(&mut self, live: Colour) {
        let Some(alarms) = self.seen.alarms.of(live).known() else { return };
        let firing: Vec<String> = alarms
            .iter()
            .filter(|(_, state)| **state == AlarmState::Firing)
            .map(|(name, _)| name.clone())
            .collect();
        if !firing.is_empty() {
            self.because(Reason::FixForward { alarms: firing });
        }
    }

    fn unhealthy(&mut self, open: &mut Open) -> Watch {
        let Some(health) = self.seen.health.of(open.colour).known() else { return Watch::Fine };
        let unhealthy = open
            .targets
            .iter()
            .filter(|instance| health.get(*instance) == Some(&TargetHealth::Unhealthy))
            .count();
        // A rollback has no deployment and so no targets of its own: any healthy one of the colour will do. Targets that
        // are neither healthy nor unhealthy serve nobody either.
        let none_serves = self.seen.healthy_count(open.colour) == Some(0);
        let Some(trial) = open.phase.trial_mut() else { return Watch::Fine };
        if unhealthy == 0 && !none_serves {
            trial.unhealthy_since = None;
            return Watch::Fine;
        }
        let start = *trial.unhealthy_since.get_or_insert(self.now);
        if since(start, self.now) >= self.policy.unhealthy_grace {
            let (unhealthy, targets) =
                if none_serves { (health.len(), health.len()) } else { (unhealthy, open.targets.len()) };
            return Watch::Back(ReturnCause::Unhealthy { unhealthy, targets });
        }
        self.because(Reason::UnhealthyWithinGrace { unhealthy });
        Watch::Hold
    }

    /// What cannot be known holds for as long as `UnknownLimit`: facts that cannot be read, and whose fault it is where the
    /// same alarms fire on both colours.
    fn unknown(&mut self, open: &mut Open, on_both: Vec<String>) -> Watch {
        let unreadable = self.unreadable(open);
        let silent_alarms = self.alarms_that_say_nothing(open);
        let had_weight = open.had_weight();
        let Some(trial) = open.phase.trial_mut() else { return Watch::Fine };
        if unreadable.is_empty() && silent_alarms.is_empty() && on_both.is_empty() {
            trial.unknown_since = None;
            return Watch::Fine;
        }
        let start = *trial.unknown_since.get_or_insert(self.now);
        let told = silent_alarms.iter().map(ToString::to_string);
        let what = unreadable.iter().cloned().chain(told).collect::<Vec<_>>().join(", ");
        if had_weight && since(start, self.now) >= self.policy.unknown_limit {
            let is_read = what.is_empty();
            return Watch::Back(if is_read {
                ReturnCause::FireOnBoth { alarms: on_both }
            } else {
                ReturnCause::UnknownTooLong { what }
            });
        }
        let waits_to_begin = !had_weight && matches!(open.phase, Phase::Shifting(_) | Phase::Baking(_));
        if waits_to_begin && since(open.could_begin_at(), self.now) >= to_first_weight(open, self.policy) {
            return Watch::Back(ReturnCause::NotProven { waiting: what });
        }
        if !unreadable.is_empty() {
            self.because(Reason::Unknown { what: unreadable.join(", ") });
        }
        self.say_which(&silent_alarms);
        if !on_both.is_empty() {
            self.because(Reason::FireOnBoth { alarms: on_both });
        }
        Watch::Hold
    }

    /// The candidate's alarms that are neither OK nor firing, where there is a live colour to protect.
    ///
    /// `INSUFFICIENT_DATA` holds as well as an alarm that is not there. It need not last: an alarm that treats
    /// missing data as not breaching, as those of the template do, is OK within minutes of its creation and stays
    /// so without traffic (CloudWatch user guide, missing data). One that treats it as missing would be silent
    /// exactly while the candidate has no traffic; the limits end such a release with a reason that says so.
    fn alarms_that_say_nothing(&self, open: &Open) -> Vec<SilentAlarm> {
        let Some(alarms) = self.seen.alarms.of(open.colour).known().filter(|_| self.ledger.live.is_some())
        else {
            return Vec::new();
        };
        let silent = alarms.iter().filter_map(|(name, state)| match state {
            AlarmState::Ok | AlarmState::Firing => None,
            AlarmState::NoData => Some(SilentAlarm::WithoutData(name.clone())),
            AlarmState::Missing => Some(SilentAlarm::Missing(name.clone())),
        });
        silent.collect()
    }

    fn say_which(&mut self, silent: &[SilentAlarm]) {
        let (mut missing, mut without_data) = (Vec::new(), Vec::new());
        for alarm in silent {
            match alarm {
                SilentAlarm::Missing(name) => missing.push(name.clone()),
                SilentAlarm::WithoutData(name) => without_data.push(name.clone()),
            }
        }
        if !missing.is_empty() {
            self.because(Reason::AlarmsMissing { alarms: missing });
        }
        if !without_data.is_empty() {
            self.because(Reason::AlarmsWithoutData { alarms: without_data });
        }
    }

    /// A base rule that does something else than divide traffic. The way back would uncover it.
    fn odd_base_rule(&self) -> Option<String> {
        let Routing::Odd(odd) = &self.seen.rules.known()?.base else { return None };
        Some(format!("base rule: {}", odd.why))
    }

    fn unreadable(&self, open: &Open) -> Vec<String> {
        fn why<T>(name: &str, reading: &Reading<T>) -> Option<String> {
            match reading {
                Reading::Unknown(why) => Some(format!("{name}: {why}")),
                Reading::NotRead | Reading::Known(_) => None,
            }
        }
        [
            why("deployment", &self.seen.deployment),
            why("rules", &self.seen.rules),
            self.odd_base_rule(),
            why("candidate health", self.seen.health.of(open.colour)),
            why("live health", self.seen.health.of(open.colour.other())),
            why("alarms", self.seen.alarms.of(open.colour)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// An alarm that judges nothing.
#[derive(thiserror::Error, Debug)]
enum SilentAlarm {
    #[error("alarm {0}, which does not exist: create it or take it from the colour's list")]
    Missing(String),
    #[error("alarm {0}, which has no data: let it treat missing data as not breaching")]
    WithoutData(String),
}

pub(super) fn first_firing(alarms: &BTreeMap<String, AlarmState>) -> Option<String> {
    alarms.iter().find(|(_, state)| **state == AlarmState::Firing).map(|(name, _)| name.clone())
}
