//! The decision record: one JSON line per pass, with its reason and everything it was decided on.

use crate::failure::chain;
use crate::release::reconcile::{Pass, Reconciled};

/// Writes one record per pass and one line per failure.
///
/// `pass` holds the inputs and the plan as JSON, so that any production decision can be replayed.
/// Nothing in them comes from a request: no header values, no tokens, no bodies.
pub fn log(reconciled: &Reconciled) {
    for pass in &reconciled.passes {
        log_pass(pass);
    }
    for failure in &reconciled.failures {
        tracing::warn!(
            service = reconciled.ledger.service.as_str(),
            failure_class = failure.class().word(),
            error = chain(failure),
            "a call failed; the next poll or tick tries again"
        );
    }
}

fn log_pass(pass: &Pass) {
    let record = pass.plan.record();
    let reasons: Vec<String> = record.reasons.iter().map(crate::release::Reason::word).collect();
    tracing::info!(
        service = record.service,
        decision = record.phase,
        release = record.release,
        candidate = record.candidate.map(crate::release::Colour::word),
        weight = record.weight,
        actions = record.actions.join(","),
        reasons = reasons.join(","),
        why = to_json(&record.reasons),
        done = to_json(&pass.done),
        pass = to_json(pass),
        "decided"
    );
}

fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| format!("not serialisable: {error}"))
}
