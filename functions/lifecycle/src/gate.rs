//! Asks the gate of an open release, where a release waits for it. One function asks at a time, and nothing that goes wrong on
//! the way keeps the pass that follows from taking a release back.

use greenlight::failure::{Failure, chain};
use greenlight::ports::{Clock, LedgerVersion, Ports};
use greenlight::reconcile::{amend, read};
use greenlight::settings::Settings;
use release::{GateAnswer, GateQuestion, GateReport, Ledger, ask_gate};
use std::future::Future;

/// Asks a function of the stack's account and region.
pub trait Gates: Sync {
    /// Its answer. An error and silence are answers as well, of which the release waits for a better one.
    fn ask(&self, function: &str, question: &GateQuestion) -> impl Future<Output = GateAnswer> + Send;
}

type Known = (Ledger, Option<LedgerVersion>);

/// What the gate answers, if the release in this ledger waits for it and nobody else has asked it just now; and the ledger as it
/// is after that.
pub(crate) async fn asked(
    ports: &impl Ports,
    gates: &impl Gates,
    settings: &Settings,
    clock: &impl Clock,
    known: Known,
) -> (Known, Option<GateReport>) {
    let now = clock.now();
    if ask_gate(known.0.clone(), now).1.is_none() {
        return (known, None);
    }
    let service = &known.0.service;
    // Written first, because many hooks ask at the same time.
    let question = match amend(ports, service, |ledger| ask_gate(ledger, now)).await {
        Ok(Some(question)) => question,
        Ok(None) => return (known, None),
        Err(failure) => {
            log(&known.0, &failure);
            return (known, None);
        }
    };
    let answer = match &settings.gate {
        Some(function) => gates.ask(function, &question).await,
        None => GateAnswer::unreached("it was not asked, because the parameter Gate names none any more"),
    };
    tracing::info!(
        service = service.as_str(),
        release = question.release.0,
        before = %question.before,
        answer = serde_json::json!(answer).to_string(),
        "asked the gate"
    );
    let report = Some(question.answered(answer));
    match read(ports, service).await {
        Ok(known) => (known, report),
        // What was read before is old, and the pass that begins with it reads again before it writes.
        Err(failure) => {
            log(&known.0, &failure);
            (known, report)
        }
    }
}

fn log(ledger: &Ledger, failure: &Failure) {
    tracing::warn!(
        service = ledger.service.as_str(),
        failure_class = failure.class().word(),
        error = chain(failure),
        "the ledger could not be read or written around a question to the gate"
    );
}
