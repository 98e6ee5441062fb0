//! An alarm as the emulator describes it.

use super::evaluation::{AlarmState, Comparison, Condition, MissingData};
use super::expression::Series;
use super::metrics::History;
use super::sources::{self, Source, Value};
use anyhow::{Context, Result, bail};
use aws_sdk_cloudwatch::types as api;
use std::time::Duration;

/// One alarm.
#[derive(Debug, Clone)]
pub(super) struct AlarmDefinition {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) description: String,
    pub(super) condition: Condition,
    pub(super) sources: Vec<Source>,
    ignores_few_samples: bool,
    alarm_actions: Vec<String>,
    ok_actions: Vec<String>,
    other_actions: Vec<String>,
}

impl AlarmDefinition {
    pub(super) fn read(alarm: &api::MetricAlarm) -> Result<Self> {
        let name = alarm.alarm_name().context("an alarm has no name")?.to_owned();
        Self::parse(alarm, &name).with_context(|| format!("alarm {name}"))
    }

    fn parse(alarm: &api::MetricAlarm, name: &str) -> Result<Self> {
        let comparison = alarm.comparison_operator().context("it compares with nothing")?;
        let comparison = Comparison::from_api(comparison.as_str())
            .with_context(|| format!("the comparison {comparison} is not known here"))?;
        let count = |value: Option<i32>| value.and_then(|value| usize::try_from(value).ok());
        let evaluation_periods = count(alarm.evaluation_periods()).unwrap_or(1);
        let actions =
            |list: &[String]| if alarm.actions_enabled() == Some(false) { Vec::new() } else { list.to_vec() };
        Ok(Self {
            name: name.to_owned(),
            arn: alarm.alarm_arn().unwrap_or_default().to_owned(),
            description: alarm.alarm_description().unwrap_or_default().to_owned(),
            condition: Condition {
                comparison,
                threshold: alarm.threshold().context("it has no threshold")?,
                evaluation_periods,
                datapoints_to_alarm: count(alarm.datapoints_to_alarm()).unwrap_or(evaluation_periods),
                missing_data: MissingData::from_api(alarm.treat_missing_data()),
            },
            sources: read_sources(alarm)?,
            ignores_few_samples: alarm.evaluate_low_sample_count_percentile() == Some("ignore"),
            alarm_actions: actions(alarm.alarm_actions()),
            ok_actions: actions(alarm.ok_actions()),
            other_actions: actions(alarm.insufficient_data_actions()),
        })
    }

    /// Whom to tell of a new state.
    pub(super) fn actions(&self, state: AlarmState) -> &[String] {
        match state {
            AlarmState::Alarm => &self.alarm_actions,
            AlarmState::Ok => &self.ok_actions,
            AlarmState::InsufficientData => &self.other_actions,
        }
    }

    /// The datapoints of the evaluation range that the threshold is compared with, oldest first, as they can be read
    /// at a time of AWS's clock.
    pub(super) fn datapoints(&self, history: &History, now: Duration) -> Result<Series> {
        let minutes = self.sources.iter().find_map(Source::minutes).unwrap_or(1);
        let range = self.condition.evaluation_range();
        let ended = history.ended();
        let latest = ended.end.saturating_sub(range * minutes)..ended.end;
        let mut series = sources::evaluate(&self.sources, history, latest, now)?;
        let returned = self.sources.iter().find(|source| source.returned).context("it returns no data")?;
        let mut values = series.remove(&returned.id).context("its circle of expressions has no value")?;
        // Before the first minute there was no data.
        let before = range.saturating_sub(values.len());
        values.splice(0..0, std::iter::repeat_n(None, before));
        Ok(values)
    }

    /// Whether only too few samples for the percentile can be read, and the alarm then stays as it is.
    pub(super) fn has_too_few_samples(&self, history: &History, now: Duration) -> bool {
        let Some(Value::Metric { metric, .. }) = self.sources.first().map(|source| &source.value) else {
            return false;
        };
        let ended = history.ended();
        let latest = ended.end.saturating_sub(self.condition.evaluation_range() * metric.minutes)..ended.end;
        let datapoints = history.datapoints(metric, latest, now);
        let samples = datapoints.iter().flatten().rev().take(self.condition.evaluation_periods);
        let samples: Vec<u64> = samples.filter_map(|datapoint| datapoint.samples).collect();
        let few = |samples: &u64| metric.says_nothing_of(*samples);
        self.ignores_few_samples && !samples.is_empty() && samples.iter().all(few)
    }
}

fn read_sources(alarm: &api::MetricAlarm) -> Result<Vec<Source>> {
    if alarm.metrics().is_empty() {
        let statistic = alarm.statistic().map(|statistic| statistic.as_str().to_owned());
        let statistic =
            statistic.or_else(|| alarm.extended_statistic().map(ToOwned::to_owned)).unwrap_or_default();
        let value = metric(
            alarm.namespace().unwrap_or_default(),
            alarm.metric_name().unwrap_or_default(),
            alarm.dimensions(),
            statistic,
            alarm.period().unwrap_or(60),
        );
        return Ok(vec![Source { id: "m1".to_owned(), label: None, returned: true, value }]);
    }
    let lines = alarm.metrics().iter().map(|line| {
        let value = match (line.metric_stat(), line.expression()) {
            (Some(stat), _) => {
                let described = stat.metric().context("a metric is not described")?;
                metric(
                    described.namespace().unwrap_or_default(),
                    described.metric_name().unwrap_or_default(),
                    described.dimensions(),
                    stat.stat().unwrap_or_default().to_owned(),
                    stat.period().unwrap_or(60),
                )
            }
            (None, Some(text)) => Value::expression(text)?,
            (None, None) => bail!("{:?} is neither a metric nor an expression", line.id()),
        };
        Ok(Source {
            id: line.id().unwrap_or_default().to_owned(),
            label: line.label().map(ToOwned::to_owned),
            returned: line.return_data().unwrap_or(true),
            value,
        })
    });
    lines.collect()
}

fn metric(
    namespace: &str,
    name: &str,
    dimensions: &[api::Dimension],
    statistic: String,
    period: i32,
) -> Value {
    let dimensions = dimensions
        .iter()
        .filter_map(|dimension| Some((dimension.name()?.to_owned(), dimension.value()?.to_owned())))
        .collect();
    Value::metric(namespace, name, dimensions, statistic, period)
}
