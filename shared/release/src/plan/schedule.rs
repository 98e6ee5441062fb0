//! When the next raise is due.

use super::evidence;
use crate::times::LATE_CREATION;
use crate::{Gate, Ledger, Open, Phase, Policy, Preview, Purpose, Raised, Request};
use jiff::Timestamp;
use std::time::Duration;

/// The time since `earlier`; zero when the clock of another machine was ahead.
pub(crate) fn since(earlier: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(earlier)).unwrap_or(Duration::ZERO)
}

/// How long the present step or the bake still lasts. Zero when an operator is in a hurry, but for late creations.
pub(super) fn remaining(open: &Open, now: Timestamp) -> Duration {
    let least = match &open.phase {
        Phase::Baking(_) if open.rule.is_some() => LATE_CREATION.saturating_sub(since(open.opened_at, now)),
        _ => Duration::ZERO,
    };
    let hurries = open.is_requested(Request::Hurry);
    // How long an evidence step lasts the counts say.
    let asked = if hurries || open.evidence_step().is_some() {
        Duration::ZERO
    } else {
        open.hold().saturating_sub(since(open.since, now))
    };
    asked.max(least)
}

/// How long after it could begin a release may take until it has its first weight: to be installed and to hear its gate, and
/// as long again from the end of a preview, however late that was asked for. A pause may have come before it.
pub(super) fn to_first_weight(open: &Open, policy: &Policy) -> Duration {
    let gate = open.gate.as_ref().map_or(Duration::ZERO, |gate| gate.deadline);
    let preview = open.preview.as_ref().and_then(Preview::holds_until);
    policy.install_deadline + gate + preview.map_or(Duration::ZERO, |end| since(open.could_begin_at(), end))
}

/// How long after a release opened a pause may still end without the hooks ending first: the steps that remain, the bake and
/// the answers of its gate must fit.
///
/// What is left of an evidence step shrinks while it is paused as well.
pub(crate) fn latest_resume(open: &Open, now: Timestamp) -> Duration {
    let steps: Duration = match &open.phase {
        Phase::Shifting(shift) => match open.evidence_step() {
            Some(latest) => latest.saturating_sub(evidence::counted_for(open, now)),
            None => (shift.step..).map_while(|step| open.strategy.step(step)).map(|step| step.hold).sum(),
        },
        Phase::Installing => open.strategy.total(),
        Phase::Baking(_)
        | Phase::Promoting(_)
        | Phase::Returning(_)
        | Phase::Settling
        | Phase::Drilling
        | Phase::Leaving(_) => Duration::ZERO,
    };
    let gate = open.gate.as_ref().map_or(Duration::ZERO, Gate::time_left);
    Policy::HOOK_TIMEOUT.saturating_sub(TICK + steps + open.bake + gate)
}

/// The longest time between two looks.
const TICK: Duration = Duration::from_secs(60);

/// Whether this pass may raise a weight, and so has to read everything that a raise must prove.
pub(crate) fn raise_may_be_due(ledger: &Ledger, open: &Open, policy: &Policy, now: Timestamp) -> bool {
    let lacks_a_raise = open.phase.trial().is_some_and(|trial| trial.raised != Raised::Decided);
    let decided = open.evidence_step().is_none()
        || open.is_requested(Request::Hurry)
        || evidence::lets_go_on(open, policy, now);
    let next_raise = matches!(open.phase, Phase::Shifting(_)) && decided && remaining(open, now).is_zero();
    !is_paused(ledger, open) && (lacks_a_raise || next_raise)
}

/// Whether an operator holds this release. A pause holds no rollback: the version that is live may be the broken one. Nor
/// does it hold what was called a success: that goes live.
pub(crate) fn is_paused(ledger: &Ledger, open: &Open) -> bool {
    ledger.paused
        && open.purpose == Purpose::Release
        && open.rolls_back.is_none()
        && !matches!(open.phase, Phase::Promoting(_))
}
