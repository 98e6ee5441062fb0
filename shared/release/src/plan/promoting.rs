//! Promoting: success is written; CodeDeploy agrees, the base rule moves, the release's rule goes.

use super::Planning;
use super::own_rule::Whose;
use super::shifting::release_share;
use super::watch::Watch;
use crate::evidence::Watched;
use crate::{
    Action, DeploymentStatus, Live, Open, Phase, Previous, Promotion, Purpose, Reason, Request, ReturnCause,
    Rules, UnknownFields, Verdict, Weights,
};

impl Planning<'_> {
    pub(super) fn promoting(&mut self, mut open: Open) {
        let agreed = matches!(open.phase, Phase::Promoting(Promotion { agreed: true, .. }))
            || self.seen.deployment.known().and_then(Option::as_ref).is_some_and(|deployment| {
                deployment.status == DeploymentStatus::Succeeded
                    && open.deployment.as_ref() == Some(&deployment.id)
            });
        if !agreed {
            match self.watch(&mut open) {
                Watch::Back(cause) => return self.take_back(open, cause),
                Watch::Hold => return self.keep(open),
                // A rollback has no deployment, so the health and alarms of the colour decide.
                Watch::Fine if open.purpose == Purpose::Rollback => {}
                Watch::Fine => {
                    self.because(Reason::WaitsForCodeDeploy);
                    return self.keep(open);
                }
            }
        }
        let failed =
            self.seen.deployment.known().and_then(Option::as_ref).map_or(0, |deployment| deployment.failed);
        if failed > 0 && self.ledger.live.is_some() {
            return self.take_back(open, ReturnCause::PartialSuccess { failed });
        }
        let Some(rules) = self.seen.rules.known().cloned() else {
            self.because(Reason::Unknown { what: "rules".to_owned() });
            return self.keep(open);
        };
        let moved = rules.base.are_all_on(open.colour);
        if open.rule.is_some() && release_share(&rules, open.colour) == 1000 {
            self.ledger.emptied_at.get_or_insert(self.now);
        }
        if let Some(live) = self.live_colour()
            && self.mends_odd_rule(&mut open, &rules, live)
        {
            return self.keep(open);
        }
        match (open.rule.clone(), &rules.release) {
            // The rule goes only after the base rule was seen in place; what went before is the way back.
            (Some(ours), found) if found.as_ref().is_none_or(|found| found.arn != ours) => {
                self.lose_the_rule(open);
            }
            // An operator has lowered the weight since. Raising it again must be proven like any raise.
            (Some(_), _) if release_share(&rules, open.colour) < 1000 => {
                // The other colour has traffic again: its drain counts from when that was seen to be over.
                self.ledger.emptied_at = None;
                open.phase.misses_its_raise();
                let phase = open.phase.clone();
                self.raise(open, phase);
            }
            (Some(ours), _) if moved => {
                self.because(Reason::DeletesReleaseRule);
                open.rule = None;
                // Whoever moved the base rule: what is missing from here on counts as it does after this release's move.
                if let Phase::Promoting(promotion) = &mut open.phase {
                    promotion.agreed = true;
                }
                self.forward.push(Action::DeleteReleaseRule { rule: ours });
                self.again = true;
                self.keep(open);
            }
            (Some(_), _) => self.move_base_rule(open, &rules),
            // The first release has no rule of its own, and a rollback may have to do without one. Any other release
            // deleted it when the base rule was in place: then a way back that was late has won.
            (None, _) if !moved && self.ledger.live.is_none() => self.move_base_rule(open, &rules),
            // This raise is proven in the pass that makes it, like any other.
            (None, _) if !moved && open.rule_refused.is_some() => match self.prove(&open) {
                Ok(()) => self.move_base_rule(open, &rules),
                Err(waiting) => self.wait_for_proof(open, waiting),
            },
            (None, _) if !moved => self.lose_the_rule(open),
            (None, Some(found)) if matches!(self.whose(found, None), Whose::Ours | Whose::LeftOver) => {
                self.delete_after_commit(found.arn.clone());
                self.again = true;
                self.keep(open);
            }
            (None, _) => self.go_live(open),
        }
    }

    /// The rule is not there, or the base rule is not where it was seen before the rule was deleted.
    pub(super) fn lose_the_rule(&mut self, mut open: Open) {
        let cause = self.why_the_rule_is_gone(&open);
        if self.is_gone_for_good(&mut open, &cause) {
            return self.take_back(open, cause);
        }
        self.keep(open);
    }

    /// The base rule alone, at once, for a rollback whose rule the load balancer refuses to create.
    pub(super) fn roll_back_by_the_base_rule(&mut self, mut open: Open) {
        let Some(rules) = self.seen.rules.known().cloned() else { return self.keep(open) };
        let why = self.why_no_rule(&open);
        open.rule_refused.get_or_insert(why);
        open.phase = Phase::Promoting(Promotion::default());
        open.since = self.now;
        self.move_base_rule(open, &rules);
    }

    /// Written first, like everything forward: the swap proves that no way back was written since.
    fn move_base_rule(&mut self, mut open: Open, rules: &Rules) {
        if !rules.base.is_plain() {
            self.because(Reason::BaseRuleDrifted { weights: rules.base.clone() });
            return self.keep(open);
        }
        self.because(Reason::MovesBaseRule);
        if open.rule.is_none() && rules.base.gives(open.colour.other()) {
            // Nothing took the traffic from the other colour before: its drain counts from here.
            self.ledger.emptied_at = Some(self.now);
        }
        if let Phase::Promoting(promotion) = &mut open.phase {
            // By the base rule alone a rollback is watched until that was seen to have moved.
            promotion.agreed = open.rule_refused.is_none() || open.purpose != Purpose::Rollback;
        }
        self.ledger.looked_at = Some(self.now);
        self.forward.push(Action::SetBaseWeights { weights: Weights::all_on(open.colour) });
        self.again = true;
        self.keep(open);
    }

    fn go_live(&mut self, mut open: Open) {
        self.because(Reason::WentLive);
        self.note_raise(&mut open, "the base rule gives it all".to_owned());
        if open.is_requested(Request::Abort) {
            // It came too late, so that its reason explains nothing.
            open.said = None;
        }
        let moved = self.ledger.emptied_at.is_some_and(|emptied| emptied >= open.opened_at);
        if open.rule_refused.is_some() || self.ledger.live.is_none() && moved {
            // Seen, not only asked for: the base rule took the traffic from the other colour, and may have done so late.
            self.ledger.emptied_at = Some(self.now);
        }
        let live = Live {
            colour: open.colour,
            upload: open.upload.clone(),
            since: self.now,
            watched: open.counted.as_deref().and_then(|counted| Watched::from(counted, self.now)),
            unknown_fields: UnknownFields::default(),
        };
        self.ledger.previous = self.ledger.live.replace(live).map(Previous::from);
        if let (Some(replaced), Some(cause)) = (self.ledger.previous.clone(), &open.rolls_back) {
            self.reject_rolled_back(&replaced.upload, cause, open.said.as_ref());
        }
        let purpose = open.purpose;
        self.close(open, Verdict::Live);
        self.ledger.unsettled = purpose == Purpose::Rollback;
        if self.ledger.unsettled && self.ledger.next_upload(self.now).is_none() {
            self.settle(None);
        }
    }

    /// Opens the deployment that makes the live revision CodeDeploy's last successful one again.
    ///
    /// `failed`: the attempt before this one.
    pub(super) fn settle(&mut self, failed: Option<&Open>) {
        let Some(live) = self.ledger.live.clone() else { return };
        self.because(Reason::Settles);
        let mut open = self.new_open(
            Purpose::Settle,
            live.upload,
            live.colour.other(),
            crate::Strategy::AllAtOnce,
            std::time::Duration::ZERO,
        );
        open.phase = Phase::Settling;
        if let Some(failed) = failed {
            (open.attempt, open.first_attempt) = (failed.attempt + 1, failed.first_attempt);
        }
        // What ran on the idle colour is about to be replaced by the live revision.
        self.ledger.previous = None;
        if self.is_on_live() && !self.waits_for_drain() {
            self.forward.push(Action::CreateDeployment {
                description: open.description(&self.ledger.service),
                revision: open.upload.revision.clone(),
            });
        }
        self.keep(open);
    }
}
