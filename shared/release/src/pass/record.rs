//! What a machine tells of what it does: the decision records of its passes, and the calls that failed.

use super::Failed;
use crate::{Ledger, Observation, Plan, Policy};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a machine tells what it does.
pub trait Records {
    /// A call that failed.
    type Failure: Failed;

    /// A pass has decided.
    fn decided(&mut self, decided: &Decided<'_>);

    /// An effect of that pass was tried; and why it is not done, if it is not.
    fn did(&mut self, effect: &'static str, why_not: impl FnOnce() -> Option<String>);

    /// A call failed, and the pass could go on. The next wake tries again.
    fn failed(&mut self, failure: Self::Failure);
}

/// A decision, and what it was made of.
#[derive(Debug, Clone, Copy)]
pub struct Decided<'a> {
    /// What the plan was given.
    pub ledger: &'a Ledger,
    /// What the plan saw.
    pub observation: &'a Observation,
    /// The time that the plan was given.
    pub now: Timestamp,
    /// The policy that the plan was given.
    pub policy: &'a Policy,
    /// What it decided.
    pub plan: &'a Plan,
}

/// One pass, for the decision record: everything the plan saw, so that it can be replayed.
#[derive(Debug, Serialize, Deserialize)]
pub struct PassRecord {
    /// What the plan was given.
    pub ledger: Ledger,
    /// What the plan saw.
    pub observation: Observation,
    /// The time that the plan was given.
    pub now: Timestamp,
    /// The policy that the plan was given.
    pub policy: Policy,
    /// What it decided.
    pub plan: Plan,
    /// What was done and how that went: the action's word, and the failure if it failed.
    pub done: Vec<(String, Option<String>)>,
}

/// Everything that an invocation has told, in order.
#[derive(Debug)]
pub struct Recorded<F> {
    /// Its passes.
    pub passes: Vec<PassRecord>,
    /// What failed.
    pub failures: Vec<F>,
}

impl<F> Default for Recorded<F> {
    fn default() -> Self {
        Self { passes: Vec::new(), failures: Vec::new() }
    }
}

impl<F: Failed> Records for Recorded<F> {
    type Failure = F;

    fn decided(&mut self, decided: &Decided<'_>) {
        let Decided { ledger, observation, now, policy, plan } = *decided;
        self.passes.push(PassRecord {
            ledger: ledger.clone(),
            observation: observation.clone(),
            now,
            policy: *policy,
            plan: plan.clone(),
            done: Vec::new(),
        });
    }

    fn did(&mut self, effect: &'static str, why_not: impl FnOnce() -> Option<String>) {
        if let Some(pass) = self.passes.last_mut() {
            pass.done.push((effect.to_owned(), why_not()));
        }
    }

    fn failed(&mut self, failure: F) {
        self.failures.push(failure);
    }
}
