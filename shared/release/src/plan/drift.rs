//! Drift: rules that neither the ledger nor CodeDeploy explains, with no release open.
//!
//! An operator's hand, a template of one's own that writes weights, a write of a pass that was long delayed.

use super::own_rule::Whose;
use super::{Planning, rollback::can_carry};
use crate::{Action, Colour, Drift, Live, Reason, ReleaseRule, Rules, Weights};

impl Planning<'_> {
    /// Whether this pass saw all traffic on the live colour. While it did not nothing opens, because what opens takes
    /// the other colour down or gives the live colour everything.
    ///
    /// Reports what has drifted, and repairs it where the policy allows that and it is proven safe. The first pass
    /// writes the drift down. The next one reads the health of both colours before it repairs. It also changes the
    /// ledger, so a pass that was overtaken loses the swap and changes no rule.
    pub(super) fn sees_traffic_on(&mut self, live: &Live) -> bool {
        let Some(rules) = self.seen.rules.known().cloned() else {
            self.because(Reason::Unknown { what: "rules: nothing opens before they were read".to_owned() });
            return false;
        };
        if !rules.base.are_all_on(live.colour) {
            self.because(Reason::BaseRuleDrifted { weights: rules.base.clone() });
            if self.notes_drift() {
                self.mend_base_rule(&rules, live);
            }
            return false;
        }
        if let Some(found) = &rules.release
            && self.stands_in_the_way(found, live.colour)
        {
            return false;
        }
        if self.ledger.drifted_at.take().is_some() {
            // The colour that is left serves late requests for the drain.
            self.ledger.emptied_at = Some(self.now);
        }
        true
    }

    /// Whether an earlier pass has written the drift down, and this one has read the health of both colours.
    fn notes_drift(&mut self) -> bool {
        let is_known = self.ledger.drifted_at.is_some();
        if !is_known {
            self.ledger.drifted_at = Some(self.now);
            self.again = true;
        }
        is_known
    }

    fn mend_base_rule(&mut self, rules: &Rules, live: &Live) {
        let fit = can_carry(self.seen, live.colour);
        let repairs = self.policy.drift == Drift::Repair && rules.base.is_plain();
        if repairs && fit {
            self.because(Reason::RepairsBaseRule);
            // The colour that is left serves late requests for the drain, from here and from when it is seen to be left.
            (self.ledger.drifted_at, self.ledger.emptied_at) = (Some(self.now), Some(self.now));
            self.forward.push(Action::SetBaseWeights { weights: Weights::all_on(live.colour) });
            self.again = true;
        } else if !self.adopts_rollback_by_hand(rules, live.colour, repairs) {
            self.say_what_the_drift_keeps(live.colour, rules);
        }
    }

    /// A release or command that waits for the base rule is not lost; whoever waits hears what to do.
    fn say_what_the_drift_keeps(&mut self, live: Colour, rules: &Rules) {
        if self.ledger.pending.is_none() && !self.ledger.rollback && !self.ledger.unsettled {
            return;
        }
        let other = live.other();
        let todo = match &self.ledger.previous {
            _ if rules.base.is_gone() => {
                "deploy the stack with another Bake, which makes the base rule again".to_owned()
            }
            _ if !rules.base.is_plain() => {
                format!(
                    "give the base rule its one forward action to both groups again, all weight on {live}"
                )
            }
            Some(previous) if !previous.overwritten && previous.colour == other => format!(
                "set all weight of the base rule on {live}; or set all of it on {other} and send rollback, which makes release {} live where it is",
                previous.upload.number
            ),
            _ => format!("set all weight of the base rule on {live}"),
        };
        self.because(Reason::WaitsForBaseRule { todo });
    }

    /// Whether a rule that no release explains keeps anything from opening. One of ours is deleted when no traffic
    /// moves by that, or when the live colour is proven fit for it.
    fn stands_in_the_way(&mut self, found: &ReleaseRule, live: Colour) -> bool {
        let gives = found.weights.gives(live.other());
        match self.whose(found, None) {
            Whose::Ours | Whose::LeftOver => {
                self.because(Reason::StrayReleaseRule);
                if gives && !self.notes_drift() {
                    return true;
                }
                if !gives || can_carry(self.seen, live) {
                    if gives {
                        // The colour that is left serves late requests for the drain.
                        self.ledger.emptied_at = Some(self.now);
                    }
                    self.delete_after_commit(found.arn.clone());
                    self.again = true;
                }
                true
            }
            // It stands where a release's rule would. Releases say so when they open.
            Whose::Stranger => {
                self.because(Reason::StrangersRule { rule: found.arn.clone() });
                if gives {
                    self.notes_drift();
                }
                gives
            }
            Whose::Unknown(why) => {
                let what = format!("the tags of rule {}: {why}", found.arn);
                self.because(Reason::Unknown { what });
                true
            }
        }
    }
}
