//! Idle: nothing is open.

use super::own_rule::Whose;
use super::{Planning, rollback::can_carry, schedule::since};
use crate::{
    Action, Aside, Colour, Course, Gate, Live, Open, Phase, Purpose, Reason, Rules, Smoke, Strategy,
    UnknownFields, Upload, Verdict,
};
use std::time::Duration;

impl Planning<'_> {
    pub(super) fn idle(&mut self) {
        // It is begun by this pass or not at all: nobody wants a drill hours later.
        self.hear_minutes();
        let drill = self.ledger.drill.take();
        let Some(live) = self.ledger.live.clone() else {
            self.drill_is_not_held(drill.as_ref(), crate::drill::NOTHING_LIVE);
            return self.idle_with_nothing_live();
        };
        let is_seen = self.sees_traffic_on(&live);
        if is_seen && self.opens(&live) || self.ledger.open.is_some() {
            return self.drill_is_not_held(drill.as_ref(), "something else came first");
        }
        if !is_seen {
            self.drill_is_not_held(drill.as_ref(), "all traffic was not seen on the live colour");
        } else if let Some(asked) = drill
            && self.drills(&live, asked)
        {
            return;
        }
        self.look_for_suspended_processes();
        self.heal();
        if self.reasons.is_empty() {
            self.because(Reason::NothingToDo);
        }
    }

    /// Opens what is due, in the order of its urgency. Whether something was opened or is waited for.
    fn opens(&mut self, live: &Live) -> bool {
        if self.rolls_back() {
            return true;
        }
        let is_due = self.ledger.pending.is_some() && !self.is_frozen();
        // That may last, and an instance must be replaced meanwhile.
        if is_due && self.waits_for_settings() {
            return false;
        }
        if is_due && self.waits_for_drain() {
            return true;
        }
        if let Some(upload) = self.ledger.pending.take_if(|_| is_due) {
            let colour = self.live_colour().map_or(Colour::Blue, Colour::other);
            self.open_release(upload, colour, self.policy.strategy, self.policy.bake);
            return true;
        }
        let settles = self.ledger.unsettled && !self.gave_up_settling();
        if settles {
            self.settle(None);
        }
        settles || self.reinstalls(live)
    }

    /// Whether an operator lets no release open now. A freeze that is over is forgotten.
    fn is_frozen(&mut self) -> bool {
        self.ledger.frozen.take_if(|freeze| freeze.until <= self.now);
        let Some(freeze) = &self.ledger.frozen else { return false };
        let (until, why) = (freeze.until, freeze.reason.clone());
        self.because(Reason::Frozen { until, why });
        true
    }

    /// Before the first release, or with a ledger that was lost: then a colour may serve that nothing is known of, and
    /// it is not taken down.
    fn idle_with_nothing_live(&mut self) {
        let Some(upload) = self.ledger.pending.clone() else {
            return self.because(Reason::NothingToDo);
        };
        if self.is_frozen() {
            return;
        }
        let Some(rules) = self.seen.rules.known().cloned() else {
            return self
                .because(Reason::Unknown { what: "rules: nothing opens before they were read".to_owned() });
        };
        let counts = Colour::BOTH.map(|colour| self.seen.healthy_count(colour));
        let [Some(_), Some(_)] = counts else {
            return self.because(Reason::Unknown { what: "the health of both colours".to_owned() });
        };
        let serves = |colour| {
            let rule = rules.release.as_ref().is_some_and(|rule| rule.weights.gives(colour));
            (rule || rules.base.gives(colour)) && self.seen.healthy_count(colour) > Some(0)
        };
        if serves(Colour::Blue) && serves(Colour::Green) {
            return self.serves_on_both(&rules);
        }
        if self.waits_for_settings() || self.waits_for_drain() {
            return;
        }
        let colour = if serves(Colour::Blue) { Colour::Green } else { Colour::Blue };
        self.ledger.pending = None;
        self.open_release(upload, colour, self.policy.strategy, self.policy.bake);
    }

    /// A rule that a release left when its ledger was lost goes, if the base rule has all traffic on a colour that can
    /// carry it. Otherwise somebody has to say which colour is to be kept.
    fn serves_on_both(&mut self, rules: &Rules) {
        let kept = Colour::BOTH.into_iter().find(|colour| rules.base.are_all_on(*colour));
        if let (Some(found), Some(kept)) = (&rules.release, kept)
            && can_carry(self.seen, kept)
            && matches!(self.whose(found, None), Whose::LeftOver)
        {
            self.because(Reason::StrayReleaseRule);
            self.ledger.emptied_at = Some(self.now);
            self.delete_after_commit(found.arn.clone());
            self.again = true;
            return;
        }
        let todo = "nothing is known to be live and both colours serve: set all weight of the base rule on the one that is to be kept, and delete the rule before it, if there is one".to_owned();
        self.because(Reason::WaitsForBaseRule { todo });
    }

    /// Whether the idle colour still drains: it lost its weight so recently that late requests may still reach it.
    pub(super) fn waits_for_drain(&mut self) -> bool {
        let remaining = self
            .ledger
            .emptied_at
            .map_or(Duration::ZERO, |emptied| self.policy.drain.saturating_sub(since(emptied, self.now)));
        if !remaining.is_zero() {
            let seconds = remaining.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX);
            self.because(Reason::WaitsForDrain { seconds });
        }
        !remaining.is_zero()
    }

    /// A release that somebody has a wrong setting for is not lost: it waits until that is right.
    fn waits_for_settings(&mut self) -> bool {
        if !self.policy.is_sound {
            self.because(Reason::WrongSettings);
        }
        !self.policy.is_sound
    }

    /// Whether settling was given up since the last release. Then an operator has to look.
    fn gave_up_settling(&self) -> bool {
        self.ledger
            .releases
            .last()
            .is_some_and(|past| past.purpose == Purpose::Settle && past.verdict != Verdict::Live)
    }

    /// Opens a release: written first, then the rule and the deployment are asked for.
    pub(super) fn open_release(
        &mut self,
        upload: Upload,
        colour: Colour,
        strategy: Strategy,
        bake: Duration,
    ) {
        let longest = self.policy.longest(strategy, bake);
        let mut open = self.new_open(Purpose::Release, upload, colour, strategy, bake);
        open.gate = Gate::with(self.policy.gate).filter(|_| self.ledger.live.is_some());
        if longest > crate::Policy::HOOK_TIMEOUT {
            let seconds = longest.as_secs();
            self.because(Reason::TooLong { seconds });
            let gate = if self.policy.gate.is_zero() { "" } else { ", two answers of the gate" };
            let reason = format!(
                "installation, strategy {strategy}, a wait for proof{gate} and bake would take up to {seconds} s, and a hook waits 3540 s: choose a shorter strategy or bake"
            );
            return self.close(open, Verdict::Rejected { reason });
        }
        self.because(Reason::Opens { number: open.upload.number, attempt: open.attempt });
        self.note_fix_forward(colour.other());
        if let Some(previous) = &mut self.ledger.previous {
            (previous.overwritten, previous.comes_back) = (true, false);
        }
        self.ledger.ailing = None;
        self.ask_for(&open);
        self.keep(open);
    }

    /// The rule and the deployment of an attempt that has just been written down.
    pub(super) fn ask_for(&mut self, open: &Open) {
        let description = open.description(&self.ledger.service);
        if let Some(live) = self.live_colour() {
            self.forward.push(Action::CreateReleaseRule { live, release: description.clone() });
        }
        self.forward.push(Action::CreateDeployment { description, revision: open.upload.revision.clone() });
    }

    pub(super) fn new_open(
        &self,
        purpose: Purpose,
        upload: Upload,
        colour: Colour,
        strategy: Strategy,
        bake: Duration,
    ) -> Open {
        let attempt = self.ledger.next_attempt(upload.number);
        Open {
            purpose,
            upload,
            colour,
            strategy,
            bake,
            attempt,
            first_attempt: attempt,
            deployment: None,
            refused: None,
            rule: None,
            rule_refused: None,
            missing_since: None,
            targets: Vec::new(),
            phase: Phase::Installing,
            since: self.now,
            opened_at: self.now,
            delayed_until: None,
            counted: None,
            smoke: Smoke::default(),
            migrates: None,
            gate: None,
            alarm_set: None,
            preview: None,
            course: Aside(Course::begun(self.now)),
            request: None,
            rolls_back: None,
            said: None,
            unknown_fields: UnknownFields::default(),
        }
    }
}
