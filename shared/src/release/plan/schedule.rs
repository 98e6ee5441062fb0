//! When the next raise is due.

use crate::release::{Ledger, Open, Phase, Policy};
use jiff::Timestamp;
use std::time::Duration;

/// The time since `earlier`; zero when the clock of another machine was ahead.
pub(in crate::release) fn since(earlier: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(earlier)).unwrap_or(Duration::ZERO)
}

/// How long the present step or the bake still lasts. Zero when an operator is in a hurry.
pub(super) fn remaining(open: &Open, now: Timestamp) -> Duration {
    let whole = match &open.phase {
        Phase::Shifting { step } => open.strategy.step(*step).map_or(Duration::ZERO, |step| step.hold),
        Phase::Baking => open.bake,
        Phase::Installing | Phase::Promoting | Phase::Returning(_) | Phase::Settling => Duration::ZERO,
    };
    if open.hurry { Duration::ZERO } else { whole.saturating_sub(since(open.since, now)) }
}

/// Whether this pass may raise a weight, and so has to see what a raise must prove.
pub(in crate::release) fn raise_may_be_due(
    ledger: &Ledger,
    open: &Open,
    _policy: &Policy,
    now: Timestamp,
) -> bool {
    let first_raise = !open.had_weight;
    let next_raise = matches!(open.phase, Phase::Shifting { .. }) && remaining(open, now).is_zero();
    !ledger.paused && (first_raise || next_raise || open.raise_lost)
}
