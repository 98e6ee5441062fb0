//! How events reach functions: at least once, and late, twice, not at all or out of order when told to.

use crate::functions::Functions;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What happens to the next events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Knobs {
    /// How late each one comes, in milliseconds.
    pub delay_ms: u64,
    /// How many of the next ones come twice.
    pub duplicate: u32,
    /// How many of the next ones do not come at all.
    pub lose: u32,
    /// Keep them back. When this is taken off they come in reverse order.
    pub hold: bool,
}

/// One source's way to the functions.
#[derive(Debug)]
pub struct Deliveries {
    functions: Arc<Functions>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    knobs: Knobs,
    held: Vec<(String, Value)>,
}

impl Deliveries {
    /// Delivers at once until told otherwise.
    pub fn new(functions: Arc<Functions>) -> Self {
        Self { functions, state: Mutex::default() }
    }

    /// The knobs as they stand.
    pub fn knobs(&self) -> Knobs {
        self.lock().knobs.clone()
    }

    /// Sets the knobs. Events that were kept back and are no longer come now, the latest first.
    pub fn set(&self, knobs: Knobs) {
        let released = {
            let mut state = self.lock();
            state.knobs = knobs;
            if state.knobs.hold { Vec::new() } else { std::mem::take(&mut state.held) }
        };
        for (function, event) in released.into_iter().rev() {
            self.deliver(&function, &event, Duration::ZERO);
        }
    }

    /// Delivers an event to the function with this name.
    pub fn send(&self, function: &str, event: &Value) {
        let (copies, delay) = {
            let mut state = self.lock();
            if state.knobs.hold {
                state.held.push((function.to_owned(), event.clone()));
                return;
            }
            let knobs = &mut state.knobs;
            let copies = if knobs.lose > 0 {
                knobs.lose -= 1;
                0
            } else if knobs.duplicate > 0 {
                knobs.duplicate -= 1;
                2
            } else {
                1
            };
            (copies, Duration::from_millis(knobs.delay_ms))
        };
        for _ in 0..copies {
            self.deliver(function, event, delay);
        }
    }

    fn deliver(&self, function: &str, event: &Value, delay: Duration) {
        let functions = Arc::clone(&self.functions);
        let (function, payload) = (function.to_owned(), Bytes::from(event.to_string()));
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            if let Err(error) = functions.invoke_later(&function, payload) {
                tracing::warn!(%error, "an event has nowhere to go");
            }
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
