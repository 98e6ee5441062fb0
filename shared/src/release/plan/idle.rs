//! Idle: nothing is open.

use super::Pass;
use crate::release::{
    Action, Colour, Live, Observation, Open, Phase, Purpose, Reason, Strategy, Upload, Verdict,
};
use std::time::Duration;

impl Pass<'_> {
    pub(super) fn idle(&mut self) {
        self.report_drift();
        if self.ledger.rollback {
            self.ledger.rollback = false;
            if let Some(previous) = self.ledger.previous.clone() {
                return self.roll_back(previous);
            }
        }
        match self.ledger.pending.take() {
            Some(upload) => self.open_release(upload, self.policy.strategy, self.policy.bake),
            None if self.reasons.is_empty() => self.because(Reason::NothingToDo),
            None => {}
        }
    }

    fn report_drift(&mut self) {
        let (Some(rules), Some(live)) = (self.seen.rules.known(), self.live_colour()) else { return };
        if !rules.base.are_all_on(live) {
            self.because(Reason::BaseRuleDrifted { weights: rules.base });
        }
        if let Some(stray) = &rules.release {
            self.because(Reason::StrayReleaseRule);
            if rules.base.are_all_on(live) {
                self.back.push(Action::DeleteReleaseRule { rule: stray.arn.clone() });
            }
        }
    }

    /// Opens a release: written first, then the rule and the deployment are asked for.
    pub(super) fn open_release(&mut self, upload: Upload, strategy: Strategy, bake: Duration) {
        let colour = self.live_colour().map_or(Colour::Blue, Colour::other);
        let longest = self.policy.install_deadline + strategy.total() + bake;
        let open = self.new_open(Purpose::Release, upload, colour, strategy, bake);
        if longest > crate::release::Policy::HOOK_TIMEOUT {
            let seconds = longest.as_secs();
            self.because(Reason::TooLong { seconds });
            let reason = format!(
                "installation, strategy {strategy} and bake would take up to {seconds} s, and a hook is given up after 3600 s: choose a shorter strategy or bake"
            );
            return self.close(open, Verdict::Rejected { reason });
        }
        self.because(Reason::Opens { number: open.upload.number, attempt: open.attempt });
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

    pub(super) fn new_open(&self, purpose: Purpose, upload: Upload, colour: Colour, strategy: Strategy, bake: Duration) -> Open {
        Open {
            purpose,
            upload,
            colour,
            strategy,
            bake,
            attempt: 1,
            deployment: None,
            rule: None,
            targets: Vec::new(),
            phase: Phase::Installing,
            since: self.now,
            opened_at: self.now,
            had_weight: false,
            unhealthy_since: None,
            unknown_since: None,
            raise_lost: false,
            hurry: false,
            abort: false,
            refused: None,
        }
    }

    /// The previous colour takes everything at once if it is fit for it, else its revision is released again.
    fn roll_back(&mut self, previous: Live) {
        self.because(Reason::RollsBack { number: previous.upload.number });
        if !can_carry(self.seen, previous.colour) {
            self.because(Reason::PreviousNotRunning);
            return self.open_release(previous.upload, Strategy::AllAtOnce, self.policy.bake);
        }
        let mut open = self.new_open(Purpose::Rollback, previous.upload, previous.colour, Strategy::AllAtOnce, Duration::ZERO);
        open.phase = Phase::Baking;
        if let Some(live) = self.live_colour() {
            let release = open.description(&self.ledger.service);
            self.forward.push(Action::CreateReleaseRule { live, release });
        }
        self.keep(open);
        self.again = true;
    }
}

/// Whether every target of this colour is healthy and there are as many as the other colour has.
pub(super) fn can_carry(seen: &Observation, colour: Colour) -> bool {
    match (seen.healthy_count(colour), seen.healthy_count(colour.other())) {
        (Some(ours), Some(others)) => ours > 0 && ours >= others,
        _ => false,
    }
}
