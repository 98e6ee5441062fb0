//! The release's own rule: made if its creation was lost, adopted, told apart from a stranger's.

use super::Planning;
use crate::{Action, Colour, Open, Reading, Reason, ReleaseRule, RuleOwner, Rules};

/// Whose the rule at the reserved priority is. Told by ARN and tags, never by its host, which somebody may change.
pub(super) enum Whose {
    /// The open release's.
    Ours,
    /// One that an earlier release or attempt left.
    LeftOver,
    /// Somebody else's: never changed and never deleted.
    Stranger,
    /// Its tags could not be read.
    Unknown(String),
}

impl Planning<'_> {
    pub(super) fn whose(&self, rule: &ReleaseRule, open: Option<&Open>) -> Whose {
        if open.is_some_and(|open| open.rule.as_ref() == Some(&rule.arn)) {
            return Whose::Ours;
        }
        let is = |open: &Open, owner: &RuleOwner| {
            (open.upload.number, open.attempt) == (owner.number, owner.attempt)
        };
        match &self.seen.rule_owner {
            Reading::Known(Some(owner)) if open.is_some_and(|open| is(open, owner)) => Whose::Ours,
            Reading::Known(Some(_)) => Whose::LeftOver,
            Reading::Known(None) => Whose::Stranger,
            Reading::Unknown(why) => Whose::Unknown(why.clone()),
            Reading::NotRead => Whose::Unknown("they were not read in this pass".to_owned()),
        }
    }

    /// Makes the release's rule if its creation was lost, and clears a rule that an earlier release left. Only while
    /// the base rule is on the live colour: the new rule gives that colour all traffic.
    pub(super) fn repair_rule(&mut self, open: &mut Open) {
        let (Some(live), None) = (self.live_colour(), &open.rule) else { return };
        let Some(rules) = self.seen.rules.known().cloned() else { return };
        if let Some(found) = &rules.release {
            match self.whose(found, Some(open)) {
                Whose::Ours => {
                    // Its creator was interrupted, or has not come to write it down yet.
                    open.rule = Some(found.arn.clone());
                    open.rule_refused = None;
                    return self.because(Reason::AdoptsRule);
                }
                // It must not be taken over: a late writer may still hold its ARN.
                Whose::LeftOver => self.delete_after_commit(found.arn.clone()),
                Whose::Stranger | Whose::Unknown(_) => return,
            }
        }
        if !rules.base.are_all_on(live) {
            return self.because(Reason::BaseRuleDrifted { weights: rules.base });
        }
        // Written first: a pass that was overtaken by the end of the release would put all traffic back with a new rule.
        self.ledger.looked_at = Some(self.now);
        self.because(Reason::CreatesRule);
        self.forward
            .push(Action::CreateReleaseRule { live, release: open.description(&self.ledger.service) });
    }

    /// Whether a rule stands where the release's would that cannot be replaced.
    pub(super) fn is_in_the_way(&self, open: &Open) -> bool {
        let found = self.seen.rules.known().and_then(|rules| rules.release.as_ref());
        found
            .is_some_and(|found| matches!(self.whose(found, Some(open)), Whose::Stranger | Whose::Unknown(_)))
    }

    /// Why an open release still has no rule, in words for somebody who has to do something about it.
    pub(super) fn why_no_rule(&self, open: &Open) -> String {
        let rules = match &self.seen.rules {
            Reading::Known(rules) => rules,
            Reading::Unknown(why) => return why.clone(),
            Reading::NotRead => return "the rules to be read".to_owned(),
        };
        if let Some(found) = &rules.release {
            let arn = &found.arn;
            match self.whose(found, Some(open)) {
                Whose::Stranger => return stands_in_the_way(arn),
                Whose::Unknown(why) => return format!("the tags of rule {arn} could not be read: {why}"),
                Whose::Ours | Whose::LeftOver => {}
            }
        }
        match (&open.rule_refused, self.live_colour()) {
            (_, Some(live)) if !rules.base.are_all_on(live) => {
                format!("the base rule to be on {live}, and it says: {}", rules.base)
            }
            (Some(words), _) => words.clone(),
            (None, _) => "the load balancer to create it: see the function's log".to_owned(),
        }
    }

    /// A release's rule that does something else than divide traffic was changed by another hand: all traffic returns
    /// to the live colour, and what the candidate had must be proven anew. Whether it was.
    pub(super) fn mends_odd_rule(&mut self, open: &mut Open, rules: &Rules, live: Colour) -> bool {
        let Some(rule) = rules.release.as_ref().filter(|rule| open.rule.as_ref() == Some(&rule.arn)) else {
            return false;
        };
        let crate::Routing::Odd(_) = &rule.weights else { return false };
        self.because(Reason::LowersDrift { weights: rule.weights.clone() });
        let weights = crate::Weights::all_on(live);
        self.back.push(Action::SetReleaseWeights { rule: rule.arn.clone(), weights });
        open.phase.misses_its_raise();
        true
    }
}

pub(super) fn stands_in_the_way(arn: &crate::RuleArn) -> String {
    format!("rule {arn} stands at the priority that is reserved for releases, and is not ours: move it")
}
