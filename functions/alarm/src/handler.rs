//! Which services an alarm wakes.

use crate::event::alarm_name;
use greenlight::decision_log;
use greenlight::failure::{Class, Failure};
use greenlight::release::ports::{Clock, Ports};
use greenlight::release::reconcile::{Wake, reconcile_all};
use greenlight::release::{Colour, ServiceName};
use greenlight::settings::Settings;
use serde_json::Value;

/// Handles one invocation.
///
/// # Errors
/// A payload that names no alarm (permanent, after every service was reconciled), and AWS calls that failed.
pub async fn handle(ports: &impl Ports, settings: &Settings, clock: &impl Clock, payload: Value) -> Result<Value, Failure> {
    let name = alarm_name(&payload);
    let services = woken_by(settings, name);
    tracing::info!(alarm_name = name, services = services.len(), "an alarm changed");
    let mut result = match name {
        Some(_) => Ok(Value::Null),
        None => Err(Failure::new(
            Class::Permanent,
            "the payload names no alarm: every service was reconciled, and the event is kept; see events/alarm for the shapes that are known",
        )),
    };
    let passes = services.into_iter().map(|service| (service, &settings.policy));
    for (_, reconciled) in reconcile_all(ports, passes, clock, Wake::Event).await {
        let failed = match reconciled {
            Ok(reconciled) => {
                decision_log::log(&reconciled);
                reconciled.failures.into_iter().find(|failure| !failure.is_conflict())
            }
            Err(failure) => Some(failure),
        };
        if let Some(failure) = failed {
            result = Err(failure);
        }
    }
    result
}

/// The service whose alarm this is; every service when nobody knows it.
fn woken_by<'a>(settings: &'a Settings, alarm: Option<&str>) -> Vec<&'a ServiceName> {
    let owners: Vec<&ServiceName> = settings
        .services
        .iter()
        .filter(|(_, service)| {
            Colour::BOTH.iter().any(|colour| service.alarms.of(*colour).iter().any(|known| Some(known.as_str()) == alarm))
        })
        .map(|(name, _)| name)
        .collect();
    if owners.is_empty() { settings.services.keys().collect() } else { owners }
}
