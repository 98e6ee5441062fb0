//! Which services an alarm wakes.

use crate::event::{self, Told};
use greenlight::decision_log;
use greenlight::failure::{Class, Failure};
use greenlight::ports::{Clock, Ports};
use greenlight::reconcile::reconcile_all;
use greenlight::settings::{ServiceSettings, Settings};
use release::{Colour, ServiceName, Wake};
use serde_json::Value;
use std::collections::BTreeSet;

/// Handles one invocation.
///
/// # Errors
/// A payload that is not understood (permanent, after every service was reconciled), a ledger that could not be
/// read (after the way back was taken without it, where it was needed), and AWS calls that failed.
pub async fn handle(
    ports: &impl Ports,
    settings: &Settings,
    clock: &impl Clock,
    payload: Value,
) -> Result<Value, Failure> {
    let told = event::read(&payload);
    let services = woken_by(settings, &told);
    let alarms = told.alarms.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    tracing::info!(alarm_name = alarms, unread = told.unread, services = services.len(), "an alarm changed");
    let mut result = match told.unread {
        0 => Ok(Value::Null),
        unread => Err(Failure::new(
            Class::Permanent,
            format!(
                "{unread} parts of the payload name no alarm: every service was reconciled, and the event is kept; see events/alarm for the shapes that are known"
            ),
        )),
    };
    let passes = services.into_iter().map(|service| (service, &settings.policy));
    for (service, reconciled) in reconcile_all(ports, passes, clock, Wake::Event).await {
        let failed = match reconciled {
            Ok(reconciled) => {
                decision_log::log(&reconciled);
                reconciled.failures.into_iter().find(|failure| !failure.is_conflict())
            }
            Err(no_ledger) => Some(decision_log::log_without_ledger(&service, no_ledger)),
        };
        if let Some(failure) = failed {
            result = Err(failure);
        }
    }
    result
}

/// The services whose alarms these are; every service when one of them is nobody's or the payload is not understood.
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
