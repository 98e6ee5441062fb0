//! The decision record: one JSON line per pass, with its reason and everything it was decided on.

use crate::failure::{Class, Failure, chain};
use crate::reconcile::{NoLedger, Reconciled};
use crate::settings::Settings;
use release::ServiceName;
use release::pass::{PassRecord, WayBack};

/// Writes one record for each setting that is wrong. The function goes on without it: the way back does not need it.
pub fn log_faults(settings: &Settings) {
    for fault in &settings.faults {
        tracing::error!(
            failure_class = Class::Permanent.word(),
            variable = fault.variable,
            expected = fault.expected,
            "{fault}: no release opens until it is right; what is open goes on, or back, by what it was opened with"
        );
    }
}

/// Writes one record per pass and one per failure.
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

/// The end of an invocation for one service: its passes and failures are logged.
///
/// # Errors
/// The first failure that Lambda shall hear, so that it tries again. A conflict is none: whoever was first carries on.
pub fn finish(mut reconciled: Reconciled) -> Result<(), Failure> {
    let told = reconciled.failures.iter().position(|failure| !failure.is_conflict());
    let told = told.map(|index| reconciled.failures.remove(index));
    log(&reconciled);
    let Some(failure) = told else { return Ok(()) };
    tracing::error!(
        service = reconciled.ledger.service.as_str(),
        failure_class = failure.class().word(),
        error = chain(&failure),
        "a call failed; Lambda sends the event again, and the next tick tries too"
    );
    Err(failure.recorded())
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

/// The failure of an invocation for one service whose ledger cannot be read: why, and what was done without it.
pub fn failure_without_ledger(service: &ServiceName, no_ledger: NoLedger) -> Failure {
    let NoLedger { failure, way_back } = no_ledger;
    Failure::new(failure.class(), without_ledger(service, failure.class(), &way_back)).caused_by(failure)
}

/// The one record of a service whose ledger could not be read: why, and what was done without it. Lambda hears why,
/// and sends the event again.
fn log_without_ledger(service: &ServiceName, no_ledger: NoLedger) -> Failure {
    let reason = no_ledger.reason();
    let NoLedger { failure, way_back } = no_ledger;
    tracing::error!(
        service = service.as_str(),
        failure_class = failure.class().word(),
        error = chain(&failure),
        decision = reason.as_ref().map(|_| "held"),
        reasons = reason.as_ref().map(release::Reason::word),
        why = reason.as_ref().map(|reason| to_json(&[reason])),
        done = way_back.as_ref().ok().map(to_json),
        way_back_failure_class = way_back.as_ref().err().map(|failure| failure.class().word()),
        way_back_error = way_back.as_ref().err().map(|failure| chain(failure)),
        "{}",
        without_ledger(service, failure.class(), &way_back)
    );
    failure.recorded()
}

/// What it means for the service that its ledger cannot be read, or that a bug keeps it from being decided on.
fn without_ledger(service: &ServiceName, why: Class, way_back: &Result<WayBack, Failure>) -> String {
    let what = if why == Class::Bug { "decided on, because of a bug" } else { "read" };
    match way_back {
        Ok(WayBack::NotNeeded) => format!(
            "{service}: the ledger cannot be {what}. No candidate whose alarm fires has traffic, so nothing was taken back. The next look is within a minute."
        ),
        Ok(WayBack::NoCandidate { alarm }) => format!(
            "{service}: the ledger cannot be {what}. Alarm {alarm} fires on a colour with traffic, but neither CodeDeploy nor the base rule says which colour is the candidate, so NOTHING was taken back. Delete the release's rule if the other colour is the good one. The next look is within a minute."
        ),
        Ok(WayBack::Taken { candidate, alarm, .. }) => format!(
            "{service}: the ledger cannot be {what}. Alarm {alarm} of the candidate {candidate} fires, so all traffic was returned to the live colour. The next look is within a minute."
        ),
        Err(_) => format!(
            "{service}: the ledger cannot be {what}, and the way back without it failed too. It is unknown whether a release has traffic, and NOTHING was taken back: without the ledger only the rules name the release's rule. The next look is within a minute; a missing permission does not mend by itself."
        ),
    }
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
        says = record.says,
        done = to_json(&pass.done),
        pass = to_json(pass),
        "decided"
    );
}

fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| format!("not serialisable: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use release::{Colour, RuleArn};

    #[test]
    fn a_ledger_that_cannot_be_read_is_told_by_what_it_means_for_the_traffic() {
        let service = ServiceName::new("backend").unwrap();
        let taken = WayBack::Taken {
            candidate: Colour::Green,
            alarm: "backend-green-errors".to_owned(),
            rule: RuleArn("arn:rule".to_owned()),
            by: "delete_release_rule",
            stopped: None,
            not_stopped: None,
        };
        let failed = Failure::new(Class::Permanent, "reading the rules failed");
        let unclear = WayBack::NoCandidate { alarm: "backend-green-errors".to_owned() };
        let said = [Ok(WayBack::NotNeeded), Ok(unclear), Ok(taken), Err(failed)]
            .map(|done| without_ledger(&service, Class::Transient, &done));
        insta::assert_snapshot!(said.join("\n"));
        let bug = without_ledger(&service, Class::Bug, &Ok(WayBack::NotNeeded));
        assert!(bug.contains("the ledger cannot be decided on, because of a bug. No candidate"), "{bug}");
    }
}
