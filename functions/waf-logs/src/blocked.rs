//! How many are kept out, and for what: a small document for the page of all services, so that whoever writes that needs
//! neither the state nor a right to it. It names no address. Written when it differs from what was written last, which the
//! state remembers; it decides nothing.

use std::collections::BTreeMap;

use greenlight::failure::chain;
use jiff::Timestamp;
use offenders::configuration::Mode;
use offenders::state::State;
use serde::Serialize;

use crate::keys;
use crate::ports::Store;

/// Its format. It goes up when a member goes or means something else; `page::Blocked` reads it.
const SCHEMA: u32 = 1;

#[derive(Debug, Serialize)]
struct Document {
    schema: u32,
    /// When it last changed.
    at: Timestamp,
    #[serde(flatten)]
    kept_out: KeptOut,
}

#[derive(Debug, Serialize)]
struct KeptOut {
    mode: Mode,
    /// Networks by the detector that found them, in its words.
    #[serde(rename = "blocked")]
    by_detector: BTreeMap<String, usize>,
    /// Clients that WAF challenges.
    challenged: usize,
    /// Blocks that wait for an operator.
    held: usize,
}

impl KeptOut {
    fn of(state: &State, challenged: usize, mode: Mode) -> Self {
        let mut by_detector = BTreeMap::new();
        for ban in state.bans.values() {
            *by_detector.entry(ban.detector.to_string()).or_default() += 1;
        }
        Self { mode, by_detector, challenged, held: state.held.as_ref().map_or(0, |held| held.count) }
    }

    fn is_nobody(&self) -> bool {
        self.by_detector.is_empty() && self.challenged == 0 && self.held == 0
    }
}

/// Writes it, if it differs from what was written, and notes that in the state. One that cannot be written is a warning, and
/// the next pass writes it.
pub(crate) async fn keep(
    store: &impl Store,
    state: &mut State,
    challenged: usize,
    mode: Mode,
    at: Timestamp,
) {
    let kept_out = KeptOut::of(state, challenged, mode);
    let Ok(text) = serde_json::to_string(&kept_out) else { return };
    let is_told = state.kept_out.as_ref().map_or(kept_out.is_nobody(), |told| *told == text);
    if is_told {
        return;
    }
    let Ok(bytes) = serde_json::to_vec_pretty(&Document { schema: SCHEMA, at, kept_out }) else { return };
    match store.write(keys::BLOCKED, bytes).await {
        Ok(()) => state.kept_out = Some(text),
        Err(failure) => {
            tracing::warn!(
                error = chain(&failure),
                "{} is not written; the next pass writes it",
                keys::BLOCKED
            );
        }
    }
}
