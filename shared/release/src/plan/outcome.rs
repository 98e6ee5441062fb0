//! What an action brought about that must be remembered.

use super::Action;
use crate::{DeploymentId, Ledger, RuleArn};

/// The answer to an action, where the ledger has a place for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The release's rule exists.
    RuleCreated(RuleArn),
    /// The deployment exists.
    DeploymentCreated(DeploymentId),
    /// CodeDeploy refuses this deployment and always will, in its words.
    DeploymentRefused(String),
    /// The load balancer refuses to create this rule, in its words.
    RuleRefused(String),
    /// Done; nothing to remember but that.
    Done,
}

/// Writes an outcome into the ledger that was committed before the action. `None`: nothing changes.
pub fn note(ledger: &Ledger, action: &Action, outcome: Outcome) -> Option<Ledger> {
    let mut next = ledger.clone();
    match (action, outcome) {
        (Action::TellVerdict { revision, .. }, Outcome::Done) => {
            next.releases
                .iter_mut()
                .filter(|past| past.upload.revision == *revision)
                .for_each(|past| past.told = true);
        }
        (_, Outcome::Done) => return None,
        (_, Outcome::RuleCreated(arn)) => next.open.as_mut()?.rule = Some(arn),
        (_, Outcome::DeploymentCreated(id)) => next.open.as_mut()?.deployment = Some(id),
        (_, Outcome::RuleRefused(detail)) => next.open.as_mut()?.rule_refused = Some(detail),
        (_, Outcome::DeploymentRefused(detail)) => next.open.as_mut()?.refused = Some(detail),
    }
    (next != *ledger).then_some(next)
}
