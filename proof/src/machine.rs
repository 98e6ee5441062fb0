//! What is under proof: production's functions, or a broken variant's.

use jiff::Timestamp;
use release::pass::Decisions;
use release::{Answer, Asker, Ledger, Offer, Policy, Question, Upload};

/// Everything that decides. Production's by default; a mutant replaces one of its functions.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    /// What a reconcile decides.
    pub decisions: Decisions,
    /// What a hook hears.
    pub answer: fn(&Ledger, &Policy, Timestamp, &Question, &Asker, Option<bool>) -> Answer,
    /// What becomes of an upload.
    pub accept: fn(Ledger, Upload, bool, Timestamp) -> (Ledger, Offer),
    /// Whether S3 replaces the ledger only while it is the one that was read.
    pub swaps: bool,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            decisions: Decisions::default(),
            answer: release::answer,
            accept: release::accept_upload,
            swaps: true,
        }
    }
}
