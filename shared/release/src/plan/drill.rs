//! A drill: the live revision is installed once more, an alarm of its colour is set, and the way back is taken.
//!
//! Nothing here raises: a drill goes from `installing` to `drilling` and from there only back.

use super::{Planning, rollback::can_carry, schedule::since, watch::first_firing};
use crate::drill::{against, against_now};
use crate::times::DRILL_BACK_WITHIN;
use crate::{
    Action, AlarmSet, AlarmState, Colour, DrillAsked, Drilled, Live, Open, Phase, Purpose, Reason, Request,
    ReturnCause, Returning, Strategy, TargetHealth, UnknownFields,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// After this time the alarm is set once more, where no pass has seen that it was: the call, or the function that was to make
/// it, may have been lost.
const SET_AGAIN: Duration = Duration::from_secs(10);

impl Planning<'_> {
    /// Begins a drill behind a base rule that was seen on the live colour, if nothing speaks against it. Whether it did.
    pub(super) fn drills(&mut self, live: &Live, asked: DrillAsked) -> bool {
        let against = against(&self.ledger).or_else(|| against_now(&self.ledger, self.policy, self.now));
        if let Some(why) = against.or_else(|| self.is_unwell(live.colour)) {
            self.because(Reason::DrillNotHeld { why });
            return false;
        }
        let idle = live.colour.other();
        let mut open =
            self.new_open(Purpose::Drill, live.upload.clone(), idle, Strategy::AllAtOnce, Duration::ZERO);
        open.said = asked.said;
        self.because(Reason::Drills { number: open.upload.number, colour: idle });
        let stands_by = can_carry(self.seen, idle);
        if let Some(previous) = &mut self.ledger.previous {
            previous.comes_back = stands_by && !previous.overwritten;
            previous.overwritten = true;
        }
        self.ask_for(&open);
        self.keep(open);
        true
    }

    /// What was seen of the live colour against a drill: as long as that is open, nothing of it is healed or taken back by itself.
    pub(super) fn is_unwell(&self, live: Colour) -> Option<String> {
        let seen = (self.seen.health.of(live).known(), self.seen.alarms.of(live).known());
        let (Some(targets), Some(alarms)) = seen else {
            return Some(format!("the health and the alarms of {live} could not be read"));
        };
        if let Some(alarm) = first_firing(alarms) {
            return Some(format!("alarm {alarm} of {live} fires, which has the traffic: see to that first"));
        }
        if targets.is_empty() {
            return Some(format!("no instance of {live} is known, which has the traffic"));
        }
        let ill = targets.iter().find(|(_, health)| **health != TargetHealth::Healthy);
        ill.map(|(instance, _)| {
            format!("{instance} of {live} is not healthy, which has the traffic: wait until it is")
        })
    }

    /// It was asked for, and this pass does something else.
    pub(super) fn drill_is_not_held(&mut self, asked: Option<&DrillAsked>, why: &str) {
        if asked.is_some() {
            self.because(Reason::DrillNotHeld { why: why.to_owned() });
        }
    }

    /// An open drill. Whatever is stored of it, it goes on to its end without weight.
    pub(super) fn drill(&mut self, open: Open) {
        match open.phase {
            Phase::Installing => self.installing(open),
            Phase::Returning(_) => self.returning(open),
            Phase::Shifting(_)
            | Phase::Baking(_)
            | Phase::Promoting(_)
            | Phase::Settling
            | Phase::Drilling
            | Phase::Leaving(_) => self.drilling(open),
        }
    }

    fn drilling(&mut self, mut open: Open) {
        if let Some(cause) = self.ends_the_drill(&open) {
            return self.take_back(open, cause);
        }
        if self.rule_is_gone(&open) {
            return self.lose_the_rule(open);
        }
        open.missing_since = None;
        let Some(alarms) = self.seen.alarms.of(open.colour).known().cloned() else {
            self.because(Reason::Unknown { what: format!("the alarms of {}", open.colour) });
            return self.keep(open);
        };
        if let Some(alarm) = self.heard(&open, &alarms) {
            let ours = open.alarm_set.as_ref().is_some_and(|set| set.alarm == alarm);
            let cause = if ours { ReturnCause::Drilled { alarm } } else { ReturnCause::Alarm { alarm } };
            return self.take_back(open, cause);
        }
        if let Some(set) = open.alarm_set.clone() {
            if since(set.at, self.now) >= SET_AGAIN {
                self.sets(open.colour, set.alarm.clone());
            }
            self.because(Reason::AlarmSet { alarm: set.alarm, at: set.at });
            return self.keep(open);
        }
        // One that is not OK would show nothing when it is set.
        let Some((alarm, _)) = alarms.iter().find(|(_, state)| **state == AlarmState::Ok) else {
            self.because(Reason::NotProven { waiting: format!("an alarm of {} to be OK", open.colour) });
            return self.keep(open);
        };
        let at = self.now;
        open.alarm_set =
            Some(AlarmSet { alarm: alarm.clone(), at, unknown_fields: UnknownFields::default() });
        self.sets(open.colour, alarm.clone());
        self.because(Reason::AlarmSet { alarm: alarm.clone(), at });
        self.keep(open);
    }

    /// After the commit: what a pass that was overtaken would set might fire under a release.
    fn sets(&mut self, colour: Colour, alarm: String) {
        self.forward.push(Action::SetAlarm { colour, alarm });
    }

    /// What ends a drill that is installed, whatever its alarm says.
    fn ends_the_drill(&self, open: &Open) -> Option<ReturnCause> {
        if open.is_requested(Request::Abort) {
            return Some(ReturnCause::Aborted);
        }
        if let Some(detail) = &open.refused {
            return Some(ReturnCause::DrillFailed { detail: format!("its alarm cannot be set: {detail}") });
        }
        if let Some(superseded) = self.superseded(open) {
            return Some(superseded);
        }
        let deployment = self.seen.deployment.known().and_then(Option::as_ref);
        if let Some(cause) =
            deployment.and_then(|deployment| super::installing::ended(deployment, self.seen, open))
        {
            return Some(cause);
        }
        match &open.alarm_set {
            Some(set) if since(set.at, self.now) >= DRILL_BACK_WITHIN && !self.is_heard(open) => {
                Some(ReturnCause::DrillFailed {
                    detail: format!(
                        "alarm {} was set, and nobody has seen it fire for {} s: see CloudWatch's history of it, and the log of the lifecycle function",
                        set.alarm,
                        DRILL_BACK_WITHIN.as_secs()
                    ),
                })
            }
            None if since(open.since, self.now) >= self.policy.unknown_limit => {
                Some(ReturnCause::DrillFailed {
                    detail: format!(
                        "no alarm of {} could be read and was OK, so that none could be set",
                        open.colour
                    ),
                })
            }
            _ => None,
        }
    }

    fn is_heard(&self, open: &Open) -> bool {
        let alarms = self.seen.alarms.of(open.colour).known();
        alarms.is_some_and(|alarms| self.heard(open, alarms).is_some())
    }

    /// The alarm that takes a drill back: one that fires, or the one that was set and has fired since. CloudWatch evaluates it
    /// anew within a minute, often within seconds, so that it may be OK again when it is looked at.
    ///
    /// A candidate without weight is obeyed for here and nowhere else: its alarm is the drill.
    fn heard(&self, open: &Open, alarms: &BTreeMap<String, AlarmState>) -> Option<String> {
        let ours = open.alarm_set.as_ref().filter(|set| {
            let fires = alarms.get(&set.alarm) == Some(&AlarmState::Firing);
            fires || self.seen.ok_since.get(&set.alarm).is_some_and(|ok_since| *ok_since > set.at)
        });
        ours.map(|set| set.alarm.clone()).or_else(|| first_firing(alarms))
    }

    /// The end of a drill. CodeDeploy's last successful revision is the live one, whatever became of its deployment: that has
    /// the same revision.
    pub(super) fn close_drill(&mut self, open: &Open, back: &Returning) {
        let drilled = Drilled::of(open, &back.cause, back.weightless_since, self.now);
        self.because(Reason::DrillEnded { says: drilled.to_string() });
        self.ledger.drilled = Some(Box::new(drilled));
        self.again = true;
    }
}
