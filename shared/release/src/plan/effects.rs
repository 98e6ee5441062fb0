//! In which order a decision is carried out.

use super::{Action, Plan};
use crate::Ledger;

/// One effect of a pass.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Change something in AWS.
    Act(Action),
    /// Write the ledger; what follows happens only if the swap succeeds.
    Commit,
}

/// The effects of a plan in their order: what returns traffic, then the ledger, then the rest. Verdicts are told last:
/// a tag that takes its time makes nothing else too late.
pub fn effects(before: &Ledger, plan: &Plan) -> Vec<Effect> {
    let commit = (plan.ledger != *before).then_some(Effect::Commit);
    let act = |action: &Action| Effect::Act(action.clone());
    let (told, done): (Vec<_>, Vec<_>) =
        plan.forward.iter().partition(|action| matches!(action, Action::TellVerdict { .. }));
    plan.back.iter().map(act).chain(commit).chain(done.into_iter().chain(told).map(act)).collect()
}
