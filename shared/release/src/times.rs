//! How long a function, a call and a decision last: each number once, and how they hang together.

use jiff::Timestamp;
use std::time::Duration;

/// After this time Lambda ends an invocation: `Timeout` in template.yaml, which a test compares.
pub const FUNCTION_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest that one call of AWS takes with all its tries.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(8);

/// How long a decision holds. One that is older when it comes to act is not carried out: the world it was made for may
/// be gone, and the call that creates a release's rule would put all traffic back where it was. Longer than a slow look
/// and a slow write together, so that slowness alone is seldom a reason.
pub const DECISION_HOLDS: Duration = Duration::from_secs(20);

/// How long a drill's way back may take, from the setting of its alarm until its rule is gone. The tick comes every minute, so
/// that one that takes longer has missed even that.
pub const DRILL_BACK_WITHIN: Duration = Duration::from_secs(60);

/// How long after a release opened another pass may still create its rule: as long as a decision holds, and the two
/// calls of the creation, which reads the rules first. A rule that is created after the release went live would return
/// all traffic to the old version, so no release goes live sooner.
pub const LATE_CREATION: Duration = DECISION_HOLDS.saturating_add(CALL_TIMEOUT.saturating_mul(2));

/// Whether what was decided then is too old to be carried out now. What returns traffic is right at any age.
pub fn is_stale(decided: Timestamp, now: Timestamp) -> bool {
    crate::plan::schedule::since(decided, now) > DECISION_HOLDS
}

// An invocation outlives a decision with its call, so that the rule above is what ends it, and Lambda's time-out is the
// second lock: it ends the call in time as well.
const _: () = assert!(CALL_TIMEOUT.as_secs() * 2 < DECISION_HOLDS.as_secs());
const _: () = assert!(FUNCTION_TIMEOUT.as_secs() < LATE_CREATION.as_secs());
const _: () = assert!(DECISION_HOLDS.as_secs() < FUNCTION_TIMEOUT.as_secs());
