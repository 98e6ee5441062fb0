//! Which services an alarm wakes.

use crate::event::{self, Told};
use greenlight::decision_log;
use greenlight::failure::{Class, Excerpt, Failure, chain};
use greenlight::lambda::Payload;
use greenlight::ports::{Clock, Ports};
use greenlight::reconcile::reconcile_all;
use greenlight::settings::{ServiceSettings, Settings};
use release::{Colour, ServiceName, Wake};
use serde_json::Value;
use std::collections::BTreeSet;

/// Names of alarms that a log line holds at most.
const MOST_NAMES: usize = 20;

/// Handles one invocation.
///
/// # Errors
/// A payload that is not understood (permanent, after every service was reconciled), a ledger that could not be
/// read (after the way back was taken without it, where it was needed), and AWS calls that failed.
pub async fn handle(
    ports: &impl Ports,
    settings: &Settings,
    clock: &impl Clock,
    payload: Payload,
) -> Result<Value, Failure> {
    let (told, unreadable) = match payload {
        Ok(payload) => (event::read(&payload), None),
        Err(unreadable) => (Told::unreadable(), Some(unreadable)),
    };
    decision_log::log_faults(settings);
    let services = woken_by(settings, &told);
    log(&told, services.len());
    let passes = services.into_iter().map(|service| (service, &settings.policy));
    let finished = decision_log::finish_all(reconcile_all(ports, passes, clock, Wake::Event).await);
    match (not_understood(&told, unreadable), finished) {
        (None, finished) => finished.map(|()| Value::Null),
        (Some(not_understood), Ok(())) => Err(not_understood),
        // What is to be mended is both: what sends such payloads, and the call.
        (Some(not_understood), Err(failed)) => {
            let message = format!("{}; then a call failed", chain(&not_understood));
            Err(Failure::new(failed.class(), message).caused_by(failed))
        }
    }
}

fn log(told: &Told, services: usize) {
    let names = told.alarms.iter().take(MOST_NAMES).map(|alarm| Excerpt(alarm).to_string());
    let (alarm_names, alarms) = (names.collect::<Value>().to_string(), told.alarms.len());
    if told.unread == 0 {
        tracing::info!(alarm_names, alarms, services, "an alarm changed");
    } else {
        tracing::warn!(
            alarm_names,
            alarms,
            unread = told.unread,
            services,
            "a payload that names no alarm woke every service"
        );
    }
}

fn not_understood(told: &Told, unreadable: Option<Failure>) -> Option<Failure> {
    if told.unread == 0 {
        return None;
    }
    let message = format!(
        "{} part(s) of the payload name no alarm: every service was reconciled, and the event is kept; see events/alarm for the shapes that are known",
        told.unread
    );
    let failure = Failure::new(Class::Permanent, message);
    Some(match unreadable {
        Some(unreadable) => failure.caused_by(unreadable),
        None => failure,
    })
}

/// The services whose alarms these are; every service when an alarm belongs to none or the payload is not understood.
fn woken_by<'a>(settings: &'a Settings, told: &Told) -> Vec<&'a ServiceName> {
    let owner = |alarm: &String| {
        settings.services.iter().find(|(_, service)| owns(service, alarm)).map(|(name, _)| name)
    };
    let owners: Option<BTreeSet<&ServiceName>> = told.alarms.iter().map(owner).collect();
    match owners {
        Some(owners) if told.unread == 0 => owners.into_iter().collect(),
        Some(_) | None => settings.services.keys().collect(),
    }
}

fn owns(service: &ServiceSettings, alarm: &String) -> bool {
    Colour::BOTH.iter().any(|colour| service.alarms.of(*colour).contains(alarm))
}
