//! The functions under proof: production's, or a broken variant's.

use jiff::Timestamp;
use release::plan::Effect;
use release::plan::{Action, Outcome, Plan};
use release::{Answer, Asker, Ledger, Observation, Offer, Policy, Question, Reads, Upload, plan, reads};

/// What a pass is made of. Production's by default; a mutant replaces one of them.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    /// What has to be read.
    pub reads: fn(&Ledger, &Policy, Timestamp) -> Reads,
    /// The decision.
    pub plan: fn(Ledger, &Observation, &Policy, Timestamp) -> Plan,
    /// The order of its effects.
    pub effects: fn(&Ledger, &Plan) -> Vec<Effect>,
    /// What an effect's answer leaves in the ledger.
    pub note: fn(&Ledger, &Action, Outcome) -> Option<Ledger>,
    /// What a hook hears.
    pub answer: fn(&Ledger, &Policy, Timestamp, &Question, &Asker, Option<bool>) -> Answer,
    /// What becomes of an upload.
    pub accept: fn(Ledger, Upload, bool, Timestamp) -> (Ledger, Offer),
    /// Whether a pass that lost the swap stops there.
    pub heeds_the_swap: bool,
    /// Whether the ledger is replaced only while it is the one that was read.
    pub swaps: bool,
    /// Whether a pass that changed a rule reads the ledger again.
    pub reads_back: bool,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            reads,
            plan,
            effects: release::plan::effects,
            note: release::plan::note,
            answer: release::answer,
            accept: release::accept_upload,
            heeds_the_swap: true,
            swaps: true,
            reads_back: true,
        }
    }
}
