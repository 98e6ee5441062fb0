//! What wakes a pass.

use crate::Ledger;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What woke a reconcile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wake {
    /// A hook's question. Writes when it looked, so that others within the look interval are answered from the ledger.
    Question,
    /// Any other event.
    Event,
}

/// The ledger as the plan of this pass gets it: a hook's question is remembered, which ends the silence of an open
/// release and lets others within the look interval be answered from the ledger.
pub fn asked(ledger: &Ledger, wake: Wake, now: Timestamp) -> Ledger {
    Ledger { looked_at: if wake == Wake::Question { Some(now) } else { ledger.looked_at }, ..ledger.clone() }
}
