//! What goes wrong with previews.

use super::is_in;
use jiff::Timestamp;
use release::plan::{Action, Plan};
use release::{Ledger, Observation, Policy, Reading, plan};

pub(super) fn sees_no_preview(
    mut ledger: Ledger,
    seen: &Observation,
    policy: &Policy,
    now: Timestamp,
) -> Plan {
    let preview = ledger.open.as_mut().filter(|open| open.deployment.is_some());
    let preview = preview.and_then(|open| open.preview.as_mut().filter(|preview| preview.rule.is_some()));
    if let Some(preview) = preview {
        (preview.ended, preview.rule) = (true, None);
        ledger.preview_asked_at = None;
    }
    let mut bent = seen.clone();
    if let Reading::Known(rules) = &mut bent.rules {
        rules.preview = None;
    }
    plan(ledger, &bent, policy, now)
}

pub(super) fn keeps_the_preview(ledger: Ledger, seen: &Observation, policy: &Policy, now: Timestamp) -> Plan {
    let mut decided = plan(ledger, seen, policy, now);
    if is_in(&decided.ledger, "returning") {
        decided.forward.retain(|action| !matches!(action, Action::DeletePreviewRule { .. }));
    }
    decided
}

pub(super) fn returns_without_preview(
    ledger: Ledger,
    seen: &Observation,
    policy: &Policy,
    now: Timestamp,
) -> Plan {
    let stands = seen.rules.known().is_some_and(|rules| rules.preview.is_some());
    if !stands || !is_in(&ledger, "returning") {
        return plan(ledger, seen, policy, now);
    }
    let open = ledger.open.clone();
    let mut decided = plan(ledger, seen, policy, now);
    decided.ledger.open = open;
    decided.forward.retain(|action| matches!(action, Action::DeletePreviewRule { .. }));
    decided
}
