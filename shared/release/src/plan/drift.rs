//! Drift: rules that neither the ledger nor CodeDeploy explains, with no release open.
//!
//! An operator's hand, a stack update that writes the template's weights, a write of a pass that was long delayed.

use super::{Planning, rollback::can_carry};
use crate::{Action, Colour, Drift, Reason, Rules, Weights};

impl Planning<'_> {
    /// Reports what has drifted, and repairs it where the policy allows that and it is proven safe.
    ///
    /// The first pass writes the drift down. The next one reads the health of both colours before it repairs. It also
    /// changes the ledger, so a pass that was overtaken loses the swap and changes no rule.
    pub(super) fn look_for_drift(&mut self) {
        let (Some(rules), Some(live)) = (self.seen.rules.known().cloned(), self.live_colour()) else {
            return;
        };
        if rules.base.are_all_on(live) {
            if self.ledger.drifted_at.take().is_some() {
                self.ledger.emptied_at = Some(self.now);
            }
        } else {
            self.because(Reason::BaseRuleDrifted { weights: rules.base });
            self.repair_base_rule(live);
        }
        self.look_for_stray_rule(&rules, live);
    }

    fn repair_base_rule(&mut self, live: Colour) {
        if self.policy.drift == Drift::Report {
            return;
        }
        if self.ledger.drifted_at.is_none() {
            self.ledger.drifted_at = Some(self.now);
            self.again = true;
        } else if can_carry(self.seen, live) {
            self.because(Reason::RepairsBaseRule);
            // The colour that is left serves late requests for the drain, from here and from when it is seen to be left.
            (self.ledger.drifted_at, self.ledger.emptied_at) = (Some(self.now), Some(self.now));
            self.forward.push(Action::SetBaseWeights { weights: Weights::all_on(live) });
            self.again = true;
        }
    }

    fn look_for_stray_rule(&mut self, rules: &Rules, live: Colour) {
        let Some(stray) = &rules.release else { return };
        self.because(Reason::StrayReleaseRule);
        if rules.base.are_all_on(live) {
            if stray.weights.of(live.other()) > 0 {
                self.ledger.emptied_at = Some(self.now);
            }
            self.delete_after_commit(stray.arn.clone());
        }
    }
}
