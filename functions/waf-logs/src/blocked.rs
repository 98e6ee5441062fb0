//! How many are kept out, and for what: a small document for the page of all services, so that whoever writes that needs
//! neither the state nor a right to it. It names no address. Written when it has changed, after everything else; it decides
//! nothing.

use std::collections::BTreeMap;

use greenlight::failure::chain;
use jiff::Timestamp;
use offenders::configuration::Mode;
use offenders::state::State;
use serde::Serialize;

use crate::keys;
use crate::pass::Passed;
use crate::ports::Store;

/// Its format. It goes up when a member goes or means something else; `page::Blocked` reads it.
const SCHEMA: u32 = 1;

#[derive(Debug, Serialize)]
struct Blocked {
    schema: u32,
    /// When it last changed.
    at: Timestamp,
    mode: Mode,
    /// Networks by the detector that found them.
    #[serde(rename = "blocked")]
    by_detector: BTreeMap<String, usize>,
    /// Clients that WAF challenges.
    challenged: usize,
    /// Blocks that wait for an operator.
    held: usize,
}

/// Networks by the detector that found them, in its words.
fn by_detector(state: &State) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for ban in state.bans.values() {
        *found.entry(ban.detector.to_string()).or_default() += 1;
    }
    found
}

/// Writes it, if a pass has changed it. One that cannot be written is a warning: the next change writes it.
pub(crate) async fn keep(store: &impl Store, before: &State, after: &State, passed: &Passed, at: Timestamp) {
    let held = |state: &State| state.held.as_ref().map_or(0, |held| held.count);
    let seen = |state: &State| (by_detector(state), state.challenged.len(), held(state));
    // A command has changed the state before its pass, and the mode is in no state: both change the sets.
    if passed.sets_changed == 0 && seen(before) == seen(after) {
        return;
    }
    let document = Blocked {
        schema: SCHEMA,
        at,
        mode: passed.mode,
        by_detector: by_detector(after),
        challenged: passed.challenged,
        held: held(after),
    };
    let Ok(bytes) = serde_json::to_vec_pretty(&document) else { return };
    if let Err(failure) = store.write(keys::BLOCKED, bytes).await {
        tracing::warn!(
            error = chain(&failure),
            "{} is not written; the next change of who is blocked writes it",
            keys::BLOCKED
        );
    }
}
