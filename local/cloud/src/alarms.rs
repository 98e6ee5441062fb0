//! CloudWatch alarms: definitions from the emulator, metrics from the data plane, actions to the functions.

mod definition;
mod evaluation;
mod expression;
mod metrics;
mod notice;

pub use evaluation::AlarmState;

use crate::clock;
use crate::functions::Functions;
use crate::stack::function_name;
use crate::traffic::Traffic;
use anyhow::Result;
use aws_config::SdkConfig;
use aws_sdk_cloudwatch::Client;
use bytes::Bytes;
use definition::AlarmDefinition;
use evaluation::{Evaluated, evaluate};
use jiff::Timestamp;
use metrics::History;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// `CloudWatch`'s resolution for metrics of AWS services, and how often it evaluates such alarms.
const PERIOD: Duration = Duration::from_mins(1);

/// An alarm changed its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The minute in which the state changed.
    pub at: Timestamp,
    /// The alarm's name.
    pub alarm: String,
    /// Its state since then.
    pub state: AlarmState,
    /// CloudWatch's sentence: the data points and the threshold.
    pub reason: String,
}

/// Evaluates all alarms, once per period.
#[derive(Debug)]
pub struct Alarms {
    client: Client,
    functions: Arc<Functions>,
    traffic: Arc<Traffic>,
    period: Duration,
    known: Mutex<BTreeMap<String, AlarmState>>,
    transitions: Mutex<Vec<Transition>>,
}

impl Alarms {
    /// On a clock that runs `speed` times as fast as AWS's.
    pub fn new(aws: &SdkConfig, functions: Arc<Functions>, traffic: Arc<Traffic>, speed: u32) -> Self {
        Self {
            client: Client::new(aws),
            functions,
            traffic,
            period: PERIOD / speed.max(1),
            known: Mutex::default(),
            transitions: Mutex::default(),
        }
    }

    /// Every change of state so far.
    pub fn transitions(&self) -> Vec<Transition> {
        self.transitions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Evaluates until it is dropped.
    pub async fn run(&self) {
        let mut history = History::default();
        let mut ticks = tokio::time::interval_at(Instant::now() + self.period, self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            history.push(self.traffic.take_metrics());
            if let Err(error) = self.evaluate(&history).await {
                tracing::warn!(error = %format!("{error:#}"), "alarms could not be evaluated");
            }
        }
    }

    async fn evaluate(&self, history: &History) -> Result<()> {
        let described = self.client.describe_alarms().send().await?;
        for alarm in described.metric_alarms() {
            let definition = AlarmDefinition::read(alarm)?;
            let stored = AlarmState::from_api(alarm.state_value().map_or("", |state| state.as_str()));
            let known =
                self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&definition.name).copied();
            // An operator has set the state by hand, as in a drill. The actions run then too, and the state stands
            // until the next evaluation.
            if let Some(known) = known.filter(|known| *known != stored) {
                let reason = alarm.state_reason().unwrap_or("set by hand").to_owned();
                self.transition(&definition, known, Evaluated { state: stored, reason });
                self.remember(&definition, stored);
                continue;
            }
            let datapoints = definition.datapoints(history)?;
            let evaluated = evaluate(&definition.condition, &datapoints, stored);
            if evaluated.state != stored {
                self.client
                    .set_alarm_state()
                    .alarm_name(&definition.name)
                    .state_value(evaluated.state.as_str().into())
                    .state_reason(&evaluated.reason)
                    .state_reason_data("{}")
                    .send()
                    .await?;
                self.transition(&definition, stored, evaluated.clone());
            }
            self.remember(&definition, evaluated.state);
        }
        Ok(())
    }

    fn remember(&self, definition: &AlarmDefinition, state: AlarmState) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(definition.name.clone(), state);
    }

    fn transition(&self, definition: &AlarmDefinition, from: AlarmState, to: Evaluated) {
        let at = clock::now();
        tracing::info!(alarm = definition.name, state = to.state.as_str(), reason = to.reason, "alarm");
        let payload = Bytes::from(notice::payload(definition, from, &to, at).to_string());
        for action in definition.actions(to.state) {
            if action.starts_with("arn:aws:lambda:")
                && let Err(error) = self.functions.invoke_later(function_name(action), payload.clone())
            {
                tracing::warn!(%error, alarm = definition.name, "an alarm has nowhere to go");
            }
        }
        let transition =
            Transition { at, alarm: definition.name.clone(), state: to.state, reason: to.reason };
        self.transitions.lock().unwrap_or_else(PoisonError::into_inner).push(transition);
    }
}
