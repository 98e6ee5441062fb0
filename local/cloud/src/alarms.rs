//! CloudWatch: metrics from the data plane, as late as AWS publishes them; alarms on them, with definitions and states
//! from the emulator and actions to the functions.

mod definition;
mod evaluation;
mod expression;
mod metrics;
mod notice;
#[cfg(test)]
mod noticing;
mod publication;
mod query;
mod sources;

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
use publication::Publication;
use serde_json::Value;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// `CloudWatch`'s resolution for metrics of AWS services, and how often it evaluates such alarms.
const PERIOD: Duration = Duration::from_mins(1);

/// How often the emulator is asked whether somebody has set a state: on AWS the actions of a set alarm run at once.
const NOTICED_WITHIN: Duration = Duration::from_secs(5);
/// However fast AWS's clocks run.
const LEAST_PAUSE: Duration = Duration::from_millis(250);

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

/// Keeps the metrics, and evaluates all alarms once per period.
#[derive(Debug)]
pub struct Alarms {
    client: Client,
    functions: Arc<Functions>,
    traffic: Arc<Traffic>,
    speed: u32,
    began: Instant,
    /// From a minute's end to the evaluation; AWS's has nothing to do with the minutes either.
    phase: Duration,
    as_on_aws: Publication,
    publication: Mutex<Publication>,
    history: Mutex<History>,
    known: Mutex<BTreeMap<String, AlarmState>>,
    /// Held by whoever compares what is known with what the emulator says.
    comparing: tokio::sync::Mutex<()>,
    transitions: Mutex<Vec<Transition>>,
}

impl Alarms {
    /// On a clock that runs `speed` times as fast as AWS's. `chance` decides how late each minute is.
    pub fn new(
        aws: &SdkConfig,
        functions: Arc<Functions>,
        traffic: Arc<Traffic>,
        speed: u32,
        chance: u64,
    ) -> Self {
        let publication = Publication::new(chance);
        let mut hasher = DefaultHasher::new();
        chance.hash(&mut hasher);
        Self {
            client: Client::new(aws),
            functions,
            traffic,
            speed: speed.max(1),
            began: Instant::now(),
            phase: Duration::from_secs(hasher.finish() % PERIOD.as_secs()) / speed.max(1),
            as_on_aws: publication.clone(),
            publication: Mutex::new(publication),
            history: Mutex::default(),
            known: Mutex::default(),
            comparing: tokio::sync::Mutex::default(),
            transitions: Mutex::default(),
        }
    }

    /// Every change of state so far.
    pub fn transitions(&self) -> Vec<Transition> {
        self.transitions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How late the minutes are published that end from now on, on AWS's clock; none for as late as on AWS.
    pub fn set_lateness(&self, after: Option<RangeInclusive<Duration>>) {
        let publication = after.map_or_else(|| self.as_on_aws.clone(), |after| self.as_on_aws.with(after));
        *self.publication.lock().unwrap_or_else(PoisonError::into_inner) = publication;
    }

    /// `GetMetricData`, in the names of AWS's API.
    ///
    /// # Errors
    /// When a query is none, with what is wrong with it.
    pub(crate) fn metric_data(&self, request: &Value) -> Result<Value> {
        query::answer(request, &self.history(), self.now())
    }

    /// Evaluates, and obeys whoever sets a state, until it is dropped.
    pub async fn run(&self) {
        tokio::join!(self.evaluate_each_period(), self.notice_what_is_set());
    }

    async fn notice_what_is_set(&self) {
        loop {
            tokio::time::sleep((NOTICED_WITHIN / self.speed).max(LEAST_PAUSE)).await;
            let _comparing = self.comparing.lock().await;
            if let Err(error) = self.described().await {
                tracing::warn!(error = %format!("{error:#}"), "alarms could not be read");
            }
        }
    }

    async fn evaluate_each_period(&self) {
        let period = PERIOD / self.speed;
        let mut ticks = tokio::time::interval_at(Instant::now() + period, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut began = clock::now();
        loop {
            ticks.tick().await;
            let publication = self.publication.lock().unwrap_or_else(PoisonError::into_inner).clone();
            self.history().push(began, self.now(), publication, self.traffic.take_metrics());
            began = clock::now();
            tokio::time::sleep(self.phase).await;
            if let Err(error) = self.evaluate().await {
                tracing::warn!(error = %format!("{error:#}"), "alarms could not be evaluated");
            }
        }
    }

    /// On AWS's clock, from the start.
    fn now(&self) -> Duration {
        self.began.elapsed() * self.speed
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every alarm and its state. An operator may have set that by hand, as in a drill: the actions run then too, and the state
    /// stands until the next evaluation.
    async fn described(&self) -> Result<Vec<(AlarmDefinition, AlarmState)>> {
        let described = self.client.describe_alarms().send().await?;
        let mut alarms = Vec::new();
        for alarm in described.metric_alarms() {
            let definition = AlarmDefinition::read(alarm)?;
            let stored = AlarmState::from_api(alarm.state_value().map_or("", |state| state.as_str()));
            let known =
                self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&definition.name).copied();
            if let Some(known) = known.filter(|known| *known != stored) {
                let reason = alarm.state_reason().unwrap_or("set by hand").to_owned();
                self.transition(&definition, known, Evaluated { state: stored, reason });
                self.remember(&definition, stored);
            }
            alarms.push((definition, stored));
        }
        Ok(alarms)
    }

    async fn evaluate(&self) -> Result<()> {
        let _comparing = self.comparing.lock().await;
        for (definition, stored) in self.described().await? {
            let now = self.now();
            let datapoints = {
                let history = self.history();
                if definition.has_too_few_samples(&history, now) {
                    continue;
                }
                definition.datapoints(&history, now)?
            };
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
                && let Err(error) = self.functions.invoke_later(function_name(action), &payload)
            {
                tracing::warn!(%error, alarm = definition.name, "an alarm has nowhere to go");
            }
        }
        let transition =
            Transition { at, alarm: definition.name.clone(), state: to.state, reason: to.reason };
        self.transitions.lock().unwrap_or_else(PoisonError::into_inner).push(transition);
    }
}
