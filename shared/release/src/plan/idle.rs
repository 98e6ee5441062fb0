//! Idle: nothing is open.

use super::{Planning, schedule::since};
use crate::{Action, Colour, Open, Phase, Purpose, Reason, Strategy, UnknownFields, Upload, Verdict};
use std::time::Duration;

impl Planning<'_> {
    pub(super) fn idle(&mut self) {
        self.look_for_drift();
        if self.rolls_back() {
            return;
        }
        if self.ledger.pending.is_some() && self.waits_for_drain() {
            return;
        }
        if let Some(upload) = self.ledger.pending.take() {
            return self.open_release(upload, self.policy.strategy, self.policy.bake);
        }
        if self.ledger.unsettled && !self.gave_up_settling() {
            return self.settle(None);
        }
        self.look_for_suspended_processes();
        self.heal();
        if self.reasons.is_empty() {
            self.because(Reason::NothingToDo);
        }
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

    /// Whether settling was given up since the last release. Then an operator has to look.
    fn gave_up_settling(&self) -> bool {
        self.ledger
            .releases
            .last()
            .is_some_and(|past| past.purpose == Purpose::Settle && past.verdict != Verdict::Live)
    }

    /// Opens a release: written first, then the rule and the deployment are asked for.
    pub(super) fn open_release(&mut self, upload: Upload, strategy: Strategy, bake: Duration) {
        let colour = self.live_colour().map_or(Colour::Blue, Colour::other);
        let longest = self.policy.longest(strategy, bake);
        let open = self.new_open(Purpose::Release, upload, colour, strategy, bake);
        if longest > crate::Policy::HOOK_TIMEOUT {
            let seconds = longest.as_secs();
            self.because(Reason::TooLong { seconds });
            let reason = format!(
                "installation, strategy {strategy}, a wait for proof and bake would take up to {seconds} s, and a hook waits 3540 s: choose a shorter strategy or bake"
            );
            return self.close(open, Verdict::Rejected { reason });
        }
        self.because(Reason::Opens { number: open.upload.number, attempt: open.attempt });
        self.note_fix_forward(colour.other());
        if let Some(previous) = &mut self.ledger.previous {
            previous.overwritten = true;
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
            targets: Vec::new(),
            phase: Phase::Installing,
            since: self.now,
            opened_at: self.now,
            request: None,
            rolls_back: None,
            unknown_fields: UnknownFields::default(),
        }
    }
}
