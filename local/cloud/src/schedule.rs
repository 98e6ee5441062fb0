//! EventBridge at work: schedules that fire, and CodeDeploy's events on their way to the functions.

use crate::aws;
use crate::clock;
use crate::deliveries::Deliveries;
use crate::events;
use crate::stack::{EventRule, function_name};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, MissedTickBehavior};

/// Hands every event to the functions whose rules match it, until there are no more.
pub(crate) async fn route(
    mut events: UnboundedReceiver<Value>,
    rules: Vec<EventRule>,
    deliveries: Arc<Deliveries>,
) {
    while let Some(event) = events.recv().await {
        for rule in &rules {
            if rule.pattern.as_ref().is_some_and(|pattern| events::matches(pattern, &event)) {
                deliver(rule, &event, &deliveries);
            }
        }
    }
}

/// Fires a rule's schedule without end, `speed` times as often as it says. Returns at once for a rule without a rate.
pub(crate) async fn fire(rule: EventRule, speed: u32, deliveries: Arc<Deliveries>) {
    let Some(expression) = &rule.schedule else { return };
    let Some(every) =
        events::rate(expression).map(|every| (every / speed.max(1)).max(Duration::from_millis(100)))
    else {
        tracing::warn!(
            rule = rule.arn,
            expression,
            "the local cloud knows rate(...) only; this schedule never fires"
        );
        return;
    };
    // Half a period off: EventBridge's clock and that of CloudWatch's alarms have nothing to do with each other.
    let mut ticks = tokio::time::interval_at(Instant::now() + every / 2, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 1_u64.. {
        ticks.tick().await;
        deliver(&rule, &scheduled(&rule.arn, number), &deliveries);
    }
}

fn deliver(rule: &EventRule, event: &Value, deliveries: &Deliveries) {
    for target in &rule.targets {
        deliveries.send(function_name(&target.function), target.input.as_ref().unwrap_or(event));
    }
}

fn scheduled(rule: &str, number: u64) -> Value {
    json!({
        "version": "0",
        "id": format!("00000000-0000-4000-8000-{number:012x}"),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": aws::ACCOUNT,
        "time": clock::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": aws::REGION,
        "resources": [rule],
        "detail": {},
    })
}
