//! In which order a decision is carried out, and how long it holds.

use super::{Action, Plan, schedule::since};
use crate::Ledger;
use jiff::Timestamp;
use std::time::Duration;

/// How long a decision holds. One that is older when it comes to act is not carried out: the world it was made for may
/// be gone, and the call that creates a release's rule would put all traffic back where it was. Longer than the
/// slowest look and the slowest write together (8 s each with all their tries), so that slowness alone is no reason.
const DECISION_HOLDS: Duration = Duration::from_secs(20);

/// Whether what was decided then is too old to be carried out now. What returns traffic is right at any age.
pub fn is_stale(decided: Timestamp, now: Timestamp) -> bool {
    since(decided, now) > DECISION_HOLDS
}

/// One effect of a pass.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Change something in AWS.
    Act(Action),
    /// Write the ledger; what follows happens only if the swap succeeds.
    Commit,
}

/// The effects of a plan in their order: what returns traffic, then the ledger, then the rest.
pub fn effects(before: &Ledger, plan: &Plan) -> Vec<Effect> {
    let commit = (plan.ledger != *before).then_some(Effect::Commit);
    let act = |action: &Action| Effect::Act(action.clone());
    plan.back.iter().map(act).chain(commit).chain(plan.forward.iter().map(act)).collect()
}
