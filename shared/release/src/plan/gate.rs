//! A release waits for its gate's yes, and goes back on no, or on silence.

use super::Planning;
use crate::{Before, Open, Reason, ReturnCause};

impl Planning<'_> {
    /// Takes what the gate has answered.
    pub(super) fn hear_gate(&mut self) {
        if let (Some(report), Some(open)) = (&self.seen.gate, &mut self.ledger.open) {
            open.hear_gate(report, self.now);
        }
    }

    /// Whether the gate, if there is one, has said yes to this step, which is otherwise proven. If not, the release waits for
    /// it.
    pub(super) fn passes_gate(&mut self, open: &mut Open, before: Before) -> bool {
        let Some(gate) = &mut open.gate else { return true };
        if gate.lets_pass(before, self.now) {
            return true;
        }
        if let (Some(since), Some(until)) = (gate.since, gate.until()) {
            let so_far = gate.so_far().map(ToOwned::to_owned);
            self.because(Reason::WaitsForGate { before, since, until, so_far });
        }
        open.phase.awaits_no_proof();
        false
    }

    /// Why the gate takes the release back, whatever else it waits for.
    pub(super) fn refused_by_gate(&self, open: &Open) -> Option<ReturnCause> {
        let gate = open.gate.as_ref()?;
        Some(ReturnCause::Gate { before: gate.before, said: gate.refuses(self.now)? })
    }
}
