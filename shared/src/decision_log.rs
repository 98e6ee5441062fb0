//! The decision record: one JSON line per pass, with its reason and everything it was decided on.

use crate::failure::{Failure, chain};
use crate::reconcile::{NoLedger, PassRecord, Reconciled};
use release::ServiceName;

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

/// The end of an invocation for one service: its passes are logged.
///
/// # Errors
/// The first failure that Lambda shall hear, so that it tries again. A conflict is none: whoever was first carries on.
pub fn finish(reconciled: Reconciled) -> Result<(), Failure> {
    log(&reconciled);
    reconciled.failures.into_iter().find(|failure| !failure.is_conflict()).map_or(Ok(()), Err)
}

/// The end of an invocation for several services: one service's trouble keeps no other from being logged.
///
/// # Errors
/// The failure of the last service that has one; see [`finish`].
pub fn finish_all(
    services: impl IntoIterator<Item = (ServiceName, Result<Reconciled, NoLedger>)>,
) -> Result<(), Failure> {
    let mut result = Ok(());
    for (service, reconciled) in services {
        let finished = match reconciled {
            Ok(reconciled) => finish(reconciled),
            Err(no_ledger) => Err(log_without_ledger(&service, no_ledger)),
        };
        if finished.is_err() {
            result = finished;
        }
    }
    result
}

/// Writes what was done for a service whose ledger could not be read; what kept it from being read is for Lambda,
/// which tries again.
fn log_without_ledger(service: &ServiceName, no_ledger: NoLedger) -> Failure {
    if let Some(reason) = no_ledger.reason() {
        tracing::error!(
            service = service.as_str(),
            decision = "held",
            reasons = reason.word(),
            why = to_json(&[reason]),
            "{}",
            chain(&no_ledger.failure)
        );
    }
    match &no_ledger.way_back {
        Ok(done) => {
            tracing::warn!(
                service = service.as_str(),
                done = to_json(done),
                "the way back was looked for without the ledger"
            );
        }
        Err(failure) => tracing::error!(
            service = service.as_str(),
            failure_class = failure.class().word(),
            error = chain(failure),
            "cannot read the ledger, and taking the release back without it failed too; the next event or tick retries"
        ),
    }
    no_ledger.failure
}

fn log_pass(pass: &PassRecord) {
    let record = pass.plan.record();
    let reasons: Vec<&str> = record.reasons.iter().map(release::Reason::word).collect();
    tracing::info!(
        service = record.service,
        decision = record.phase,
        release = record.release,
        candidate = record.candidate.map(release::Colour::word),
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
