//! How events reach functions: late and out of order as on AWS, and twice, not at all or in reverse when told to.

use crate::chance::Chance;
use crate::functions::Functions;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// How late S3's notifications come, and how late one in so many does. Source: S3 user guide, "Amazon S3 Event
/// Notifications": "typically delivered in seconds but can sometimes take a minute or longer", and in no order.
const S3: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(5);
const S3_SELDOM: (u64, RangeInclusive<Duration>) = (16, Duration::from_secs(5)..=Duration::from_mins(1));

/// How late a source's events come by themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lateness {
    /// `EventBridge` routes an event within half a second.
    None,
    /// As late as S3's, on clocks that run so many times as fast.
    OfS3 { speed: u32, chance: Chance },
}

impl Lateness {
    /// Of the event with this number.
    fn of(self, event: u64) -> Duration {
        let Self::OfS3 { speed, chance } = self else { return Duration::ZERO };
        let (many, seldom) = S3_SELDOM;
        let times = if chance.is_one_in(many, event) { seldom } else { S3 };
        chance.within(&times, event) / speed.max(1)
    }
}

/// One source's way to the functions.
#[derive(Debug)]
pub struct Deliveries {
    functions: Arc<Functions>,
    lateness: Lateness,
    events: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    knobs: Knobs,
    held: Vec<(String, Value)>,
}

impl Deliveries {
    /// Delivers so late, and as told.
    pub(crate) fn new(functions: Arc<Functions>, lateness: Lateness) -> Self {
        Self { functions, lateness, events: AtomicU64::default(), state: Mutex::default() }
    }

    /// How late the next event comes by itself.
    pub(crate) fn late(&self) -> Duration {
        self.lateness.of(self.events.fetch_add(1, Ordering::Relaxed))
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
            self.deliver(function, event, delay + self.late());
        }
    }

    fn deliver(&self, function: &str, event: &Value, delay: Duration) {
        let functions = Arc::clone(&self.functions);
        let (function, payload) = (function.to_owned(), Bytes::from(event.to_string()));
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            if let Err(error) = functions.invoke_later(&function, &payload) {
                tracing::warn!(%error, "an event has nowhere to go");
            }
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_s3_says_comes_within_a_minute_and_in_no_order() {
        let lateness = Lateness::OfS3 { speed: 10, chance: Chance(1) };
        let late: Vec<Duration> = (0..800).map(|event| lateness.of(event)).collect();
        assert!(late.iter().all(|late| (Duration::from_millis(50)..=Duration::from_secs(6)).contains(late)));
        let seldom = late.iter().filter(|late| **late > Duration::from_millis(500)).count();
        assert!((25..80).contains(&seldom), "{seldom} of 800");
        let overtaken = late.windows(2).filter(|two| matches!(two, [one, next] if one > next)).count();
        assert!(overtaken > 300, "{overtaken} of 800");
        assert_eq!(Lateness::None.of(3), Duration::ZERO);
    }
}
