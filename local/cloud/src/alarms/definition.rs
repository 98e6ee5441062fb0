//! An alarm as the emulator describes it.

use super::evaluation::{AlarmState, Comparison, Condition, MissingData};
use super::expression::{Expression, Series};
use super::metrics::{History, Metric};
use anyhow::{Context, Result, bail};
use aws_sdk_cloudwatch::types as api;
use std::collections::BTreeMap;

/// One alarm.
#[derive(Debug, Clone)]
pub(super) struct AlarmDefinition {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) description: String,
    pub(super) condition: Condition,
    pub(super) sources: Vec<Source>,
    alarm_actions: Vec<String>,
    ok_actions: Vec<String>,
    other_actions: Vec<String>,
}

/// A line of the alarm's metrics: a metric or an expression over the others.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) id: String,
    pub(super) label: Option<String>,
    /// Whether this is the line that the threshold is compared with.
    pub(super) returned: bool,
    pub(super) value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Metric { metric: Metric, namespace: String, dimensions: BTreeMap<String, String>, period: i32 },
    Expression { text: String, parsed: Expression },
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
            sources: sources(alarm)?,
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

    /// The datapoints that the threshold is compared with, oldest first.
    pub(super) fn datapoints(&self, history: &History) -> Result<Series> {
        let periods = self.condition.evaluation_periods;
        let mut series: BTreeMap<String, Series> = BTreeMap::new();
        for source in &self.sources {
            if let Value::Metric { metric, .. } = &source.value {
                let mut datapoints = history.datapoints(metric, periods);
                // Before the first period there was no data.
                while datapoints.len() < periods {
                    datapoints.insert(0, None);
                }
                series.insert(source.id.clone(), datapoints);
            }
        }
        // Expressions may use each other, in any order; a circle stays unresolved.
        let expressions = || {
            self.sources.iter().filter_map(|source| match &source.value {
                Value::Expression { parsed, .. } => Some((&source.id, parsed)),
                Value::Metric { .. } => None,
            })
        };
        for _ in expressions() {
            for (id, parsed) in expressions() {
                if let Ok(values) = parsed.evaluate(&series, periods) {
                    series.insert(id.clone(), values);
                }
            }
        }
        let returned = self.sources.iter().find(|source| source.returned).context("it returns no data")?;
        match (series.remove(&returned.id), &returned.value) {
            (Some(values), _) => Ok(values),
            (None, Value::Expression { parsed, .. }) => Ok(parsed.evaluate(&series, periods)?),
            (None, Value::Metric { .. }) => bail!("{} has no values", returned.id),
        }
    }
}

fn sources(alarm: &api::MetricAlarm) -> Result<Vec<Source>> {
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
            (None, Some(text)) => {
                Value::Expression { text: text.to_owned(), parsed: Expression::parse(text)? }
            }
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
    let dimensions: BTreeMap<String, String> = dimensions
        .iter()
        .filter_map(|dimension| Some((dimension.name()?.to_owned(), dimension.value()?.to_owned())))
        .collect();
    let target_group = dimensions.get("TargetGroup").cloned().unwrap_or_default();
    let minutes = usize::try_from(period / 60).unwrap_or(1).max(1);
    let metric = Metric { name: name.to_owned(), target_group, statistic, minutes };
    Value::Metric { metric, namespace: namespace.to_owned(), dimensions, period }
}
