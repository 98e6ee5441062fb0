//! Everything that the machine decides, as functions: production's by default, a broken variant's in the proof.

use super::Class;
use super::way_back::{self, Alarms, Healthy, WithoutLedger};
use crate::plan::{self, Action, Effect, Outcome, Plan, Reads};
use crate::{Deployment, Ledger, Observation, Policy, Routing, RuleOwner, Rules, Wake, times};
use jiff::Timestamp;

/// The functions of a reconcile.
#[derive(Debug, Clone, Copy)]
pub struct Decisions {
    /// What has to be read.
    pub reads: fn(&Ledger, &Policy, Timestamp) -> Reads,
    /// The decision.
    pub plan: fn(Ledger, &Observation, &Policy, Timestamp) -> Plan,
    /// The order of its effects.
    pub effects: fn(&Ledger, &Plan) -> Vec<Effect>,
    /// Whether a decision of then is too old to be carried out now.
    pub is_stale: fn(Timestamp, Timestamp) -> bool,
    /// Whether the pass goes on to its next effect after a write of the ledger.
    pub follows: fn(Swap, Write) -> bool,
    /// What an effect's answer leaves in the ledger.
    pub note: fn(&Ledger, &Action, Outcome) -> Option<Ledger>,
    /// Whether rules and ledger are read back after the effects; told whether the pass has to start again anyway.
    pub looks_back: fn(&Plan, bool) -> bool,
    /// Whether the ledger or a rule that was read back asks for another pass; told whether the ledger has changed.
    pub found_changed: fn(&Plan, bool, Option<&Rules>) -> bool,
    /// Whether another pass follows one that was the invocation's nth; told whether there is a reason for it, and
    /// whether a call failed.
    pub goes_on: fn(Wake, u8, bool, bool) -> bool,
    /// What becomes of the traffic when the ledger cannot be read.
    pub without_ledger:
        fn(&Rules, Option<&RuleOwner>, &Alarms, &Healthy, Option<&Deployment>) -> WithoutLedger,
}

/// What a write of the ledger has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Swap {
    /// What was to be remembered is remembered.
    Written,
    /// Another pass was first.
    Lost,
    /// The answer was lost.
    Unknown,
    /// Nothing was written.
    Failed,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Write {
    /// The decision.
    Decision,
    /// What an effect has brought about.
    Note,
}

impl Default for Decisions {
    fn default() -> Self {
        Self {
            reads: plan::reads,
            plan: plan::plan,
            effects: plan::effects,
            is_stale: times::is_stale,
            follows,
            note: plan::note,
            looks_back,
            found_changed,
            goes_on,
            without_ledger: way_back::decide,
        }
    }
}

impl Swap {
    /// What the answer to a write means: its failure, if it failed.
    pub fn of(failure: Option<Class>) -> Self {
        match failure {
            None => Self::Written,
            Some(Class::Conflict) => Self::Lost,
            Some(Class::OutcomeUnknown) => Self::Unknown,
            Some(Class::Permanent | Class::Transient | Class::Bug) => Self::Failed,
        }
    }

    /// Whether the ledger may be another one now: read again, decide again.
    pub fn moved_on(self) -> bool {
        matches!(self, Self::Lost | Self::Unknown)
    }
}

/// What was decided is carried out only if it is written. What an effect has brought about and could not be written
/// down is found by the next pass.
fn follows(swap: Swap, write: Write) -> bool {
    match swap {
        Swap::Written => true,
        Swap::Lost | Swap::Unknown => false,
        Swap::Failed => write == Write::Note,
    }
}

fn looks_back(plan: &Plan, starts_again: bool) -> bool {
    starts_again || plan.actions().any(Action::changes_a_rule)
}

/// A rule that does not say what this pass has asked for was changed by another hand meanwhile.
fn found_changed(plan: &Plan, ledger_changed: bool, rules: Option<&Rules>) -> bool {
    ledger_changed || rules.is_some_and(|rules| !plan.actions().all(|action| is_in_place(action, rules)))
}

fn is_in_place(action: &Action, rules: &Rules) -> bool {
    let release = rules.release.as_ref();
    match action {
        Action::SetReleaseWeights { rule, weights } => {
            release.is_some_and(|found| found.arn == *rule && found.weights == Routing::from(*weights))
        }
        Action::DeleteReleaseRule { rule } => release.is_none_or(|found| found.arn != *rule),
        Action::SetBaseWeights { weights } => rules.base == Routing::from(*weights),
        Action::CreateReleaseRule { .. } => release.is_some(),
        Action::CreatePreviewRule { .. } => rules.preview.is_some(),
        Action::CreateDeployment { .. }
        | Action::StopDeployment { .. }
        | Action::SetAlarm { .. }
        | Action::ReplaceInstance { .. }
        | Action::ResumeProcesses { .. }
        // Nothing but the first weight waits for it, and that looks for itself.
        | Action::DeletePreviewRule { .. }
        | Action::TellVerdict { .. } => true,
    }
}

/// How many passes one wake may take: enough for the longest chain (promoting: base rule, release's rule, idle, next
/// release).
const PASSES: u8 = 8;

/// A hook waits for its answer and asks again soon: it pays for one pass.
fn goes_on(wake: Wake, passes: u8, again: bool, failed: bool) -> bool {
    again && !failed && wake != Wake::Question && passes < PASSES
}
