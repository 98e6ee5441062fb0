//! Rollback after success: by an operator, or by itself: an alarm of the live colour, or its bad minutes.

use super::{Planning, Window, schedule::since, watch::first_firing};
use crate::evidence::BadMinutes;
use crate::{
    Action, Colour, InstanceId, Ledger, Live, Observation, Phase, Policy, Previous, Promotion, Purpose,
    Reading, Reason, RollbackCause, Rules, Statement, Strategy, Trial, Upload, Verdict, statement,
};
use jiff::Timestamp;
use std::time::Duration;

/// Whether an alarm of the live colour, or its bad minutes, would start a rollback now. They start at most one for a live
/// release, even if that rollback was taken back.
pub(crate) fn is_armed(ledger: &Ledger, policy: &Policy, now: Timestamp) -> bool {
    let (Some(live), Some(previous)) = (&ledger.live, &ledger.previous) else { return false };
    let tried = |past: &crate::Past| past.purpose == Purpose::Rollback && past.opened_at >= live.since;
    ledger.open.is_none()
        && !previous.overwritten
        && is_watched(live, policy, now)
        && !ledger.releases.iter().any(tried)
        && !ledger.is_rejected(&previous.upload)
}

/// Within the rollback window, and longer where too little came to judge by.
pub(crate) fn is_watched(live: &Live, policy: &Policy, now: Timestamp) -> bool {
    let age = since(live.since, now);
    let lacks_requests = live.watched.is_some_and(|watched| watched.lacks_requests(age));
    age < policy.rollback_window || !policy.rollback_window.is_zero() && lacks_requests
}

/// The minutes of the live colour that CloudWatch is asked for, while it may be taken back by itself.
pub(super) fn window(ledger: &Ledger, now: Timestamp) -> Option<Window> {
    let live = ledger.live.as_ref()?;
    live.watched?.window(live.since, now)
}

/// Whether targets of this colour are healthy now, and as many as of the other colour.
pub(super) fn can_carry(seen: &Observation, colour: Colour) -> bool {
    match (seen.healthy_count(colour), seen.healthy_count(colour.other())) {
        (Some(ours), Some(others)) => ours > 0 && ours >= others,
        _ => false,
    }
}

impl Planning<'_> {
    /// Starts a rollback when there is a reason for one. Whether it did.
    pub(super) fn rolls_back(&mut self) -> bool {
        let by_operator = std::mem::take(&mut self.ledger.rollback);
        let said = self.ledger.rollback_said.take().filter(|_| by_operator);
        let cause = if by_operator { Some(RollbackCause::Operator) } else { self.trouble_after_success() };
        let (Some(cause), Some(previous)) = (cause, self.ledger.previous.clone()) else { return false };
        self.roll_back(previous, cause, said);
        true
    }

    /// An alarm of what went live a while ago, which judged the same version when it was the candidate, or its bad minutes.
    fn trouble_after_success(&mut self) -> Option<RollbackCause> {
        if !is_armed(&self.ledger, self.policy, self.now) {
            self.ledger.dead_since.clear();
            if let Some(live) = &mut self.ledger.live {
                live.watched = None;
            }
            return None;
        }
        let live = self.live_colour()?;
        self.note_the_dead(live);
        if let Reading::Unknown(why) = self.seen.alarms.of(live) {
            self.because(Reason::Unknown { what: format!("alarms of the live colour: {why}") });
        }
        let by_alarm = if self.is_in_the_window() { self.live_alarm(live) } else { None };
        let cause = by_alarm.or_else(|| self.bad_minutes.map(|past| RollbackCause::Past { past }))?;
        if let Some(instance) = self.died_lately() {
            self.because(Reason::MayBeTheInstance { instance });
            return None;
        }
        if !can_carry(self.seen, live.other()) {
            self.because(Reason::PreviousNotRunning);
            return None;
        }
        Some(cause)
    }

    /// Where little was at stake only its minutes are watched for longer.
    fn is_in_the_window(&self) -> bool {
        let live = self.ledger.live.as_ref();
        live.is_some_and(|live| since(live.since, self.now) < self.policy.rollback_window)
    }

    fn live_alarm(&mut self, live: Colour) -> Option<RollbackCause> {
        let alarm = first_firing(self.seen.alarms.of(live).known()?)?;
        self.because(Reason::LiveAlarm { alarm: alarm.clone() });
        Some(RollbackCause::Alarm { alarm })
    }

    /// Hears what the minutes since its success say against the live version, when CloudWatch was asked, whatever else this pass
    /// sees: it is not asked again so soon.
    pub(super) fn hear_minutes(&mut self) {
        self.bad_minutes = self.judged_minutes();
    }

    fn judged_minutes(&mut self) -> Option<BadMinutes> {
        let watched = self.ledger.live.as_mut().and_then(|live| live.watched.as_mut())?;
        let seen = self.seen;
        if seen.published == Reading::NotRead {
            return None;
        }
        watched.asked_at = Some(self.now);
        if let Reading::Unknown(why) = &seen.published {
            self.because(Reason::CountsUnreadable { why: why.clone() });
            return None;
        }
        let past = watched.take(seen.published.known()?, self.policy.unknown_limit, self.now)?;
        self.because(Reason::LiveMinutes { past });
        Some(past)
    }

    /// An instance that has served neither colour for less than `unknown_limit`. The alarm may have fired because of
    /// it. The load balancer sends it no more requests, so that alarm will clear.
    fn died_lately(&self) -> Option<InstanceId> {
        let lately = |start: &Timestamp| since(*start, self.now) < self.policy.unknown_limit;
        self.ledger.dead_since.iter().find(|(_, start)| lately(start)).map(|(instance, _)| instance.clone())
    }

    fn note_the_dead(&mut self, live: Colour) {
        let Some(targets) = self.seen.health.of(live).known() else { return };
        let dead = targets.keys().filter(|instance| self.seen.serves_neither(instance));
        let start = |instance: &InstanceId| self.ledger.dead_since.get(instance).copied().unwrap_or(self.now);
        self.ledger.dead_since = dead.map(|instance| (instance.clone(), start(instance))).collect();
    }

    /// The previous colour takes everything at once if it is fit for it, else its revision is released again.
    fn roll_back(&mut self, previous: Previous, cause: RollbackCause, said: Option<Statement>) {
        self.because(Reason::RollsBack { number: previous.upload.number });
        if previous.overwritten || !can_carry(self.seen, previous.colour) {
            self.because(Reason::PreviousNotRunning);
            // A colour that is down has no late requests to serve.
            if self.seen.healthy_count(previous.colour) != Some(0) && self.waits_for_drain() {
                (self.ledger.rollback, self.ledger.rollback_said) = (true, said);
                return;
            }
            self.open_release(previous.upload, previous.colour, Strategy::AllAtOnce, self.policy.bake);
            if let Some(open) = &mut self.ledger.open {
                (open.rolls_back, open.said) = (Some(cause), said);
                // Nothing that stops a release stops a way back.
                open.gate = None;
            }
            return;
        }
        let mut open = self.new_open(
            Purpose::Rollback,
            previous.upload,
            previous.colour,
            Strategy::AllAtOnce,
            Duration::ZERO,
        );
        open.phase = Phase::Baking(Trial::default());
        (open.rolls_back, open.said) = (Some(cause), said);
        if let Some(live) = self.live_colour() {
            let release = open.description(&self.ledger.service);
            self.forward.push(Action::CreateReleaseRule { live, release });
        }
        self.keep(open);
        self.again = true;
    }

    /// An operator has moved the base rule to the previous colour, which carries the traffic: a rollback by hand. What
    /// is live is what has the traffic from then on, so that the next release mends the other colour. By command at
    /// once; by itself only after the live colour was unfit for so long that nobody can have it repaired.
    pub(super) fn adopts_rollback_by_hand(&mut self, rules: &Rules, live: Colour, repairs: bool) -> bool {
        let runs = |previous: &Previous| {
            !previous.overwritten && previous.colour == live.other() && rules.base.are_all_on(previous.colour)
        };
        let Some(previous) = self.ledger.previous.clone().filter(runs) else { return false };
        let stood = self.ledger.drifted_at.map_or(Duration::ZERO, |start| since(start, self.now));
        let is_due = self.ledger.rollback
            || repairs && stood >= self.policy.unknown_limit && !self.ledger.is_rejected(&previous.upload);
        if !is_due || !can_carry(self.seen, previous.colour) {
            return false;
        }
        self.because(Reason::AdoptsRollback { number: previous.upload.number });
        let mut open = self.new_open(
            Purpose::Rollback,
            previous.upload,
            previous.colour,
            Strategy::AllAtOnce,
            Duration::ZERO,
        );
        (open.rolls_back, open.said) = (Some(RollbackCause::Operator), self.ledger.rollback_said.take());
        // The base rule has moved already.
        open.phase = Phase::Promoting(Promotion { agreed: true, ..Promotion::default() });
        (self.ledger.rollback, self.ledger.drifted_at) = (false, None);
        self.ledger.emptied_at = Some(self.now);
        self.again = true;
        self.keep(open);
        true
    }

    /// The release that was put aside is a rejected one from now on: it is not tried again by itself.
    pub(super) fn reject_rolled_back(
        &mut self,
        replaced: &Upload,
        cause: &RollbackCause,
        said: Option<&Statement>,
    ) {
        let release = self.ledger.releases.iter_mut().rev().find(|past| {
            past.purpose == Purpose::Release && past.upload == *replaced && past.verdict == Verdict::Live
        });
        if let Some(release) = release {
            release.verdict = Verdict::Rejected { reason: statement::with(cause, said) };
            release.told = false;
        }
    }
}

#[cfg(test)]
mod tests;
